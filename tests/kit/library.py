"""libkennel as others see it: installed, and found by pkg-config."""
import os
import shutil
import subprocess
import tempfile

from kit import wait
from kit.kennel import BUILD, TOP

SANITIZE = ["-fsanitize=address,undefined", "-fno-omit-frame-pointer"]


class Installed:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="installed.")
        self.root = os.path.join(self.dir, "root")
        self.run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet",
                 "--destdir", self.root)
        self.pc = os.path.dirname(self.find("kennel.pc"))

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
        """Compiles a file (a name in tests/system/workers) or C text."""
        if "\n" in source:
            path = os.path.join(self.dir, "given.c")
            with open(path, "w") as f:
                f.write(source)
        else:
            path = os.path.join(TOP, "tests", "system", "workers", source)
        out = os.path.join(self.dir, os.path.basename(path)[:-2])
        lib = os.path.dirname(self.find("libkennel.so"))
        sanitized = os.environ.get("KENNEL_SANITIZED")
        self.run(*(["clang", *SANITIZE] if sanitized else ["cc"]),
                 "-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror",
                 "-g", "-o", out, path, *self.flags(), f"-Wl,-rpath,{lib}")
        return out

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
