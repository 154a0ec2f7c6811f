"""
Pact: chat, subscriptions, what is ignored, pings and closing.  Numbers are those
of the checklist in the specification.
"""
import json
import time

import pytest
from kit import wait, ws
from kit.pact import (ABSENT, Pact, crowd, details, leave, message, quiet,
                      room, settle, users)
from kit.ws import TEXT

SPECIAL = ["__proto__", "constructor", "prototype", "toString", "valueOf",
           "hasOwnProperty", "length", "*"]


@pytest.fixture
def four(pact):
    """Quiet; the first one's process decides the room's order."""
    people = crowd(pact, room(), 4)
    yield people
    leave(*people)


# ---- chat ----

def test_chat_reaches_subscribers_once(four):
    """18, 22"""
    a, b, c, d = four
    b.subscribe("chat")
    c.subscribe("chat", "chat")
    d.subscribe("chat:x", "chats", "cha", "poll", "CHAT", "chat :all")
    a.login({"name": "A", "_secret": 1, "deep": {"_kept": 2}})
    a.tell("chat", "hello")
    want = {"message": "hello", "user": {
        "suffix": 1, "properties": {"name": "A", "deep": {"_kept": 2}}}}
    heard = settle(*four)
    for p, n in zip(four, (0, 1, 1, 0)):
        assert heard[p] == [{"type": "chat", "data": want}] * n


def test_sender_hears_it_if_it_subscribes(four):
    """18, 19: without a login, too."""
    a, b = four[:2]
    a.tell("chat", 1)
    a.subscribe("chat")
    a.tell("chat", 2)
    a.expect("chat", {"message": 2, "user": {"suffix": 1, "properties": {}}})
    b.tell("chat", 3)
    a.expect("chat", {"message": 3, "user": {"suffix": 2, "properties": {}}})
    quiet(*four)


MESSAGES = ["x", "", None, True, False, 0, -1.5, 1e300, 9007199254740991, [], {},
            [1, [2, {"a": None}]], {"type": "chat", "data": {"user": 1}},
            {"__proto__": 1, "": 2, "constructor": {"x": []}},
            "ü名🐕\u2028\u0001\x7f\"\\/<script>", "x" * 60000, ["é" * 1000] * 20]


@pytest.mark.parametrize("data", MESSAGES, ids=range(len(MESSAGES)))
def test_chat_carries_any_json(four, data):
    """24"""
    a, b = four[:2]
    b.subscribe("chat")
    for text in (message("chat", data), json.dumps(
            {"data": data, "type": "chat", "more": 1}, ensure_ascii=False,
            indent=1)):
        a.send(text)
        got = b.expect("chat")
        assert got["message"] == data and type(got["message"]) is type(data)


@pytest.mark.parametrize("digits", [
    "123456789012345678901234567890", "-9223372036854775809", "1E5", "1e-400",
    "0.1e1", "-0", "5e-324", "1.7976931348623157e308",
    "0." + "123456789" * 30, "1" * 300])
def test_chat_carries_any_number(four, digits):
    """24: as a double at least, as in JavaScript."""
    a, b = four[:2]
    b.subscribe("chat")
    a.send('{"type":"chat","data":[%s]}' % digits)
    assert float(b.expect("chat")["message"][0]) == float(digits)


def test_chat_without_data(four):
    """24"""
    a, b = four[:2]
    b.subscribe("chat")
    a.tell("chat")
    b.expect("chat", {"user": {"suffix": 1, "properties": {}}})


def test_chat_keeps_each_senders_order(four):
    """24: all talk before anybody reads."""
    for p in four:
        p.subscribe("chat")
    for p in four:
        p.write(b"".join(ws.frame(TEXT, message("chat", i))
                         for i in range(200)))
    for p in four:
        said = {n: [] for n in range(1, 5)}
        for _ in range(4 * 200):
            m = p.expect("chat")
            said[m["user"]["suffix"]].append(m["message"])
        assert said == {n: list(range(200)) for n in said}
    quiet(*four)


def test_chat_shows_the_properties_of_its_time(four):
    a, b = four[:2]
    b.subscribe("chat")
    for i in range(50):
        a.tell("login", {"i": i})
        a.tell("chat", i)
    for i in range(50):
        m = b.expect("chat")
        assert (m["message"], m["user"]["properties"]) == (i, {"i": i})
        assert a.expect("profile")["properties"] == {"i": i}


# ---- subscriptions ----

