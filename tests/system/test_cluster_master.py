"""
A master that is cut off from its replicas and from the Sentinels, though not from us: it says
no to what is written (min-replicas-to-write), and knows of no other.
"""
import os
import re
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.networks import Lan, ip
from kit.pact import Pact, settle
from kit.sentinel import Watched
from kit.steps import Counting

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="root makes networks")
LEFT = re.compile(r"redis lost why=\"Sentinels name another master\" for=(\w+)")
FEW = ("--min-replicas-to-write", "1", "--min-replicas-max-lag", "1")


@pytest.fixture
def cut():
    """Two nodes on one machine, the master on another, and all else on a third."""
    lan = Lan(3)
    here, near, far = lan.machines
    w, nodes = None, []
    try:
        w = Watched(more=FEW, machines=(near, far))
        key = os.path.join(w.servers[0].dir, "key")
        with open(key, "w") as f:
            f.write("a key that all of them know\n")
        nodes += [kits.Kennel(
            "--node", name, limit=2, launcher=here.launcher, redis=w.url(),
            config=f"[gateway]\ncluster_key_file = {key}\n"
                   "[worker]\nstore_replicas = 1\n")
            for name in ("one", "two")]
        wait.until(lambda: all(k.log().count("bus redis=up") == 2 for k in nodes), 60)
        yield lan, w, nodes
        for k in nodes:
            k.stop()
    finally:
        for k in nodes:
            if k in kits.LIVE:
                k.destroy()
        if w:
            w.remove()
        lan.remove()


@needs_root
def test_the_next_master_is_found(cut):
    """Steps are refused until there is one, and then go on there; nothing announced is lost."""
    lan, w, nodes = cut
    here, near, far = lan.machines
    former = w.servers[0]
    with here:
        rooms = [Pact(nodes[i % 2], "r") for i in range(4)]
    settle(*rooms)
    with Counting(rooms) as c:
        c.more(50)
        ip("-n", near.name, "route", "add", "blackhole", far.address)
        new = wait.until(lambda: w.successor(former), 60, "a new master")
        began = time.monotonic()
        seen = {p: len(c.seen[p]) for p in rooms}
        announced = max(s[-1] for s in c.seen.values())
        assert int(w.hash(new, "kennel:store:r:pact:counters")["x"]) >= announced
        first = wait.until(lambda: any(len(c.seen[p]) > seen[p] for p in rooms) and
                           time.monotonic() - began, 60, "a step is confirmed")
        every = wait.until(lambda: all(len(c.seen[p]) > seen[p] for p in rooms) and
                           time.monotonic() - began, 60, "all have seen one")
        print(f"confirmed {first:.2f} s after the fail-over, seen by all after {every:.2f} s")
        c.more(50, 60)
        assert w.is_master(former), "nobody has told it"
        c.finish(reset=True)
    for k in nodes:
        assert set(LEFT.findall(k.log())) >= {"lookup", "store", "bus"}
        assert "is dead" not in k.log()
    ip("-n", near.name, "route", "del", "blackhole", far.address)


def refused(p):
    """Is a step refused?"""
    p.count("x")
    return p.hear()["type"] == "error"


class Questions:
    """How often somebody has come to these Sentinels, but for us."""

    def __init__(self, w):
        self.w = w
        self.ours = 0

    def __call__(self):
        n = 0
        for s in self.w.sentinels:
            n += int(re.search(r"total_connections_received:(\d+)", s("INFO", "stats"))[1])
        self.ours += len(self.w.sentinels)
        return n - self.ours

    def pause(self, seconds):
        """Does nobody come for so long?"""
        before, began = self(), time.monotonic()
        while time.monotonic() - began < seconds:
            if self() != before:
                return False
            time.sleep(0.1)
        return True


def test_while_sentinels_name_the_same_nobody_leaves(start):
    """They are asked each second, by who was refused, and no more when nobody is."""
    w = Watched(servers=1, sentinels=2)
    try:
        k = start(redis=w.url(), limit=2)
        master = w.servers[0]
        with Pact(k, "r") as p:
            p.subscribe("counter:x")
            p.count("x")
            p.until("counter", {"id": "x", "value": 1})
            asked = Questions(w)
            wait.until(lambda: asked.pause(2), 30, "nobody asks")
            before, began = asked(), time.monotonic()
            w.ask(master, "CONFIG", "SET", "min-replicas-to-write", "1")
            wait.until(lambda: refused(p), 20, "a step is refused")
            wait.until(lambda: refused(p) and asked() >= before + 30, 40, "they are asked")
            # The gateway; and a shard's lookup, store and forest; each asks both.
            assert asked() - before <= 7 * 2 * (time.monotonic() - began + 1)
            w.ask(master, "CONFIG", "SET", "min-replicas-to-write", "0")
            wait.until(lambda: not refused(p), 20, "a step is taken")
            wait.until(lambda: asked.pause(3), 40, "nobody asks any more")
        assert "redis lost" not in k.log()
    finally:
        w.remove()
