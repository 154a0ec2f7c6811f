"""kennelctl: what the operator has done, and what is told to scripts."""
import contextlib
import json
import os
import pathlib
import pty
import re
import subprocess

import pytest
from kit import kennel as kits
from kit import docs, wait, ws
from kit.chat import Chat, crowd
from kit.ws import WebSocket


def ask(k, *args):
    text = k.ctl(*args, "--json")
    # What is waited for has a line for each change, and the answer in the last.
    return json.loads(text.splitlines()[-1] if args[0] in ("drain", "restart") else text)


def closed(client):
    """The code and the reason of the close frame that it gets."""
    with pytest.raises(ws.Ended) as e:
        while True:
            client.recv()
    return e.value.code, bytes(e.value.reason).decode()


def test_who_says_where_a_client_is(start):
    k = start(shards=2)
    anna, other = Chat(k, "g", "anna"), Chat(k, "h", "anna")
    who = ask(k, "who", "anna")
    assert who["left"] == 0
    assert sorted((c["group"], c["uid"], c["app"], c["http"])
                  for c in who["connections"]) == \
        [("g", "anna", "chat", False), ("h", "anna", "chat", False)]
    mine, = [c for c in who["connections"] if c["group"] == "g"]
    assert mine["shard"] == anna.shard()
    one, = ask(k, "who", mine["id"])["connections"]
    assert one == mine
    text = k.ctl("who", "anna")
    assert mine["id"] in text and text.count("anna") == 2
    p = k.ctl("who", "nobody", check=False)
    assert p.returncode == 3 and "nobody" in p.stderr and not p.stdout
    anna.close(), other.close()


def test_close_by_uid_and_by_id(start):
    k = start(shards=2)
    a, b, c = Chat(k, "g", "a"), Chat(k, "g", "b"), Chat(k, "h", "a")
    k.wait_places(3)
    p = ask(k, "close", "a")
    assert {x["group"] for x in p["connections"]} == {"g", "h"}
    for x in a, c:
        assert closed(x) == (1008, "The operator closed it.")
    k.wait_places(1)
    id, = [x["id"] for x in ask(k, "who", "b")["connections"]]
    assert id in k.ctl("close", id)
    assert closed(b)[0] == 1008
    k.wait_places(0)
    assert k.status()["totals"]["gone"]["operator"] == 3
    assert k.ctl("close", id, check=False).returncode == 3
    k.exact()


def test_uid_that_looks_like_an_id(start):
    k = start(shards=1)
    with Chat(k, "g", "0123456789abcdef") as c:
        assert len(ask(k, "who", "0123456789abcdef")["connections"]) == 1
        k.ctl("close", "0123456789abcdef")
        assert closed(c)[0] == 1008


def test_drain_keeps_the_slot_empty_until_restart(start):
    k = start(shards=2)
    people = [Chat(k, f"g{i}", "x") for i in range(20)]
    k.wait_places(20)
    before = {s["slot"]: s for s in k.shards()}
    p = k.ctl("drain", "0", "--within", "8s", check=False)
    assert p.returncode == 0, p.stderr
    assert "slot 0 is empty" in p.stdout
    n = before[0]["connections"]
    assert n > 0 and f"{n} of {n} gone" in p.stderr
    s, = k.status()["shards"]
    assert s["pid"] == before[1]["pid"]
    # They are where the others are.
    assert k.status()["totals"]["gone"]["drained"] == 0
    assert k.status()["totals"]["moved"] == n
    for c in people:
        assert c.shard() == before[1]["address"]
    # Newcomers go to the other one.
    with Chat(k, "new", "y") as y:
        assert y.shard() == before[1]["address"]
    assert k.ctl("drain", "0", check=False).returncode == 1
    assert ask(k, "restart", "0")["done"] is True
    assert len(k.shards()) == 2
    k.exact()
    for c in people:
        c.close()


def test_restart_starts_another_process(start):
    k = start(shards=2)
    with Chat(k, "g", "a") as a:
        address = a.shard()
        old, = [s for s in k.shards() if s["address"] == address]
        r = ask(k, "restart", str(old["slot"]), "--within", "5s")
        assert (r["done"], r["connections"], r["pid"]) == (True, 1, old["pid"])
        assert a.shard() != address
        new = k.shard(old["slot"])
        assert new["pid"] != old["pid"] and new["state"] == "ready"
    assert not re.search(r"died|killed", k.log())


