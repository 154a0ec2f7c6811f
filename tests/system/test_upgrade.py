"""Generations: which program a shard runs, and another one in its place."""
import os
import shutil

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
        wait.until(lambda: k.shard(0)["state"] == "ready" and
                   k.shard(0)["pid"] != old, 30)
        assert program(k.shard(0)["pid"]) == was
        # Its name is its program's, though it was executed by a descriptor.
        with open(f"/proc/{k.shard(0)['pid']}/comm") as f:
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
    wait.until(lambda: k.shard(1)["state"] == "ready" and
               k.shard(1)["restarts"] == 1, 30)
    assert program(k.shard(1)["pid"]) == was
    assert k.shard(0)["generation"] == k.shard(1)["generation"] > 1


def test_a_script_is_read_from_what_was_opened(start, tmp_path):
    script = tmp_path / "shardd"
    script.write_text(f"#!/bin/sh\nexec {SHARDD} \"$@\"\n")
    script.chmod(0o755)
    k = start(shards=1, worker=str(script))
    script.unlink()
    k.kill_shard(0)
    wait.until(lambda: k.shard(0)["state"] == "ready" and
               k.shard(0)["restarts"] == 1, 30)
    people = crowd(k, "room", "ab")
    for p in people:
        p.close()
