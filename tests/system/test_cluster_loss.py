"""
The machines on which suites over nodes stand (kit/nodes.py) are apart; and packets of their
Redis are lost, by nftables, while people talk and count.
"""
import os
import signal
import time

import pytest
from kit import nodes, redis, wait
from kit.chat import Chat
from kit.http import get
from kit.pact import Pact, settle
from kit.steps import Counting
from kit.talk import Talk

pytestmark = pytest.mark.skipif(not nodes.APART, reason="root makes networks")


@pytest.fixture
def ground(site):
    return site()


def space(pid):
    """The network namespace of a process."""
    return os.readlink(f"/proc/{pid}/ns/net")


def test_suites_over_nodes_have_machines_of_their_own(start, ground):
    """Each node with its shards, Redis, and the clients: four namespaces, four addresses."""
    k = nodes.Nodes(start, ground, shards=2)
    spaces = [{space(p) for p in (n.pid, *(s["pid"] for s in n.shards()))}
              for n in k.kennels]
    spaces += [{space(ground.server.process.pid)}, {space("self")}]
    assert [len(s) for s in spaces] == [1] * 4 and len(set.union(*spaces)) == 4
    with Chat(k, "g", "a") as a, Chat(k, "g", "b") as b:
        ends = [*(p.sock.getpeername()[0] for p in (a, b)), ground.server.host,
                a.sock.getsockname()[0]]
    assert len(set(ends)) == 4 and not any(e.startswith("127.") for e in ends)


def beats(server):
    with redis.Redis(server.path) as r:
        return [int(r("HGET", f"kennel:node:{n}", "beat")) for n in nodes.NAMES]


def test_packets_of_redis_are_lost(start, ground):
    """
    15 of 100, of all that it hears and says: nobody is dropped, all is heard once and in
    order where it was said, and steps are exact.
    """
    k = nodes.Nodes(start, ground, limit=2)
    people = [Chat(k, "g", f"u{i}") for i in range(4)]
    rooms = [Pact(k, "r") for _ in range(4)]
    settle(*rooms)
    near = [(p, o) for half in (people[0::2], people[1::2]) for p in half for o in half]
    with Talk(people) as t, Counting(rooms) as c:
        t.more(t.all())
        ground.lan.machines[2].drop(15)
        begin = beats(ground.server)
        t.more(near, 100)
        c.more(60, 60)
        wait.until(lambda: all(b > a + 5 for a, b in zip(begin, beats(ground.server))), 60)
        ground.lan.machines[2].drop(0)
        t.back(t.all())
        c.more(60, 60)
        t.finish(near)
        c.finish(reset=True)


def test_a_request_waits_for_redis_in_bounds(start, ground):
    """To a room that nobody is in here: refused in time while Redis is silent, or answered."""
    k = nodes.Nodes(start, ground, shards=2)
    with Chat(k, "paused", "a") as a:
        os.kill(ground.server.process.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            r = get(k, "/lobby/paused/broadcast")
            took = time.monotonic() - begin
        finally:
            os.kill(ground.server.process.pid, signal.SIGCONT)
        print(r, took)
        assert took < wait.limit(15)
        assert r.status == 200 or (r.status == 503 and r["Retry-After"])

        def reached():
            for _ in k.kennels:
                get(k, "/lobby/paused/broadcast")
            return a.next(type="user:msg")["from"] == "HTTP"
        wait.until(reached, 30)