@pytest.mark.parametrize("args", [["status"], ["shards"], ["who", "ann"], ["ready"], ["help"],
                                  ["cluster", "--json"]], ids=lambda a: a[0])
def test_what_cannot_be_written_is_said(start, args):
    k = start(shards=1)
    with Chat(k, "room", "ann"), open("/dev/full", "w") as full:
        p = subprocess.run([kits.KENNELCTL, *args, "--run-dir", k.run], stdout=full,
                           stderr=subprocess.PIPE, text=True, timeout=wait.limit(30))
    assert (p.returncode, p.stderr) == (1, "kennelctl: cannot write: No space left on device\n")


def test_drain_of_what_cannot(start):
    k = start(shards=1)
    for slot, status in ("7", 3), ("x", 2), ("999999", 2), ("-1", 2):
        p = k.ctl("drain", slot, check=False)
        assert p.returncode == status, (slot, p.stderr)
        assert p.stderr.startswith("kennelctl: ")
    assert k.ctl("restart", "0", "--within", "2h", check=False).returncode == 2


def test_drain_says_who_stayed_and_was_closed(start):
    """There is no room elsewhere: nobody moves, and all are counted."""
    k = start(shards=2, max_shards=2)
    people = crowd(k, "g", "abcd")
    stayed = [c for c in people if c.shard() == k.shard(1)["address"]]
    d = ask(k, "drain", "1")
    assert len(stayed) == d["connections"] == 2
    assert (d["moved"], d["skipped"], d["left"]) == (0, 2, 0), d
    for c in stayed:
        assert closed(c)[0] == 1012
    for c in people:
        c.close()


def test_drain_without_waiting(start):
    k = start(shards=2)
    with Chat(k, "g", "a") as a:
        slot = a.shard().split("/")[1].split("#")[0]
        assert "begins" in k.ctl("drain", slot, "--no-wait")
        wait.until(lambda: len(k.status()["shards"]) == 1)
        assert a.shard().split("/")[1].split("#")[0] != slot


def drawn(master):
    """All that a program which has ended has left for this end of a terminal, which is closed."""
    text = b""
    with contextlib.suppress(OSError):          # nobody has the other end
        while data := os.read(master, 65536):
            text += data
    os.close(master)
    return text.decode()


def test_drain_draws_a_bar_on_a_terminal(start):
    k = start(shards=2)
    people = crowd(k, "g", "abcd")
    master, slave = pty.openpty()
    p = subprocess.run([kits.KENNELCTL, "drain", "1", "--run-dir", k.run],
                       stdout=subprocess.DEVNULL, stderr=slave,
                       timeout=wait.limit(40), env={**k.env, "TERM": "xterm"})
    os.close(slave)
    text = drawn(master)
    assert p.returncode == 0, text
    assert re.search(r"\r\[[#.]{30}\]\x1b\[K\r\n\w+: \d+ of \d+ gone: ", text), text
    assert "[" + "#" * 30 + "]" in text
    for c in people:
        c.close()


def test_place_tells_and_changes_nothing(start):
    k = start(shards=2, limit=2)
    seen = lambda: [{key: s[key] for key in ("address", "connections",
                                             "replicas")} for s in k.shards()]
    p = ask(k, "place", "g", "a", "--app", "chat")
    assert p["answer"] == "placed" and "new one" in p["why"]
    assert k.status()["groups"] == []
    with Chat(k, "g", "a") as a:
        assert a.shard() == p["shard"]
        before = seen()
        p = ask(k, "place", "g", "a")       # the only open group of that name
        assert p["shard"] == a.shard() and "before" in p["why"]
        p = ask(k, "place", "g", "b")
        assert p["shard"] == a.shard() and "filled" in p["why"]
        with Chat(k, "g", "b") as b:
            assert b.shard() == p["shard"]
            p = ask(k, "place", "g", "c")
            assert p["shard"] != a.shard() and "new one" in p["why"]
            assert p["limit"] == 2
        assert "would go to" in k.ctl("place", "g", "b")
        k.wait_places(1)
        assert seen() == before
    k.exact()


@pytest.mark.parametrize("rule,words", [
    ("least", "the fewest connections"), ("spread", "the fewest replicas"),
    ("pack", "the most connections"), ("hash", "that its name leads to")])
