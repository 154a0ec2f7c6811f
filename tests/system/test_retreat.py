"""Shards started on demand that few use any more give their clients away, and leave."""
import pytest
from kit import wait
from kit.chat import crowd, settle
from kit.probe import CONFIG, Probe

IDLE = "[gateway]\nidle_shard = 1s\n"
MOVES = IDLE + "balance = yes\n"


def slots(k):
    return [s["slot"] for s in k.status()["shards"]]


def left(k):
    return k.log().count("had few, who are elsewhere, and leaves")


def looks(k, slot, n=5):
    """The gateway has looked n times more at who could leave."""
    until = k.shard(slot)["uptime_ms"] + n * 1000
    wait.until(lambda: k.shard(slot)["uptime_ms"] >= until, 60)


def test_the_few_move_and_it_leaves(start):
    """Nobody is closed, and all hear each other before and after."""
    k = start(shards=1, max_shards=3, limit=8, config=MOVES)
    people = crowd(k, "g", [f"u{i}" for i in range(18)])
    wait.until(lambda: sorted(s["connections"] for s in k.shards()) == [2, 8, 8], 30)
    # Half of those in the first two: too many for one, enough room in two.
    at = {p: p.shard() for p in people}
    settle(*people)
    full = [s["address"] for s in k.shards() if s["connections"] == 8]
    for address in full:
        for p in [p for p in people if at[p] == address][:5]:
            p.close()
            people.remove(p)
    # Eight of limit 8 are left: 3, 3 and 2.  Two shards are enough, then one is not.
    wait.until(lambda: len(slots(k)) == 2, 60)
    assert left(k) == 1
    settle(*people)
    looks(k, 0)
    assert len(slots(k)) == 2, "a quarter of the room is to be free"
    # Of six, one shard has room.
    people.pop().close()
    people.pop().close()
    wait.until(lambda: slots(k) == [0], 60)
    settle(*people)
    totals = k.status()["totals"]
    assert totals["survived"] == 0 and totals["lost_by_death"] == 0
    k.exact()
    # They come again where they are needed.
    people += crowd(k, "g", [f"v{i}" for i in range(4)])
    assert len(slots(k)) == 2
    settle(*people)
    for p in people:
        p.close()


def test_who_cannot_move_keeps_it(start, installed):
    """An application that does not move: its clients stay, and newcomers are let in."""
    k = start(shards=1, max_shards=2, worker=installed.worker("probe.c"),
              config=MOVES + CONFIG % 8)
    people = [Probe(k, "g", f"u{i}") for i in range(9)]
    for p in people[:5]:
        p.close()
    wait.until(lambda: [s["connections"] for s in k.shards()] == [3, 1], 30)
    looks(k, 1)
    assert slots(k) == [0, 1] and left(k) == 0
    assert people[8].who()
    for p in people[5:]:
        p.close()


def test_one_that_always_runs_stays_whoever_has_fewer(start):
    """Of two that could leave, the one that was started on demand does."""
    k = start(shards=1, max_shards=2, limit=8, config=MOVES)
    people = crowd(k, "g", [f"u{i}" for i in range(11)])
    kept = k.shard(0)
    assert [s["connections"] for s in k.shards()] == [8, 3]
    for p in people[:7]:
        p.close()
    wait.until(lambda: slots(k) == [0], 60)
    assert k.shard(0)["pid"] == kept["pid"] and left(k) == 1
    settle(*people[7:])
    k.exact()
    for p in people[7:]:
        p.close()


@pytest.mark.parametrize("why", ("moves not", "kept"))
def test_it_stays(start, why):
    """Where nothing moves by itself, or the shard is one of those that always run."""
    k = start(shards=2 if why == "kept" else 1, max_shards=2, limit=8,
              config=MOVES if why == "kept" else IDLE)
    people = crowd(k, "g", [f"u{i}" for i in range(9)])
    for p in people[:3]:
        p.close()
    wait.until(lambda: sum(s["connections"] for s in k.shards()) == 6, 30)
    looks(k, 1)
    assert slots(k) == [0, 1] and left(k) == 0
    for p in people[3:]:
        p.close()
