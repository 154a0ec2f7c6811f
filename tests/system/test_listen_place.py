"""Where the groups of a raw listener begin: `place` holds for these as for routes."""
import collections
import pathlib
import re

import pytest
from kit import wait
from kit.fasttcp import Fast
from kit.kennel import Ports

LISTENER = """
[listener %s]
address = 127.0.0.1:%d
app = events
group = %s
uid = random20
limit = 100
%s
"""


def slots(k):
    """{group: the slots of its replicas}"""
    return {g["group"]: [int(r["shard"].split("/")[1].split("#")[0])
                         for r in g["replicas"]] for g in k.status()["groups"]}


@pytest.mark.parametrize("rule", ("least", "spread", "pack", "hash", None))
def test_groups_begin_where_the_listener_says(start, rule):
    """Three processes; one has four clients of one group."""
    busy, each = Ports.take(), Ports.take()
    # kennelctl place goes by the first listener of an application.
    k = start(shards=3, config=LISTENER % (
        "each", each, "uuid", f"place = {rule}\n" if rule else "") +
        LISTENER % ("busy", busy, "const:busy", ""))
    them = [Fast(("127.0.0.1", busy)) for _ in range(4)]
    full, = slots(k)["busy"]
    new = [Fast(("127.0.0.1", each)) for _ in range(6)]
    groups = slots(k)
    del groups["busy"]
    assert len(groups) == 6             # each has its own, in one process
    at = collections.Counter(s for (s,) in groups.values())
    if rule == "pack":
        assert at == {full: 6}
    elif rule == "spread":              # 7 replicas over 3
        assert sorted(at[s] + (s == full) for s in range(3)) == [2, 2, 3]
    elif rule == "hash":                # by name alone: the same ones again
        for p in new:
            p.close()
        wait.until(lambda: len(slots(k)) == 1)
        for name, (slot,) in groups.items():
            said = k.ctl("place", name, "u", "--app", "events")
            assert re.search(rf"slot {slot}\b|/{slot}#", said), (slot, said)
    else:                               # least: the busy one is the last choice
        assert at[full] == 0 and sorted(at.values()) == [3, 3]
    for p in them + new:
        p.close()


def default_events(port):
    """The listener that is there without a configuration, at another port."""
    text = (pathlib.Path(__file__).parents[2] / "gatewayd/default.ini").read_text()
    section = text[text.index("[listener events]"):].split("\n\n")[0]
    assert "\naddress = 5000\n" in section
    return section.replace("address = 5000", f"address = 127.0.0.1:{port}") + "\n"


@pytest.mark.parametrize("place", ("", "place = least\n"))
def test_by_default_clients_of_fast_tcp_are_spread(start, place):
    """Each process has its share from the start, unless the configuration says otherwise."""
    port = Ports.take()
    k = start(shards=3, config=default_events(port) + place)
    them = []
    for n in range(1, 10):
        them.append(Fast(("127.0.0.1", port)))
        counts = sorted((s["connections"] for s in k.status()["shards"]), reverse=True)
        assert sum(counts) == n
        assert counts == [n, 0, 0] if place else counts[0] - counts[-1] <= 1, counts
    them[0].all("m", "1")
    assert all([p.message() == ("m", b"1") for p in them[1:]])
    for p in them:
        p.close()


def test_a_rule_that_there_is_not_is_said(start):
    k = start(config=LISTENER % ("each", Ports.take(), "uuid", "place = best\n"),
              ready=False)
    k.wait_log("place")
    assert k.process.wait(wait.limit(20)) != 0
    k.destroy()
