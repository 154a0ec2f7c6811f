"""
What is written of a state that nodes share, and what is announced: the same, in the same
order, whoever dies or sleeps between the two.  `Held` stops the time there.
"""
import os
import re
import signal

import pytest
from kit import redis, wait
from kit.pact import Pact, leave, settle
from kit.steps import UNSURE, Counting, without_repeats

COUNTERS = b"\r\ncounters\r\n"          # is in a write of counters, and in no other command


def value(server, key="x"):
    with redis.Redis(server.path) as r:
        return r("HGET", "kennel:store:r:pact:counters", key)


def stopped(k):
    """All processes of a node sleep."""
    pids = k.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return pids


def wake(pids):
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("how", ["killed", "paused", "redis"])
def test_what_is_heard_is_what_was_written_in_that_order(start, url, server, how):
    """
    32, 33, 34, 35: While the node that decides is killed, or sleeps and is deposed, or its
    Redis loses all scripts and connections: the others hear each write, and nothing else.
    """
    pair = [start("--node", name, redis=url, limit=2) for name in ("one", "two")]
    people = [Pact(pair[i % 2], "r") for i in range(6)]
    settle(*people)
    with redis.Redis(server.path) as r:
        holder = r("HGET", "kennel:store:r:pact", "holder")
    decides = pair[0] if "shard:one/" in holder else pair[1]
    other = pair[1] if decides is pair[0] else pair[0]
    theirs = [p for p in people if p.kennel is decides]
    living = [p for p in people if p.kennel is other]
    with redis.Monitor(server, '"HSET" "kennel:store:r:pact:counters" "x"') as m, \
            Counting(people) as c:
        c.more(50)
        if how == "killed":
            decides.kill_all()
        elif how == "paused":
            pids = stopped(decides)
            try:
                other.wait_log("is dead: no beat", 30)
            finally:
                wake(pids)
        else:
            with redis.Redis(server.path) as r:
                r("SCRIPT", "FLUSH")
                for id in re.findall(r"^id=(\d+) (?!.*cmd=(?:monitor|client))",
                                     r("CLIENT", "LIST", "TYPE", "normal"), re.M):
                    r("CLIENT", "KILL", "ID", id)
        c.more(100, 60)
        c.finish(gone=theirs if how == "killed" else (), reset=how == "paused")
        written = [int(re.search(r'"(\d+)"\s*$', line)[1]) for line in m.lines]
        if how != "paused":
            for p in living:
                assert c.seen[p] == written
        else:                           # a state may have come in place of some
            for p in people:
                rest = iter(written)
                assert all(v in rest for v in c.seen[p])
    if how == "killed":
        decides.destroy()


@pytest.fixture
def held(start, url, server, tmp_path):
    """held(requests): nodes one, behind a Held, and two, with a and b in a room; one decides."""
    made = []

    def make(requests=False):
        path = str(tmp_path / "held")
        relay = redis.Held(server.path, path, COUNTERS, requests)
        made.append(relay)
        nodes = [start("--node", name, redis=at) for name, at in
                 (("one", f"unix:{path}"), ("two", url))]
        people = [Pact(k, "r") for k in nodes]
        for p in people:
            p.subscribe("counter:x")
        settle(*people)
        with redis.Redis(server.path) as r:
            assert "shard:one/" in r("HGET", "kennel:store:r:pact", "holder")
        return nodes, people, relay
    yield make
    for relay in made:
        relay.close()


def values(p, last):
    """What p hears of x, until that."""
    p.sock.settimeout(wait.limit(30))
    got = []
    while last not in got:
        m = p.hear()
        if m["type"] == "counter" and m["data"]["id"] == "x":
            got.append(m["data"]["value"])
    return got


