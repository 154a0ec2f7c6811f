"""How far long work is: what kennelctl draws on a terminal, and says elsewhere."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest
from kit import wait
from kit.http import request
from kit.kennel import KENNELCTL, SHARDD
from kit.mover import Crowd, Mover, routes
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
    assert all(a != b for a, b in zip(lines, lines[1:])), lines
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


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_a_terminal_that_can_do_nothing_has_lines(start, term):
    """26: Nor one of which nobody says what it can."""
    k = start(shards=2, limit=500, config=SLOW % "100ms")
    clients = people(k, 10)
    d = Drawn(command(k, "upgrade"), env={"TERM": term})
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

    def seen():
        s = k.status()
        if s["handing_over"] == 0:              # after 2 s another shard would be asked
            return "late"
        return s["succession"] == "settling" and "in time"
    if wait.until(seen, 20) == "late":
        os.kill(pid, signal.SIGCONT)
        p.communicate(timeout=wait.limit(30))
        c.sock.close()
        pytest.skip("the machine is too slow for this test")
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


# ---- for programs ----

FACTS = {"moved", "skipped", "failed", "left", "waiting", "left_ms", "pause_us"}


def objects(text):
    """A line each: what goes on, and the last one, which has the exit status."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines and all("exit" not in o for o in lines[:-1]) and "exit" in lines[-1], text
    return lines[:-1], lines[-1]


def programs(k, *args):
    """What programs are told; on standard error nothing, unless it came to nothing."""
    p = subprocess.run(command(k, *args, "--json"), capture_output=True, text=True,
                       timeout=wait.limit(60))
    lines, last = objects(p.stdout)
    assert last["exit"] == p.returncode and last["what"] == args[0], p.stdout
    assert all(o["what"] == args[0] for o in lines), p.stdout
    assert p.stderr == "" or "error" in last
    return lines, last


class Told:
    """A command that tells a program how far it is, while it does."""

    def __init__(self, k, *args):
        self.process = subprocess.Popen(command(k, *args, "--json"), stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = b""

    def until(self, done):
        """One of its lines is so."""
        def read():
            self.text += self.process.stdout.read() or b""
            return any(done(json.loads(line)) for line in self.text.split(b"\n")[:-1])
        wait.until(read, 30, lambda: f"a line, after {self.text}")

    def end(self):
        """Its exit status, its lines but the last, the last, and what it said beside."""
        wait.until(lambda: self.process.poll() is not None, 30)
        self.text += self.process.stdout.read() or b""
        err = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.returncode, *objects(self.text.decode()), err


def only_changes(lines):
    """Nothing is said twice; how long it will take is no change by itself."""
    said = [(o["phase"], *(o.get(f) for f in ("moved", "skipped", "failed", "left")))
            for o in lines]
    assert all(a != b for a, b in zip(said, said[1:])), said


def test_programs_have_a_line_when_something_has_changed(start):
    """26: --json: each line is an object, also while the old shards are kept; the last one has
    how it ended."""
    k = start(shards=2, limit=500, config=SLOW % "4s")
    clients = people(k, 80)
    lines, u = programs(k, "upgrade")
    assert (u["phase"], u["ok"], u["moved"], u["left"], u["hold_ms"], u["exit"]) == \
        ("none", True, 80, 0, 0, 0)
    assert u["result"] == "all shards are of the new program"
    only_changes(lines)
    phases = [o["phase"] for o in lines]
    # Some phases are shorter than from look to look.
    assert {"moving", "holding"} <= set(phases) <= {"starting", "moving", "holding", "committing"}
    assert phases[phases.index("holding"):] in (["holding"], ["holding", "committing"]), phases
    assert 0 < lines[phases.index("holding")]["hold_ms"] <= 4000
    assert all(set(o) == FACTS | {"what", "phase", "hold_ms"} for o in lines), lines
    moved = [o["moved"] for o in lines]
    assert moved == sorted(moved) and len({m for m in moved if 0 < m < 80}) > 2, moved
    # Who is between the two shards is in neither number.
    assert all(77 <= o["moved"] + o["left"] <= 80 for o in lines if o["phase"] == "moving"), lines
    pauses = [o["pause_us"] for o in lines if o["moved"]] + [u["pause_us"]]
    assert all(0 < p["p50"] <= p["p99"] <= p["max"] for p in pauses), pauses
    close(clients)


def test_programs_are_told_while_it_goes_on(start):
    """26: Each line is written at once, though nobody reads a terminal."""
    k = start(shards=2, limit=500, config=SLOW % "10m")
    clients = people(k, 30)
    told = Told(k, "upgrade")
    told.until(lambda o: o["phase"] == "holding")
    assert k.status()["upgrade"]["phase"] == "holding" and told.process.poll() is None
    # Somebody else decides; whoever waits is told.
    assert k.ctl("back") == "everything is as it was\n"
    code, _, last, err = told.end()
    assert (code, last["exit"], last["ok"], err) == (1, 1, False, "")
    assert last["result"] == "the operator wanted it back"
    close(clients)


def test_programs_are_told_of_a_part_and_of_what_is_decided(start):
    """26: canary ends when its part has moved; back and commit succeed if that is what is."""
    k = start(shards=2, limit=500, config=SLOW % "10m")
    clients = people(k, 20)
    lines, u = programs(k, "canary", "50%")
    assert (u["phase"], u["percent"], u["ok"], u["exit"]) == ("holding", 50, False, 0)
    only_changes(lines)
    lines, u = programs(k, "back")
    assert (u["phase"], u["ok"], u["exit"]) == ("none", False, 0)
    assert {o["phase"] for o in lines} <= {"back", "leaving"}
    _, u = programs(k, "upgrade", "--no-wait")
    assert u["phase"] == "starting" and u["exit"] == 0
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)
    _, u = programs(k, "commit")
    assert (u["phase"], u["ok"], u["exit"]) == ("none", True, 0)
    close(clients)


