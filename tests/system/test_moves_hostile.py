"""
Clients that flood, never read, close, half-close or reset while they are between two
shards.  That moment is hit surely: the new shard stops itself (SIGSTOP) when it unpacks the
first of them; all of them have been sent by then, or are frozen in the old one.  However that
ends, each client ends once, at one shard; nothing is left of it; nobody else notices.
"""
import os
import re
import signal
import threading
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.kennel import Ports, state
from kit.look import Page, queues
from kit.mover import Crowd, Mover, routes
from kit.stopat import StopAt
from kit.victim import AMID, KINDS, SPEAKS, Victim
from kit.wire import Wire

CONFIG = """
[gateway]
drain = 10m
watchdog = 10m

[worker]
deflate = yes
out_max = 16M
ping_interval = 1h

[listener lines]
address = 127.0.0.1:%d
app = mover
group = const:g
uid = const:raw
limit = 9
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("mover.c")


def seconds(pid):
    """Of processor, so far."""
    with open(f"/proc/{pid}/stat") as f:
        w = f.read().rsplit(")", 1)[1].split()
    return (int(w[11]) + int(w[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    """KiB."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def sockets(pid):
    """
    How many of TCP a process has open, in whatever state.  Each descriptor says so itself:
    /proc/net/tcp lacks some, and what changes while /proc/net is read may hide others.
    """
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += os.getxattr(f"/proc/{pid}/fd/{fd}",
                             "system.sockprotoname").startswith(b"TCP")
        except OSError:
            continue            # no socket, or closed meanwhile
    return n


