"""
Between two shards: what waits, who pays for it, and that nobody misses a message
without a word.
"""
import errno
import os
import signal
import threading

import pytest
from kit import http, wait
from kit.talk import ROUTE
from kit.ws import BINARY, TEXT, Ended, WebSocket, close_frame, frame

# Nobody is doubted because a test made it sleep.
CONFIG = """
[gateway]
watchdog = 60s
[worker]
out_max = 64M
""" + ROUTE + """
[route say]
path = /t/{group}/say
app = talk
group = path:group
limit = %d
"""
LARGE = 15 << 20
MISSED = "A message for it was lost between two processes; come back."


@pytest.fixture(scope="session")
def talk(installed):
    return installed.worker("talk.c")


def config(limit):
    return CONFIG % (limit, limit)


class Talker(WebSocket):
    def __init__(self, k, group, uid):
        super().__init__(k.address, f"/t/{group}/ws?u={uid}")
        self.uid = uid
        self.got, self.end, self.thread = [], None, None

    def say(self, data):
        """Without the work of a mask."""
        self.write(frame(TEXT if isinstance(data, str) else BINARY, data,
                         mask=bytes(4)))

    def listen(self):
        """Keep all that comes, of large ones the length."""
        def run():
            self.sock.settimeout(wait.limit(60))    # others are silent for long
            try:
                while True:
                    m = self.recv()
                    self.got.append(m if len(m) < 99 else len(m))
            except (Ended, OSError, EOFError, AssertionError) as e:
                self.end = e
            except Exception as e:      # cut off
                self.end = e
        self.thread = threading.Thread(target=run, daemon=True)
        self.thread.start()
        return self

    def missed(self):
        return isinstance(self.end, Ended) and self.end.code == 1013 and \
            self.end.reason.decode() == MISSED


def pair(k, group, people=1):
    """(on shard 0, on shard 1): so many sockets of the group each."""
    all = [Talker(k, group, f"{group}{i}") for i in range(2 * people)]
    k.wait_group(group, [people, people])
    halves = all[:people], all[people:]
    if "/0#" in k.replicas(group)[0]["shard"]:
        return halves
    return halves[::-1]


def each(groups, side):
    return [t for g in groups for t in g[side]]


def test_a_flood_costs_no_other_group_a_message_or_a_pause(start, talk):
    """
    Seven large messages in seven groups for a shard that does not read, and many
    small ones in an eighth: these arrive.  Who misses a large one is told.
    """
    k = start(worker=talk, config=config(1), shards=2, max_shards=2)
    (b,), (c,) = pair(k, "b")
    groups = [pair(k, f"a{n}") for n in range(7)]
    for t in [b, c] + each(groups, 0) + each(groups, 1):
        t.listen()
    pid = k.stop_shard(slot=1)
    try:
        for n in range(300):
            b.say(f"{n}")
        for t in each(groups, 0):
            t.say(bytes(LARGE))
        k.wait_log("64 MiB are queued", 30)
        for n in range(300, 600):
            b.say(f"{n}")
        # It is read all the while: it hears itself.
        wait.until(lambda: len(b.got) == 600)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait.until(lambda: len(c.got) == 600, 20)
    assert c.got == b.got == [str(n) for n in range(600)]
    wait.until(lambda: all(t.got == [LARGE] or t.missed()
                           for t in each(groups, 1)), 20,
               lambda: [(t.got, t.end) for t in each(groups, 1)])
    lost = sum(t.missed() for t in each(groups, 1))
    assert 0 < lost < 7
    wait.until(lambda: k.status()["totals"]["gone"].get("missed") == lost)
    k.wait_log(f"has sent what waited, lost_messages={lost}")
    assert k.log().count("why=\"too much waited") == lost
    # Its application has heard it, once for each.
    wait.until(lambda: k.log().count("talk: missed something of ") == lost)
    # Who sent is still there, and so is the link.
    assert all(t.end is None for t in each(groups, 0)) and not b.end
    assert k.shard(1)["pid"] == pid and "lost_bytes" not in k.log()
    b.say("and on")
    wait.until(lambda: c.got[-1] == "and on")
    k.exact()


