"""Who decides next in many groups at once, and what groups cost that nobody does anything in."""
import re

import pytest
from kit import redis, wait
from kit.pact import Pact, settle

GROUPS = 40


@pytest.fixture
def pair(start, server):
    server.start()
    return [start("--node", name, redis=f"unix:{server.path}", limit=100)
            for name in ("one", "two")]


def idle(pair):
    """Somebody of each node in each of so many groups, in which one's replicas decide."""
    people = [Pact(k, f"idle{i}") for i in range(GROUPS) for k in pair]
    for i in range(0, len(people), 2):
        settle(*people[i:i + 2])
    return people


def beats(server):
    with redis.Redis(server.path) as r:
        return int(r("HGET", "kennel:node:two", "beat"))


def test_nothing_is_renewed_for_each_group(pair, server):
    """31: Redis hears nothing of groups that are idle, for five beats."""
    people = idle(pair)
    first = beats(server)
    wait.until(lambda: beats(server) >= first + 3, 30)      # what was said is acknowledged
    with redis.Monitor(server, "idle") as m:
        first = beats(server)
        wait.until(lambda: beats(server) >= first + 5, 30)
        assert m.lines == []
    for p in people:
        p.close()


def claims(lines):
    """{group: when it was first claimed}."""
    found = {}
    for line in lines:
        if "EVALSHA" in line and '"kennel:epoch:' in line:
            at = float(line.split(" ", 1)[0])
            found.setdefault(re.search(r'"kennel:epoch:([^"]+)"', line)[1], at)
    return found


def test_elections_are_spread_over_a_second(pair, server):
    """31: Not all at once; but where somebody has made a step, at once."""
    people = idle(pair)
    a, b = Pact(pair[0], "busy"), Pact(pair[1], "busy")
    b.subscribe("counter:x")
    settle(a, b)
    with redis.Monitor(server, "kennel:epoch:") as m:
        pair[0].kill_all()
        b.count("x")
        pair[1].wait_log("node=one is dead", 30)
        b.sock.settimeout(wait.limit(20))
        b.until("counter", {"id": "x", "value": 1})
        want = {"busy", *(f"idle{i}" for i in range(GROUPS))}
        wait.until(lambda: set(claims(m.lines)) >= want, 20, "all are claimed")
        at = claims(m.lines)
    first = min(at.values())
    when = sorted(at[g] - first for g in want if g != "busy")
    assert when[-1] - when[0] >= 0.5, "over a second"
    assert max(sum(t <= u < t + 0.1 for u in when) for t in when) < GROUPS / 2
    assert at["busy"] - first < 0.35
    for p in (*people, a, b):
        p.close()
    pair[0].destroy()
