"""What nodes say to each other over Redis: how much at once, in which order, what is lost."""
import os
import re
import struct

import pytest
from kit import metrics, redis, wait
from kit.chat import PAIRS, Chat, again, crowd, settle
from kit.ear import BEAT, DATA, ROOM, Ear, changed
from kit.kennel import SHARDD
from kit.probe import CONFIG, Probe
from kit.ws import WebSocket, frame

PLAIN = """
[route become]
path = /g
app = main
group = const:g
uid = query:u
"""


@pytest.fixture
def pair(start, url):
    """What is lost here is lost on purpose, and told."""
    return [start("--node", name, redis=url, faults="lost=|bus dropped|repeated=")
            for name in ("one", "two")]


def published(server):
    with redis.Redis(server.path) as r:
        m = re.search(r"cmdstat_publish:calls=(\d+)", r("INFO", "commandstats"))
        return int(m[1]) if m else 0


def at_once(p, *texts):
    """As one write, so that the shard reads them in one turn."""
    p.sock.sendall(b"".join(frame(1, t.encode()) for t in texts))


def msg(text):
    return f'{{"type": "msg", "text": "{text}"}}'


def lookups(k):
    return metrics.value(k, "kennel_lookups_total")


@pytest.mark.parametrize("ask", [8, 0], ids=["asked", "looked up"])
def test_what_a_turn_whispers_to_a_shard_is_one_frame(start, url, server, installed, ask):
    """16, 26: Few are asked, who costs less; of many, or with much to say, Redis is."""
    one, two = [start("--node", name, redis=url, worker=installed.worker("become.c"),
                      config=PLAIN + f"[worker]\nwhisper_ask = {ask}\n")
                for name in ("one", "two")]
    a, b = (WebSocket(k.address, f"/g?u={u}") for k, u in ((one, "a"), (two, "b")))
    assert "uid a" in a.recv() and "uid b" in b.recv()
    before, looked = published(server), lookups(one)
    at_once(a, *(f"b:{i}" for i in range(300)))
    assert [b.recv() for _ in range(300)] == [str(i) for i in range(300)]
    if ask:
        assert published(server) - before < 100
        assert lookups(one) == looked
    else:
        assert lookups(one) == looked + 300
    looked = lookups(one)
    a.send("b:" + "x" * 5000)
    assert b.recv() == "x" * 5000
    assert lookups(one) == looked + 1
    a.close()
    b.close()


@pytest.mark.parametrize("verb", ["burst", "tell"])
def test_one_turn_of_all_verbs_is_in_order_on_all_nodes(start, url, installed, verb):
    """14: Those for all come on another channel than those for one."""
    nodes = [start("--node", name, redis=url, shards=2, config=CONFIG % 2,
                   worker=installed.worker("probe.c")) for name in ("one", "two")]
    a, x, b, c, d, e = (Probe(nodes[i], "g", u) for i, u in
                        ((0, "a"), (0, "x"), (1, "b"), (1, "c"), (1, "d"), (0, "e")))
    if verb == "burst":
        a.send("burst 300 b")
        end, mod = "burst", 3
        sees = {b: (0, 1), c: (0,), d: (0,), e: (0,)}
    else:
        a.send("tell all 301")
        end, mod = "tell 300", 4
        sees = {b: (0, 1, 2, 3), c: (0, 1, 3), d: (0, 1, 3), e: (0, 1, 3)}
    for p, of in sees.items():
        got = []
        while not got or got[-1] != end:
            got.append(p.recv())
        want = [("tell " if verb == "tell" and i % 2 != 1 and i % 4 != 2 or
                 verb == "tell" and i % 4 == 3 else "") + str(i)
                for i in range(300) if i % mod in of]
        assert got[:-1] == want, p.uid
    for p in a, x, b, c, d, e:
        p.close()


# ---- builds ----

def of_builds(start, url, tmp_path, versions):
    """A node of two shards for each of these versions; None: of today."""
    found = []
    for name, v in zip(("one", "two"), versions):
        kw = {}
        if v:
            worker = tmp_path / f"worker{v}"
            worker.write_text(f'#!/bin/sh\nexec {SHARDD} "$@" --wire {v}\n')
            os.chmod(worker, 0o755)
            tmp_path.chmod(0o755)
            kw["worker"] = str(worker)
        found.append(start("--node", name, redis=url, shards=2, config=PAIRS, **kw))
    return found