def test_programs_are_told_of_a_slot(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "1s")
    clients = people(k, 60)
    n = k.shard(1)["connections"]
    lines, d = programs(k, "drain", "1")
    assert (d["slot"], d["was"], d["connections"], d["done"], d["exit"]) == (1, "ready", n, True, 0)
    assert (d["moved"], d["skipped"], d["failed"], d["left"]) == (n, 0, 0, 0), d
    assert 0 < d["pause_us"]["p50"] <= d["pause_us"]["max"]
    only_changes(lines)
    moved = [o["moved"] for o in lines]
    assert lines[0]["phase"] == "ready" and any(0 < m < n for m in moved), lines
    assert all(o["moved"] + o["left"] == n for o in lines if o["phase"] == "ready"), lines
    lines, d = programs(k, "drain", "1")
    assert (lines, d["exit"]) == ([], 1) and "error" in d, d
    lines, d = programs(k, "restart", "1")
    assert (d["done"], d["exit"]) == (True, 0) and k.shard(1)["state"] == "ready", d
    only_changes([{**o, "moved": 0} for o in lines])
    close(clients)


def test_programs_are_told_of_evening_out(start):
    """26"""
    k = start(shards=2, limit=500, config=SLOW % "1s")
    clients = people(k, 60)
    one_sided(k)
    lines, r = programs(k, "rebalance")
    assert r["over"] and r["moved"] == k.shard(1)["connections"] >= r["moving"] > 0, r
    assert (r["left"], r["exit"]) == (0, 0)
    only_changes(lines)
    assert {o["phase"] for o in lines} == {"moving"} and any(o["left"] for o in lines), lines
    lines, r = programs(k, "rebalance")
    assert (lines, r["moving"], r["exit"]) == ([], 0, 0)
    close(clients)


