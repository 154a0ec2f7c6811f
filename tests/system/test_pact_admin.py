"""
Pact: who becomes admin, and what only an admin may.  Numbers are those of the
checklist in the specification.
"""
import os
import re
import tempfile
import time

import pytest
from kit import nodes, wait
from kit.pact import (ABSENT, KEY, Pact, crowd, details, leave, quiet, room,
                      settle, sign)


def now():
    return int(time.time() * 1000)


@pytest.fixture(scope="module", params=("one", "nodes"))
def pairs(request, start_shared, site):
    """Two sockets of a room to a process."""
    kw = dict(limit=2, env={"KENNEL_SIGNING_KEY": KEY})
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=6, **kw)
    return start_shared(shards=5, **kw)


@pytest.fixture
def four(pact):
    """The first one is admin, and its process decides the room's order."""
    people = crowd(pact, room(), 4)
    people[0].authenticate(KEY, now())
    yield people
    leave(*people)


# ---- authenticate ----

def test_known_vector():
    assert sign("testRoom", 1631756233699, "deadbeef") == \
        "89d88bb54565ea81c0d31c817eddba48c2fbbb0414fb4bb87c799bb2e824804a"


@pytest.mark.parametrize("name", ["testRoom", "ü 名:", None])
@pytest.mark.parametrize("form", [int, str], ids=["number", "string"])
@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_right_key(pact, name, form, case):
    """39: this socket is admin, and gets a profile that says so."""
    name = name or room()
    with Pact(pact, name) as a:
        a.login({"name": "A"})
        ts = now()
        a.tell("authenticate", {"ts": form(ts),
                                "key": case(sign(name, ts, KEY))})
        p = a.expect("profile")
        assert p == {**a.profile, "role": "admin"}
        assert p["properties"] == {"name": "A"}
        quiet(a)
        a.tell("profile")
        assert a.expect("profile")["role"] == "admin"
        assert a.login({"name": "B"})["role"] == "admin"


@pytest.mark.parametrize("off", [-290, 290])
def test_clocks_may_differ(pact, off):
    """40: by less than 5 minutes, either way."""
    with Pact(pact, room()) as a:
        a.authenticate(KEY, now() + off * 1000)


@pytest.mark.parametrize("form", [int, str], ids=["number", "string"])
@pytest.mark.parametrize("off", [-310, 310, -10 ** 9, 10 ** 6])
def test_wrong_time_is_told(pact, off, form):
    """40: what came and what the time is, whether the key is right or not."""
    with Pact(pact, room()) as a:
        ts = now() + off * 1000
        for key in sign(a.room, ts, KEY), "0" * 64:
            a.tell("authenticate", {"ts": form(ts), "key": key})
            text = a.error()
            came, is_now = (int(n) for n in re.findall(r"\d{9,}", text)[:2])
            assert text.startswith("Wrong timestamp") and came == ts
            assert abs(is_now - now()) < 5000
        a.tell("profile")
        assert a.expect("profile")["role"] == "user"


def test_known_vector_is_too_old(pact):
    """40"""
    with Pact(pact, "testRoom") as a:
        a.tell("authenticate", {
            "ts": 1631756233699, "key": "89d88bb54565ea81c0d31c817eddba48c2fb"
                                        "bb0414fb4bb87c799bb2e824804a"})
        assert "1631756233699" in a.error()


def test_wrong_key_is_silent(pact):
    """40"""
    with Pact(pact, room()) as a:
        ts = now()
        right = sign(a.room, ts, KEY)
        for key in ("", "0" * 64, right[:-1], right + "0", right[1:] + "0",
                    " " + right, right + " ", right + "\0", "x" * 64,
                    sign(a.room, ts, ""), sign(a.room, ts, "undefined"),
                    sign("other", ts, KEY), sign(a.room, ts + 1, KEY),
                    sign("", ts, KEY), sign(a.room, "", KEY)):
            a.tell("authenticate", {"ts": ts, "key": key})
        quiet(a)
        a.tell("profile")
        assert a.expect("profile")["role"] == "user"


def test_wrong_shape_is_silent(pact):
    """40"""
    with Pact(pact, room()) as a:
        ts = now()
        right = sign(a.room, ts, KEY)
        for data in (ABSENT, None, 5, "x", right, [ts, right], {}, {"ts": ts},
                     {"key": right}, {"ts": ts, "key": None},
                     {"ts": ts, "key": 5}, {"ts": ts, "key": [right]},
                     {"ts": ts, "Key": right}):
            a.tell("authenticate", data)
        quiet(a)


