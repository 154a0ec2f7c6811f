"""
Pact: routes, sessions, profiles.  Numbers are those of the checklist in the
specification.
"""
import re
import time
from urllib.parse import unquote

import pytest
from kit import wait
from kit.http import get
from kit.pact import (Pact, ask, cookie_name, crowd, details, leave, message,
                      parse, quiet, room, room_id, settle, users)
from kit.wire import Closed
from kit.ws import Ended, Refused, WebSocket, handshake

PAGES = ["/pact", "/chat", "/poll", "/ephemeral", "/livemap"]
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-"
                   r"[0-9a-f]{12}")


def wait_details(kennel, name, **want):
    def there():
        d = details(kennel, name)
        return all(d[k] == v for k, v in want.items())
    wait.until(there, 5, f"details {want}")


@pytest.fixture(scope="module")
def plain(start_shared):
    """For what is the same however many shards there are."""
    return start_shared()


@pytest.fixture(scope="module")
def proxied(start_shared):
    """Behind a proxy that tells where clients are."""
    return start_shared(config="""
[worker]
trusted_proxies = 10.0.0.0/8 127.0.0.0/8 ::1/128
""")


# ---- routes ----

@pytest.mark.parametrize("path", PAGES)
def test_pages(plain, path):
    """1"""
    r = get(plain, path)
    assert r.status == 200
    assert r["Content-Type"].replace(" ", "").lower() == \
        "text/html;charset=utf-8"
    assert "<html" in r.text.lower()
    head = get(plain, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert get(plain, path + "?room=x").status == 200
    assert get(plain, path, "POST", body=b"x").status == 405
    assert get(plain, path + "/")["Location"] == path
    for other in path + "x", path + "/x", path + "//":
        assert get(plain, other).status == 404, other


def test_index_links_to_the_demos(plain):
    """1"""
    links = re.findall(r'href="([^"#?]*)', get(plain, "/pact").text)
    for path in PAGES[1:]:
        assert path in links or path[1:] in links
    info = parse(get(plain, "/info").text)      # what the front page links to
    assert "/pact" in [link["path"] for link in info["links"]]


def test_unknown_paths(plain):
    """1"""
    for path in "/nothing", "/websocket/x", "/details/x", "/Chat", "/users//":
        r = get(plain, path)
        assert r.status == 404 and len(r.body) < 2000, path


def test_websocket_without_upgrade(plain):
    """2: and it is no connection of the room."""
    g = room()
    r = get(plain, f"/websocket?room={g}&session=x")
    assert r.status in (400, 426)
    assert "xxx" not in (r["Set-Cookie"] or "")
    d = details(plain, g)
    assert (d["count"], d["increment"]) == (0, 0)
    with Pact(plain, g) as a:
        assert a.suffix == 1


def test_failed_handshakes_take_no_suffix(plain):
    """Of a version that we do not speak, and without a key."""
    g = room()
    for wrong in dict(version="12"), dict(without=("Sec-WebSocket-Key",)):
        with pytest.raises(Refused):
            Pact(plain, g, **wrong)
    assert details(plain, g)["increment"] == 0
    with Pact(plain, g) as a:
        assert a.suffix == 1


def test_details_of_a_new_room(pact):
    """3, 4"""
    g = room()
    d = details(pact, g)
    assert set(d) >= {"id", "name", "count", "uniqueCount", "increment",
                      "incrementSinceRestart", "pollCount",
                      "ephemeralPollCount", "config", "bootupTime", "uptime"}
    assert (d["id"], d["name"], d["config"]) == (room_id(g), g, "")
    for key in ("count", "uniqueCount", "increment", "incrementSinceRestart",
                "pollCount", "ephemeralPollCount"):
        assert d[key] == 0 and type(d[key]) is int, key
    assert users(pact, g) == []


def test_uptime_counts_from_bootup(pact):
    """3: both in milliseconds."""
    g = room()
    with Pact(pact, g):
        one = details(pact, g)
        assert abs(one["bootupTime"] + one["uptime"] - time.time() * 1000) < \
            2000
        assert 0 <= one["uptime"] < 60000
        two = wait.until(lambda: [d for d in [details(pact, g)]
                                  if d["uptime"] > one["uptime"]], 5)[0]
        assert abs(two["bootupTime"] - one["bootupTime"]) <= 2


def test_counts_rise_and_fall(pact):
    """3, 6: sockets and sessions, whichever shard has them."""
    g = room()
    here = []
    for i, session in enumerate(["a", "b", "a", "c"], 1):
        here.append(Pact(pact, g, session))
        d = details(pact, g)
        assert (d["count"], d["uniqueCount"]) == (i, len(set("abac"[:i])))
        assert (d["increment"], d["incrementSinceRestart"]) == (i, i)
    here.pop(0).goodbye()
    wait_details(pact, g, count=3, uniqueCount=3)
    here.pop(1).reset()
    wait_details(pact, g, count=2, uniqueCount=2)
    assert details(pact, g)["increment"] == 4
    here.append(Pact(pact, g, "a"))
    wait_details(pact, g, count=3, uniqueCount=3, increment=5)
    leave(*here)
    if pact.redis_mode != "none":
        wait_details(pact, g, count=0, uniqueCount=0, increment=5)


def test_poll_counts(pact):
    """4: polls without votes count as well."""
    g = room()
    a, b = crowd(pact, g, 2)
    for id in "one", "two", "one":
        a.vote(id, "x")
    b.vote("three", "x", "ephemeralPoll")
    b.vote("one", "x", "ephemeralPoll")
    settle(a, b)
    d = details(pact, g)
    assert (d["pollCount"], d["ephemeralPollCount"]) == (2, 2)
    b.goodbye()
    wait_details(pact, g, count=1)
    d = details(pact, g)
    assert (d["pollCount"], d["ephemeralPollCount"]) == (2, 2)
    a.close()


def test_users(pact):
    """5: one a socket, public properties, no id."""
    g = room()
    before = time.time() * 1000
    a, b = Pact(pact, g, "secret-a"), Pact(pact, g, "secret-b")
    again = Pact(pact, g, "secret-a")
    a.login({"name": "A", "_token": "t", "subscriptions": {"x": 1},
             "deep": {"_kept": 1}})
    a.subscribe("chat", "custom:thing")
    r = get(pact, f"/users?room={g}")
    assert r["Content-Type"].split(";")[0] == "application/json"
    assert "secret" not in r.text and "custom" not in r.text
    found = users(pact, g)
    public = {"name": "A", "deep": {"_kept": 1}}
    assert sorted((u["suffix"], str(u["properties"])) for u in found) == \
        sorted([(1, str(public)), (2, "{}"), (1, str(public))])
    for u in found:
        assert set(u) == {"suffix", "properties", "lastCommunication"}
        assert before - 1000 < u["lastCommunication"] < \
            time.time() * 1000 + 1000
    leave(a, b, again)


def test_users_last_communication(plain):
    """5: of a message in either direction; ts is now."""
    g = room()

    def last():
        answer = ask(plain, "users", g)
        assert set(answer) == {"ts", "users"}
        assert abs(answer["ts"] - time.time() * 1000) < 2000
        return {u["suffix"]: u["lastCommunication"] for u in answer["users"]}
    a, b = crowd(plain, g, 2)
    b.subscribe("chat")
    first = last()
    wait.until(lambda: time.time() * 1000 > max(first.values()) + 20)
    a.tell("chat", "x")
    b.until("chat")
    second = last()
    assert second[1] > first[1] + 10 and second[2] > first[2] + 10
    wait.until(lambda: time.time() * 1000 > max(second.values()) + 20)
    third = last()                      # asking for it is no communication
    assert all(abs(third[n] - second[n]) < 5 for n in second)
    leave(a, b)


@pytest.mark.parametrize("query", ["", "?", "?room=", "?session=s", "?x=y",
                                   "?room"])
def test_default_room(plain, query):
    assert get(plain, "/details" + query).text.find('"default"') > 0
    with Pact(plain) as a, Pact(plain, "") as b, Pact(plain, "default") as c:
        for p in a, b, c:
            p.subscribe("chat")
        a.tell("chat", query)
        for p in a, b, c:
            assert p.until("chat")[1]["message"] == query


@pytest.mark.parametrize("name", [
    "a b", "a/b", "ü", "名前 🐕", "a+b", "a&b=c", "%41", ":", "*", "{x}", "'\"",
    "\\", "<b>", "x" * 200, "__proto__", "\n", "-", ".."], ids=range(18))
def test_room_names(pact, name):
    """Any string, and each its own room."""
    with Pact(pact, name) as a, Pact(pact, name) as b:
        assert [a.suffix, b.suffix] == [1, 2]
        d = details(pact, name)
        assert (d["name"], d["id"], d["count"]) == (name, room_id(name), 2)
        b.subscribe("chat", "counter")
        a.tell("chat", "x")
        b.until("chat")
        a.count("c", 3)
        b.until("counter", {"id": "c", "value": 3})


# ---- sessions ----

def test_suffixes(pact):
    """6"""
    g = room()
    people = crowd(pact, g, 5)
    assert [p.suffix for p in people] == [1, 2, 3, 4, 5]
    assert len({p.id for p in people}) == 5
    leave(*people)


def test_returning_id_keeps_its_suffix(pact):
    """7: gaps are normal."""
    g = room()
    keeper = Pact(pact, g, "keeper")
    with Pact(pact, g, "a") as a:
        assert a.suffix == 2
    for i in range(3):
        with Pact(pact, g, "a") as a:
            assert a.suffix == 2
        d = details(pact, g)
        assert (d["increment"], d["incrementSinceRestart"]) == (i + 3, i + 3)
    with Pact(pact, g, "b") as b:
        assert b.suffix == 6
    keeper.close()


def test_handshake_fields(plain):
    """8, 12"""
    g = room()
    with Pact(plain, g) as a:
        h = a.handshake
        assert UUID4.fullmatch(a.id)
        assert h["X-Session-Id"] == a.id
        assert h["X-Socket-Server"] == "Kennel"
        first, *attributes = [p.strip() for p in h["Set-Cookie"].split(";")]
        assert first == f"{cookie_name(g)}={a.id}"
        assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Lax"]
        assert a.config == ""
        assert set(a.profile) == {"suffix", "properties", "id",
                                  "connectionDetails", "role"}
        assert (a.suffix, a.profile["properties"], a.profile["role"]) == \
            (1, {}, "user")
        assert isinstance(a.profile["connectionDetails"], dict)
        quiet(a)


def test_greeting_is_first(pact):
    """12: config, then profile, also if one talks at once."""
    g = room()
    with Pact(pact, g, greet=False, behind=[
            message("subscribe", "chat"), message("chat", "early"),
            message("login", {"name": "n"}), message("chat", "late")]) as a:
        a.greeted()
        assert a.profile["properties"] == {}
        assert a.expect("chat")["message"] == "early"
        assert a.expect("profile")["properties"] == {"name": "n"}
        assert a.expect("chat") == {"message": "late", "user": {
            "suffix": 1, "properties": {"name": "n"}}}


SESSIONS = ["x", "a b", "a/b;c,d=e", 'quote"d', "ü名🐕", "%41", "a+b", "0",
            "null", "__proto__", "s" * 300, "<script>", "\\", "a:b"]


@pytest.mark.parametrize("session", SESSIONS, ids=range(len(SESSIONS)))
def test_any_session(pact, session):
    """9, 10: an id is any string; its cookie brings it back."""
    g = room()
    with Pact(pact, g, session) as a:
        assert a.id == session
        pair = a.handshake["Set-Cookie"].split(";")[0]
        name, _, value = pair.partition("=")
        assert name == cookie_name(g) and unquote(value) == session
        assert re.fullmatch(r"[\w.~!'()*%-]+", value, re.A)
        a.login({"name": "me"})
        with Pact(pact, g, headers=[("Cookie", pair)]) as b:
            assert (b.id, b.suffix) == (session, 1)
            assert b.profile["properties"] == {"name": "me"}


@pytest.mark.parametrize("session", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "\0",
                                     "\x7f\x01"], ids=range(4))
