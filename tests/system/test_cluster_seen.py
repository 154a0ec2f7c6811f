"""What the operator sees of a cluster: who is where, how the bus is."""
import json
import os
import signal
import time

import pytest
from kit import metrics, redis, wait
from kit.chat import Chat, again, meet
from kit.ear import DATA, Ear, changed


@pytest.fixture
def pair(start, url):
    return [start("--node", name, redis=url) for name in ("one", "two")]


def test_who_says_node_and_shard_of_other_nodes(pair, server):
    """28"""
    uid = "x*[y] é:%"
    far = [Chat(pair[1], g, uid) for g in ("g", "h:1")]
    near = Chat(pair[0], "g", uid)
    other = Chat(pair[1], "g", "xyz")
    with redis.Redis(server.path) as r:
        wait.until(lambda: len(r.keys("kennel:client:*")) == 3, 20)
    j = json.loads(pair[0].ctl("who", uid, "--json"))
    assert [c["uid"] for c in j["connections"]] == [uid]
    assert not j["elsewhere_missing"]
    at = {e["group"]: e for e in j["elsewhere"]}
    assert sorted(at) == ["g", "h:1"]
    places = {s["address"]: s["slot"] for s in pair[1].shards()}
    for e in at.values():
        assert (e["node"], e["connections"]) == ("two", 1)
        assert places[e["shard"]] == e["slot"]
    text = pair[0].ctl("who", uid)
    assert "on other nodes:" in text and at["g"]["shard"] in text
    # Somebody who is elsewhere only.
    text = pair[0].ctl("who", "xyz")
    assert "two" in text and "on other nodes:" in text
    for p in (*far, near, other):
        p.close()


def test_who_without_redis_says_that_there_may_be_more(pair, server):
    near = Chat(pair[0], "g", "x")
    server.stop()
    pair[0].wait_log("bus redis=away", 20)
    wait.until(lambda: not pair[0].status()["redis"]["up"], 20)
    j = json.loads(pair[0].ctl("who", "x", "--json"))
    assert len(j["connections"]) == 1
    assert j["elsewhere"] == [] and j["elsewhere_missing"]
    assert "there may be more on other nodes" in pair[0].ctl("who", "x")
    near.close()
    server.start()


def lag(k):
    return json.loads(k.ctl("cluster", "--json"))["bus"]["lag_us"]


def test_the_lag_of_the_bus_is_measured(pair, server):
    """45"""
    people = [Chat(k, "g", f"u{i}") for i, k in enumerate(pair)]
    meet(*people)
    for k in pair:
        wait.until(lambda k=k: lag(k) > 0, 20)
        assert metrics.value(k, "kennel_bus_lag_seconds_count") > 0
    assert "lag_us=" in pair[0].ctl("cluster")
    # A Redis that is stopped has a lag that grows.
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        wait.until(lambda: lag(pair[0]) > 2_000_000, 30)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    wait.until(lambda: lag(pair[0]) < 2_000_000, 30)
    for p in people:
        p.close()


def test_what_the_bus_loses_is_counted(pair, server):
    """20: As if four messages to one shard had been lost: the number of the next says so."""
    people = [Chat(pair[i % 2], "g", f"u{i}") for i in range(4)]
    meet(*people)

    with Ear(server) as ear:
        # Members of the other node are asked, each for itself.
        people[0].users()
        wait.until(lambda: ear.of("one", DATA), 20)
    assert all(metrics.value(k, "kennel_bus_lost_total") == 0 for k in pair)
    channel, m = ear.of("one", DATA)[-1]
    with redis.Redis(server.path) as r:
        r("PUBLISH", channel, changed(m, n=5))
    wait.until(lambda: sum(metrics.value(k, "kennel_bus_lost_total")
                           for k in pair) >= 4, 20)
    assert sum(metrics.value(k, "kennel_bus_afresh_total") for k in pair) > 0
    total = sum(json.loads(k.ctl("cluster", "--json"))["bus"]["lost"]
                for k in pair)
    assert total >= 4
    again(*people)
    for p in people:
        p.close()


FIELDS = "published", "heard", "own", "afresh", "bad", "lost"


def test_lag_and_loss_are_those_of_the_bus_and_the_metrics(start, url, server, tmp_path):
    """45: Redis' answers to node two come 0.3 s late, and it does not hear what is LOST."""
    class Slow(redis.Lossy):
        def __init__(self, *args):
            self.slow = False
            super().__init__(*args)

        def reply(self, file):
            found = super().reply(file)
            if self.slow and b"$7\r\nmessage" in found:
                time.sleep(0.3)
            return found
    path = str(tmp_path / "way")
    relay = Slow(server.path, path, b"LOST")
    nodes = [start("--node", name, redis=at, limit=1) for name, at in
             (("one", url), ("two", f"unix:{path}"))]
    people = [Chat(nodes[i % 2], "g", f"u{i}") for i in range(4)]
    meet(*people)

    def bus(k):
        return json.loads(k.ctl("cluster", "--json"))["bus"]
    assert [bus(k)["lost"] for k in nodes] == [0, 0]
    for n in range(3):
        for word in f"LOST {n}", f"heard {n}":
            people[0].say(word)
            people[2].next(type="user:msg", text=word)
        for p in people[1::2]:
            p.next(type="user:msg", text=f"heard {n}")
    wait.until(lambda: bus(nodes[1])["lost"] == 6, 20, "three of each shard")
    assert bus(nodes[0])["lost"] == 0

    def same(k):
        """Both are asked until nothing has moved in between."""
        values = {f: metrics.value(k, f"kennel_bus_{f}_total") for f in FIELDS}
        now = bus(k)
        return all(now[f] == values[f] for f in FIELDS) and now
    for k in nodes:
        now = wait.until(lambda k=k: same(k), 20, "the metrics say the same")
        assert now["published"] > 0 and now["heard"] > 0
        assert f"lost={now['lost']}" in k.ctl("cluster")
    before = metrics.value(nodes[1], "kennel_bus_lag_seconds_sum"), \
        metrics.value(nodes[1], "kennel_bus_lag_seconds_count")
    relay.slow = True
    wait.until(lambda: lag(nodes[1]) >= 300_000, 20, "node two lags")

    def mean():
        now = metrics.value(nodes[1], "kennel_bus_lag_seconds_sum"), \
            metrics.value(nodes[1], "kennel_bus_lag_seconds_count")
        return now[1] >= before[1] + 4 and (now[0] - before[0]) / (now[1] - before[1])
    assert wait.until(mean, 20) >= 0.15
    relay.slow = False
    wait.until(lambda: lag(nodes[1]) < 300_000, 20)
    for p in people:
        p.close()
    for k in nodes:
        k.stop()
    relay.close()
