"""
An upgrade while another shard hangs in which a part of the group is: nobody can move who has
neighbours there, and nobody is closed for that.  The gateway waits for it, as long as the
watchdog does (here a minute), and goes on when it answers.
"""
import os
import re
import signal

import pytest
from kit import wait
from kit.mover import Crowd, Mover, routes

CONFIG = """
[gateway]
upgrade_hold = 10m
move_rate = 1000
drain = 1s
watchdog = 60s
[worker]
ping_interval = 1h
"""
LONG = 20               # seconds: twice as long as nobody may move without a reason


@pytest.fixture
def scene(start, mover):
    """One group in three shards, ten of its clients in each."""
    k = start(shards=3, worker=mover, config=CONFIG + routes(10))
    crowd = Crowd([Mover(k, "g", f"u{i}") for i in range(30)])
    assert [s["connections"] for s in k.shards()] == [10, 10, 10]
    yield k, crowd
    crowd.close()


def until(k, phase):
    wait.until(lambda: k.status()["upgrade"]["phase"] == phase, 60, phase)


def passes(k, seconds):
    """So long has the gateway been at it."""
    end = k.status()["uptime_ms"] + 1000 * seconds
    wait.until(lambda: k.status()["uptime_ms"] >= end, 3 * seconds)


def talk(k, crowd):
    """All are there, hear each other, and nobody was closed."""
    for m in crowd.movers:
        m.topics = set()
        m.say("c")
    crowd.settle()
    assert not any(k.status()["totals"]["gone"].values()), k.status()["totals"]["gone"]
    k.exact()


def pace(k, rate):
    """So many move in a second, of each shard that begins to be emptied."""
    with open(k.config) as f:
        text = f.read()
    with open(k.config, "w") as f:
        f.write(re.sub(r"^move_rate = \d+", f"move_rate = {rate}", text, flags=re.M))
    assert "move_rate" in k.ctl("reload")


def amid(k, hangs, *args):
    """
    That shard hangs when the first have moved, so that those who move know it: who has to
    make a link to it first would have it killed after 10 s.  How many have moved then.
    """
    pace(k, 1)
    pid = k.shard(hangs)["pid"]
    begin = k.status()["totals"]["moved"]
    k.ctl(*args, "--no-wait")
    wait.until(lambda: k.status()["totals"]["moved"] > begin, 60)
    k.stop_shard(pid=pid)
    passes(k, 3)                    # whatever was on its way has moved, or has not
    moved = k.status()["totals"]["moved"]
    pace(k, 1000)
    if moved - begin >= 10:
        os.kill(pid, signal.SIGCONT)
        pytest.skip("the machine is too slow for this test")
    return pid, moved


def test_it_waits_for_a_shard_that_hangs(scene):
    """13: Few of them: without waiting they would be left behind, and closed at last."""
    k, crowd = scene
    pid, moved = amid(k, 2, "upgrade")
    passes(k, LONG)
    u = k.status()["upgrade"]
    assert (u["phase"], u["shards_done"], u["moved"], u["left"]) == \
        ("moving", 0, moved, 30 - moved), u
    os.kill(pid, signal.SIGCONT)
    until(k, "holding")
    assert k.status()["upgrade"]["moved"] == 30
    k.ctl("commit")
    assert len(k.shards()) == 3
    talk(k, crowd)


def test_it_goes_back_only_when_that_answers(scene):
    """13: Nor is anybody closed for a new shard that hangs when all are to come back."""
    k, crowd = scene
    old = {s["pid"] for s in k.shards()}
    k.ctl("upgrade", "--no-wait")
    until(k, "holding")
    pid, moved = amid(k, max(s["slot"] for s in k.shards()), "back")
    passes(k, LONG)
    assert k.status()["upgrade"]["phase"] == "back"
    assert k.status()["totals"]["moved"] == moved
    os.kill(pid, signal.SIGCONT)
    until(k, "none")
    assert {s["pid"] for s in k.shards()} == old
    talk(k, crowd)


@pytest.mark.parametrize("where", ["target", "other"])
def test_whoever_was_busy_goes_when_the_old_shards_leave(scene, where):
    """
    13: One could not be let go of before; at the end it can, while the shard hangs that it
    is to go to, or another one of its group: it is not closed for that, though drain is 1 s.
    """
    k, crowd = scene
    busy = crowd.movers[0]
    crowd.keep([busy])
    k.ctl("upgrade", "--no-wait")
    until(k, "holding")
    u = k.status()["upgrade"]
    assert (u["moved"], u["failed"] > 0) == (29, True), u
    crowd.keep([busy], False)
    # Where there is room is where one is missing.
    new = {s["slot"]: s["connections"] for s in k.shards() if s["generation"] == 2}
    assert sorted(new.values()) == [9, 10, 10]
    pid = k.stop_shard(next(slot for slot, n in new.items() if (n == 9) == (where == "target")))
    k.ctl("commit", "--no-wait")
    passes(k, LONG)
    assert k.status()["upgrade"]["phase"] == "committing" and k.places() == 30
    os.kill(pid, signal.SIGCONT)
    until(k, "none")
    assert k.status()["totals"]["moved"] == 30
    talk(k, crowd)


