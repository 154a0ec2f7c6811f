"""Much comes over a link: who does not keep up makes its sender wait, in bounded memory, and
what is said arrives whole and in order; who does not move at all is let go."""
import os
import signal
import threading
import time

import pytest
from kit import wait
from kit.hosts import BROADCAST, Host, several
from kit.networks import Lan

CHUNK = "x" * 50000
MANY = 5000                     # of them: 250 MB
FLAT = 90 << 20                 # bytes by which memory may grow: marks, buffers


@pytest.fixture
def peers():
    with several(sound=False) as make:
        yield make


def rss(kennel):
    total = 0
    for s in kennel.shards():
        with open(f"/proc/{s['pid']}/statm") as f:
            total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return total


class Flood(threading.Thread):
    """MANY messages over a link, for those hosts."""

    def __init__(self, link, to):
        super().__init__(daemon=True)
        self.link, self.to, self.sent, self.error = link, to, 0, None
        link.s.settimeout(None)
        self.start()

    def run(self):
        try:
            for i in range(MANY):
                self.link.say(BROADCAST, {"event": str(i), "data": CHUNK, "except": []},
                              self.to, 2)
                self.sent = i + 1
        except OSError as e:
            self.error = e

    def stalled(self):
        """It waits: what it has sent until then."""
        def once():
            before = self.sent
            time.sleep(wait.limit(.3))
            return before > 0 and self.sent == before
        wait.until(once, 60, "the flood waits")
        assert self.sent < MANY and self.error is None
        return self.sent


def numbers(peer):
    with peer.lock:
        return [int(o["event"]) for _, o, _ in peer.got]


def linked(peer, k, dialled):
    """A link between the two; k has dialled if it knows the peer's address."""
    if dialled:
        link = wait.until(lambda: peer.links and peer.links[0])
    else:
        def once():
            try:
                return peer.dial(k.gate_address)
            except (AssertionError, OSError):
                return None
        link = wait.until(once)
    peer.announce(link)
    wait.until(lambda: ("k1", peer.name, link.id) in peer.known, 30)
    return link


@pytest.mark.parametrize("shards, dialled, first", (
    (1, False, 2), (1, True, 2), (2, False, 2), (2, False, 3)))
def test_a_flood_waits_for_a_peer_that_does_not_read(start, tmp_path, peers, shards, dialled,
                                                     first):
    """Where there are two processes, the link that came first is the holder's."""
    h2, h3 = peers("h2"), peers("h3")
    ways = [(p.listen(),) for p in (h2, h3)] if dialled else []
    k = Host(start, tmp_path / "k", "k1", ways, shards=shards,
             limit=1 if shards == 2 else 100, more="always = yes\n",
             worker_options="app.uplink_stuck = 600s\n")
    if first == 2:
        l2, l3 = linked(h2, k, dialled), linked(h3, k, dialled)
    else:
        l3, l2 = linked(h3, k, dialled), linked(h2, k, dialled)
    wait.until(lambda: ("h3", "k1", l3.id) in h2.known)
    before = rss(k.kennel)
    h3.reading.clear()
    flood = Flood(l2, ["h3"])
    flood.stalled()
    grown = rss(k.kennel) - before
    # (A sanitizer keeps 256 MiB of what was freed in each process.)
    assert wait.SANITIZED or grown < FLAT, f"{grown >> 20} MiB more"
    # What is said the other way is not held up.
    h3.reading.set()
    wait.reach(lambda: len(h3.got), MANY)
    assert numbers(h3) == list(range(MANY))
    grown = rss(k.kennel) - before
    assert wait.SANITIZED or grown < FLAT, f"{grown >> 20} MiB more"
    flood.join(wait.limit(10))
    assert not flood.is_alive() and flood.error is None
    assert h2.errors == h3.errors == []


