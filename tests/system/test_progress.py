"""How far long work is: what kennelctl draws on a terminal, and says elsewhere."""
import json
import os
import re
import signal
import subprocess

import pytest
from kit import wait
from kit.http import request
from kit.kennel import KENNELCTL
from kit.mover import Mover, routes
from kit.rolling import one_sided
from kit.screen import Drawn
from kit.wire import Wire
from kit.ws import WebSocket

SLOW = "[gateway]\nmove_rate = 10\nbalance_rate = 10\nupgrade_hold = %s\ndrain = 20s\n" \
    "[worker]\nping_interval = 1h\n"
MOVES = r"\d+ moved, \d+ skipped, \d+ failed, \d+ left"
PAUSE = r"pause p50 \d+\.\d ms, p99 \d+\.\d ms, max \d+\.\d ms"


def people(k, n):
    return [WebSocket(k.address, f"/lobby/g{i % 10}/ws?u=u{i}") for i in range(n)]


def command(k, *args):
    return [KENNELCTL, *args, "--run-dir", k.run]


def numbers(text):
    """moved, skipped, failed, left of each line."""
    return [tuple(map(int, m)) for m in re.findall(
        r"(\d+) moved, (\d+) skipped, (\d+) failed, (\d+) left", text)]


def close(clients):
    for c in clients:
        c.close()


def test_a_line_when_something_has_changed(start):
    """26: Without a terminal: nothing is said twice, also while the old shards are kept."""
    k = start(shards=2, limit=500, config=SLOW % "4s")
    clients = people(k, 80)
    p = subprocess.run(command(k, "upgrade"), capture_output=True, text=True,
                       timeout=wait.limit(60))
    assert p.returncode == 0 and p.stdout == "all shards are of the new program\n", p
    assert "\x1b" not in p.stderr and "\r" not in p.stderr
    lines = p.stderr.splitlines()
    assert all(re.match(rf"[a-z]+: {MOVES}", line) for line in lines), p.stderr
    assert len(lines) == len(set(lines))
    assert [line.split(":")[0] for line in lines].count("holding") == 1, p.stderr
    assert re.search(r"holding: 80 moved, .*kept for \d s", p.stderr)
    assert re.match(rf"done: 80 moved, 0 skipped, 0 failed, 0 left; {PAUSE}$", lines[-1])
    # 80 at 10 a second: about eight lines of it.
    moved = [n[0] for n in numbers(p.stderr)]
    assert moved == sorted(moved) and any(0 < m < 80 for m in moved), moved
    close(clients)


def test_what_is_left_counts_the_shard_that_is_emptied(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "10m")
    clients = people(k, 60)
    k.ctl("upgrade", "--no-wait")
    seen = []

    def over():
        u = k.status()["upgrade"]
        if u["phase"] == "moving":
            seen.append((u["moved"], u["left"]))
        return u["phase"] == "holding"
    wait.until(over, 60)
    assert len({m for m, _ in seen}) > 5
    # Those that are in between are counted where they are.
    assert all(58 <= m + left <= 60 for m, left in seen), seen
    k.ctl("back")
    close(clients)


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
def test_it_is_drawn_over_itself(start, columns):
    """26: On terminals of any width; the last picture is whole, and the only one."""
    k = start(shards=2, limit=500, config=SLOW % "1s")
    clients = people(k, 40)
    d = Drawn(command(k, "upgrade"), columns)
    code, out = d.end()
    assert (code, out) == (0, "all shards are of the new program\n")
    whole = " ".join(filter(None, d.screen.rows))
    bar = "#" * min(30, columns - 3)
    assert re.fullmatch(rf"\[{bar}\] done: 40 moved, 0 skipped, 0 failed, 0 left; {PAUSE}",
                        whole), d.screen.rows
    assert max(map(len, d.screen.rows)) < columns
    assert re.search(r"\[#+\.+\]", d.text)
    assert "kept for 1 s" in " ".join(d.text.replace("\x1b[K", "").split()), d.text
    # No colours, whatever the environment says of them.
    assert "m" not in re.findall(r"\x1b\[[\d;]*([A-Za-z])", d.text)
    close(clients)


def test_a_terminal_that_can_do_nothing_has_lines(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "100ms")
    clients = people(k, 10)
    d = Drawn(command(k, "upgrade"), env={"TERM": "dumb"})
    assert d.end()[0] == 0
    assert "\x1b" not in d.text and "[#" not in d.text
    assert re.search(rf"^done: {MOVES}", d.text, re.M)
    close(clients)


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_it_is_told_what_goes_on(start, signo):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "100ms")
    clients = people(k, 50)
    d = Drawn(command(k, "upgrade"))
    d.until(r"moving: [1-9]\d* moved")
    d.process.send_signal(signo)
    assert d.end() == (-signo, "")
    assert "kennelctl: nobody waits for it any more: the upgrade goes on; kennelctl status " \
        "shows how far it is, kennelctl back undoes it\n" in d.text.replace("\r\n", "\n")
    assert "upgrade to generation 2, moving: " in k.ctl("status")
    wait.until(lambda: k.status()["upgrade"]["ok"], 30)
    said = k.ctl("status")
    assert "upgrade to generation 2, all shards are of the new program: 50 moved" in said
    close(clients)


def test_who_does_not_wait_for_the_gateway_is_told_too(start):
    """26: It cannot go on before a shard that stands still has taken a connection over."""
    k = start(shards=1)
    pid, started = k.stop_shard(0), k.status()["started"]
    c = Wire(k.address, 60)
    c.write(request("GET", "/lobby/x", [("Connection", "close")]))
    wait.until(lambda: k.status()["handing_over"] == 1, 20)
    p = subprocess.Popen(command(k, "upgrade", "gateway"), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    wait.until(lambda: k.status()["succession"] == "settling", 20)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=wait.limit(30))
    assert (p.returncode, out) == (-signal.SIGINT, "")
    assert err.startswith("kennelctl: nobody waits for it any more: the gateway tries the other")
    os.kill(pid, signal.SIGCONT)
    wait.until(lambda: k.status()["started"] != started, 20)
    assert c.read_all().startswith(b"HTTP/1.1 200 ")
    c.sock.close()


