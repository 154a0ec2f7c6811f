"""
Who moves by itself, when, how many and how fast: shards that are not even, groups that are
scattered, shards that few use.  Counts and conditions; where a time matters, only that
something did not come too early.
"""
import datetime
import json
import os
import re
import signal
import subprocess
import time

import pytest
from kit import wait
from kit.chat import Chat, crowd, settle
from kit.kennel import KENNELCTL, SHARDD, SILENT, default_routes
from kit.ws import WebSocket

BALANCE = "[gateway]\nbalance = yes\n" + SILENT
AFTER = 10              # seconds that shards are apart before anybody moves


def member(k, group, n):
    return WebSocket(k.address, f"/lobby/{group}/ws?u=u{n}")


def members(k, group, n, begin=0):
    return [member(k, group, begin + i) for i in range(n)]


def close(people):
    for p in people:
        p.close()


def counts(k):
    return sorted((s["connections"] for s in k.shards()), reverse=True)


def looks(k, n):
    """The gateway has looked n times more whether the shards are even: once a second."""
    until = k.status()["uptime_ms"] + n * 1000
    wait.until(lambda: k.status()["uptime_ms"] >= until, 90)


def begun(k):
    """When levelling began, each time: seconds since 1970; and how many were to move."""
    return [(datetime.datetime.fromisoformat(t.replace("Z", "+00:00")).timestamp(), int(n))
            for t, n in re.findall(r"(\S+) info gatewayd\S+ balance from=.* connections=(\d+)",
                                   k.log())]


def moved(k):
    return k.status()["totals"]["moved"]


# ---- levelling ----

def test_64_apart_are_even_enough_and_65_are_not(start):
    """24: Nobody moves as long as it is bearable; then only until half of that."""
    k = start(shards=2, limit=500, config=BALANCE)
    people = members(k, "g", 64)
    assert counts(k) == [64, 0]
    looks(k, AFTER + 4)
    assert begun(k) == []
    apart = time.time()
    people.append(member(k, "g", 64))
    wait.until(lambda: begun(k), 60)
    # (65 - 64 / 2) / 2, and the group is too large to be gathered again.
    assert [n for _, n in begun(k)] == [16]
    wait.until(lambda: counts(k) == [49, 16] and k.status()["moving"] == 0, 30)
    assert begun(k)[0][0] - apart >= AFTER - 0.1
    looks(k, AFTER + 3)
    assert counts(k) == [49, 16] and moved(k) == 16 and len(begun(k)) == 1
    k.exact()
    close(people)


def test_who_were_even_for_a_moment_have_their_time_again(start):
    """24: Apart three times, each time for less than it takes: nobody has moved."""
    k = start(shards=2, limit=500, config=BALANCE)
    people = members(k, "g", 64)
    more = []
    for _ in range(3):
        apart = time.monotonic()
        more.append(member(k, "g", 100))
        looks(k, 4)
        more.pop().close()
        wait.until(lambda: counts(k) == [64, 0], 10)
        if time.monotonic() - apart > AFTER - 2:
            pytest.skip("the machine is too slow for this test")
        looks(k, 2)
    assert begun(k) == [] and moved(k) == 0
    close(people)


