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
