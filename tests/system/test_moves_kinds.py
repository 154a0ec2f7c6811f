"""
Whatever moves clients, and whoever dies meanwhile: of each kind of connection one leaves a
shard, a WebSocket, one that compresses, raw TCP, a stream and events, each in a room of its own
that talks all the while; all is heard, in order, once.
"""
import signal

import pytest
from kit import wait
from kit.kinds import Kinds
from kit.rolling import lag

FAULTS = ["fence", "adopt", "adopted", "moved"]


@pytest.fixture
def scene(start, mover, tmp_path):
    made = []

    def scener(env=None):
        made.append(Kinds(start, mover, tmp_path, env))
        made[0].gone = made[0].k.status()["totals"]["gone"]
        return made[0]
    yield scener
    for s in made:
        s.crowd.close()


@pytest.fixture
def slow(scene, mover, tmp_path):
    """Each who moves is on its way for long enough that others say something meanwhile."""
    return scene(lag(tmp_path, mover, 100))


def under(s, *args, until):
    """They talk until that is done."""
    s.k.ctl(*args, "--no-wait")
    talk(s, until)


def talk(s, until):
    end = s.k.status()["uptime_ms"] + 1000 * wait.limit(40)
    while not until(status := s.k.status()):
        assert status["uptime_ms"] < end, status
        for _ in range(20):
            s.talk(0.01)


def whole(s):
    """Nobody was closed, and nothing was lost."""
    assert s.open() == s.crowd.movers
    s.served(s.crowd.movers)
    s.converse()
    s.sequences([])
    s.settled()
    assert s.k.status()["totals"]["gone"] == s.gone


def emptied(status):
    return status["moves"] and status["moves"][0]["over"]


def phase(name):
    return lambda status: status["upgrade"]["phase"] == name


@pytest.mark.parametrize("verb", ["drain", "restart"])
def test_a_slot(slow, verb):
    """21, 24: And back, by evening out."""
    s = slow
    pid = s.pids["A"]
    under(s, verb, "0", until=lambda status: emptied(status) and
          pid not in [x["pid"] for x in status["shards"]])
    assert s.k.status()["totals"]["moved"] == 5
    whole(s)
    if verb == "drain":
        s.k.ctl("restart", "0")
    wait.until(lambda: len(s.k.shards()) == 3, 20)
    under(s, "rebalance", until=lambda status: status["moves"][-1]["what"] == "rebalance" and
          status["moves"][-1]["over"])
    assert s.k.status()["totals"]["moved"] > 5
    whole(s)


@pytest.mark.parametrize("way", ["commit", "back", "canary"])
def test_an_upgrade(slow, way):
    """21: All go to new shards, or a part at first; and back."""
    s = slow
    old = {x["pid"] for x in s.k.shards()}
    under(s, *(["canary", "40%"] if way == "canary" else ["upgrade"]), until=phase("holding"))
    if way == "canary":
        under(s, "upgrade", until=lambda status: status["upgrade"]["phase"] == "holding" and
              status["upgrade"]["percent"] == 100)
    under(s, "back" if way == "back" else "commit", until=phase("none"))
    now = {x["pid"] for x in s.k.shards()}
    assert now == old if way == "back" else not now & old
    assert s.k.status()["totals"]["moved"] >= (40 if way == "back" else 20)
    whole(s)


@pytest.mark.parametrize("who", "ABD")
@pytest.mark.parametrize("step", FAULTS)
def test_a_shard_dies(scene, step, who):
    """13"""
    s = scene()
    s.k.dies(s.pids[who])
    s.run(step, who, signal.SIGKILL)
    s.served(s.crowd.movers)
    touched = [m for m in s.crowd.movers if s.home[m] in ("AB" if who == "B" else who)]
    s.only_amid_a_message(touched)
    s.settled()
    s.converse()
    s.sequences(touched)


@pytest.mark.parametrize("who", ["gateway", "redis"])
@pytest.mark.parametrize("step", FAULTS)
def test_what_is_no_shard_dies(scene, step, who):
    """13: Nobody is closed for that."""
    s = scene()
    with s.k.redis() as r:
        s.pids["redis"] = int(r("INFO", "server").split("process_id:")[1].split()[0])
    s.pids["gateway"] = s.k.pid
    s.run(step, who, signal.SIGKILL)
    if who == "gateway":
        s.k.kill_gateway()
        s.k.start()
    s.served(s.crowd.movers)
    assert s.forget_closed() == []
    s.settled()
    s.converse()
    s.sequences([])
