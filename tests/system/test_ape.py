"""
api-ape over WebSocket: numbers are those of tests/checklists/api-ape.txt.
Everything runs in one process, and with two clients in each of four.
"""
import json
import socket
import struct

import pytest
from kit import wait
from kit.ape import (ABSENT, Ape, BINARY, CHROME, Failed, ID, TEXT, dump, now,
                     parse, query_id)
from kit.docs import example
from kit.http import Http, get
from kit.wire import Closed
from kit.ws import PING, PONG, CONTINUATION, Refused, WebSocket


@pytest.fixture
def crowd(ape):
    """Six clients."""
    people = [Ape(ape) for _ in range(6)]
    yield people
    for p in people:
        p.close()


@pytest.fixture
def one(ape):
    a = Ape(ape)
    yield a
    a.close()


def ids(a):
    return a.call("users/list")


# ---- HTTP ----

def test_ping_says_the_time_and_keeps_the_connection(ape):
    """1"""
    with Http(ape.address) as c:
        for _ in range(3):
            r = c.ask("GET", "/api/ape/ping?x=1")
            assert r.status == 200
            assert r["Content-Type"].startswith("application/json")
            m = parse(r.text)
            assert m["ok"] is True and abs(m["ts"] - now()) < 60000
            assert set(m) == {"ok", "ts"} and r.keeps


def test_paths_that_are_not_there(ape):
    """3, 4"""
    for path in ("/api/ape/nothing", "/api/ape/PING", "/api/Ape/ping",
                 "/api/ape/data", "/api/ape/ping/x", "/api/ape/data/a/b/c"):
        assert 400 <= get(ape, path).status < 500, path
    assert get(ape, "/api/ape/ping", "DELETE").status == 405
    for path in "/api/other", "/api/ape/ping", "/api/ape/data/x":
        with pytest.raises(Refused):
            WebSocket(ape.address, path)
    r = get(ape, "/api/ape.js.map")
    assert r.status == 404 and "error" in parse(r.text)


def test_cookie_is_given_once_and_kept(ape):
    """5"""
    r = get(ape, "/api/ape/ping")
    name, _, rest = r["Set-Cookie"].partition("=")
    value, *attributes = rest.split("; ")
    assert name == "apeClientId" and ID.fullmatch(value)
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=Strict"]
    fields = [("Cookie", f"a=b; apeClientId={value}")]
    assert get(ape, "/api/ape/ping", fields=fields)["Set-Cookie"] is None
    a = Ape(ape)
    given = a.handshake["Set-Cookie"]
    assert ID.fullmatch(given.partition("=")[2].split(";")[0])
    b = Ape(ape, cookie=value)
    assert b.handshake["Set-Cookie"] is None
    a.close(), b.close()


def test_cookie_of_another_shape_is_replaced(ape):
    """5: by the same one each time, so that the socket and its files agree."""
    for odd in "x", "0" * 21, "I" * 20, "a" * 20:
        fields = [("Cookie", f"apeClientId={odd}")]
        given = {get(ape, "/api/ape/ping", fields=fields)["Set-Cookie"]
                 for _ in range(2)}
        assert len(given) == 1
        assert ID.fullmatch(given.pop().partition("=")[2].split(";")[0])


@pytest.mark.parametrize("origin, host, may", [
    ("http://kennel", "kennel", True),
    ("http://kennel:8080", "kennel:9010", True),
    ("https://a.example.org", "b.example.org", True),
    ("https://example.org", "api.example.org:80", True),
    ("https://evil.org", "example.org", False),
    ("https://example.org.evil.net", "example.org", False),
    ("null", "example.org", False),
    ("http://127.0.0.1:8080", "127.0.0.1:9010", True),
    ("http://10.0.0.1", "127.0.0.1", False),
    ("http://[::1]:8080", "[::1]:9010", True),
    ("http://[::2]", "[::1]", False),
])
def test_pages_of_other_origins_are_refused(ape, origin, host, may):
    """20: neither answer nor push."""
    if may:
        a = Ape(ape, origin=origin, host=host)
        assert a.call("echo", 1) == 1
        a.close()
        return
    with pytest.raises(Refused) as e:
        Ape(ape, origin=origin, host=host)
    assert e.value.response.status == 403
    for path in "/api/ape/ping", "/api/ape/poll":
        r = get(ape, path, host=host, fields=[("Origin", origin)])
        assert r.status == 403, path


