"""
A shard dies of each signal that kills, at each moment: of what a client sends, of a timer, of
a step that is decided or has taken effect, before and after a send, and a burst of them.  Who
was at rest goes on; who was amid something is known by name; who kills twice is stopped.  And
where the signal asks it to leave, at the same moments, what is under way is done first.
"""
import random
import re
import shutil
import signal

import pytest
from kit import wait
from kit.kennel import KILLAT, Ports, alive
from kit.raw import Raw
from kit.wire import Closed
from kit.ws import TEXT, Ended, WebSocket, frame

# A sanitizer takes most of them for a fault of ours.
SIGNALS = [signal.SIGKILL, signal.SIGABRT] + ([] if wait.SANITIZED else [
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL])
SAID = r"its connections survived=(\d+) lost=(\d+) ms=\d+([^\n]*)"
CONFIG = """
[worker]
io_uring = yes

[route survivor]
path = /s/{group}/*
app = survivor
group = path:group
uid = query:u
limit = %d
"""


class Room:
    """n clients in a group, of whom one is eve."""

    def __init__(self, k, n):
        self.k = k
        self.eve = WebSocket(k.address, "/s/g/ws?u=eve")
        self.others = [WebSocket(k.address, f"/s/g/ws?u=u{i}") for i in range(n - 1)]
        self.covered(n)
        self.dead = 0

    def covered(self, n):
        wait.until(lambda: self.k.status()["covered"] == n, 20)

    def deaths(self, n):
        """So many more, of which the connections are somewhere: what the log says of each."""
        self.dead += n
        wait.until(lambda: len(re.findall(SAID, self.k.log())) >= self.dead, 30)
        wait.until(lambda: len(self.k.shards()) >= 2, 30)
        return [(int(a), int(b), c) for a, b, c in re.findall(SAID, self.k.log())][-n:]

    def asker(self):
        """Somebody, and the process that it is in."""
        ws = random.choice(self.others)
        ws.send("q")
        while not (m := ws.recv()).startswith("q "):
            pass
        return ws, self.k.shard(int(m[2:]))["pid"]

    def step(self, text):
        """
        Somebody's step kills two, and is refused.  Where the one who decides first is in
        the same process, nobody asks again, and it has killed one.
        """
        refused = self.k.log().count("is refused from now on")

        def is_refused():
            return self.k.log().count("is refused from now on") > refused
        while not is_refused():
            wait.until(lambda: len(self.k.shards()) >= 3 and
                       len(self.k.replicas("g")) >= 2, 30)
            ws, pid = self.asker()
            ws.send(text)
            wait.until(lambda: is_refused() or not alive(pid), 30)
        n = len(self.others) + 1
        wait.until(lambda: sum(s["connections"] for s in self.k.shards()) == n, 30)
        self.covered(n)
        assert self.k.status()["totals"]["lost_by_death"] == 0
        # Of one that had nobody yet nothing is said.
        self.dead = len(re.findall(SAID, self.k.log()))

    def heard(self, ws, text):
        ws.send(f"e {text}")
        while ws.recv() != f"e {text}":
            pass

    def all_hear(self, text):
        self.eve.send(f"c {text}")
        for ws in [self.eve, *self.others]:
            assert ws.recv() == f"c eve {text}"

    def all_go_on(self, text):
        for ws in self.others:
            self.heard(ws, text)


@pytest.mark.parametrize("signo", SIGNALS, ids=lambda s: s.name)
def test_what_it_dies_of(start, survivor, signo):
    """17"""
    k = start(shards=3, worker=survivor, config=CONFIG % 30, deaths={signo})
    room = Room(k, 60)
    # A timer is nobody's.
    for n in range(2):
        room.eve.send(f"later {int(signo)}")
        assert room.deaths(1)[0][1:] == (0, "")
        room.heard(room.eve, f"timer {n}")
    # Two die of a step that they decide, or of its news, and no third.
    for kind in "step", "news":
        room.step(f"{kind} {int(signo)}")
        room.all_go_on(kind)
    # A message: the first time its sender goes on, and if it has behaved since, again.
    for _ in range(2):
        room.eve.send(f"die {int(signo)}")
        assert room.deaths(1)[0][1:] == (0, "")
        room.heard(room.eve, "well")
    for n in range(2):
        room.eve.send(f"die {int(signo)}")
        assert room.deaths(1)[0][1:] == ((0, "") if n == 0 else (1, " poison=1"))
    with pytest.raises(Ended) as e:
        while True:
            room.eve.recv()
    assert e.value.code == 1012
    room.all_go_on("the end")
    room.covered(59)
    k.exact()
    for ws in room.others:
        ws.close()
    k.wait_places(0)


