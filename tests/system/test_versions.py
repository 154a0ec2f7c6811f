"""Shards of two releases in one node: each pair speaks what both know."""
import os

import pytest
from kit.chat import PAIRS, crowd, room
from kit.kennel import SHARDD

OLDER = """#!/bin/sh
# The worker, which in one slot speaks as an older release.
case " $* " in
*" --slot {slot} "*)	exec {shardd} "$@" --wire 1 ;;
*)	exec {shardd} "$@" ;;
esac
"""


@pytest.fixture(params=["lower", "higher"])
def kennel(request, start, tmp_path):
    """Two shards; the older release is the one that dials, or the other."""
    worker = tmp_path / "worker"
    slot = 0 if request.param == "lower" else 1
    worker.write_text(OLDER.format(slot=slot, shardd=SHARDD))
    os.chmod(worker, 0o755)
    return start(shards=2, worker=str(worker), config=PAIRS)


def test_two_releases_in_one_node(kennel):
    """All verbs, in order, both ways; state and lists as ever."""
    g = room()
    people = crowd(kennel, g, "abcd")
    assert kennel.group(g) == [2, 2]
    assert "version=1 up" in kennel.log()
    assert "version=3 up" not in kennel.log()
    for i in range(20):
        for p, q in zip(people, people[1:] + people[:1]):
            p.say(f"all {i}")
            p.say(f"/w {q.name} one {i}")
    for j, p in enumerate(people):
        sender = people[j - 1]
        got = []
        while len(got) < 40:
            m = p.hear()
            if m["type"] == "user:msg" and m["from"] == sender.name:
                got.append(m["text"])
        assert got == [x for i in range(20)
                       for x in (f"all {i}", f"one {i}")]
        assert set(p.users()["list"]) == set("abcd")
    for p in people:
        p.close()


def test_equal_releases_speak_the_newer(start):
    kennel = start(shards=2)
    people = crowd(kennel, room(), "abcd")
    assert "version=3 up" in kennel.log()
    assert "version=1 up" not in kennel.log()
    for p in people:
        p.close()
