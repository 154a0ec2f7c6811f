"""
A part first, then all; and back, on a rise of errors, by command, or as long as it may be.
"""
import os

import pytest
from kit import wait
from kit.mover import Crowd, Mover, fail, routes

KEEP = "[gateway]\nupgrade_hold = %s\ndrain = 2s\n"


def upgrade(k):
    return k.status()["upgrade"]


def until(k, phase, percent=None):
    wait.until(lambda: (u := upgrade(k))["phase"] == phase and
               percent in (None, u["percent"]), 60, f"{phase} {percent}")


def looked(k):
    """The gateway has looked at the errors: every 50 ms."""
    t = k.status()["uptime_ms"]
    wait.until(lambda: k.status()["uptime_ms"] > t + 500)


def end(people):
    for m in people:
        m.sock.close()


# ---- errors ----

@pytest.mark.parametrize("before,few", [(0, 9), (4, 11), (20, 48)])
def test_errors_are_a_reason_to_go_back(start, mover, before, few):
    """
    16: Ten at least, and more than three times as many in a hundred as with the old ones: 9
    are too few; 11 of 96 are less, and 48 of 80 are just as many.  One more, and it goes.
    """
    k = start(shards=2, worker=mover, config=KEEP % "10m" + routes(200))
    crowd = [Mover(k, f"g{i % 3}", f"u{i}") for i in range(100)]
    n = 100 - before
    fail(crowd, before)
    wait.until(lambda: k.places() == n, 20)
    k.ctl("upgrade", mover, "--no-wait")
    until(k, "holding")
    fail(crowd, few)
    wait.until(lambda: k.places() == n - few, 20)
    looked(k)
    assert upgrade(k)["phase"] == "holding"
    fail(crowd, 1)
    until(k, "none")
    u = upgrade(k)
    why = f"{few + 1} of {n} connections of the new shards ended with an error, of the " \
        f"old ones {before} of 100"
    assert (u["ok"], u["result"]) == (False, why) and f"goes back: {why}" in k.log()
    assert k.places() == n - few - 1
    assert {s["generation"] for s in k.shards()} == {1}
    k.exact()
    end(crowd)


def test_those_of_a_canary_count_too(start, mover):
    """16: Of 100, 20 are in the new shard, and 10 of them end with an error."""
    k = start(shards=2, worker=mover, config=KEEP % "10m" + routes(200))
    crowd = [Mover(k, f"g{i % 3}", f"u{i}") for i in range(100)]
    old = {s["pid"] for s in k.shards()}
    k.ctl("canary", "20%", mover)
    new = next(s for s in k.shards() if s["pid"] not in old)
    where = Crowd(crowd).where()
    there = [m for m in crowd if where[m][1] == new["address"]]
    assert len(there) == new["connections"] == upgrade(k)["moved"] >= 20
    fail([m for m in crowd if m not in there], 9)
    fail(there, 9)
    wait.until(lambda: k.places() == 82, 20)
    looked(k)
    assert upgrade(k)["phase"] == "holding"
    fail(there, 1)
    until(k, "none")
    assert "10 of " in upgrade(k)["result"] and not upgrade(k)["ok"]
    assert {s["pid"] for s in k.shards()} == old and k.places() == 81
    end(crowd)


def test_networks_are_no_reason(start, mover):
    """16: Connections that are reset, by dozens: nothing that a program is to blame for."""
    k = start(shards=2, worker=mover, config=KEEP % "10m" + routes(200))
    crowd = [Mover(k, f"g{i % 3}", f"u{i}") for i in range(60)]
    k.ctl("upgrade", mover, "--no-wait")
    until(k, "holding")
    fail(crowd, 40, "reset")
    wait.until(lambda: k.places() == 20, 20)
    assert k.status()["totals"]["gone"]["reset"] == 40
    looked(k)
    assert upgrade(k)["phase"] == "holding"
    k.ctl("commit")
    end(crowd)


# ---- a part, and all ----

@pytest.mark.parametrize("shards,percent,new", [(1, 1, 1), (1, 50, 1), (3, 1, 1), (2, 50, 1), (2, 51, 2), (4, 25, 1),
                                                (4, 26, 2), (3, 99, 3)])