def test_nothing_is_acknowledged(four):
    """19"""
    a = four[0]
    for type, data in (("subscribe", "chat"), ("subscribe", "custom:x"),
                       ("unsubscribe", "chat"), ("unsubscribe", "nothing"),
                       ("chat", "x"), ("counter", {"id": "c", "value": 1}),
                       ("poll", {"id": "p", "answer": "x"}),
                       ("ephemeralPoll", {"id": "p", "answer": "x"}),
                       ("counter", ABSENT)):
        a.tell(type, data)
    quiet(*four)


def test_unsubscribing_an_event_ends_its_ids(four):
    """20"""
    a, b = four[:2]
    b.subscribe("counter", "counter:x", "counter:y", "poll:x", "chat")
    b.unsubscribe("counter")
    for id in "xyz":
        a.count(id)
        a.vote(id, "v")
    a.tell("chat", "x")
    assert sorted(m["type"] for m in settle(*four)[b]) == ["chat", "poll"]
    b.unsubscribe("chat")
    a.tell("chat", "y")
    quiet(*four)


def test_unsubscribing_an_id_leaves_the_others(four):
    """21"""
    a, b = four[:2]
    b.subscribe("counter:x", "counter:y")
    b.unsubscribe("counter:x")
    a.count("x")
    a.count("y")
    b.expect("counter", {"id": "y", "value": 1})
    quiet(*four)


def test_unsubscribing_an_id_leaves_all(four):
    """21"""
    a, b = four[:2]
    b.subscribe("counter", "counter:x", "chat")
    b.unsubscribe("counter:x")
    b.unsubscribe("counter:z")
    b.unsubscribe("chat:x")
    for id in "xy":
        a.count(id)
        b.expect("counter", {"id": id, "value": 1})
    a.tell("chat", "still")
    b.until("chat")
    b.unsubscribe("counter")
    a.count("x")
    a.count("y")
    quiet(*four)


def test_all_by_name_is_all(four):
    """No id means the id "all"; ended in the same way."""
    a, b, c, d = four
    b.subscribe("counter:all", "chat:all")
    c.subscribe("counter", "chat")
    c.unsubscribe("counter:all", "chat:all")
    a.count("x")
    a.tell("chat", 1)
    heard = settle(*four)
    assert sorted(m["type"] for m in heard[b]) == ["chat", "counter"]
    assert heard[c] == heard[d] == []


@pytest.mark.parametrize("topics", [
    ["counter", "counter:x"], ["counter:x", "counter"],
    ["counter:x", "counter:x"], ["counter", "counter", "counter:x"]])
def test_subscribed_twice_hears_once(four, topics):
    """22"""
    a, b = four[:2]
    b.subscribe(*topics)
    a.count("x")
    assert settle(*four)[b] == [
        {"type": "counter", "data": {"id": "x", "value": 1}}]


def test_state_on_subscribing(four):
    """23"""
    a, b, c, d = four
    for id, n in ("x", 2.5), ("y", 0), ("all of it", -1):
        a.count(id, n)
    for id in "x", "y":
        a.vote(id, "A")
        b.vote(id, "B" if id == "x" else "A")
        a.vote(id, "E " + id, "ephemeralPoll")
    settle(a, b)

    def state(*topics):
        return sorted(((m["type"], m["data"]["id"], m["data"].get("value"),
                        m["data"].get("stats"))
                       for m in c.subscribe(*topics)), key=str)
    assert state("counter:x") == [("counter", "x", 2.5, None)]
    assert state("counter:x") == [("counter", "x", 2.5, None)]
    assert state("counter") == [("counter", "all of it", -1, None),
                                ("counter", "x", 2.5, None),
                                ("counter", "y", 0, None)]
    assert state("poll:x") == [("poll", "x", None, {"A": 1, "B": 1})]
    assert state("poll") == [("poll", "x", None, {"A": 1, "B": 1}),
                             ("poll", "y", None, {"A": 2})]
    assert state("ephemeralPoll:y") == [
        ("ephemeralPoll", "y", None, {"E y": 1})]
    assert state("ephemeralPoll") == [
        ("ephemeralPoll", "x", None, {"E x": 1}),
        ("ephemeralPoll", "y", None, {"E y": 1})]
    quiet(*four)


def test_no_state_of_what_is_not_there(four):
    """23"""
    a = four[0]
    assert a.subscribe("counter:x", "poll:x", "ephemeralPoll:x", "counter",
                       "poll", "ephemeralPoll", "chat", "custom",
                       "custom:x") == []
    a.count("x")
    a.expect("counter", {"id": "x", "value": 1})


