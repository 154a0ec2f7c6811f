"""
Packets between nodes and their Redis are lost, by nftables, while people talk and count; and
the machines on which suites over nodes stand are apart.
"""
import os

import pytest
from kit import nodes, redis, wait
from kit.chat import Chat
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


class Lossy:
    """Of what Redis and the nodes say to each other so many percent are lost."""

    def __init__(self, site, percent):
        *self.nodes, self.redis = site.lan.machines
        self.percent = percent

    def __enter__(self):
        self.redis.lose(self.percent, *self.nodes)
        for m in self.nodes:
            m.lose(self.percent, self.redis)
        return self

    def __exit__(self, *_):
        self.lost = sum(m.keep() for m in (self.redis, *self.nodes))


def beats(server):
    with redis.Redis(server.path) as r:
        return [int(r("HGET", f"kennel:node:{n}", "beat")) for n in nodes.NAMES]


@pytest.mark.parametrize("percent", (2, 15))
def test_packets_are_lost(start, ground, percent):
    """
    Nobody is dropped, and none judged dead where little is lost; all is heard once and in order on the node where it was
    said, and everywhere if no connection was given up; steps are exact.
    """
    k = nodes.Nodes(start, ground, limit=2)
    people = [Chat(k, "g", f"u{i}") for i in range(4)]
    rooms = [Pact(k, "r") for _ in range(4)]
    settle(*rooms)
    near = [(p, o) for half in (people[0::2], people[1::2]) for p in half for o in half]
    with Talk(people) as t, Counting(rooms) as c:
        t.more(t.all())
        lossy = Lossy(ground, percent)
        with lossy:
            begin = beats(ground.server)
            t.more(near, 100)
            c.more(60, 60)
            wait.until(lambda: all(b > a + 5 for a, b in zip(begin, beats(ground.server))), 60)
        assert lossy.lost > 20, "packets were lost"
        print("lost", lossy.lost, "heard again after", t.back(t.all()))
        c.more(60, 60)
        t.finish(t.all() if percent < 10 else near)
        c.finish(reset=percent > 10)
    for n in k.kennels:
        assert percent > 10 or "is dead" not in n.log()
