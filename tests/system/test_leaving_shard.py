"""A shard that leaves takes nobody new; others start whatever waits."""
import os
import signal
import threading
import time

from kit import kennel as kits
from kit import wait
from kit.chat import Chat, barrier, crowd, said, settle
from kit.http import get
from kit.probe import CONFIG, Probe
from kit.wire import Closed
from kit.ws import Ended, WebSocket

SLOW_DRAIN = "[gateway]\ndrain = 20s\n"


def stubborn(k, n=1):
    """Sockets that do not answer a close frame: their shard stays a while."""
    return [WebSocket(k.address) for _ in range(n)]


def knock(k):
    """A newcomer's whole visit."""
    with WebSocket(k.address) as c:
        c.send("x")
        assert c.recv() == "x"


def test_newcomers_go_to_others(start):
    """None of them is refused, however many come meanwhile."""
    k = start(shards=3, redis="none", config=SLOW_DRAIN)
    held = stubborn(k, 9)
    pid = k.shard(0)["pid"]
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 1
    n = 0
    while time.monotonic() < end or n < 50:
        try:
            knock(k)
        except Ended as e:      # it was there a moment before the signal
            assert e.code == 1001 and n < 5
        n += 1
    assert k.status()["totals"]["refused"] == 0
    assert k.shard(0)["state"] == "leaving"
    for c in held:
        c.close()
    wait.until(lambda: (s := k.shard(0))["state"] == "ready" and
               s["pid"] != pid, 30)


def test_pong_does_not_bring_it_back(start):
    """Pings are answered while it leaves; it stays leaving."""
    k = start(shards=2, redis="none",
              config="[gateway]\ndrain = 20s\nwatchdog = 1s\n")
    held = stubborn(k, 4)
    os.kill(k.shard(0)["pid"], signal.SIGTERM)
    wait.until(lambda: k.shard(0)["state"] == "leaving")
    count = k.shard(0)["connections"]
    end = time.monotonic() + 1
    while time.monotonic() < end:
        knock(k)
        assert k.shard(0)["state"] == "leaving"
        assert k.shard(0)["connections"] <= count
    for c in held:
        c.close()


def test_the_only_shard_leaves(start):
    """Another is started for newcomers, max_shards or not."""
    k = start(shards=1, max_shards=1, redis="none", config=SLOW_DRAIN)
    held = stubborn(k)
    pid = k.shard(0)["pid"]
    os.kill(pid, signal.SIGTERM)
    wait.until(lambda: k.shard(0)["state"] == "leaving")
    for _ in range(20):
        knock(k)
    assert [s["slot"] for s in k.shards()] == [1]
    for c in held:
        c.close()
    wait.until(lambda: not kits.alive(pid), 30)
    # As many as may be: the first slot stays free.
    wait.until(lambda: [(s["slot"], s["state"]) for s in
                        k.status()["shards"]] == [(1, "ready")])
    # When that one dies, there is one again.
    k.kill_shard(1)
    wait.until(lambda: len(k.shards()) == 1)
    knock(k)


def test_it_decides_until_it_is_empty(start):
    """A group whose authority leaves goes on in one order."""
    k = start(shards=2, redis="none", config=SLOW_DRAIN)
    a, b, c = crowd(k, "g", "abc")
    settle(a, b, c)
    pid = next(s["pid"] for s in k.shards() if s["address"] == a.shard())
    os.kill(pid, signal.SIGTERM)
    d = Chat(k, "g", "d")
    settle(c, d)
    for i in range(20):
        c.say(str(i))
    assert said(barrier(c, d)[1]) == [str(i) for i in range(20)]
    for p in a, b:
        assert p.end() == 1001
        p.close()
    wait.until(lambda: not kits.alive(pid), 30)
    c.say("after")
    assert d.next(type="user:msg")["text"] == "after"
    k.exact()
    for p in c, d:
        p.close()


def test_a_new_gateway_lets_it_leave(start):
    """It says so again; whom it serves keeps its time."""
    k = start(shards=2, redis="none", config=SLOW_DRAIN)
    held = stubborn(k, 4)
    shard = k.shard(0)
    os.kill(shard["pid"], signal.SIGTERM)
    wait.until(lambda: k.shard(0)["state"] == "leaving")
    k.kill_gateway()
    k.start()
    wait.until(lambda: k.shard(0)["state"] == "leaving")
    assert k.shard(0)["incarnation"] == shard["incarnation"]
    for _ in range(20):
        knock(k)
    assert k.shard(0)["connections"] <= shard["connections"]
    for c in held:
        c.close()
    wait.until(lambda: k.shard(0)["pid"] != shard["pid"], 30)


def test_one_that_does_not_leave_is_killed(start):
    k = start(shards=2, redis="none", config="[gateway]\ndrain = 100ms\n")
    held = stubborn(k, 2)
    pid = k.kill_shard(0, signo=signal.SIGTERM)
    wait.until(lambda: k.shard(0)["pid"] != pid or
               k.shard(0)["state"] == "leaving")
    if kits.alive(pid):
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            pass
    wait.until(lambda: not kits.alive(pid), 20)
    for c in held:
        c.close()
    wait.until(lambda: len(k.shards()) == 2)


