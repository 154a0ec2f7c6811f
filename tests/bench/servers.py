"""What the benchmark measures: Kennel, the floor below it, and its peers."""
import glob
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    """All descendants of pid: {pid: name}."""
    parents, names = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path) as f:
                left, right = f.read().rsplit(")", 1)
        except OSError:
            continue
        number, name = left.split(" (", 1)
        names[int(number)] = name
        parents[int(number)] = int(right.split()[1])
    found, new = {}, {pid}
    while new:
        new = {p for p, parent in parents.items() if parent in new}
        found.update((p, names[p]) for p in new)
    return found


class NotStarted(Exception):
    """A server ended, or was not ready in time; what it said is on stderr."""


class Server:
    """One of them, started with a directory of its own; stop() ends it."""
    kind = None
    ready_word = None           # in its log, when it is ready
    load_args = ()

    @classmethod
    def missing(cls, build):
        """Why it cannot be started, or None."""
        return None

    def __init__(self, build, directory, **options):
        self.build, self.directory = build, directory
        self.port = free_port()
        self.log = os.path.join(directory, "log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                self.command(**options), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env=self.environment(),
                preexec_fn=lambda: resource.setrlimit(
                    resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def environment(self):
        return dict(os.environ)

    def until(self, condition):
        end = time.monotonic() + 60
        while not condition():
            if self.process.poll() is not None or time.monotonic() > end:
                print(self.said()[-2000:], file=sys.stderr)
                raise NotStarted(f"{self.kind} did not start")
            time.sleep(0.02)

    def said(self):
        with open(self.log, errors="replace") as f:
            return f.read()

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def wait(self):
        if self.ready_word:
            self.until(lambda: self.ready_word in self.said())
        else:
            self.until(self.listens)

    def pids(self):
        """{"pids": [...], "gateway": [...], "redis": [...]}."""
        return {"pids": [self.process.pid, *children(self.process.pid)]}

    def stop(self):
        if self.process.poll() is not None:
            return
        below = children(self.process.pid)
        self.process.terminate()
        try:
            self.process.wait(30)
            return
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Floor(Server):
    kind = "floor"

    def command(self, raw=False):
        return [f"{self.build}/tests/bench/floor", str(self.port),
                *(["raw"] if raw else [])]


class Kennel(Server):
    kind = "kennel"

    worker = "tests/bench/bench_worker"
    config = "bench.ini"

    def command(self, shards=1, redis="none", limit=None, extra="", raw=False,
                ape=False, node=None):
        worker = "shardd/shardd" if ape else self.worker
        with open(f"{HERE}/{'ape.ini' if ape else self.config}") as f:
            text = f.read()
        if limit:
            text = text.replace("limit = 100000", f"limit = {limit}")
        with open(f"{self.directory}/bench.ini", "w") as f:
            f.write(text + extra)
            if raw:
                f.write("\n[listener raw]\naddress = 127.0.0.1:"
                        f"{self.port}\napp = raw\n")
        self.shards, self.with_redis = shards, redis != "none"
        self.run = f"{self.directory}/run"
        return [f"{self.build}/gatewayd/gatewayd",
                "--config", f"{self.directory}/bench.ini",
                "--worker", f"{self.build}/{worker}",
                *([] if raw else ["--listen", f"127.0.0.1:{self.port}"]),
                *(["--node", node] if node else []),
                "--shards", str(shards), "--max-shards", str(shards),
                "--redis", redis, "--run-dir", self.run,
                "--state-dir", f"{self.directory}/state"]

    def status(self):
        p = subprocess.run([f"{self.build}/gatewayd/kennelctl", "status",
                            "--json", "--run-dir", self.run],
                           capture_output=True)
        return json.loads(p.stdout) if p.returncode == 0 else None

    def wait(self):
        def up():
            s = self.status()
            return s and s["redis"]["up"] >= self.with_redis and \
                [x["state"] for x in s["shards"]] == ["ready"] * self.shards
        self.until(up)
        self.until(self.listens)

    def pids(self):
        below = children(self.process.pid)
        redis = [p for p, name in below.items() if name == "redis-server"]
        return {"pids": [p for p in below if p not in redis],
                "gateway": [self.process.pid], "redis": redis}


class Rooms(Kennel):
    """With the worker of the product, for rooms that remember."""
    worker = "shardd/shardd"
    config = "rooms.ini"

    @classmethod
    def missing(cls, build):
        return NodeWs.missing(build)    # who plays the clients


def not_installed(*modules):
    for m in modules:
        if not os.path.isdir(f"{HERE}/node_modules/{m}"):
            return f"npm's {m} is not installed"
    return None


class NodeWs(Server):
    kind = "node-ws"

    @classmethod
    def missing(cls, build):
        if not shutil.which("node"):
            return "node is not installed"
        return not_installed("ws")

    def command(self):
        return ["node", f"{HERE}/peer_ws.cjs", str(self.port)]


class NodeApe(Server):
    """The original server of api-ape."""
    kind = "node-ape"

    @classmethod
    def missing(cls, build):
        return NodeWs.missing(build) or not_installed("api-ape")

    def command(self):
        return ["node", f"{HERE}/peer_ape/server.cjs", str(self.port)]


def start_redis(directory):
    """One without a port, and its socket's path."""
    path = f"{directory}/redis.sock"
    redis = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save",
         "", "--dir", directory], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not os.path.exists(path) and time.monotonic() < end:
        time.sleep(0.02)
    return redis, path


class NodeCluster(Server):
    kind = "node-cluster"
    ready_word = "ready"
    redis = None

    @classmethod
    def missing(cls, build):
        return NodeWs.missing(build) or not_installed("redis") or (
            None if shutil.which("redis-server")
            else "redis-server is not installed")

    def command(self, workers=2):
        self.redis, path = start_redis(self.directory)
        return ["node", f"{HERE}/peer_cluster.cjs", str(self.port), path,
                str(workers)]

    def pids(self):
        return {**super().pids(), "redis": [self.redis.pid]}

    def stop(self):
        super().stop()
        self.redis.terminate()
        self.redis.wait()


class Bun(Server):
    kind = "bun"

    @staticmethod
    def program():
        found = glob.glob(f"{HERE}/node_modules/@oven/bun-*/bin/bun")
        return found[0] if found else None

    @classmethod
    def missing(cls, build):
        return None if cls.program() else "npm's bun is not installed"

    def command(self):
        return [self.program(), f"{HERE}/peer_bun.js", str(self.port)]


class Nchan(Server):
    kind = "nchan"
    load_args = ("--sender-path", "/pub/%g")
    module = "/usr/lib/nginx/modules/ngx_nchan_module.so"

    @classmethod
    def missing(cls, build):
        if not cls.nginx() or not os.path.exists(cls.module):
            return "nginx with nchan is not installed"
        return None

    @staticmethod
    def nginx():
        return shutil.which("nginx", path=os.environ.get("PATH", "") +
                            ":/usr/sbin")

    def command(self):
        with open(f"{HERE}/nchan.conf") as f:
            text = f.read()
        text = text.replace("DIR", self.directory) \
            .replace("PORT", str(self.port))
        with open(f"{self.directory}/nginx.conf", "w") as f:
            f.write(text)
        return [self.nginx(), "-e", f"{self.directory}/error.log",
                "-p", self.directory, "-c", f"{self.directory}/nginx.conf"]

    def wait(self):
        super().wait()
        self.until(lambda: children(self.process.pid))


class NodeOne(Server):
    """A node of such a cluster."""
    ready_word = "ready"

    def command(self, path):
        return ["node", f"{HERE}/peer_cluster.cjs", str(self.port), path, "0"]


class SocketIoOne(Server):
    ready_word = "ready"

    def command(self, path):
        return ["node", f"{HERE}/peer_sio.cjs", str(self.port), path]


class Nodes:
    """Several servers with one Redis; clients go to each in turn."""
    load_args = ()

    @classmethod
    def missing(cls, build):
        return None if shutil.which("redis-server") else \
            "redis-server is not installed"

    def __init__(self, build, directory, nodes=2, **options):
        self.build = build
        self.redis, self.path = start_redis(directory)
        self.all = []
        try:
            for n in range(nodes):
                below = f"{directory}/{n}"
                os.mkdir(below)
                self.all.append(self.one(below, n, **options))
        except BaseException:
            self.stop()
            raise
        self.port = ",".join(str(s.port) for s in self.all)

    def pids(self):
        found = {}
        for s in self.all:
            for key, pids in s.pids().items():
                found.setdefault(key, []).extend(pids)
        return {**found, "redis": [self.redis.pid]}

    def stop(self):
        for s in self.all:
            s.stop()
        self.redis.terminate()
        self.redis.wait()


class KennelNodes(Nodes):
    kind = "kennel-nodes"
    make = Kennel

    def one(self, directory, n, **options):
        return self.make(self.build, directory, redis=f"unix:{self.path}",
                         node=f"n{n}", **options)


class RoomsNodes(KennelNodes):
    """The same, for rooms that remember."""
    make = Rooms


class NodeNodes(Nodes):
    kind = "node-nodes"

    @classmethod
    def missing(cls, build):
        return NodeCluster.missing(build)

    def one(self, directory, n):
        return NodeOne(self.build, directory, path=self.path)


class SocketIo(Nodes):
    """Socket.IO with its Redis adapter."""
    kind = "socket.io"
    load_args = ("--sio",)

    @classmethod
    def missing(cls, build):
        return NodeCluster.missing(build) or not_installed("socket.io") or \
            not_installed("@socket.io/redis-adapter")

    def one(self, directory, n):
        return SocketIoOne(self.build, directory, path=self.path)


class Command(Server):
    """A program of the user's; its port is its last argument."""

    def command(self, argv=()):
        self.kind = argv[0]
        return [*argv, str(self.port)]


KINDS = {c.kind: c for c in (Floor, Kennel, Bun, NodeWs, NodeApe, NodeCluster,
                             Nchan, KennelNodes, NodeNodes, SocketIo)}


# Kennel again, for rows of their own.
ALL = {**KINDS, "rooms": Rooms, "rooms-nodes": RoomsNodes}


class Pool:
    """
    Servers by kind and options, started when first asked for and kept, so that
    all of a row live at the same time and are measured in turns.
    """

    def __init__(self, build, directory, own=()):
        self.build, self.directory = build, directory
        self.own = dict(own)            # name: argv
        self.live = {}
        self.count = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for key in list(self.live):
            self.stop(key)

    def missing(self, kind):
        return None if kind in self.own else ALL[kind].missing(self.build)

    def get(self, kind, options):
        key = (kind, *sorted(options.items()))
        if key not in self.live:
            self.count += 1
            directory = f"{self.directory}/{self.count}"
            os.mkdir(directory)
            if kind in self.own:
                server = Command(self.build, directory, argv=self.own[kind])
            else:
                server = ALL[kind](self.build, directory, **options)
            self.live[key] = server
        return self.live[key]

    def stop(self, key):
        self.live.pop(key).stop()

    def drop(self, kind, options):
        """It will not be asked for again."""
        key = (kind, *sorted(options.items()))
        if key in self.live:
            self.stop(key)

    def forget(self, server):
        """Whoever asks for it next gets a new one."""
        self.stop(next(k for k, s in self.live.items() if s is server))
