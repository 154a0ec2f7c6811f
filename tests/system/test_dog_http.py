"""The chat room over HTTP: routes, refusals, messages from outside."""
from urllib.parse import quote

import pytest
from kit import nodes, ws
from kit.chat import Chat, barrier, crowd, room, said, settle
from kit.http import Http, get
from kit.ws import Refused, WebSocket


@pytest.fixture(scope="module", params=("one", "nodes"))
def kennel(request, start_shared, site):
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=4)
    return start_shared(shards=3, max_shards=6)


def refused(kennel, path="/lobby/none/ws?u=a", **kw):
    with Http(kennel.address) as c:
        method = kw.get("method", "GET")
        c.write(ws.handshake(path, kw.pop("k", ws.key()), **kw))
        return c.response(head_only=method == "HEAD")


def test_page_is_html_and_takes_no_place(kennel):
    """1"""
    for path in "/", "/lobby/some-room":
        r = get(kennel, path)
        assert r.status == 200
        assert r["Content-Type"].lower().replace(" ", "") == \
            "text/html;charset=utf-8"
        assert "<html" in r.text
        assert kennel.group("some-room") == []


def test_head_is_get_without_a_body(kennel):
    """2"""
    for path in "/", "/lobby/x", "/lobby/x/emit?u=a":
        g = get(kennel, path)
        with Http(kennel.address) as c:
            h = c.ask("HEAD", path, [("Connection", "close")])
            assert c.read_all() == b""
        assert (h.status, h["Content-Type"], h["Content-Length"]) == \
            (g.status, g["Content-Type"], g["Content-Length"])


@pytest.mark.parametrize("path", ["/", "/lobby/x", "/lobby/x/ws?u=a"])
def test_post_is_405(kennel, path):
    """2"""
    r = get(kennel, path, "POST")
    assert r.status == 405
    assert "GET" in r["Allow"]


def test_head_on_upgrade_path_is_405(kennel):
    """3"""
    assert refused(kennel, method="HEAD").status == 405
    assert get(kennel, "/lobby/x/ws?u=a", "HEAD").status == 405


def test_no_upgrade_is_426(kennel):
    """4"""
    r = get(kennel, "/lobby/x/ws?u=a")
    assert r.status == 426
    assert refused(kennel, without=["Upgrade"]).status == 426


def test_upgrade_to_something_else_is_426(kennel):
    """5"""
    assert refused(kennel, upgrade="h2c").status == 426


def test_missing_key_is_400(kennel):
    """6"""
    assert refused(kennel, without=["Sec-WebSocket-Key"]).status == 400


@pytest.mark.parametrize("k", [
    "", "x", "dGhlIHNhbXBsZSBub25jZQ=", "dGhlIHNhbXBsZSBub25jZQ",
    "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j\xe9Q==",
    "dGhlIHNhbXBsZSBub25j ZQ==", "dGhlIHNhbXBsZSBub25j!!==",
    "dGhlIHNhbXBsZSBub25jZTEyMw=="])
def test_malformed_key_is_400(kennel, k):
    """7"""
    assert refused(kennel, k=k).status == 400


@pytest.mark.parametrize("version", ["8", "", "14", "013", "13, 8", "x", None])
def test_wrong_version_is_refused(kennel, version):
    """8"""
    if version is None:
        r = refused(kennel, without=["Sec-WebSocket-Version"])
    else:
        r = refused(kennel, version=version)
    assert r.status == 400 or \
        (r.status == 426 and r["Sec-WebSocket-Version"] == "13")


@pytest.mark.parametrize("kw", [
    dict(without=["Upgrade"]), dict(upgrade="h2c"), dict(k="x"),
    dict(without=["Sec-WebSocket-Key"]), dict(version="8"),
    dict(method="POST")])
def test_refusals_are_text_of_the_right_length(kennel, kw):
    """9"""
    before, kw = kennel.places(), dict(kw)
    with Http(kennel.address) as c:
        c.write(ws.handshake("/lobby/no/ws?u=a", kw.pop("k", ws.key()), **kw))
        r = c.response()
        assert r["Content-Type"].startswith("text/plain")
        assert r["Content-Length"] is not None and r.body != b""
        if not r.keeps:
            assert c.ended()
    kennel.wait_places(before)
    kennel.wait_group("no", [])


@pytest.mark.parametrize("word", ["websocket", "WebSocket", "WEBSOCKET",
                                  "wEbSoCkEt"])
@pytest.mark.parametrize("connection", ["Upgrade", "upgrade",
                                        "keep-alive, Upgrade"])
def test_upgrade_in_any_case(kennel, word, connection):
    """10, 11: the accept value is compared by the client of every test."""
    with Chat(kennel, room(), "a", upgrade=word, connection=connection) as a:
        barrier(a)
        assert a.handshake["Sec-WebSocket-Accept"] == ws.accept(a.key)


def test_accept_value_of_the_rfc(kennel):
    """11"""
    with Http(kennel.address) as c:
        c.write(ws.handshake("/echo", "dGhlIHNhbXBsZSBub25jZQ=="))
        assert c.response()["Sec-WebSocket-Accept"] == \
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_unknown_path_takes_no_place(kennel):
    """12"""
    before = kennel.places()
    for path in "/nowhere", "/lobby", "/lobby/a/b", "/ws/more", "/favicon.ico":
        r = get(kennel, path)
        assert r.status == 404 or (r.status == 200 and path in r.text)
        assert refused(kennel, path).status in (404, 200)
    kennel.wait_places(before)