class Scene:
    """
    Eight of a group in one shard: one of each kind, and a witness; and a request, whose
    body does not end, so that the shard does not.  Nine in another one, who talk.  The
    third is empty.
    """

    def __init__(self, start, worker, tmp):
        self.stop, self.ends = str(tmp / "stop"), str(tmp / "ends")
        self.stopat = StopAt(tmp)
        port = Ports.take()
        self.k = k = start(shards=3, max_shards=3, worker=worker, deaths=True,
                           config=CONFIG % port + routes(9),
                           env={"MOVER_STOP": self.stop, "MOVER_ENDS": self.ends,
                                **self.stopat.env})
        # Its two listeners; copies of them are on their way to its shards first.
        self.idle = 2
        wait.until(lambda: sockets(k.pid) == self.idle, 20, lambda: sockets(k.pid))
        self.victims = [Victim(k, kind, port) for kind in KINDS]
        self.crowd = Crowd([Mover(k, "g", "witness")])
        self.witness = self.crowd.movers[0]
        self.request = Wire(k.address)
        self.request.write(b"POST /m/g/stream?u=request HTTP/1.1\r\nHost: kennel\r\n"
                           b"Content-Length: 9\r\n\r\nhalf")
        self.old = wait.until(lambda: next(
            s for s in k.shards() if s["connections"] == 9), 20)
        for i in range(9):
            self.crowd.add(Mover(k, "g", f"t{i}"))
        for m in self.crowd.movers:
            m.topics = set()
        self.talkers = self.crowd.movers[1:]
        self.new = next(s for s in k.shards() if s["connections"] == 0)
        self.third = next(s for s in k.shards() if s["slot"] not in (
            self.old["slot"], self.new["slot"]))
        with Page(self.old["pid"]) as page:
            for v in self.victims:
                v.begin()
            wait.until(lambda: self.rest(page) == dict.fromkeys(
                [*KINDS, "witness"], "rest") | dict.fromkeys(AMID, "in"), 20)
        self.base = 2           # listeners, for its successor
        wait.until(lambda: sockets(self.new["pid"]) == self.base, 20)
        wait.until(lambda: k.status()["covered"] == 17, 20)

    def freeze(self):
        """
        They are on their way now, and stay so for two seconds.  False: not all of them,
        for some were expected there before the others; or the two seconds were over
        before one could look.
        """
        with Page(self.old["pid"]) as page:
            before = self.rest(page)
            open(self.stop, "w").close()
            self.k.ctl("drain", str(self.old["slot"]), "--no-wait")
            wait.until(lambda: state(self.new["pid"]) == "T", 20, "the new one stopped")
            now = self.rest(page)
        # Who is amid something is that first of all.
        return now == {uid: "going" if rest == "rest" else rest
                       for uid, rest in before.items()}

    def pause(self):
        """
        They are not read from now on, for half a second: the third shard has answered
        the old one's first question, and hangs at the second.  False: that was over
        before one could look.
        """
        self.stopat.order(self.old["pid"], "FENCE", 2, signal.SIGSTOP, self.third["pid"])
        self.k.ctl("drain", str(self.old["slot"]), "--no-wait")
        wait.until(self.stopat.happened, 20)
        self.witness.command("e there")
        end, unread = time.monotonic() + 0.1, True
        while unread and time.monotonic() < end:
            unread = queues(self.witness.sock)[1] > 0
        return unread

    @staticmethod
    def rest(page):
        return {c["uid"]: c["rest"] for c in page.all()}

    def talk(self, n=3):
        for m in self.talkers[:n]:
            m.say("c")
            m.say("w", "witness")
        self.crowd.turn()

    def outcome(self, how):
        """What becomes of the journey."""
        new, old = self.new["pid"], self.old["pid"]
        if how == "given-back":
            self.k.wait_log("the other shard does not answer", 20)
            with Page(old) as page:
                wait.until(lambda: "going" not in self.rest(page).values(), 20)
        elif how == "new-dies":
            self.k.kill_shard(pid=new)
        elif how == "old-dies":
            self.k.kill_shard(pid=old)
            wait.until(lambda: not kits.alive(old), 20)
        if how != "new-dies":
            os.kill(new, signal.SIGCONT)

    def leave(self):
        """Whatever has become of it: it can end."""
        for pid in self.new["pid"], self.third["pid"]:
            if kits.alive(pid):
                os.kill(pid, signal.SIGCONT)

    def abandon(self):
        """It is not to wait for anybody."""
        self.leave()
        for sock in [self.request, *self.victims, *self.crowd.movers]:
            sock.sock.close()

    def gone(self):
        """How often each one's end was told: by uid."""
        with open(self.ends) as f:
            lines = [line.split(" ") for line in f.read().splitlines()]
        uids = [w[1] for w in lines if len(w) == 2]
        return {uid: uids.count(uid) for uid in uids}

    def settle(self, left):
        """So many are left; each word was heard, and nothing else is anywhere."""
        k = self.k
        k.wait_places(left + self.requests(), 20)
        wait.until(lambda: k.status()["moving"] == 0, 30)
        self.talk(9)
        self.witness.say("C")
        self.crowd.settle()
        wait.until(lambda: k.status()["covered"] == left, 30)
        wait.until(lambda: sum(s["connections"] for s in self.running()) ==
                   left + self.requests(), 20)
        for s in self.running():
            wait.until(lambda: sockets(s["pid"]) == self.base + k.shard(
                s["slot"])["connections"], 20, lambda: f"{sockets(s['pid'])} of {s['pid']}, "
                f"{self.base} were there before")
        wait.until(lambda: sockets(k.pid) == self.idle + left, 20, lambda:
                   f"{sockets(k.pid)} of the gateway, {self.idle} were there before")
        k.exact()

    def running(self):
        """Those that leave, too."""
        return [s for s in self.k.status()["shards"] if s["pid"] > 0]

    def requests(self):
        """It ends with its shard only."""
        return kits.alive(self.old["pid"])

    def close(self):
        """The others leave; then of each one the end was told, once."""
        self.crowd.close()
        self.request.close()
        for v in self.victims:
            v.sock.close()
        self.k.wait_places(0, 20)
        want = {v.uid for v in self.victims} | {m.uid for m in self.crowd.movers}
        wait.until(lambda: set(self.gone()) == want, 20)
        assert set(self.gone().values()) == {1}


OUTCOMES = "adopted", "given-back", "new-dies", "old-dies"


@pytest.fixture
def frozen(start, worker, tmp_path):
    """frozen(prepare): a scene that was prepared, and all of it is on its way."""
    scenes = []

    def make(prepare=lambda scene: None):
        for i in range(5):
            (tmp_path / str(i)).mkdir()
            scenes.append(Scene(start, worker, tmp_path / str(i)))
            prepare(scenes[-1])
            if scenes[-1].freeze():
                return scenes[-1]
            scenes[-1].abandon()
        raise AssertionError("they are never frozen all together")
    yield make
    for s in scenes:
        s.abandon()


