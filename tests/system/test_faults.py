"""
Everybody talks to everybody while something breaks.  Who is not hit hears all
of it, in order and once; who is, hears a beginning of it without a gap.
"""
import functools
import os
import signal
import socket
import threading
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import Chat, crowd, shards
from kit.wire import Closed
from kit.ws import Ended

@pytest.fixture
def start(start):
    """Connections end with their shards: it is the others that are looked at here."""
    return functools.partial(start, cover=False)


PACE = 0.01             # seconds between rounds


class Talk:
    """Each says 0, 1, 2, ...; with whispers, every third to one alone."""

    def __init__(self, people, whispers=False):
        self.people = people
        self.whispers = whispers
        self.ends = {}                  # person: how it ended
        self.said = {}                  # (sender, n): when
        self.want = {}                  # (sender, receiver): [n]
        self.heard = {}                 # (sender, receiver): [(n, when)]
        self.over = threading.Event()
        for s in people:
            for r in people:
                self.want[s.name, r.name] = []
                self.heard[s.name, r.name] = []
        self.threads = [threading.Thread(target=self.listen, args=(p,),
                                         daemon=True) for p in people]
        self.talker = threading.Thread(target=self.talk, daemon=True)
        for t in (*self.threads, self.talker):
            t.start()

    def listen(self, p):
        try:
            while True:
                m = p.hear()
                if m["type"] == "user:msg":
                    self.heard[m["from"], p.name].append(
                        (int(m["text"]), time.monotonic()))
        except (Closed, Ended, OSError) as e:
            self.ends[p] = e

    def talk(self):
        n = 0
        while not self.over.wait(PACE):
            for i, p in enumerate(self.people):
                if p in self.ends:
                    continue
                to, text = self.people, str(n)
                if self.whispers and n % 3 == 2:
                    other = self.people[(i + 1 + n % 2) % len(self.people)]
                    to, text = [p, other], f"/w {other.name} {n}"
                self.said[p.name, n] = time.monotonic()
                for r in to:
                    self.want[p.name, r.name].append(n)
                try:
                    p.say(text)
                except OSError:
                    pass                # its shard has just died
            n += 1

    def rounds(self, n):
        """So many more, heard by all who are there."""
        here = [p for p in self.people if p not in self.ends]
        first = len(self.want[here[0].name, here[0].name])
        goal = first + n
        wait.until(lambda: all(len(self.heard[here[0].name, p.name]) >= goal
                               for p in here if p not in self.ends), 20)

    def finish(self, gone=()):
        """No more is said; everything is checked."""
        self.over.set()
        self.talker.join()
        here = [p.name for p in self.people if p not in gone]

        def whole(s, r):
            return [n for n, _ in self.heard[s, r]] == self.want[s, r]
        try:
            wait.until(lambda: all(whole(s, r) for s in here for r in here), 30)
        finally:
            for pair, heard in self.heard.items():
                numbers = [n for n, _ in heard]
                assert numbers == self.want[pair][:len(numbers)], pair
        assert set(self.ends) == set(gone)
        for p, t in zip(self.people, self.threads):
            if p not in gone:
                p.sock.shutdown(socket.SHUT_RDWR)
            t.join()
            p.close()

    def slowest(self, people):
        """Seconds that a message among these took at most."""
        names = {p.name for p in people}
        return max(when - self.said[s, n]
                   for (s, r), heard in list(self.heard.items())
                   if s in names and r in names
                   for n, when in list(heard))


def meet(k, names="abcdef"):
    """People in one group, and {pid of shard: [people]}."""
    people = crowd(k, "g", names)
    pids = {s["address"]: s["pid"] for s in k.shards()}
    at = {}
    for p, address in zip(people, shards(*people)):
        at.setdefault(pids[address], []).append(p)
    assert len(at) == len(k.shards())
    return people, at


def since(begin, condition, timeout=15):
    wait.until(condition, timeout)
    return time.monotonic() - begin


def tell(what, seconds):
    """For pytest -rP."""
    print(f"{what}: {seconds:.3f} s")
    return seconds


def others(people, some):
    return [p for p in people if p not in some]


def ready(k, n, but=None):
    """n shards are, none of them the process that was hit."""
    return len([s for s in k.shards() if s["pid"] != but]) == n


def test_shard_is_killed_amid_talk(start):
    k = start(shards=3)
    people, at = meet(k)
    pid, gone = sorted(at.items())[1]
    rest = others(people, gone)
    talk = Talk(people, whispers=True)
    talk.rounds(50)
    begin = time.monotonic()
    k.kill_shard(pid=pid)
    assert tell("slot ready", since(begin, lambda: ready(k, 3, pid))) < \
        wait.limit(2)
    back = Chat(k, "g", "back")
    tell("a newcomer in the group", time.monotonic() - begin)
    talk.rounds(50)
    back.close()
    talk.finish(gone)
    assert tell("slowest message to the rest", talk.slowest(rest)) < \
        wait.limit(1)
    k.wait_places(0)
    k.exact()


