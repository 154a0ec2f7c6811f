"""What clients begin and do not finish has a bound, and a burst's memory comes
back."""
import os

import pytest
from kit import kennel as kits
from kit import wait, ws
from kit.http import Http, request
from kit.ws import WebSocket

MIB = 1 << 20
CONFIG = """
[worker]
message_max = 16M
body_max = 16M
unfinished_max = %s
request_timeout = 5m
ping_interval = 1h
"""


def begun(kennel, n):
    """A WebSocket amid a message of which n bytes are there."""
    p = WebSocket(kennel.address, "/echo")
    p.write(ws.frame(ws.BINARY, bytes(16 * MIB - 1), mask=b"\0" * 4)[:14 + n])
    return p


def posting(kennel, n, length=16 * MIB):
    """A body of which n bytes are there."""
    p = Http(kennel.address)
    p.write(request("POST", "/echo", [("Content-Length", length)]) + bytes(n))
    return p


def test_the_largest_of_what_is_unfinished_pays_first(start):
    k = start(shards=1, config=CONFIG % "24M")
    small = begun(k, 100 * 1024)
    posts = posting(k, 100 * 1024)
    large = begun(k, 9 * MIB)
    others = []
    # More and more of the small ones, until it is too much.
    for _ in range(20):
        others.append(begun(k, MIB))
        if others[-1].sock is None:
            break
    with pytest.raises(ws.Ended) as e:
        large.recv()
    assert e.value.code == 1013
    assert b"unfinished" in e.value.reason
    # Whoever holds little goes on.
    small.write(bytes(16 * MIB - 1 - 100 * 1024))
    posts.write(bytes(16 * MIB - 100 * 1024))
    assert posts.response().status in (200, 503)
    for p in [small, posts, large, *others]:
        p.close()
    k.wait_places(0)
    assert k.shards()[0]["pid"]


def test_a_body_that_is_the_largest_is_503(start):
    k = start(shards=1, config=CONFIG % "16M")
    small = begun(k, 100 * 1024)
    large = posting(k, 8 * MIB)
    more = [begun(k, MIB) for _ in range(9)]
    r = large.response()
    assert (r.status, r.keeps) == (503, False)
    assert "unfinished" in r.text and r["Retry-After"]
    small.write(bytes(16 * MIB - 1 - 100 * 1024))
    wait.until(lambda: kits.alive(k.shard(0)["pid"]), 5, "the shard")
    for p in [small, large, *more]:
        p.close()


def rss(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.skipif("KENNEL_SANITIZED" in os.environ,
                    reason="the sanitizer keeps what is freed")
@pytest.mark.parametrize("size", [1 << 20, 100 << 10])
def test_memory_comes_back_after_a_burst_of_bodies(start, size):
    """Also with some that stay, and with pieces below malloc's threshold."""
    k = start(shards=1, config=CONFIG % "1G")
    pid = k.shard(0)["pid"]
    with Http(k.address) as c:
        assert c.ask("POST", "/echo", body=b"warm").status == 200
    before = rss(pid)
    n = 200 * MIB // size
    posts, stay = [], []
    for i in range(n):
        posts.append(posting(k, size - 1, size))
        if i % 20 == 0:
            stay.append(WebSocket(k.address, "/echo"))
    wait.until(lambda: rss(pid) > before + 150 * MIB, 30, "all bodies there")
    for p in posts:
        p.write(b"x")
        assert p.response().status == 200
        p.close()
    wait.until(lambda: rss(pid) < before + 40 * MIB, 20,
               f"memory comes back: {before >> 20} MiB before, "
               f"{rss(pid) >> 20} after")
    for p in stay:
        p.goodbye()