def test_session_does_not_split_the_response(plain, session):
    """It may be refused, or taken as it is."""
    g = room()
    try:
        with Pact(plain, g, session) as a:
            assert a.id == session
            assert a.handshake["X-Evil"] is None
            assert "\n" not in (a.handshake["X-Session-Id"] or "")
    except Refused as e:
        assert e.response.status == 400 and e.response["X-Evil"] is None
    with Pact(plain, g, "good") as a:
        assert a.id == "good"


def test_session_ids_are_bytes_that_are_utf8(plain):
    """%FF is no text: nobody is sent what is not JSON."""
    g = room()
    try:
        with WebSocket(plain.address, f"/websocket?room={g}&session=%FF") as c:
            assert [isinstance(c.recv(), str) for _ in range(2)]
    except (Refused, Ended, Closed):
        pass
    with Pact(plain, g, "good") as a:
        assert users(plain, g) and a.id == "good"


def test_no_session_is_a_new_one(plain):
    """Empty counts as missing, in the query and in the cookie."""
    g = room()
    here = [Pact(plain, g), Pact(plain, g, ""), Pact(plain, g, cookie=""),
            Pact(plain, g, headers=[("Cookie", "other=1")]),
            Pact(plain, g, headers=[("Cookie", cookie_name("x") + "=1")]),
            Pact(plain, g, headers=[("Cookie", "x" + cookie_name(g) + "=1")])]
    assert len({p.id for p in here}) == len(here)
    for p in here:
        assert UUID4.fullmatch(p.id)
    leave(*here)


