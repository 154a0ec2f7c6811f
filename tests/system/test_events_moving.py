"""Clients of fast-tcp and gatejs go to other shards, and nobody notices."""
import random

import pytest
from kit import wait
from kit.eventmover import EventCrowd, EventMover
from kit.fasttcp import (ACK, BINARY, CHUNK, CLOSE, DATA, DATA_WITH_ACK, INTEGER, LEAVE,
                         OPEN_TO_SOCKET, TO_ROOM, Events, frame)
from kit.gatejs import MOVED, Gate, Gates, frame2
from kit.rolling import Evening, Rolling, lag, one_sided, roll


def talk(people, n, streams, echo=1):
    """n of them say something."""
    for m in random.sample(people, min(n, len(people))):
        if len(m.asked) > 4:
            continue
        kind = random.choice("ccwwwpp" + "s" * streams + "e" * echo)
        target = random.choice("ab") if kind == "p" else \
            random.choice([o.uid for o in people if o is not m])
        if kind == "e":
            m.echo()
        elif kind == "s":
            kind = random.choice("cwp")
            m.stream(kind, random.choice("ab") if kind == "p" else target,
                     [random.choice((1, 100, 20000)) for _ in range(3)])
        else:
            m.say(kind, target)


@pytest.mark.parametrize("streams", [False, True], ids=["words", "streams"])
def test_every_message_once_and_in_order(start, tmp_path, streams):
    """All verbs, both dialects, while shards are replaced 20 times."""
    random.seed(streams)
    v = Gates(start, tmp_path, shards=3, limit=13, make=(Gate, Events.make),
              env=lag(tmp_path))
    k = v.kennel
    crowd = EventCrowd(EventMover(c) for c in v.clients(24))
    for m in crowd.movers:
        m.join(*random.choice((["a"], ["b"], ["a", "b"], ["b", "x" * 300])))
        m.echo()
    crowd.until(lambda: not any(m.asked for m in crowd.movers), what="rooms")
    rolling = Rolling(k, [i % 3 for i in range(20)])
    while rolling.is_alive():
        talk(crowd.movers, 8, streams)
        crowd.breathe()
        crowd.check_open()
    rolling.end()
    crowd.settle()
    k.exact()
    moved = k.status()["totals"]["moved"]
    assert moved >= 100, moved
    crowd.close()


@pytest.fixture(scope="module")
def kept(installed):
    return installed.worker("events_kept.c")


def test_who_is_not_taken_has_heard_all_meanwhile(start, kept, tmp_path):
    """The other process does not thaw it: it was away for a moment, and is back."""
    refuse = tmp_path / "refuse"
    v = Gates(start, tmp_path, shards=2, limit=60, make=(Gate, Events.make), worker=kept,
              env={"KENNEL_REFUSE": str(refuse), **lag(tmp_path, kept)})
    k = v.kennel
    crowd = EventCrowd(EventMover(c) for c in v.clients(50))
    for m in crowd.movers:
        m.join(random.choice("ab"))
    one_sided(k)
    refuse.touch()
    evening = Evening(k, 15)
    while evening.is_alive():
        talk(crowd.movers, 8, True, 0)
        crowd.breathe()
        crowd.check_open()
    evening.end()
    crowd.settle()
    k.exact()
    crowd.close()


def own(v, k, *slots):
    """A client, and which process answers it before and after these are replaced."""
    c = v.client()
    before = told(c)
    roll(k, slots)
    return c, before, told(c)


def told(c):
    """How many events and answers the program counts for it, and who says so."""
    ident = c.send(DATA_WITH_ACK, "echo")
    f = c.recv()
    assert (f.kind, f.id) == (ACK, ident), f
    events, answers, by = f.data.decode().split()
    return int(events), int(answers), by