@pytest.mark.parametrize("query", ["", "u=", "x=1", "u=&u=b", "=a"])
def test_without_a_name_one_is_anon(kennel, query):
    """13"""
    g = room()
    with Chat(kennel, g, "anon", query=query) as a:
        assert a.users()["list"] == ["anon"]


def test_example_paths_at_the_root_are_the_room_lobby_id(kennel):
    with WebSocket(kennel.address, "/ws?u=a") as a, \
            Chat(kennel, "lobby-id", "b") as b:
        assert sorted(b.users()["list"]) == ["a", "b"]
        assert get(kennel, "/broadcast").text == "DONE"
        b.next(type="user:msg", **{"from": "HTTP"})
        assert get(kennel, "/whisper?target=b").text == "DONE"
        b.next(type="user:msg", meta="whisper", to="b")
        for _ in getattr(kennel, "kennels", [kennel]):     # one of them has b
            assert get(kennel, "/emit?u=b").text == "DONE"
        b.next(type="user:msg", meta="group")
        a.goodbye()


@pytest.fixture
def five(kennel):
    """a b | c d | e, in three replicas; quiet."""
    people = crowd(kennel, room(), "abcde")
    yield people
    for p in people:
        p.close()


def test_broadcast_reaches_all_once(kennel, five):
    """29, 33: also the one named in u."""
    g = five[0].group
    for path in "/broadcast", "/broadcast?u=a", "/broadcast?u=stranger":
        r = get(kennel, f"/lobby/{g}{path}")
        assert (r.status, r.text) == (200, "DONE")
        heard = settle(*five)
        for p in five:
            assert said(heard[p]) == ['SENT VIA "/broadcast" HTTP route'], path


def test_http_message_has_its_form(kennel, five):
    """29-33"""
    g = five[0].group
    get(kennel, f"/lobby/{g}/broadcast")
    m = five[4].next(type="user:msg")
    assert (m["from"], m["text"]) == ("HTTP",
                                      'SENT VIA "/broadcast" HTTP route')
    assert isinstance(m["time"], int) and "meta" not in m and "to" not in m
    get(kennel, f"/lobby/{g}/whisper?target=e")
    m = five[4].next(type="user:msg")
    assert (m["from"], m["meta"], m["to"]) == ("HTTP", "whisper", "e")
    assert m["text"] == 'SENT VIA "/whisper" HTTP route'
    for _ in getattr(kennel, "kennels", [kennel]):     # one of them has e
        get(kennel, f"/lobby/{g}/emit?u=e")
    m = five[4].next(type="user:msg")
    assert (m["from"], m["meta"]) == ("HTTP", "group") and "to" not in m
    assert m["text"] == 'SENT VIA "/emit" HTTP route'


def test_whisper_reaches_only_the_target(kennel, five):
    """30, 33: wherever the request lands."""
    g = five[0].group
    for target in "a", "d", "e":
        for u in "", "&u=a", "&u=c", "&u=e", "&u=stranger":
            r = get(kennel, f"/lobby/{g}/whisper?target={target}{u}")
            assert (r.status, r.text) == (200, "DONE")
        heard = settle(*five)
        for p in five:
            n = 5 if p.name == target else 0
            assert len(said(heard[p])) == n, (target, p.name)


def test_whisper_default_target_is_aaa(kennel):
    """31"""
    g = room()
    with Chat(kennel, g, "aaa") as aaa, Chat(kennel, g, "b") as b:
        settle(aaa, b)
        for query in "", "?target=":
            assert get(kennel, f"/lobby/{g}/whisper{query}").text == "DONE"
            assert aaa.next(type="user:msg")["to"] == "aaa"
        assert said(barrier(aaa, b)[1]) == []


@pytest.mark.one_node("emit is for a replica of the node that is asked")
def test_emit_reaches_the_replica_of_the_user(kennel):
    """32, 33"""
    g = room()
    a, b, c = crowd(kennel, g, "abc")           # a b | c
    r = get(kennel, f"/lobby/{g}/emit?u=c")
    assert (r.status, r.text) == (200, "DONE")
    heard = settle(a, b, c)
    assert [len(said(heard[p])) for p in (a, b, c)] == [0, 0, 1]
    b.goodbye()
    kennel.wait_group(g, [1, 1])
    a.next(type="user:exit"), c.next(type="user:exit")
    for name, want in ("a", [1, 0]), ("c", [0, 1]):
        assert get(kennel, f"/lobby/{g}/emit?u={name}").text == "DONE"
        heard = settle(a, c)
        assert [len(said(heard[p])) for p in (a, c)] == want, name
    a.close(), c.close()


def test_unicode_target(kennel):
    """30, 35"""
    g = room()
    with Chat(kennel, g, "Žofie 🐕") as z:
        get(kennel, f"/lobby/{g}/whisper?target=" + quote("Žofie 🐕"))
        assert z.next(type="user:msg")["to"] == "Žofie 🐕"


def test_name_that_is_no_utf8_is_refused(kennel):
    with pytest.raises(Refused) as e:
        Chat(kennel, room(), "x", query="u=%ff%fe")
    assert e.value.response.status == 400