def test_cookie_is_the_session(plain):
    """10: among others."""
    g = room()
    name = cookie_name(g)
    for field in (f"{name}=abc", f"a=b; {name}=abc; c=d", f"x={name}; {name}=abc",
                  f"{name}=%61b%63"):
        with Pact(plain, g, headers=[("Cookie", field)]) as a:
            assert (a.id, a.suffix) == ("abc", 1), field
            assert a.handshake["X-Session-Id"] == "abc"


def test_query_wins_over_cookie(plain):
    """11"""
    g = room()
    with Pact(plain, g, "q", cookie="c") as a, \
            Pact(plain, g, "", cookie="c") as b:
        assert (a.id, b.id) == ("q", "c")
        assert f"{cookie_name(g)}=q;" in a.handshake["Set-Cookie"]


def test_secure_cookie_behind_a_proxy(proxied):
    """8: when it speaks https with the client; not otherwise."""
    g = room()
    for proto, want in (("https", ["Path=/", "SameSite=None", "Secure"]),
                        ("http", ["HttpOnly", "Path=/", "SameSite=Lax"])):
        with Pact(proxied, g, "s", headers=[
                ("X-Forwarded-Proto", proto)]) as a:
            first, *attributes = [
                p.strip() for p in a.handshake["Set-Cookie"].split(";")]
            assert first == f"{cookie_name(g)}=s"
            # HttpOnly does no harm beside Secure.
            assert set(want) <= set(attributes) <= {*want, "HttpOnly"}
            assert ("Secure" in attributes) == (proto == "https")


