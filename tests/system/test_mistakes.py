"""What beginners do wrong with live connections: a clear sentence, and an exit status."""
import subprocess

import pytest
from kit import wait
from kit.chat import crowd, settle
from kit.kennel import KENNELCTL, SHARDD, SILENT

KEEP = "[gateway]\nupgrade_hold = 10m\ndrain = 1s\nmove_rate = 2\n" + SILENT


def refused(k, *args, status=1):
    """What kennelctl says of it, one line."""
    p = k.ctl(*args, check=False)
    assert (p.returncode, p.stdout) == (status, ""), (args, p.returncode, p.stdout, p.stderr)
    line, end = p.stderr.split("\n")
    assert end == "" and line.startswith("kennelctl: ")
    return line[len("kennelctl: "):]


def phase(k, name, percent=None):
    wait.until(lambda: (u := k.status()["upgrade"])["phase"] == name and
               percent in (None, u["percent"]), 60, name)


def test_when_there_is_none(start, tmp_path):
    """Nothing to commit, nothing to undo; no such file; no such slot."""
    k = start(shards=2, config=KEEP)
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    none = tmp_path / "none"
    closed = tmp_path / "file" / "none"
    (tmp_path / "file").write_text("")
    for args, status, words in (
            (["commit"], 1, "there is no upgrade to be committed"),
            (["back"], 1, "there is no upgrade that could go back"),
            (["upgrade", str(none)], 2, f"{none}: there is no such program"),
            (["canary", "10%", str(none)], 2, f"{none}: there is no such program"),
            (["upgrade", str(closed)], 2, f"{closed}: Not a directory"),
            (["upgrade", str(tmp_path)], 1, f"{tmp_path}: Is a directory"),
            (["upgrade", str(plain)], 1, f"{plain}: Permission denied: gatewayd's user may not "
             "execute it (chmod +x?)"),
            (["drain", "9"], 3, "there is no shard in slot 9: kennelctl shards shows which there "
             "are"),
            (["restart", "9"], 3, "there is no shard in slot 9: kennelctl shards shows which "
             "there are"),
            (["canary", "0%"], 2, "canary 0%: must be from 1% to 99%"),
            (["canary", "0"], 2, "canary 0: must be from 1% to 99%"),
            (["canary", "100%"], 2, "canary 100%: must be from 1% to 99%"),
            (["canary", "101%"], 2, "canary 101%: must be from 1% to 99%"),
            (["canary", "-5%"], 2, "unknown option -5%; try kennelctl --help"),
            (["canary", "half"], 2, "canary half: must be from 1% to 99%"),
            (["canary", "%"], 2, "canary %: must be from 1% to 99%"),
            (["canary", SHARDD, "10%"], 2, f"canary {SHARDD}: must be from 1% to 99%"),
            (["canary"], 2, "try kennelctl canary N% [WORKER], or kennelctl --help"),
            (["upgrade", SHARDD, "now"], 2, 'unexpected argument "now"; try kennelctl --help'),
            (["rebalance", "0"], 2, 'unexpected argument "0"; try kennelctl --help')):
        if status == 2 and words.startswith("unknown option -5"):
            assert "unknown option" in refused(k, *args, status=2)
        else:
            assert refused(k, *args, status=status) == words
    assert k.status()["upgrade"]["generation"] == 0 and len(k.shards()) == 2


def test_while_one_is_under_way(start):
    """Another one, or what is not its turn: what can be done instead is said."""
    k = start(shards=2, limit=50, config=KEEP)
    people = crowd(k, "g", [f"u{i}" for i in range(24)])
    moving = "an upgrade is under way: wait until it is done (kennelctl status shows how far " \
        "it is), or undo it by kennelctl back"
    canary = "a canary is under way: kennelctl upgrade moves the rest, too, kennelctl back " \
        "undoes it"
    holding = "an upgrade is under way, whose old shards are kept: kennelctl commit ends that, " \
        "kennelctl back undoes it"
    others = (["canary", "10%"], ["canary", "10%", SHARDD], ["upgrade", SHARDD], ["drain", "0"],
              ["restart", "0"], ["rebalance"], ["upgrade", "gateway"])

    def all_say(words, *more):
        for args in (*others, *more):
            assert refused(k, *args) == words, args
    k.ctl("canary", "50%", "--no-wait")
    phase(k, "moving")
    all_say(moving, ["upgrade"])
    assert refused(k, "commit").startswith("not everybody has moved: try again when")
    phase(k, "holding")
    all_say(canary)
    assert refused(k, "commit") == "only a part has moved: kennelctl upgrade moves the rest, " \
        "kennelctl back all back"
    k.ctl("upgrade", "--no-wait")
    phase(k, "holding", 100)
    all_say(holding, ["upgrade"])
    assert refused(k, "drain", "99", status=3)
    k.ctl("back", "--no-wait")
    assert refused(k, "back") == "it goes back already"
    all_say("an upgrade is under way, which ends by itself now: try again when that is done "
            "(kennelctl status)", ["upgrade"])
    phase(k, "none")
    settle(*people)
    assert not any(k.status()["totals"]["gone"].values())
    for p in people:
        p.close()


@pytest.mark.parametrize("text,why", [
    ("echo not a worker\n", "Exec format error: it is no program for this machine, and no script "
     "that begins with #!"),
    ("#!/nowhere/python\n", "No such file or directory: what its first line names (#!), or its "
     "loader, is not there")])
def test_a_script_that_cannot_be_run(start, tmp_path, text, why):
    k = start(shards=2, config=KEEP)
    script = tmp_path / "script"
    script.write_text(text)
    script.chmod(0o755)
    old = {s["pid"] for s in k.shards()}
    p = k.ctl("upgrade", str(script), check=False)
    assert p.returncode == 1
    assert p.stderr.splitlines()[-1] == "kennelctl: everything is as it was: the new program " \
        f"cannot be started: {why}"
    assert {s["pid"] for s in k.shards()} == old


def test_without_a_gateway(tmp_path):
    for args in ["upgrade"], ["back"], ["commit"], ["rebalance"], ["canary", "5%"], ["drain", "0"]:
        p = subprocess.run([KENNELCTL, *args, "--run-dir", str(tmp_path)], capture_output=True,
                           text=True, timeout=wait.limit(30))
        assert p.returncode == 1 and p.stderr == "kennelctl: no gatewayd answers in " \
            f"{tmp_path}: is it running? give --run-dir\n"
