"""
Two nodes, of which one has a clock that is hours wrong: nothing that one decides is
decided by comparing clocks.
"""
import json
import re
import time

import pytest
from kit import faketime, redis, wait
from kit.ape import Ape
from kit.chat import Chat
from kit.docs import example
from kit.pact import KEY, Pact, leave, settle
from kit.steps import Counting
from kit.talk import Talk
from kit.ws import WebSocket

pytestmark = pytest.mark.skipif(not faketime.library(), reason="no faketime here")


@pytest.fixture(params=["+7h", "-7h"])
def pair(request, start, server):
    """The second one's clock is the wrong one."""
    server.start()

    def make(start=start, **kw):
        return [start("--node", name, redis=f"unix:{server.path}", limit=2,
                      env={"KENNEL_SIGNING_KEY": KEY, **env}, **kw)
                for name, env in (("one", {}), ("two", faketime.env(request.param)))]
    return make


def hours(k, who):
    """How wrong the clock of its gateway, or a shard, is, by its log."""
    stamp = re.search(r"^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+).* " + who, k.log(), re.M)
    y, mo, d, h, mi, s = map(int, stamp.groups())
    there = time.mktime((y, mo, d, h, mi, s, 0, 0, 0)) - time.timezone
    return round((there - time.time()) / 3600)


def test_beats_and_talk(pair, server):
    """6: Nobody is judged, sweeping sweeps nobody, all is said."""
    one, two = pair()
    for who in "gatewayd", "shardd/0", "shardd/1":
        assert hours(one, who) == 0 and abs(hours(two, who)) == 7
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(4)]
    with Talk(people) as t, redis.Redis(server.path) as r:
        t.more(t.all(), 20)

        def beats():
            """Three more of each."""
            return [int(r("HGET", f"kennel:node:{n}", "beat")) for n in ("one", "two")]
        begin = beats()
        wait.until(lambda: all(b >= a + 3 for a, b in zip(begin, beats())), 30)
        for k in one, two:
            nodes = json.loads(k.ctl("cluster", "--json"))["nodes"]
            assert [n["dead"] for n in nodes] == [False, False]
            assert all(n["beat_age_ms"] < 60000 for n in nodes), nodes
        assert all(0 < r("TTL", k) <= 60 for k in r.keys("kennel:node:*"))
        assert len(r.keys("kennel:client:*")) == 4
        t.finish(t.all())
    for k in one, two:
        assert "is dead" not in k.log()


@pytest.mark.parametrize("pair, dying", [("+7h", "one"), ("-7h", "two")],
                         indirect=["pair"])
def test_a_death_is_seen(pair, server, dying):
    """6: By the one whose clock is right, and by the other."""
    nodes = pair()
    gone, left = nodes if dying == "one" else nodes[::-1]
    people = [Pact(nodes[i % 2], "r") for i in range(4)]
    settle(*people)
    with Counting(people) as c:
        c.more(20)
        begin = time.monotonic()
        gone.kill_all()
        left.wait_log(f"node={dying} is dead: no beat", 30)
        assert time.monotonic() - begin > 4, "not before its time"
        c.more(40, 40)
        c.finish(gone=[p for i, p in enumerate(people) if nodes[i % 2] is gone])
    gone.destroy()


def test_keys_live_as_long_as_they_should(pair, server, installed):
    """6: Whoever decides when they end, and if that changes meanwhile."""
    nodes = pair(worker=installed.worker(str(example("kennel_put_ttl("))),
                 config="[worker]\napp.hold = 3000\n")
    for first, then in nodes, nodes[::-1]:
        g = f"/g{nodes.index(first)}"
        a, b = (WebSocket(k.address, f"{g}?u={n}") for k, n in ((first, "a"), (then, "b")))
        assert a.recv() == b.recv() == "hello"
        a.send("1")
        began = time.monotonic()
        assert a.recv() == b.recv() == "1: a"
        a.goodbye()                     # its replica decided
        b.send("2")
        assert b.recv() == "2: b"
        assert b.recv() == "1: free"
        assert 2.9 < time.monotonic() - began < wait.limit(15)
        assert b.recv() == "2: free"
        b.close()


def test_states_and_cookies_stay(pair, server):
    """6: What expires in Redis does so by Redis' clock; a cookie of one is good at both."""
    one, two = pair(config="[worker]\nstore_ttl = 1h\nstore_visit_ttl = 10m\n")
    a, b = Pact(one, "r", "s"), Pact(two, "r", "s")
    a.count("c")
    b.subscribe("counter:c")
    b.count("c")
    b.until("counter", {"id": "c", "value": 2})
    with redis.Redis(server.path) as r:
        for k in r.keys("kennel:store:*"):
            assert 600 < r("TTL", k) <= 3600 * 9 / 8, k
    now = int(time.time() * 1000)
    a.authenticate(KEY, now)            # by the clock of the admin, as it should be
    leave(a, b)
    with Pact(two, "r", "s") as c:
        assert c.subscribe("counter:c") == [
            {"type": "counter", "data": {"id": "c", "value": 2}}]
    x = Ape(one)
    cookie = x.handshake["Set-Cookie"].split("=")[1].split(";")[0]
    y = Ape(two, cookie=cookie)
    assert y.handshake["Set-Cookie"] is None
    x.close(), y.close()