def test_nobody_else_says_https(plain):
    """A client that is no trusted proxy."""
    with Pact(plain, room(), headers=[("X-Forwarded-Proto", "https")]) as a:
        assert "Secure" not in a.handshake["Set-Cookie"]


def test_connection_details(proxied, plain):
    """As the proxy says; each socket has its own."""
    g = room()
    where = [("CF-IPCity", "Zürich"), ("CF-IPLatitude", "47.37"),
             ("CF-IPLongitude", "8.54")]
    want = {"city": "Zürich", "latitude": "47.37", "longitude": "8.54"}
    with Pact(proxied, g, "s", headers=where) as a, \
            Pact(proxied, g, "s") as b, Pact(plain, g, headers=where) as c:
        here = a.profile["connectionDetails"]
        assert {k: here.get(k) for k in want} == want
        assert "country" not in here
        for p in b, c:
            there = p.profile["connectionDetails"]
            assert isinstance(there, dict) and not set(want) & set(there)
        assert a.login({"x": 1})["connectionDetails"] == here
        assert "47.37" not in str(users(proxied, g))


def test_connection_details_from_other_headers(start):
    k = start(config="""
[worker]
trusted_proxies = 127.0.0.1
pact_details = town=X-Town latitude=X-Lat

[route pact]
path = /websocket /details /users
app = pact
group = query:room const:default
uid = query:session cookie:{group_id}_session uuid
keep = X-Town X-Lat
""")
    with Pact(k, "r", headers=[("X-Town", "Bern"), ("X-Lat", "46.9"),
                               ("CF-IPCity", "no")]) as a:
        assert a.profile["connectionDetails"] == {
            "town": "Bern", "latitude": "46.9"}


