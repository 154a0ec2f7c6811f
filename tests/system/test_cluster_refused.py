"""
A Redis that answers, and takes nothing, or forgets what it was told, while people come, talk
and go: what they see of it, and what it is asked meanwhile.
"""
import re
import threading
import time

import pytest
from kit import redis, wait
from kit.chat import Chat, again, settle
from kit.pact import Pact, leave
from kit.wire import Closed
from kit.ws import Ended, Refused

REFUSALS = {                            # what Redis says: how it is brought to that, and back
    "OOM": (("maxmemory", "1"), ("maxmemory", "0")),
    "NOREPLICAS": (("min-replicas-to-write", "1"), ("min-replicas-to-write", "0")),
}
PATIENCE = 500                          # refusals a second, of four shards and two gateways


@pytest.fixture
def pair(start, server):
    server.start()
    return [start("--node", name, redis=f"unix:{server.path}") for name in ("one", "two")]


class Refusing:
    """How often Redis says that word."""

    def __init__(self, server, word):
        self.server, self.word = server, word
        self.began, self.before = time.monotonic(), self.count()

    def count(self):
        with redis.Redis(self.server.path) as r:
            m = re.search(rf"errorstat_{self.word}:count=(\d+)", r("INFO", "errorstats"))
        return int(m[1]) if m else 0

    def rate(self):
        return (self.count() - self.before) / (time.monotonic() - self.began)


@pytest.mark.parametrize("word", REFUSALS)
def test_a_redis_that_takes_nothing(pair, server, word):
    """
    11, 12: Who comes is let in, and meets who was there before; who came to another node
    meanwhile is met when Redis lists again.  Steps that are kept get an error.  Redis is asked
    now and then, and what is wrong is said once.
    """
    bad, good = REFUSALS[word]
    a = Chat(pair[0], "g", "a")
    p = Pact(pair[0], "r")
    p.subscribe("counter:x")
    p.count("x")
    p.until("counter", {"id": "x", "value": 1})
    marks = [len(k.log()) for k in pair]
    with redis.Redis(server.path) as r:
        r("CONFIG", "SET", *bad)
    refusing = Refusing(server, word)
    b = Chat(pair[1], "g", "b")         # the first there
    again(a, b)
    late = [Chat(k, "late", f"u{i}") for i, k in enumerate(pair)]
    gone = Chat(pair[0], "gone", "x")
    p.count("x")
    assert p.hear()["type"] == "error"
    gone.close()
    for o in (*late, a):
        o.say("who is here?")
        o.next(type="user:msg", text="who is here?")
    wait.until(lambda: refusing.count() > refusing.before + 20, 30, "it is asked again")
    assert refusing.rate() <= PATIENCE
    for k, mark in zip(pair, marks):
        said = k.log()[mark:]
        assert len(re.findall("neighbours ask us", said)) <= 4, said
        assert len(re.findall(f"lists no replicas for other nodes: {word}", said)) <= 2, said
        assert "is dead" not in said
    with redis.Redis(server.path) as r:
        r("CONFIG", "SET", *good)
    again(*late)
    again(a, b)

    def counts():
        p.count("x")
        return p.hear()["type"] == "counter"
    wait.until(counts, 20)
    with redis.Redis(server.path) as r:
        wait.until(lambda: sorted(r.keys("kennel:client:*")) == sorted(
            [f"kennel:client:late:u{i}" for i in range(2)] + ["kennel:client:g:a",
             "kennel:client:g:b"] + r.keys("kennel:client:r:*")), 30, "all is listed")
    for k in pair:
        k.exact()
    leave(p)
    for o in (a, b, *late):
        o.close()