def test_all_are_told_to_leave_while_many_come(start):
    """What is on its way is placed afresh, not refused."""
    k = start(shards=4, redis="none")
    codes, stop = [], threading.Event()

    def visit():
        while not stop.is_set():
            try:
                knock(k)
                codes.append(200)
            except (Ended, Closed):
                codes.append(1001)
            except Exception as e:
                codes.append(repr(e))
    ts = [threading.Thread(target=visit) for _ in range(4)]
    for t in ts:
        t.start()
    for round in range(3):
        wait.until(lambda: len(k.shards()) >= 4, 20)
        for s in k.shards():
            os.kill(s["pid"], signal.SIGTERM)
        n = len(codes)
        wait.until(lambda: len(codes) > n + 50, 20)
    stop.set()
    for t in ts:
        t.join()
    assert [c for c in codes if c not in (200, 1001)] == []
    assert k.status()["totals"]["refused"] == 0


def crash(k, n):
    """All n shards, again and again, until all wait, for a second or more."""
    seen = set()
    for _ in range(5):
        wait.until(lambda: len(k.shards()) == n and
                   not seen & {s["pid"] for s in k.shards()}, 20)
        mark = len(k.log())
        dead = {k.kill_shard(pid=s["pid"]) for s in k.shards()}
        wait.until(lambda: not dead & {s["pid"] for s in
                                       k.status()["shards"]})
        seen |= dead
    wait.until(lambda: k.log(mark).count(" state=waiting") == n)


def test_full_groups_grow_while_a_slot_waits(start):
    """The second crash in a row makes its slot wait; others may start."""
    k = start(shards=1, max_shards=8, limit=1, redis="none")
    crash(k, 1)
    a, b = Chat(k, "g", "a"), Chat(k, "g", "b")
    settle(a, b)
    for p in a, b:
        p.close()


def test_two_deaths_of_all_refuse_nobody(start):
    """A plain request is served, too: some shard is needed for it."""
    for visit in (knock, lambda k: get(k, "/healthz").status == 200 or 1 / 0):
        k = start(shards=2, redis="none")
        crash(k, 2)
        visit(k)
        assert k.status()["totals"]["refused"] == 0


def test_growth_that_crashes_is_slowed_down(start, tmp_path):
    """A worker that is broken is not started with each newcomer."""
    broken, starts = tmp_path / "broken", tmp_path / "starts"
    worker = tmp_path / "worker"
    worker.write_text(f"""#!/bin/sh
echo x >> '{starts}'
[ -e '{broken}' ] && exit 1
exec '{kits.SHARDD}' "$@"
""")
    worker.chmod(0o755)
    k = start(shards=1, limit=1, redis="none", worker=str(worker),
              config=kits.default_routes(), deaths=True)
    a = Chat(k, "g", "a")
    broken.touch()
    end = time.monotonic() + 3
    before = starts.stat().st_size // 2
    while time.monotonic() < end:
        try:
            Chat(k, "g", "b").close()
            assert False, "there is no room"
        except Exception as e:
            assert "503" in repr(e), e
    assert 1 <= starts.stat().st_size // 2 - before <= 20
    broken.unlink()
    b = Chat(k, "g", "b")
    settle(a, b)
    for p in a, b:
        p.close()


IDLE = "[gateway]\nidle_shard = 1s\n"


def test_shards_on_demand_leave_when_idle(start):
    """24: One at a time, down to as many as there were."""
    k = start(shards=1, max_shards=6, limit=1, redis="none", config=IDLE)
    people = crowd(k, "g", "abcdef")
    settle(*people)
    for i in reversed(range(6)):    # idle in this order, or all at once
        people[i].close()
        k.wait_places(i)
    order = [5, 4, 3, 2, 1]
    wait.until(lambda: [s["slot"] for s in k.status()["shards"]] == [0], 60)
    left = [int(l.split("slot=")[1].split()[0]) for l in k.log().splitlines()
            if "served nobody" in l]
    assert sorted(left, reverse=True) == order
    # Each had left before the next one was told to.
    lines = [l for l in k.log().splitlines()
             if "served nobody" in l or " left status=0" in l]
    assert ["left" in l for l in lines] == [False, True] * 5
    knock(k)
    b = crowd(k, "g", "ab")         # and they come again
    settle(*b)
    for p in b:
        p.close()


def test_one_that_serves_somebody_stays(start, installed):
    """Who cannot move, above all; an idle one below leaves."""
    k = start(shards=1, max_shards=3, redis="none", worker=installed.worker("probe.c"),
              config=IDLE + CONFIG % 1)
    a, b, c = [Probe(k, "g", uid) for uid in "abc"]
    newest = k.shard(2)["pid"]
    last = next(p for p in (a, b, c) if p.who()["pid"] == newest)
    for p in a, b, c:
        if p is not last:
            p.close()
    wait.until(lambda: [s["slot"] for s in k.status()["shards"]] == [0, 2], 30)
    assert k.shard(2)["pid"] == newest
    last.close()
    wait.until(lambda: [s["slot"] for s in k.status()["shards"]] == [0], 30)


def test_a_worker_that_leaves_at_once_is_slowed_down(start, tmp_path):
    """Leaving in order is no crash, but so soon it is no use either."""
    quick, worker = tmp_path / "quick", tmp_path / "worker"
    worker.write_text(f"""#!/bin/sh
[ -e '{quick}' ] && (sleep 0.2; kill $$) &
exec '{kits.SHARDD}' "$@"
""")
    worker.chmod(0o755)
    k = start(shards=1, redis="none", worker=str(worker), deaths=True)
    quick.touch()
    k.kill_shard(0)
    wait.until(lambda: k.shard(0)["state"] == "waiting", 30)
    quick.unlink()
    wait.until(lambda: len(k.shards()) == 1 and
               k.shard(0)["uptime_ms"] > 1500, 30)
