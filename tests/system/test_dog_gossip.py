"""Gossip: one slot for each neighbour, whatever becomes of them."""
import os
import signal
import time

import pytest
from kit import nodes, wait
from kit.chat import room
from kit.http import get
from kit.probe import CONFIG, Probe


@pytest.fixture(scope="module", params=("one", "nodes"))
def kennel(request, start_shared, site, installed):
    kw = dict(max_shards=6, config=CONFIG % 1, worker=installed.worker("probe.c"))
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, **kw)
    return start_shared(shards=4, **kw)


@pytest.fixture
def four(kennel):
    """Four replicas of one socket each."""
    g = room()
    people = [Probe(kennel, g, u) for u in "abcd"]
    for p in people:
        p.group = g
    yield people
    for p in people:
        p.close()


def values(pids):
    return sorted(f"value {pid}:who?" for pid in pids)


def test_one_answer_for_each_neighbour(four):
    """46"""
    pids = [p.who()["pid"] for p in four]
    assert len(set(pids)) == 4
    for i, p in enumerate(four):
        assert sorted(p.ask()) == values(pids[:i] + pids[i + 1:])
        assert p.who()["neighbours"] == 3


@pytest.mark.one_node("on two, a request for another node has a neighbour")
def test_none_without_neighbours(kennel):
    """46"""
    g = room()
    with Probe(kennel, g) as p:
        assert p.ask() == []
        assert p.who()["neighbours"] == 0
        assert get(kennel, f"/p/{g}/ask").text == "end 0\n"


@pytest.mark.parametrize("mode,slot", [
    ("fail", "error I fail"), ("null", "value null"), ("empty", "value "),
    ("silent", "error timeout"), ("late", "value late")])
def test_one_does_not_spoil_the_others(four, mode, slot):
    """47: failing, null, nothing, silent, slow."""
    a, b, c, d = four
    assert c.do(f"mode {mode}") == "ok"
    assert sorted(a.ask(800)) == sorted(
        values([b.who()["pid"], d.who()["pid"]]) + [slot])


def test_silence_lasts_until_the_deadline_only(four):
    """47"""
    a, b, c, d = four
    for p in b, c, d:
        p.do("mode silent")
    begin = time.monotonic()
    assert a.ask(300) == ["error timeout"] * 3
    assert 0.25 < time.monotonic() - begin < wait.limit(5)
    # The socket was not read meanwhile, and goes on in order.
    a.send("ask 200")
    a.send("hello")
    assert [a.recv() for _ in range(5)] == \
        ["error timeout"] * 3 + ["end 3", "hello"]


def test_dead_neighbour_is_an_error_slot(kennel, four):
    """47: it dies while it is asked; not a hang until the deadline."""
    a, b, c, d = four
    pids = [b.who()["pid"], d.who()["pid"]]
    kennel.dies(c.who()["pid"])
    c.do("mode die")
    begin = time.monotonic()
    assert sorted(a.ask(60000)) == sorted(values(pids) + ["error gone"])
    assert time.monotonic() - begin < wait.limit(30)


def test_neighbour_killed_before_is_no_neighbour(kennel, four):
    """47"""
    a, b, c, d = four
    pids = [b.who()["pid"], d.who()["pid"]]
    kennel.kill_shard(pid=c.who()["pid"])
    kennel.wait_group(a.group, [1, 1, 1])
    for _ in range(2):
        assert sorted(a.ask(5000)) == values(pids)


def test_hung_neighbour_is_an_error_slot(four):
    """47"""
    a, b, c, d = four
    pids = [b.who()["pid"], d.who()["pid"]]
    hung = c.who()["pid"]
    os.kill(hung, signal.SIGSTOP)
    try:
        assert sorted(a.ask(500)) == sorted(values(pids) + ["error timeout"])
    finally:
        os.kill(hung, signal.SIGCONT)


def test_no_handler_is_an_error_slot(start, installed):
    k = start(shards=3, config=CONFIG % 1, worker=installed.worker("probe.c"),
              env={"PROBE_NO_ONGOSSIP": "1"})
    a, b, c = (Probe(k, "g", u) for u in "abc")
    slots = a.ask(5000)
    assert len(slots) == 2
    assert all(s.startswith("error ") and s != "error timeout" for s in slots)
    for p in a, b, c:
        p.close()


def test_gossip_from_http(kennel, four):
    """46, 47: from a replica, for a request."""
    g = four[0].group
    # All are full: the request is served by one of the four.
    assert get(kennel, f"/p/{g}/ask").text == "value\n" * 3 + "end 3\n"
    for p in four:
        p.do("mode silent")
    assert get(kennel, f"/p/{g}/ask").text == "timeout\n" * 3 + "end 3\n"


def test_asker_that_leaves_is_no_trouble(kennel, four):
    """The callback comes before onclose; the answers come to nobody."""
    a, b = four[:2]
    for p in four[1:]:
        p.do("mode late")
    a.send("askdie 5000")
    assert a.end() == 4000
    b.do("mode ok")
    c = Probe(kennel, a.group, "x")
    c.send("ask 5000")
    c.reset()
    kennel.wait_group(a.group, [1, 1, 1])
    assert len(b.ask(5000)) == 2
