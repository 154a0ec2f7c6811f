"""limit_group: how many a group may have over all nodes."""
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit import http, redis, wait
from kit.chat import Chat, settle
from kit.metrics import metrics
from kit.ws import Refused

CONFIG = """
[route room]
path = /lobby/{{group}}/*
app = chat
group = path:group
uid = query:u
limit = 4
limit_group = {limit}
"""
KEY = "kennel:places:g:chat"


@pytest.fixture
def nodes(start, url):
    def make(limit, *args):
        return [start("--node", name, *args, redis=url, config=CONFIG.format(limit=limit))
                for name in ("one", "two")]
    return make


def refusal(k, name="late"):
    """The answer of who is refused."""
    with pytest.raises(Refused) as e:
        Chat(k, "g", name).close()
    return str(e.value)


def comes(k, name, timeout=30):
    """A newcomer, as soon as there is room."""
    def one():
        try:
            return Chat(k, "g", name)
        except Refused:
            return None
    return wait.until(one, timeout, f"{name} is let in")


def places(server):
    with redis.Redis(server.path) as r:
        return {n: int(v) for n, v in r.hash(KEY).items()}


def test_all_nodes_together_have_no_more(nodes, server):
    """40"""
    one, two = nodes(5)
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(5)]
    for k in one, two:
        text = refusal(k)
        assert "503" in text and "Retry-After" in text
        refused = metrics(k)["kennel_connections_refused_total"]
        assert refused[(("reason", "group-full"),)] == 1
    g = [g for g in one.status()["groups"] if g["group"] == "g"]
    assert (g[0]["limit_group"], g[0]["all_nodes"]) == (5, 5)
    assert "5 of 5" in one.ctl("groups")
    assert places(server) == {"one": 3, "two": 2}
    # Another group has room, and a plain request is no member.
    Chat(one, "h", "x").close()
    with http.Http(one.address) as c:
        assert c.ask("GET", "/lobby/g/chat").status != 503
    people.pop(0).close()           # on one: its place is anybody's
    people.append(comes(two, "next"))
    refusal(one)
    for p in people:
        p.close()
    wait.until(lambda: places(server) == {}, 20, "all is given back")
    with redis.Redis(server.path) as r:
        assert r.keys("kennel:node:*:places") == []


def test_the_last_places_are_given_once(nodes):
    """40: Many come to both nodes at the same time."""
    pair = nodes(7)

    def come(i):
        try:
            return Chat(pair[i % 2], "g", f"u{i}")
        except Refused:
            return None
    with ThreadPoolExecutor(20) as pool:
        people = [p for p in pool.map(come, range(40)) if p]
    assert len(people) == 7
    assert sum(sum(k.group("g")) for k in pair) == 7
    for p in people:
        p.close()


def test_a_dead_node_has_no_places(nodes, server):
    """41"""
    one, two = nodes(4)
    a = Chat(one, "g", "a")
    lost = [Chat(two, "g", f"l{i}") for i in range(3)]
    refusal(one)
    two.kill_all()
    people = [comes(one, f"n{i}", 60) for i in range(3)]
    refusal(one)
    assert places(server) == {"one": 4}
    for p in (a, *lost, *people):
        p.close()
    two.destroy()


def test_without_redis_nobody_has_more_than_its_share(nodes, server):
    """41"""
    one, two = nodes(10)
    people = [Chat(one, "g", "a"), Chat(one, "g", "b"), Chat(two, "g", "c")]
    wait.until(lambda: places(server) == {"one": 2, "two": 1}, 20)
    server.stop()
    for k in one, two:
        k.wait_log("bus redis=away", 20)
        wait.until(lambda k=k: not k.status()["redis"]["up"], 20)
        assert "503" in refusal(k)
        refused = metrics(k)["kennel_connections_refused_total"]
        assert refused[(("reason", "group-uncounted"),)] >= 1
    people.pop(0).close()
    people.append(comes(one, "d"))      # the place that was its own
    refusal(one)
    # Redis comes back with nothing in it: all say again what they have.
    server.start()
    wait.until(lambda: places(server) == {"one": 2, "two": 1}, 60)
    more = [comes((one, two)[i % 2], f"m{i}") for i in range(7)]
    for k in one, two:
        refusal(k)
    for p in people + more:
        p.close()


def test_a_redis_that_takes_nothing_gives_no_place(nodes, server):
    """41: It is up, and out of memory."""
    one, two = nodes(3)
    people = [Chat(k, "g", "a") for k in (one, two)]
    with redis.Redis(server.path) as r:
        r("CONFIG", "SET", "maxmemory", "1")
        for k in one, two:
            refusal(k)
        assert places(server) == {"one": 1, "two": 1}
        r("CONFIG", "SET", "maxmemory", "0")
    people.append(comes(one, "c"))
    refusal(two)
    assert places(server) == {"one": 2, "two": 1}
    for p in people:
        p.close()


