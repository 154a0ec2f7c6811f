"""The rows of the benchmark's table: a load, and who is put under it."""
import math

from servers import DESCRIPTORS

FAN = ["--mode", "fan", "--path", "/fan/%g?u=%d"]
WHISPER = ["--mode", "whisper", "--path", "/whisper?u=%d"]
APE = ["--ape", "--path", "/api/ape"]
RAW = ["--mode", "echo", "--path", "raw:"]
LOOKUP = "\n[worker]\nwhisper_ask = 0\n"


class Row:
    """
    servers: {kind: its options}.  fresh: new servers in each round, for memory
    that a server has had before shows no more.  what: "messages" or "memory".
    many: messages are those of all connections, not of a sender.
    """

    def __init__(self, name, load, servers, conns, messages=1, what="messages",
                 fresh=False, many=False):
        self.name, self.servers, self.fresh = name, servers, fresh
        self.load, self.conns, self.messages = load, conns, messages
        self.what, self.many = what, many

    def args(self, scale=1):
        n = math.ceil(self.messages * scale)
        if self.many:           # each says something
            n = max(n, self.conns)
        conns = self.conns
        if self.what == "memory":
            conns = max(math.ceil(conns * scale), 100)
        return [*self.load, "--conns", str(conns), "--messages", str(n)]


def one(*more):
    """One process each, and no Redis."""
    return {kind: {} for kind in ("floor", "kennel", "bun", "node-ws", *more)}


def raw():
    """Messages over TCP as it is."""
    return {kind: dict(raw=True) for kind in ("floor", "kennel")}


def ape():
    """Calls of api-ape, of functions in C and in JavaScript."""
    return {"kennel": dict(ape=True), "node-ape": {}}


def two(**kennel):
    """Two processes that serve one group, by themselves or through Redis."""
    return {"floor": {}, "kennel": dict(shards=2, **kennel),
            "node-cluster": dict(workers=2)}


def several(nodes, conns):
    """So many nodes of one process with one Redis, and one node of as many."""
    return {"kennel": dict(shards=nodes, limit=math.ceil(conns / nodes)),
            "kennel-nodes": dict(nodes=nodes),
            "node-nodes": dict(nodes=nodes), "socket.io": dict(nodes=nodes)}


def joining():
    """Two nodes with one Redis, beside one node with its own."""
    return {"kennel": dict(redis="auto"), "kennel-nodes": dict(nodes=2),
            "node-nodes": dict(nodes=2), "socket.io": dict(nodes=2)}


ROWS = {row.name: row for row in (
    Row("connect", ["--mode", "connect"], one(), 16, 20000,
        many=True),
    # Each is somebody who can be found from elsewhere.
    Row("connect-redis", ["--mode", "connect", "--path", "/whisper?u=%d"],
        {"floor": {}, "kennel": dict(redis="auto"),
         "node-cluster": dict(workers=1)}, 16, 20000, many=True),
    # The same over two nodes, and in a group that has a limit over both.
    Row("connect-nodes-2", ["--mode", "connect", "--path", "/whisper?u=%d"],
        joining(), 16, 10000, many=True),
    Row("connect-limit-2", ["--mode", "connect", "--path", "/limited?u=%d"],
        {k: v for k, v in joining().items() if "kennel" in k}, 16, 10000, many=True),
    Row("echo", ["--mode", "echo"], one(), 50, 100000, many=True),
    Row("echo-16", ["--mode", "echo", "--flight", "16"], one(), 50, 500000,
        many=True),
    Row("raw", [*RAW], raw(), 50, 100000, many=True),
    Row("raw-16", [*RAW, "--flight", "16"], raw(), 50, 500000, many=True),
    Row("fan-10", FAN, one("nchan"), 11, 10000),
    Row("fan-1000", FAN, one("nchan"), 1001, 200),
    Row("fan-1000-16", [*FAN, "--flight", "16"], one("nchan"), 1001, 1000),
    Row("fan-1000-2-shards", FAN, two(limit=501), 1001, 200),
    Row("whisper", WHISPER, one(), 100, 100000, many=True),
    # 51 pairs: number n and number n + 51 are not in one worker of a cluster
    # that deals connections out in turns.
    Row("whisper-2-shards", WHISPER, two(limit=51), 102, 100000,
        many=True),
    Row("whisper-lookup", WHISPER, two(limit=51, redis="auto", extra=LOOKUP),
        102, 100000, many=True),
    # The same over several nodes, beside one; a whisper's two ends are on two.
    Row("fan-1000-nodes-2", FAN, several(2, 1001), 1001, 200),
    Row("fan-1000-nodes-4", FAN, several(4, 1001), 1001, 200),
    Row("fan-1000-16-nodes-2", [*FAN, "--flight", "16"], several(2, 1001), 1001,
        1000),
    Row("fan-1000-16-nodes-4", [*FAN, "--flight", "16"], several(4, 1001), 1001,
        1000),
    Row("whisper-nodes-2", [*WHISPER, "--flight", "64"], several(2, 102), 102,
        200000, many=True),
    Row("whisper-nodes-4", [*WHISPER, "--flight", "64"], several(4, 102), 102,
        200000, many=True),
    Row("ape-call", [*APE, "--mode", "echo"], ape(), 50, 50000, many=True),
    Row("ape-call-64", [*APE, "--mode", "echo", "--flight", "64"], ape(), 50,
        200000, many=True),
    Row("ape-push-1000", [*APE, "--mode", "fan"], ape(), 1001, 200),
    Row("idle-bytes", ["--mode", "idle", "--path", "/fan/0?u=%d"],
        one("nchan"), 5000, what="memory", fresh=True),
)}


# Rooms over four processes: 64 clients say the steps of one, 1000 hear those of
# another.
STEPS = {"steps": dict(shards=4, redis="auto", limit=20),
         "steps, no Redis": dict(shards=4, limit=20),
         "latency": dict(shards=4, redis="auto", limit=300)}
STEPS_NODES = {"steps, one node": ("rooms", dict(shards=2, redis="auto", limit=40)),
               "steps, 2 nodes": ("rooms-nodes", dict(nodes=2)),
               "steps, 4 nodes": ("rooms-nodes", dict(nodes=4))}


def crowd(conns, whispers):
    """
    The row idle-200k: as many shards as conns need descriptors, and the load's
    arguments.  A process keeps some for itself.
    """
    shards = math.ceil(conns / (DESCRIPTORS - 512))
    processes = math.ceil(conns / (DESCRIPTORS - 128))
    limit = math.ceil(conns / shards)
    return (dict(shards=shards, redis="auto", limit=limit),
            ["--mode", "crowd", "--path", "/crowd?u=%d", "--flight", "16",
             "--conns", str(conns), "--messages", str(whispers),
             "--processes", str(processes)])