@pytest.mark.parametrize("ts", [
    "abc", "", " ", None, True, False, {}, [], "NaN", "Infinity", "1e999", "x1",
    "1631756233699x", "-", "0x", "nan"], ids=range(16))
def test_ts_that_is_no_number_is_refused(pact, ts):
    """40: with a right signature over what JavaScript makes of it."""
    texts = {None: "null", True: "true", False: "false"}
    with Pact(pact, room()) as a:
        for text in {str(texts.get(ts, ts)) if not isinstance(ts, (dict, list))
                     else "[object Object]", "", "undefined", "null"}:
            a.tell("authenticate", {"ts": ts, "key": sign(a.room, text, KEY)})
        a.tell("authenticate", {"key": sign(a.room, "undefined", KEY)})
        assert all(m["type"] == "error" for m in settle(a)[a])
        a.tell("profile")
        assert a.expect("profile")["role"] == "user"


@pytest.mark.parametrize("write", ["0{}", "00{}", "+{}", " {}", "{} ", "{}.0",
                                   "{}e0", "\t{}", "{}\0", "0x{:x}"])
def test_ts_in_another_spelling_is_refused(pact, write):
    """A time, and near, but not written as one: the client is told."""
    with Pact(pact, room()) as a:
        text = write.format(now())
        a.tell("authenticate", {"ts": text, "key": sign(a.room, text, KEY)})
        assert all(m["type"] == "error" for m in settle(a)[a])
        a.tell("profile")
        assert a.expect("profile")["role"] == "user"


@pytest.mark.parametrize("tail", ["0", "00", "1", "17", "-", "+", " "])
def test_admin_of_a_longer_name_is_not_ours(pact, tail):
    """What was signed for "lobby0" is nothing in "lobby", wherever ts is cut."""
    with Pact(pact, room() + "x") as a, Pact(pact, a.room + tail) as other:
        ts = now()
        key = sign(other.room, ts, KEY)
        a.tell("authenticate", {"ts": f"{tail}{ts}", "key": key})
        if (tail + str(ts)).isdigit():
            a.send(f'{{"type":"authenticate","data":{{"ts":{int(tail)}{ts},'
                   f'"key":"{key}"}}}}')
        assert all(m["type"] == "error" for m in settle(a)[a])
        a.tell("profile")
        assert a.expect("profile")["role"] == "user"
        other.tell("authenticate", {"ts": str(ts), "key": key})
        assert other.expect("profile")["role"] == "admin"


def test_a_shorter_name_cannot_take_digits_of_the_time(pact):
    """The other way: what was signed for "lobby" is nothing in "lobby1"."""
    with Pact(pact, room() + "x") as a:
        ts = str(now())
        key = sign(a.room, ts, KEY)
        with Pact(pact, a.room + ts[0]) as b, Pact(pact, a.room + ts[:9]) as c:
            for p in b, c:
                rest = ts[len(p.room) - len(a.room):]
                p.tell("authenticate", {"ts": rest, "key": key})
                p.tell("authenticate", {"ts": int(rest), "key": key})
                assert all(m["type"] == "error" for m in settle(p)[p])
                p.tell("profile")
                assert p.expect("profile")["role"] == "user"


def test_key_is_sent_again_after_reconnecting(pact):
    """As Pact's client does, with the ts and key it had."""
    g, ts = room(), now()
    for _ in range(2):
        with Pact(pact, g, "s") as a:
            a.tell("authenticate", {"ts": ts, "key": sign(g, ts, KEY)})
            assert a.expect("profile")["role"] == "admin"


def test_role_is_the_sockets(pact):
    """41, 16: not its session's other sockets', not after it ended."""
    g = room()
    one, two = Pact(pact, g, "s"), Pact(pact, g, "s")
    one.authenticate(KEY, now())
    for p, role in (two, "user"), (one, "admin"):
        p.tell("profile")
        assert p.expect("profile")["role"] == role
    two.tell("config", "no")
    quiet(one, two)
    one.goodbye()
    with Pact(pact, g, "s") as back:
        assert back.profile["role"] == "user" and back.config == ""
    two.close()


@pytest.mark.parametrize("env", [{}, {"KENNEL_SIGNING_KEY": ""}],
                         ids=["none", "empty"])