def test_programs_are_told_why_it_came_to_nothing(start, tmp_path):
    """26: The last line has the exit status, whatever the reason was."""
    k = start(shards=1, config=SLOW % "10m", deaths=True)
    lines, u = programs(k, "upgrade", "/bin/false")
    assert (u["exit"], u["ok"]) == (1, False) and "did not get ready" in u["result"], u
    assert {o["phase"] for o in lines} <= {"starting", "back", "leaving"}, lines
    for status, args in ((2, ["canary", "0%"]), (2, ["upgrade", str(tmp_path / "none")]),
                         (1, ["commit"]), (1, ["back"]), (1, ["upgrade", str(tmp_path)]),
                         (3, ["drain", "7"]), (2, ["drain", "x"])):
        lines, last = programs(k, *args)
        assert (lines, last["exit"]) == ([], status) and last["error"], (args, last)
    # A path that is no UTF-8 can be told, too.
    p = subprocess.run(command(k, "upgrade", b"/no\xff", "--json"), capture_output=True,
                       timeout=wait.limit(60))
    assert p.returncode == 2 and "no such program" in json.loads(p.stdout)["error"], p.stdout
    wait.until(lambda: len(k.status()["shards"]) == 1, 30)
    told = Told(k, "upgrade")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)
    k.kill_gateway()
    code, _, last, err = told.end()
    assert (code, last["exit"]) == (1, 1) and last["error"] in err, (last, err)
    k.start()


@pytest.mark.parametrize("args", [["upgrade"], ["drain", "1"], ["rebalance"]],
                         ids=lambda a: a[0])
def test_programs_are_told_what_goes_on_without_them(start, args):
    """26: On a signal; it does go on, to its end."""
    k = start(shards=2, limit=500, config=SLOW % "100ms")
    clients = people(k, 60)
    if args[0] == "rebalance":
        one_sided(k)
    told = Told(k, *args)
    told.until(lambda o: o["moved"] > 0)
    told.process.send_signal(signal.SIGINT)
    code, _, last, err = told.end()
    assert (code, last["exit"]) == (-2, 130), (last, err)
    assert err == f"kennelctl: nobody waits for it any more: {last['interrupted']}\n"
    if args[0] == "upgrade":
        wait.until(lambda: k.status()["upgrade"]["ok"], 30)
    else:
        wait.until(lambda: k.status()["moves"][0]["over"], 30)
        assert k.status()["moves"][0]["moved"] >= 25
    close(clients)


@pytest.mark.parametrize("how", ["pipe", "ignored", "full", "closed"])
def test_who_cannot_read_it_any_more(start, how):
    """26: Ends the waiting, and not the work, as a signal does."""
    k = start(shards=1, limit=500, config=SLOW % "3s")
    clients = people(k, 5)
    cmd, out = command(k, "upgrade", "--json"), None
    if how in ("pipe", "ignored"):
        read, out = os.pipe()
        os.close(read)
        # SIGPIPE ends it, unless it is ignored, as it is in Python.
        signals = how == "pipe"
    else:
        out, signals = os.open("/dev/full", os.O_WRONLY), True
        if how == "closed":
            cmd = ["sh", "-c", 'exec "$@" >&-', "sh", *cmd]
    p = subprocess.run(cmd, stdout=out, stderr=subprocess.PIPE, text=True, restore_signals=signals,
                       timeout=wait.limit(60))
    os.close(out)
    if how == "pipe":
        assert (p.returncode, p.stderr) == (-signal.SIGPIPE, "")
    else:
        why = {"ignored": "Broken pipe", "full": "No space left on device",
               "closed": "Bad file descriptor"}[how]
        assert p.returncode == 1
        assert p.stderr.startswith(f"kennelctl: cannot write: {why}; the upgrade goes on; ")
    wait.until(lambda: k.status()["upgrade"]["ok"], 30)
    assert k.status()["upgrade"]["moved"] == 5
    close(clients)


