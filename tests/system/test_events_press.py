"""Clients of ours that say more than an uplink takes: they wait, nobody else does, and the
link stays; what waits for it has a limit."""
import socket
import threading

import pytest
from kit import wait
from kit.hosts import Host, several
from test_events_flow import FLAT, linked, rss

CHUNK = b"x" * (1 << 18)
MANY = 800                      # of them: 200 MiB
AGAIN = "have waited for a link for 10 s"


class Flood(threading.Thread):
    """MANY messages by a client, to all."""

    def __init__(self, client, chunk=CHUNK, many=MANY):
        super().__init__(daemon=True)
        self.client, self.sent, self.error = client, 0, None
        self.chunk, self.many = chunk, many
        client.s.settimeout(None)
        self.start()

    def run(self):
        try:
            for i in range(self.many):
                self.client.to(["h3/down/xx/1"], str(i), self.chunk)
                self.sent = i + 1
        except OSError as e:
            self.error = e


@pytest.fixture
def peers():
    with several(sound=False) as make:
        yield make


def start_one(start, tmp_path, shards, limit=3):
    return Host(start, tmp_path / "k", "k1", shards=shards,
                limit=limit if shards == 2 else 100,
                more="always = yes\nmessage_max = 32M\n",
                worker_options="app.uplink_stuck = 600s\n")


@pytest.mark.parametrize("shards", (1, 2))
def test_clients_that_flood_an_uplink_wait(start, tmp_path, peers, shards):
    """Those in the holder's process and those in another one; memory is bounded, others talk
    meanwhile, and all arrives in order when it is read."""
    h3 = peers("h3")
    k = start_one(start, tmp_path, shards)
    link = linked(h3, k, False)
    people = [k.client() for _ in range(5)]
    if shards == 2:             # the link and two are in one process, three in the other
        counts = [s["connections"] for s in k.kennel.status()["shards"]]
        assert sorted(counts) == [3, 3]
    before = rss(k.kennel)
    h3.reading.clear()
    floods = [Flood(p) for p in (people[0], people[-1])]
    a, b = people[1], people[-2]

    def still():
        """Nothing more is taken of either, while two others have talked."""
        was = [f.sent for f in floods]
        for i in range(20):
            a.to([b.id], "m", str(i))
            assert b.message() == ("m", str(i).encode())
            b.to([a.id], "m", str(i))
            assert a.message() == ("m", str(i).encode())
        return all(was) and was == [f.sent for f in floods]
    wait.until(lambda: all([still() for _ in range(5)]), 60, "the floods wait")
    for f in floods:
        assert f.sent < MANY and f.error is None
    grown = rss(k.kennel) - before
    assert wait.SANITIZED or grown < FLAT, f"{grown >> 20} MiB more"
    assert link in h3.links
    if shards == 2:             # without a word they wait for ten seconds: these begin now,
        tries = k.kennel.log().count(AGAIN) + 2         # in both processes
        wait.until(lambda: k.kennel.log().count(AGAIN) >= tries, 30)
    h3.reading.set()
    wait.reach(lambda: len(h3.got), 2 * MANY)
    assert shards == 1 or k.kennel.log().count(AGAIN) == tries, "nobody told them to go on"
    for f in floods:
        f.join(wait.limit(10))
        assert not f.is_alive() and f.error is None
    got = [int(o["event"]) for _, o, _ in h3.got]
    for i in range(MANY):
        assert got.count(i) == 2
    assert link in h3.links and h3.errors == []
    for p in people:
        p.barrier()
        p.close()


@pytest.mark.parametrize("shards", (1, 2))
def test_what_waits_for_an_uplink_has_a_limit(start, tmp_path, peers, shards):
    """More than 64 MiB at once, by many who have each said one thing: the link is closed, and
    the log says why; a link that comes again is as new.

    The last message finds more than 64 MiB: 96 MiB were said before, of which the peer
    reads one and its kernel and the shard's take 5 MiB."""
    h3 = peers("h3")
    k = start_one(start, tmp_path, shards, 5)
    link = linked(h3, k, False)
    # A buffer that grows as it likes takes 32 MiB.
    link.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
    people = [k.client() for _ in range(9)]
    h3.reading.clear()
    floods = [Flood(p, b"x" * (12 << 20), 1) for p in people]
    for f in floods:
        f.join(wait.limit(60))
        assert f.error is None and f.sent == 1
    k.kennel.wait_log("peer=h3 down: slow", 20)
    h3.reading.set()
    wait.until(lambda: link not in h3.links)
    again = linked(h3, k, False)
    h3.taken(len(h3.got))
    people[0].to(["h3/down/xx/1"], "after", "y")
    wait.until(lambda: any([o["event"] == "after" for _, o, _ in list(h3.got)]))
    assert again in h3.links
    for p in people:
        p.barrier()
        p.close()