def test_whoever_is_busy_does_not_hold_it_up(scene):
    """21: As before: it is closed as by a drain, and the old shards leave."""
    k, crowd = scene
    busy = crowd.movers[0]
    crowd.keep([busy])
    k.ctl("upgrade", "--no-wait")
    until(k, "holding")
    k.ctl("commit", "--no-wait")
    until(k, "none")
    gone = k.status()["totals"]["gone"]
    assert (gone["drained"], sum(gone.values())) == (1, 1), gone
    crowd.remove(busy)
    assert len(k.shards()) == 3 and k.places() == 29
    k.exact()


@pytest.mark.parametrize("n,stay,goes_on", [(100, 10, True), (100, 11, False), (110, 11, True)])
def test_how_many_may_be_left_behind(start, mover, n, stay, goes_on):
    """16: Ten, or a tenth: so many may be busy for long; more of them, and all go back."""
    k = start(shards=1, worker=mover, config=CONFIG + routes(200))
    crowd = Crowd([Mover(k, f"g{i % 5}", f"u{i}") for i in range(n)])
    busy = crowd.movers[:stay]
    crowd.keep(busy)
    k.ctl("upgrade", "--no-wait")
    if goes_on:
        until(k, "holding")
        assert k.status()["upgrade"]["moved"] == n - stay
        crowd.keep(busy, False)
        k.ctl("commit")
    else:
        until(k, "none")
        assert k.status()["upgrade"]["result"] == f"{stay} of {n} connections of slot 0 could " \
            "not be moved: its application cannot let it go now"
    talk(k, crowd)
    crowd.close()


def only_newcomers(k, crowd):
    """
    Two of one group, of whom one could not be let go of; newcomers have its place in the new
    shard.  Then it could, and the old one is to leave.
    """
    crowd.keep(crowd.movers[:1])
    k.ctl("upgrade", "--no-wait")
    until(k, "holding")
    for i in range(2):
        crowd.add(Mover(k, "g", f"v{i}"))
    assert sorted((s["generation"], s["connections"]) for s in k.shards()) == [(1, 1), (2, 3)]
    crowd.keep(crowd.movers[:1], False)
    k.ctl("commit", "--no-wait")
    k.wait_log("shard slot=0 connections=1 wait until others have room")


@pytest.fixture
def full(start, mover):
    def starter(drain, most):
        k = start(shards=1, max_shards=most, worker=mover, config=CONFIG.replace(
            "drain = 1s", f"drain = {drain}") + routes(3))
        made.append(Crowd([Mover(k, "g", f"u{i}") for i in range(2)]))
        only_newcomers(k, made[0])
        return k, made[0]
    made = []
    yield starter
    made[0].close()


def test_who_finds_the_new_shards_full_gets_one_more(full):
    """24: As max_shards allows it, for the old one does not count."""
    k, crowd = full("1m", 2)
    until(k, "none")
    assert sorted(s["connections"] for s in k.shards()) == [1, 3]
    assert k.status()["totals"]["moved"] == 2
    talk(k, crowd)


def test_who_finds_the_new_shards_full_waits_for_room(full):
    """24: As long as drain says; it is counted."""
    k, crowd = full("1m", 1)
    wait.until(lambda: k.status()["upgrade"]["waiting"] == 1, 10)
    passes(k, 2)
    assert k.status()["upgrade"]["phase"] == "committing" and k.places() == 4
    crowd.remove(crowd.movers[-1])
    until(k, "none")
    assert len(k.shards()) == 1 and k.status()["totals"]["gone"]["drained"] == 0
    assert k.status()["upgrade"]["waiting"] == 0 and k.status()["totals"]["moved"] == 2
    assert k.places() == 3
    k.exact()


def test_who_finds_the_new_shards_full_does_not_wait_for_ever(full):
    """24: Then it is closed."""
    k, crowd = full("2s", 1)
    until(k, "none")
    gone = k.status()["totals"]["gone"]
    assert (gone["drained"], sum(gone.values())) == (1, 1), gone
    crowd.remove(crowd.movers[0])


def test_it_does_not_wait_for_ever(start, mover):
    """13: What hangs is not waited for longer than upgrade_wait; then all is as it was."""
    k = start(shards=3, worker=mover, config=CONFIG.replace(
        "[worker]", "upgrade_wait = 3s\n[worker]") + routes(10))
    crowd = Crowd([Mover(k, "g", f"u{i}") for i in range(30)])
    old = {s["pid"] for s in k.shards()}
    pid, moved = amid(k, 2, "upgrade")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "back", 60)
    u = k.status()["upgrade"]
    assert "could not be moved" in u["result"], u
    assert u["ms"] >= 3000 + 10000      # without a reason, 10 s
    os.kill(pid, signal.SIGCONT)
    until(k, "none")
    assert {s["pid"] for s in k.shards()} == old
    talk(k, crowd)
    crowd.close()
