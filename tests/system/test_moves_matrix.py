"""
At each step of a move, each process that has a part in it dies or hangs: A, which the
client leaves, B, to which it comes, G, the gateway, and D, another shard of its group.

Each client is served or closed within three seconds (by a process that hangs: when the
watchdog has ended it), the books are exact, no descriptor is left open.

Not in the table: a gateway that hangs for ever.  Who watches over it kills it, and then it is
as if it had been killed (test_gateway_succession.py).
"""
import collections
import os
import signal
import time

import pytest
from kit import wait
from kit.kennel import alive
from kit.matrix import CONFIG, SERVED, STEPS, Scene
from kit.mover import Crowd, Mover, routes


@pytest.fixture
def scene(start, mover, tmp_path):
    made = []

    def scener(watchdog="60s", worker=""):
        made.append(Scene(start, mover, tmp_path, watchdog, worker))
        return made[0]
    yield scener
    for s in made:
        s.crowd.close()


def touched_by(s, who, step):
    """
    Whom that process has, or may have by then.  Before it has said ADOPTED nobody is B's
    but B's own; A's others have moved when the journey ends.
    """
    names = {"A": "" if step == "ended" else "A",
             "B": "B" if step in ("expecting", "probe", "fence", "adopt") else "AB",
             "D": "D", "G": ""}[who]
    return [m for m in s.crowd.movers if s.home[m] in names]


@pytest.mark.parametrize("who", "ABD")
@pytest.mark.parametrize("step", STEPS)
def test_killed(scene, step, who):
    """13"""
    s = scene()
    s.k.dies(s.pids[who])
    touched = touched_by(s, who, step)
    s.run(step, who, signal.SIGKILL)
    s.served(s.crowd.movers)
    s.only_amid_a_message(touched)
    s.settled()
    s.converse()
    s.sequences(touched)


def test_killed_when_all_others_have_said_all(scene):
    """13: B hangs with what it has been given and has not begun; the journey ends without it."""
    s = scene()
    touched = touched_by(s, "B", "adopted")
    s.run("adopted", "B", signal.SIGSTOP)
    s.k.wait_log("mover/0.* journey .* moved=[1-5] ", 20)
    wait.until(lambda: s.k.status()["moving"] == 0, 20)
    s.k.kill_shard(pid=s.pids["B"])
    s.served(s.crowd.movers)
    s.only_amid_a_message(touched)
    s.settled()
    s.converse()
    s.sequences(touched)


def test_who_waits_for_one_that_hangs_goes_elsewhere(start, mover):
    """
    13: And not when the watchdog has ended it.  (With a group that has a part in what hangs
    they stay until then.)
    """
    k = start(shards=3, worker=mover, config=CONFIG % "20s" + routes(9))
    people = Crowd([Mover(k, "", f"u{i}") for i in range(24)])
    homes = collections.Counter(at for _, at in people.where().values())
    assert sorted(homes.values()) == [8, 8, 8]
    pid = k.stop_shard(1)
    k.ctl("drain", "0", "--within", "30s", "--no-wait")
    wait.until(lambda: (s := k.status())["totals"]["moved"] == 8 and s["moving"] == 0, 12)
    os.kill(pid, signal.SIGCONT)
    homes = collections.Counter(at for _, at in people.where().values())
    assert sorted(homes.values()) == [8, 16]
    k.exact()
    people.close()


def looked_for(k, ms):
    """So long has the gateway been at it: in rounds of 0.5 s, if nobody can move."""
    until = k.shard(0)["uptime_ms"] + ms
    wait.until(lambda: k.shard(0)["uptime_ms"] >= until, 30)