def test_page_of_another_port_may_read_answers(ape):
    """The client of 2.3.0 asks port 9010 from a page of port 8080."""
    fields = [("Origin", "http://localhost:8080")]
    r = get(ape, "/api/ape/ping", host="localhost:9010", fields=fields)
    assert r["Access-Control-Allow-Origin"] == "http://localhost:8080"
    assert r["Access-Control-Allow-Credentials"] == "true"
    r = get(ape, "/api/ape/ping", "OPTIONS", host="localhost:9010",
            fields=fields + [("Access-Control-Request-Method", "GET")])
    assert r.status == 204


# ---- calls ----

VALUES = [None, True, False, 0, -1, 1.5, "", "text", "é漢🦍\u2028\"\\\n", [], {},
          [1, [2, [3]]], {"z": 1, "a": {"b": [None, True]}, "1": 2}]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_echo(one, value):
    """6, 13"""
    assert one.whole("/echo", value) == {"data": value}


def test_echo_keeps_order_and_spelling(one):
    """6"""
    data = ('{"z":1,"a":1.50,"m":1e3,"b":-0.0,"c":123456789012345678901,'
            '"k":9007199254740993,"d":1E-7,"e":"\\u00e9\\ud83e\\udd8d\\/"}')
    text = '{"type":"/echo","data":' + data + ',"createdAt<!D>":%d}' % now()
    one.reply(one.say(text))
    assert one.raw.startswith('{"data":' + data.replace(
        "\\u00e9\\ud83e\\udd8d\\/", "é🦍/") + ',"type":false,')


@pytest.mark.parametrize("data", [
    '"é漢🦍"', '"\\u00e9\\ud83e\\udd8d"', '"half \\ud800 pair"', '" \\u0000"',
    dump("x" * 120000), dump("é" * 40000), dump("🦍" * 20000)],
    ids=["plain", "escaped", "half", "nul", "120k", "two", "four"])
def test_query_id_is_of_the_text(one, data):
    """7"""
    text = '{"type":"/echo","data":%s,"createdAt<!D>":%d}' % (data, now())
    assert one.reply(one.say(text))["data"] == json.loads(data)


def test_query_id_that_a_client_gives(one):
    """Section 11: the client of 4.1.1 waits for its own."""
    one.say(one.text("echo", 5, queryId="mine"))
    assert one.reply("mine")["data"] == 5


def test_message_of_a_megabyte(one):
    """8"""
    data = {"text": "é🦍x" * 120000, "list": list(range(20000))}
    assert one.call("echo", data) == data


@pytest.mark.parametrize("name", ["echo", "/echo", "/Echo", "ECHO"])
def test_names_of_endpoints(one, name):
    """9"""
    assert one.call(name, 1) == 1


def test_nested_name(one):
    """9"""
    assert one.id in one.call("/Users/LIST")


@pytest.mark.parametrize("name, said", [
    ("nope", "nope"), ("/No/Where", "no/where"), ("//echo", "/echo"),
    ("é\"", "é\"")])
def test_endpoint_that_is_not_there(one, name, said):
    """10"""
    assert one.whole(name, 1) == \
        {"err": f'TypeError: "{said}" was not found'}


def test_error_has_its_text(one):
    """11"""
    with pytest.raises(Failed, match="^so be it$"):
        one.call("fail", "so be it")


def test_no_result(one):
    """12"""
    assert one.whole("silent", 1) == {}
    assert one.whole("echo") == {}


def test_calls_in_flight(one):
    """14"""
    asked = [one.ask("echo", i) for i in range(200)]
    for i, query in reversed(list(enumerate(asked))):
        assert one.reply(query)["data"] == i
    assert one.replies == {}


def test_binary_and_fragmented_frames(one):
    """15"""
    text = one.text("echo", "é")
    assert one.reply(one.say(text, BINARY))["data"] == "é"
    text = one.text("echo", "漢")
    raw = text.encode()
    for i in range(0, len(raw), 20):
        one.send_frame(TEXT if i == 0 else CONTINUATION, raw[i:i + 20],
                       fin=i + 20 >= len(raw))
    assert one.reply(query_id(text))["data"] == "漢"