@pytest.mark.parametrize("how", OUTCOMES)
@pytest.mark.parametrize("then", ["reads", "resets"])
def test_they_flood(frozen, how, then):
    """
    14: What they send stays in the kernel, which has bounds; then all of it is answered, or,
    if they do not want to know, of no interest.
    """
    scene = frozen()
    before = memory(scene.old["pid"]), memory(scene.k.pid)
    floods = [threading.Thread(target=v.flood) for v in scene.victims]
    for t in floods:
        t.start()
    for t in floods:
        t.join()
        scene.talk()
    assert all(v.sent > 100000 for v in scene.victims)
    after = memory(scene.old["pid"]), memory(scene.k.pid)
    # From then on the shard reads them again.
    late = "the other shard does not answer" in scene.k.log()
    for m, n in zip(after, before):
        assert wait.SANITIZED or late or m < n + 2048, "not in the kernel"
    scene.outcome(how)
    if then == "reads":
        for v in scene.victims:
            if v.kind in SPEAKS:
                v.answered()
        left = 10 + len(SPEAKS)
    else:
        for v in scene.victims:
            v.reset()
        left = 10
    scene.settle(left)
    scene.close()


@pytest.mark.parametrize("how", OUTCOMES)
def test_they_read_what_they_are_owed(frozen, how):
    """14: What the kernel has already; the rest comes from whoever has them then, and once."""
    owed = "ws", "raw"

    def owe(scene):
        for v in scene.victims:
            if v.kind in owed:
                v.owe(30000)
        with Page(scene.old["pid"]) as page:
            wait.until(lambda: all(page.rest(kind) == "out" for kind in owed), 20)
    scene = frozen(owe)
    victims = [v for v in scene.victims if v.kind in owed]
    for v in victims:
        assert 0 < v.read() < 5500000
        scene.talk()
    scene.outcome(how)
    for v in victims:
        v.paid()
    scene.settle(17)
    scene.close()


@pytest.mark.parametrize("act", ["splash", "close_well", "asked", "half", "fin", "reset"])
def test_they_are_only_paused(start, worker, tmp_path, act):
    """14: Nobody has moved yet; then they go on, and who is left moves."""
    scene = None
    try:
        for i in range(5):
            (tmp_path / str(i)).mkdir()
            scene = Scene(start, worker, tmp_path / str(i))
            if scene.pause():
                break
            scene.abandon()
        else:
            raise AssertionError("they are read")
        acts = [threading.Thread(target=getattr(v, act)) for v in scene.victims]
        for t in acts:
            t.start()
        for t in acts:
            t.join()
    finally:
        if scene:
            scene.leave()
    ended(scene, act)
    for v in scene.victims:
        if act == "splash" and v.kind in SPEAKS:
            v.answered()
    scene.settle(10 + len(SPEAKS) * (act == "splash"))
    scene.close()


def ended(scene, act):
    """What they read to the end, who have ended and are still there."""
    for v in scene.victims if act in ("close_well", "asked", "half") else []:
        end = v.ended()
        if v.kind == "raw":
            assert end.count(b"e the first\n") == 1, end
            assert end.count(b"x bye\n") == (act == "asked") and b"e 0 " not in end
        elif v.kind in SPEAKS:
            assert end == (1006 if act == "half" else 1000), v.kind


@pytest.mark.parametrize("how", OUTCOMES)
@pytest.mark.parametrize("act", ["close_well", "asked", "half", "fin", "reset"])
def test_they_end(frozen, act, how):
    """14"""
    scene = frozen()
    used = seconds(scene.old["pid"])
    for v in scene.victims:
        getattr(v, act)()
        scene.talk()
    # Nobody asks the kernel again and again about one that has ended.
    began = time.monotonic()
    while time.monotonic() < began + 0.3:
        scene.crowd.turn(0.05)
    assert seconds(scene.old["pid"]) - used < 0.2
    scene.outcome(how)
    ended(scene, act)
    scene.settle(10)
    scene.close()