@pytest.mark.parametrize("known", [False, True])
def test_who_waits_for_the_only_other_one_waits_on(start, mover, known):
    """13: It hangs, known before or not, but not for long: the drain still empties the other."""
    k = start(shards=2, worker=mover, config=CONFIG % "20s" + routes(9))
    people = Crowd([Mover(k, "", f"u{i}") for i in range(8)])
    people.remove(next(m for m, (_, at) in people.where().items() if "/1#" in at))
    k.wait_places(7)
    assert "/1#" in k.ctl("place", "g", "u")
    pid = k.stop_shard(1)
    if known:                       # newcomers go to the other one
        wait.until(lambda: "/0#" in k.ctl("place", "g", "u"), 9)
    k.ctl("drain", "0", "--within", "30s", "--no-wait")
    # Nobody would be placed there any more.
    wait.until(lambda: k.ctl("place", "g", "u", check=False).returncode != 0, 9)
    looked_for(k, 1000)
    os.kill(pid, signal.SIGCONT)
    wait.until(lambda: (s := k.status())["totals"]["moved"] == 4 and s["moving"] == 0, 12)
    homes = collections.Counter(at for _, at in people.where().values())
    assert sorted(homes.values()) == [7]
    k.exact()
    people.close()


def test_who_waits_for_another_one_of_their_room_waits_on(scene):
    """13: It hangs for 20 s; the drain has more time than that, and nobody is closed."""
    s = scene("60s")
    pid = s.k.stop_shard(2)
    s.k.ctl("drain", "0", "--within", "60s", "--no-wait")
    looked_for(s.k, 20000)
    assert s.k.status()["totals"]["moved"] == 0
    os.kill(pid, signal.SIGCONT)
    wait.until(lambda: s.k.status()["totals"]["moved"] == 5, 12)
    s.served(s.crowd.movers)
    assert s.open() == s.crowd.movers
    s.k.exact()


@pytest.mark.parametrize("step", STEPS)
def test_the_gateway_is_killed(scene, step):
    """13"""
    s = scene()
    s.run(step, "G", signal.SIGKILL)
    s.k.kill_gateway()
    s.k.start()
    s.served(s.crowd.movers)
    assert s.forget_closed() == []
    s.settled()
    s.converse()
    s.sequences([])


@pytest.mark.parametrize("who", "ABD")
@pytest.mark.parametrize("step", STEPS)
def test_hangs_until_the_watchdog_ends_it(scene, step, who):
    """13"""
    # On a busy machine others, too, answer later; but a drain gives up after 10 s in which
    # nobody could move.
    s = scene(f"{min(wait.limit(1), 5)}s")
    s.k.dies(s.pids[who])
    touched = touched_by(s, who, step)
    s.run(step, who, signal.SIGSTOP)
    s.served([m for m in s.crowd.movers if m not in touched])
    s.served(touched, SERVED + 1)
    wait.until(lambda: not alive(s.pids[who]), 5, "the watchdog")
    s.only_amid_a_message(touched)
    s.settled()
    s.converse()
    s.sequences(touched)


@pytest.mark.parametrize("who", "ABDG")
@pytest.mark.parametrize("step", STEPS)
def test_hangs_and_goes_on(scene, step, who):
    """
    13: For longer than anybody waits for it: nothing is lost, and nobody has two owners.
    (Here each is looked up who is whispered to.)
    """
    s = scene(worker="whisper_ask = 0\n")
    s.run(step, who, signal.SIGSTOP)
    begin = time.monotonic()
    touched = touched_by(s, who, step)
    s.served([m for m in s.crowd.movers if m not in touched])
    while time.monotonic() < begin + 2.5:
        s.crowd.turn(0.05)
    os.kill(s.pids[who], signal.SIGCONT)
    s.served(s.crowd.movers)
    assert s.forget_closed() == []
    s.settled()
    s.converse()
    s.sequences([])


def test_the_books_agree_with_who_is_left(scene):
    """
    13: Who has moved is the old shard's, too, until that says so; a neighbour that hangs
    holds that up for five seconds.  A check in between finds the books right.
    """
    s = scene()
    s.run("arrived", "D", signal.SIGSTOP)
    try:
        mark = len(s.k.log())
        s.k.ctl("status", "--check", check=False)       # D says nothing
    finally:
        os.kill(s.pids["D"], signal.SIGCONT)
    assert "counts=wrong" not in s.k.log()[mark:]
    s.served(s.crowd.movers)
    s.sequences([])
    s.settled()