def test_nohup_is_not_interrupted(start):
    """26"""
    k = start(shards=1, config=SLOW % "2s")
    p = subprocess.Popen(["nohup", *command(k, "upgrade")], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)
    p.send_signal(signal.SIGHUP)
    out, err = p.communicate(timeout=wait.limit(30))
    assert p.returncode == 0 and "any more" not in err, err


def test_programs_are_told_once(start):
    """26: --json: one object, and nothing on standard error; on a signal, too, what goes on."""
    k = start(shards=2, limit=500, config=SLOW % "500ms")
    clients = people(k, 20)
    p = subprocess.run(command(k, "upgrade", "--json"), capture_output=True, text=True,
                       timeout=wait.limit(60))
    u = json.loads(p.stdout)
    assert (p.returncode, p.stderr) == (0, "")
    assert (u["phase"], u["ok"], u["moved"], u["left"], u["hold_ms"]) == ("none", True, 20, 0, 0)
    close(clients)


def test_a_drain_says_what_has_moved(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "1s")
    clients = people(k, 60)
    n = k.shard(1)["connections"]
    d = Drawn(command(k, "drain", "1"), 200)
    d.until(r"ready: [1-9]\d* of ")
    row = next(m for m in k.status()["moves"])
    assert (row["what"], row["slot"], row["over"]) == ("drain", 1, False)
    assert row["moved"] + row["left"] == n and row["left_ms"] > 0
    code, out = d.end()
    assert (code, out) == (0, "slot 1 is empty; kennelctl restart 1 fills it again\n")
    assert re.fullmatch(rf"\[#+\] left: {n} of {n} gone: {n} moved, 0 skipped, 0 failed, 0 left; "
                        rf"{PAUSE}", d.screen.rows[0]), d.screen.rows
    row = next(m for m in k.status()["moves"])
    assert (row["moved"], row["left"], row["over"]) == (n, 0, True)
    p = k.ctl("restart", "1", check=False)
    assert p.returncode == 0 and p.stderr.endswith("started again: nobody was there\n"), p.stderr
    close(clients)


def test_a_drain_without_a_terminal_and_one_that_is_left(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "1s")
    clients = people(k, 60)
    p = subprocess.Popen(command(k, "drain", "1"), stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    wait.until(lambda: k.status()["moves"][0]["moved"] > 3, 20)
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=wait.limit(30))
    assert (p.returncode, out) == (-2, "")
    lines = err.splitlines()
    assert lines[-1] == "kennelctl: nobody waits for it any more: slot 1 is emptied; " \
        "kennelctl shards shows how far it is"
    assert len(lines) == len(set(lines)) and "\x1b" not in err
    wait.until(lambda: len(k.status()["shards"]) == 1, 30)
    assert k.shard(0)["connections"] == 60
    close(clients)


def test_rebalance_is_waited_for(start):
    """26: Until they are even; what moved is said. Who does not want to wait, need not."""
    k = start(shards=2, limit=500, config=SLOW % "1s")
    clients = people(k, 60)
    one_sided(k)
    d = Drawn(command(k, "rebalance"), 200)
    d.until(r"moving: [1-9]\d* moved")
    row = next(m for m in k.status()["moves"] if m["what"] == "rebalance")
    assert 28 <= row["moved"] + row["left"] <= 33, row
    code, out = d.end()
    a, b = k.shard(0)["connections"], k.shard(1)["connections"]
    assert (code, out) == (0, f"{b} connections have moved\n") and abs(a - b) <= 4
    assert re.fullmatch(rf"\[#+\] done: {b} moved, 0 skipped, 0 failed, 0 left; {PAUSE}",
                        d.screen.rows[0]), d.screen.rows
    assert k.ctl("rebalance") == "nobody has to move, or can\n"
    one_sided(k)
    assert "move first" in k.ctl("rebalance", "--no-wait")
    wait.until(lambda: next(m for m in k.status()["moves"] if m["what"] == "rebalance")["over"],
               30)
    one_sided(k)
    u = json.loads(k.ctl("rebalance", "--json"))
    assert u["over"] and u["moved"] == k.shard(1)["connections"] >= u["moving"] > 0, u
    close(clients)


def test_rebalance_amid_an_upgrade_is_refused(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "10m")
    k.ctl("upgrade", "--no-wait")
    p = k.ctl("rebalance", check=False)
    assert p.returncode == 1 and "an upgrade is under way" in p.stderr
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)
    k.ctl("commit")
    assert k.ctl("rebalance") == "nobody has to move, or can\n"


def test_rebalance_of_those_whom_nobody_takes_ends(start, installed, tmp_path):
    """26: Nobody moves, and it is over: it is not tried again and again."""
    script = tmp_path / "refuses"
    script.write_text(f"#!/bin/sh\nMOVER_REFUSE=1 exec {installed.worker('mover.c')} \"$@\"\n")
    script.chmod(0o755)
    k = start(shards=2, worker=str(script), config=SLOW % "1s" + routes(500))
    clients = [Mover(k, "g", f"u{i}") for i in range(30)]
    p = k.ctl("rebalance", "--json")
    u = json.loads(p)
    assert u["over"] and (u["moved"], u["skipped"], u["left"]) == (0, 30, 0), u
    assert k.log().count("balance from=") == 1
    for m in clients:
        m.sock.close()
