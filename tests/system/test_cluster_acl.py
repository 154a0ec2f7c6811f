"""Two nodes whose Redis allows them what deploy/examples/redis.acl says, and no more."""
import glob
import hashlib
import os
import re

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.ape import Ape
from kit.chat import Chat, settle
from kit.docs import example
from kit.fasttcp import CONFIG, Fast
from kit.pact import Pact, leave
from kit.ws import WebSocket

LISTENER = CONFIG[:CONFIG.index("[route")]     # beside the built-in routes
ACL = os.path.join(kits.TOP, "deploy", "examples", "redis.acl")
WORD = "t0psecret"
ROOT = "root-only"

# What this file does not always make happen; the sources say it.
RARE = {
    "select": "the number of a database other than 0",
    "rename": "Redis came back with less than the shards know",
    "sscan": "from time to time, for what others have left",
    "xrange": "somebody was lost with a shard, and is named to others",
    "llen": "whoever decides next missed a few batches",
    "lpop": "a group has had more batches than are kept",
    "wait": "store_replicas",
}


def lines(*more):
    """The file's users, and one of ours who looks on."""
    with open(ACL) as f:
        text = [line for line in f.read().splitlines() if line.startswith("user ")]
    word = hashlib.sha256(WORD.encode()).hexdigest()
    text = [line.replace("SHA-256-OF-THE-PASSWORD", word) for line in text]
    for old, new in more:
        assert any(old in line for line in text)
        text = [line.replace(old, new) for line in text]
    return text + [f"user {ROOT} on >{ROOT} ~* &* +@all"]


@pytest.fixture
def guarded(server):
    """Starts the Redis with these changes in the file."""
    def run(*more):
        path = os.path.join(server.dir, "acl")
        with open(path, "w") as f:
            f.write("\n".join(lines(*more)) + "\n")
        server.args = ["--aclfile", path]
        server.start()
        return f"redis://kennel:{WORD}@127.0.0.1:{server.port}"
    return run


def root(server):
    r = redis.Redis(server.path)
    r("AUTH", ROOT, ROOT)
    return r


def used(r):
    """All commands that anybody gave."""
    return set(re.findall(r"cmdstat_([a-z|]+):", r("INFO", "commandstats")))


def sources(word):
    """Files that give that command, themselves or by a script."""
    said = re.compile(f"[\"']{word.upper()}[\"']")
    return [path for top in ("common", "gatewayd", "shardd") for path in
            glob.glob(os.path.join(kits.TOP, top, "**", "*.c"), recursive=True)
            if said.search(open(path).read())]


def everything(start, url, installed):
    """Two nodes, and each application with somebody on both; what ends is swept."""
    ports = [kits.Ports.take() for _ in range(2)]
    nodes = [start("--node", name, redis=url, limit=2, config=LISTENER % {
        "port": port, "limit": 2, "more": "", "app": "events", "out_max": "1M"} +
        f"\n[ape]\nnamespace = wood\nserver_id = {name.upper()}\n"
        "[worker]\nstore_replicas = 0\nwhisper_ask = 0\nstore_ttl = 1h\n")
        for name, port in zip(("one", "two"), ports)]
    people = [Chat(nodes[i % 2], "g", f"u{i}") for i in range(4)]
    settle(*people)
    people[0].say("/w u1 psst")
    assert people[1].next(type="user:msg")["text"] == "psst"
    rooms = [Pact(nodes[i % 2], "r") for i in range(4)]
    for p in rooms:
        p.subscribe("counter", "poll")
    for p in rooms:
        p.count("c")
    for p in rooms:
        p.until("counter", {"id": "c", "value": 4})
    rooms[0].vote("p", "x")
    rooms[1].until("poll")
    fast = [Fast(("127.0.0.1", port)) for port in ports]
    fast[0].to([fast[1]], "m", "1")
    assert fast[1].message() == ("m", b"1")
    apes = [Ape(k) for k in nodes]
    assert len(apes[0].call("users/list")) == 2
    for k in nodes:
        k.wait_log("forest joined", 20)
    return nodes, [*people, *rooms, *fast, *apes]


def seats(start, url, installed, name):
    """Keys with a time, of a worker of one's own."""
    k = start("--node", name, redis=url, worker=installed.worker(
        str(example("kennel_put_ttl("))), config="[worker]\napp.hold = 300\n")
    with WebSocket(k.address, f"/seats?u={name}") as p:
        assert p.recv() == "hello"
        p.send("1")
        assert [p.recv(), p.recv()] == [f"1: {name}", "1: free"]
    k.stop()


def sweep(nodes, server, people):
    """One dies, the other sweeps; and Redis forgets all, and is told again."""
    one, two = nodes
    dead = {s["address"] for s in two.shards()}
    two.kill_all()
    with root(server) as r:
        one.wait_log("node=two is dead", 30)
        wait.until(lambda: not [k for k in r.keys("kennel:*") if any(
            a in k for a in dead)], 30, "what it left is swept")
        for p in people:
            p.close()
        two.start()
        a, b = (Pact(k, "r") for k in nodes)
        b.subscribe("counter:c")
        r("FLUSHALL")
        wait.until(lambda: a.count("c") or b.until("counter")[1]["value"] > 5, 30)
        wait.until(lambda: r.keys("kennel:store:r:pact"), 20)
        leave(a, b)


def test_nothing_is_missing_and_nothing_needless(start, server, installed, guarded):
    """48"""
    url = guarded(("&kennel:*", "&kennel:* ~wood:* &wood:*"))
    nodes, people = everything(start, url, installed)
    seats(start, url, installed, "three")
    sweep(nodes, server, people)
    for k in nodes:
        k.stop()
    with root(server) as r:
        assert [e[7] for e in r("ACL", "LOG")] == [], "what was refused"
        given = used(r)
        user = next(line for line in lines() if line.startswith("user kennel "))
        allowed = set(re.findall(r" \+([a-z|]+)", user))
        assert allowed - given - set(RARE) == set(), "nobody needs these"
        assert set(RARE) <= allowed
    for word in RARE:
        assert sources(word), f"nobody says {word}"


def test_without_the_forests_names_the_rest_works(start, server, installed, guarded):
    """Who has forgotten them reads it in the log."""
    url = guarded()
    k = start("--node", "one", redis=url, faults="NOPERM",
              config="[ape]\nnamespace = wood\nserver_id = ONE\n")
    with Pact(k, "r") as p:
        p.subscribe("counter:c")
        p.count("c")
        p.until("counter", {"id": "c", "value": 1})
    wait.until(lambda: "NOPERM" in k.log() or "No permissions" in k.log(), 30)