@pytest.mark.parametrize("versions", [(2, None), (None, 2), (2, 2)],
                         ids=["one", "two", "both"])
def test_a_node_of_an_older_build_speaks_with_one_of_today(start, url, tmp_path,
                                                           versions):
    """9: All verbs, in order, both ways; state and lists as ever."""
    nodes = of_builds(start, url, tmp_path, versions)
    people = [Chat(nodes[i % 2], "g", n) for i, n in enumerate("abcdefgh")]
    settle(*people)
    for k, other in zip(nodes, ("two", "one")):
        k.wait_log(rf"version=2 up node={other}")
        assert not re.search(rf"version=3 up node={other}", k.log())
    for i in range(20):
        for p, q in zip(people, people[1:] + people[:1]):
            at_once(p, msg(f"all {i}"), msg(f"/w {q.name} one {i}"))
    for j, p in enumerate(people):
        sender = people[j - 1]
        got = []
        while len(got) < 40:
            m = p.hear()
            if m["type"] == "user:msg" and m["from"] == sender.name:
                got.append(m["text"])
        assert got == [x for i in range(20) for x in (f"all {i}", f"one {i}")]
        wait.until(lambda q=p: set(q.users()["list"]) == set("abcdefgh"), 20)
    for p in people:
        p.close()


@pytest.mark.parametrize("versions", [(1, None), (None, 1)], ids=["one", "two"])
def test_a_node_of_a_build_from_before_there_were_nodes_is_refused(start, url, tmp_path,
                                                                   versions):
    """9: With a sentence, by those of today; each node goes on for itself."""
    nodes = of_builds(start, url, tmp_path, versions)
    people = [Chat(nodes[i % 2], "g", n) for i, n in enumerate("abcdefgh")]
    i = versions.index(None)
    nodes[i].wait_log(f"warn .*bus node={('two', 'one')[i]} slot=. refused: no version in "
                      "common; upgrade the older node", 20)
    for half in people[0::2], people[1::2]:
        settle(*half)
        for p in half:
            p.say("here " + p.name)
        for p in half:
            left = {o.name for o in half}
            while left:
                m = p.next(type="user:msg")
                assert m["from"] in left
                left.discard(m["from"])
    for k in nodes:
        assert not re.search("up node=", k.log())
    for p in people:
        p.close()


# ---- what is lost, forged or said twice ----

def total(nodes, name):
    return sum(metrics.value(k, f"kennel_bus_{name}_total") for k in nodes)


@pytest.fixture
def said_by_one(pair, server):
    """The last that node one has said to a shard of the other, and in a room."""
    people = [Chat(pair[i % 2], "g", f"u{i}") for i in range(8)]
    settle(*people)
    ear = Ear(server)
    people[0].say("in the room")
    for p in people:
        p.next(type="user:msg", text="in the room")
    people[0].say("/w u1 to one")
    people[1].next(type="user:msg", text="to one")
    wait.until(lambda: any(b"in the room" in f for _, f in ear.of("one", ROOM)) and
               any(b"to one" in f for _, f in ear.of("one", DATA)), 20)
    yield lambda kind: ear.of("one", kind)
    ear.close()
    again(*people)
    for p in people:
        p.close()


def test_a_gap_in_what_is_said_to_a_shard_is_counted_and_told(pair, server, said_by_one):
    """20: Then the two meet afresh, and speak again."""
    lost, afresh = total(pair, "lost"), total(pair, "afresh")
    channel, f = said_by_one(DATA)[-1]
    with redis.Redis(server.path) as r:
        r("PUBLISH", channel, changed(f, n=5, pos=100))
    pair[1].wait_log("messages were lost on the bus", 20)
    wait.until(lambda: total(pair, "lost") >= lost + 4 and
               total(pair, "afresh") > afresh, 20)


