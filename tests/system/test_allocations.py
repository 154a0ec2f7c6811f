"""What a message costs in calls of malloc, once a shard is warm."""
import os
import socket
import struct

import pytest
from kit import allocs, wait
from kit import kennel as kits
from kit.fasttcp import (BINARY, CHUNK, DATA_WITH_ACK, OPEN_TO_ROOM, TO_ROOM,
                         TO_SOCKET, Events)
from kit.fasttcp import frame as event
from kit.pact import Pact, room
from kit.ws import PING, PONG, TEXT, WebSocket, frame

pytestmark = pytest.mark.skipif(
    wait.SANITIZED, reason="a sanitizer has a malloc of its own")

WORKER = os.path.join(kits.BUILD, "tests", "bench", "bench_worker")
WARM = 3000             # messages before anything is counted
N = 1000                # messages in a round
# The watchdog's question costs each shard one for its answer.  On a machine with other
# work a round lasts longer than it is from one to the next.
QUIET = """
[gateway]
watchdog = 1h
"""
ROUTES = """
[route echo]
path = /echo
app = echo
group = none

[route fan]
path = /fan/{group}
app = fan
group = path:group
uid = query:u uuid
limit = %(limit)d

[route whisper]
path = /whisper
app = whisper
group = const:whisper
uid = query:u uuid
limit = %(limit)d

[worker]
whisper_ask = %(ask)d

[listener raw]
address = 127.0.0.1:%(raw)d
app = raw
"""


@pytest.fixture
def counted(start, server, tmp_path):
    """
    counted(...) is a kennel whose shards' calls of malloc are counted.  Its
    Redis is not started by it, for that has a malloc of its own.
    """
    def counter(config="", **kw):
        a = allocs.Allocs(str(tmp_path))
        if kw["redis"] is None:
            kw["redis"] = f"unix:{server.start().path}"
        k = start(env=a.env, config=QUIET + config, **kw)
        k.allocs = a
        return k
    return counter


def bench(counted, shards=1, limit=1000, ask=8):
    raw = kits.Ports.take()
    k = counted(shards=shards, worker=WORKER, redis="none" if ask else None,
                config=ROUTES % {"limit": limit, "ask": ask, "raw": raw})
    k.raw = ("127.0.0.1", raw)
    return k