def test_without_a_key_nobody_becomes_admin(start, env):
    """Above all not who signs with nothing, or with "undefined"."""
    k = start(shards=1, env=env)
    with Pact(k, "r") as a:
        ts = now()
        for key in "", "undefined", "null", "None", KEY:
            a.tell("authenticate", {"ts": ts, "key": sign("r", ts, key)})
        quiet(a)


@pytest.mark.parametrize("text,key", [(b"s3cret", "s3cret"),
                                      (b"s3cret\n", "s3cret"),
                                      ("ü x\n".encode(), "ü x")])
def test_key_from_a_file(start, text, key):
    """It wins over the environment, and is in nobody's arguments or log."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "key")
        with open(path, "wb") as f:
            f.write(text)
        os.chmod(path, 0o600)
        k = start(shards=2, limit=1, env={"KENNEL_SIGNING_KEY": KEY},
                  config=f"[worker]\nsigning_key_file = {path}\n")
        with Pact(k, "r") as a, Pact(k, "r") as b:
            for p in a, b:
                p.authenticate(key, now())
            ts = now()
            b.tell("authenticate", {"ts": ts, "key": sign("r", ts, KEY)})
            quiet(a, b)
        assert key not in k.log() and key not in k.ctl("status", "--json")
        for pid in [k.pid, *(s["pid"] for s in k.shards())]:
            with open(f"/proc/{pid}/cmdline") as f:
                assert key not in f.read()


def test_key_file_that_is_not_there_is_told(start):
    k = start(config="[worker]\nsigning_key_file = /nonexistent/key\n",
              ready=False)
    assert k.process.wait(wait.limit(10)) != 0
    log = k.log()
    k.destroy()
    assert "signing_key_file" in log


# ---- what others may not ----

def test_others_calls_do_nothing(pact):
    """42"""
    g = room()
    a, b = crowd(pact, g, 2)
    b.subscribe("chat", "custom")
    for data in ("x", {"type": "chat", "data": 1},
                 {"to": "chat", "type": "x", "data": 1}):
        for type in "config", "broadcast", "relay", "deleteRelay":
            a.tell(type, data)
    a.tell("relay", "chat")
    a.tell("relay", "login")
    b.tell("login", {"x": 1})
    b.tell("chat", "y")
    heard = settle(a, b)
    assert heard[a] == []
    assert sorted(m["type"] for m in heard[b]) == ["chat", "profile"]
    assert details(pact, g)["config"] == ""
    with Pact(pact, g) as c:
        assert c.config == ""
    leave(a, b)


# ---- config ----

@pytest.mark.parametrize("data,text", [
    ("", ""), ("x", "x"), ('{"a": [1]}', '{"a": [1]}'), (42, "42"),
    (2.5, "2.5"), (1e21, "1e+21"), (True, "true"), (False, "false"),
    ("ü名🐕\n\"\\\x01", "ü名🐕\n\"\\\x01"), ("x" * 60000, "x" * 60000)],
    ids=range(10))
def test_config_goes_to_all_and_to_newcomers(four, pact, data, text):
    """42: as a string; the sender too, subscribed or not."""
    a = four[0]
    a.tell("config", "before")
    for p in four:
        p.expect("config", "before")
    a.tell("config", data)
    for p in four:
        p.expect("config", text)
    quiet(*four)
    assert details(pact, a.room)["config"] == text
    with Pact(pact, a.room) as new:
        assert new.config == text


def test_config_again_and_again(four):
    """All see the same, in the same order."""
    a = four[0]
    for i in range(50):
        a.tell("config", i)
    for p in four:
        assert [p.expect("config") for _ in range(50)] == \
            [str(i) for i in range(50)]
    quiet(*four)


def test_two_admins_configs_end_alike(four, pact):
    a, b = four[:2]
    b.authenticate(KEY, now())
    for i in range(30):
        a.tell("config", f"a{i}")
        b.tell("config", f"b{i}")
    seen = [[p.expect("config") for _ in range(60)] for p in four]
    assert all(s[-1] == seen[0][-1] for s in seen)
    assert details(pact, a.room)["config"] == seen[0][-1]
    with Pact(pact, a.room) as new:
        assert new.config == seen[0][-1]


def test_config_stays_when_all_have_left(start):
    """§9"""
    k = start(env={"KENNEL_SIGNING_KEY": KEY})
    with Pact(k, "r") as a:
        a.authenticate(KEY, now())
        a.tell("config", "kept")
        a.expect("config", "kept")
        a.goodbye()
    wait.until(lambda: k.replicas("r") == [], 5)
    assert details(k, "r")["config"] == "kept"
    with Pact(k, "r") as a:
        assert a.config == "kept"


# ---- broadcast ----

@pytest.mark.parametrize("type", ["custom", "chat", "counter", "profile", "poll",
                                  "error", "config", "relay:x", "*",
                                  "__proto__", "ü"])
def test_broadcast_goes_to_all(four, type):
    """Any type; the sender too."""
    a = four[0]
    for data in ("x", None, {"id": "x", "deep": [1.5, {"__proto__": None}]},
                 "ü🐕\0", ABSENT):
        want = {"type": type}
        sent = {"type": type}
        if data is not ABSENT:
            sent["data"] = want["data"] = data
        a.tell("broadcast", sent)
        for p in four:
            assert p.hear() == want
    quiet(*four)


def test_broadcast_changes_nothing(four, pact):
    """Though its type is a built-in one."""
    a, b = four[:2]
    for type, data in (("config", "x"), ("counter", {"id": "c", "value": 5}),
                       ("poll", {"id": "p", "stats": {"A": 1}})):
        a.tell("broadcast", {"type": type, "data": data})
        for p in four:
            p.expect(type, data)
    assert b.subscribe("counter:c", "poll:p") == []
    assert details(pact, a.room)["config"] == ""


@pytest.mark.parametrize("to,hears", [
    ("news", "abc"), ("news:x", "abcde"), ("news:x:y", "abcf"),
    ("news:all", "abc"), ("news:z", "abc"), ("chat", "g"), ("other", ""),
    ("chat:x", "g"), ("New", "")])
def test_broadcast_to_subscribers(pairs, to, hears):
    """The rules of subscriptions: once, by id or to all of the event."""
    g = room()
    topics = {"a": ["news"], "b": ["news", "news:x"], "c": ["news:all"],
              "d": ["news:x"], "e": ["news:x", "news:y"], "f": ["news:x:y"],
              "g": ["chat"], "h": []}
    admin = Pact(pairs, g)
    admin.authenticate(KEY, now())
    people = {n: Pact(pairs, g) for n in topics}
    for n, p in people.items():
        p.subscribe(*topics[n])
    admin.tell("broadcast", {"to": to, "type": "chat", "data": {"x": 1}})
    heard = settle(admin, *people.values())
    assert heard[admin] == []
    for n, p in people.items():
        assert heard[p] == [{"type": "chat", "data": {"x": 1}}] * \
            (n in hears), n
    leave(admin, *people.values())


def test_broadcast_to_hears_the_sender_if_subscribed(four):
    a, b = four[:2]
    a.subscribe("news")
    a.tell("broadcast", {"to": "news", "type": "t"})
    assert a.hear() == {"type": "t"}
    quiet(*four)


def test_broadcast_of_the_wrong_shape(four):
    a = four[0]
    for data in ABSENT, None, 5, "x", [], True, "":
        a.tell("broadcast", data)
    quiet(*four)


# ---- relays ----

def relayed(type, user, data=ABSENT):
    inner = {"type": type, "user": user}
    if data is not ABSENT:
        inner["data"] = data
    return {"type": f"relay:{type}", "data": inner}


def test_relay_of_own_types(four):
    """43: from anybody, whichever shard; private details of the sender."""
    a, b, c, d = four
    p = b.login({"name": "B", "_secret": 1})
    a.tell("relay", "custom")
    quiet(*four)
    for data in {"x": [1, None]}, "ü\0", None, 0, ABSENT:
        b.tell("custom", data)
        assert a.hear() == relayed("custom", p, data)
        assert set(p) == {"suffix", "properties", "id", "connectionDetails",
                          "role"}
    c.tell("custom ", 1)
    c.tell("Custom", 1)
    a.tell("custom", "own")
    assert a.hear() == relayed("custom", a.profile, "own")
    quiet(*four)


def test_relay_of_built_ins_comes_after_their_effect(four):
    """43: which is not suppressed."""
    a, b, c, d = four
    a.subscribe("chat", "counter:x", "poll:p")
    for t in "login", "chat", "counter", "poll", "profile", "subscribe":
        a.tell("relay", t)
    settle(*four)
    b.tell("login", {"name": "B"})
    m = b.expect("profile")
    assert a.hear() == relayed("login", m, {"name": "B"})
    b.tell("profile")
    b.expect("profile", m)
    assert a.hear() == relayed("profile", m)
    b.tell("subscribe", "custom:x")
    assert a.hear() == relayed("subscribe", m, "custom:x")
    for type, data in (("chat", "hi"), ("counter", {"id": "x", "value": 2}),
                       ("poll", {"id": "p", "answer": "A"})):
        b.tell(type, data)
        assert a.hear()["type"] == type
        assert a.hear() == relayed(type, m, data)
    a.tell("login", {"name": "A"})
    p = a.expect("profile")
    assert p["role"] == "admin"
    assert a.hear() == relayed("login", p, {"name": "A"})


@pytest.mark.parametrize("type", ["ping", "error", "join", "leave", "relay",
                                  "deleteRelay", "authenticate", "config",
                                  "broadcast", "unsubscribe", "ephemeralPoll",
                                  "*", "__proto__", "constructor", "relay:x",
                                  "ü 名"])
def test_relay_of_any_type(four, type):
    """43, 45: also of what does nothing else; * is an ordinary type."""
    a, b = four[:2]
    a.tell("relay", type)
    quiet(a, b)
    b.tell(type, "data")
    b.tell("other", "data")
    assert settle(*four)[a] == [relayed(type, b.profile, "data")]


def test_relay_registered_twice_comes_once(four):
    """43"""
    a, b = four[:2]
    for _ in range(3):
        a.tell("relay", "t")
    quiet(a)
    b.tell("t", 1)
    assert settle(*four)[a] == [relayed("t", b.profile, 1)]
    a.tell("deleteRelay", "t")
    quiet(a)
    b.tell("t", 2)
    quiet(*four)


def test_relays_of_two_admins(four):
    """43: each ends its own only."""
    a, b, c, d = four
    b.authenticate(KEY, now())
    for p in a, b:
        for t in "t", "u":
            p.tell("relay", t)
    settle(a, b)

    def heard():
        c.tell("t")
        c.tell("u")
        got = settle(*four)
        assert got[c] == got[d] == []
        return ["".join(m["data"]["type"] for m in got[p]) for p in (a, b)]
    assert heard() == ["tu", "tu"]
    a.tell("deleteRelay", "t")
    settle(a, b)
    assert heard() == ["u", "tu"]
    c.tell("deleteRelay")               # no admin
    c.tell("deleteRelay", "t")
    settle(a, b, c)
    assert heard() == ["u", "tu"]
    a.tell("deleteRelay", "nothing")
    settle(a, b)
    assert heard() == ["u", "tu"]
    b.tell("deleteRelay")
    settle(a, b)
    assert heard() == ["u", ""]
    b.tell("relay", "u")
    settle(a, b)
    assert heard() == ["u", "u"]


def test_relays_end_with_the_socket(pact):
    """43: the same session's next one has none."""
    g = room()
    a, b = Pact(pact, g, "admin"), Pact(pact, g)
    a.authenticate(KEY, now())
    a.tell("relay", "t")
    quiet(a, b)
    b.tell("t")
    a.until("relay:t")
    a.goodbye()
    b.tell("t")
    back = Pact(pact, g, "admin")
    b.tell("t")
    quiet(back, b)
    back.authenticate(KEY, now())
    b.tell("t")
    quiet(back, b)
    leave(back, b)


def test_relay_to_an_admin_who_comes_later(four, pact):
    """A sender whose shard has never had an admin."""
    a, b, c, d = four
    late = Pact(pact, a.room)
    late.authenticate(KEY, now())
    late.tell("relay", "t")
    settle(late, *four)
    for p in four:
        p.tell("t", p.suffix)
        assert late.hear() == relayed("t", p.profile, p.suffix)
    quiet(*four)
    new = Pact(pact, a.room)
    new.tell("t", "new")
    assert late.hear() == relayed("t", new.profile, "new")
    leave(late, new)


def test_rooms_admins_are_their_own(pact):
    """51: a role, a relay and a config are of one room."""
    g, h = room(), room()
    a, b = Pact(pact, g, "s"), Pact(pact, h, "s")
    a.authenticate(KEY, now())
    a.tell("relay", "t")
    settle(a)
    b.tell("t")
    b.tell("config", "x")
    quiet(b)
    quiet(a)
    a.tell("config", "mine")
    a.expect("config", "mine")
    a.tell("broadcast", {"type": "t"})
    a.until("t")
    quiet(a)
    quiet(b)
    ts = now()
    b.tell("authenticate", {"ts": ts, "key": sign(g, ts, KEY)})
    quiet(b)
    leave(a, b)