def test_a_lost_tail_is_seen_by_the_next_beat(pair, server, said_by_one):
    """21: What is said last is acknowledged a second later, or asked for; so is what is not
    there."""
    lost = total(pair, "lost")
    channel, f = said_by_one(DATA)[-1]
    with redis.Redis(server.path) as r:
        r("PUBLISH", channel, f[:2] + bytes([BEAT]) + changed(f, n=3)[3:])
    pair[1].wait_log("messages were lost on the bus", 20)
    wait.until(lambda: total(pair, "lost") >= lost + 3, 20)


def test_what_is_said_again_is_dropped_and_counted(pair, server, said_by_one):
    """47: By the bus itself: in a room by its position, to one by its number."""
    mark = len(pair[1].log())
    for kind in ROOM, DATA:
        before = total(pair, "bad")
        channel, f = said_by_one(kind)[-1]
        with redis.Redis(server.path) as r:
            heard = r("PUBLISH", channel, f) - 1     # the ear
        assert heard >= 1
        wait.until(lambda n=before + heard: total(pair, "bad") >= n, 20)
    assert "repeated=" not in pair[1].log()[mark:]


def test_what_comes_over_the_bus_from_the_own_node_is_dropped(pair, server, said_by_one):
    """24: It is counted as that, and not as heard."""
    with redis.Redis(server.path) as r:
        for kind in ROOM, DATA:
            channel, f = said_by_one(kind)[-1]
            own = r("PUBSUB", "CHANNELS", "kennel:bus:*:group:*:one" if kind == ROOM
                    else "kennel:bus:*:shard:one/*")[0]
            before = total(pair, "own"), total(pair, "heard")
            told = sum(r("PUBLISH", own, f) - 1 for _ in range(20))
            assert told >= 20
            wait.until(lambda n=before[0] + told: total(pair, "own") >= n, 20)
            assert total(pair, "heard") < before[1] + told


def test_a_node_with_no_version_in_common_is_refused_with_a_sentence(pair, server,
                                                                      said_by_one):
    """9"""
    channel, f = said_by_one(DATA)[-1]
    incarnation = os.urandom(8)
    hello = b"K\x01\x01\x00" + struct.pack(">I", 0) + incarnation + \
        struct.pack(">QQQQ", 1 << 62, 0, 0, 0) + b"\x05three" + struct.pack(">II", 9, 12)
    with redis.Redis(server.path) as r:
        r("PUBLISH", channel, hello)
    pair[1].wait_log("warn .*bus node=three slot=0 refused: no version in common; "
                     "upgrade the older node", 20)


# ---- what nobody knows ----

def test_without_redis_whether_one_was_the_last_is_unsure(start, url, server, installed):
    """27: With it, it is known; the same of a node that is alone."""
    k = start("--node", "one", redis=url, config=CONFIG % 10,
              worker=installed.worker("probe.c"))
    other = start("--node", "two", redis=url, config=CONFIG % 10,
                  worker=installed.worker("probe.c"))

    def leaves(node):
        mark = len(node.log())
        p = Probe(node, "g", "x")
        p.goodbye()
        return node.wait_log(r"probe close .*last=(\d) unsure=(\d)", 20, mark).groups()
    assert leaves(k) == ("1", "0")
    server.stop()
    for n in k, other:
        n.wait_log("bus redis=away", 20)
    wait.until(lambda: leaves(k) == ("1", "1"), 30)
    server.start()
    wait.until(lambda: leaves(k) == ("1", "0"), 60)
    alone = start(config=CONFIG % 10, worker=installed.worker("probe.c"), redis="none")
    assert leaves(alone) == ("1", "0")


def test_who_dies_while_the_gateway_is_dead_is_said_to_be_unknown(start):
    """Nobody knows whom that shard had: the chat says that somebody was lost."""
    k = start(shards=2, limit=2, redis="none", cover=False, deaths=True)
    people = crowd(k, "g", "abcd")
    here = people[0].shard()
    victim = next(s for s in k.shards() if s["address"] != here)
    k.kill_gateway()
    k.kill_shard(pid=victim["pid"])
    k.start()
    people[0].next(type="user:lost")
    for p in people:
        p.close()