def test_a_tenth_of_many_is_even_enough(start):
    """24: Of 700, 70."""
    k = start(shards=2, limit=2000, config=BALANCE)
    people = []
    for i in range(0, 630, 63):                 # even enough all the while
        people += members(k, "a", 63, i) + members(k, "b", 63, i)
    people += members(k, "a", 70, 630)
    assert counts(k) == [700, 630]
    looks(k, AFTER + 3)
    assert begun(k) == []
    people += members(k, "a", 10, 700)          # 80 of 710: 71 would be enough
    wait.until(lambda: begun(k), 60)
    assert [n for _, n in begun(k)] == [(80 - 71 // 2) // 2]
    close(people)


def test_nobody_moves_who_was_not_asked(start):
    """24: balance is no, until somebody says otherwise."""
    k = start(shards=2, limit=500, config=SILENT)
    people = members(k, "g", 90)
    looks(k, AFTER + 3)
    assert counts(k) == [90, 0] and moved(k) == 0 and begun(k) == []
    close(people)


@pytest.mark.parametrize("what,rate", [
    (["drain", "0", "--within", "1m", "--no-wait"], "move_rate"),
    (["upgrade", "--no-wait"], "move_rate"), (["rebalance", "--no-wait"], "balance_rate")])
def test_the_pace_is_kept(start, what, rate):
    """24: So many a second, and at once a fifth of that."""
    other = {"move_rate": "balance_rate", "balance_rate": "move_rate"}[rate]
    k = start(shards=2, limit=500, config=f"[gateway]\n{rate} = 10\n{other} = 1000\n"
              "upgrade_hold = 10m\n" + SILENT)
    people = members(k, "g", 40)
    assert counts(k) == [40, 0]
    slot = max(k.shards(), key=lambda s: s["connections"])["slot"]
    began = time.monotonic()
    k.ctl(*[str(slot) if a == "0" else a for a in what])
    seen = []

    def done():
        n = moved(k)
        seen.append((time.monotonic() - began, n))
        return n >= 18
    wait.until(done, 60)
    late = [(t, n) for t, n in seen if n > 10 * t + 10 / 5 + 2]
    assert not late, late
    assert len({n for _, n in seen}) > 3
    if rate == "move_rate":
        stands_still(k, began + seen[-1][0], seen[-1][1])
    close(people)


def stands_still(k, looked, before):
    """The gateway, for 2 s: nothing is made up for afterwards.  So many had moved by then."""
    os.kill(k.pid, signal.SIGSTOP)
    stopped = time.monotonic()
    wait.until(lambda: time.monotonic() > stopped + 2, 10)
    os.kill(k.pid, signal.SIGCONT)
    goes = time.monotonic()

    def more():
        n = moved(k) - before
        ran = stopped - looked + time.monotonic() - goes
        # On their way when it stood still: those of a fifth of a second.
        assert n <= 10 * ran + 10 / 5 + 2 + 2, (n, ran)
        return n >= 12
    wait.until(more, 30)


# ---- scattered groups ----

def relimit(k, n):
    with open(k.config) as f:
        text = f.read()
    with open(k.config, "w") as f:
        f.write(re.sub(r"^limit = \d+", f"limit = {n}", text, flags=re.M))
    assert "limit" in json.loads(k.ctl("reload", "--json"))["taken"]


@pytest.mark.parametrize("n,limit,balance,gathered", [
    (6, 12, "yes", True), (6, 11, "yes", False), (6, 12, "no", False),
    (64, 200, "yes", True), (65, 200, "yes", False)])
def test_small_groups_are_gathered(start, n, limit, balance, gathered):
    """24: Of 64 at most, with half of the room left; the smaller part goes to the larger one."""
    few = n // 2 + 1
    k = start(shards=2, config=f"[gateway]\nbalance = {balance}\nlimit = {few}\n" + SILENT)
    people = members(k, "g", n - 1)
    assert sorted(k.group("g"), reverse=True) == [few, n - 1 - few]
    relimit(k, limit)
    people.append(member(k, "g", n))            # who brings the new limit
    before = sorted(k.group("g"))
    assert len(before) == 2 and sum(before) == n
    if gathered:
        wait.until(lambda: k.group("g") == [n], 30)
        assert moved(k) == before[0]
    else:
        looks(k, 4)
        assert sorted(k.group("g")) == before and moved(k) == 0
    k.exact()
    close(people)


def test_one_group_in_a_look_and_they_hear_each_other(start):
    """24"""
    k = start(shards=2, config="[gateway]\nbalance = yes\nlimit = 2\n" + SILENT)
    rooms = [crowd(k, f"r{i}", "abc") for i in range(4)]
    assert all(len(k.group(f"r{i}")) == 2 for i in range(4))
    relimit(k, 20)
    for i, people in enumerate(rooms):
        people.append(Chat(k, f"r{i}", "d"))
    wait.until(lambda: all(k.group(f"r{i}") == [4] for i in range(4)), 60)
    assert moved(k) >= 4
    for people in rooms:
        settle(*people)
        close(people)
    k.exact()


# ---- drain ----

def test_a_shard_that_is_emptied_takes_nobody(start):
    """24: Also while its clients move, slowly; and they all go where newcomers go."""
    k = start(shards=2, limit=500, config="[gateway]\nmove_rate = 10\n" + SILENT)
    people = members(k, "g", 30)
    slot = max(k.shards(), key=lambda s: s["connections"])["slot"]
    k.ctl("drain", str(slot), "--within", "1m", "--no-wait")
    wait.until(lambda: moved(k) > 2, 20)
    begin = k.shard(slot)["connections"]
    people += members(k, "g", 10, 100) + members(k, "h", 10)
    now = k.shard(slot)
    assert now["connections"] <= begin and k.shard(1 - slot)["connections"] >= 20
    assert k.ctl("drain", str(slot), check=False).returncode == 1
    wait.until(lambda: len(k.status()["shards"]) == 1, 60)
    assert counts(k) == [50] and moved(k) == 30
    assert not any(k.status()["totals"]["gone"].values())
    close(people)


def test_who_does_not_move_in_time_is_closed_as_drained(start):
    """24"""
    k = start(shards=2, limit=500, config="[gateway]\nmove_rate = 1\n" + SILENT)
    people = members(k, "g", 20)
    slot = max(k.shards(), key=lambda s: s["connections"])["slot"]
    k.ctl("drain", str(slot), "--within", "2s")
    gone = k.status()["totals"]["gone"]
    assert gone["drained"] + moved(k) == 20 and 0 < moved(k) <= 6, (gone, moved(k))
    assert sum(gone.values()) == gone["drained"]
    close(people)


def echoes(people):
    """Each of them is served."""
    for n, p in enumerate(people):
        p.send(str(n))
    return [p.recv() for p in people] == [str(n) for n in range(len(people))]


def two_restart(k, *within):
    """Both slots, the second amid the first; then there are two others."""
    pids = {s["pid"] for s in k.shards()}
    for slot, ms in zip("01", within):
        k.ctl("restart", slot, "--within", ms, "--no-wait")
    again = k.ctl("restart", "1", check=False)
    assert "is being emptied already" in again.stderr
    return lambda: len(k.shards()) >= 2 and not pids & {
        s["pid"] for s in k.status()["shards"]}


@pytest.mark.parametrize("most", [2, 3])
def test_both_restart_at_once_and_nobody_is_closed(start, most):
    """24: One more shard takes them, or the second waits for the first."""
    k = start(shards=2, max_shards=most, config="[gateway]\nmove_rate = 10\n" + SILENT)
    people = [WebSocket(k.address) for _ in range(20)]
    assert counts(k) == [10, 10]
    done = two_restart(k, "1m", "1m")
    people.append(WebSocket(k.address))
    wait.until(done, 60)
    assert echoes(people)
    if most == 3:                   # else only if that is asked for while the first leaves
        assert "slot=2 " in k.log()
    status = k.status()
    assert not any(status["totals"]["gone"].values()), status["totals"]
    assert status["totals"]["refused"] == 0 and sum(counts(k)) == 21
    k.exact()
    close(people)


def test_the_second_waits_no_longer_than_it_may(start):
    """24: Then those are closed, and those of the first go where they can."""
    k = start(shards=2, max_shards=2, config="[gateway]\nmove_rate = 3\n" + SILENT)
    people = [WebSocket(k.address) for _ in range(60)]
    began = k.status()["uptime_ms"]
    done = two_restart(k, "2m", "3s")
    wait.until(lambda: k.status()["totals"]["gone"]["drained"], 30)
    assert k.status()["uptime_ms"] - began >= 3000
    wait.until(done, 90)
    gone = k.status()["totals"]["gone"]
    assert 30 <= gone["drained"] == sum(gone.values()) < 60, gone
    assert sum(counts(k)) == 60 - gone["drained"]
    close(people)


def wait_for_room(k):
    """The three who find none are waited for, and it is said."""
    wait.until(lambda: k.status()["moves"][0]["waiting"] == 3, 20)
    k.wait_log(r"shard slot=\d connections=3 wait until others have room")


@pytest.mark.parametrize("most", [2, 3])
def test_who_finds_a_full_group_waits_for_room(start, most):
    """24: One more shard is room, where it may be; else somebody's leaving is."""
    k = start(shards=2, max_shards=most, limit=3, config=SILENT)
    people = crowd(k, "g", "abcdef")
    assert counts(k) == [3, 3]
    slot = next(s["slot"] for s in k.shards() if s["address"] == people[0].shard())
    others = [p for p in people if p.shard() != people[0].shard()]
    p = subprocess.Popen([KENNELCTL, "drain", str(slot), "--within", "1m", "--run-dir", k.run],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if most == 2:
        wait_for_room(k)
        assert any("3 left (1 s), 3 wait for room" in line for line in p.stderr)
        looks(k, 2)
        assert counts(k) == [3, 3]
        close(others)
    wait.until(lambda: slot not in [s["slot"] for s in k.status()["shards"]], 60)
    gone = k.status()["totals"]["gone"]
    assert gone["drained"] == 0 and moved(k) == 3, gone
    p.communicate()
    assert p.returncode == 0
    close(people)


def test_the_only_other_shard_dies_amid_a_drain(start, tmp_path):
    """24: Who is left waits for its successor, which takes its time to start."""
    slow, worker = tmp_path / "slow", tmp_path / "worker"
    worker.write_text(f"""#!/bin/sh
[ -e '{slow}' ] && sleep 1
exec '{SHARDD}' "$@"
""")
    worker.chmod(0o755)
    k = start(shards=2, max_shards=2, worker=str(worker), deaths=True, cover=False,
              config="[gateway]\nmove_rate = 10\n" + SILENT + default_routes())
    people = [WebSocket(k.address) for _ in range(40)]
    k.ctl("drain", "0", "--within", "1m", "--no-wait")
    wait.until(lambda: moved(k) > 2, 20)
    slow.touch()
    k.kill_shard(1)
    wait.until(lambda: [s["slot"] for s in k.status()["shards"]] == [1], 60)
    gone = k.status()["totals"]["gone"]
    assert gone["drained"] == 0 and counts(k)[0] + gone["shard-died"] == 40, gone
    close(people)


def restarted(k, pid):
    """One shard is there, and it is another one."""
    status = k.status()["shards"]
    return [s["state"] for s in status] == ["ready"] and status[0]["pid"] != pid


def test_the_only_shard_restarts_and_nobody_is_closed(start):
    """24: Its successor starts before it leaves, in another slot, whatever max_shards says."""
    k = start(shards=1, max_shards=1, config="[gateway]\nmove_rate = 100\n" + SILENT)
    people = [WebSocket(k.address) for _ in range(20)]
    for slot in 0, 1:                           # and that one, too
        pid = k.shard(slot)["pid"]
        p = k.ctl("restart", str(slot), "--within", "1m", check=False)
        assert p.returncode == 0, p.stderr
        assert f"slot {slot} has left: its successor is in another slot" in p.stdout
        wait.until(lambda: restarted(k, pid), 20)
        assert echoes(people)
    status = k.status()
    assert not any(status["totals"]["gone"].values()), status["totals"]
    assert status["totals"]["refused"] == 0 and moved(k) == 40
    # It is kept: who is alone is one of `shards`.
    k.dies(pid := k.shards()[0]["pid"])
    k.kill_shard(pid=pid)
    wait.until(lambda: restarted(k, pid), 20)
    close(people)


def test_a_full_shard_restarts_and_nobody_is_closed(start):
    """24: The other one has no room; a third one is there until the first has left."""
    k = start(shards=2, max_shards=2, limit=3, config=SILENT)
    people = crowd(k, "g", "abcdef")
    assert counts(k) == [3, 3]
    k.ctl("restart", "0", "--within", "1m")
    wait.until(lambda: counts(k) == [3, 3], 20)
    assert not any(k.status()["totals"]["gone"].values()) and moved(k) == 3
    settle(*people)
    close(people)


def test_who_waits_for_a_shard_that_starts_is_counted(start, tmp_path):
    """24: All of the only one are left, and wait, until its successor serves."""
    slow, worker = tmp_path / "slow", tmp_path / "worker"
    worker.write_text(f"""#!/bin/sh
while [ -e '{slow}' ]; do sleep 0.05; done
exec '{SHARDD}' "$@"
""")
    worker.chmod(0o755)
    k = start(shards=1, max_shards=1, worker=str(worker), config=SILENT + default_routes())
    people = [WebSocket(k.address) for _ in range(5)]
    slow.touch()
    k.ctl("restart", "0", "--within", "1m", "--no-wait")
    row, = k.status()["moves"]
    assert (row["left"], row["waiting"], row["over"]) == (5, 5, False)
    slow.unlink()
    wait.until(lambda: moved(k) == 5 and k.status()["moves"][0]["over"], 20)
    row, = k.status()["moves"]
    assert (row["left"], row["waiting"]) == (0, 0)
    assert echoes(people)
    close(people)


def failing(tmp_path):
    """A worker that does not start while there is a file; that file, and the worker."""
    fails, worker = tmp_path / "fails", tmp_path / "worker"
    worker.write_text(f"""#!/bin/sh
[ -e '{fails}' ] && exit 3
exec '{SHARDD}' "$@"
""")
    worker.chmod(0o755)
    return fails, worker


def test_a_full_shard_whose_successor_does_not_start_stays(start, tmp_path):
    """24: The other one has no room: when the time is over, nobody is closed for that."""
    fails, worker = failing(tmp_path)
    k = start(shards=2, max_shards=2, limit=3, worker=str(worker), deaths=True,
              config=SILENT + default_routes())
    people = crowd(k, "g", "abcdef")
    before = k.shards()
    fails.touch()
    p = k.ctl("restart", "0", "--within", "2s", check=False)
    assert p.returncode == 1
    assert "slot 0 stays as it was: its successor did not start" in p.stderr
    k.wait_log("shard slot=0 does not restart: its successor did not start; connections=3 stay")
    assert [s["pid"] for s in k.shards()] == [s["pid"] for s in before]
    assert not any(k.status()["totals"]["gone"].values())
    fails.unlink()
    k.ctl("restart", "0", "--within", "1m")
    settle(*people)
    assert not any(k.status()["totals"]["gone"].values())
    close(people)


def test_whose_successor_does_not_start_stays(start, tmp_path):
    """24: It serves on, and kennelctl says so."""
    fails, worker = failing(tmp_path)
    k = start(shards=1, max_shards=1, worker=str(worker), deaths=True,
              config=SILENT + default_routes())
    people = [WebSocket(k.address) for _ in range(5)]
    before = k.shards()
    fails.touch()
    p = k.ctl("restart", "0", "--within", "1m", check=False)
    assert p.returncode == 1
    assert "slot 0 stays as it was: its successor did not start" in p.stderr
    k.wait_log("shard slot=0 does not restart: its successor did not start; connections=5 stay")
    assert [s["pid"] for s in k.shards()] == [before[0]["pid"]]
    people.append(WebSocket(k.address))
    assert echoes(people)
    fails.unlink()
    k.ctl("restart", "0", "--within", "1m")
    assert echoes(people) and not any(k.status()["totals"]["gone"].values())
    close(people)
