"""What tests/soak does in hours, in little: the programs themselves."""
import json
import os
import subprocess

import pytest
from kit import wait
from kit.kennel import TOP


def soak(name, *args):
    """What it prints; it says itself what is wrong."""
    done = subprocess.run(["/usr/bin/python3", os.path.join(TOP, "tests", "soak", name),
                           *map(str, args)], capture_output=True, text=True,
                          timeout=wait.limit(240))
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("args", [
    ("--shards", 4, "--rounds", 3), ("--shards", 12, "--rounds", 1, "--group", 48,
                                     "--limit", 8, "--lookup")],
    ids=["asked", "by-lookup"])
def test_all_verbs_while_shards_are_upgraded_and_die(args):
    """Once, in order, and nobody is closed; twelve shards, and whispers by lookup."""
    r = soak("moving.py", "--clients", 96, "--kills", 1, *args)
    assert r["moved"] == 96 * r["rounds"] and r["stayed"] == 0 and r["said"] > 96
    assert r["killed"] > 0 and len(r["back_ms"]) == r["rounds"]


@pytest.mark.parametrize("grouped", [False, True], ids=["alone", "in-groups"])
def test_who_says_nothing_is_told_nothing_by_an_upgrade(grouped):
    r = soak("idle.py", "--clients", 600, "--shards", 3, *["--grouped"] * grouped)
    assert (r["moved"], r["closed"], r["covered_after"]) == (600, 0, 600)


@pytest.mark.parametrize("more", [[], ["--alone"]], ids=["in-groups", "alone"])
def test_the_silence_of_a_move_is_measured(more):
    """How long it is depends on what else the machine does."""
    r = soak("pause.py", "--clients", 60, "--probes", 6, "--rounds", 2, *more)
    assert r["moved"] == 120 and 0 < r["silence_ms"]["p50"] <= r["silence_ms"]["max"]
    assert 0 < r["pause_us"]["p50"] <= r["pause_us"]["max"]


def test_a_reader_of_a_byte_a_millisecond_moves():
    """It is amid a message each time; in the soak it moves 100 times."""
    r = soak("slow.py", "--moves", 8)
    assert r["moves"] == 8 and 0 < r["read_slowly"] < r["bytes"] - (1 << 20)
