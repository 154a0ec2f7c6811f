"""
Pact: what one client can make the server keep is bounded.  Beyond a limit the
asker alone is told, its connection is kept, and nothing has changed.
"""
import json
import time

import pytest
from kit import nodes, wait
from kit.pact import (KEY, Pact, crowd, details, leave, message, room, users)
from kit.ws import Refused

SMALL = """
[worker]
pact_counters = 5
pact_polls = 5
pact_answers = 5
pact_sessions = 8
pact_properties = 100
pact_name = 20
pact_config = 100
pact_subscriptions = 5
pact_relays = 5
"""


@pytest.fixture(scope="module", params=["one", "many", "nodes"])
def small(request, start_shared, site):
    kw = dict(config=SMALL, env={"KENNEL_SIGNING_KEY": KEY})
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=6, limit=1, **kw)
    many = dict(shards=4, limit=1) if request.param == "many" else {}
    return start_shared(**kw, **many)


@pytest.fixture
def two(small):
    """One who goes too far, and one who listens."""
    a, b = crowd(small, room(), 2)
    b.tell("subscribe", "counter")
    b.tell("subscribe", "poll")
    b.tell("subscribe", "ephemeralPoll")
    b.tell("subscribe", "chat")
    b.barrier()
    yield a, b
    leave(a, b)


@pytest.fixture(scope="module")
def defaults(start_shared):
    return start_shared(shards=1, env={"KENNEL_SIGNING_KEY": KEY})


def now():
    return int(time.time() * 1000)


def unheard(a, *others):
    """Nothing is next, for nobody, but a's chat."""
    a.tell("chat", "what is next")
    for p in others:
        assert p.expect("chat")["message"] == "what is next"
    assert a.barrier() == []


# ---- counters and polls ----

def test_counters(two):
    """Those that are there go on."""
    a, b = two
    for i in range(5):
        a.count(f"c{i}")
        b.expect("counter", {"id": f"c{i}", "value": 1})
    for _ in range(3):
        a.count("c5")
        a.error()
    unheard(a, b)
    a.count("c0")
    b.expect("counter", {"id": "c0", "value": 2})
    assert a.barrier() == []
    a.tell("subscribe", "counter:c5")
    a.tell("subscribe", "counter:c0")
    a.expect("counter", {"id": "c0", "value": 2})


@pytest.mark.parametrize("kind", ["poll", "ephemeralPoll"])
def test_polls(two, kind):
    a, b = two
    for i in range(5):
        a.vote(f"p{i}", "A", kind)
        b.expect(kind, {"id": f"p{i}", "stats": {"A": 1}})
    a.vote("p5", "A", kind)
    a.error()
    unheard(a, b)
    a.vote("p0", "B", kind)
    b.expect(kind, {"id": "p0", "stats": {"B": 1}})
    assert a.barrier() == []


@pytest.mark.parametrize("kind", ["poll", "ephemeralPoll"])
def test_answers(small, kind):
    """Of one poll; whom it refuses keeps the vote it had."""
    g = room()
    b, *people = crowd(small, g, 7)
    b.tell("subscribe", kind)
    b.barrier()
    for i in range(5):
        people[i].vote("p", f"A{i}", kind)
        b.until(kind, lambda d: len(d["stats"]) == i + 1)
    full = {f"A{i}": 1 for i in range(5)}
    people[5].vote("p", "A5", kind)
    people[5].error()
    people[5].vote("p", "A0", kind)
    b.expect(kind, {"id": "p", "stats": {**full, "A0": 2}})
    people[5].vote("p", "A5", kind)
    people[5].error()
    people[5].vote("p", "A1", kind)
    b.expect(kind, {"id": "p", "stats": {**full, "A1": 2}})
    people[5].vote("other", "A5", kind)
    b.expect(kind, {"id": "other", "stats": {"A5": 1}})
    for p in people:
        assert p.barrier() == []
    leave(b, *people)


# ---- names ----

AT = ["x" * 20, "ü" * 10, "🐕" * 5, '"' * 20, "\\" * 20, "\n" * 20]
OVER = ["x" * 21, "ü" * 10 + "x", "🐕" * 5 + "x", '"' * 21, "y" * 100000]


@pytest.mark.parametrize("name", AT, ids=range(len(AT)))
def test_names_at_the_limit(two, name):
    """Bytes of UTF-8, not of JSON."""
    a, b = two
    a.tell("subscribe", "counter:" + name)
    a.tell("subscribe", "poll:" + name)
    a.tell("subscribe", name)
    assert a.barrier() == []
    a.count(name)
    for p in a, b:
        p.expect("counter", {"id": name, "value": 1})
    a.vote(name, name)
    for p in a, b:
        p.expect("poll", {"id": name, "stats": {name: 1}})
    a.vote(name, name, "ephemeralPoll")
    b.expect("ephemeralPoll", {"id": name, "stats": {name: 1}})
    a.authenticate(KEY, now())
    a.tell("broadcast", {"to": name, "type": "t"})
    assert a.hear() == {"type": "t"}


