"""
Two nodes and their Redis, each with an address of its own: cables are pulled, processes
stopped and killed, while people talk.
"""
import contextlib
import os
import signal
import time

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.chat import Chat
from kit.networks import Lan
from kit.pact import Pact, settle
from kit.sentinel import Watched
from kit.steps import Counting
from kit.talk import Talk

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root makes networks")


class Cluster:
    """Two nodes of two shards, and a Redis, on three machines."""

    def __init__(self, *args):
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
                    "--node", name, limit=2, launcher=m.launcher,
                    config=f"[gateway]\ncluster_key_file = {key}\n",
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
                found.append(Chat(self.nodes[i % 2], group, f"u{i}"))
        return found

    def redis(self):
        return redis.Redis(self.server.path)

    def afresh(self):
        return sum(f.count("messages were lost on the bus") +
                   f.count("Redis went away") +
                   f.count("has met afresh") for f in
                   (k.log() for k in self.nodes))

    def remove(self):
        with contextlib.ExitStack() as all:     # each, whatever the others say
            all.callback(self.lan.remove)
            if self.server:
                all.callback(self.server.remove)
            for k in self.nodes:
                if k in kits.LIVE:
                    all.callback(k.destroy)


@pytest.fixture
def cluster():
    made = []

    def make(*args):
        made.append(Cluster(*args))
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


@needs_root
def test_a_node_is_cut_off_for_3_s(cluster):
    """Nobody is judged, and nothing is lost: TCP has kept it."""
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.lan.machines[1].pull()
        time.sleep(3)
        c.lan.machines[1].plug()
        print("heard again after", t.more(t.all()))
        t.finish(t.all())
    for k in c.nodes:
        assert "is dead" not in k.log()


@needs_root
def test_a_node_is_cut_off_for_30_s(cluster):
    """It is judged dead by the other, judges nobody, and comes back."""
    c = cluster()
    people = c.people(4)
    with Talk(people, pace=0.1) as t:
        t.more(t.all())
        c.lan.machines[1].pull()
        c.nodes[0].wait_log("node=two is dead", 40)
        t.more(halves(people), 150, 60)
        c.lan.machines[1].plug()
        print("heard again after", t.more(t.all(), 20, 90))
        t.finish(halves(people))
    assert "is dead" not in c.nodes[1].log()


@needs_root
def test_a_node_is_killed(cluster):
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.nodes[1].kill_all()
        begin = time.monotonic()
        c.nodes[0].wait_log("node=two is dead", 40)
        print("judged after", time.monotonic() - begin)
        t.more(t.all(people[0::2]))
        t.finish(t.all(people[0::2]), gone=people[1::2])
    c.nodes[1].destroy()


@needs_root
def test_redis_is_killed(cluster):
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        c.server.stop()
        t.more(halves(people), 60)
        c.server.start()
        print("heard again after", t.more(t.all()))
        t.finish(halves(people))
    for k in c.nodes:
        assert "is dead" not in k.log()


@needs_root
def test_redis_is_paused_for_10_s(cluster):
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        os.kill(c.server.process.pid, signal.SIGSTOP)
        time.sleep(10)
        t.more(halves(people), 5)
        os.kill(c.server.process.pid, signal.SIGCONT)
        print("heard again after", t.more(t.all()))
        t.finish(halves(people))
    for k in c.nodes:
        assert "is dead" not in k.log()


@needs_root
def test_redis_forgets_all(cluster):
    c = cluster()
    people = c.people(4)
    with Talk(people) as t:
        t.more(t.all())
        with c.redis() as r:
            r("FLUSHALL")
        t.more(t.all())
        t.finish(t.all())
    for k in c.nodes:
        assert "is dead" not in k.log()


@needs_root
def test_a_subscriber_that_is_too_slow_for_redis(cluster):
    """Redis drops it; what was lost is told, and all meet afresh."""
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
        print("heard again after", t.more(t.all()))
        assert c.afresh() > before
        t.finish(halves(people))


def test_redis_fails_over(start):
    """
    By Sentinel, while people talk and count; the master takes writes only with a replica
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
            t.more(halves(people), 20)          # within a node nothing is missing
            new = wait.until(lambda: w.successor(former), 60, "a new master")
            assert int(w.hash(new, "kennel:store:r:pact:counters")["x"]) >= announced
            print("heard again after", t.more(t.all(), 20, 90))
            c.more(100, 60)
            t.finish(halves(people))
            c.finish(reset=True)
        for k in nodes:
            assert "is dead" not in k.log()
    finally:
        w.remove()