def test_shard_pauses_for_5_s(start):
    """Nobody waits for it; when it goes on, nothing is missing."""
    k = start(shards=3)
    people, at = meet(k)
    pid, paused = sorted(at.items())[1]
    rest = others(people, paused)
    talk = Talk(people)
    talk.rounds(20)
    begin = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    wait.until(lambda: time.monotonic() - begin > 5, 6)
    slowest = talk.slowest(rest)
    os.kill(pid, signal.SIGCONT)
    begin = time.monotonic()
    talk.rounds(1)
    tell("nothing is left queued", time.monotonic() - begin)
    talk.finish()
    assert tell("slowest message among the rest", slowest) < wait.limit(1)
    k.wait_places(0)
    k.exact()


def test_shard_stops_for_good(start):
    k = start(shards=3, config="[gateway]\nwatchdog = 2s\n")
    people, at = meet(k)
    pid, gone = sorted(at.items())[1]
    rest = others(people, gone)
    talk = Talk(people)
    talk.rounds(20)
    begin = time.monotonic()
    k.kill_shard(pid=pid, signo=signal.SIGSTOP)
    tell("killed", since(begin, lambda: not kits.alive(pid)))
    assert tell("slot ready", since(begin, lambda: ready(k, 3, pid))) < \
        wait.limit(5)
    talk.rounds(20)
    talk.finish(gone)
    assert tell("slowest message among the rest", talk.slowest(rest)) < \
        wait.limit(1)
    k.wait_places(0)
    k.exact()


def redis_pid(k):
    with k.redis() as r:
        return int(r("INFO", "server").split("process_id:")[1].split()[0])


def listed(k, names):
    try:
        with k.redis() as r:
            return {c.split(":")[-1] for c in r.keys("kennel:client:g:*")} == \
                set(names)
    except (OSError, RuntimeError):
        return False


@pytest.mark.parametrize("ask", [8, 0], ids=["ask", "lookup"])
def test_redis_is_killed_amid_talk(start, ask):
    k = start(shards=3, config=f"[worker]\nwhisper_ask = {ask}\n")
    people, _ = meet(k)
    pid = redis_pid(k)
    talk = Talk(people, whispers=True)
    talk.rounds(30)
    begin = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    wait.until(lambda: not kits.alive(pid))
    assert tell("table whole again", since(
        begin, lambda: listed(k, "abcdef"))) < wait.limit(5)
    talk.rounds(30)
    talk.finish()
    assert tell("slowest message", talk.slowest(people)) < wait.limit(2)
    wait.until(lambda: listed(k, ""), 10)
    k.exact()


@pytest.mark.parametrize("ask", [8, 0], ids=["ask", "lookup"])
def test_redis_pauses_for_3_s(start, ask):
    k = start(shards=3, config=f"[worker]\nwhisper_ask = {ask}\n")
    people, _ = meet(k)
    pid = redis_pid(k)
    talk = Talk(people, whispers=True)
    talk.rounds(30)
    begin = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    late = Chat(k, "g", "late")
    tell("a newcomer is let in", time.monotonic() - begin)
    wait.until(lambda: time.monotonic() - begin > 3, 6)
    os.kill(pid, signal.SIGCONT)
    begin = time.monotonic()
    tell("table whole again", since(begin, lambda: listed(
        k, ["late", *"abcdef"])))
    late.close()
    talk.rounds(30)
    talk.finish()
    # A lookup is waited for, 100 ms, but not each one.
    assert tell("slowest message", talk.slowest(people)) < wait.limit(1)
    wait.until(lambda: listed(k, ""), 10)
    k.exact()


def test_gateway_dies_amid_talk(start):
    """No connection is lost; who comes meanwhile waits for the next gateway."""
    k = start(shards=3)
    people, at = meet(k)
    pid = redis_pid(k)
    talk = Talk(people, whispers=True)
    talk.rounds(30)
    k.kill_gateway()
    early = socket.create_connection(k.address, wait.limit(20))
    early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    talk.rounds(50)
    begin = time.monotonic()
    k.start()
    assert tell("ready again", time.monotonic() - begin) < wait.limit(3)
    assert {s["pid"] for s in k.shards()} == set(at)
    assert redis_pid(k) == pid
    assert sorted(k.group("g")) == [2, 2, 2]
    assert early.recv(1000).startswith(b"HTTP/1.1 200 ")
    early.close()
    k.exact()
    new = Chat(k, "g", "new")
    tell("a newcomer in the group", time.monotonic() - begin)
    talk.rounds(30)
    new.close()
    talk.finish()
    assert tell("slowest message", talk.slowest(people)) < wait.limit(1)
    k.wait_places(0)
    k.exact()
