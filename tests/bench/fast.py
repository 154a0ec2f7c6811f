"""fast-tcp: what a message costs Kennel, and the original, npm's server."""
import os
import subprocess
import time

import servers
import table

LISTENER = """
[listener events]
address = 127.0.0.1:%d
app = events
group = const:events
uid = random20
limit = 100000
out_max = 64M
"""
GATES = """
[listener gates]
address = 127.0.0.1:%d
app = events
group = const:events
uid = random20
limit = 100000
out_max = 64M
dialect = 2
app.psk_optional = yes
"""
UPLINK = """
[worker]
app.host = %s
"""
# mode, connections, messages, bytes, at a time; what is counted; how its server is set up
RUNS = {
    "ack x1": ("ack", 1, 40000, 16, 1, "answer"),
    "ack x64": ("ack", 1, 400000, 16, 64, "answer"),
    "ack x1, 50 clients": ("ack", 50, 200000, 16, 1, "answer"),
    "broadcast to 100": ("all", 101, 4000, 16, 1, "delivery"),
    "broadcast to 100 x16": ("all", 101, 20000, 16, 16, "delivery"),
    "broadcast to 1000": ("all", 1001, 600, 16, 1, "delivery"),
    "room of 100": ("room", 101, 4000, 16, 1, "delivery"),
    "64 MiB to one": ("stream", 2, 4096, 65536, 1, "chunk of 64 KiB"),
    "64 MiB to 10": ("stream", 11, 1024, 65536, 1, "chunk of 64 KiB"),
    "dialect 2: ack x1": ("ack", 1, 40000, 16, 1, "answer", "gates"),
    "dialect 2: ack x64": ("ack", 1, 400000, 16, 64, "answer", "gates"),
    "dialect 2: broadcast to 100": ("all", 101, 4000, 16, 1, "delivery", "gates"),
    "uplink: broadcast to 100": ("all", 101, 4000, 16, 1, "delivery", "linked"),
    "uplink: 64 KiB to one": ("all", 2, 2000, 65536, 4, "delivery", "linked"),
    "uplink: 64 MiB to one": ("stream", 2, 1024, 65536, 1, "chunk of 64 KiB", "linked"),
}
# The same over WebSocket: arguments of the load generator.
WEBSOCKET = {
    "ack x1": ["--mode", "echo", "--conns", "1", "--messages", "40000", "--size", "16"],
    "ack x64": ["--mode", "echo", "--conns", "1", "--messages", "400000", "--flight",
                "64", "--size", "16"],
    "ack x1, 50 clients": ["--mode", "echo", "--conns", "50", "--messages", "200000",
                           "--size", "16"],
    "broadcast to 100": ["--mode", "fan", "--path", "/fan/%g?u=%d", "--conns", "101",
                         "--messages", "4000", "--size", "16"],
    "broadcast to 100 x16": ["--mode", "fan", "--path", "/fan/%g?u=%d", "--conns",
                             "101", "--messages", "20000", "--flight", "16", "--size",
                             "16"],
    "broadcast to 1000": ["--mode", "fan", "--path", "/fan/%g?u=%d", "--conns", "1001",
                          "--messages", "600", "--size", "16"],
}


class Fast(servers.Kennel):
    """Kennel with a listener for fast-tcp, served by the worker of the product."""
    kind = "kennel"
    worker = "shardd/shardd"

    def command(self, **kw):
        self.port_fast = servers.free_port()
        return super().command(extra=LISTENER % self.port_fast, **kw)


class Gates(Fast):
    """The same for clients of @gatejs/cluster."""

    def command(self, **kw):
        self.port_fast = servers.free_port()
        return servers.Kennel.command(self, extra=GATES % self.port_fast, **kw)


class Far(Gates):
    """One of two clusters, to which the other one dials."""

    def command(self, **kw):
        self.port_fast, self.port_link = servers.free_port(), servers.free_port()
        gates = GATES.replace("[listener gates]", "[listener links]")
        return servers.Kennel.command(self, extra=LISTENER % self.port_fast +
                                      gates % self.port_link + UPLINK % "far", **kw)


