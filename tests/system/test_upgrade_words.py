"""
What an operator is told who wants something else amid an upgrade: in each of its phases what
can be done now; and nothing is changed by having asked.
"""
import json
import subprocess

import pytest
from kit import wait
from kit.kennel import KENNELCTL
from kit.mover import Crowd, Mover, routes
from kit.rolling import one_sided

CONFIG = "[gateway]\nupgrade_hold = 10m\ndrain = 1m\nmove_rate = %d\nbalance_rate = 5\n" \
    "[worker]\nping_interval = 1h\n"
UNDER_WAY = "an upgrade is under way: wait until it is done (kennelctl status shows how far it " \
    "is), or undo it by kennelctl back"
CANARY = "a canary is under way: kennelctl upgrade moves the rest, too, kennelctl back undoes it"
KEPT = "an upgrade is under way, whose old shards are kept: kennelctl commit ends that, " \
    "kennelctl back undoes it"
ENDS = "an upgrade is under way, which ends by itself now: try again when that is done " \
    "(kennelctl status)"
LATER = "not everybody has moved: try again when it is holding (kennelctl status)"

# By phase: what others are told, whoever wants to commit, and whoever wants it back; None: that
# is possible.
SAID = {
    "none": (None, "there is no upgrade to be committed",
             "there is no upgrade that could go back"),
    "starting": (UNDER_WAY, LATER, None),
    "moving": (UNDER_WAY, LATER, None),
    "canary": (CANARY, "only a part has moved: kennelctl upgrade moves the rest, kennelctl "
               "back all back", None),
    "holding": (KEPT, None, None),
    "committing": (ENDS, "it is committed already: the old shards leave",
                   "it is committed: the old shards leave"),
    "back": (ENDS, "it goes back: there is nothing to be committed", "it goes back already"),
    "leaving": (ENDS, "it goes back: there is nothing to be committed", "it goes back already"),
}


def until(k, phase):
    wait.until(lambda: k.status()["upgrade"]["phase"] == phase, 60, phase)


def busy(crowd, on):
    """The first of them cannot be let go of, from now on; or can, again."""
    m = crowd.movers[0]
    m.command(f"k {on}")
    crowd.until(lambda: f"k {on}" in m.own)


def come_to(k, crowd, phase, mover, tmp_path):
    """It stays in that phase until somebody does something."""
    if phase == "none":
        return
    if phase == "starting":
        sleeps = tmp_path / "sleeps"
        sleeps.write_text("#!/bin/sh\nexec sleep 1000\n")
        sleeps.chmod(0o755)
        k.ctl("upgrade", str(sleeps), "--no-wait")
    elif phase == "canary":
        k.ctl("canary", "50%")
    elif phase == "committing":
        busy(crowd, 1)
        k.ctl("upgrade", "--no-wait")
        until(k, "holding")
        k.ctl("commit", "--no-wait")
    else:
        k.ctl("upgrade", "--no-wait")
    if phase in ("back", "leaving"):
        until(k, "holding")
        busy(crowd, 1)
        k.ctl("back", "--no-wait")
    until(k, "holding" if phase == "canary" else phase)


def same_phase(k, before):
    """It has not gone on by itself meanwhile: some last for ten seconds only."""
    now = k.status()["upgrade"]
    if now["phase"] != before["phase"] and now["ms"] - before["ms"] > 8000:
        pytest.skip("the machine is too slow for this test")


@pytest.mark.parametrize("phase", SAID)
def test_what_is_said(start, mover, tmp_path, phase):
    """22"""
    k = start(shards=2, worker=mover, deaths=phase == "starting",
              config=CONFIG % (1 if phase == "moving" else 1000) + routes(100))
    crowd = Crowd([Mover(k, "g", f"u{i}") for i in range(30)])
    come_to(k, crowd, phase, mover, tmp_path)
    others, commit, back = SAID[phase]
    before = k.status()["upgrade"]
    asked = [("commit",), commit], [("back",), back]
    if others is not None:
        # A shard that stays, whatever comes of it.
        slot = str(k.shards()[0 if phase in ("back", "leaving") else -1]["slot"])
        asked += tuple([args, others] for args in (
            ("upgrade", mover), ("canary", "10%"), ("drain", slot), ("restart", slot),
            ("rebalance",)))
    for args, why in asked:
        if why is not None:
            p = k.ctl(*args, check=False)
            same_phase(k, before)
            assert (p.returncode, p.stdout, p.stderr) == (1, "", f"kennelctl: {why}\n"), args
    after = k.status()["upgrade"]
    assert [after[n] for n in ("phase", "percent", "generation", "worker")] == \
        [before[n] for n in ("phase", "percent", "generation", "worker")]
    if phase in ("committing", "back", "leaving"):
        busy(crowd, 0)
    elif back is None:
        k.ctl("back", "--no-wait")
    until(k, "none")
    crowd.where()
    assert not any(k.status()["totals"]["gone"].values())
    k.exact()
    crowd.close()