@pytest.mark.parametrize("whose", ["its own", "the other's"])
def test_it_dies_between_write_and_announcement(held, server, whose):
    """34, 35: Nobody has heard of it; who decides next announces it, once."""
    (one, two), (a, b), relay = held()
    w = Pact(two, "r")
    assert w.subscribe("counter:x") == []
    relay.hold()
    (a if whose == "its own" else b).count("x", 5)
    wait.until(lambda: relay.held.is_set() and value(server) == "5", 20, "it is written")
    assert w.barrier() == []
    one.kill_all()
    for p in b, w:
        assert values(p, 5) == [5]
    b.count("x", 2)
    for p in b, w:
        assert values(p, 7) == [7] and value(server) == "7"
    leave(b, w)
    one.destroy()


@pytest.mark.parametrize("whose", ["its own", "the other's"])
def test_it_sleeps_between_write_and_announcement(held, server, whose):
    """32, 33, 35: Deposed meanwhile, it hears that it has written, and says nothing new."""
    (one, two), (a, b), relay = held()
    relay.hold()
    (a if whose == "its own" else b).count("x", 5)
    wait.until(lambda: relay.held.is_set() and value(server) == "5", 20, "it is written")
    pids = stopped(one)
    try:
        assert values(b, 5) == [5]      # two has claimed, and found it
        for n in (6, 7):
            b.count("x")
            assert values(b, n) == [n]
    finally:
        relay.release()
        wake(pids)
    heard = without_repeats(values(a, 7))       # a state may say what was heard again
    assert heard == sorted(set(heard)) and set(heard) <= {5, 6, 7}
    b.count("x")
    assert values(a, 8) == [8] and values(b, 8) == [8] and value(server) == "8"
    leave(a, b)


@pytest.mark.parametrize("whose", ["its own", "the other's"])
def test_a_write_that_comes_late_writes_nothing(held, server, whose):
    """32, 34: It was sent before its sender was deposed, and comes to Redis afterwards."""
    (one, two), (a, b), relay = held(requests=True)
    relay.hold()
    (a if whose == "its own" else b).count("x", 5)
    wait.until(relay.held.is_set, 20)
    pids = stopped(one)
    try:
        b.count("x")
        if whose == "its own":
            assert values(b, 1) == [1]
        else:
            assert values(b, 6) == [5, 6]
        relay.release()
    finally:
        relay.release()
        wake(pids)
    # It takes effect with the successor, once.
    if whose == "its own":
        assert values(b, 6) == [6]
    heard = without_repeats(values(a, 6))
    assert heard == sorted(heard)
    b.count("x")
    assert values(a, 7) == [7] and values(b, 7) == [7] and value(server) == "7"
    leave(a, b)


def test_two_who_decide_in_a_partition(held, server):
    """
    32, 34, 36, 37: Its write has reached Redis, it has not heard so, and is cut off: the
    other decides on.  Nobody is told that it was refused; in the end all have the same.
    """
    (one, two), (a, b), relay = held()
    relay.hold()
    a.count("x", 5)
    wait.until(lambda: relay.held.is_set() and value(server) == "5", 20, "it is written")
    path = relay.listener.getsockname()
    relay.listener.close()
    os.unlink(path)
    for s in relay.sockets[1:]:
        s.close() if s.fileno() == -1 else s.shutdown(2)
    assert values(b, 5) == [5]
    b.count("x")
    assert values(b, 6) == [6]
    a.sock.settimeout(wait.limit(30))
    a.vote("e", "x", "ephemeralPoll")   # what is in no Redis goes on
    before, _ = a.until("error")
    assert not [m for m in before if m["type"] == "counter"]
    a.count("x", 100)
    _, why = a.until("error")
    assert UNSURE not in why            # that one is refused
    relay = redis.Relay(server.path, path, lambda which: 0)
    heard = values(a, 6)
    assert heard in ([6], [5, 6])
    b.count("x")
    assert values(a, 7) == [7] and values(b, 7) == [7] and value(server) == "7"
    leave(a, b)
    relay.close()