@pytest.mark.parametrize("name", OVER, ids=range(len(OVER)))
def test_names_beyond_the_limit(two, name):
    a, b = two
    a.count(name)
    a.error()
    for kind in "poll", "ephemeralPoll":
        a.vote(name, "A", kind)
        a.error()
        a.vote("p", name, kind)
        a.error()
    for topic in name + "x" * 20, "counter:" + name + "x" * 20:
        a.tell("subscribe", topic)
        a.error()
    a.authenticate(KEY, now())
    a.tell("relay", name)
    a.error()
    unheard(a, b)


def test_default_names(defaults):
    """256 bytes."""
    with Pact(defaults, room()) as a:
        for kind in "counter", "poll", "ephemeralPoll":
            a.tell("subscribe", kind + ":" + "x" * 256)
        a.count("x" * 256)
        a.expect("counter", {"id": "x" * 256, "value": 1})
        for kind in "poll", "ephemeralPoll":
            a.vote("x" * 256, "x" * 256, kind)
            a.expect(kind, {"id": "x" * 256, "stats": {"x" * 256: 1}})
        a.count("x" * 257)
        a.vote("x" * 257, "x")
        a.vote("x", "x" * 257)
        a.tell("subscribe", "x" * 300)
        for _ in range(4):
            a.error()
        assert a.barrier() == []


# ---- properties, config ----

def filled(size):
    """Properties whose JSON has so many bytes."""
    return {"a": "x" * (size - len('{"a":""}'))}


def properties(k, size):
    g = room()
    with Pact(k, g, "s") as a:
        for data in filled(size), {"b": 1}:
            assert a.login(data)["properties"] == data
            for over in filled(size + 1), {"_p": "x" * size}, \
                    {"x": ["x" * size]}, {"x" * size: 1}:
                a.tell("login", over)
                a.error()
            a.tell("profile")
            assert a.expect("profile")["properties"] == data
        assert users(k, g)[0]["properties"] == {"b": 1}
        with Pact(k, g, "s") as b:
            assert b.profile["properties"] == {"b": 1}


def test_properties(small, defaults):
    """Of one login's JSON; beyond, those from before stay."""
    properties(small, 100)
    properties(defaults, 16384)


def test_properties_are_measured_as_compact_json(small):
    """White space and escapes of the sender do not count."""
    with Pact(small, room()) as a:
        data = {"a": "ü" * 40}
        a.send('{"type": "login", %s "data": {"a": "%s"}}' % (
            " " * 200, "\\u00fc" * 40))
        assert a.expect("profile")["properties"] == data


