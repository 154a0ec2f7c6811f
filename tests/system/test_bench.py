"""scripts/bench: its table and plots; no wrong message goes by unnoticed."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as tree

import pytest
from kit.kennel import BUILD, TOP

PLOTS = os.path.join(TOP, "tests", "bench", "plots")
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


def test_rows_over_nodes():
    """Beside one node; all of Redis that is their own is in another column."""
    names = ["connect-nodes-2", "connect-limit-2", "fan-1000-16-nodes-2"]
    status, out = bench("--scale", "0.01", "--servers", "kennel,kennel-nodes", *names)
    assert status == 0, out
    rows = table(out)
    assert list(rows) == [(r, s) for r in names for s in ("kennel", "kennel-nodes")]
    for (row, server), cells in rows.items():
        assert number(cells["cpu us"]) > 0
        if row != "fan-1000-16-nodes-2":    # a tenth of a microsecond may be shown as none
            assert number(cells["redis us"]) > 0, (row, server)


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


def test_plots_are_measured_and_drawn(tmp_path):
    status, out = bench("--scale", "0.001", "--servers", "floor,kennel",
                        "--plot", str(tmp_path), "size")
    assert status == 0, out
    assert len(table(out)) == 7 * 2
    series = json.loads((tmp_path / "figures.json").read_text())["size"]
    assert list(series) == ["floor", "kennel"]
    for points in series.values():
        assert [p[0] for p in points] == [4 ** n for n in range(2, 9)]
        assert all(0 < low <= middle <= high for _, low, middle, high in points)
    text = (tmp_path / "size.svg").read_text()
    assert "@media (prefers-color-scheme: dark)" in text
    svg = "{http://www.w3.org/2000/svg}"
    drawn = tree.fromstring(text)
    assert [len(p.get("points").split()) for p in
            drawn.iter(svg + "polyline")] == [7, 7]
    said = [t.text for t in drawn.iter(svg + "text")]
    for label in ("floor", "kennel", "16 B", "64 KiB", "size of a message",
                  "Larger messages"):
        assert label in said, label


def test_plots_in_the_repository_are_those_of_its_figures(tmp_path):
    shutil.copy(f"{PLOTS}/figures.json", tmp_path)
    bench("--redraw", str(tmp_path))
    kept = {os.path.basename(p) for p in glob.glob(f"{PLOTS}/*.svg")}
    assert kept == {p.name for p in tmp_path.glob("*.svg")} != set()
    for name in kept:
        with open(f"{PLOTS}/{name}") as f:
            assert f.read() == (tmp_path / name).read_text(), name


def test_steps_of_a_room():
    """What a step costs, or why that cannot be measured here."""
    status, out = bench("pact-steps")
    assert status == 0, out
    if "is left out" in out:
        assert re.search(r"\(pact-steps is left out: (node|npm's ws) is not "
                         r"installed; --install gets it\)", out)
        return
    for name in "steps", "steps, no Redis":
        assert re.search(rf"(?m)^  {name} +[1-9][0-9]* steps/s, CPU a step: "
                         r"gateway [0-9.]+ us, shards [0-9.]+ us", out)
    assert re.search(r"(?m)^  latency +step to the last of 1000 subscribers: "
                     r"median [0-9.]+ ms$", out)
