"""Generations: which program a shard runs, and another one in its place."""
import json
import os
import shutil
import signal

import pytest
from kit import wait
from kit.chat import Chat, crowd
from kit.kennel import SHARDD


def copy(k_dir, name="shardd"):
    """A worker of our own, that can be replaced."""
    path = os.path.join(k_dir, name)
    shutil.copy(SHARDD, path + ".new")
    os.rename(path + ".new", path)
    return path


def program(pid):
    """The file that a process runs: device and inode."""
    st = os.stat(f"/proc/{pid}/exe")
    return st.st_dev, st.st_ino


def test_a_shard_starts_again_of_its_own_program(start, tmp_path):
    """What stands at the worker's path by now is nothing that was asked for."""
    worker = copy(tmp_path)
    k = start(shards=2, worker=worker)
    was = program(k.shard(0)["pid"])
    shutil.copy("/bin/false", worker + ".new")
    os.rename(worker + ".new", worker)
    for gone in False, True:
        if gone:
            os.unlink(worker)
        old = k.kill_shard(0)

        def another():
            s = k.shard(0)
            return s["state"] == "ready" and s["pid"] != old and s["pid"]
        pid = wait.until(another, 30)
        assert program(pid) == was
        # Its name is its program's, though it was executed by a descriptor.
        with open(f"/proc/{pid}/comm") as f:
            assert f.read() == "shardd\n"
        assert k.shard(0)["generation"] == 1
    with Chat(k, "room", "ann") as ann:
        ann.goodbye()


def test_a_gateway_that_finds_a_shard_knows_its_program(start, tmp_path):
    """Killed, and started again: shards that it found have what they run."""
    worker = copy(tmp_path)
    k = start(shards=2, worker=worker)
    was = program(k.shard(0)["pid"])
    copy(tmp_path)
    k.kill_gateway()
    k.start()
    wait.until(lambda: [s["state"] for s in k.shards()] == ["ready"] * 2, 30)
    k.kill_shard(1)
    wait.until(lambda: (s := k.shard(1))["state"] == "ready" and
               s["restarts"] == 1, 30)
    assert program(k.shard(1)["pid"]) == was
    assert k.shard(0)["generation"] == k.shard(1)["generation"] > 1


def test_a_script_is_read_from_what_was_opened(start, tmp_path):
    script = tmp_path / "shardd"
    script.write_text(f"#!/bin/sh\nexec {SHARDD} \"$@\"\n")
    script.chmod(0o755)
    k = start(shards=1, worker=str(script))
    script.unlink()
    k.kill_shard(0)
    wait.until(lambda: (s := k.shard(0))["state"] == "ready" and
               s["restarts"] == 1, 30)
    people = crowd(k, "room", "ab")
    for p in people:
        p.close()


# ---- another program ----

FAST = "[gateway]\nupgrade_hold = 200ms\ndrain = 1s\n"
KEEP = "[gateway]\nupgrade_hold = 10m\ndrain = 1s\n"


def upgrade(k, *args):
    p = k.ctl(*args, "--json", check=False)
    return p.returncode, json.loads(p.stdout.splitlines()[-1])


def pids(k):
    return {s["pid"] for s in k.shards()}


def programs(k):
    return {program(s["pid"]) for s in k.shards()}


def test_all_shards_run_the_new_program(start, tmp_path):
    """22"""
    worker = copy(tmp_path)
    k = start(shards=2, worker=worker, config=FAST)
    old = pids(k), programs(k)
    copy(tmp_path)
    code, u = upgrade(k, "upgrade")
    assert (code, u["phase"], u["ok"]) == (0, "none", True), u
    assert len(k.shards()) == 2 and not pids(k) & old[0]
    assert len(programs(k)) == 1 and not programs(k) & old[1]
    assert {s["generation"] for s in k.shards()} == {2}
    # What starts from now on is of the new one, and stays so.
    k.kill_shard(k.shards()[0]["slot"])
    wait.until(lambda: len(k.shards()) == 2 and len(programs(k)) == 1, 30)
    assert not programs(k) & old[1]
    with Chat(k, "room", "ann") as ann:
        ann.goodbye()
    k.exact()


def test_usr2_is_an_upgrade(start, tmp_path):
    """22"""
    worker = copy(tmp_path)
    k = start(shards=1, worker=worker, config=FAST)
    old = programs(k)
    copy(tmp_path)
    os.kill(k.pid, signal.SIGUSR2)
    wait.until(lambda: k.status()["upgrade"]["ok"], 30)
    assert len(k.shards()) == 1 and not programs(k) & old


def test_a_worker_of_another_path(start, tmp_path):
    """22"""
    k = start(shards=2, worker=copy(tmp_path), config=FAST)
    other = tmp_path / "other"
    other.mkdir()
    code, u = upgrade(k, "upgrade", copy(other))
    assert (code, u["ok"], u["worker"]) == (0, True, str(other / "shardd"))


@pytest.mark.parametrize("program,why", [
    ("/bin/false", "did not get ready"), ("/nowhere/shardd", None),
    ("/etc/passwd", "denied"), ("/tmp", "is a directory"),
    ("SCRIPT", "did not get ready")])