def config(k, size):
    def say(text):      # as JSON.stringify() has it; \u00fc is three times it
        a.send(json.dumps({"type": "config", "data": text},
                          ensure_ascii=False))
    g = room()
    a, b = crowd(k, g, 2)
    a.authenticate(KEY, now())
    for text in "x" * size, "ü" * (size // 2):
        say(text)
        for p in a, b:
            p.expect("config", text)
    for text in "x" * (size + 1), "ü" * (size // 2) + "x":
        say(text)
        a.error()
    assert a.barrier() == b.barrier() == []
    assert details(k, g)["config"] == "ü" * (size // 2)
    leave(a, b)


def test_config(small, defaults):
    """Bytes of UTF-8; beyond, the one from before stays."""
    config(small, 100)
    config(defaults, 65536)


# ---- subscriptions, relays ----

def test_subscriptions(two):
    """Of one socket; what it has counts once, and ending one makes room."""
    a, b = two
    for i in range(5):
        a.tell("subscribe", f"counter:c{i}")
        a.tell("subscribe", f"counter:c{i}")
    assert a.barrier() == []
    a.tell("subscribe", "counter:c5")
    a.error()
    a.tell("subscribe", "chat")
    a.error()
    a.tell("subscribe", "counter:c0")
    for i in range(5):
        b.count(f"c{i}")
        a.expect("counter", {"id": f"c{i}", "value": 1})
        b.expect("counter")
    a.tell("unsubscribe", "counter:c0")
    a.tell("subscribe", "chat")
    assert a.barrier() == []
    a.tell("chat", "x")
    assert a.expect("chat")["message"] == "x"
    a.tell("subscribe", "counter")
    a.error()
    a.tell("unsubscribe", "counter")
    for i in range(4):
        a.tell("subscribe", f"t{i}")
    assert a.barrier() == []


def test_relays(two):
    a, b = two
    a.authenticate(KEY, now())
    for i in range(5):
        a.tell("relay", f"t{i}")
        a.tell("relay", f"t{i}")
    assert a.barrier() == []
    a.tell("relay", "t5")
    a.error()
    a.tell("t5")
    a.tell("t0")
    assert a.hear()["type"] == "relay:t0"
    a.tell("deleteRelay", "t0")
    a.tell("relay", "t5")
    assert a.barrier() == []
    a.tell("t5")
    assert a.hear()["type"] == "relay:t5"


def test_another_socket_has_a_limit_of_its_own(two):
    a, b = two
    for p in a, b:
        p.tell("unsubscribe", "counter")
        for t in "poll", "ephemeralPoll", "chat", "x", "y":
            p.tell("subscribe", t)
        assert p.barrier() == []
        p.tell("subscribe", "z")
        p.error()


# ---- sessions, rooms ----

def test_sessions(small):
    """Those that are known come back; who is new and one too many is told."""
    g = room()
    keeper = Pact(small, g, "s0")
    for i in range(1, 8):
        with Pact(small, g, f"s{i}") as p:
            p.login({"n": i})
            p.goodbye()
    with Pact(small, g, "s8", greet=False) as p:
        seen = {p.hear()["type"]}
        if "error" not in seen:         # its greeting may come before
            p.hear()
            p.error()
        p.send_frame(9, b"still there")
        assert p.recv_frame() == (10, True, b"still there")
    with Pact(small, g, "s3") as p:
        assert p.profile["properties"] == {"n": 3}
    with Pact(small, room(), "s8") as p:
        assert p.suffix == 1
    keeper.close()


def test_rooms(start):
    """Of one process; who comes is told, in one way or the other."""
    k = start(shards=1, max_shards=1, config="[worker]\npact_rooms = 3\n")
    here = [Pact(k, f"r{i}") for i in range(3)]
    for _ in range(3):
        with pytest.raises(Refused) as e:
            Pact(k, "r3")
        assert e.value.response.status == 503
        assert e.value.response["Retry-After"]
    for i, a in enumerate(here):
        a.tell("counter")
        assert a.barrier() == []
        with Pact(k, f"r{i}") as b:
            assert b.suffix == 2
    here[0].goodbye()
    wait.until(lambda: k.replicas("r0") == [], 5)
    with Pact(k, "r3") as p:
        assert p.suffix == 1
    leave(*here)


# ---- depth ----

def nested(depth, type="chat"):
    """A message so deep, as text; itself is one, data two."""
    return '{"type":"%s","data":%s%s}' % (
        type, "[" * (depth - 1), "]" * (depth - 1))


def test_depth(two):
    """32 levels of a message; it is no news to anybody beyond."""
    a, b = two
    a.send(nested(32))
    m = b.expect("chat")["message"]
    assert json.dumps(m) == "[" * 31 + "]" * 31
    for depth in 33, 34, 100, 10000:
        for type in "chat", "login", "counter", "poll", "broadcast", "x":
            a.send(nested(depth, type))
        a.send(message("profile"))
        heard, _ = a.until("profile")
        assert all(m["type"] == "error" for m in heard)
    unheard(a, b)


# ---- whose limits these are ----

def test_one_rooms_limit_is_not_anothers(small):
    for _ in range(3):
        with Pact(small, room()) as a:
            for i in range(5):
                a.count(f"c{i}")
                a.vote(f"p{i}", "A")
                a.vote(f"p{i}", "A", "ephemeralPoll")
            assert a.barrier() == []
            a.count("c5")
            a.error()


def test_defaults(defaults):
    """1000 counters; 100 polls, answers, subscriptions, relays."""
    g = room()
    with Pact(defaults, g) as a:
        for i in range(1001):
            a.count(f"c{i}")
        a.error()
        for i in range(101):
            a.vote(f"p{i}", "A")
        a.error()
        for i in range(101):
            a.tell("subscribe", f"t{i}")
        a.error()
        a.authenticate(KEY, now())
        for i in range(101):
            a.tell("relay", f"t{i}")
        a.error()
        assert a.barrier() == []
        assert details(defaults, g)["pollCount"] == 100
        people = [a, *crowd(defaults, g, 100)]
        for i, p in enumerate(people):
            p.vote("p0", f"A{i}")
            if i < 100:
                assert p.barrier() == []
        people[100].error()
        leave(*people[1:])