def test_how_many_shards_and_connections_are_a_part(start, mover, shards, percent, new):
    """16: So many in a hundred of each, rounded up."""
    k = start(shards=shards, worker=mover, config=KEEP % "10m" + routes(200))
    people = [Mover(k, "", f"u{i}") for i in range(shards * 10)]
    assert {s["connections"] for s in k.shards()} == {10}
    old = {s["pid"] for s in k.shards()}
    k.ctl("canary", f"{percent}%", mover)
    part = shards * ((10 * percent + 99) // 100)
    assert upgrade(k)["moved"] == part and len(k.shards()) == shards + new
    assert sum(s["connections"] for s in k.shards() if s["pid"] not in old) == part
    k.ctl("back")
    assert {s["pid"] for s in k.shards()} == old
    assert upgrade(k)["result"] == "the operator wanted it back"
    end(people)


def test_it_goes_on_by_itself(start, mover):
    """16: After upgrade_hold all move; after another one the old shards leave."""
    k = start(shards=3, worker=mover, config=KEEP % "1s" + routes(200))
    people = Crowd([Mover(k, f"g{i % 3}", f"u{i}") for i in range(30)])
    old = {s["pid"] for s in k.shards()}
    k.ctl("canary", "30%", mover)
    wait.until(lambda: people.turn() or upgrade(k)["phase"] == "none", 60)
    u = upgrade(k)
    assert (u["ok"], u["percent"], u["moved"]) == (True, 100, 30), u
    assert len(k.shards()) == 3 and not old & {s["pid"] for s in k.shards()}
    log = k.log()
    assert log.count("phase=holding") == 2 and log.count("phase=committing") == 1
    people.where()
    people.close()


def test_newcomers_amid_a_canary_may_come_to_both(start, mover):
    """16: Neither the old shards nor the new ones are closed to them; after back, only the old."""
    k = start(shards=2, worker=mover, config=KEEP % "10m" + routes(200))
    old = {s["address"] for s in k.shards()}
    k.ctl("canary", "50%", mover)
    people = Crowd([Mover(k, "", f"u{i}") for i in range(30)])
    assert {shard for _, shard in people.where().values()} == {s["address"] for s in k.shards()}
    k.ctl("back")
    assert {shard for _, shard in people.where().values()} == old
    people.add(Mover(k, "", "late"))
    assert {shard for _, shard in people.where().values()} == old
    people.close()


@pytest.mark.parametrize("how", ["back", "commit"])
def test_which_program_starts_afterwards(start, mover, tmp_path, how):
    """16: A shard that is started on demand runs what all others do."""
    other = tmp_path / "mover"
    other.write_bytes(open(mover, "rb").read())
    other.chmod(0o755)
    k = start(shards=1, max_shards=4, worker=mover, config=KEEP % "10m" + routes(2))
    k.ctl("upgrade", str(other), "--no-wait")
    until(k, "holding")
    k.ctl(how)
    people = [Mover(k, "g", f"u{i}") for i in range(3)]
    assert len(k.shards()) == 2
    program = other if how == "commit" else mover
    assert {os.stat(f"/proc/{s['pid']}/exe").st_ino for s in k.shards()} == \
        {os.stat(program).st_ino}
    end(people)


# ---- releases ----

@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("how", ["back", "errors", "on"])
def test_a_canary_of_another_release(start, mover, tmp_path, way, how):
    """16: Records of the version before: there, and back for either reason, or on to all."""
    older = tmp_path / "older"
    older.write_text(f"#!/bin/sh\nexec {mover} \"$@\" --capsule 2\n")
    older.chmod(0o755)
    first, second = (older, mover) if way == "up" else (mover, older)
    k = start(shards=2, worker=str(first), config=KEEP % "10m" + routes(200))
    crowd = Crowd([Mover(k, f"g{i % 3}", f"u{i}") for i in range(60)])
    old = {s["address"] for s in k.shards()}
    k.ctl("canary", "50%", str(second))
    where = {m: shard for m, (_, shard) in crowd.where().items()}
    there = [m for m in crowd.movers if where[m] not in old]
    assert len(there) == upgrade(k)["moved"] >= 30
    if how == "errors":
        broken = there[:10]
        for m in broken:
            crowd.movers.remove(m)
            crowd.poll.unregister(m.fileno())
        fail(broken, 10)
        until(k, "none")
        end(broken)
    elif how == "back":
        k.ctl("back")
    else:
        k.ctl("upgrade", "--no-wait")
        until(k, "holding", 100)
        k.ctl("commit")
    assert upgrade(k)["ok"] == (how == "on")
    for m in crowd.movers:
        m.topics = set()
        m.say("c")
    crowd.settle()
    assert k.places() == len(crowd.movers)
    assert all((shard in old) == (how != "on") for _, shard in crowd.where().values())
    k.exact()
    crowd.close()
