"""Keys whose time ends: by who decides, in one order, whatever dies meanwhile."""
import time

import pytest
from kit import wait
from kit.docs import example
from kit.wire import Closed
from kit.ws import WebSocket


@pytest.fixture
def seats(start, installed):
    def run(hold, **kw):
        source = kw.pop("change", str)(example("kennel_put_ttl("))
        return start(worker=installed.worker(source),
                     config=f"[worker]\napp.hold = {hold}\n", **kw)
    return run


def people(k, names):
    all = [WebSocket(k.address, f"/g?u={n}") for n in names]
    for p in all:
        assert p.recv() == "hello"
    return all


def times(k):
    """The keys in Redis that have a time."""
    with k.redis() as r:
        found = [x for x in r.keys("kennel:store:g:*") if x.endswith(":.ttl")]
        return sum(len(r.hash(x)) for x in found)


def test_a_seat_is_held_for_a_time(seats):
    """The example of the README, on three shards; who asks too early gets nothing."""
    k = seats(1500, shards=3, limit=1)
    a, b, c = people(k, "abc")
    began = time.monotonic()
    a.send("1")
    for p in a, b, c:
        assert p.recv() == "1: a"
    b.send("1")
    b.send("2")
    for p in a, b, c:
        assert p.recv() == "2: b"
    assert times(k) == 2
    for p in a, b, c:
        assert {p.recv(), p.recv()} == {"1: free", "2: free"}
    assert time.monotonic() - began >= 1.5
    wait.until(lambda: times(k) == 0, 10, "no times are kept")
    b.send("1")
    for p in a, b, c:
        assert p.recv() == "1: b"
        p.goodbye()


def test_it_is_heard_once_and_in_one_order(seats):
    k = seats(1000, shards=3, limit=2)
    all = people(k, "abcdef")
    for i, p in enumerate(all):
        for n in range(20):
            p.send(f"{i}-{n}")
    heard = [[p.recv() for _ in range(240)] for p in all]
    assert [h == heard[0] for h in heard] == [True] * 6
    assert sorted(h for h in heard[0] if h.endswith("free")) == \
        sorted(f"{i}-{n}: free" for i in range(6) for n in range(20))
    for p in all:
        p.goodbye()


def test_who_decides_dies(seats):
    """The successor removes it, neither early nor never."""
    k = seats(3000, shards=3, limit=1)
    all = people(k, "abc")
    began = time.monotonic()
    all[0].send("1")
    for p in all:
        assert p.recv() == "1: a"
    address = k.replicas("g")[0]["shard"]       # the oldest decides
    k.kill_shard(next(s["slot"] for s in k.shards() if s["address"] == address))
    left = []
    for p in all:
        try:
            if p.recv() == "1: free":
                left.append(p)
        except Closed:
            pass
    assert len(left) == 2
    assert time.monotonic() - began >= 3
    for p in left:
        p.goodbye()


def test_it_ends_while_nobody_is_there(seats):
    """In Redis, over a restart of all; what has not ended is there."""
    k = seats(2500, shards=1)
    a, = people(k, "a")
    a.send("1")
    assert a.recv() == "1: a"
    ends = time.time() + 2.5
    a.goodbye()
    b = WebSocket(k.address, "/g?u=b")
    assert [b.recv(), b.recv()] == ["1 is a's", "hello"]
    b.goodbye()
    assert k.term() == 0
    k.start()
    wait.until(lambda: time.time() > ends, 10, "its time has ended")
    c = WebSocket(k.address, "/g?u=c")
    heard = c.recv()
    if heard == "1 is a's":
        assert [c.recv(), c.recv()] == ["hello", "1: free"]
    else:
        assert heard == "hello"
    c.send("1")
    assert c.recv() == "1: c"
    assert times(k) == 1
    c.goodbye()


@pytest.mark.parametrize("redis", ["auto", "none"])
def test_of_maps_in_memory(seats, redis):
    k = seats(800, shards=2, limit=1, redis=redis,
              change=lambda c: c.replace('"seats"', '"~seats"'))
    a, b = people(k, "ab")
    a.send("1")
    for p in a, b:
        assert [p.recv(), p.recv()] == ["1: a", "1: free"]
    if redis == "auto":
        with k.redis() as r:
            assert not [x for x in r.keys("kennel:store:*") if "ttl" in x]
    for p in a, b:
        p.goodbye()
