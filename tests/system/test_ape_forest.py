"""
Servers of two clusters and one namespace, whose clients reach each other; numbers are
those of tests/checklists/api-ape.txt.
"""
import json
import re

import pytest
from kit import redis, wait
from kit.ape import Ape, Stream
from kit.docs import example
from kit.kennel import Ports

CONFIG = """[gateway]
redis_prefix = {prefix}:

[ape]
namespace = {ns}
server_id = {id}
{more}
"""


@pytest.fixture(scope="module")
def store():
    s = redis.Server(Ports.take()).start()
    yield s
    s.remove()


def config(prefix, id, ns="wood", more=""):
    return CONFIG.format(prefix=prefix, id=id, ns=ns, more=more)


def joined(k, n=2):
    """All its shards have."""
    wait.until(lambda: len(re.findall("forest joined", k.log(k.mark))) >= n,
               20, "all shards have joined")
    return k


@pytest.fixture(scope="module")
def pair(store, start_shared):
    """Two servers of a namespace, each with a cluster of its own."""
    url = f"unix:{store.path}"
    return [joined(start_shared(redis=url, config=config(id.lower(), id),
                                shards=2, limit=2)) for id in ("ONE", "TWO")]


@pytest.fixture
def crowd(pair):
    """Three clients of each server, on both shards."""
    people = [[Ape(k) for _ in range(3)] for k in pair]
    ids = [[p.id for p in side] for side in people]
    yield people, ids
    for p in sum(people, []):
        p.close()


def gets(client, type):
    """The data of its next push, which is of that type."""
    t, m = client.push()
    assert t == type
    return {k: v for k, v in m.items() if k not in ("type", "queryId")}


def settled(a, b):
    """All that a has said before is heard by b; what else b has heard."""
    mark = f"settled {a.id}"
    assert a.call("sendto", {"to": b.id, "type": "mark", "data": mark}) == {
        "sent": True}
    heard = []
    while True:
        t, m = b.push()
        if t == "mark" and m["data"] == mark:
            return heard
        heard.append(m)


VALUE = {"when<!D>": 1700000000000, "z": 1, "a": [1, {"set<!S>": ["x"]}],
         "text": "é漢🦍\"\\"}
AGAIN = {**VALUE, "again<!P>": ["data", "a"]}


def test_others_across_servers(crowd):
    """52: exactly once each, in order, with tags; the sender never."""
    (here, there), _ = crowd
    n = 30
    for i in range(n):
        here[0].call("message", {"i": i, **AGAIN})
    for p in here[1:] + there:
        for i in range(n):
            assert gets(p, "message") == {"data": {"i": i, **AGAIN}}
    for p in there:
        assert settled(here[0], p) == []
    for p in here:
        assert p.heard() == []


def test_everyone_across_servers(crowd):
    """52"""
    (here, there), _ = crowd
    assert there[1].call("everyone", [1, None]) == {"sent": True}
    for p in here + there:
        assert gets(p, "everyone") == {"data": [1, None]}
    for p in here:
        assert settled(there[1], p) == []


def test_to_one_across_servers(crowd):
    """53"""
    (here, there), (_, ids) = crowd
    for p, id in zip(there, ids):
        assert here[0].call("sendto", {"to": id, "type": "hello",
                                       "data": VALUE}) == {"sent": True}
        assert gets(p, "hello") == {"data": VALUE}
    for p in there:
        assert p.heard() == []
    assert here[0].call("sendto", {"to": "0" * 20, "type": "x",
                                   "data": 1}) == {"sent": False}


def test_stream_of_the_other_server(pair):
    """54"""
    cookie = "STREAM0STREAM0STREAM"
    a, s = Ape(pair[0]), Stream(pair[1], cookie=cookie)
    b = Ape(pair[1])
    wait.until(lambda: cookie in b.call("users/list"), 10, "it is listed")
    wait.until(lambda: a.call("sendto", {"to": cookie, "type": "hi", "data": 7})
               == {"sent": True}, 10, "it is reached")
    m = s.push()[1]
    assert m["type"] == "hi" and m["data"] == 7
    a.call("message", "all")
    m = s.push()[1]
    assert m["type"] == "message" and m["data"] == "all"
    a.close(), b.close(), s.close()


def test_keys_appear_and_go(pair, store, crowd):
    """56"""
    people, ids = crowd
    with redis.Redis(store.path) as r:
        for id, side in zip(("ONE", "TWO"), ids):
            for c in side:
                wait.until(lambda c=c: r("GET", f"wood:client:{c}") == id, 10,
                           "an entry")
                assert 60 < r("TTL", f"wood:client:{c}") <= 120
        people[0][0].close()
        wait.until(lambda: r("GET", f"wood:client:{ids[0][0]}") is None, 10,
                   "its entry goes")
        assert people[1][0].call("sendto", {
            "to": ids[0][0], "type": "x", "data": 1}) == {"sent": False}