def test_control_frames(ape):
    """16"""
    a = Ape(ape)
    a.send_frame(PING, b"payload")
    assert a.recv_frame() == (PONG, True, b"payload")
    assert a.goodbye(1000, b"bye") == 1000


def test_replayed_old_and_early_calls_are_refused(one):
    """17"""
    text = one.text("echo", 1)
    assert one.reply(one.say(text))["data"] == 1
    again = one.reply(one.say(text))
    assert query_id(text) in again["err"]
    for age, why in ((11000, "request is old"),
                     (-70000, "createdAt ahead of server")):
        m = one.whole("echo", 1, **{"createdAt<!D>": now() - age})
        assert why in m["err"] and "data" not in m
    for age in 8000, -2000, -50000:
        assert one.call("echo", 1, **{"createdAt<!D>": now() - age}) == 1
    assert one.call("echo", 1, **{"createdAt<!D>": ABSENT}) == 1
    assert one.call("echo", 1, **{"createdAt<!D>": ABSENT,
                                  "createdAt": now()}) == 1
    m = one.whole("echo", 1, **{"createdAt<!D>": ABSENT,
                                "createdAt": now() - 20000})
    assert "old" in m["err"]


def test_calls_that_have_one_name_are_two(one):
    """17: names have 32 bits and are not spread well; what differs is served."""
    found = {}
    for n in range(100000):
        text = f'{{"type":"echo","data":{n}}}'
        other = found.setdefault(query_id(text), text)
        if other is not text:
            break
    assert other != text and query_id(other) == query_id(text)
    for t in other, text:
        assert one.reply(one.say(t))["data"] == json.loads(t)["data"]
    assert "err" in one.reply(one.say(text))


def test_replay_is_a_connection_s_own(ape):
    """17"""
    a, b = Ape(ape), Ape(ape)
    text = a.text("echo", 1)
    assert a.reply(a.say(text))["data"] == b.reply(b.say(text))["data"] == 1
    a.close(), b.close()


# ---- hostile ----

RING = {"a<!P>": ["data", "b"], "b<!P>": ["data", "a"]}
NO_CALLS = [
    "", "x", "{", "[]", "1", "null", '"type"', "{}", '{"type":5}',
    '{"type":""}', '{"type":null,"data":1}', '{"data":1}',
    '{"type":"echo","data":[1,}', '{"type":"echo"}x', '{"type":"echo",}',
    '{"type":"echo","data":01}', '{"type":"echo","data":"\t"}',
    dump({"type": "echo", "data": RING}),
    dump({"type": "echo", "data": {"a<!P>": ["data", "nowhere"]}}),
    dump({"type": "echo", "data": {"x": 1, "a<!P>": ["data", "x", "y"]}}),
    dump({"type": "echo", "data": {"a<!P>": [{}]}}),
    '{"subscribe":"news"}', '{"unsubscribe":"news"}',
]


@pytest.mark.parametrize("text", NO_CALLS, ids=range(len(NO_CALLS)))
def test_what_is_no_call_is_passed_over(one, text):
    """18"""
    one.say(text)
    one.send_frame(BINARY, text.encode() + b"\xff")
    assert one.call("echo", 1) == 1
    assert one.replies == {} and one.pushes == []


def test_deep_nesting(one):
    """19"""
    n = 20000
    for data in ("[" * n + "]" * n, '{"a":' * n + "1" + "}" * n, "[" * n):
        one.say('{"type":"echo","data":' + data + "}")
    assert one.call("echo", 1) == 1
    assert one.replies == {}                    # they are no calls
    data = 200
    for _ in range(200):
        data = [data]
    assert one.call("echo", data) == data


def test_many_pointers_cost_no_more_than_their_text(one):
    """19: each of them leads through long lists, and to another one."""
    data = {"l": [0] * 20000}
    for i in range(4000):
        data[f"p{i}<!P>"] = ["data", "l", 19999]
    one.say(one.text("echo", data))
    data = {"x": 1, "p0<!P>": ["data", "x"]}
    for i in range(1, 1000):
        data[f"p{i}<!P>"] = ["data", f"p{i - 1}"]
    one.say(one.text("echo", data))
    assert one.call("echo", 1) == 1


