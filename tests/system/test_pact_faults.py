"""
Pact: something breaks while twelve people count.  Who is not hit is never
dropped, and sees every step of one sequence, none of them twice.  Numbers are
those of the checklist in the specification.
"""
import functools
import os
import signal
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.http import get
from kit.pact import (KEY, Pact, crowd, details, leave, message, quiet, room,
                      settle)
from kit.steps import Counting

@pytest.fixture
def start(start):
    """Connections end with their shards: it is the others that are looked at here."""
    return functools.partial(start, cover=False)


ENV = {"KENNEL_SIGNING_KEY": KEY}
SPREAD = dict(shards=4, max_shards=6, limit=3)


def now():
    return int(time.time() * 1000)


def meet(k, n=12, g="r"):
    """(people, [pid of the shard of each]); those of the first decide."""
    people = crowd(k, g, n)
    pids = {s["address"]: s["pid"] for s in k.shards()}
    where = [pids[r["shard"]] for r in k.replicas(g)
             for _ in range(r["connections"])]
    assert len(where) == n and len(set(where)) == (n + 2) // 3
    return people, where


def at(people, where, pid):
    return [p for p, w in zip(people, where) if w == pid]


def others(people, some):
    return [p for p in people if p not in some]


def value(k, id="x", g="r"):
    """What a newcomer is told."""
    with Pact(k, g) as p:
        m, = p.subscribe(f"counter:{id}")
        return m["data"]["value"]


def since(begin):
    return time.monotonic() - begin


def tell(what, seconds):
    """For pytest -rP."""
    print(f"{what}: {seconds:.3f} s")
    return seconds


def redis_pid(k):
    with k.redis() as r:
        return int(r("INFO", "server").split("process_id:")[1].split()[0])


def ready(k, n, but):
    """(Whoever came when one was away may have made another one start.)"""
    return len([s for s in k.shards() if s["pid"] not in but]) >= n


# ---- restarts ----

def fill(k):
    """A room with something of all that is kept, and of what is not."""
    a, b = Pact(k, "r", "a"), Pact(k, "r", "b")
    for _ in range(3):
        Pact(k, "r", "c").goodbye()
    a.login({"name": "A", "_secret": [1, {"x": None}]})
    a.authenticate(KEY, now())
    for p in a, b:
        p.subscribe("chat", "counter", "poll", "ephemeralPoll")
    a.tell("config", '{"ü": "kept"}')
    for p in a, b:
        p.expect("config")
    a.tell("relay", "t")
    for id, n in (("x", 17.75), ("x", -15.14), ("big", 1e21), ("a:b ü", -1)):
        a.count(id, n)
    a.vote("p", "A")
    b.vote("p", "B")
    a.vote("p", "B")
    b.vote("q ü", "C:D")
    a.vote("p", "A", "ephemeralPoll")
    settle(a, b)
    assert details(k, "r")["increment"] == 5
    return a, b


def check(k, empty=True):
    """What fill() made is there; and it goes on."""
    if empty:
        d = details(k, "r")
        assert (d["config"], d["increment"], d["pollCount"], d["count"]) == \
            ('{"ü": "kept"}', 5, 2, 0)
        assert (d["incrementSinceRestart"], d["ephemeralPollCount"]) == (0, 0)
    with Pact(k, "r", "b") as b, Pact(k, "r", "a") as a:
        assert a.config == b.config == '{"ü": "kept"}'
        assert (a.suffix, b.suffix) == (1, 2)
        assert a.profile["properties"] == {
            "name": "A", "_secret": [1, {"x": None}]}
        assert (a.profile["role"], b.profile["properties"]) == ("user", {})
        state = {(m["type"], m["data"]["id"]):
                 m["data"].get("value", m["data"].get("stats"))
                 for m in b.subscribe("counter", "poll")}
        assert state == {
            ("counter", "x"): 17.75 - 15.14, ("counter", "big"): 1e21,
            ("counter", "a:b ü"): -1, ("poll", "p"): {"B": 2},
            ("poll", "q ü"): {"C:D": 1}}
        assert b.subscribe("ephemeralPoll") == []
        a.tell("chat", "nobody is subscribed any more")
        a.tell("t", "and no relay")
        quiet(a, b)
        a.count("x", 1)
        b.expect("counter", {"id": "x", "value": 17.75 - 15.14 + 1})
        a.vote("p", "C")                # its vote of before is replaced
        b.expect("poll", {"id": "p", "stats": {"B": 1, "C": 1}})
        with Pact(k, "r", "c") as c, Pact(k, "r") as d:
            assert (c.suffix, d.suffix) == (3, 9)