@pytest.mark.parametrize("make", [Gate, Events.make], ids=["gatejs", "fast-tcp"])
def test_amid_a_frame_at_any_byte(start, tmp_path, make):
    """One client for each byte at which its stream is cut: there it moves."""
    v = Gates(start, tmp_path, shards=2, limit=200, make=(make,))
    one = v.client()

    class Written(make):
        def __init__(self):
            self.s, self.last, self.bytes = self, 1, b""

        def sendall(self, data):
            self.bytes += data
    w = Written()
    w.send(DATA, "nothing", "to it")
    w.send(CHUNK, "", b"of no stream" * 3, BINARY, ident=77)
    w.write((frame2(CHUNK + MOVED, "", b"and more", BINARY, 77, tail=b"and a tail")
             if make is Gate else
             frame(CHUNK, "", b"and more", BINARY, 77, tail=b"and a tail")))
    ident = w.send(DATA_WITH_ACK, "echo", "whole", ident=9)
    people = v.clients(len(w.bytes) + 1)
    for i, c in enumerate(people):
        c.write(w.bytes[:i])
    roll(v.kennel, [0, 1])
    for i, c in enumerate(people):
        c.write(w.bytes[i:])
        f = c.recv()
        assert (f.kind, f.id, f.data) == (ACK, ident, b"whole"), i
        c.close()
    assert v.kennel.status()["totals"]["moved"] >= len(people)
    one.close()


def test_what_the_program_keeps_goes_along(start, tmp_path, kept):
    v = Gates(start, tmp_path, shards=2, limit=9, make=(Gate, Events.make), worker=kept)
    for c, before, after in own(v, v.kennel, 0, 1), own(v, v.kennel, 1, 0):
        assert (before[:2], after[:2]) == ((1, 0), (2, 0))
        assert before[2] != after[2]
        # Ids of frames go on: each is another one.
        c.send(DATA, "ask")
        f = c.recv()
        assert f.event == b"question" and f.id == 3
        c.send(ACK, "", "yes", ident=f.id)
        assert told(c)[:2] == (3, 1)
        roll(v.kennel, [0, 1])
        c.send(DATA, "ask")
        assert c.recv().id == 4
        c.close()


def a_while(c, ms=400):
    """By the server's clock: what is not to go tries meanwhile."""
    ident = c.send(DATA_WITH_ACK, "late", ms.to_bytes(6, "little"), INTEGER)
    f = c.recv()
    assert (f.kind, f.id, int.from_bytes(f.data, "little")) == (ACK, ident, 42)


def test_who_waits_for_an_answer_goes_when_it_has_come(start, tmp_path, kept):
    """Or owes one, or gets a stream."""
    v = Gates(start, tmp_path, shards=2, limit=9, make=(Gate,), worker=kept)
    k = v.kennel
    a, b, c = v.clients(3)
    by = told(a)[2]
    rolling = Rolling(k, [0, 1])
    a_while(a, 700)
    rolling.end()
    assert told(a)[2] != by
    by = told(a)[2]
    a.send(DATA, "ask")
    question = a.recv()
    rolling = Rolling(k, [0, 1])
    a_while(b)
    a.send(ACK, "", "yes", ident=question.id)
    rolling.end()
    assert told(a)[1:] != (0, by) and told(a)[1] == 1
    by = told(a)[2]
    b.send(OPEN_TO_SOCKET, a.id + "|film", "info", ident=50)
    b.send(CHUNK, "", b"one", BINARY, ident=50)
    stream = a.recv()
    assert stream.event == b"film" and a.recv().data == b"one"
    rolling = Rolling(k, [0, 1])
    a_while(c)
    b.send(CHUNK, "", b"two", BINARY, ident=50)
    assert a.recv().data == b"two"
    b.send(CLOSE, "", ident=50)
    assert a.recv().kind == CLOSE
    rolling.end()
    assert told(a)[2] != by
    told(b)
    a.close(), b.close(), c.close()