@pytest.mark.parametrize("verb", ["upgrade", "rebalance"])
def test_another_gateway_has_begun_meanwhile(start, tmp_path, verb):
    """26: Whoever waits does not wait for ever: it is the operator's turn."""
    other = tmp_path / "shardd"
    shutil.copy(SHARDD, other)
    k = start(shards=2, limit=500, config=SLOW.replace("= 10\n", "= 2\n") % "10m")
    clients = people(k, 40)
    one_sided(k)
    p = subprocess.Popen(command(k, verb, *([str(other)] if verb == "upgrade" else [])),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait.until(lambda: k.status()["totals"]["moved"] > 22, 30)
    # It does not look while there is none.
    os.kill(p.pid, signal.SIGSTOP)
    k.kill_gateway()
    k.start()
    if verb == "upgrade":
        wait.until(lambda: k.status()["upgrade"]["phase"] == "interrupted", 20)
    os.kill(p.pid, signal.SIGCONT)
    out, err = p.communicate(timeout=wait.limit(30))
    assert (p.returncode, out) == (1, "")
    assert re.search({
        "upgrade": "^kennelctl: the gateway ended amid it, 2 shards are of the old program and "
        "[12] of the new one: kennelctl upgrade goes on with it",
        "rebalance": "^kennelctl: another gateway has begun meanwhile: do it again$"}[verb],
        err, re.M), err
    if verb == "upgrade":           # to the other path, which is not the configured one
        k.ctl("upgrade", "--no-wait")
        wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 60)
        k.ctl("commit")
        assert {os.stat(f"/proc/{s['pid']}/exe").st_ino for s in k.shards()} == \
            {os.stat(other).st_ino}
    assert k.places() == 40
    close(clients)


# ---- a slot, and evening out ----

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


def test_a_drain_counts_attempts_that_failed(start, installed):
    """26: Of one that cannot be let go of, stays, and is closed at last."""
    k = start(shards=2, worker=installed.worker("mover.c"), config=SLOW % "1s" + routes(500))
    crowd = Crowd([Mover(k, "g", f"u{i}") for i in range(6)])
    crowd.keep(crowd.movers[:1])
    slot = max(k.shards(), key=lambda s: s["connections"])["slot"]
    _, last = programs(k, "drain", str(slot), "--within", "4s")
    assert (last["moved"], last["skipped"], last["failed"] > 0, last["exit"]) == \
        (5, 1, True, 0), last
    assert k.status()["totals"]["gone"]["drained"] == 1 and k.places() == 5
    crowd.close()


def test_a_restart_that_does_not_come_in_time(start, tmp_path):
    """Its program does not get ready any more: 1, and what to look at."""
    gone, script = tmp_path / "gone", tmp_path / "once"
    script.write_text(f"#!/bin/sh\ntest ! -e {gone} || exit 1\nexec {SHARDD} \"$@\"\n")
    script.chmod(0o755)
    k = start(shards=2, worker=str(script), deaths=True)
    gone.touch()
    told = Told(k, "restart", "1", "--within", "1s")
    p = subprocess.run(command(k, "restart", "0", "--within", "1s"), capture_output=True,
                       text=True, timeout=wait.limit(60))
    assert (p.returncode, p.stdout) == (1, "")
    assert p.stderr.endswith("kennelctl: slot 0 is not done in time: see kennelctl shards, and "
                             "gatewayd's log\n")
    code, _, last, _ = told.end()
    assert (code, last["exit"], last["done"]) == (1, 1, False)


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
    assert all(a != b for a, b in zip(lines, lines[1:])) and "\x1b" not in err
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
    close(clients)


def test_rebalance_of_three_takes_more_than_one_transfer(start):
    """26: From the fullest to the emptiest, until all are even; what moved is counted in all."""
    k = start(shards=3, limit=500, config=SLOW.replace("= 10\n", "= 100\n") % "1s")
    clients = people(k, 60)
    for slot in "1", "2":
        k.ctl("drain", slot)
    for slot in "1", "2":
        k.ctl("restart", slot)
    assert sorted(s["connections"] for s in k.shards()) == [0, 0, 60]
    _, r = programs(k, "rebalance")
    counts = sorted(s["connections"] for s in k.shards())
    assert counts[2] - counts[0] <= 4 and sum(counts) == 60, counts
    assert r["moved"] >= 60 - counts[2] and k.log().count("balance from=") > 1, r
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
    _, u = objects(k.ctl("rebalance", "--json"))
    assert u["over"] and (u["moved"], u["skipped"], u["left"]) == (0, 30, 0), u
    assert k.log().count("balance from=") == 1
    for m in clients:
        m.sock.close()
