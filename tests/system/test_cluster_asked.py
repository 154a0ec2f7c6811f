"""Who asks, or tells, the replicas of other nodes hears of each what became of it."""
import os
import signal
import time

import pytest
from kit import wait
from kit.probe import CONFIG, Probe


@pytest.fixture
def four(start, server, installed):
    """Two nodes with two replicas each, of one socket; nobody is doubted for its sleep."""
    server.start()
    ks = [start("--node", name, redis=f"unix:{server.path}", max_shards=2,
                worker=installed.worker("probe.c"),
                config="[gateway]\nwatchdog = 60s\n" + CONFIG % 1)
          for name in ("one", "two")]
    people = [Probe(ks[i // 2], "g", u) for i, u in enumerate("abcd")]
    wait.until(lambda: all(p.who()["neighbours"] == 3 for p in people), 20)
    yield ks, people
    for p in people:
        p.close()


def values(*people):
    return [f"value {p.who()['pid']}:who?" for p in people]


@pytest.mark.parametrize("mode, slot", [
    ("ok", None), ("fail", "error I fail"), ("null", "value null"), ("late", "value late"),
    ("silent", "error timeout")])
def test_one_answer_of_each_replica(four, mode, slot):
    """25: whatever one of another node answers."""
    _, (a, b, c, d) = four
    assert d.do(f"mode {mode}") == "ok"
    mine = [slot] if slot else values(d)
    begin = time.monotonic()
    assert sorted(a.ask(2000)) == sorted(values(b, c) + mine)
    waited = time.monotonic() - begin
    assert waited < wait.limit(10) and (mode != "silent" or waited > 1.9)


def test_a_node_that_dies_while_it_is_asked_is_an_error(four):
    """25: not a hang until the deadline."""
    ks, (a, b, c, d) = four
    mine = values(b)
    for p in c, d:
        p.do("mode silent")
    said = ks[0].log().count("probe message")
    a.send("ask 80000")
    wait.until(lambda: ks[0].log().count("probe message") > said)
    ks[1].kill_all()
    begin = time.monotonic()
    slots = []
    while slots[-1:] != ["end 3"]:
        slots.append(a.recv())
    assert sorted(slots[:-1]) == sorted(mine + ["error gone"] * 2)
    assert time.monotonic() - begin < wait.limit(30)
    ks[1].destroy()


def test_a_completion_waits_for_the_other_node(four):
    """25: Both of its shards sleep; when it comes, all has been heard there."""
    ks, (a, b, c, d) = four
    pids = [ks[1].stop_shard(slot=i) for i in range(2)]
    try:
        a.send("burst 3 c")
        while b.recv() != "burst":
            pass
        for _ in range(100):
            assert b.do("and on") == "and on"
        a.sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            print("too early:", a.recv())
        a.sock.settimeout(wait.limit(10))
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert a.recv() == "done 0"
    assert [c.recv() for _ in range(3)] == ["0", "1", "burst"]
    assert [d.recv() for _ in range(2)] == ["0", "burst"]