class Peer:
    """Other software in the namespace."""

    def __init__(self, store, *channels):
        self.out, self.ear = redis.Redis(store.path), redis.Redis(store.path)
        for c in channels:
            assert self.ear("SUBSCRIBE", c)

    def hears(self):
        kind, channel, text = self.ear.answer()
        assert kind == "message"
        return channel, json.loads(text)

    def close(self):
        self.out.close(), self.ear.close()


def test_other_software_by_channels(pair, store, crowd):
    """57: ALL and a server's channel, both ways."""
    (here, there), (ids, _) = crowd
    peer = Peer(store, "wood:channel:ALL", "wood:channel:PEER")
    here[0].call("message", VALUE)
    assert peer.hears() == ("wood:channel:ALL", {
        "type": "message", "data": VALUE, "excludeClientId": ids[0],
        "_senderServerId": "ONE"})
    for p in here[1:] + there:
        gets(p, "message")
    peer.out("SET", "wood:client:" + "P" * 20, "PEER")
    assert here[0].call("sendto", {"to": "P" * 20, "type": "t", "data": 1}) == {
        "sent": True}
    assert peer.hears() == ("wood:channel:PEER", {
        "destClientId": "P" * 20, "type": "t", "data": 1,
        "_senderServerId": "ONE"})
    peer.out("PUBLISH", "wood:channel:ONE", json.dumps({
        "destClientId": ids[1], "type": "you", "data": VALUE,
        "_senderServerId": "PEER"}))
    assert gets(here[1], "you") == {"data": VALUE}
    peer.out("PUBLISH", "wood:channel:ALL", json.dumps({
        "type": "all", "data": 5, "excludeClientId": ids[2],
        "_senderServerId": "PEER"}))
    for p in here[:2] + there:
        assert gets(p, "all") == {"data": 5}
    assert settled(there[0], here[2]) == []
    peer.close()


def test_garbage_is_harmless(pair, store, crowd):
    """58"""
    (here, there), (ids, _) = crowd
    peer = Peer(store)
    for text in ("", "x", "[]", "1", "{}", '{"type":1,"_senderServerId":"P"}',
                 '{"type":"a"}', '{"type":"a","_senderServerId":7}', "[" * 20000,
                 '{"type":"a","_senderServerId":"%s"}' % ("x" * 100),
                 '{"type":"a","destClientId":[],"_senderServerId":"P"}',
                 '{"data<!P>":["data"],"type":"a","_senderServerId":"P"}',
                 b"\xff\xfe", '{"type":"a","data":{},"_senderServerId":"ONE"}'):
        for channel in "ALL", "ONE":
            peer.out("PUBLISH", f"wood:channel:{channel}", text)
    assert settled(there[0], here[0]) == []
    # Somebody who died without saying so.
    peer.out("SET", "wood:client:" + "D" * 20, "DEAD")
    assert here[0].call("sendto", {"to": "D" * 20, "type": "t", "data": 1}) == {
        "sent": False}
    wait.until(lambda: peer.out("GET", "wood:client:" + "D" * 20) is None, 10,
               "the entry goes")
    peer.close()


def test_a_shard_dies_and_the_others_go_on(store, start):
    url = f"unix:{store.path}"
    k = joined(start(redis=url, config=config("three", "THREE", "copse"),
                     shards=2, limit=2, cover=False))
    a = [Ape(k) for _ in range(4)]
    ids = [p.id for p in a]
    peer = Peer(store)
    k.kill_shard(0)
    joined(k, 3)
    b = [Ape(k) for _ in range(2)]
    for p in b:
        assert p.call("echo", 1) == 1
    assert peer.out("PUBLISH", "copse:channel:THREE", json.dumps({
        "destClientId": b[0].id, "type": "you", "data": 1,
        "_senderServerId": "P"})) == 2
    assert gets(b[0], "you") == {"data": 1}
    peer.close()
    for p in b:
        p.close()


def test_redis_away_and_back(start):
    """Own clients go on; what is reached again later is reached."""
    s = redis.Server(Ports.take()).start()
    try:
        more = f"forest = redis://127.0.0.1:{s.port}"
        one, two = [joined(start(config=config(id.lower(), id, more=more),
                                 shards=2, limit=2)) for id in ("ONE", "TWO")]
        a, a2, b = Ape(one), Ape(one), Ape(two)
        a.call("everyone", 1)
        for p in a, a2, b:
            assert gets(p, "everyone") == {"data": 1}
        s.stop()
        one.wait_log("forest away")
        a.call("everyone", 2)
        for p in a, a2:
            assert gets(p, "everyone") == {"data": 2}
        assert a.call("sendto", {"to": b.id, "type": "x", "data": 1}) == {
            "sent": False}
        marks = [len(k.log()) for k in (one, two)]
        s.start()
        for k, m in zip((one, two), marks):
            wait.until(lambda: len(re.findall("forest joined", k.log(m))) >= 2,
                       20, "back")
        assert a.call("sendto", {"to": b.id, "type": "x", "data": 3}) == {
            "sent": True}
        assert gets(b, "x") == {"data": 3}
        with redis.Redis(s.path) as r:
            assert r("GET", f"wood:client:{a.id}") == "ONE"
        for p in a, a2, b:
            p.close()
    finally:
        s.remove()