def test_half_a_request_head(ape):
    """19"""
    with Http(ape.address) as c:
        c.write(b"GET /api/ape HTTP/1.1\r\nHost: ken")
    a = Ape(ape)
    assert a.call("echo", 1) == 1
    a.close()


def test_too_many_values(one):
    one.say('{"type":"echo","data":[' + ",".join("0" * 250000) + "]}")
    assert one.call("echo", 1) == 1


# ---- tags ----

TAGGED = [
    ({"when<!D>": 1700000000000, "in": {"a": [{"b<!D>": 5}]}}, "dates"),
    ({"l<![D,,D]>": [1, "x", 2]}, "dates in an array"),
    ({"l<![U,]>": [None, 1]}, "undefined in an array"),
    ({"e<!E>": ["TypeError", "no", "at x"], "s<!S>": [1, 2],
      "m<!M>": {"a": 1}, "r<!R>": "/a+/gi"}, "error, set, map, expression"),
    ({"a": {"x": [1, 2]}, "b<!P>": ["data", "a"],
      "c<!P>": ["data", "a", "x"]}, "shared"),
    ({"a": {"self<!P>": ["data", "a"]}}, "ring"),
    ({"l<![P,P]>": [["data"], ["data", "l"]]}, "pointers in an array"),
    ({"<!D>": 1, "a<!>": 2, "a<!DD>": 3, "b<D>": 4, "c<!D": 5, "d!D>": 6,
      "e<!Z>": 7, "f<!D>more": 8, "g<!D><!D>": 9, "__proto__": 10,
      "h<!é>": 11, "i<!🦍>": 12, "<!D>j<!D>": 13}, "almost tags"),
    ({"n<![[D],]>": [[1], 2]}, "tags within tags"),
]


@pytest.mark.parametrize("data", [t[0] for t in TAGGED],
                         ids=[t[1] for t in TAGGED])
def test_tags_come_back(one, data):
    """21 to 25"""
    one.reply(one.ask("echo", data))
    assert one.raw.startswith('{"data":' + dump(data) + ',"type":false')


def test_tag_of_the_root(one):
    """21"""
    for key, value in (("data<!D>", 5), ("data<!U>", None),
                       ("data<![D,]>", [1, 2]), ("data<!S>", [1, 2])):
        m = one.whole("echo", ABSENT, **{key: value})
        assert m == ({} if key == "data<!U>" else {key: value})


def test_pointers_are_right_where_data_is_moved(one):
    """24: in sendto, what is pushed stood one level deeper."""
    me = one.id
    data = {"a": {"x": [1]}, "b<!P>": ["data", "data", "a"],
            "ring": {"up<!P>": ["data", "data", "ring"]},
            "l<![P,,P]>": [["data", "data", "a"], 1,
                           ["data", "data", "l", 0, "x"]]}
    one.call("sendto", {"to": me, "type": "t", "data": data})
    type, m = one.push()
    assert m["data"] == {
        "a": {"x": [1]}, "b": {"x": [1]},
        "ring": {"up<!P>": ["data", "ring"]}, "l": [{"x": [1]}, 1, [1]]}


# ---- pushes ----

def test_others_and_not_the_sender(crowd):
    """26, 29"""
    a, *others = crowd
    data = {"d<!D>": 1, "l<![D,]>": [1, 2]}
    assert a.call("message", data) == data
    for b in others:
        type, m = b.push()
        assert type == "message" and m["data"] == data
        assert not m.get("queryId")
    assert a.heard() == []


def test_tabs_of_one_browser_are_others(ape):
    """26: who has the same cookie is another client all the same."""
    cookie = "0123456789ABCDEFGHJK"
    a, b, c = (Ape(ape, cookie=cookie) for _ in range(3))
    assert len({a.id, b.id, c.id, cookie}) == 4
    a.call("message", 1)
    assert b.push()[1]["data"] == c.push()[1]["data"] == 1
    assert a.heard() == []
    for x in a, b, c:
        x.close()


def test_everyone(crowd):
    """27"""
    a = crowd[0]
    assert a.call("everyone", None) == {"sent": True}
    for b in crowd:
        assert b.push() == ("everyone", {"type": "everyone", "data": None})