def test_what_does_not_start_changes_nothing(start, tmp_path, program, why):
    """15"""
    k = start(shards=2, config=FAST, deaths=True, faults="hello refused")
    people = crowd(k, "room", "abcd")
    old = pids(k)
    if program == "SCRIPT":
        script = tmp_path / "script"
        script.write_text("#!/bin/sh\nexit 3\n")
        script.chmod(0o755)
        program = str(script)
    p = k.ctl("upgrade", program, check=False)
    assert p.returncode in (1, 2)
    assert why is None or why in p.stderr.lower(), p.stderr
    assert pids(k) == old
    wait.until(lambda: len(k.status()["shards"]) == 2, 30)
    for q in people:
        q.say("still here")
    for q in people:
        q.close()
    # And it can be tried again.
    code, u = upgrade(k, "upgrade", SHARDD)
    assert (code, u["ok"]) == (0, True), u
    assert not pids(k) & old


def test_back_leaves_everything_as_it_was(start, tmp_path):
    """16"""
    worker = copy(tmp_path)
    k = start(shards=3, worker=worker, config=KEEP)
    old = pids(k)
    copy(tmp_path)
    assert k.ctl("commit", check=False).returncode == 1
    assert k.ctl("back", check=False).returncode == 1
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 60)
    assert len(k.shards()) == 6
    p = k.ctl("upgrade", check=False)
    assert p.returncode == 1 and "kennelctl commit ends that" in p.stderr
    assert k.ctl("drain", "0", check=False).returncode == 1
    k.ctl("back")
    assert pids(k) == old
    assert {s["generation"] for s in k.shards()} == {1}
    u = k.status()["upgrade"]
    assert (u["phase"], u["ok"]) == ("none", False)
    k.exact()


def test_canary_is_a_part_and_goes_on(start, tmp_path):
    """16"""
    worker = copy(tmp_path)
    k = start(shards=4, worker=worker, config=KEEP)
    old = pids(k)
    copy(tmp_path)
    assert k.ctl("canary", "0%", check=False).returncode == 2
    assert k.ctl("canary", "100%", check=False).returncode == 2
    code, u = upgrade(k, "canary", "30%")
    assert "error" not in u, u
    assert (code, u["phase"], u["percent"], u["shards"]) == \
        (0, "holding", 30, 2)
    assert len(pids(k) - old) == 2 and old < pids(k)
    assert k.ctl("commit", check=False).returncode == 1
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding" and
               k.status()["upgrade"]["percent"] == 100, 60)
    assert len(pids(k) - old) == 4
    k.ctl("commit")
    assert len(pids(k)) == 4 and not pids(k) & old


def test_a_new_shard_that_dies_is_a_reason_to_go_back(start, tmp_path):
    """16"""
    worker = copy(tmp_path)
    k = start(shards=2, worker=worker, config=KEEP)
    old = pids(k)
    copy(tmp_path)
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 60)
    new = next(s for s in k.shards() if s["pid"] not in old)
    k.kill_shard(new["slot"])
    # The one that was started in its place may be killed at once.
    k.deaths = True
    wait.until(lambda: k.status()["upgrade"]["phase"] == "none", 60)
    u = k.status()["upgrade"]
    assert not u["ok"] and "died" in u["result"]
    assert pids(k) == old


def test_old_shards_that_are_on_demand_are_replaced_too(start, tmp_path):
    """24: And one that crashes amid an upgrade."""
    worker = copy(tmp_path)
    k = start(shards=2, max_shards=3, limit=1, worker=worker, config=KEEP)
    people = crowd(k, "room", "abc")
    assert len(k.shards()) == 3
    old = pids(k)
    copy(tmp_path)
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 60)
    dead = k.kill_shard(0)
    wait.until(lambda: dead not in pids(k), 30)
    k.ctl("commit")
    assert not pids(k) & old
    assert {s["generation"] for s in k.shards()} == {2}
    for p in people:
        p.close()
    k.exact()


def ended(k, ok):
    """The upgrade is over, and how many shards of which program are there."""
    wait.until(lambda: (u := k.status()["upgrade"])["phase"] == "none" and u["ok"] == ok,
               30, lambda: f"over: {k.status()['upgrade']}, {k.status()['shards']}")
    return [s["generation"] for s in k.shards()]


@pytest.mark.parametrize("how", ["commit", "back"])
def test_with_a_slot_that_is_kept_empty(start, tmp_path, how):
    """22, 24: One shard was drained: there is one before and after, and the upgrade ends."""
    worker = copy(tmp_path)
    k = start(shards=2, worker=worker, config=KEEP)
    k.ctl("drain", "1")
    copy(tmp_path)
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)
    k.ctl(how, "--no-wait")
    number = 2 if how == "commit" else 1
    assert ended(k, how == "commit") == [number]
    k.ctl("restart", "1")
    assert [s["generation"] for s in k.shards()] == [number] * 2


@pytest.mark.parametrize("how", ["commit", "back"])
def test_while_a_shard_starts(start, tmp_path, how):
    """22, 24: A shard that was not there when it began: all are of one program in the end."""
    hold = tmp_path / "hold"
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\n"
                    f"while [ -e {hold} ]; do sleep 0.02; done\nexec {SHARDD} \"$@\"\n")
    slow.chmod(0o755)
    k = start(shards=2, worker=str(slow), config=KEEP, deaths=True)
    hold.touch()
    k.ctl("restart", "1", "--no-wait")
    wait.until(lambda: k.shard(1)["state"] == "starting", 30)
    k.ctl("upgrade", copy(tmp_path), "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)
    hold.unlink()
    wait.until(lambda: len(k.shards()) == 3, 30)
    k.ctl(how, "--no-wait")
    number = 2 if how == "commit" else 1
    ended(k, how == "commit")
    wait.until(lambda: [s["generation"] for s in k.shards()] == [number] * 2, 30)
    k.exact()
