"""What the operator sees of a cluster: who is where, how the bus is."""
import json
import os
import signal
import time

import pytest
from kit import kennel as kits
from kit import metrics, redis, wait
from kit.chat import Chat, again, meet
from kit.ear import DATA, Ear, changed
from kit.ws import WebSocket


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


def test_a_node_says_of_itself_what_is_now(pair, server):
    """28: Not what Redis was told last, here before somebody came."""
    def seen():
        nodes = json.loads(pair[0].ctl("cluster", "--json"))["nodes"]
        return {n["node"]: (n["ours"], n["shards"], n["connections"]) for n in nodes}
    wait.until(lambda: seen() == {"one": (True, 2, 0), "two": (False, 2, 0)}, 20)
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        with WebSocket(pair[0].address), WebSocket(pair[1].address):
            now = seen()
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    assert now == {"one": (True, 2, 1), "two": (False, 2, 0)}


def counted(k):
    return {s: metrics.value(k, "kennel_cluster_nodes", state=s) for s in ("alive", "dead")}


def beats(k):
    """Of each other node, in s."""
    ages = metrics.metrics(k).get("kennel_cluster_beat_age_seconds", {})
    return {dict(labels)["node"]: age for labels, age in ages.items()}


def test_the_metrics_know_all_nodes(start, url, server):
    """44: Who lives, and since when nothing new was heard of the others; dead ones apart."""
    nodes = [start("--node", name, redis=url, shards=1) for name in ("one", "two", "three")]
    first, alone = nodes[0], start(shards=1)
    for k in nodes:
        wait.until(lambda k=k: counted(k) == {"alive": 3, "dead": 0}, 30)
    assert sorted(beats(first)) == ["three", "two"]
    # Redis says nothing: nobody is judged, and each beat is as old as its silence.
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        wait.until(lambda: min(beats(first).values()) > 2, 30)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    wait.until(lambda: max(beats(first).values()) < 2, 30)
    nodes[1].kill_all()
    for k in (first, nodes[2]):
        wait.until(lambda k=k: counted(k) == {"alive": 2, "dead": 1}, 40)
    assert list(beats(first)) == ["three"]
    nodes[1].destroy()
    nodes[2].stop()
    wait.until(lambda: counted(first) == {"alive": 1, "dead": 1}, 40)
    said = {line.split()[0]: line.split()[-1]
            for line in first.ctl("cluster").splitlines() if line.startswith("t")}
    assert said == {"two": "dead", "three": "left"}
    assert "kennel_cluster_nodes" not in metrics.metrics(alone)


def test_a_name_that_is_none_spoils_no_metrics(start, url, server):
    """Whoever can write to Redis: a scrape with such a byte would be refused as a whole."""
    k = start("--node", "one", redis=url, shards=1)
    name = "a%22%5C%0A%25%C3%A9"
    with redis.Redis(server.path) as r:
        r("SADD", "kennel:nodes", name)

        def seen():
            r("HINCRBY", "kennel:node:" + name, "beat", 1)      # it lives
            return list(beats(k)) == [name]
        wait.until(seen, 20)


def test_of_many_nodes_some_have_a_beat_in_the_metrics(start, url, server):
    """A label has few values, however many nodes there are; the count is that of all."""
    k = start("--node", "one", redis=url, shards=1)
    names = [f"n{i}" for i in range(99)]
    with redis.Redis(server.path) as r:
        r("SADD", "kennel:nodes", *names)

        def seen():
            for name in names:
                r("HINCRBY", "kennel:node:" + name, "beat", 1)
            return counted(k) == {"alive": 100, "dead": 0} and len(beats(k)) == 64
        wait.until(seen, 20)


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


def seen(k):
    """{node: what one node shows of it}."""
    return {n["node"]: n for n in json.loads(k.ctl("cluster", "--json"))["nodes"]}


def is_so(shown, k):
    """Is what another node shows of this one what it says itself?"""
    s = k.status()
    return shown["address"] == f"127.0.0.1:{k.port}" and shown["version"] == s["version"] and \
        shown["shards"] == len(k.shards()) and shown["connections"] == s["places"] and \
        shown["groups"] == len(s["groups"])