def test_what_cannot_be_removed_is_said_once(pair, server):
    """It is tried again, and neighbours ask meanwhile; they are not told so with each try."""
    a, b = Chat(pair[0], "g", "a"), Chat(pair[0], "g", "b")
    wait.until(lambda: "kennel:client:g:a" in redis.Redis(server.path).keys(), 20)
    bad, good = REFUSALS["NOREPLICAS"]
    with redis.Redis(server.path) as r:
        r("CONFIG", "SET", *bad)
        mark = len(pair[0].log())
        refusing = Refusing(server, "NOREPLICAS")
        a.close()
        wait.until(lambda: refusing.count() > refusing.before + 40, 60, "it is tried again")
        said = pair[0].log()[mark:]
        assert said.count("lookup not all of ours is in redis") == 1, said
        assert "lookup all of ours is in redis" not in said
        r("CONFIG", "SET", *good)
        wait.until(lambda: r.keys("kennel:client:*") == ["kennel:client:g:b"], 20)
    wait.until(lambda: "lookup all of ours is in redis" in pair[0].log()[mark:], 20)
    b.close()


def test_what_a_dead_shard_left_is_swept_when_redis_takes_it(pair, server):
    """7: It is not swept because it should be."""
    people = [Chat(pair[0], "g", f"u{i}") for i in range(3)]    # of both shards
    bad, good = REFUSALS["NOREPLICAS"]
    dead = pair[0].shard(1)["address"]
    with redis.Redis(server.path) as r:
        wait.until(lambda: dead in r("SMEMBERS", "kennel:group:g"), 20)
        for p in people:
            p.close()
        wait.until(lambda: not r.keys("kennel:client:*"), 20)
        r("SADD", "kennel:group:left", dead)    # as if that had been lost
        r("CONFIG", "SET", *bad)
        refusing = Refusing(server, "NOREPLICAS")
        pair[0].kill_shard(1)
        wait.until(lambda: refusing.count() > refusing.before + 40, 60, "it is tried again")
        assert f"{dead} swept" not in pair[0].log() + pair[1].log()
        assert refusing.rate() <= PATIENCE
        r("CONFIG", "SET", *good)
        wait.until(lambda: f"{dead} swept" in pair[0].log() + pair[1].log(), 60)
        wait.until(lambda: r("EXISTS", "kennel:group:left", f"kennel:shard:{dead}") == 0, 60)


class Passers:
    """They come to a room, say something, and go, until stop()."""

    def __init__(self, kennel, group, name):
        self.kennel, self.group, self.name = kennel, group, name
        self.over = threading.Event()
        self.n, self.error = 0, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                try:
                    with Chat(self.kennel, self.group, f"{self.name}{self.n}") as c:
                        c.say(f"{self.name}{self.n}")
                        c.next(type="user:msg", text=f"{self.name}{self.n}")
                        self.n += 1
                except Refused as e:    # it may come back, as that says
                    assert "Retry-After" in str(e)
        except (AssertionError, Closed, Ended, OSError) as e:
            self.error = e

    def stop(self):
        self.over.set()
        self.thread.join()
        assert self.error is None, repr(self.error)


@pytest.mark.parametrize("what", [("FLUSHALL",), ("SCRIPT", "FLUSH")], ids=["all", "scripts"])
def test_a_redis_that_forgets_while_people_come_and_go(pair, server, what):
    """
    12, 22: Nobody is dropped or kept out for that, and in the end the tables say who is there and
    nobody else.
    """
    stay = [Chat(pair[i % 2], "g", f"stay{i}") for i in range(4)]
    where = {s.shard() for s in stay}
    passers = [Passers(pair[i % 2], g, f"p{i}-") for i, g in enumerate("gghh")]
    try:
        for _ in range(5):
            before = [p.n for p in passers]
            with redis.Redis(server.path) as r:
                r(*what)
            wait.until(lambda before=before: all(p.n > n + 2 for p, n in zip(passers, before)),
                       60, "all have come and gone again")
    finally:
        for p in passers:
            p.over.set()
        for p in passers:
            p.stop()
    again(*stay)

    def listed():
        with redis.Redis(server.path) as r:
            return sorted(r.keys("kennel:client:[gh]:*")) == sorted(
                f"kennel:client:g:{s.name}" for s in stay) and \
                set(r("SMEMBERS", "kennel:group:g")) == where and \
                not r.keys("kennel:group:h")
    wait.until(listed, 30, "who is there, and nobody else")
    for k in pair:
        assert "is dead" not in k.log()
        k.exact()
    settle(*stay)
    for s in stay:
        s.close()