def cost(k, run):
    """Allocations in all shards for one of run()'s messages, after many."""
    pids = [s["pid"] for s in k.shards()]
    for _ in range(WARM // N):
        run()
    found = k.allocs.least(pids, run)
    if any(found.values()):
        for p in pids:      # one at a time: all write to one log
            mark = len(k.log())
            k.allocs.trace(p, 200)
            run()
            k.allocs.trace(p, 0)
            print(f"shard {p}:", *allocs.who(k.log(mark)), sep="\n")
    return sum(found[k] for k in allocs.KINDS if k != "free") / N


def test_the_counter_counts(counted):
    """A connection costs something: these tests are able to fail."""
    k = bench(counted)

    def connect():
        WebSocket(k.address).goodbye()
    assert k.allocs.least([k.shard(0)["pid"]], connect)["malloc"] > 0


@pytest.mark.parametrize("outstanding, size", (
    (1, 16), (20, 16), (20, 1000), (1, 16000)))
def test_echo(counted, outstanding, size):
    k = bench(counted)
    c = WebSocket(k.address)
    data = frame(TEXT, "x" * size) * outstanding

    def run():
        for _ in range(0, N, outstanding):
            c.write(data)
            for _ in range(outstanding):
                assert len(c.recv()) == size
    assert cost(k, run) == 0
    c.close()


@pytest.mark.parametrize("outstanding, size", (
    (1, 16), (20, 16), (20, 1000), (1, 16000)))
def test_raw_echo(counted, outstanding, size):
    """The same over raw TCP; messages that are cut, too."""
    k = bench(counted)
    data = (struct.pack("<I", size) + b"x" * size) * outstanding
    with socket.create_connection(k.raw) as c:
        c.settimeout(wait.limit(20))
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def run():
            for i in range(0, N, outstanding):
                c.sendall(data[:i % len(data)])
                c.sendall(data[i % len(data):])
                left = len(data)
                while left > 0:
                    left -= len(c.recv(left))
        assert cost(k, run) == 0


def test_ping(counted):
    k = bench(counted)
    c = WebSocket(k.address)

    def run():
        for _ in range(N):
            c.send_frame(PING, b"here")
            assert c.recv_frame() == (PONG, True, b"here")
    assert cost(k, run) == 0
    c.close()


def fan(k, people):
    def run():
        for i in range(N):
            people[0].send(f"{i:08} to all of you")
            for p in people[1:]:
                p.recv()
    return cost(k, run)


@pytest.mark.parametrize("shards", (1, 2, 3))
def test_broadcast(counted, shards):
    """Ten hear it, in as many shards."""
    k = bench(counted, shards=shards, limit=12 // shards)
    people = [WebSocket(k.address, f"/fan/x?u={i}") for i in range(11)]
    assert len(k.group("x")) == shards
    assert fan(k, people) == 0
    for p in people:
        p.close()


def whisper(k):
    """Both send, both hear."""
    a, b = (WebSocket(k.address, f"/whisper?u={u}") for u in "ab")
    k.wait_group("whisper", [2] if len(k.shards()) == 1 else [1, 1])

    def run():
        for _ in range(0, N, 2):
            a.send("b a word")
            assert b.recv() == "b a word"
            b.send("a another")
            assert a.recv() == "a another"
    found = cost(k, run)
    a.close()
    b.close()
    return found


def test_whisper_in_a_shard(counted):
    assert whisper(bench(counted)) == 0


def test_whisper_to_another_shard(counted):
    assert whisper(bench(counted, shards=2, limit=1)) == 0


def test_whisper_by_lookup(counted):
    """
    The 5 are hiredis': a number, an array of one string, each one's room.  On a
    machine with other work several answers are read together: fewer.
    """
    assert whisper(bench(counted, shards=2, limit=1, ask=0)) <= 5


@pytest.mark.parametrize("redis, each", ((None, 27), ("none", 25)))
def test_step_of_a_room(counted, redis, each):
    """
    A counter in Pact, which somebody hears of.  18 are jansson's for the JSON
    that came, 5 the map with what the step changes, 2 names with no bound; with
    Redis 2 are hiredis', for its answer.
    """
    k = counted(shards=1, redis=redis)
    p = Pact(k, room())
    p.tell("subscribe", "counter:likes")
    p.barrier()

    def run():
        for _ in range(N):
            p.count("likes")
            p.recv()
    assert cost(k, run) == each
    p.close()


def test_a_call_by_ape_costs_nothing_beyond_its_tree(counted):
    """And the tree's memory is used again; what is remembered of calls, so that none
    is made twice, grows rarely."""
    from kit.ape import Ape
    k = counted(redis="none", shards=1)
    a, b = Ape(k), Ape(k)
    pids = [k.shard(0)["pid"]]

    def calls():
        for _ in range(10):
            asked = [a.ask("echo", {"n": i, "l": [1, "x", {"d<!D>": i}]})
                     for i in range(N // 20)]
            for query in asked:
                a.reply(query)
            asked = [a.ask("message", i) for i in range(N // 20)]
            for query in asked:
                a.reply(query)
            b.heard()
    for _ in range(WARM // N):
        calls()
    k.allocs.trace(pids[0], 0)
    got = k.allocs.least(pids, calls)
    assert got["malloc"] + got["calloc"] + got["realloc"] < N // 50, \
        (got, allocs.who(k.log()))
    a.close(), b.close()

# ---- fast-tcp ----

def fast(counted, shards):
    """Four clients in one room, in as many processes."""
    e = Events(lambda **kw: counted(redis="none", **kw), shards=shards,
               limit=4 // shards)
    people = e.clients(4)
    for p in people:
        p.join("r")
        p.barrier()
    return e.kennel, people


@pytest.mark.parametrize("outstanding", (1, 64))
def test_events_answer(counted, outstanding):
    k, (a, *_) = fast(counted, 1)
    data = event(DATA_WITH_ACK, "echo", b"x" * 16, BINARY) * outstanding

    def run():
        for _ in range(0, N, outstanding):
            a.write(data)
            for _ in range(outstanding):
                a.recv()
    assert cost(k, run) == 0


@pytest.mark.parametrize("shards", (1, 2, 4))
@pytest.mark.parametrize("kind", (TO_SOCKET, TO_ROOM))
def test_events_to_others(counted, shards, kind):
    k, (a, *others) = fast(counted, shards)
    to = ",".join(p.id for p in others) + "|m" if kind == TO_SOCKET else "r|m"

    def run():
        for i in range(N):
            a.write(event(kind, to, b"%08d" % i, BINARY))
            for p in others:
                p.recv()
    assert cost(k, run) == 0


@pytest.mark.parametrize("shards", (1, 2))
def test_events_stream(counted, shards):
    """A chunk of a stream to three."""
    k, (a, *others) = fast(counted, shards)
    a.send(OPEN_TO_ROOM, "r|s", ident=7)
    for p in others:
        p.recv()
    chunk = event(CHUNK, "", b"x" * 3000, BINARY, 7)

    def run():
        for _ in range(N):
            a.write(chunk)
            for p in others:
                assert len(p.recv().data) == 3000
    assert cost(k, run) == 0
