"""Connections move between releases that pack them in another way, both ways."""
import os
import time

import pytest
from kit import wait
from kit.mover import Crowd, Mover, routes

CONFIG = """
[gateway]
upgrade_hold = 10m
drain = 5s
"""
# What a release is, as a script that starts one worker.
OLDER = {
    "record": ("", "--capsule 2"),
    "blob": ("", ""),
}
NEWER = {
    "record": ("", ""),
    "blob": ("MOVER_BLOB=2 ", ""),
}


def script(tmp_path, name, mover, environment, arguments):
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{environment}exec {mover} \"$@\" {arguments}\n")
    os.chmod(path, 0o755)
    return str(path)


class People:
    """In groups, and alone; each knows how many commands it has given."""

    def __init__(self, k):
        self.crowd = Crowd([Mover(k, f"g{i % 3}", f"u{i}") for i in range(12)] +
                           [Mover(k, "", f"alone{i}") for i in range(3)])
        for m in self.crowd.movers:
            m.topics = {"n"}
            if m.group:
                m.command("+ n")
        self.given = {m: 1 + bool(m.group) for m in self.crowd.movers}
        self.crowd.where()

    def check(self):
        """All are there, with what they have; and hear each other.  By shard, how many."""
        for m in self.crowd.movers:
            if not m.group:
                continue
            m.say("c"), m.say("p", "n")
            self.given[m] += 2
        self.crowd.settle()
        where = self.crowd.where()
        for m in self.crowd.movers:
            self.given[m] += 1
            assert int(where[m][0]) == self.given[m], m.uid
        return {m: shard for m, (_, shard) in where.items()}


def turn(k, step, to):
    """The upgrade, or the way back, as far as it goes by itself."""
    if step == "back":
        k.ctl("back")
        return
    k.ctl("upgrade", to, "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 30)


@pytest.mark.parametrize("way", ["up", "down"])
def test_records_of_two_releases_there_and_back(start, tmp_path, mover, way):
    """16"""
    old = script(tmp_path, "old", mover, *OLDER["record"])
    new = script(tmp_path, "new", mover, *NEWER["record"])
    first, second = (old, new) if way == "up" else (new, old)
    k = start(shards=2, max_shards=6, worker=first, config=CONFIG + routes(30))
    people = People(k)
    n, moved = len(people.crowd.movers), 0
    at = people.check()
    for step, to in (("upgrade", second), ("back", first), ("upgrade", second)):
        turn(k, step, to)
        was, at = at, people.check()
        assert all(at[m] != was[m] for m in at), (step, to)
        moved += n
        assert k.status()["totals"]["moved"] == moved
    k.exact()
    people.crowd.close()


def test_a_blob_is_read_by_the_newer_and_not_by_the_older(start, tmp_path, mover):
    """16: They move up with what they have; back, who cannot be read is told to come again."""
    old = script(tmp_path, "old", mover, *OLDER["blob"])
    new = script(tmp_path, "new", mover, *NEWER["blob"])
    k = start(shards=2, max_shards=6, worker=old, config=CONFIG + routes(30))
    people = People(k)
    n = len(people.crowd.movers)
    was = people.check()
    turn(k, "upgrade", new)
    at = people.check()
    assert all(at[m] != was[m] for m in at)
    assert k.status()["totals"]["moved"] == n
    turn(k, "back", old)
    end = time.monotonic() + wait.limit(20)
    while not all(m.closed for m in people.crowd.movers):
        assert time.monotonic() < end
        people.crowd.turn(0.05)
    assert {m.closed[:4] for m in people.crowd.movers} == {"1012"}
    assert k.status()["totals"]["moved"] == n
    people.crowd.close()
