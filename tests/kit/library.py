"""libkennel as others see it: installed, and found by pkg-config."""
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from kit import wait
from kit.kennel import BUILD, TOP

SANITIZE = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]


class Installed:
    """
    In a directory that several processes may share: what one has installed or compiled, all
    others use.  Who gave it removes it; without one there is one of its own.
    """
    def __init__(self, directory=None):
        self.dir = directory or tempfile.mkdtemp(prefix="installed.")
        self.root = self.once("root", lambda path: self.run(
            "meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", path))
        self.pc = os.path.dirname(self.find("kennel.pc"))

    def once(self, name, make):
        """The directory of this name, which make(path) fills: whoever comes first, and the
        others wait.  It is there whole, or not at all."""
        path = os.path.join(self.dir, name)
        with open(path + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not os.path.exists(path):
                shutil.rmtree(path + ".new", ignore_errors=True)
                os.mkdir(path + ".new")
                make(path + ".new")
                os.rename(path + ".new", path)
        return path

    def run(self, *cmd, **kw):
        p = subprocess.run(cmd, capture_output=True, text=True,
                           timeout=wait.limit(120), **kw)
        assert p.returncode == 0, f"{cmd}:\n{p.stdout}{p.stderr}"
        return p.stdout

    def find(self, name):
        """Path of the installed file of this name."""
        for top, _, files in os.walk(self.root):
            if name in files:
                return os.path.join(top, name)
        raise AssertionError(f"{name} is not installed")

    def flags(self):
        return self.run("pkg-config", "--cflags", "--libs", "kennel", env={
            **os.environ, "PKG_CONFIG_PATH": self.pc,
            "PKG_CONFIG_SYSROOT_DIR": self.root}).split()

    def worker(self, source):
        """The program of a file (a name in tests/system/workers) or of C text."""
        text = "\n" in source
        name = "given" if text else os.path.basename(source)[:-2]
        digest = hashlib.sha256(source.encode()).hexdigest()[:16]

        def compiled(directory):
            path = os.path.join(TOP, "tests", "system", "workers", source)
            if text:
                path = os.path.join(directory, "given.c")
                with open(path, "w") as f:
                    f.write(source)
            self.compile(path, os.path.join(directory, name))
        return os.path.join(self.once(f"{name}-{digest}", compiled), name)

    def compile(self, path, out):
        lib = os.path.dirname(self.find("libkennel.so"))
        sanitized = os.environ.get("KENNEL_SANITIZED")
        self.run(*(["clang", *SANITIZE] if sanitized else ["cc"]),
                 "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror",
                 "-g", "-o", out, path, *self.flags(), f"-Wl,-rpath,{lib}")

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