@pytest.mark.parametrize("shards", (1, 2))
def test_a_peer_that_never_reads_is_let_go(start, tmp_path, peers, shards):
    h2, h3 = peers("h2"), peers("h3")
    k = Host(start, tmp_path / "k", "k1", shards=shards, limit=1 if shards == 2 else 100,
             more="always = yes\n", worker_options="app.uplink_stuck = 1s\n")
    l2 = linked(h2, k, False)
    linked(h3, k, False)
    wait.until(lambda: any("h3" in key[:2] for key in list(h2.known)))
    h3.reading.clear()
    flood = Flood(l2, ["h3"])
    k.kennel.wait_log("closed: its peer has read nothing for 1000 ms", 20)
    flood.join(wait.limit(60))          # what is for nobody is passed over
    assert flood.sent == MANY
    wait.until(lambda: not any("h3" in key[:2] for key in list(h2.known)), 30,
               lambda: f"h3 is gone for h2: {h2.known} {h2.links} {h2.errors}")


@pytest.mark.parametrize("dialled", (False, True), ids=("accepted", "dialled"))
def test_a_flood_waits_for_a_process_that_hangs(start, tmp_path, peers, dialled):
    h2 = peers("h2")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),)] if dialled else [], shards=2,
             limit=2, more="always = yes\n", worker_options="[gateway]\nwatchdog = 600s\n")
    link = linked(h2, k, dialled)
    people = [k.client() for _ in range(3)]
    # The younger process: the other one has the holder, and the link that came first.
    shards = [r["shard"] for r in k.kennel.replicas("events")]
    assert len(shards) == 2
    pid = k.kennel.shard(int(shards[1].split("/")[1].split("#")[0]))["pid"]
    got = {p: [] for p in people}
    def read(p):
        while len(got[p]) < MANY:
            f = p.recv()
            if f is None:
                break
            got[p].append(int(f.event))
    readers = [threading.Thread(target=read, args=(p,), daemon=True) for p in people]
    before = rss(k.kennel)
    k.kennel.stop_shard(pid=pid)
    for r in readers:
        r.start()
    flood = Flood(link, ["k1"])
    try:
        flood.stalled()
        grown = rss(k.kennel) - before
    finally:
        os.kill(pid, signal.SIGCONT)
    assert wait.SANITIZED or grown < FLAT, f"{grown >> 20} MiB more"
    for r in readers:
        r.join(wait.limit(120))
    for p in people:
        assert got[p] == list(range(MANY))
        p.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="root makes networks")
@pytest.mark.parametrize("busy", (False, True))
def test_a_peer_whose_machine_is_lost_is_noticed(start, tmp_path, peers, busy):
    """Nothing comes from there any more, no end either, while nothing is said, and amid
    what is said."""
    with Lan(2) as lan:
        a, b = lan.machines
        h2 = peers("h2")
        with b:
            at = h2.listen(b.address)
        k = Host(start, tmp_path / "k", "k1", [(at,)], launcher=a.launcher,
                 worker_options="app.uplink_stuck = 1s\nping_interval = 1s\n")
        link = wait.until(lambda: h2.links and h2.links[0], 30)
        wait.until(lambda: ("k1", "h2", link.id) in h2.known)
        h2.announce(link)
        with a:
            p = k.client()
        p.all("m", "x")
        h2.taken()
        # What comes back has the acknowledgement of what was said.
        link.say(BROADCAST, {"event": "m", "except": []}, ["k1"], 2)
        assert p.message()[0] == "m"
        b.pull()
        began = time.monotonic()
        while busy and "peer=h2 down" not in k.kennel.log():
            p.all("m", "x" * 1000)
            p.barrier()
            assert time.monotonic() - began < wait.limit(30)
            time.sleep(.02)
        k.kennel.wait_log("peer=h2 down", 30)
        # And it is there again.
        b.plug()
        wait.until(lambda: len(h2.links) > 0 and h2.links[-1] is not link and
                   ("k1", "h2", h2.links[-1].id) in h2.known, 60)
        p.close()
