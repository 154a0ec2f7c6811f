"""What a route says to browsers and proxies: OPTIONS, origins, subprotocols, and a
slash too many."""
import pytest
from kit import docs
from kit import kennel as kits
from kit.http import Http, get
from kit.ws import Refused, WebSocket

CONFIG = """
[worker]
trusted_proxies = unix

[route listed]
path = /listed
app = pact
group = query:room const:default
origin = self https://*.a.example null

[route details]
path = /details /users
app = pact
group = query:room const:default
origin = https://a.example

[route echo]
path = /echo
app = echo
protocols = v2 v1
keep = Sec-WebSocket-Protocol

[route main]
path = /main
app = main
group = const:g

[route front]
path = / /info /healthz
app = front
"""
WITH_LISTENER = ("127.0.0.1:PORT", "unix:DIR/clients")


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(shards=2)


@pytest.fixture(scope="module")
def routed(start_shared):
    return start_shared(shards=2, config=CONFIG, listen=WITH_LISTENER)


def raw(address, text):
    with Http(address) as c:
        c.write(text)
        return c.response()


# ---- OPTIONS ----

@pytest.mark.parametrize("path, allow", [
    ("/", "GET, HEAD, OPTIONS"), ("/info", "GET, HEAD, OPTIONS"),
    ("/lobby/x", "GET, HEAD, OPTIONS"), ("/lobby/x/ws", "GET, OPTIONS"),
    ("/lobby/x/broadcast", "GET, HEAD, POST, OPTIONS"),
    ("/pact", "GET, HEAD, OPTIONS"), ("/websocket", "GET, OPTIONS"),
    ("/details?room=x", "GET, HEAD, OPTIONS"),
    ("/echo", "GET, HEAD, POST, PUT, OPTIONS")])
def test_options_names_the_methods(kennel, path, allow):
    with Http(kennel.address) as c:
        for _ in range(2):              # the connection goes on
            r = c.ask("OPTIONS", path)
            assert (r.status, r["Allow"], r.body) == (204, allow, b"")
            assert r["Content-Length"] is None


def test_checks_of_haproxy_and_of_the_server(kennel):
    assert raw(kennel.address, b"OPTIONS / HTTP/1.0\r\n\r\n").status == 204
    for version in b"HTTP/1.0", b"HTTP/1.1":
        r = raw(kennel.address,
                b"OPTIONS * " + version + b"\r\nHost: x\r\n\r\n")
        assert r.status == 204 and "GET" in r["Allow"]


def test_options_of_an_own_worker(start, installed):
    k = start(shards=1, worker=installed.worker(docs.first()))
    r = raw(k.address, b"OPTIONS / HTTP/1.0\r\n\r\n")
    assert (r.status, r["Allow"]) == (204, "GET, OPTIONS")


# ---- CORS ----

ORIGIN = ("Origin", "https://elsewhere.example")


@pytest.mark.parametrize("path", ["/info", "/details?room=x",
                                  "/users?room=x"])
def test_json_is_for_pages_of_all_origins(kennel, path):
    r = get(kennel, path, fields=[ORIGIN])
    assert (r.status, r["Access-Control-Allow-Origin"]) == (200, "*")
    assert r["Vary"] == "Origin"
    with Http(kennel.address) as c:
        r = c.ask("OPTIONS", path, fields=[
            ORIGIN, ("Access-Control-Request-Method", "GET"),
            ("Access-Control-Request-Headers", "x-mine, accept")])
    assert r.status == 204
    assert r["Access-Control-Allow-Origin"] == "*"
    assert r["Access-Control-Allow-Methods"] == "GET, HEAD"
    assert r["Access-Control-Allow-Headers"] == "x-mine, accept"


@pytest.mark.parametrize("path", ["/", "/lobby/x", "/healthz",
                                  "/lobby/x/broadcast"])
def test_nothing_else_is(kennel, path):
    r = get(kennel, path, fields=[ORIGIN])
    assert r["Access-Control-Allow-Origin"] is None