def test_order_of_pushes(crowd):
    """28: whatever they are mixed of."""
    a, b = crowd[0], crowd[-1]
    to = b.id
    asked = []
    for i in range(100):
        asked.append(a.ask("message", i) if i % 3 == 0 else
                     a.ask("everyone", i) if i % 3 == 1 else
                     a.ask("sendto", {"to": to, "type": "t", "data": i}))
    for query in asked:
        assert "err" not in a.reply(query)
    assert [b.push()[1]["data"] for _ in range(100)] == list(range(100))


def test_to_one(crowd):
    """30"""
    a, *others = crowd
    for b in crowd:
        said = {"to": b.id, "type": "hint", "data<!D>": 7}
        assert a.call("sendto", said) == {"sent": True}
        assert b.push() == ("hint", {"type": "hint", "data<!D>": 7})
    for b in crowd:
        assert b.heard() == []
    for nobody in "0" * 20, "", "x" * 300:
        assert a.call("sendto", {"to": nobody, "type": "hint"}) == \
            {"sent": False}


def test_who_has_gone_is_not_listed(ape):
    """31"""
    a, b, c = Ape(ape), Ape(ape), Ape(ape)
    names = {a.id, b.id, c.id}
    assert names <= set(ids(a))
    gone = b.id
    assert b.goodbye() == 1000
    wait.until(lambda: gone not in ids(a), 10, "b is gone")
    gone = c.id
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                      struct.pack("ii", 1, 0))
    c.close()
    wait.until(lambda: gone not in ids(a), 10, "c is gone")
    assert a.call("message", 1) == 1
    a.close()


# ---- context ----

def test_client_ids(crowd):
    """32"""
    found = [c.id for c in crowd]
    assert all(ID.fullmatch(i) for i in found)
    assert len(set(found)) == len(crowd)
    assert [c.id for c in crowd] == found
    assert set(found) <= set(ids(crowd[0]))


def test_session_id_and_agent(ape, one):
    """33, 34"""
    a = Ape(ape, session_id="s%20x", agent=CHROME)
    me = a.call("whoami")
    assert set(me) == {"clientId", "sessionId", "agent"}
    assert me["sessionId"] == "s x"
    assert me["agent"]["browser"]["name"] == "Chrome"
    assert me["agent"]["browser"]["version"].startswith("120")
    assert me["agent"]["os"] == {"name": "Windows", "version": "10"}
    a.close()
    me = one.call("whoami")
    assert me["sessionId"] is None and me["agent"]["browser"] == {}


# ---- processes ----

def test_ping_is_answered_while_a_shard_restarts(start):
    """1: also where it is the only one."""
    k = start(shards=1, cover=False)
    a = Ape(k)
    k.kill_shard(0)
    for _ in range(5):
        assert parse(get(k, "/api/ape/ping").text)["ok"] is True
    assert a.end() == 1006
    b = Ape(k)
    assert b.call("echo", 1) == 1
    b.close()


def test_clients_of_a_shard_that_died_are_not_listed(start):
    """31"""
    k = start(shards=4, limit=2, cover=False)
    crowd = [Ape(k) for _ in range(8)]
    names = [c.id for c in crowd]
    assert sorted(ids(crowd[0])) == sorted(names)
    k.kill_shard(1)
    left = []
    for c in crowd:
        try:
            left.append(c.id)
        except (Closed, OSError):
            pass
    assert len(left) == 6
    alive = crowd[names.index(left[0])]
    wait.until(lambda: sorted(ids(alive)) == sorted(left), 10, "two are gone")


# ---- limits ----

def test_calls_beyond_the_limit(start):
    k = start(config="[worker]\nape_age = 2s\nape_skew = 5s\n")
    a = Ape(k)
    assert "old" in a.whole("echo", 1, **{"createdAt<!D>": now() - 3000})["err"]
    assert "ahead" in a.whole("echo", 1,
                              **{"createdAt<!D>": now() + 9000})["err"]
    text = a.text("echo", 1, **{"createdAt<!D>": ABSENT})
    assert a.reply(a.say(text))["data"] == 1
    assert "err" in a.reply(a.say(text))

    def again():
        return "data" in a.reply(a.say(text))
    wait.until(again, 10, "it is forgotten")
    a.close()