def test_a_program_puts_clients_into_rooms_wherever_they_are(start, tmp_path, kept):
    """Each word of another one's is sent once to who is in the room, moving or not."""
    v = Gates(start, tmp_path, shards=3, limit=7, make=(Gate, Events.make), worker=kept,
              env=lag(tmp_path, kept))
    k = v.kennel
    crowd = EventCrowd(EventMover(c) for c in v.clients(12))
    one = crowd.movers[0]
    for m in crowd.movers[1:]:
        m.inside = False
    rolling, n = Rolling(k, [i % 3 for i in range(12)]), 0
    want = {m: [] for m in crowd.movers[1:]}
    while rolling.is_alive():
        for m in random.sample(crowd.movers[1:], 4):
            one.frame(DATA, "out" if m.inside else "put", f"{m.uid} club")
            m.inside = not m.inside
        n += 1
        one.frame(TO_ROOM, "club|n", str(n))
        for m in crowd.movers[1:]:
            if m.inside:
                want[m].append(("n", str(n).encode()))
        crowd.breathe()
        crowd.check_open()
    rolling.end()
    crowd.until(lambda: all(len(m.own) >= len(w) for m, w in want.items()), what="a word")
    for m, w in want.items():
        assert m.own == w
    assert k.status()["totals"]["moved"] > 30
    crowd.close()


def test_who_belongs_to_a_program_that_does_not_say_so_stays(start, tmp_path, kept):
    v = Gates(start, tmp_path, shards=2, limit=9, make=(Gate,), worker=kept,
              env={"KENNEL_STAY": "y"})
    people = v.clients(2)
    done = v.kennel.ctl("restart", "0", "--within", "1s", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert v.kennel.status()["totals"]["moved"] == 0
    ended = 0
    for c in people:
        c.send(DATA_WITH_ACK, "echo")
        try:
            ended += c.recv() is None
        except ConnectionError:
            ended += 1
        c.close()
    assert ended == 2               # there was room for both


def test_a_process_that_lives_on_lets_go(start, tmp_path, kept):
    """Each client is counted in one process."""
    v = Gates(start, tmp_path, shards=2, limit=30, make=(Gate, Events.make), worker=kept)
    k = v.kennel
    people = v.clients(16)
    one_sided(k)
    k.ctl("rebalance")
    wait.until(lambda: k.status()["totals"]["moved"] >= 7, 20)
    counts = {}
    for c in people:
        by = told(c)[2]
        ident = c.send(DATA_WITH_ACK, "clients")
        f = c.recv()
        assert (f.kind, f.id) == (ACK, ident)
        counts[by] = int.from_bytes(f.data, "little")
    assert len(counts) == 2 and sum(counts.values()) == 16
    for c in people:
        c.close()


def test_who_has_nothing_under_way_survives_its_process(start, tmp_path):
    """With its id and its rooms; a client amid a stream is closed, to come again."""
    v = Gates(start, tmp_path, shards=2, limit=20, make=(Gate, Events.make))
    k = v.kennel
    crowd = EventCrowd(EventMover(c) for c in v.clients(10))
    for m in crowd.movers:
        m.join("a", "b")
        m.frame(LEAVE, "", "b")
        m.topics.discard("b")
        m.echo()
    crowd.until(lambda: not any(m.asked for m in crowd.movers), what="rooms")
    amid = v.clients(4)
    for c in amid:
        c.send(OPEN_TO_SOCKET, crowd.movers[0].uid + "|film", "info", ident=50)
        c.barrier()
    k.kill_shard(0)
    wait.until(lambda: k.status()["totals"]["survived"] >= 10, 20)
    ended = 0
    for c in amid:
        c.s.settimeout(wait.limit(5))
        try:
            c.barrier()
        except (AssertionError, ConnectionError):
            ended += 1
        c.close()
    assert ended == 4
    hears = crowd.movers.pop(0)                 # amid the same streams
    wait.until(lambda: (crowd.turn(0.05), hears.closed)[1], 20)
    for m in crowd.movers:
        m.say("p", "a"), m.say("p", "b"), m.say("c"), m.say("w", crowd.movers[0].uid)
    crowd.settle()
    crowd.close()
