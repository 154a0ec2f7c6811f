"""
Two nodes and their Redis, each with an address of its own: cables are pulled, processes
stopped and killed, while people talk.  Each hears of whatever it lacks before it hears
what came later (Talk).  With -s, what is printed is how long it took until all heard each
other again.
"""
import contextlib
import os
import shutil
import signal
import time

import pytest
from kit import kennel as kits
from kit import metrics, redis, wait
from kit.chat import Chat
from kit.networks import Lan
from kit.pact import Pact, settle
from kit.sentinel import Watched
from kit.steps import Counting
from kit.talk import VOICES, Talk, Voice

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root makes networks")


class Cluster:
    """Two nodes of two shards, and a Redis, on three machines."""

    def __init__(self, worker, *args):
        self.lan = Lan(3)
        self.nodes = []
        self.server = None
        try:
            there = self.lan.machines[2]
            self.server = redis.Server(6379, there.address, there.launcher)
            self.server.args = ["--protected-mode", "no", *args]
            self.server.start()
            key = os.path.join(self.server.dir, "key")
            with open(key, "w") as f:
                f.write("a key that all of them know\n")
            for name, m in zip(("one", "two"), self.lan.machines):
                self.nodes.append(kits.Kennel(
                    "--node", name, launcher=m.launcher, worker=worker,
                    config=f"[gateway]\ncluster_key_file = {key}\n" + VOICES % 2,
                    redis=f"redis://{there.address}:6379"))
            # A network that has just been made may lose packets for a while.
            wait.until(lambda: all(k.log().count("bus redis=up") == 2
                                   for k in self.nodes), 60, "all are on the bus")
        except BaseException:
            self.remove()
            raise

    def people(self, n, group="g"):
        found = []
        for i in range(n):
            with self.lan.machines[i % 2]:
                found.append(Voice(self.nodes[i % 2], group, f"u{i}"))
        return found

    def redis(self):
        return redis.Redis(self.server.path)

    def afresh(self):
        return sum(f.count("messages were lost on the bus") +
                   f.count("Redis went away") +
                   f.count("has met afresh") for f in
                   (k.log() for k in self.nodes))

    def nothing_was_missed(self):
        for k in self.nodes:
            assert missed(k) == 0 and "talk: missed" not in k.log()

    def nobody_was_judged(self):
        for k in self.nodes:
            assert "is dead" not in k.log()

    def remove(self):
        with contextlib.ExitStack() as all:     # each, whatever the others say
            all.callback(self.lan.remove)
            if self.server:
                all.callback(self.server.remove)
            for k in self.nodes:
                if k in kits.LIVE:
                    all.callback(k.destroy)


@pytest.fixture
def cluster(installed):
    made = []

    def make(*args):
        made.append(Cluster(installed.worker("talk.c"), *args))
        return made[0]
    yield make
    for c in made:
        try:
            for k in list(c.nodes):
                if k in kits.LIVE:
                    k.stop()
        finally:
            c.remove()


def halves(people):
    """Pairs within each node."""
    return [(p, o) for half in (people[0::2], people[1::2])
            for p in half for o in half]


def across(people):
    """Pairs of two nodes."""
    return [(p, o) for i, p in enumerate(people) for j, o in enumerate(people)
            if i % 2 != j % 2]


def missed(k):
    return metrics.value(k, "kennel_gaps_total")


def recovered(what, seconds):
    print(f"{what}: {seconds:.1f} s")


def lost_and_told(c, t, people):
    """Whoever lacks something was told: by the application, and in the node's counter."""
    for k, half, others in zip(c.nodes, (people[0::2], people[1::2]),
                               (people[1::2], people[0::2])):
        lacks = sum(t.lacks(p, o) for p in half for o in others)
        print(f"{lacks} messages lost to {k.dir}, told {[len(t.told[p]) for p in half]}")
        if lacks:
            assert all(t.told[p] for p in half)
            assert missed(k) > 0 or "is dead" in k.log()


@needs_root
def test_a_node_is_cut_off_for_3_s(cluster):
    """22, 50: Nobody is judged, and nothing is lost: TCP has kept it."""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.lan.machines[1].pull()
        time.sleep(3)
        c.lan.machines[1].plug()
        recovered("cut off for 3 s, heard again after", t.back(t.all()))
        t.finish(t.all())
    c.nobody_was_judged()
    c.nothing_was_missed()


@needs_root
@pytest.mark.skipif(not shutil.which("nft"), reason="no nft here")
def test_packets_are_lost(cluster):
    """22: A tenth of those of one node, both ways: TCP sends them again, nobody is judged."""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.lan.machines[1].drop(10)
        t.more(t.all(), 200, 60)
        c.lan.machines[1].drop(0)
        recovered("packets were lost, heard again after", t.back(t.all()))
        t.finish(t.all())
    c.nobody_was_judged()
    c.nothing_was_missed()