def test_connection_details_have_the_clients_address(start):
    """Of a trusted proxy's client, and of who has come without one."""
    k = start(config="""
[worker]
trusted_proxies = 127.0.0.1
pact_details = ip=@peer city=CF-IPCity
""")
    for named, shown in (("192.0.2.8", "192.0.2.8"),
                         ("[2001:db8::8]:5", "2001:db8::8"), (None, "127.0.0.1")):
        headers = [] if named is None else [("X-Forwarded-For", named)]
        with Pact(k, room(), headers=headers) as a:
            assert a.profile["connectionDetails"] == {"ip": shown}


@pytest.mark.parametrize("value", [b"Z\xfcrich", b'a"b\\c', b"a\tb"],
                         ids=range(3))
def test_connection_details_are_always_json(proxied, value):
    """Whatever bytes the header had."""
    with Pact(proxied, room(), open=False, greet=False) as a:
        a.write(handshake(f"/websocket?room={a.room}", a.key, fields=[
            ("CF-IPCity", "PLACE"), ("CF-IPLatitude", "1")]).replace(b"PLACE", value))
        a.opened()
        a.greeted()
        assert a.profile["connectionDetails"]["latitude"] == "1"


# ---- profiles ----

def test_login_replaces_and_answers(pact):
    """13, 19: only to the asker."""
    g = room()
    a, b = crowd(pact, g, 2)
    p = a.login({"name": "A", "x": 1})
    assert p == {**a.profile, "properties": {"name": "A", "x": 1},
                 "suffix": 1, "role": "user"}
    assert a.login({"y": 2})["properties"] == {"y": 2}
    a.tell("profile")
    assert a.expect("profile")["properties"] == {"y": 2}
    a.tell("profile", {"ignored": 1})
    assert a.expect("profile")["properties"] == {"y": 2}
    quiet(a, b)
    leave(a, b)


@pytest.mark.parametrize("data", [(), (None,), (5,), (0,), ({},)],
                         ids=["missing", "null", "5", "0", "{}"])
def test_login_without_data_clears(pact, data):
    """14"""
    with Pact(pact, room()) as a:
        a.login({"name": "A"})
        assert a.login(*data)["properties"] == {}


@pytest.mark.parametrize("data,spread", [
    ("a", {"0": "a"}), (["x", 1], {"0": "x", "1": 1}), (True, {}), ([], {}),
    ("", {})])
def test_login_with_something_else(pact, data, spread):
    """Spread by index, or nothing."""
    with Pact(pact, room()) as a:
        a.login({"name": "A"})
        assert a.login(data)["properties"] in ({}, spread)


VALUES = {
    "null": None, "true": True, "zero": 0, "int": -12345678901,
    "double": 0.1, "large": 1.5e300, "2^53": 9007199254740991,
    "string": "ü\u2028🐕\"\\/\n\t\x01", "empty": "", "array": [1, [2, [3]], {}],
    "deep": {"_x": {"subscriptions": [None, False]}}, "": "no name",
    "__proto__": {"x": 1}, "constructor": 2, "toString": None, "length": 7,
    "id": "not the id", "suffix": 99, "role": "admin", "a:b": 1, "é": 2,
    "_private": "p"}


def test_values_come_back_as_sent(pact):
    """15"""
    g = room()
    with Pact(pact, g, "s") as keeper, Pact(pact, g, "s") as a:
        assert keeper.login(VALUES)["properties"] == VALUES
        a.tell("profile")
        p = a.expect("profile")
        assert p["properties"] == VALUES
        assert (p["role"], p["suffix"], p["id"]) == ("user", 1, "s")
        with Pact(pact, g, "s") as b:
            assert b.profile["properties"] == VALUES


def test_sockets_of_a_session_share_properties(pact):
    """16: the others are not told, but see them from then on."""
    g = room()
    one, two = Pact(pact, g, "s"), Pact(pact, g, "s")
    hears = Pact(pact, g)
    hears.subscribe("chat")
    for i in range(5):
        one.login({"n": i})
        two.tell("chat", i)
        assert hears.expect("chat") == {
            "message": i, "user": {"suffix": 1, "properties": {"n": i}}}
        two.tell("profile")
        assert two.expect("profile")["properties"] == {"n": i}
        one, two = two, one
    quiet(one, two, hears)
    leave(one, two, hears)