def test_what_is_shown_of_a_node_is_so_whatever_happens_to_it(pair):
    """44: While all is well, when a shard is killed, the gateway stopped, and the node killed."""
    one, two = pair
    people = [Chat(k, g, f"u{i}") for i, (k, g) in enumerate(
        ((one, "g"), (two, "g"), (two, "g"), (two, "g"), (two, "h")))]
    for k in pair:
        wait.until(lambda k=k: is_so(seen(k)["one"], one) and is_so(seen(k)["two"], two), 20)
        text = k.ctl("cluster")
        assert f"127.0.0.1:{two.port}" in text and "alive" in text and "this one" in text
    assert seen(one)["two"]["connections"] == 4 and seen(one)["two"]["groups"] == 2
    two.kill_shard(1)
    wait.until(lambda: len(two.shards()) == 2 and is_so(seen(one)["two"], two), 30)
    os.kill(two.pid, signal.SIGSTOP)
    try:
        wait.until(lambda: seen(one)["two"]["beat_age_ms"] >= 3000, 20)
        nodes = seen(one)
        assert nodes["one"]["beat_age_ms"] < 3000 and nodes["one"]["ours"]
        assert not nodes["one"]["dead"]
        wait.until(lambda: seen(one)["two"]["dead"], 20)
        assert seen(one)["two"]["beat_age_ms"] >= 5000
        assert "dead" in one.ctl("cluster")
    finally:
        os.kill(two.pid, signal.SIGCONT)
    wait.until(lambda: not seen(one)["two"]["dead"] and
               seen(one)["two"]["beat_age_ms"] < 3000 and is_so(seen(one)["two"], two), 30)
    two.kill_all()
    wait.until(lambda: seen(one)["two"]["dead"], 30)
    two.start()
    wait.until(lambda: not seen(one)["two"]["dead"] and is_so(seen(one)["two"], two), 30)
    for p in people:
        p.close()


# One is another's beginning, one is as long as may be, and one is all that is no letter.
NAMES = "a", "a." + 62 * "b", "_.-"


@pytest.mark.parametrize("name", ["", "a/0#0123456789abcdef", "a b", "é", "{a}", "*", 65 * "a"])
def test_what_is_no_name_is_refused(server, url, name):
    k = kits.Kennel("--node", name, redis=url, ready=False)
    try:
        assert k.process.wait(wait.limit(20)) != 0
        assert ("a name has 1 to 64 letters, digits, '.', '_' or '-'" if name else
                "is empty") in k.log()
        with redis.Redis(server.path) as r:
            assert r.keys() == []
    finally:
        k.destroy()


def test_nodes_whose_names_are_alike(start, url, server):
    """3, 7, 44"""
    nodes = [start("--node", name, redis=url) for name in NAMES]
    people = [Chat(k, "g", f"u{i}") for i, k in enumerate(nodes)]
    meet(*people)
    for k in nodes:
        wait.until(lambda k=k: set(seen(k)) == set(NAMES), 20)
    at = json.loads(nodes[0].ctl("who", "u2", "--json"))["elsewhere"]
    assert [(e["node"], e["connections"]) for e in at] == [(NAMES[2], 1)]
    dead = [s["address"] for s in nodes[1].shards()]
    nodes[1].kill_all()
    with redis.Redis(server.path) as r:
        wait.until(lambda: seen(nodes[0])[NAMES[1]]["dead"] and seen(nodes[2])[NAMES[1]]["dead"], 30)
        wait.until(lambda: not set(r("SMEMBERS", "kennel:group:g")) & set(dead) and
                   "kennel:client:g:u1" not in r.keys(), 30, "it is swept")
        assert len(r("SMEMBERS", "kennel:group:g")) == 2
    again(people[0], people[2])
    assert not any(n["dead"] for name, n in seen(nodes[0]).items() if name != NAMES[1])
    for p in people:
        p.close()
    nodes[1].destroy()