@pytest.mark.parametrize("limit", [None, 1])
def test_cluster_is_restarted(start, limit):
    """49: an ordinary end, and a start."""
    k = start(shards=3, limit=limit, env=ENV,
              config="[worker]\nclosing_timeout = 200ms\n")
    a, b = fill(k)
    before = details(k, "r")["bootupTime"]
    assert k.term() == 0
    k.check_gone()
    k.start()
    assert details(k, "r")["bootupTime"] > before
    check(k)
    leave(a, b)


@pytest.mark.parametrize("limit", [None, 1])
def test_everything_is_killed_at_once(start, limit):
    """49: gateway, shards and Redis, by SIGKILL."""
    k = start(shards=3, limit=limit, env=ENV)
    a, b = fill(k)
    k.kill_all()
    k.start()
    check(k)
    leave(a, b)


def test_its_only_shard_is_killed(start):
    """49"""
    k = start(shards=2, env=ENV)
    a, b = fill(k)
    address = k.replicas("r")[0]["shard"]
    pid = next(s["pid"] for s in k.shards() if s["address"] == address)
    k.kill_shard(pid=pid)
    assert a.end() == b.end() == 1006
    wait.until(lambda: not k.replicas("r"))
    check(k)
    leave(a, b)


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_shard_of_two_is_killed(start, which):
    """Who is left keeps everything, ephemeral votes and relays too."""
    k = start(shards=3, limit=1, env=ENV)
    a, b = fill(k)
    b.authenticate(KEY, now())
    b.vote("e", "B", "ephemeralPoll")
    b.tell("relay", "t")
    settle(a, b)
    stays, goes = (b, a) if which == "first" else (a, b)
    replicas = k.replicas("r")
    address = replicas[0 if which == "first" else 1]["shard"]
    pid = next(s["pid"] for s in k.shards() if s["address"] == address)
    k.kill_shard(pid=pid)
    assert goes.end() == 1006
    stays.until("ephemeralPoll", {"id": "p" if goes is a else "e",
                                  "stats": {}})
    c = Pact(k, "r")
    c.tell("t", "relayed")
    assert stays.until("relay:t")[1]["data"] == "relayed"
    state = {m["data"]["id"]: m["data"]["stats"]
             for m in c.subscribe("ephemeralPoll")}
    assert state == ({"p": {}, "e": {"B": 1}} if goes is a else
                     {"p": {"A": 1}, "e": {}})
    c.count("x", 1)
    stays.expect("counter", {"id": "x", "value": 17.75 - 15.14 + 1})
    stays.count("x", -1)
    settle(stays, c)
    stays.tell("config", '{"ü": "kept"}')
    stays.until("config")
    leave(c, stays, goes)


# ---- a shard is killed while all count ----

@pytest.mark.parametrize("which", [0, 1, 3], ids=["decides", "next", "last"])
def test_shard_is_killed_amid_counting(start, which):
    """49: above all the one that decides the order."""
    k = start(**SPREAD)
    people, where = meet(k)
    pid = where[3 * which]
    gone = at(people, where, pid)
    with Counting(people) as c:
        c.more(60)
        begin = time.monotonic()
        k.kill_shard(pid=pid)
        c.more(1)
        tell("steps again", since(begin))
        late = Pact(k, "r")
        c.join(late)
        c.more(60)
        final = c.finish(gone)
        assert value(k) == final
    wait.until(lambda: details(k, "r")["count"] == 0)
    wait.until(lambda: ready(k, 4, {pid}), 5)
    k.exact()