def killer(tmp, step, when, signo, least, nth=1):
    return {"LD_PRELOAD": shutil.copy(KILLAT, tmp), "KILLAT_COMM": "survivor",
            "KILLAT_STEP": step, "KILLAT_WHEN": when, "KILLAT_DO": str(-int(signo)),
            "KILLAT_BYTES": str(least), "KILLAT_MARK": str(tmp / "mark"),
            "KILLAT_NTH": str(nth)}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("signo", SIGNALS, ids=lambda s: s.name)
def test_amid_a_burst(start, survivor, tmp_path, signo, when):
    """
    17: The moment is that of the call.  All of what it was to write has gone out, or none:
    all go on, and the kernel is asked of those whom it was for.
    """
    k = start(shards=2, worker=survivor, deaths={signo}, config=CONFIG % 200,
              env=killer(tmp_path, "burst", when, signo, 100, 2))
    room = Room(k, 120)
    room.all_hear("before")
    rest = [WebSocket(k.address, f"/s/h{i}/ws?u=r{i}") for i in range(40)]
    room.covered(160)
    shard = next(s for s in k.shards() if s["connections"] >= 120)
    room.eve.send("c to all")
    assert room.deaths(1) == [(shard["connections"], 0, " whole=120")]
    for ws in [room.eve, *room.others]:
        assert ws.recv() == ("c eve to all" if when == "after" else "resumed ")
    for ws in [room.eve, *room.others, *rest]:
        room.heard(ws, "still there")
    room.covered(160)
    k.exact()


@pytest.mark.parametrize("when", ["before", "after"])
def test_amid_a_burst_behind_a_journey(start, survivor, tmp_path, when):
    """17: What another shard wrote to them counts, too."""
    k = start(shards=1, max_shards=1, worker=survivor, deaths=True, config=CONFIG % 200,
              env=killer(tmp_path, "burst", when, signal.SIGKILL, 100))
    room = Room(k, 60)
    room.all_hear("there")
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 20)
    k.ctl("commit")
    room.all_hear("here")
    room.others += [WebSocket(k.address, f"/s/g/ws?u=v{i}") for i in range(60)]
    room.covered(120)
    room.eve.send("c to all")
    wait.until(lambda: " whole=120" in k.log(), 30)
    assert k.status()["totals"]["lost_by_death"] == 0
    for ws in [room.eve, *room.others]:
        assert ws.recv() == ("c eve to all" if when == "after" else "resumed ")
    room.all_go_on("well")
    k.exact()


@pytest.mark.parametrize("signo", SIGNALS, ids=lambda s: s.name)
def test_a_part_in_a_burst(start, survivor, tmp_path, signo):
    """
    17: Who gets more in it than the kernel takes is cut off amid that; all the others, who got
    all of theirs in the same burst, go on.
    """
    k = start(shards=2, worker=survivor, deaths={signo},
              config=CONFIG.replace("io_uring", "out_max = 64M\nio_uring") % 200,
              env=killer(tmp_path, "burst", "after", signo, 60))
    room = Room(k, 60)
    room.eve.sock.sendall(frame(TEXT, b"big 30000000") + frame(TEXT, b"c to all"))
    (survived, lost, why), = room.deaths(1)
    assert survived >= 59 and (lost, why) == (1, " whole=59 amid-out=1")
    with pytest.raises(Closed) as e:
        room.eve.recv()
    assert 0 < len(e.value.so_far) < 30000000
    for ws in room.others:
        assert ws.recv() == "c eve to all"
    room.all_go_on("well")
    room.covered(59)
    k.exact()
    for ws in room.others:
        ws.close()


def test_a_message_in_parts(start, survivor):
    """17: All of its first part has gone out, but it is half a message."""
    port = Ports.take()
    k = start(shards=1, max_shards=1, worker=survivor, deaths=True,
              config=CONFIG.replace("io_uring", "out_max = 16K\nio_uring") % 200 + f"""
[listener lines]
address = 127.0.0.1:{port}
app = survivor
""")
    with Raw(("127.0.0.1", port), hello=False) as raw, \
            Raw(("127.0.0.1", port), hello=False) as other:
        assert raw.ask("e there") == "e there" and other.ask("e there") == "e there"
        wait.until(lambda: k.status()["covered"] == 2, 20)
        raw.s.sendall(b"parts 60000\n")
        k.wait_log(r"its connections survived=\d lost=1 ms=\d+ amid-out=1", 30)
        heard = b""
        while more := raw.s.recv(1 << 16):
            heard += more
        assert heard == b"x" * 60000
        assert other.line() == "resumed "
        assert other.ask("e well") == "e well"


