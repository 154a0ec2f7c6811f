"""What the operator has under way goes on when another gateway takes the place of this one."""
import pytest
from kit import wait
from kit.mover import Crowd, Mover, routes

CONFIG = """
[gateway]
balance_rate = 1
[worker]
ping_interval = 1h
"""
PEOPLE = 20


@pytest.fixture(scope="module")
def mover(installed):
    return installed.worker("mover.c")


@pytest.fixture
def scene(start, mover):
    """Two shards with as many clients; those of the first whom it cannot let go of now."""
    k = start(shards=2, max_shards=2, worker=mover, config=CONFIG + routes())
    crowd = Crowd([Mover(k, "", f"u{i}") for i in range(PEOPLE)])
    stay = [m for m, (_, at) in crowd.where().items() if "/0#" in at][:5]
    assert [s["connections"] for s in k.shards()] == [PEOPLE // 2] * 2
    crowd.keep(stay)
    yield k, crowd, stay
    crowd.close()


def pids(k):
    return {s["pid"] for s in k.status()["shards"]}


def served(k, crowd):
    """All are, and nobody was closed."""
    assert len(crowd.where()) == PEOPLE
    wait.until(lambda: k.status()["moving"] == 0, 20)
    assert not any(k.status()["totals"]["gone"].values()), k.status()["totals"]
    k.exact()


def amid(k, moved):
    """Some have moved, the others cannot yet."""
    wait.until(lambda: k.status()["totals"]["moved"] == moved, 20)
    k.ctl("upgrade", "gateway")


@pytest.mark.parametrize("verb", ["drain", "restart"])
def test_a_slot_is_emptied_by_the_next_gateway(scene, verb):
    """23, 24: It takes nobody, all move in the time that is left, and then it is as asked for."""
    k, crowd, stay = scene
    pid = k.shard(0)["pid"]
    k.ctl(verb, "0", "--within", "5m", "--no-wait")
    amid(k, PEOPLE // 2 - len(stay))
    # Less than the five minutes.
    k.wait_log(fr"slot=0 {verb} goes on connections={len(stay)} within_ms=2\d{{5}}\b")
    again = k.ctl(verb, "0", check=False)
    assert "is being emptied already" in again.stderr
    crowd.keep(stay, False)
    wait.until(lambda: pid not in pids(k), 60)
    if verb == "drain":
        assert [s["slot"] for s in k.status()["shards"]] == [1]
        k.ctl("restart", "0")
    wait.until(lambda: sorted(s["slot"] for s in k.shards()) == [0, 1], 20)
    served(k, crowd)


def test_who_waits_for_another_shard_still_does(scene):
    """23, 24: Both slots at once: the second waits for the first, also then."""
    k, crowd, stay = scene
    before = pids(k)
    for slot in "01":
        k.ctl("restart", slot, "--within", "5m", "--no-wait")
    amid(k, PEOPLE // 2 - len(stay))
    k.wait_log("slot=1 restart goes on connections=15")
    assert pids(k) == before
    crowd.keep(stay, False)
    wait.until(lambda: len(k.shards()) == 2 and not before & pids(k), 60)
    served(k, crowd)


def test_a_rebalance_goes_on(scene):
    """23, 24: It has ten seconds' work, of which one is done."""
    k, crowd, stay = scene
    crowd.keep(stay, False)
    k.ctl("drain", "1", "--within", "5m")
    k.ctl("restart", "1")
    k.ctl("rebalance", "--no-wait")
    wait.until(lambda: k.shard(1)["connections"] > 0, 20)
    k.ctl("upgrade", "gateway")
    k.wait_log("rebalance goes on connections=[1-9]")
    wait.until(lambda: k.shard(1)["connections"] >= PEOPLE // 2 - 2, 60)
    served(k, crowd)