def test_another_takes_over_within_a_second(start):
    k = start(**SPREAD)
    people, where = meet(k)
    a = people[3]
    a.subscribe("counter:x")
    a.count("x")
    a.expect("counter")
    k.kill_shard(pid=where[0])
    begin = time.monotonic()
    n = 1
    while a.count("x") or (m := a.hear())["type"] == "error":
        pass
    assert tell("takes over", since(begin)) < wait.limit(1)
    assert m["data"]["value"] == n + 1
    leave(*people)


def test_three_in_a_row_are_killed_amid_counting(start):
    """Each time the one that decides, until one is left of four."""
    k = start(**SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        gone, hit = [], set()
        for i in 0, 3, 6:
            c.more(40)
            hit.add(where[i])
            gone += at(people, where, where[i])
            k.kill_shard(pid=where[i])
        c.more(40)
        final = c.finish(gone)
        assert value(k) == final
    wait.until(lambda: ready(k, 4, hit), 10)


def test_two_are_killed_at_once(start):
    k = start(**SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        c.more(40)
        for i in 0, 3:
            k.kill_shard(pid=where[i])
        c.more(40)
        final = c.finish(people[:6])
        assert value(k) == final


def test_without_redis_a_shard_is_killed(start):
    """What was announced is in the memory of those who are left."""
    k = start(redis="none", **SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        c.more(60)
        k.kill_shard(pid=where[0])
        c.more(60)
        final = c.finish(people[:3])
        assert value(k) == final


def test_the_shard_that_decides_pauses(start):
    """3 s: all wait, nothing is lost."""
    k = start(**SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        c.more(40)
        os.kill(where[0], signal.SIGSTOP)
        begin = time.monotonic()
        wait.until(lambda: since(begin) > 3, 6)
        os.kill(where[0], signal.SIGCONT)
        c.more(40)
        final = c.finish()
        assert value(k) == final


def test_the_shard_that_decides_hangs(start):
    """The watchdog kills it; those of the others go on with what waited."""
    k = start(config="[gateway]\nwatchdog = 2s\n", **SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        c.more(40)
        k.kill_shard(pid=where[0], signo=signal.SIGSTOP)
        wait.until(lambda: not kits.alive(where[0]), 10)
        c.more(40)
        final = c.finish(people[:3])
        assert value(k) == final


def test_gateway_is_killed_amid_counting(start):
    """It names who decides; nobody notices."""
    k = start(**SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        c.more(40)
        k.kill_gateway()
        c.more(40)
        k.start()
        c.more(40)
        k.kill_shard(pid=where[0])
        c.more(40)
        final = c.finish(people[:3])
        assert value(k) == final


def test_comings_and_goings_of_those_who_decide(start):
    """The oldest leave in order, one after the other, while the rest count."""
    k = start(**SPREAD)
    people, where = meet(k)
    with Counting(people[6:]) as c:
        new = []
        for p in people[:6]:
            c.more(10)
            p.goodbye()
            new.append(Pact(k, "r"))
            c.join(new[-1])
        c.more(20)
        final = c.finish()
        assert value(k) == final


# ---- votes ----

def test_votes_when_a_shard_is_killed(start):
    """Ordinary ones stay, ephemeral ones of who was cut off go."""
    k = start(**SPREAD)
    people, where = meet(k)
    for i, p in enumerate(people):
        p.vote("p", f"A{i % 4}")
        p.vote("p", f"A{i % 4}", "ephemeralPoll")
    settle(*people)
    watch = people[5]
    watch.subscribe("poll", "ephemeralPoll")
    k.kill_shard(pid=where[0])
    watch.until("ephemeralPoll", {
        "id": "p", "stats": {"A0": 2, "A1": 2, "A2": 2, "A3": 3}})
    rest = people[3:]
    quiet(*rest)
    state = rest[0].subscribe("poll:p", "ephemeralPoll:p")
    assert [m["data"]["stats"] for m in state] == [
        {f"A{i}": 3 for i in range(4)}, {"A0": 2, "A1": 2, "A2": 2, "A3": 3}]
    for p in rest:
        p.vote("p", "B")
        p.vote("p", "B", "ephemeralPoll")
    rest[0].until("ephemeralPoll", {"id": "p", "stats": {"B": 9}})
    settle(*rest)                       # where the last one is, too
    state = rest[-1].subscribe("poll:p", "ephemeralPoll:p")
    assert [m["data"]["stats"] for m in state] == [
        {"A0": 1, "A1": 1, "A2": 1, "B": 9}, {"B": 9}]
    back = Pact(k, "r", people[0].id)
    assert back.suffix == 1
    back.vote("p", "B")
    rest[-1].until("poll", {"id": "p", "stats": {"A1": 1, "A2": 1, "B": 10}})
    assert details(k, "r")["count"] == 10
    leave(back, *people)


# ---- Redis ----

def test_redis_is_killed_amid_counting(start):
    """49: the private one; what was announced stays."""
    k = start(**SPREAD)
    people, _ = meet(k)
    with Counting(people) as c:
        c.more(60)
        pid = redis_pid(k)
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        wait.until(lambda: not kits.alive(pid))
        c.more(1)
        tell("steps again", since(begin))
        c.more(60)
        final = c.finish()
        assert value(k) == final
    print("errors:", sum(c.errors.values()))


def test_redis_pauses_amid_counting(start):
    """3 s: errors are told, and nothing is counted twice afterwards."""
    k = start(**SPREAD)
    people, _ = meet(k)
    with Counting(people) as c:
        c.more(40)
        pid = redis_pid(k)
        os.kill(pid, signal.SIGSTOP)
        begin = time.monotonic()
        wait.until(lambda: since(begin) > 3, 6)
        os.kill(pid, signal.SIGCONT)
        c.more(40)
        final = c.finish()
        assert value(k) == final


def test_redis_and_the_shard_that_decides_are_killed(start):
    k = start(**SPREAD)
    people, where = meet(k)
    with Counting(people) as c:
        c.more(40)
        os.kill(redis_pid(k), signal.SIGKILL)
        k.kill_shard(pid=where[0])
        c.more(40)
        final = c.finish(people[:3])
        assert value(k) == final


def test_redis_is_away_and_back(start, server):
    """What needs it is answered with an error, the rest goes on."""
    server.args = ["--appendonly", "yes", "--appendfsync", "always"]
    server.start()
    k = start(shards=3, limit=2, env=ENV, redis=f"unix:{server.path}")
    a, b, c = people = crowd(k, "r", 3)
    a.authenticate(KEY, now())
    a.login({"name": "A"})
    a.tell("config", "before")
    for p in people:
        p.expect("config", "before")
        p.subscribe("chat", "counter", "poll", "ephemeralPoll")
    c.count("x", 5)
    c.vote("p", "A")
    settle(*people)
    server.stop()

    def refused(p, type, data):
        p.tell(type, data)
        assert p.until("error")[0] == []
    for p in people:
        refused(p, "counter", {"id": "x", "value": 1})
        refused(p, "counter", None)
        refused(p, "poll", {"id": "p", "answer": "B"})
        refused(p, "login", {"name": "no"})
    refused(a, "config", "no")
    assert [p.barrier() for p in people] == [[], [], []]
    assert a.profile["properties"] == {"name": "A"}
    b.tell("chat", "still here")
    for p in people:
        m = p.expect("chat")
        assert m["message"] == "still here"
    c.vote("e", "C", "ephemeralPoll")
    for p in people:
        p.expect("ephemeralPoll", {"id": "e", "stats": {"C": 1}})
    b.unsubscribe("chat")
    b.tell("subscribe", "custom")
    b.tell("subscribe", "chat")
    assert b.barrier() == []
    new = Pact(k, "r", "new", greet=False)
    new.error()
    assert details(k, "r")["name"] == "r"
    assert get(k, "/healthz").status == 200
    server.start()
    new.greeted()
    assert (new.config, new.suffix) == ("before", 4)

    def works():
        a.count("x", 1)
        m = a.hear()
        return m["type"] == "counter" and m
    m = wait.until(works, 10)
    assert m["data"] == {"id": "x", "value": 6}
    for p in b, c:
        p.expect("counter", {"id": "x", "value": 6})
    a.vote("p", "A")
    for p in people:
        p.expect("poll", {"id": "p", "stats": {"A": 2}})
    assert a.login({"name": "B"})["properties"] == {"name": "B"}
    a.tell("config", "after")
    for p in (*people, new):
        p.expect("config", "after")
    assert new.subscribe("ephemeralPoll") == [
        {"type": "ephemeralPoll", "data": {"id": "e", "stats": {"C": 1}}}]
    quiet(*people, new)
    leave(*people, new)


def test_redis_comes_back_empty(start, server):
    """Who decides has it all, and writes it again."""
    server.start()
    k = start(shards=3, limit=2, env=ENV, redis=f"unix:{server.path}")
    a, b, c = people = [Pact(k, "r", s) for s in "abc"]
    a.authenticate(KEY, now())
    a.login({"name": "A"})
    a.tell("config", "kept")
    for p in people:
        p.expect("config")
        p.subscribe("counter", "poll")
    a.count("x", 5)
    a.count("y", 0.5)
    a.vote("p", "A")
    settle(*people)
    server.stop()
    server.start()

    def works():
        c.count("x", 1)
        m = c.hear()
        return m["type"] == "counter" and m
    assert wait.until(works, 10)["data"] == {"id": "x", "value": 6}
    for p in a, b:
        p.expect("counter", {"id": "x", "value": 6})
    c.vote("p", "A")
    for p in people:
        p.expect("poll", {"id": "p", "stats": {"A": 2}})
    leave(*people)
    wait.until(lambda: k.replicas("r") == [], 5)
    with Pact(k, "r", "a") as a:
        assert (a.config, a.suffix) == ("kept", 1)
        assert a.profile["properties"] == {"name": "A"}
        got = {(m["type"], m["data"]["id"]):
               m["data"].get("value", m["data"].get("stats"))
               for m in a.subscribe("counter", "poll")}
        assert got == {("counter", "x"): 6, ("counter", "y"): 0.5,
                       ("poll", "p"): {"A": 2}}
        with Pact(k, "r", "d") as d:
            assert d.suffix == 5


def test_redis_is_not_there_from_the_start(start, server):
    """Who comes is told, chats, and is greeted as soon as it is there."""
    server.start()
    k = start(shards=2, redis=f"unix:{server.path}")
    server.stop()
    early = [Pact(k, "r", s, greet=False) for s in "ab"]
    for p in early:
        p.error()
    server.start()
    for p in early:
        p.greeted()
    assert sorted(p.suffix for p in early) == [1, 2]
    assert [p.id for p in early] == ["a", "b"]
    quiet(*early)
    leave(*early)


def test_without_redis_all_is_in_memory(start):
    """Several rooms, and people who come back while somebody is there."""
    k = start(redis="none", **SPREAD)
    for _ in range(3):
        g = room()
        people = crowd(k, g, 7)
        for p in people:
            p.login({"n": p.suffix})
            p.send(message("counter", {"id": "x", "value": 1}))
            p.vote("p", "A")
        settle(*people)
        for p in people[1:]:
            p.goodbye()
        wait.until(lambda: details(k, g)["count"] == 1)
        back = Pact(k, g, people[6].id)
        assert (back.suffix, back.profile["properties"]) == (7, {"n": 7})
        assert [m["data"] for m in back.subscribe("counter", "poll")] == [
            {"id": "x", "value": 7}, {"id": "p", "stats": {"A": 7}}]
        leave(people[0], back)