def test_subscribing_again_repeats_the_state_only(four):
    """22, 23"""
    a, b = four[:2]
    a.count("x", 3)
    settle(a, b)
    for _ in range(3):
        assert b.subscribe("counter:x") == [
            {"type": "counter", "data": {"id": "x", "value": 3}}]
    a.count("x", 1)
    assert settle(*four)[b] == [
        {"type": "counter", "data": {"id": "x", "value": 4}}]


# ---- what is ignored ----

MALFORMED = [
    "", " ", "null", "1", "-1.5e3", '"chat"', "true", "[]", '[{"type":"chat"}]',
    "{", "}", "{}", "{}x", '{"type":', "{'type':'chat'}", "NaN", "\0", "\ufeff{}",
    '{"type":null,"data":1}', '{"type":1}', '{"type":["chat"],"data":"x"}',
    '{"type":{"a":1}}', '{"type":""}', '{"type":true}', '{"data":"x"}',
    '{"Type":"chat","data":"x"}', '{"type":"Chat","data":"x"}',
    '{"type":"chat ","data":"x"}', '{"type":"join"}', '{"type":"leave"}',
    '{"type":"error","data":"x"}', '{"type":"connect"}', '{"type":"all"}',
    '{"type":"chat","data":"x"}}', '{"type":"chat","data":\'x\'}',
    '{"type":"chat","data":undefined}', '{"type":"chat","data":01}',
    '{"type":"ping"', "{}{}", "[[[]]", "[" * 30,
    '{"type":"relay:chat","data":"x"}'] + [
    json.dumps({"type": n, "data": {"id": "x", "value": 1}}) for n in SPECIAL]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_messages_are_ignored(four, text):
    """44, 45: no answer, and the connection is kept."""
    a, b = four[:2]
    b.subscribe("chat", "counter", "poll", "ephemeralPoll")
    a.send(text)
    quiet(*four)


def test_messages_of_the_wrong_shape_are_ignored(four):
    """44: of each type that there is."""
    a, b = four[:2]
    b.subscribe("chat", "counter", "poll", "ephemeralPoll")
    shapes = [ABSENT, None, True, False, 0, 5, "", "x", [], ["x"], {},
              {"type": 1}, {"id": {}}, {"x": "y"}, {"key": "x"}]
    wrong = {
        "subscribe": [s for s in shapes if s != "x"],
        "unsubscribe": [s for s in shapes if s != "x"],
        "poll": [s for s in shapes if not isinstance(s, (dict, list))],
        "ephemeralPoll": [s for s in shapes if not isinstance(s, (dict, list))],
        "authenticate": shapes, "config": shapes, "broadcast": shapes,
        "relay": shapes, "deleteRelay": shapes, "join": shapes,
        "leave": shapes, "error": shapes, "ping": shapes, "unknown": shapes}
    for type, data in wrong.items():
        for d in data:
            a.tell(type, d)
    for topic in ":", ":x", ":all":
        a.tell("subscribe", topic)
        a.tell("unsubscribe", topic)
    quiet(*four)
    a.tell("chat", "alive")
    assert b.expect("chat")["message"] == "alive"


def test_binary_frames_are_ignored(four):
    """44"""
    a, b = four[:2]
    b.subscribe("chat")
    for data in (b"", b"\xff\xfe", message("chat", "x").encode(),
                 bytes(100000), message("close").encode()):
        a.send(data)
    quiet(*four)


def test_lone_surrogates_harm_nobody(four):
    """44: JavaScript may escape what is no text; nobody gets broken JSON."""
    a, b = four[:2]
    b.subscribe("chat", "counter", "poll")
    for text in ('{"type":"chat","data":"\\ud800"}',
                 '{"type":"counter","data":{"id":"\\udc00","value":1}}',
                 '{"type":"poll","data":{"id":"p","answer":"\\ud800x"}}',
                 '{"type":"\\ud800"}', '{"type":"login","data":{"\\ud800":1}}'):
        a.send(text)
    a.tell("chat", "end")
    b.until("chat", lambda d: d["message"] == "end")
    a.tell("profile")
    a.until("profile")


def test_nul_is_a_character(four):
    """24, 36: where JSON may have it, in texts, ids and names."""
    a, b = four[:2]
    b.subscribe("chat", "counter:a\0b", "poll:\0")
    a.tell("chat", "x\0y")
    assert b.expect("chat")["message"] == "x\0y"
    a.count("a", 1)
    a.count("a\0b", 2)
    b.expect("counter", {"id": "a\0b", "value": 2})
    a.vote("\0", "a\0b")
    b.expect("poll", {"id": "\0", "stats": {"a\0b": 1}})
    assert a.login({"n": "\0"})["properties"] == {"n": "\0"}
    quiet(a)
    a.tell("login", {"n\0": 1})         # a name that our JSON cannot have
    assert "u0000" in a.error()
    assert a.barrier() == []


