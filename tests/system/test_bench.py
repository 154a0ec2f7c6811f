"""scripts/bench: its table, and that no wrong message goes by unnoticed."""
import os
import re
import subprocess
import sys

import pytest
from kit.kennel import BUILD, TOP

DOCTORED = os.path.join(TOP, "tests", "kit", "doctored.py")


def bench(*args, env=None):
    """Its exit status and what it printed."""
    p = subprocess.run([f"{TOP}/scripts/bench", "--build", BUILD, "--rounds",
                        "1", *args], capture_output=True, text=True,
                       env={**os.environ, **(env or {})})
    assert p.stderr == ""
    return p.returncode, p.stdout


def table(text):
    """{(row, server): {column: cell}} of all tables in the text."""
    found, heads = {}, None
    for line in text.splitlines():
        cells = re.split(r" {2,}", line)
        if cells[0] == "row":
            heads = cells
        elif heads and len(cells) > 2:
            found[cells[0], cells[1]] = dict(zip(heads, cells))
    return found


def number(cell):
    return float(cell.replace(" ", ""))


def test_table_of_messages():
    status, out = bench("--scale", "0.01", "--servers", "floor,kennel",
                        "echo", "fan-1000", "whisper-lookup", "connect")
    assert status == 0, out
    rows = table(out)
    assert list(rows) == [(r, s) for r in (
        "echo", "fan-1000", "whisper-lookup", "connect")
        for s in ("floor", "kennel")]
    for (row, server), cells in rows.items():
        assert list(cells) == ["row", "server", "cpu us", "redis us", "msg/s",
                               "p50 us", "p99 us", "/floor", "/best peer"]
        for name in "cpu us", "msg/s", "p50 us", "p99 us", "/floor":
            assert number(cells[name]) > 0, (row, server, name)
        assert (cells["redis us"] != "-") == (
            (row, server) == ("whisper-lookup", "kennel"))
        assert number(cells["p50 us"]) <= number(cells["p99 us"])
        assert cells["/best peer"] == "-"
    assert rows["echo", "floor"]["/floor"] == "1.00"


def test_table_of_memory():
    status, out = bench("--scale", "0.02", "--servers", "kennel",
                        "idle-bytes", "idle-200k")
    assert status == 0, out
    cells = table(out)["idle-bytes", "kennel"]
    assert number(cells["bytes"]) > 100 and cells["/floor"] == "-"
    assert "4000 connections" in out
    assert re.search(r"broadcast to all +\d+ ms until the last has it", out)
    assert re.search(r"1000 whispers +[\d.]+ ms \(median\)", out)


def own(fault):
    return ("--servers", "floor", "--scale", "0.002", "--server",
            f"doctored={sys.executable} {DOCTORED} {fault}")


def test_ones_own_server_is_measured():
    status, out = bench(*own("none"), "echo-16")
    assert status == 0, out
    assert number(table(out)["echo-16", "doctored"]["/floor"]) > 0


@pytest.mark.parametrize("fault, says", (
    ("double", "doubled or disordered"),
    ("lose", "one is lost"),
    ("swap", "one is lost"),
    ("alter", "not what was sent"),
    ("late", "doubled"),
))
def test_a_wrong_message_is_an_error(fault, says):
    status, out = bench(*own(fault), "echo-16")
    assert status == 1
    assert re.search(rf"^echo-16 +doctored +error: .*({says})", out, re.M), out
    assert number(table(out)["echo-16", "floor"]["cpu us"]) > 0


def test_a_peer_that_is_not_there_is_left_out():
    status, out = bench("--scale", "0.01", "--servers", "floor,node-ws",
                        "echo", "echo-16", env={"PATH": "/nowhere"})
    assert status == 0
    assert out.count("node-ws") == 1
    assert "(node-ws is left out: node is not installed" in out
    assert list(table(out)) == [("echo", "floor"), ("echo-16", "floor")]