def test_place_says_by_which_rule(start, rule, words):
    """A new replica begins where it was said, and the next one likewise."""
    k = start(shards=3, config="[route r]\npath = /{g}\napp = echo\n"
              f"group = path:g\nuid = query:u\nlimit = 1\nplace = {rule}\n")
    people, slots = [], {}
    for group in "a", "b", "c", "a", "b", "a":
        p = ask(k, "place", group, "u", "--app", "echo")
        assert words in p["why"], p
        people.append(WebSocket(k.address, f"/{group}?u={len(people)}"))
        slots.setdefault(group, []).append(p["slot"])
        there = k.ctl("who", str(len(people) - 1), "--json")
        assert p["shard"] in there
    assert sorted(slots["a"]) == [0, 1, 2]
    if rule == "pack":
        assert slots["b"][0] == slots["c"][0] == slots["a"][0]
    for p in people:
        p.goodbye()


def test_place_where_nobody_has_room(start):
    k = start(shards=1, max_shards=1, limit=1)
    with Chat(k, "g", "a"):
        p = k.ctl("place", "g", "b", check=False)
        assert p.returncode == 3 and "503" in p.stdout
        with pytest.raises(ws.Refused) as e:
            Chat(k, "g", "b")
        assert e.value.response.status == 503
    p = k.ctl("place", "other", "b", check=False)
    assert p.returncode == 1 and "chat" in p.stderr and "--app" in p.stderr
    p = k.ctl("place", "g", "b", "--app", "chta", check=False)
    assert p.returncode == 1 and "chta" in p.stderr


INI = """[gateway]
limit = %s
log_level = %s
shards = %s
[worker]
message_max = %s
[route a]
path = /%s/{group}/ws
app = chat
group = path:group
"""


def test_reload_says_what_was_taken(start):
    k = start(config=INI % (5, "info", 2, "1M", "a"), shards=None, limit=None)
    ini = pathlib.Path(k.config)
    assert ask(k, "reload") == {"taken": "", "restart": ""}
    ini.write_text(INI % (6, "debug", 3, "2M", "b"))
    assert ask(k, "reload") == {
        "taken": "[gateway] limit, [gateway] log_level, the routes",
        "restart": "[gateway] shards, [worker] message_max"}
    k.wait_log(r"counts after a restart: \[gateway\] shards, "
               r"\[worker\] message_max")
    with ws.WebSocket(k.address, "/b/g/ws?u=a"):
        pass
    k.wait_log(r"debug shardd/\d")
    ini.write_text("[gateway]\nlimit = x\nnokey = 1\n")
    p = k.ctl("reload", check=False)
    assert p.returncode == 1
    assert p.stderr.count("kennelctl: ") == 2 and "nokey" in p.stderr
    assert ask(k, "place", "g", "a")["limit"] == 6


def test_log_level_reaches_gateway_and_shards(start):
    k = start(shards=2)
    mark = len(k.log())
    with Chat(k, "g", "a"):
        pass
    assert " debug " not in k.log(mark)
    assert ask(k, "log-level", "debug") == {"level": "debug", "was": "info"}
    with Chat(k, "g", "a"):
        k.wait_log(r" debug gatewayd\[")
    k.wait_log(r" debug shardd/\d\[")
    ask(k, "log-level", "warn")
    k.wait_places(0)
    assert k.ctl("log-level", "loud", check=False).returncode == 2


def test_shards_groups_check(start):
    k = start(shards=2)
    with Chat(k, "g", "a"):
        assert [s["slot"] for s in ask(k, "shards")] == [0, 1]
        g, = ask(k, "groups")
        assert g["group"] == "g"
        assert k.ctl("shards").count("\n") == 3
        assert "g " in k.ctl("groups")
        assert ask(k, "check") == {"exact": True, "silent": []}
        assert k.ctl("check") == "the books are exact\n"


def test_top_is_plain_where_there_is_no_terminal(start):
    k = start(shards=2)
    people = crowd(k, "g", "abc") + [Chat(k, "small", "x")]
    text = k.ctl("top", "--times", "2", "--interval", "100ms")
    assert "\x1b" not in text
    assert text.count("node ") == 2 and "/s)" in text
    assert text.index("\ng ") < text.index("\nsmall ")     # the larger first
    lines = k.ctl("top", "--times", "2", "--interval", "100ms",
                  "--json").splitlines()
    assert [json.loads(l)["places"] for l in lines] == [4, 4]
    for p in people:
        p.close()