@pytest.mark.parametrize("step,when", [("read", "after"), ("write", "before"),
                                       ("write", "after")])
@pytest.mark.parametrize("signo", SIGNALS, ids=lambda s: s.name)
def test_amid_a_call(start, survivor, tmp_path, signo, step, when):
    """
    17: A recv or a send for one client.  It ends, if what was read is not known; what was
    written is.
    """
    text = "e " + "x" * 79
    n = len(text) + (6 if step == "read" else 2)
    k = start(shards=2, worker=survivor, deaths={signo}, config=CONFIG % 200,
              env=killer(tmp_path, step, when, signo, n))
    room = Room(k, 60)
    room.eve.send(text)
    said = room.deaths(1)[0][1:]
    if step == "read":
        assert said == (1, " amid-in=1")
        with pytest.raises(Ended) as e:
            room.eve.recv()
        assert e.value.code == 1012
    else:
        assert said == (0, " whole=1")
        assert room.eve.recv() == (text if when == "after" else "resumed ")
        room.heard(room.eve, "well")
    room.all_go_on("well")
    room.covered(59 if step == "read" else 60)
    k.exact()
    for ws in room.others:
        ws.close()


# ---- asked to leave ----

def homes(room):
    """By process, who is there."""
    pids = {s["slot"]: s["pid"] for s in room.k.shards()}
    there = {pid: [] for pid in pids.values()}
    for ws in [room.eve, *room.others]:
        ws.send("q")
        while not (m := ws.recv()).startswith("q "):
            pass
        there[pids[int(m[2:])]].append(ws)
    return there


def leave(room, there, n):
    """
    So many processes leave, and none dies; whoever is there hears whole messages and why it
    is closed.  By client, what each heard before that; all others are served.
    """
    wait.until(lambda: sum(not alive(pid) for pid in there) == n, 30)
    heard = {}
    for ws in [ws for pid in there if not alive(pid) for ws in there[pid]]:
        heard[ws] = []
        with pytest.raises(Ended) as e:
            while True:
                heard[ws].append(ws.recv())
        assert e.value.code == 1001
    for ws in [ws for pid in there if alive(pid) for ws in there[pid]]:
        room.heard(ws, "still there")
    log = room.k.log()
    assert "died signal" not in log and "its connections survived" not in log
    room.k.wait_places(sum(map(len, there.values())) - len(heard), 20)
    room.k.exact()
    return heard


@pytest.mark.parametrize("moment", ["die", "later", "step", "news"])
def test_asked_to_leave_amid_a_callback(start, survivor, moment):
    """17: It comes back from there, and what it was told next is done, too."""
    k = start(shards=3, worker=survivor, config=CONFIG % 30)
    room = Room(k, 60)
    there = homes(room)
    hers = next(pid for pid in there if room.eve in there[pid])
    # All that have somebody of the group hear what a step has changed.
    n = sum(map(bool, there.values())) if moment == "news" else 1
    room.eve.write(frame(TEXT, f"{moment} {int(signal.SIGTERM)}") + frame(TEXT, "e next"))
    heard = leave(room, there, n)
    if moment in ("die", "later"):
        assert not alive(hers)
    if room.eve in heard:
        assert heard[room.eve] == ["e next"]


@pytest.mark.parametrize("step,when", [
    ("burst", "before"), ("burst", "after"), ("read", "after"), ("write", "before"),
    ("write", "after")])
def test_asked_to_leave_amid_a_call(start, survivor, tmp_path, step, when):
    """17: What is read is answered, and all hear what is written."""
    text = "e " + "x" * 79
    n = {"burst": 100, "read": len(text) + 6, "write": len(text) + 2}[step]
    k = start(shards=2, worker=survivor, config=CONFIG % 200,
              env=killer(tmp_path, step, when, signal.SIGTERM, n))
    room = Room(k, 120)
    there = homes(room)
    room.eve.send("c to all" if step == "burst" else text)
    heard = leave(room, there, 1)
    assert room.eve in heard and len(heard) == 120
    for ws in heard:
        assert heard[ws] == (["c eve to all"] if step == "burst" else
                             [text] if ws is room.eve else [])