# ---- the example of the README ----

SHOP = """
[route shop]
path = /api/ape /api/ape/ping /api/ape/poll
app = shop
group = const:shop
uid = cookie:apeClientId random20
keep = User-Agent cookie:apeClientId cookie:sessionId
stream = yes
"""


def test_example_of_the_readme(start, installed):
    source = example("kennel-ape.h", without="kennel-forest.h")
    k = start(shards=2, limit=1, worker=installed.worker(source), config=SHOP)
    a, b = Ape(k), Ape(k)
    assert a.call("orders/count", {"open": True}) == 3
    assert a.call("orders/count") == 17
    assert a.call("price/set", 12.5) == ABSENT
    type, m = b.push()
    assert type == "price" and m["data"]["price"] == 12.5
    assert abs(m["data"]["at<!D>"] - now()) < 60000
    assert a.whole("price/set", "x") == {"err": "a price is a number"}
    a.close(), b.close()


# ---- hooks, and values in C ----

@pytest.fixture(scope="module")
def hooks(start_shared, installed):
    return start_shared(shards=1, worker=installed.worker("ape_hooks.c"),
                        config=SHOP)


def test_hooks_see_what_happens(hooks):
    a, b = Ape(hooks, agent="a"), Ape(hooks, agent="b")
    assert a.call("embedded") == "embedded"
    b.say("nonsense")
    assert b.call("tell", 7) == ABSENT
    assert a.push() == ("told", {"type": "told", "data": 7})
    assert a.whole("types", 1)["data"]["made<![D,U,S]>"] == [5, None, []]
    assert b.goodbye() == 1000

    def gone():
        found.extend(a.call("lines"))
        return "disconnect client" in found
    found = []
    wait.until(gone, 10, "b is gone")
    assert [x for x in found if "lines" not in x] == [
        "connect a", "connect b", "receive embedded", "reply embedded - 4",
        "error not JSON", "receive tell", "send told 7", "reply tell - 0",
        "receive types", "reply types - 6", "disconnect client"]
    a.close()


def test_what_nobody_can_hear_fails_and_says_why(hooks):
    """Pushes without a call, a client or a type, lists for nobody."""
    with Ape(hooks) as a:
        assert a.call("nulls") is True


def test_calls_wait_for_a_connect_hook_that_takes_time(hooks):
    """What the hook pushes comes first."""
    a = Ape(hooks, agent="later")
    asked = [a.ask("embedded") for _ in range(20)]
    assert a.push() == ("welcome", {"type": "welcome", "data": "at last"})
    assert a.replies == {}
    for query in asked:
        assert a.reply(query)["data"] == "embedded"
    a.close()
    with Ape(hooks, agent="later") as b:         # and goes meanwhile
        b.ask("embedded")


def test_connect_hook_may_refuse(hooks):
    with pytest.raises(Refused) as e:
        Ape(hooks, agent="nobody")
    assert e.value.response.status == 400


def test_answers_that_come_later(hooks):
    a = Ape(hooks)
    slow, fast = a.ask("later", 400), a.ask("later", 1)
    assert a.reply(fast)["data"] == 1
    assert a.reply(slow)["data"] == 400
    a.ask("later", 100)
    a.close()                                   # nobody is there to hear it
    b = Ape(hooks)
    assert b.call("later", 200) == 200
    b.close()


def test_values_in_c(hooks):
    a = Ape(hooks)
    got = a.call("types", {
        "a": None, "b": True, "c": 1, "d": "x", "e": [], "f": {}, "g<!D>": 1,
        "h<!R>": "/x/", "i<!E>": ["E", "m", "s"], "j<!S>": [], "k<!M>": {},
        "l<!F>": "id", "m<!P>": ["data", "g"], "n<!U>": None, "o<!D>": "odd"})
    assert {k: got[k] for k in "abcdefghijklmno"} == dict(
        a="null", b="boolean", c="number", d="string", e="array", f="object",
        g="date", h="regexp", i="error", j="set", k="map", l="file", m="date",
        n="undefined", o="string")
    assert got["oops<!E>"] == ["RangeError", "far", ""]
    a.close()