def test_top_on_a_terminal_stays_within_it(start):
    k = start(shards=2)
    people = [Chat(k, f"g{i}", "x") for i in range(30)]
    master, slave = pty.openpty()
    p = subprocess.run([kits.KENNELCTL, "top", "--times", "1", "--run-dir",
                        k.run], stdout=slave, stderr=subprocess.PIPE,
                       timeout=wait.limit(30), env=k.env)
    os.close(slave)
    text = drawn(master)
    assert p.returncode == 0, p.stderr
    assert text.startswith("\x1b[2J\x1b[H") and text.endswith("\x1b[J")
    assert text.count("\n") <= 23
    for c in people:
        c.close()


@pytest.mark.parametrize("args", [
    ["who"], ["close"], ["drain"], ["restart"], ["place", "g"], ["room"],
    ["room", "mv", "x"], ["log-level"], ["who", "a", "b"],
    ["status", "--app", "x"], ["drain", "0", "--check"],
    ["who", "x", "--within", "1s"], ["top", "--times", "0"],
    ["top", "--interval", "soon"], ["drain", "0", "--within"],
    ["place", "", "u"], ["who", "x" * 5000]], ids=lambda a: " ".join(a)[:30])
def test_wrong_usage_is_2(args):
    p = subprocess.run([kits.KENNELCTL, *args], capture_output=True, text=True,
                       timeout=wait.limit(30))
    assert p.returncode == 2, p.stderr
    assert p.stdout == "" and p.stderr.startswith("kennelctl: ")


def test_help_and_the_manual_name_every_command():
    p = subprocess.run([kits.KENNELCTL, "help"], capture_output=True,
                       text=True, timeout=wait.limit(30))
    assert p.returncode == 0
    commands = re.findall(r"^  ([a-z][a-z-]*) ", p.stdout, re.M)
    assert len(commands) == 21
    with open(os.path.join(kits.TOP, "deploy/man/kennelctl.1")) as f:
        page = f.read()
    readme = docs.page("README.md")
    for c in commands:
        assert re.search(r"^\.(It )?Cm %s\b" % c, page, re.M), c
        assert f"| `{c}" in readme, c
    for o in re.findall(r"^  --([a-z-]+)", p.stdout, re.M):
        assert "Fl -" + o in page or o in ("version", "help"), o


def complete(k, *words):
    """What bash offers for the last of words."""
    script = """
source "$0"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
complete -p kennelctl >/dev/null || exit 1
_kennelctl
printf '%s\\n' "${COMPREPLY[@]}"
"""
    p = subprocess.run(["bash", "-c", script, os.path.join(
        kits.TOP, "deploy/completion/kennelctl.bash"), kits.KENNELCTL, *words],
        capture_output=True, text=True, timeout=wait.limit(30), env=k.env)
    assert p.returncode == 0 and p.stderr == "", p.stderr
    return p.stdout.split()


def test_bash_completes(start):
    k = start(shards=2)
    p = subprocess.run([kits.KENNELCTL, "help"], capture_output=True,
                       text=True, timeout=wait.limit(30))
    commands = re.findall(r"^  ([a-z][a-z-]*) ", p.stdout, re.M)
    assert sorted(complete(k, "")) == sorted(commands)
    assert complete(k, "re") == ["restart", "rebalance", "reload",
                                 "ready"]
    assert complete(k, "log-level", "d") == ["debug"]
    assert complete(k, "room", "") == ["rm"]
    assert complete(k, "drain", "0", "--") == \
        ["--json", "--run-dir", "--within", "--no-wait"]
    at = ["--run-dir", k.run]
    assert complete(k, *at, "drain", "") == ["0", "1"]
    with Chat(k, "parlour", "a"):
        assert complete(k, *at, "place", "p") == ["parlour"]
    # Each option that is offered somewhere is one, and none is missing.
    offered = {o for c in commands for o in complete(k, c, "--")}
    assert offered | {"--help", "--version"} == \
        set(re.findall(r"  (--[a-z-]+)", p.stdout)) | {"--help"}


def test_zsh_knows_the_same_commands(start):
    with open(os.path.join(kits.TOP, "deploy/completion/_kennelctl")) as f:
        text = f.read()
    p = subprocess.run([kits.KENNELCTL, "help"], capture_output=True,
                       text=True, timeout=wait.limit(30))
    for c in re.findall(r"^  ([a-z][a-z-]*) ", p.stdout, re.M):
        assert re.search(r"^\t['\"]%s:" % c, text, re.M), c
    for o in re.findall(r"^  (--[a-z-]+)", p.stdout, re.M):
        assert o in text, o
