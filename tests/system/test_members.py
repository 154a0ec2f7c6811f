"""Who is in a group, on whatever shard: listed in pages, walked over, closed."""
import os

import pytest
from kit import wait
from kit.docs import example
from kit.http import get
from kit.kennel import SILENT
from kit.ws import Ended, WebSocket


@pytest.fixture
def members(start, installed):
    def run(page=None, **kw):
        source = example("kennel_close_uid(")
        if page:
            source = source.replace("#define PAGE\t100", f"#define PAGE\t{page}")
        return start(worker=installed.worker(source), **kw)
    return run


@pytest.mark.parametrize("page", [1, 3, 0, 1024])
def test_all_are_listed_in_order_and_once(members, page):
    k = members(page=str(page) if page else "0", shards=4, limit=3)
    uids = ["b", "a", "zoe", "ann", "anna", "b", "%C3%A4", "b", "0", "a b", "a"]
    people = [WebSocket(k.address, f"/g?u={u.replace(' ', '+')}") for u in uids]
    assert len(k.group("g")) == 4
    want = sorted({u.replace("%C3%A4", "ä").encode() for u in uids})
    assert get(k, "/g").body == b"".join(u + b"\n" for u in want)
    for p in people:
        p.goodbye()


def test_a_group_of_one_replica_and_one_of_nobody(members):
    k = members(shards=2)
    assert get(k, "/g").text == ""
    with WebSocket(k.address, "/g?u=a") as p:
        assert get(k, "/g").text == "a\n"
        p.goodbye()


def test_many_in_pages(members):
    """More than fit into one, on each of the shards."""
    k = members(shards=2, limit=1500, page="1024", config=SILENT)
    uids = sorted(f"{n * 7919 % 100003:05}" for n in range(2400))
    people = []
    for u in uids:
        people.append(WebSocket(k.address, f"/g?u={u}"))
    assert sum(k.group("g")) == 2400
    assert get(k, "/g").text.split() == uids
    for p in people:
        p.close()


def test_all_sockets_of_a_uid_are_closed(members):
    k = members(shards=3, limit=2)
    ann = [WebSocket(k.address, "/g?u=ann"), WebSocket(k.address, "/g?u=ann")]
    bob = WebSocket(k.address, "/g?u=bob")
    ann.append(WebSocket(k.address, "/g?u=ann"))
    ann.append(WebSocket(k.address, "/g?u=ann"))
    eve = WebSocket(k.address, "/g?u=eve")
    assert k.group("g") == [2, 2, 2]
    assert get(k, "/g?who=ann", method="DELETE").status == 204
    for p in ann:
        with pytest.raises(Ended) as e:
            p.recv()
        assert (e.value.code, e.value.reason) == (4001, b"asked to leave")
    assert get(k, "/g").text == "bob\neve\n"
    assert get(k, "/g?who=nobody", method="DELETE").status == 204
    assert get(k, "/g", method="DELETE").status == 400
    for p in bob, eve:
        p.send("?")
        assert p.recv() == "1 of 1 here are mine"
        p.goodbye()
    k.exact()


def test_a_shard_that_does_not_answer_is_said(members):
    k = members(shards=2, limit=1)
    a, b = WebSocket(k.address, "/g?u=a"), WebSocket(k.address, "/g?u=b")
    pids = [s["pid"] for s in k.shards()]
    # Whichever of the two is asked: the other one hangs.
    k.stop_shard(pid=pids[1])
    assert get(k, "/g?u=a").status == 503
    os.kill(pids[1], 18)
    wait.until(lambda: get(k, "/g?u=a").text == "a\nb\n", 20, "both are there")
    a.goodbye()
    b.goodbye()


def test_a_walk_over_those_who_leave(start, installed):
    k = start(shards=1, worker=installed.worker("each.c"))
    people = [WebSocket(k.address, f"/g?u={i % 2}") for i in range(20)]
    people[0].send("again")
    assert people[0].recv() == "walked 20"
    # Of uid 0: the one who was met first has closed the nine others.
    people[4].send("mine")
    first = people[0]
    assert first.recv() == "met"
    for p in people[2::2]:
        with pytest.raises(Ended) as e:
            while p.recv() != "":
                pass
        assert e.value.code == 4000
    k.wait_group("g", [11])
    people[1].send("all")
    assert first.recv() == "met"
    for p in people[3::2]:
        with pytest.raises(Ended):
            p.recv()
    k.wait_group("g", [1])
    k.exact()
    first.goodbye()