@needs_root
def test_a_node_is_cut_off_for_30_s(cluster):
    """4, 8, 51: It is judged dead by the other, judges nobody, and comes back."""
    c = cluster()
    people = c.people(4)
    with Talk(people, pace=0.1) as t:
        t.more(t.all())
        c.lan.machines[1].pull()
        begin = time.monotonic()
        c.nodes[0].wait_log("node=two is dead", 40)
        recovered("cut off, judged dead after", time.monotonic() - begin)
        wait.until(lambda: all(t.told[p] for p in people[0::2]), 20, "one is told of it")
        wait.until(lambda: time.monotonic() - begin >= 30, 60)
        t.back(halves(people))
        c.lan.machines[1].plug()
        recovered("cut off for 30 s, heard again after", t.back(t.all()))
        t.finish(halves(people))
        lost_and_told(c, t, people)
        assert all(t.lacks(p, o) for p, o in across(people)), "30 s were for nobody"
    assert "is dead" not in c.nodes[1].log()


@needs_root
def test_a_node_is_killed(cluster):
    """4, 49: Those of the other are told, and hear each other all the time."""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.nodes[1].kill_all()
        begin = time.monotonic()
        recovered("node killed, heard in the other one after",
                  t.back(t.all(people[0::2])))
        c.nodes[0].wait_log("node=two is dead", 40)
        recovered("node killed, judged dead after", time.monotonic() - begin)
        wait.until(lambda: all(t.told[p] for p in people[0::2]), 20, "they are told")
        t.more(t.all(people[0::2]))
        t.finish(t.all(people[0::2]), gone=people[1::2])
    c.nodes[1].destroy()


@needs_root
def test_redis_is_killed(cluster):
    """52"""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.server.stop()
        t.more(halves(people), 60)
        c.server.start()
        recovered("Redis killed, started, heard again after", t.back(t.all()))
        t.finish(halves(people))
        lost_and_told(c, t, people)
    c.nobody_was_judged()


@needs_root
def test_redis_is_paused_for_12_s(cluster):
    """5, 22, 53: Nobody is judged, and what was said meanwhile comes."""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        os.kill(c.server.process.pid, signal.SIGSTOP)
        try:
            # Longer than one shard waits for another's acknowledgement.
            time.sleep(12)
            t.more(halves(people), 5)
        finally:
            os.kill(c.server.process.pid, signal.SIGCONT)
        recovered("Redis paused for 12 s, heard again after", t.back(t.all()))
        t.finish(t.all())
    c.nobody_was_judged()
    c.nothing_was_missed()


@needs_root
def test_redis_forgets_all(cluster):
    """22, 55: Nothing of it is missed by who talks."""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        with c.redis() as r:
            r("FLUSHALL")
        recovered("FLUSHALL, heard after", t.back(t.all()))

        def there():
            with c.redis() as r:
                return len(r("SMEMBERS", "kennel:group:g")) == 2 and \
                    len(r.keys("kennel:client:g:*")) == 4
        begin = time.monotonic()
        wait.until(there, 40, "Redis is told again")
        recovered("FLUSHALL, all is in Redis again after", time.monotonic() - begin)
        t.more(t.all())
        t.finish(t.all())
    c.nobody_was_judged()
    c.nothing_was_missed()


@needs_root
def test_a_subscriber_that_is_too_slow_for_redis(cluster):
    """20, 56: Redis drops it; what was lost is told, and all meet afresh."""
    c = cluster("--client-output-buffer-limit", "pubsub", "64kb", "32kb", "1")
    people = c.people(4)
    with Talk(people, size=200) as t:
        t.more(t.all())
        pids = [s["pid"] for s in c.nodes[1].shards()]
        for pid in pids:
            c.nodes[1].dies(pid)
        before = c.afresh()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        with c.redis() as r:
            for _ in range(400):
                people[0].say("x" * 8000)

            def dropped():
                return len(r("CLIENT", "LIST", "TYPE", "PUBSUB")
                           .splitlines()) < 4
            try:
                wait.until(dropped, 6, "Redis drops one of them")
            finally:
                for pid in pids:
                    os.kill(pid, signal.SIGCONT)
        recovered("subscriber dropped, heard again after", t.back(t.all()))
        assert c.afresh() > before
        t.finish(halves(people))
        lost_and_told(c, t, people)


def test_redis_fails_over(start):
    """
    39, 54: By Sentinel, while people talk and count; the master takes writes only with a replica
    (min-replicas-to-write), so what was announced is with the next one.
    """
    w = Watched(more=("--min-replicas-to-write", "1"))
    try:
        nodes = [start("--node", name, redis=w.url(), limit=2,
                       config="[worker]\nstore_replicas = 1\n")
                 for name in ("one", "two")]
        people = [Chat(nodes[i % 2], "g", f"u{i}") for i in range(4)]
        rooms = [Pact(nodes[i % 2], "r") for i in range(4)]
        settle(*rooms)
        with Talk(people) as t, Counting(rooms) as c:
            t.more(t.all())
            c.more(50)
            former = w.servers[0]
            former.stop()
            announced = max(seen[-1] for seen in c.seen.values())
            begin = time.monotonic()
            t.more(halves(people), 20)          # within a node nothing is missing
            new = wait.until(lambda: w.successor(former), 60, "a new master")
            recovered("master killed, Sentinels agree on another after",
                      time.monotonic() - begin)
            assert int(w.hash(new, "kennel:store:r:pact:counters")["x"]) >= announced
            begin = time.monotonic()
            recovered("failed over, heard again after", t.back(t.all()))
            c.more(1, 60)
            recovered("failed over, steps are kept again after", time.monotonic() - begin)
            c.more(100, 60)
            t.finish(halves(people))
            c.finish(reset=True)
        for k in nodes:
            assert "is dead" not in k.log()
    finally:
        w.remove()