def test_a_route_that_names_origins_decides(routed):
    """Its answers name the origin; the application's word does not count."""
    a = ("Origin", "https://a.example")
    r = get(routed, "/users?room=x", fields=[a])
    assert (r.status, r["Access-Control-Allow-Origin"]) == (200, a[1])
    assert [v for n, v in r.fields if n == "Vary"].count("Origin") >= 1
    r = get(routed, "/users?room=x")
    assert (r.status, r["Access-Control-Allow-Origin"]) == (200, None)
    assert ("Vary", "Origin") in r.fields
    r = get(routed, "/users?room=x", fields=[ORIGIN])
    assert (r.status, r["Access-Control-Allow-Origin"]) == (403, None)


def test_a_route_that_names_origins_answers_preflights(routed):
    with Http(routed.address) as c:
        r = c.ask("OPTIONS", "/details", fields=[
            ("Origin", "https://a.example"),
            ("Access-Control-Request-Method", "DELETE"),
            ("Access-Control-Request-Headers", "x-a")])
        assert (r.status, r.body) == (204, b"")
        assert r["Access-Control-Allow-Origin"] == "https://a.example"
        assert r["Access-Control-Allow-Methods"] == "DELETE"
        assert r["Access-Control-Allow-Headers"] == "x-a"
        assert r["Access-Control-Max-Age"] == "600"
        r = c.ask("OPTIONS", "/details", fields=[
            ORIGIN, ("Access-Control-Request-Method", "DELETE")])
        assert r.status == 403


def test_self_behind_a_proxy_on_a_unix_socket(routed):
    """It is believed what it says of the host; nobody else is."""
    fields = [("Origin", "https://www.example"),
              ("X-Forwarded-Host", "www.example"),
              ("X-Forwarded-Proto", "https")]
    with Http(routed.dir + "/clients") as c:
        assert c.ask(path="/listed", fields=fields).status == 404   # by pact
        r = c.ask(path="/listed", fields=fields[:1])
        assert r.status == 403
    with Http(routed.address) as c:
        assert c.ask(path="/listed", fields=fields).status == 403


def test_a_trusted_unix_peer_may_say_that_it_is_https(routed, start):
    k = start(shards=1, listen=WITH_LISTENER,
              config="[worker]\ntrusted_proxies = unix\n")
    for address, secure in (k.dir + "/clients", True), (k.address, False):
        with WebSocket(address, "/websocket?room=r", fields=[
                ("X-Forwarded-Proto", "https")]) as p:
            cookie = p.handshake["Set-Cookie"]
            assert ("Secure" in cookie) == secure
            p.goodbye()


# ---- subprotocols ----

@pytest.mark.parametrize("offer, want", [
    (None, None), ("v1", "v1"), ("v1, v2", "v2"), ("x, v1", "v1"),
    ("x", None), ("V1", None)])
def test_the_subprotocol_is_chosen(routed, offer, want):
    fields = [("Sec-WebSocket-Protocol", offer)] if offer else []
    with WebSocket(routed.address, "/echo", fields=fields) as p:
        assert p.handshake["Sec-WebSocket-Protocol"] == want
        p.send("hello")
        assert p.recv() == "hello"
        p.goodbye()


def test_without_the_key_none_is(kennel):
    with WebSocket(kennel.address, "/echo",
                   fields=[("Sec-WebSocket-Protocol", "v1")]) as p:
        assert p.handshake["Sec-WebSocket-Protocol"] is None
        p.goodbye()


# ---- a slash too many ----

@pytest.mark.parametrize("path, to", [
    ("/healthz/", "/healthz"), ("/lobby/kennel/", "/lobby/kennel"),
    ("/lobby/a%2fb/ws/?u=x&y=/", "/lobby/a%2fb/ws?u=x&y=/"),
    ("/info/?", "/info?"), ("/websocket/?room=r", "/websocket?room=r")])
def test_a_slash_too_many_is_moved(kennel, path, to):
    r = get(kennel, path)
    assert (r.status, r["Location"], r.keeps) == (308, to, False)
    with Http(kennel.address) as c:
        r = c.ask("HEAD", path)
        assert (r.status, r["Location"]) == (308, to)
    with Http(kennel.address) as c:
        assert c.ask("POST", path, body=b"x").status == 308


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example/",
                                  "/nowhere/", "/healthz//"])
def test_no_other_is(kennel, path):
    assert get(kennel, path).status == 404


def test_a_refused_handshake_says_where_to(kennel):
    with pytest.raises(Refused) as e:
        WebSocket(kennel.address, "/echo/")
    assert e.value.response["Location"] == "/echo"
    assert kits.alive(kennel.pid)