def test_a_redis_that_forgets_gives_no_place_twice(nodes, server):
    """40"""
    one, two = nodes(6)
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(6)]
    with redis.Redis(server.path) as r:
        r("FLUSHALL")
    for i in range(20):
        for k in one, two:
            refusal(k, f"x{i}")
    wait.until(lambda: places(server) == {"one": 3, "two": 3}, 30)
    refusal(one)
    for p in people:
        p.close()


@pytest.mark.parametrize("how", ["emptied", "restarted"])
def test_many_groups_are_counted_again(nodes, server, how):
    """40, 41: As many as there are, each once, when Redis has forgotten them, or comes back."""
    one, two = nodes(2)
    groups = [f"g{i}" for i in range(60)]
    people = [Chat((one, two)[i % 2], g, f"u{i}") for i, g in enumerate(groups)]
    keys = {f"kennel:places:{g}:chat" for g in groups}

    def counted():
        with redis.Redis(server.path) as r:
            return set(r.keys("kennel:places:*")) == keys and all(
                r.hash(f"kennel:places:{g}:chat") == {("one", "two")[i % 2]: "1"}
                for i, g in enumerate(groups))
    wait.until(counted, 20)
    if how == "restarted":
        server.stop()
        for k in one, two:
            k.wait_log("bus redis=away", 20)
        server.start()
    else:
        with redis.Redis(server.path) as r:
            r("FLUSHALL")
    wait.until(counted, 60)
    for k in one, two:
        assert k.status()["places"] == 30
    people.append(comes(one, "late"))
    for p in people:
        p.close()


def test_a_redis_that_forgets_waits_for_who_is_slow(nodes, server):
    """40: One has said again what it has, the other not yet: its places are not free."""
    one, two = nodes(6)
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(6)]
    wait.until(lambda: places(server) == {"one": 3, "two": 3}, 20)
    pids = two.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        with redis.Redis(server.path) as r:
            r("FLUSHALL")
            wait.until(lambda: r("EXISTS", "kennel:node:one") and
                       places(server) == {"one": 3}, 20, "one is known again")
        for i in range(3):
            refusal(one, f"x{i}")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait.until(lambda: places(server) == {"one": 3, "two": 3}, 30)
    refusal(one)
    for p in people:
        p.close()


def test_the_next_gateway_counts_on(nodes, server):
    """40"""
    one, two = nodes(4)
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(4)]
    one.kill_gateway()
    one.start()
    for k in one, two:
        refusal(k)
    people.pop(0).close()
    people.append(comes(two, "next"))
    assert places(server) == {"one": 1, "two": 3}
    for p in people:
        p.close()


def test_who_left_without_a_gateway_is_not_counted(nodes, server):
    """40: The next one finds less than its predecessor had in Redis."""
    one, two = nodes(4)
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(4)]
    one.kill_gateway()
    for p in people[0::2]:
        p.close()
    people = people[1::2]
    assert places(server) == {"one": 2, "two": 2}
    one.start()
    people += [comes(two, f"n{i}") for i in range(2)]
    assert places(server) == {"two": 4}
    for p in people:
        p.close()


def test_one_node_alone(start):
    k = start(config=CONFIG.format(limit=3))
    people = [Chat(k, "g", f"u{i}") for i in range(3)]
    assert "503" in refusal(k)
    people.pop().close()
    people.append(comes(k, "next"))
    refusal(k)
    for p in people:
        p.close()


def test_a_node_that_was_stopped_says_again_what_it_has(nodes, server):
    """40: Its places went to nobody meanwhile; they count again."""
    one, two = nodes(4)
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(4)]
    pids = two.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait.until(lambda: places(server) == {"one": 2}, 40)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    wait.until(lambda: places(server) == {"one": 2, "two": 2}, 40)
    refusal(one)
    for p in people:
        p.close()


def test_who_survives_its_shard_keeps_its_place(nodes, server):
    """40: A full group: while some of it are between two shards, nobody gets their places."""
    one, two = nodes(5, "--shards", "1", "--max-shards", "1")
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(5)]
    wait.until(lambda: places(server) == {"one": 3, "two": 2}, 20)
    wait.until(lambda: one.status()["covered"] == 3, 20)
    # From the third death on there is no shard for a while.
    for death in range(1, 6):
        had = max(one.shards(), key=lambda s: s["connections"])
        one.kill_shard(pid=had["pid"])
        seen = []

        def back():
            seen.append(places(server))
            refusal(two)
            return one.status()["totals"]["survived"] == 3 * death
        wait.until(back, 30, "they are in another shard")
        assert all(n == {"one": 3, "two": 2} for n in seen), seen
        # They are there, and count once.
        for p in people:
            p.users()
        settle(*people)
        assert places(server) == {"one": 3, "two": 2}
        for k in one, two:
            refusal(k)
    # Who leaves then leaves a place.
    people.pop(0).close()
    people.append(comes(two, "next"))
    wait.until(lambda: places(server) == {"one": 2, "two": 3}, 20)
    refusal(one)
    for p in people:
        p.close()
