"""
What a visit of a room may cost whose state another node has: it comes through Redis, which
is all nodes', and a request of 60 bytes makes that carry all that the room has kept.
"""
import re
import time

import pytest
from kit import redis, wait
from kit.nodes import Site, met
from kit.pact import Pact, room, settle, users
from kit.probe import CONFIG, Probe

KEYS = 170
VALUE = "v" * 60000     # 10 MB of them
RATE = 10 << 20         # bytes a second that a shard gives to other nodes' visitors
BURST = 32 << 20        # and at once
VISITS = 11


@pytest.fixture
def site():
    s = Site()
    yield s
    s.remove()


def carried(r):
    """Bytes that have come to Redis."""
    return int(re.search(r"^total_net_input_bytes:(\d+)", r("INFO", "stats"), re.M)[1])


def test_a_stranger_makes_redis_carry_no_more_than_a_few_megabytes_a_second(start, site):
    """Whoever visits again and again is served each time, and waits for it."""
    here, there = (node(shards=1) for node in site.starters(start))
    met(here, there)
    g, key = room(), "kennel:store:{}:pact"
    with Pact(here, g) as p:
        p.count("x")
        settle(p)
    wait.until(lambda: here.group(g) == [])
    with redis.Redis(site.server.path) as r:
        for i in range(KEYS):
            r("HSET", key.format(g) + ":pad", f"k{i}", VALUE)
        r("SADD", key.format(g) + ":.maps", "pad")
        with Pact(here, g) as p:
            settle(p)
            begin, before = time.monotonic(), carried(r)
            for _ in range(VISITS):
                assert len(users(there, g)) == 1
                wait.until(lambda: there.group(g) == [])
            took, came = time.monotonic() - begin, carried(r) - before
            settle(p)
    print(f"{came} bytes in {took:.1f} s")
    # Each visit had all of it, and the network's own words are a small part.
    assert came > VISITS * KEYS * len(VALUE)
    assert came < BURST + RATE * (took + 1) + came / 10


ANSWER = 512 << 10      # bytes, of probe.c's mode "big"
ANSWERS = 20 << 20      # bytes a second of long answers to other nodes
AT_ONCE = 32 << 20
WHOLE = ["value " + "b" * 505]  # as the asker shows it


@pytest.fixture
def asked(start, server, installed):
    """A node with all who ask, and one whose replica has a long answer."""
    server.start()
    ks = [start("--node", name, redis=f"unix:{server.path}", shards=1, config=CONFIG % 30,
                worker=installed.worker("probe.c")) for name in ("one", "two")]
    met(*ks)
    askers = [Probe(ks[0], "g", f"u{i}") for i in range(16)]
    other = Probe(ks[0], "h", "a")
    far = [Probe(ks[1], g, "z") for g in "gh"]
    for p in (askers[0], other):
        wait.until(lambda p=p: p.who()["neighbours"] == 1, 20)
    assert [p.do("mode big") for p in far] == ["ok", "ok"]
    yield askers, other
    for p in (*askers, other, *far):
        p.close()


def test_long_answers_to_other_nodes_go_at_their_pace(asked, server):
    """Whoever asks again and again gets all of each answer, and waits for it."""
    (asker, *_), _ = asked
    with redis.Redis(server.path) as r:
        begin, before, n = time.monotonic(), carried(r), 0
        while n * ANSWER < AT_ONCE + 2 * ANSWERS:
            assert asker.ask(20000) == WHOLE
            n += 1
        took, came = time.monotonic() - begin, carried(r) - before
    assert came > n * ANSWER
    assert came < AT_ONCE + ANSWERS * (took + 0.2) + came / 20


def test_too_many_long_answers_are_an_error_for_those_who_asked_for_them(asked, server):
    """Not silence, and nobody of another group waits behind all of them."""
    askers, other = asked
    def overloaded():
        for p in askers:
            p.send("ask 20000")
        told = [p.recv() for p in askers]
        assert [p.recv() for p in askers] == ["end 1"] * len(askers)
        assert set(told) <= {*WHOLE, "error overloaded"}
        assert other.ask(20000) == WHOLE
        return "error overloaded" in told and WHOLE[0] in told
    wait.until(overloaded, 60)
    wait.until(lambda: askers[0].ask(20000) == WHOLE, 20)
