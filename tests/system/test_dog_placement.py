"""Who goes where: sizes, stickiness, freed places, what takes none."""
import random
import threading

import pytest
from kit import wait, ws
from kit.chat import Chat, barrier, crowd, room, said, settle, shards
from kit.http import Http, get
from kit.ws import WebSocket


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(shards=4, max_shards=14)


def leave(kennel, group, counts, *people):
    for p in people:
        p.goodbye()
    kennel.wait_group(group, counts)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_arrivals_fill_one_then_the_next(start, limit):
    """36"""
    k = start(shards=3, limit=limit)
    people = [Chat(k, "g", f"n{i}") for i in range(2 * limit + 1)]
    assert k.group("g") == [limit, limit, 1]
    assert len({r["shard"] for r in k.replicas("g")}) == 3
    settle(*people)
    for p in people:
        p.close()
    k.wait_group("g", [])


def test_least_used_is_chosen(kennel):
    """37"""
    k, g = kennel, room()
    p = [Chat(k, g, f"n{i}") for i in range(6)]             # 2 2 2
    assert k.group(g) == [2, 2, 2]
    leave(k, g, [1, 2, 2], p[0])
    leave(k, g, [1, 1, 2], p[2])
    # Two have room and are alike: either, but one is filled, none made.
    new = Chat(k, g, "x")
    assert sorted(k.group(g)) == [1, 2, 2]
    for c in (*p[1:2], *p[3:], new):
        c.close()


def test_least_used_is_chosen_of_unlike_ones(start):
    """37"""
    k = start(shards=3, limit=3)
    p = [Chat(k, "g", f"n{i}") for i in range(9)]
    leave(k, "g", [2, 3, 3], p[0])
    leave(k, "g", [2, 2, 3], p[3])
    leave(k, "g", [2, 1, 3], p[4])
    rest = [Chat(k, "g", "x")]
    assert k.group("g") == [2, 2, 3]
    for c in rest + p:
        c.close()


def test_freed_place_is_taken_first(kennel):
    """38: before a new replica is made, and an empty one ends."""
    k, g = kennel, room()
    p = [Chat(k, g, f"n{i}") for i in range(5)]             # 2 2 1
    for i in 0, 2:
        leave(k, g, [1, 2, 1] if i == 0 else [2, 1, 1], p[i])
        p[i] = Chat(k, g, f"again{i}")
        assert sum(k.group(g)) == 5 and max(k.group(g)) == 2
        assert len(k.group(g)) == 3
    for c in p:
        c.goodbye()
    k.wait_group(g, [])


def test_empty_replica_ends(kennel):
    """38: the newcomer goes into the half-full one."""
    k, g = kennel, room()
    a, b, c = crowd(k, g, "abc")                            # 2 1
    leave(k, g, [1, 1], a)
    leave(k, g, [1], b)
    d = Chat(k, g, "d")
    assert k.group(g) == [2]
    leave(k, g, [], c, d)


def test_no_replica_exceeds_the_limit(kennel):
    """39, 43: random coming and going, compared at each step."""
    k, g = kennel, room()
    dice = random.Random(39)
    here = []
    for step in range(60):
        if len(here) < 3 or (dice.random() < 0.55 and len(here) < 16):
            here.append(Chat(k, g, f"u{dice.randrange(8)}"))
        else:
            c = here.pop(dice.randrange(len(here)))
            dice.choice([c.goodbye, c.close, c.reset])()
        total = len(here)
        wait.until(lambda: sum(k.group(g)) == total, what=f"{total} places")
        assert max(k.group(g) or [0]) <= 2
    k.exact()
    for c in here:
        c.close()
    k.wait_group(g, [])


def test_known_uid_returns_to_its_replica(kennel):
    """40"""
    k, g = kennel, room()
    p = crowd(k, g, "abcdef")                               # ab cd ef
    leave(k, g, [2, 1, 2], p[3])
    leave(k, g, [1, 1, 2], p[0])
    # b is alone in the first, c in the second; each comes with a second device.
    for one in p[2], p[1]:
        again = Chat(k, g, one.name)
        assert len(set(shards(again, one))) == 1
        again.goodbye()
        k.wait_group(g, [1, 1, 2])
    for c in p[1:3] + p[4:]:
        c.close()


def test_uid_whose_replica_is_full_goes_elsewhere(kennel):
    """41: and where it went is where it returns to."""
    k, g = kennel, room()
    a, b, c = crowd(k, g, "abc")                            # ab c
    a2 = Chat(k, g, "a")
    assert k.group(g) == [2, 2]
    where = shards(a, a2, b, c)
    assert where[1] == where[3] != where[0] == where[2]
    leave(k, g, [1, 2], b)
    leave(k, g, [1, 1], c)
    a3 = Chat(k, g, "a")        # both have room; the last chosen one is first
    assert len(set(shards(a2, a3))) == 1
    for p in a, a2, a3:
        p.close()


