"""How much goes from one node to another: cut, bounded, acknowledged, and not to its own."""
import os
import signal
import threading

import pytest
from kit import metrics, redis, wait
from kit.chat import meet
from kit.ear import BEAT, DATA, ROOM, Ear
from kit.talk import ROUTE, TELL, Voice
from kit.ws import TEXT, frame

WINDOW = 4 << 20
BODY = 64 << 10
LARGE = 1 << 20
# Nobody is doubted because a test made it sleep.
CONFIG = "[gateway]\nwatchdog = 60s\n" + TELL + "out_max = 64M\n" + ROUTE


@pytest.fixture
def nodes(start, server, installed):
    """nodes(limit): two of two shards, so many in each replica."""
    server.start()

    def make(limit, **kw):
        return [start("--node", name, redis=f"unix:{server.path}", max_shards=2,
                      worker=installed.worker("talk.c"), config=CONFIG % limit, **kw)
                for name in ("one", "two")]
    return make


class Listener(threading.Thread):
    """Hears until it has heard "over"; keeps how each message begins."""

    def __init__(self, p):
        super().__init__(daemon=True)
        self.p, self.heard = p, []
        self.start()

    def run(self):
        self.p.sock.settimeout(wait.limit(60))
        while self.heard[-1:] != ["over"]:
            m = self.p.recv()
            assert len(m) < 100 or len(m) == LARGE, len(m)
            self.heard.append(m[:8].rstrip("x"))


def long(n):
    return frame(TEXT, f"{n:04}".ljust(LARGE, "x"), mask=bytes(4))


def test_one_that_does_not_read_is_sent_4_mib(nodes, server):
    """
    17, 18: Then who speaks to it is not read any more; a bystander of the same process
    is.  When it reads again, all of it comes, whole, in order and once.
    """
    one, two = nodes(4, shards=1)
    people = [Voice(one, "g", "a"), Voice(two, "g", "b")]
    by = Voice(one, "other", "by")
    meet(*people)
    ear = Ear(server)
    listeners = [Listener(p) for p in people]
    pid = two.stop_shard(slot=0)

    def speak():
        for n in range(24):
            people[0].write(long(n))
    speaker = threading.Thread(target=speak, daemon=True)
    try:
        speaker.start()
        wait.until(lambda: sum(ear.lengths("one", ROOM, DATA)) >= WINDOW, 20, "4 MiB go")
        # It hears itself for as long as it is read.
        for _ in range(300):
            by.say("and on")
            assert by.recv() == "and on"
        said = sum(ear.lengths("one", ROOM, DATA))
        heard = len(listeners[0].heard)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert said <= WINDOW + 2 * LARGE, "no more than may be without an acknowledgement"
    assert heard < 24 and speaker.is_alive(), "who speaks is not read"
    speaker.join(wait.limit(30))
    people[0].say("over")
    for one_of in listeners:
        one_of.join(wait.limit(60))
        assert one_of.heard == [f"{n:04}" for n in range(24)] + ["over"]
    wait.until(lambda: sum(ear.lengths("one", ROOM, DATA)) >= 24 * LARGE, 60, "the ear has it too")
    assert max(ear.lengths("one", ROOM, DATA)) <= BODY + 200, "a frame is cut"
    ear.close()
    for k in one, two:
        assert metrics.value(k, "kennel_bus_lost_total") == 0
        assert metrics.value(k, "kennel_gaps_total") == 0
    for p in (*people, by):
        p.close()


def test_many_messages_are_acknowledged_together(nodes, server):
    """19: Not each turn, and not each message: by each 256 KiB, or once a second."""
    one, two = nodes(4, shards=1)
    a, b = Voice(one, "g", "a"), Voice(two, "g", "b")
    meet(a, b)
    ear = Ear(server)
    for n in range(1000):
        a.say(f"{n}".ljust(400))
        assert b.recv().strip() == str(n)       # a frame each
    said = wait.until(lambda: len(ear.of("one", ROOM, DATA)) >= 1000 and
                      ear.lengths("one", ROOM, DATA), 20, "the ear has it too")
    assert sum(said) > 400_000
    answers = len(ear.of("two", BEAT))
    ear.close()
    # And one for each second, which this may take longer than it should.
    assert answers <= sum(said) // (256 << 10) + 30
    a.close()
    b.close()


def published(server):
    with redis.Redis(server.path) as r:
        text = r("INFO", "commandstats")
    return int(text.split("cmdstat_publish:calls=")[1].split(",")[0])


def test_a_broadcast_is_one_publish_for_each_other_node(start, server, installed):
    """
    16, 24: Of three nodes of two shards, all with somebody in the group; and the own
    node's channel is not used: it hears nothing of itself.
    """
    server.start()
    ks = [start("--node", name, redis=f"unix:{server.path}", max_shards=2,
                worker=installed.worker("talk.c"), config=CONFIG % 1)
          for name in ("one", "two", "three")]
    people = [Voice(k, "g", f"{i}{k.args[1]}") for k in ks for i in range(2)]
    meet(*people)
    ear = Ear(server)
    own = sum(metrics.value(k, "kennel_bus_own_total") for k in ks)
    for n in range(50):
        people[0].say(f"n{n}")
        for p in people:
            assert p.recv() == f"n{n}"
    wait.until(lambda: len(ear.of("one", ROOM)) >= 100, 20, "the ear has it too")
    assert len(ear.of("one", ROOM)) == 100
    assert ear.of("one", DATA) == []
    assert sum(metrics.value(k, "kennel_bus_own_total") for k in ks) == own
    ear.close()
    for p in people:
        p.close()