class Linked(Fast):
    """Two clusters, an uplink between them."""

    def __init__(self, build, where):
        os.mkdir(f"{where}/far")
        self.far = Far(build, f"{where}/far")
        super().__init__(build, where)

    def command(self, **kw):
        self.port_fast = servers.free_port()
        key = f"{self.far.directory}/key"
        with open(key, "w") as f:
            f.write("key")
        return servers.Kennel.command(
            self, extra=LISTENER % self.port_fast + UPLINK % "near" +
            f"[uplink far]\naddress = 127.0.0.1:{self.far.port_link}\npsk_file = {key}\n",
            **kw)

    def wait(self):
        self.far.wait()
        super().wait()

    def pids(self):
        a, b = super().pids(), self.far.pids()
        return {k: a[k] + b.get(k, []) for k in a}

    def stop(self):
        super().stop()
        self.far.stop()


KINDS = {None: Fast, "gates": Gates, "linked": Linked}


class Npm(servers.Server):
    kind = "npm"

    @classmethod
    def missing(cls, build):
        return servers.not_installed("fast-tcp")

    def command(self):
        self.port_fast = self.port
        return ["node", f"{servers.HERE}/peer_fast.cjs", str(self.port)]


def cpu(pids):
    """Seconds that all threads of these have run."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total / 1e9


def measure(server, run, scale):
    """(microseconds of CPU for each, how many a second)"""
    mode, conns, n, size, flight, _, *how = run
    more = ["2"] if how == ["gates"] else \
        ["1", str(server.far.port_fast)] if how == ["linked"] else []
    pids = [p for ps in server.pids().values() for p in ps]
    p = subprocess.Popen(
        [f"{server.build}/tests/bench/load_fast", str(server.port_fast), mode,
         str(conns), str(max(int(n * scale), conns if mode == "ack" else flight)), str(size), str(flight),
         *more],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if p.stdout.readline() != "ready\n":
            raise table.Wrong(p.stderr.read())
        before = cpu(pids)
        p.stdin.write("go\n")
        p.stdin.flush()
        said = p.stdout.readline().split()
        if len(said) != 2:
            raise table.Wrong(p.stderr.read())
        used = cpu(pids) - before
        return used * 1e6 / int(said[0]), int(said[0]) / float(said[1])
    finally:
        p.stdin.close()
        p.wait(30)


def websocket(pool, name, scale):
    args = list(WEBSOCKET[name])
    at = args.index("--messages") + 1
    conns = int(args[args.index("--conns") + 1])
    args[at] = str(max(int(int(args[at]) * scale), conns))
    r = table.load(pool.get("kennel", {}), args)
    return r["server_us"]    # of a fan: for each delivery


def run(pool, build, directory, scale, report):
    print(f"\nfast-tcp: {'':20} kennel us       /s   npm us       /s  npm/kennel"
          "   websocket us  kennel/websocket", flush=True)
    why = Npm.missing(build)
    if why:
        report.missing("fast-tcp", why)
    for name, setup in RUNS.items():
        figures, text = {}, f"  {name:28}"
        for kind in (KINDS[setup[6] if len(setup) > 6 else None], Npm):
            if kind is Npm and (why or len(setup) > 6):
                continue
            where = f"{directory}/fast-{kind.kind}-{time.monotonic_ns()}"
            os.mkdir(where)
            server = kind(build, where)
            try:
                server.wait()
                measure(server, setup, scale / 4)       # warm
                got = [measure(server, setup, scale) for _ in range(3)]
                figures[kind.kind] = sorted(got)[1]
            except (table.Wrong, servers.NotStarted) as e:
                print(f"{text} {kind.kind}: error: {e}")
                report.failed = True
            finally:
                server.stop()
        k = figures.get("kennel")
        if k is None:
            continue
        text += f" {k[0]:9.3f} {k[1]:8.0f}"
        if "npm" in figures:
            text += f" {figures['npm'][0]:8.3f} {figures['npm'][1]:8.0f}" \
                f" {figures['npm'][0] / k[0]:10.1f}"
        if name in WEBSOCKET:
            figures["websocket"] = sorted(websocket(pool, name, scale)
                                          for _ in range(3))[1]
            text += f" {figures['websocket']:14.3f} {k[0] / figures['websocket']:12.2f}"
        print(f"{text}   for each {setup[5]}", flush=True)
        report.results[f"fast-tcp: {name}"] = figures
