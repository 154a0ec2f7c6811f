"""
Real containers: Debian's podman with runc, which needs no daemon, and a base image
made by debootstrap, for no image registry is asked.  What is made once is kept in
podman's storage and in CACHE, outside the checkout.
"""
import contextlib
import hashlib
import json
import os
import resource
import shutil
import socket
import ssl
import subprocess

from kit import wait
from kit.kennel import TOP

CACHE = os.environ.get("KENNEL_CONTAINERS") or "/var/tmp/kennel-containers"
BASE = "docker.io/library/debian:bookworm-slim"
# Of this checkout.
IMAGE = "localhost/kennel-test-" + hashlib.sha256(TOP.encode()).hexdigest()[:8]


class Cannot(Exception):
    """Why there are no containers here."""


def environment():
    """The machine's own configuration of podman, if there is one, or ours."""
    env = dict(os.environ)
    if "CONTAINERS_CONF" in env:
        return env
    os.makedirs(CACHE, exist_ok=True)
    conf = os.path.join(CACHE, "containers.conf")
    limits = [f'"{name}={n}:{n}"' for name, n in
              (("nofile", hard(resource.RLIMIT_NOFILE, 10000)),
               ("nproc", hard(resource.RLIMIT_NPROC, 5000)))]
    text = f"""[containers]
default_ulimits = [{", ".join(limits)}]
[engine]
runtime = "runc"
helper_binaries_dir = ["/usr/lib/podman", "/usr/libexec/podman"]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
    with contextlib.suppress(FileNotFoundError):
        if open(conf).read() == text:
            text = None
    if text:
        with open(f"{conf}.{os.getpid()}", "w") as f:
            f.write(text)
        os.rename(f"{conf}.{os.getpid()}", conf)
    env["CONTAINERS_CONF"] = conf
    env.setdefault("STORAGE_DRIVER", "vfs")
    return env


def hard(what, most):
    """A limit that may be set here."""
    n = resource.getrlimit(what)[1]
    return most if n == resource.RLIM_INFINITY or n > most else n


def run(*cmd, check=True, timeout=120, **kw):
    kw.setdefault("env", environment())
    p = subprocess.run([str(c) for c in cmd], capture_output=True, text=True,
                       timeout=wait.limit(timeout), stdin=subprocess.DEVNULL,
                       **kw)
    if check:
        assert p.returncode == 0, \
            f"{cmd}: {p.returncode}\n{p.stdout[-3000:]}{p.stderr[-3000:]}"
    return p


def podman(*args, **kw):
    return run("podman", *args, **kw).stdout.strip()


def have():
    """The base image, made if need be; Cannot says why not."""
    for tool in "podman", "podman-compose", "runc", "debootstrap":
        if shutil.which(tool) is None:
            raise Cannot(f"{tool} is not installed (scripts/deps container)")
    if run("podman", "image", "exists", BASE, check=False).returncode != 0:
        make_base()
    p = run("podman", "run", "--rm", "--network=none", BASE, "true",
            check=False)
    if p.returncode != 0:
        raise Cannot("podman cannot run a container here: " +
                     p.stderr.strip()[-300:])


def make_base():
    """debian:bookworm-slim, near enough, from the package registry."""
    if os.geteuid() != 0:
        raise Cannot("there is no base image, and debootstrap needs root")
    tar = os.path.join(CACHE, "root.tar")
    os.makedirs(CACHE, exist_ok=True)
    if not os.path.exists(tar):
        root = os.path.join(CACHE, f"root.{os.getpid()}")
        try:
            p = run("debootstrap", "--variant=minbase", "bookworm", root,
                    check=False, timeout=900)
            if p.returncode != 0:
                raise Cannot("debootstrap: " + p.stdout.strip()[-300:])
            run("tar", "-C", root, "-cf", tar + ".new", ".", timeout=300)
            os.rename(tar + ".new", tar)
        finally:
            shutil.rmtree(root, ignore_errors=True)
    run("podman", "import", tar, BASE, timeout=600)


def build(name, *args):
    """
    An image from the checkout; its name.  RUN reaches the package registry.  The
    one before is removed, with what it has alone: layers are large.
    """
    before = run("podman", "image", "inspect", "-f", "{{.Id}}", name,
                 check=False).stdout.strip()
    run("podman", "build", "--format", "docker", "--network=host", "-q",
        "-t", name, *args, cwd=TOP, timeout=1200)
    if before and before != podman("image", "inspect", "-f", "{{.Id}}", name):
        run("podman", "rmi", before, check=False)
    return name


def inspect(name):
    return json.loads(podman("inspect", name))[0]


def state(name):
    return inspect(name)["State"]


def address(name):
    nets = inspect(name)["NetworkSettings"]
    return nets["IPAddress"] or next(
        n["IPAddress"] for n in nets["Networks"].values())


def logs(name):
    p = run("podman", "logs", name, check=False)
    return p.stdout + p.stderr


def shell(name, script, **kw):
    """Within a running container."""
    return podman("exec", name, "sh", "-c", script, **kw)


class Container:
    """podman run -d; removed at the end, with its volumes."""

    def __init__(self, *args):
        self.id = podman("run", "-d", *args)

    def remove(self):
        run("podman", "rm", "-f", "-v", "-t", "0", self.id, check=False)


class Front:
    """Where a kit's client goes: address is a fresh socket, with TLS or not."""

    def __init__(self, host, port, tls=False):
        self.at = (host, port)
        self.tls = tls

    @property
    def address(self):
        s = socket.create_connection(self.at, wait.limit(10))
        if not self.tls:
            return s
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE     # it is self-signed
        return context.wrap_socket(s, server_hostname="localhost")


def served(front, path="/healthz"):
    """Is this answered with 200?"""
    from kit.http import Http
    try:
        with Http(front.address) as h:
            h.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n"
                    "Connection: close\r\n\r\n".encode())
            return h.response().status == 200
    except Exception:           # whatever a start can look like from outside
        return False