ENDS = {
    "goodbye": lambda c: c.goodbye(),
    "reset": lambda c: c.reset(),
    "cut": lambda c: c.close(),
    "half": lambda c: (c.half_close(), c.end(), c.close()),
    "wrong": lambda c: (c.send_frame(3, b""), c.end(), c.close()),
    "frame cut": lambda c: (c.write(b"\x81"), c.close()),
    "twice": lambda c: (c.write(ws.close_frame(1000) * 3), c.reset()),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_any_end_frees_exactly_one_place(kennel, end):
    """42"""
    k, g = kennel, room()
    a, b, c, d = crowd(k, g, "abcd")
    for i in range(3):
        end(a)
        k.wait_group(g, [1, 2])
        for p in b, c, d:
            p.next(type="user:exit", **{"from": "a"})
        k.exact()
        a = Chat(k, g, "a")
        settle(a, b, c, d)
        assert k.group(g) == [2, 2]
        more = Chat(k, g, "more")
        assert k.group(g) == [2, 2, 1]
        leave(k, g, [2, 2], more)
        settle(a, b, c, d)
    for p in a, b, c, d:
        p.close()


def test_http_and_refusals_give_places_back(kennel):
    """44: and do not touch stickiness or current."""
    k, g = kennel, room()
    a, b, c = crowd(k, g, "abc")                            # ab c
    for _ in range(5):
        for path in "broadcast?u=a", "emit?u=c", "whisper?u=zz", "ws?u=a":
            get(k, f"/lobby/{g}/{path}")
        with Http(k.address) as h:
            h.write(ws.handshake(f"/lobby/{g}/ws?u=b", "bad"))
            assert h.response().status == 400
    k.wait_group(g, [2, 1])
    d = Chat(k, g, "d")
    assert d.shard() == c.shard()
    leave(k, g, [1, 2], b)
    get(k, f"/lobby/{g}/emit?u=c")
    a2 = Chat(k, g, "a")
    assert len(set(shards(a, a2))) == 1
    assert k.group(g) == [2, 2]
    for p in a, a2, c, d:
        p.close()


def test_http_on_a_full_group_makes_nothing_new(kennel):
    """44: it is served over the limit, by the least used replica."""
    k, g = kennel, room()
    people = crowd(k, g, "abcd")
    n = len(k.status()["shards"])
    for _ in range(10):
        assert get(k, f"/lobby/{g}/broadcast?u=stranger").text == "DONE"
    k.wait_group(g, [2, 2])
    assert len(k.status()["shards"]) == n
    for heard in settle(*people).values():
        assert len(said(heard)) == 10
    for p in people:
        p.close()


def test_http_on_no_group_leaves_none_behind(kennel):
    """44: a request to an empty group takes a place and gives it back."""
    g = room()
    for verb in "broadcast", "emit", "whisper":
        assert get(kennel, f"/lobby/{g}/{verb}?u=a").text == "DONE"
    kennel.wait_group(g, [])


def test_parallel_burst_respects_the_limit(start):
    """45: 24 at once fill 12 replicas of 2, and all hear all."""
    k, g = start(shards=12), room()
    people = [None] * 24
    gate = threading.Barrier(24)

    def come(i):
        gate.wait()
        people[i] = Chat(k, g, f"n{i}")
    threads = [threading.Thread(target=come, args=(i,)) for i in range(24)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(people)
    assert k.group(g) == [2] * 12
    settle(*people)
    for p in people:
        p.say("here")
    for heard in settle(*people).values():
        assert len(said(heard)) == 24
    assert len(people[0].users()["list"]) == 24
    for p in people:
        p.close()
    k.wait_group(g, [])


def test_beyond_the_last_shard_is_503(start):
    """DESIGN, places: 503 with Retry-After, before any upgrade."""
    k = start(shards=2, max_shards=3, limit=1)
    a, b, c = (Chat(k, "g", n) for n in "abc")
    with pytest.raises(ws.Refused) as e:
        Chat(k, "g", "d")
    r = e.value.response
    assert r.status == 503 and int(r["Retry-After"]) > 0
    assert k.group("g") == [1, 1, 1]
    leave(k, "g", [1, 1], b)
    d = Chat(k, "g", "d")
    assert k.group("g") == [1, 1, 1]
    for p in a, c, d:
        p.close()


INTERNAL = ["/~$~/jello?u=x", "/~$~/message", "/~$~/whisper", "/~$~/gossip",
            "/~$~/identify", "/~$~/close", "/lobby/GROUP/~$~/jello?u=x"]
HEADERS = [("x-dog-" + n, v) for n, v in (
    ("group-identifier", "GROUP"), ("client-identifier", "victim"),
    ("replica-identifier", "1"), ("neighbor-identifier", "x"),
    ("target-identifier", "b"), ("client-empty", "1"))]


def test_internal_paths_and_headers_have_no_effect(kennel):
    """52"""
    k, g = kennel, room()
    a, b, c = people = crowd(k, g, "abc")
    fields = [(n, v.replace("GROUP", g)) for n, v in HEADERS]
    for path in INTERNAL:
        for method in "GET", "POST":
            r = get(k, path.replace("GROUP", g), method, fields=fields)
            assert r.status in (404, 405)
    for verb in "broadcast", "emit?u=c":
        assert get(k, f"/lobby/{g}/{verb}", fields=fields).text == "DONE"
    with WebSocket(k.address, f"/lobby/{g}/ws?u=d", fields=fields) as d:
        d.write(ws.frame(ws.TEXT, '{"type":"req:connected"}'))
        m = c.next(type="user:connected")
        assert m["from"] == "d"
    c.next(type="user:exit", **{"from": "d"})
    k.wait_group(g, [2, 1])
    heard = settle(*people)
    assert len(said(heard[a])) == 1
    assert sorted(a.users()["list"]) == list("abc")
    assert all(m["type"] != "" for one in heard.values() for m in one)
    barrier(*people)
    k.exact()
    for p in people:
        p.close()
