"""Several nodes: the last connection of somebody, and who went with what died, exactly."""
import os
import signal

import pytest
from kit import wait
from kit.chat import Chat, meet, settle
from kit.kennel import SILENT


@pytest.fixture
def pair(start, url):
    """Whoever is with a shard that dies is lost."""
    return [start("--node", name, redis=url, cover=False) for name in ("one", "two")]


def exits(messages):
    return sorted(m["from"] for m in messages if m["type"] == "user:exit")


def heard(person, names):
    """All exits that person hears until each of names has left, and what follows."""
    seen = []
    while not set(names) <= set(seen):
        m = person.hear()
        if m["type"] == "user:exit":
            seen.append(m["from"])
    return seen


def test_who_has_a_connection_on_another_node_has_not_left(pair):
    """27"""
    a, b = (Chat(k, "g", f"w{i}") for i, k in enumerate(pair))
    x, y = (Chat(k, "g", "x") for k in pair)
    meet(a, b, x, y)
    x.goodbye()
    pair[0].wait_group("g", [1])
    assert [exits(m) for m in settle(a, b).values()] == [[], []]
    y.goodbye()
    for p in a, b:
        assert heard(p, "x") == ["x"]
    for m in settle(a, b).values():
        assert exits(m) == []
    for p in a, b:
        p.close()


def test_two_that_close_at_once_leave_once(start, url):
    """27: Whichever is the last says so, never both, never none."""
    pair = [start("--node", name, redis=url, limit=100)
            for name in ("one", "two")]
    names = [f"n{i}" for i in range(60)]
    a, b = (Chat(k, "g", f"w{i}") for i, k in enumerate(pair))
    flock = [(n, [Chat(k, "g", n) for k in pair]) for n in names]
    meet(a, b)
    for _, both in flock:
        for p in both:
            p.close()
    for p in a, b:
        seen = heard(p, names)
        assert sorted(seen) == sorted(names)
    for m in settle(a, b).values():
        assert exits(m) == []
    for p in a, b:
        p.close()


def test_who_has_left_is_counted_until_the_gateway_knows(start, server):
    """A shard that asks Redis first has one connection less than the gateway, and says so."""
    server.start()
    k = start("--node", "one", redis=f"unix:{server.path}")
    a, b = (Chat(k, "g", uid) for uid in "ab")
    meet(a, b)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        b.close()
        # Redis is not waited for for more than a second.
        wait.until(lambda: k.exact() or k.places() == 1, 20)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    a.close()


def crowd_of(k, group, names):
    return [Chat(k, group, n) for n in names]


def test_who_went_with_a_shard_is_named_on_all_nodes_once(pair):
    """27: But not who has a connection elsewhere, on whatever node."""
    a, b = (Chat(k, "g", f"w{i}") for i, k in enumerate(pair))
    # The limit is two: w1 and p0 are in one shard, p1 and p2 in the other.  A name that
    # is used twice does not say where it is.
    p = crowd_of(pair[1], "g", ["p0", "p1", "p2"])
    x = Chat(pair[0], "g", "p1")
    meet(a, b, x, *p)
    dead = p[2].shard()
    pair[1].kill_shard(next(i for i, s in enumerate(pair[1].shards())
                            if s["address"] == dead))
    for o in a, b, x, p[0]:
        assert heard(o, ["p2"]) == ["p2"]
    for m in settle(a, b, x, p[0]).values():
        assert exits(m) == []
    x.goodbye()
    for o in a, b, p[0]:
        assert heard(o, ["p1"]) == ["p1"]
    for m in settle(a, b, p[0]).values():
        assert exits(m) == []
    for o in (a, b, *p):
        o.close()


def test_who_leaves_behind_a_dead_shard_is_named_once(pair):
    """27: By whoever is the last: the dead one's entry was swept, and was not."""
    a, b = (Chat(k, "g", f"w{i}") for i, k in enumerate(pair))
    p = crowd_of(pair[1], "g", ["p0", "p1", "p2"])
    x = Chat(pair[0], "g", "p1")
    meet(a, b, x, *p)
    dead = p[2].shard()
    pair[1].kill_shard(next(i for i, s in enumerate(pair[1].shards())
                            if s["address"] == dead))
    pair[1].wait_log(f"address={dead} swept".replace("#", "."), 40)
    x.goodbye()                 # before anybody has read who was lost
    for o in a, b, p[0]:
        assert sorted(heard(o, ["p1", "p2"])) == ["p1", "p2"]
    for m in settle(a, b, p[0]).values():
        assert exits(m) == []
    for o in (a, b, *p):
        o.close()


def test_who_went_with_a_node_is_named(pair):
    """27"""
    a = Chat(pair[0], "g", "w")
    p = crowd_of(pair[1], "g", [f"p{i}" for i in range(4)])
    x = Chat(pair[0], "g", "p1")
    meet(a, x, *p)
    pair[1].kill_all()
    for o in a, x:
        assert sorted(heard(o, ["p0", "p2", "p3"])) == ["p0", "p2", "p3"]
    for m in settle(a, x).values():
        assert exits(m) == []
    for o in (a, x, *p):
        o.close()
    pair[1].destroy()


def test_many_with_long_names_come_in_pieces(start, url):
    """27: More than a step of a sweep, more than are named at once, more than one packet."""
    pair = [start("--node", name, redis=url, limit=1300, config=SILENT)
            for name in ("one", "two")]
    tail = "x" * 200
    names = [f"{i}{tail}" for i in range(1200)]
    a = Chat(pair[0], "g", "w")
    flock = [Chat(pair[1], "g", n) for n in names]
    meet(a, flock[0])
    pair[1].kill_all()
    seen = heard(a, names)
    assert sorted(seen) == sorted(names)
    assert [exits(m) for m in settle(a).values()] == [[]]
    for o in (a, *flock):
        o.close()
    pair[1].destroy()


def test_without_redis_a_node_says_what_it_knows(pair, server):
    """27: And does not say it again when Redis is back."""
    a, b = (Chat(k, "g", f"w{i}") for i, k in enumerate(pair))
    p = crowd_of(pair[1], "g", ["p0", "p1", "p2"])
    meet(a, b, *p)
    dead = p[2].shard()
    server.stop()
    for k in pair:
        k.wait_log("bus redis=away", 20)
    pair[1].kill_shard(next(i for i, s in enumerate(pair[1].shards())
                            if s["address"] == dead))
    assert sorted(heard(b, ["p1", "p2"])) == ["p1", "p2"]
    p[0].goodbye()
    assert heard(b, ["p0"]) == ["p0"]
    server.start()
    pair[1].wait_log(f"address={dead} swept".replace("#", "."), 40)
    z = Chat(pair[1], "g", "z")
    z.goodbye()
    assert heard(b, ["z"]) == ["z"]
    for o in (a, b, *p):
        o.close()
