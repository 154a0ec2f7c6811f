"""
Meetings of nodes, and what becomes of them when some of it is lost: who is there is in
Redis, what is said is only faster.
"""
import os
import signal
import time

import pytest
from kit import metrics, redis, wait
from kit.chat import Chat, said, settle
from kit.ear import BEAT, DATA, HELLO, Ear
from kit.pact import KEY, Pact, details, leave
from kit.probe import CONFIG, Probe
from kit.talk import VOICES, Talk, Voice

LOSSES = b"K\x01[%s]" % bytes([DATA, BEAT])     # what a link carries, and what would show a gap


@pytest.fixture
def behind(start, url, server, tmp_path):
    """behind(word, most, ...): nodes one and two; two does not hear what has the word."""
    relays = []

    def make(word, most=None, **kw):
        path = str(tmp_path / "lossy")
        relays.append(redis.Lossy(server.path, path, word, most))
        return [start("--node", name, redis=at, **kw) for name, at in
                (("one", url), ("two", f"unix:{path}"))], relays[0]
    yield make
    for r in relays:
        r.close()


@pytest.mark.parametrize("kind", [HELLO, DATA], ids=["hello", "data"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_what_is_lost_of_a_meeting_is_made_good(behind, installed, kind, n):
    """
    12, 22: All meet.  Who lacks nothing is told of no loss; a word that shows that something
    before it was lost goes with the meeting (Talk knows that it was told).
    """
    nodes, relay = behind(b"K\x01" + bytes([kind]), n, config=VOICES % 1,
                          worker=installed.worker("talk.c"))
    people = [Voice(nodes[i % 2], "g", f"u{i}") for i in range(4)]
    wait.until(lambda: relay.lost == n, 20, "they are lost")
    with Talk(people) as t:
        t.back(t.all(), 60)
        t.finish([])
        if kind == HELLO:
            assert not any(t.lacks(p, o) or t.told[p] for p, o in t.all())
            assert all(metrics.value(k, "kennel_gaps_total") == 0 for k in nodes)


def asked_twice(server, relay, comes):
    """
    comes() comes to a group, and its replica opens without who does not hear what the relay
    loses: after 1 s, and then nothing more is lost; or, if it had heard the link's HELLO after it
    asked, after 4 s, and then the second question, or its answer, is lost, too.
    """
    with Ear(server) as ear:
        relay.most = None
        begin = time.monotonic()
        one = comes()
        if time.monotonic() - begin >= 4:
            wait.until(lambda: len(ear.of("one", DATA)) >= 2, 20, "asked twice")
    relay.most = relay.lost
    return one


@pytest.mark.parametrize("first", [0, 1], ids=["asked", "asks"])
def test_who_answers_when_all_have_opened_is_met(behind, installed, server, first):
    """12, 22: Node two does not hear who comes, or what it is answered; nor that it lacks that."""
    nodes, relay = behind(LOSSES, 0, config=VOICES % 1, shards=1,
                          worker=installed.worker("talk.c"))
    people = [Voice(nodes[1 - first], "g", "first")]
    people.append(asked_twice(server, relay, lambda: Voice(nodes[first], "g", "second")))
    with Talk(people) as t:
        t.back(t.all(), 30)
        t.finish([])


def test_who_answers_while_another_is_silent_is_met(behind, installed, server):
    """12, 22: The same of two; the link to one is back while the other has not answered."""
    nodes, relay = behind(LOSSES, 0, worker=installed.worker("talk.c"),
                          config="[gateway]\nwatchdog = 60s\n" + VOICES % 1)
    people = [Voice(nodes[1], "g", name) for name in ("first", "second")]
    pid = nodes[1].stop_shard(slot=1)
    try:
        people.append(asked_twice(server, relay, lambda: Voice(nodes[0], "g", "third")))
        nodes[0].wait_log(r"met afresh(?s:.)* up node=two", 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    with Talk(people) as t:
        t.back(t.all(), 30)
        t.finish([])


@pytest.mark.parametrize("first", [0, 1], ids=["asked", "asks"])
def test_who_could_not_be_reached_for_long_is_met(behind, installed, first):
    """12: No shard of one hears another; the link is given up."""
    nodes, relay = behind(b"K\x01" + bytes([HELLO]), config=VOICES % 1, shards=1,
                          worker=installed.worker("talk.c"))
    people = [Voice(nodes[i], "g", f"u{i}") for i in (1 - first, first)]
    nodes[first].wait_log("no link within 10 s", 30)
    relay.most = relay.lost
    with Talk(people) as t:
        t.back(t.all(), 30)
        t.finish([])


@pytest.mark.parametrize("n", [2, 3])
def test_who_was_taken_for_dead_is_told_what_it_missed(start, url, installed, n):
    """
    8, 20: A node slept; what was said meanwhile was not said to it: with two more nodes not
    in the room, of which it hears, but to the one other.
    """
    nodes = [start("--node", name, redis=url, config=VOICES % 2,
                   worker=installed.worker("talk.c")) for name in ("one", "two", "three")[:n]]
    people = [Voice(nodes[i % n], "g", f"u{i}") for i in range(2 * n)]
    asleep = people[1::n]
    awake = [p for p in people if p not in asleep]
    with Talk(people) as t:
        t.more(t.all())
        pids = nodes[1].pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            for k in nodes[::2]:
                k.wait_log("node=two is dead", 30)
            t.more(t.all(awake))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        t.back(t.all())
        t.finish(t.all(awake))          # each of the others knows of what it lacks
        assert all(t.lacks(p, o) and t.told[p] for p in asleep for o in awake)


def test_who_was_taken_for_dead_is_told_although_nothing_follows(start, url, installed):
    """13, 21: One word, said to those who live; then all are silent."""
    nodes = [start("--node", name, redis=url, config=VOICES % 2,
                   worker=installed.worker("talk.c")) for name in ("one", "two")]
    a, b = (Voice(k, "g", name) for k, name in zip(nodes, "ab"))
    for n in range(3):                  # more than one follows, so that numbers differ
        a.say(f"before {n}")
        for p in a, b:
            assert p.recv() == f"before {n}"
    pids = nodes[1].pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        nodes[0].wait_log("node=two is dead", 30)
        assert a.recv() == "!lost"
        a.say("missed")
        assert a.recv() == "missed"
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    b.sock.settimeout(wait.limit(30))
    assert b.recv() == "!missed"
    a.close()
    b.close()


@pytest.mark.parametrize("first", [0, 1], ids=["deaf", "heard"])
def test_those_who_say_nothing_meet(behind, installed, first):
    """12: Nothing of a meeting came through for long, and there is no word that shows it."""
    nodes, relay = behind(b"K\x01" + bytes([HELLO]), shards=1, config=CONFIG % 2,
                          worker=installed.worker("probe.c"))
    people = [Probe(nodes[i], "g", f"u{i}") for i in (1 - first, first)]
    nodes[first].wait_log("no link within 10 s", 30)
    assert all(p.who()["neighbours"] == 0 for p in people)
    before = relay.lost
    wait.until(lambda: relay.lost >= before + 3, 20, "it is tried again and again")
    relay.most = relay.lost
    begin = time.monotonic()
    wait.until(lambda: all(p.who()["neighbours"] == 1 for p in people), 20)
    print(f"met {time.monotonic() - begin:.2f} s after nothing was lost any more")
    for p in people:
        p.close()


@pytest.mark.parametrize("most", [1, 3])
def test_news_that_are_lost_are_made_good(behind, most):
    """
    23: The state of node two lacks a step; when that is seen, it gets it, of maps that are
    kept and of one that is not, and also if that is lost, too.
    """
    (one, two), relay = behind(b"LOST", most)
    a, b = Pact(one, "r"), Pact(two, "r")
    b.subscribe("counter:heard")
    for kind in "LOST", "heard":
        a.vote(kind, "x", "ephemeralPoll")
        a.count(kind)
        b.sock.settimeout(wait.limit(20))
        if kind == "heard":
            b.until("counter", {"id": "heard", "value": 1})
    wait.until(lambda: relay.lost == most, 20, "so much is lost")
    with Pact(two, "r") as c:           # asks the state as it is there
        for kind in "LOST", "heard":
            wait.until(lambda k=kind: c.subscribe(f"counter:{k}") == [
                {"type": "counter", "data": {"id": k, "value": 1}}], 20)
            assert c.subscribe(f"ephemeralPoll:{kind}") == [
                {"type": "ephemeralPoll", "data": {"id": kind, "stats": {"x": 1}}}]
    leave(a, b)


def counts(k):
    d = details(k, "r")
    return d["count"], d["uniqueCount"]


def test_who_is_written_off_and_lives_counts_again(start, url):
    """13: Its gateway died, its shards live: each of them says what is its own, once."""
    env = {"KENNEL_SIGNING_KEY": KEY}
    nodes = [start("--node", name, redis=url, env=env, limit=2) for name in ("one", "two")]
    people = [Pact(nodes[i % 2], "r") for i in range(6)]

    def agree(*who):
        for k in who:
            wait.until(lambda k=k: counts(k) == (6, 6), 60)
    agree(*nodes)
    nodes[1].kill_gateway()
    nodes[0].wait_log("node=two is dead", 30)
    agree(nodes[0])
    nodes[1].start()
    nodes[0].wait_log("node=two lives again", 30)
    agree(*nodes)
    leave(*people)


CLUSTERS = {
    "prefix": (dict(config="[gateway]\nredis_prefix = other:\n"), "", "other:bus:0:"),
    "database": (dict(), "/3", "kennel:bus:3:"),
    # What is special to hash tags and to our own names (what is to patterns, is refused).
    "odd": (dict(config="[gateway]\nredis_prefix = {o}:%é{}:\n"), "",
            "{o}:%é{}:bus:0:"),
}


@pytest.mark.parametrize("how", CLUSTERS)
def test_two_clusters_in_one_redis(start, server, how):
    """
    2: One's death is nothing to the other, nor is what it leaves; and no channel is both's,
    though channels know no database.
    """
    server.start()
    kw, tail, channels = CLUSTERS[how]
    base = f"redis://127.0.0.1:{server.port}"
    ours = [start("--node", name, redis=base) for name in ("one", "two")]
    theirs = [start("--node", name, redis=base + tail, **kw) for name in ("one", "three")]
    people = {k: Chat(k, "g", f"u{i}") for i, k in enumerate((*ours, *theirs))}
    for pair in ours, theirs:
        mine = [people[k] for k in pair]
        heard = settle(*mine)
        for p in mine:
            p.say("only here")
        for p, m in settle(*mine).items():
            assert said(m) == ["only here"] * 2
            assert said(heard[p]) == []
            assert set(p.users()["list"]) == {o.name for o in mine}
        for k in pair:
            wait.until(lambda k=k, pair=pair: all(
                o.args[1] in k.ctl("cluster") for o in pair), 20)
    assert "three" not in ours[0].ctl("cluster") and "two" not in theirs[0].ctl("cluster")
    with redis.Redis(server.path) as r:
        heard = r("PUBSUB", "CHANNELS", "*bus:*")
        for head in "kennel:bus:0:", channels:      # of each shard, and of each node's room
            assert len([c for c in heard if c.startswith(head)]) == 4 + 2
        assert len(heard) == 12
        assert set(r("PUBSUB", "NUMSUB", *heard)[1::2]) == {1}
    theirs[1].kill_all()
    theirs[0].wait_log("node=three is dead", 30)
    for k in ours:
        assert "is dead" not in k.log() and "three" not in k.log()
    for p in people.values():
        p.close()
    theirs[1].destroy()


@pytest.mark.parametrize("first", [0, 1], ids=["master", "other"])
def test_that_somebody_has_left_is_lost(behind, server, first):
    """13: Who has left is not waited for, nor is it the authority."""
    nodes, relay = behind(b"K\x01" + bytes([DATA]), 0, shards=1, limit=2)
    people = [Pact(nodes[i], "r") for i in (first, 1 - first)]
    a, b = people if first == 0 else people[::-1]
    wait.until(lambda: counts(nodes[0]) == counts(nodes[1]) == (2, 2), 20)
    relay.most = None
    a.close()
    wait.until(lambda: not nodes[0].replicas("r"), 20)
    wait.until(lambda: relay.lost, 20)
    relay.most = relay.lost
    wait.until(lambda: counts(nodes[1]) == (1, 1), 20)
    b.sock.settimeout(wait.limit(20))
    b.subscribe("counter:x")
    b.count("x")
    b.until("counter", {"id": "x", "value": 1})
    b.close()


def test_that_somebody_has_left_who_was_told_nothing_is_lost(behind, installed):
    """13: No word was ever said to it, so that nothing but the meeting asks whether it is there."""
    nodes, relay = behind(b"K\x01" + bytes([DATA]), 0, shards=1, config=CONFIG % 2,
                          worker=installed.worker("probe.c"))
    a, b = (Probe(k, "g", "u") for k in nodes)
    wait.until(lambda: a.who()["neighbours"] == b.who()["neighbours"] == 1, 20)
    relay.most = None
    a.close()
    wait.until(lambda: relay.lost, 20)
    relay.most = relay.lost
    wait.until(lambda: b.who()["neighbours"] == 0, 30)
    b.close()