def test_back_is_no_commit_and_commit_is_no_back(start, mover):
    """16: After each of them the other one has nothing to do; and it can be tried again."""
    k = start(shards=2, worker=mover, config=CONFIG % 1000 + routes(100))
    crowd = Crowd([Mover(k, f"g{i % 3}", f"u{i}") for i in range(20)])
    for how, other in ("back", "commit"), ("commit", "back"), ("back", "commit"):
        before = {s["pid"] for s in k.shards()}
        k.ctl("upgrade", "--no-wait")
        until(k, "holding")
        k.ctl(how)
        u = k.status()["upgrade"]
        assert (u["phase"], u["ok"], u["moved"]) == \
            ("none", how == "commit", 20 if how == "commit" else 40), u
        p = k.ctl(other, check=False)
        assert p.returncode == 1 and "there is no upgrade" in p.stderr
        now = {s["pid"] for s in k.shards()}
        assert now == before if how == "back" else not now & before
    crowd.where()
    assert not any(k.status()["totals"]["gone"].values())
    k.exact()
    crowd.close()


# ---- two at once ----

def begun(k, *args):
    return subprocess.Popen([KENNELCTL, *args, "--run-dir", k.run], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def ends(p):
    out, err = p.communicate(timeout=wait.limit(60))
    return p.returncode, out, err


def test_two_upgrades_at_once(start, mover):
    """22: One is done, and the other is refused, whichever came first."""
    k = start(shards=2, worker=mover, config=CONFIG % 1000 + routes(100))
    crowd = Crowd([Mover(k, "g", f"u{i}") for i in range(20)])
    two = [begun(k, "upgrade"), begun(k, "upgrade")]
    refused = wait.until(lambda: next(p for p in two if p.poll() is not None), 30)
    code, out, err = ends(refused)
    assert (code, out) == (1, "") and "an upgrade is under way" in err, (out, err)
    until(k, "holding")
    k.ctl("commit")
    other = next(p for p in two if p is not refused)
    assert ends(other)[:2] == (0, "all shards are of the new program\n")
    assert {s["generation"] for s in k.shards()} == {2}
    crowd.where()
    crowd.close()


def test_two_rebalances_at_once(start, mover):
    """24: Both wait for the same, and are told the same."""
    k = start(shards=2, worker=mover,
              config=CONFIG.replace("balance_rate = 5", "balance_rate = 2") % 1000 + routes(100))
    crowd = Crowd([Mover(k, "", f"u{i}") for i in range(40)])
    one_sided(k)
    first = begun(k, "rebalance", "--json")
    wait.until(lambda: k.status()["totals"]["moved"] > 20, 20)
    second = begun(k, "rebalance", "--json")
    last = [json.loads(out.splitlines()[-1]) for code, out, err in (ends(first), ends(second))]
    n = k.shard(1)["connections"]
    assert abs(k.shard(0)["connections"] - n) <= 4
    assert [(r["exit"], r["over"], r["moved"], r["left"]) for r in last] == [(0, True, n, 0)] * 2
    crowd.where()
    crowd.close()


def test_a_rebalance_amid_a_levelling(start, mover):
    """24: Which moves some already: it goes on until they are even, not only bearable."""
    k = start(shards=2, worker=mover, config="[gateway]\nbalance = yes\n" +
              CONFIG.replace("[gateway]\n", "") % 1000 + routes(200))
    crowd = Crowd([Mover(k, "g", f"u{i}") for i in range(80)])
    counts = sorted(s["connections"] for s in k.shards())
    assert counts == [0, 80]
    k.wait_log("balance from=", 60)             # (80 - 32) / 2, at 5 a second
    wait.until(lambda: k.status()["totals"]["moved"] > 0, 20)
    code, out, err = ends(begun(k, "rebalance", "--json"))
    last = json.loads(out.splitlines()[-1])
    a, b = sorted(s["connections"] for s in k.shards())
    assert (code, last["over"]) == (0, True) and b - a <= 4, (out, a, b)
    assert 0 < last["moved"] < 40 == a + b - 40
    crowd.where()
    crowd.close()