@pytest.mark.parametrize("how", ["whisper u", "topic x"])
def test_only_those_are_closed_who_miss_something(start, talk, how):
    """A whisper is lost for its target, a publication for its subscribers."""
    k = start(worker=talk, config=config(8), shards=2, max_shards=2)
    here, there = pair(k, "g", 8)
    u, v = there[0], there[1]
    u.say("join x")
    assert u.recv() == "joined"
    for t in here + there:
        t.listen()
    head = (how if how[0] == "t" else f"whisper {u.uid}").encode() + b" "
    pid = k.stop_shard(slot=1)
    try:
        v_hears = ["before", "after"]
        here[0].say("before")
        for t in here:
            t.say(head + bytes(LARGE))
        k.wait_log("64 MiB are queued", 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait.until(lambda: u.end is not None, 20)
    assert u.missed(), u.end
    here[0].say("after")
    for t in there[1:]:
        wait.until(lambda: t.got[-1:] == ["after"], 20)
        assert t.got == v_hears and t.end is None
    assert u.got[0] == "before" and set(u.got[1:]) <= {LARGE + len(head)}
    assert all(t.end is None for t in here)


def test_who_cannot_be_paused_is_told_to_come_again(start, talk):
    """
    A message over HTTP, while much of its group waits: nobody hears it.  Memory is full
    of the digit 3, which no length may depend on.
    """
    k = start(worker=talk, config=config(3), shards=2, max_shards=2,
              env={"MALLOC_PERTURB_": str(0xff ^ ord("3"))})
    here, there = pair(k, "g", 3)
    for t in here + there:
        t.listen()

    def heard():
        return [(t.got, t.end) for t in here + there]

    def all_hear(*messages):
        wait.until(lambda: all(len(t.got) >= len(messages) for t in here + there), 20,
                   heard)
        assert heard() == [(list(messages), None)] * 5

    def say():
        with http.Http(k.address) as c:
            r = c.ask("POST", "/t/g/say", body=b"7")
            return r.status, int(r.body)

    here.pop().write(close_frame(1000))     # who asks is served there
    k.wait_group("g", [2, 3] if "/0#" in k.replicas("g")[0]["shard"]
                 else [3, 2])
    small = bytes(7)
    assert say() == (200, 0)
    all_hear(small)
    pid = k.stop_shard(slot=1)
    try:
        for t in here:
            t.say(bytes(LARGE))
        wait.until(lambda: all(t.got.count(LARGE) == 2 for t in here), 20)
        assert {say() for _ in range(4)} == {(503, errno.EAGAIN)}
    finally:
        os.kill(pid, signal.SIGCONT)
    all_hear(small, LARGE, LARGE)
    assert say() == (200, 0)
    all_hear(small, LARGE, LARGE, small)


def test_who_leaves_says_first_what_waits(start, talk):
    """Its clients have gone; what they said has not been sent yet."""
    k = start(worker=talk, config=config(2), shards=2, max_shards=2)
    here, there = pair(k, "g", 2)
    for t in here + there:
        t.listen()
    pid = k.stop_shard(slot=1)
    try:
        for t in here:
            t.say(bytes(LARGE))
        wait.until(lambda: all(len(t.got) == 2 for t in here), 20)
        k.kill_shard(slot=0, signo=signal.SIGTERM)
        wait.until(lambda: all(isinstance(t.end, Ended) for t in here), 20)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait.until(lambda: all(t.got == [LARGE, LARGE] for t in there), 20,
               lambda: [(t.got, t.end) for t in there])
    assert all(t.end is None for t in there)


def test_a_whisper_to_a_name_that_nobody_can_have(start):
    """It is too long for a uid: it reaches nobody, and nothing waits behind it."""
    k = start(shards=2, max_shards=2, limit=1)
    with WebSocket(k.address, "/lobby/g/ws?u=a") as a, \
            WebSocket(k.address, "/lobby/g/ws?u=b") as b:
        k.wait_group("g", [1, 1])
        long = "z" * 600
        assert http.get(k, f"/lobby/g/whisper?target={long}").text == "DONE"
        a.send('{"type": "msg", "text": "/w %s hi"}' % long)
        a.send('{"type": "msg", "text": "and on"}')
        while '"and on"' not in b.recv().replace(": ", ":"):
            pass