def test_session_comes_back(pact):
    """§9: with its properties, while others stay in the room."""
    g = room()
    keeper = Pact(pact, g)
    for i in range(3):
        with Pact(pact, g, "s") as a:
            assert a.profile["properties"] == ({"i": i - 1} if i else {})
            a.login({"i": i})
            a.goodbye()
    keeper.close()


def test_session_comes_back_to_an_empty_room(start):
    """Nobody was there in between."""
    k = start(shards=2)
    for i in range(3):
        a = Pact(k, "r", "s")
        assert a.suffix == 1
        assert a.profile["properties"] == ({"i": i - 1} if i else {})
        a.login({"i": i})
        a.goodbye()
        wait.until(lambda: k.replicas("r") == [], 5)
    assert details(k, "r")["increment"] == 3


# ---- subscriptions and properties ----

def test_login_does_not_end_subscriptions(pact):
    """17"""
    with Pact(pact, room()) as a:
        a.subscribe("chat", "counter:c")
        for data in {"name": "A"}, None, {"subscriptions": {}}:
            a.login(data)
            a.tell("chat", "x")
            assert a.expect("chat")["message"] == "x"
        a.count("c")
        a.expect("counter", {"id": "c", "value": 1})


def test_subscriptions_are_no_properties(pact):
    """54, 5"""
    g = room()
    a = Pact(pact, g, "s")
    a.login({"name": "A"})
    a.subscribe("chat", "poll:x", "custom")
    a.tell("profile")
    assert a.expect("profile")["properties"] == {"name": "A"}
    assert users(pact, g)[0]["properties"] == {"name": "A"}
    a.close()


def test_subscriptions_are_the_sockets(pact):
    """54: not of the session's other sockets, and gone with it."""
    g = room()
    one, two = Pact(pact, g, "s"), Pact(pact, g, "s")
    one.subscribe("chat", "counter")
    two.tell("chat", "x")
    two.count("c")
    one.until("chat")
    one.until("counter")
    quiet(two)
    one.goodbye()
    back = Pact(pact, g, "s")
    two.tell("chat", "y")
    two.count("c")
    quiet(two, back)
    leave(two, back)


def test_login_presets_no_subscriptions(pact):
    """54: not now and not when the session comes back."""
    g = room()
    a = Pact(pact, g, "s")
    a.login({"subscriptions": {"chat": ["all"], "counter": ["all"]}})
    a.tell("chat", "x")
    a.count("c")
    quiet(a)
    b = Pact(pact, g, "s")
    a.tell("chat", "y")
    a.count("c")
    quiet(a, b)
    leave(a, b)


# ---- rooms ----

def test_rooms_are_separate(pact):
    """51: the same sessions, ids and names in two rooms."""
    g, h = room(), room()
    filler = Pact(pact, h, "filler")
    a, b = Pact(pact, g, "s"), Pact(pact, h, "s")
    assert (a.suffix, b.suffix) == (1, 2)
    a.login({"name": "A"})
    b.tell("profile")
    assert b.expect("profile")["properties"] == {}
    b.login({"name": "B"})
    for p in a, b:
        p.subscribe("chat", "counter", "poll", "ephemeralPoll")
    a.tell("chat", "only here")
    a.count("c", 5)
    a.vote("p", "x")
    a.vote("p", "x", "ephemeralPoll")
    kinds = [m["type"] for m in settle(a)[a]]
    assert sorted(kinds) == ["chat", "counter", "ephemeralPoll", "poll"]
    quiet(b, filler)
    b.count("c", 7)
    b.expect("counter", {"id": "c", "value": 7})
    b.vote("p", "y")
    b.expect("poll", {"id": "p", "stats": {"y": 1}})
    assert details(pact, g)["count"] == 1
    assert details(pact, h)["count"] == 2
    assert [u["properties"] for u in users(pact, g)] == [{"name": "A"}]
    quiet(a)
    leave(a, b, filler)


def test_first_room_accepts_after_the_second_opened(pact):
    """51"""
    rooms = [room() for _ in range(3)]
    here = []
    for i in range(3):
        for g in rooms:
            p = Pact(pact, g)
            assert p.suffix == i + 1
            assert p.handshake["X-Session-Id"] == p.id
            p.login({"i": i})
            here.append(p)
    leave(*here)