def test_nodes_of_one_cluster_hear_once(store, start):
    """They reach each other without the forest."""
    url = f"unix:{store.path}"
    text = "[gateway]\nredis_prefix = many:\n[ape]\nnamespace = hedge\n"
    nodes = [joined(start("--node", name, redis=url, config=text, shards=1), 1)
             for name in ("left", "right")]
    a, b, c = Ape(nodes[0]), Ape(nodes[1]), Ape(nodes[1])
    wait.until(lambda: b.id in a.call("users/list"), 20, "the nodes have met")
    for i in range(20):
        a.call("message", i)
    for p in b, c:
        for i in range(20):
            assert gets(p, "message") == {"data": i}
        assert a.call("sendto", {"to": p.id, "type": "x", "data": 1}) == {
            "sent": True}
        assert gets(p, "x") == {"data": 1}
        assert p.heard() == []
    with redis.Redis(store.path) as r:
        ids = {r("GET", f"many:ape:node:{n}") for n in ("left", "right")}
        assert len(ids) == 2 and all(re.fullmatch("[0-9A-Z]{8}", i) for i in ids)
        assert r("PUBSUB", "NUMSUB", "hedge:channel:ALL")[1] == 2
    for p in a, b, c:
        p.close()


def test_who_leaves_takes_the_entries_along(store, start):
    url = f"unix:{store.path}"
    k = joined(start(redis=url, config=config("four", "FOUR", "dell"), shards=2,
                     limit=2))
    people = [Ape(k) for _ in range(3)]
    with redis.Redis(store.path) as r:
        wait.until(lambda: len(r.keys("dell:client:*")) == 3, 10, "entries")
        k.process.terminate()
        k.wait_log("forest leaving")
        for p in people:
            p.close()
        k.process.wait(wait.limit(20))
        wait.until(lambda: r.keys("dell:client:*") == [], 10, "no entries")


@pytest.mark.parametrize("drain, clients", [("0", 1), ("0", 40), ("300ms", 40)])
def test_who_is_stopped_takes_the_entries_along(store, start, drain, clients):
    """Also those of clients that are cut off in the last moment."""
    ns = f"gone{drain}{clients}"
    url = f"unix:{store.path}"
    k = joined(start(redis=url, config=f"[gateway]\ndrain = {drain}\n" + config(
        "six", "SIX", ns).replace("[gateway]\n", ""), shards=2))
    people = [Ape(k) for _ in range(clients)]
    with redis.Redis(store.path) as r:
        wait.until(lambda: len(r.keys(f"{ns}:client:*")) == clients, 10, "entries")
        k.process.terminate()
        k.process.wait(wait.limit(20))
        assert r.keys(f"{ns}:client:*") == []
    for p in people:
        p.close()


@pytest.mark.parametrize("line, why", [
    ("namespace = a b", "letters, digits"), ("server_id = " + "x" * 50, "1 to 40"),
    ("forest = http://x", "redis://"), ("nonsense = 1", "unknown key")])
def test_wrong_keys_are_named(start, line, why):
    k = start(config=f"[ape]\n{line}\n", ready=False)
    assert k.process.wait(wait.limit(20)) == 1
    assert why in k.log() and line.split()[0] in k.log()
    k.destroy()


# ---- the example of the README ----

ROUTE = """
[ape]
namespace = heath
server_id = HEATH
[route mine]
path = /api/ape /api/ape/ping
app = mine
group = const:mine
uid = cookie:apeClientId random20
keep = User-Agent cookie:apeClientId cookie:sessionId
"""


def test_example_of_the_readme(start, installed):
    worker = installed.worker(example("kennel-forest.h"))
    k = joined(start(shards=1, worker=worker, config=ROUTE), 1)
    a, b = Ape(k), Ape(k)
    k.wait_log("heath:HEATH has [0-9A-Z]{20}")
    assert a.call("hello", 1) == "HEATH"
    assert gets(b, "hello") == {"data": 1}
    assert b.call("hello", 2) == "HEATH"
    assert gets(a, "hello") == {"data": 2}
    assert a.pushes == b.pushes == []
    k.wait_log(r'to all: \{"excludeClientId":"[0-9A-Z]{20}","type":"hello"')
    a.close(), b.close()
    k.wait_log("heath:HEATH has [0-9A-Z]{20} no more")