# ---- special names ----

@pytest.mark.parametrize("name", SPECIAL)
def test_special_names_are_ordinary(four, name):
    """45: of counters, polls, answers, topics, properties."""
    a, b, c, d = four
    b.subscribe(f"counter:{name}", f"poll:{name}", f"ephemeralPoll:{name}")
    a.count(name, 2)
    a.vote(name, name)
    c.vote(name, name)
    d.vote(name, "x", "ephemeralPoll")
    assert sorted(settle(*four)[b], key=str) == sorted([
        {"type": "counter", "data": {"id": name, "value": 2}},
        {"type": "poll", "data": {"id": name, "stats": {name: 1}}},
        {"type": "poll", "data": {"id": name, "stats": {name: 2}}},
        {"type": "ephemeralPoll", "data": {"id": name, "stats": {"x": 1}}}],
        key=str)
    a.login({name: name, "user": "u"})
    public = {} if name.startswith("_") else {name: name}
    c.subscribe(name, f"{name}:{name}", "chat")
    a.tell("chat", {name: 1})
    c.expect("chat", {"message": {name: 1}, "user": {
        "suffix": 1, "properties": {**public, "user": "u"}}})
    c.unsubscribe(name)
    quiet(*four)


# ---- pings and closing ----

def test_server_pings_after_25_s_and_keeps_the_silent(start):
    """46"""
    k = start()
    with Pact(k, "r") as a, Pact(k, "r") as b:
        begin = time.monotonic()
        a.sock.settimeout(wait.limit(40))
        b.sock.settimeout(wait.limit(40))
        for p in a, b:
            m = json.loads(p.recv())
            assert set(m) == {"type", "data"} and m["type"] == "ping"
            assert abs(m["data"] - time.time() * 1000) < 2000
            assert isinstance(m["data"], int)
        assert 23 < time.monotonic() - begin < wait.limit(28)
        quiet(a, b)


def test_client_ping_is_not_answered(four):
    """47"""
    a = four[0]
    for data in ABSENT, 1631756233699, "x", None, {}:
        a.tell("ping", data)
    quiet(*four)


def test_close_closes_once(pact):
    """48: with the clearing up of an ordinary close."""
    g = room()
    a, b = crowd(pact, g, 2)
    b.subscribe("ephemeralPoll", "chat")
    a.vote("p", "x", "ephemeralPoll")
    b.expect("ephemeralPoll", {"id": "p", "stats": {"x": 1}})
    a.write(b"".join(ws.frame(TEXT, message(t, d)) for t, d in (
        ("chat", "before"), ("close", ABSENT), ("close", 1),
        ("chat", "behind"))))
    assert a.end() in (1000, 1005)
    heard = sorted((m["type"] for m in [b.hear(), b.hear()]))
    assert heard == ["chat", "ephemeralPoll"]
    quiet(b)
    wait.until(lambda: details(pact, g)["count"] == 1, 5)
    assert [u["suffix"] for u in users(pact, g)] == [2]
    leave(a, b)


def test_nothing_follows_a_close(pact):
    """Not even the news of its own vote that goes: RFC 6455, 5.5.1."""
    g = room()
    for i in range(20):
        a, b = crowd(pact, g, 2)
        for p in a, b:
            p.subscribe("ephemeralPoll", "chat")
        a.vote("p", "x", "ephemeralPoll")
        for p in a, b:
            p.until("ephemeralPoll", {"id": "p", "stats": {"x": 1}})
        b.tell("chat", "x")
        if i % 2:
            a.tell("close")
        else:
            a.write(ws.close_frame(1000))
        assert a.end() in (1000, 1005)
        if i % 2:
            a.write(ws.close_frame(1000))
        assert a.read_all() == b""
        b.until("ephemeralPoll", {"id": "p", "stats": {}})
        leave(a, b)


@pytest.mark.parametrize("data", [None, "x", {"code": 1}])
def test_close_with_anything(pact, data):
    """48"""
    with Pact(pact, room()) as a:
        a.tell("close", data)
        assert a.end() in (1000, 1005)


def test_others_are_not_told_of_coming_and_going(four, pact):
    """There are no join and leave messages."""
    for p in four:
        p.subscribe("join", "leave", "chat", "profile", "poll")
    new = Pact(pact, four[0].room, four[0].id)
    new.login({"name": "x"})
    new.goodbye()
    wait.until(lambda: details(pact, four[0].room)["count"] == 4, 5)
    quiet(*four)
