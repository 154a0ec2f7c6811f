"""
What a visit of a room that nobody is in may cost: all nodes share one Redis, and a request
of 60 bytes makes it copy all that the room has kept.
"""
import re
import time

import pytest
from kit import wait
from kit.http import Http, request
from kit.pact import Pact, details, room, settle

REST = 0.9              # s at least, from one reading of a state of MB to the next
KEYS = 170
VALUE = "v" * 60000     # 10 MB of them
STORE = "kennel:store:{}:pact"


def big(k, g):
    """A room with a state of 10 MB, which has been left."""
    with Pact(k, g) as p:
        p.count("x")
        settle(p)
    wait.until(lambda: k.group(g) == [])
    with k.redis() as r:
        for i in range(KEYS):
            r("HSET", STORE.format(g) + ":pad", f"k{i}", VALUE)
        r("SADD", STORE.format(g) + ":.maps", "pad")


@pytest.fixture
def kennel(start):
    return start(shards=1)


def readings(r, g):
    """How often all maps of this room, the only one, were read."""
    m = re.search(r"^cmdstat_hgetall:calls=(\d+)", r("INFO", "commandstats"), re.M)
    return int(m[1]) // r("SCARD", STORE.format(g) + ":.maps") if m else 0


def test_a_state_rests_between_two_readings(kennel):
    """Whoever visits waits for it, and sees what was edited in Redis meanwhile."""
    k, g = kennel, room()
    big(k, g)
    with k.redis() as r:
        begin, before = time.monotonic(), readings(r, g)
        for n in range(4):
            r("HSET", STORE.format(g) + ":room", "config", f"edited {n}")
            assert details(k, g)["config"] == f"edited {n}"
            wait.until(lambda: k.group(g) == [])
        took, n = time.monotonic() - begin, readings(r, g) - before
    assert n == 4 and took >= 3 * REST


def test_all_who_come_meanwhile_wait_for_one_reading(kennel):
    """Visitors, and one who enters: nobody is refused, and it is read once for all."""
    k, g = kennel, room()
    big(k, g)
    with k.redis() as r:
        begin, before = time.monotonic(), readings(r, g)
        details(k, g)
        wait.until(lambda: k.group(g) == [])
        visitors = [Http(k.address) for _ in range(40)]
        for v in visitors:
            v.write(request("GET", f"/details?room={g}"))
        with Pact(k, g) as p:
            settle(p)
            for v in visitors:
                assert v.response().status == 200
                v.close()
        took, n = time.monotonic() - begin, readings(r, g) - before
    assert n >= 2 and took >= (n - 1) * REST
