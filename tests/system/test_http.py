"""HTTP/1.1 (RFC 9110, 9112) as it is served."""
import email.utils
import json
import re
import socket
import threading
import time

import pytest
from kit import wait, ws
from kit.chat import room
from kit.http import Http, get, request
from kit.wire import Closed

CONFIG = """
[gateway]
head_timeout = 1s
home_timeout = 1s
home_max = 50
handshakes_max = 200

[worker]
request_timeout = 1s
body_max = 100k
"""


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(shards=3)


@pytest.fixture(scope="module")
def hurried(start_shared):
    """One with short deadlines and small limits."""
    return start_shared(shards=2, config=CONFIG)


def raw(kennel, data, cuts=()):
    """The one answer to these bytes."""
    with Http(kennel.address) as c:
        c.write(data, cuts)
        return c.response(head_only=data.startswith(b"HEAD"))


# ---- answers ----

def test_date_and_length(kennel):
    for path in "/", "/healthz", "/nowhere", "/lobby/x", "/echo":
        r = get(kennel, path)
        date = email.utils.parsedate_to_datetime(r["Date"])
        assert abs(date.timestamp() - time.time()) < 60
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
                            r["Date"])
        assert int(r["Content-Length"]) == len(r.body)


def test_front_page_and_its_parts(kennel):
    page = get(kennel, "/").text
    parts = re.findall(r'(?:src|href)="(/[^"]+)"', page)
    assert parts
    for path in parts:
        r = get(kennel, path)
        assert r.status == 200, path
        assert r["Content-Type"].split(";")[0] in (
            "text/css", "text/javascript", "application/javascript",
            "text/html")
    assert get(kennel, "/healthz").text == "ok\n"
    info = json.loads(get(kennel, "/info").text)
    assert {"/lobby/kennel", "/echo"} <= {x["path"] for x in info["links"]}


@pytest.mark.parametrize("path", [
    "/pages/../kennel.h", "/pages/%2e%2e/front.c", "/pages/..%2f..%2fmain.c",
    "/pages//etc/passwd", "/pages/", "/pages/.", "/pages/nothing.js",
    "/pages/../../../../../../etc/passwd", "/pages/style.css%00.html"])
def test_pages_stay_in_their_directory(kennel, path):
    assert get(kennel, path).status in (400, 404)


def test_head_has_the_fields_of_get(kennel):
    with Http(kennel.address) as c:
        for path in "/", "/healthz", "/nowhere":
            h = c.ask("HEAD", path)
            g = get(kennel, path)
            assert (h.status, h["Content-Length"], h["Content-Type"]) == \
                (g.status, g["Content-Length"], g["Content-Type"])
            if not h.keeps:
                break


# ---- keep-alive, pipelining, going home ----

def test_keep_alive(kennel):
    with Http(kennel.address) as c:
        for _ in range(20):
            r = c.ask("GET", "/healthz")
            assert r.status == 200 and r.keeps


def test_each_request_is_routed_afresh(kennel):
    """Home between groups: one connection, a request to each of many."""
    with Http(kennel.address) as c:
        for i in range(30):
            r = c.ask("GET", f"/lobby/home{i % 7}/broadcast?u=a{i}")
            assert (r.status, r.text, r.keeps) == (200, "DONE", True)
            r = c.ask("GET", "/info")
            assert r.status == 200 and r.keeps
    wait.until(lambda: kennel.status()["groups"] == [])
    kennel.wait_places(0)


def test_a_kept_connection_upgrades(kennel):
    with ws.WebSocket(kennel.address, open=False) as c:
        assert c.ask("GET", "/healthz").keeps
        c.write(ws.handshake("/echo", c.key))
        c.opened()
        c.send("x")
        assert c.recv() == "x"


def test_idle_at_home_is_counted_apart(kennel):
    cs = [Http(kennel.address) for _ in range(10)]
    for c in cs:
        assert c.ask("GET", "/healthz").keeps
    wait.until(lambda: kennel.status()["home"] == 10)
    assert kennel.status()["handshakes"] == 0
    assert kennel.places() == 0
    for c in cs:
        c.close()
    wait.until(lambda: kennel.status()["home"] == 0)


def test_idle_at_home_ends_quietly(hurried):
    with Http(hurried.address) as c:
        c.ask("GET", "/healthz")
        assert c.ended()


def test_oldest_at_home_is_closed_first(hurried):
    old = Http(hurried.address)
    old.ask("GET", "/healthz")
    wait.until(lambda: hurried.status()["home"] == 1)
    more = []
    for i in range(50):
        c = Http(hurried.address)
        c.ask("GET", "/healthz")
        more.append(c)
    assert old.ended()
    for c in more:
        c.close()


def test_pipelined_requests_are_answered_in_order(kennel):
    data = b"".join(request("GET", p) for p in
                    ["/healthz", "/info", "/lobby/pipe/broadcast?u=a",
                     "/nowhere", "/never"])
    with Http(kennel.address) as c:
        c.write(data)
        assert c.response().text == "ok\n"
        assert c.response()["Content-Type"] == "application/json"
        assert c.response().text == "DONE"
        assert c.response().status == 404


def test_hundred_pipelined_with_bodies(kennel):
    with Http(kennel.address) as c:
        c.write(b"".join(request("POST", "/echo", body=b"body %d" % i)
                         for i in range(100)))
        for i in range(100):
            assert c.response().body == b"body %d" % i


def test_pipelined_at_every_cut(kennel):
    data = request("POST", "/echo", body=b"first") + \
        request("GET", "/healthz") + request("POST", "/echo", body=b"last")
    for cut in range(1, len(data)):
        with Http(kennel.address) as c:
            c.write(data, cuts=[cut])
            assert [c.response().body for _ in range(3)] == \
                [b"first", b"ok\n", b"last"], cut


def test_connection_close_is_obeyed(kennel):
    with Http(kennel.address) as c:
        r = c.ask("GET", "/healthz", [("Connection", "close")])
        assert r.status == 200 and not r.keeps
        assert c.ended()


def test_http_1_0(kennel):
    with Http(kennel.address) as c:
        c.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert c.response().text == "ok\n"
        assert c.ended()
    with Http(kennel.address) as c:
        for _ in range(3):
            c.write(b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            r = c.response()
            assert r.text == "ok\n"
            if (r["Connection"] or "").lower() != "keep-alive":
                assert c.ended()
                break


def test_half_closed_client_gets_its_answer(kennel):
    with Http(kennel.address) as c:
        c.write(request("POST", "/echo", body=b"last words"))
        c.half_close()
        assert c.response().body == b"last words"
        assert c.ended()


def test_empty_lines_before_a_request(kennel):
    assert raw(kennel, b"\r\n" + request("GET", "/healthz")).status == 200


# ---- bodies ----

def chunked(*pieces, ext=b"", trailer=b""):
    out = b""
    for p in pieces:
        out += b"%x%s\r\n%s\r\n" % (len(p), ext, p)
    return out + b"0\r\n" + trailer + b"\r\n"


HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("pieces,kw", [
    ([], {}), ([b"a"], {}), ([b"hello ", b"world"], {}),
    ([b"x" * 5000] * 10, {}), ([b"a", b"b"], dict(ext=b";name=value")),
    ([b"a"], dict(trailer=b"X-T: 1\r\nX-U: 2\r\n"))], ids=range(6))
def test_chunked_bodies(kennel, pieces, kw):
    data = HEAD + chunked(*pieces, **kw)
    assert raw(kennel, data).body == b"".join(pieces)
    with Http(kennel.address) as c:         # a byte at a time, and kept
        if len(data) < 1000:
            c.write(data, cuts=range(1, len(data)))
        else:
            c.write(data)
        assert c.response().body == b"".join(pieces)
        assert c.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize("tail", [
    b"x\r\n", b"-1\r\na\r\n", b"1\na\r\n0\r\n\r\n", b"1\r\nab\r\n0\r\n\r\n",
    b"0x1\r\na\r\n", b"1 \r\na\r\n0\r\n\r\n", b" 1\r\na\r\n0\r\n\r\n",
    b"FFFFFFFFFFFFFFFFF\r\n", b"\r\n", b"1;" + b"x" * 5000 + b"\r\na\r\n",
    b"1\r\na\r\n0\r\n" + b"A: b\r\n" * 1000 + b"\r\n"], ids=range(11))
def test_malformed_chunks_are_400(kennel, tail):
    r = raw(kennel, HEAD + tail)
    assert r.status in (400, 413) and not r.keeps


def test_large_body(kennel):
    body = bytes(range(256)) * 4000
    assert get(kennel, "/echo", "POST", body=body).body == body


def test_expect_100_continue(kennel):
    with Http(kennel.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                b"Expect: 100-continue\r\n\r\n")
        assert c.response().status == 100
        c.write(b"body")
        assert c.response().body == b"body"
        assert c.ask("GET", "/healthz").status == 200


def test_expect_with_the_body_already_there(kennel):
    with Http(kennel.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n"
                b"Expect: 100-continue\r\n\r\nbody")
        r = c.response()
        if r.status == 100:
            r = c.response()
        assert r.body == b"body"


def test_body_too_large_is_413(hurried):
    """At once when it is announced, before it is sent."""
    with Http(hurried.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 102401\r\n\r\n")
        r = c.response()
        assert r.status == 413 and not r.keeps
    with Http(hurried.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 99999999999999999999\r\n\r\n")
        assert c.response().status in (400, 413)
    with Http(hurried.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 102401\r\n"
                b"Expect: 100-continue\r\n\r\n")
        assert c.response().status == 413
    with Http(hurried.address) as c:
        try:
            c.write(HEAD + chunked(b"x" * 60000, b"x" * 60000))
        except OSError:
            pass
        assert c.response().status == 413
    assert len(get(hurried, "/echo", "POST", body=b"x" * 102400).body) == 102400


# ---- refusals ----

H = b"Host: x\r\n"


@pytest.mark.parametrize("data,status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET /\r\n" + H + b"\r\n", 400),
    (b"GET  / HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b" GET / HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET / HTTP/1.1 \r\n" + H + b"\r\n", 400),
    (b"GET / http/1.1\r\n" + H + b"\r\n", 400),
    (b"GE(T / HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET /a\x01 HTTP/1.1\r\n" + H + b"\r\n", 400),
    (b"GET / HTTP/1.1\n" + H + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b": x\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"no colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n folded\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\0c\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\rc\r\n\r\n", 400),
    (b"GET / HTTP/2.0\r\n" + H + b"\r\n", 505),
    (b"GET / HTTP/3.0\r\n" + H + b"\r\n", 505),
    (b"GET / HTTP/0.9\r\n" + H + b"\r\n", 505),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"CONNECT x:1 HTTP/1.1\r\n" + H + b"\r\n", 501),
    (b"POST /echo HTTP/1.1\r\n" + H + b"Content-Length: -1\r\n\r\n", 400),
    (b"POST /echo HTTP/1.1\r\n" + H + b"Content-Length: +1\r\n\r\nx", 400),
    (b"POST /echo HTTP/1.1\r\n" + H + b"Content-Length: 1x\r\n\r\nx", 400),
    (b"POST /echo HTTP/1.1\r\n" + H + b"Content-Length: \r\n\r\nx", 400),
    (b"POST /echo HTTP/1.1\r\n" + H +
     b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400),
    (b"POST /echo HTTP/1.1\r\n" + H + b"Content-Length: 1, 2\r\n\r\nx", 400),
    (b"POST /echo HTTP/1.1\r\n" + H +
     b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"POST /echo HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    (b"POST /echo HTTP/1.1\r\n" + H +
     b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (b"POST /echo HTTP/1.1\r\n" + H +
     b"Transfer-Encoding: chunked, chunked\r\n\r\n", 501),
    (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + H + b"\r\n", 414),
    (b"GET /" + b"a" * 70000, 414),
    (b"GET / HTTP/1.1\r\n" + H + b"A: " + b"b" * 40000 + b"\r\n\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + H + b"A: b\r\n" * 200 + b"\r\n", 431),
    (b"GET / HTTP/1.1\r\n" + H + b"A" * 40000, 431),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"DELETE /healthz HTTP/1.1\r\n" + H + b"\r\n", 405),
    (b"DELETE /echo HTTP/1.1\r\n" + H + b"\r\n", 405),
    (b"BREW /lobby/x HTTP/1.1\r\n" + H + b"\r\n", 405),
    (b"GET /nowhere HTTP/1.1\r\n" + H + b"\r\n", 404),
    (b"GET /lobby/x/ws HTTP/1.1\r\n" + H + b"\r\n", 426)], ids=range(45))
def test_refusals(kennel, data, status):
    """The right status, as text with its length; then a clean end."""
    with Http(kennel.address) as c:
        try:
            c.write(data)
        except OSError:
            pass
        r = c.response()
        assert r.status == status, r
        assert int(r["Content-Length"]) == len(r.body)
        if status in (400, 414, 431, 501, 505):
            assert not r.keeps
            c.half_close()
            assert c.ended()
        if status == 405:
            assert "GET" in r["Allow"]
        if status == 426:
            assert r["Upgrade"].lower() == "websocket"


def test_absolute_form(kennel):
    r = raw(kennel, b"GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (r.status, r.text) == (200, "ok\n")


@pytest.mark.parametrize("status, start", [
    (400, b"EHLO x\r\n"),
    (505, b"GET / HTTP/9.9\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a b\r\n"),
    (400, b"GET / HTTP/1.1\r\nA : b\r\n"),
    (501, b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n"),
])
def test_a_wrong_line_is_refused_when_it_has_ended(kennel, status, start):
    """Not after head_timeout, here 10 s, with 408; in one piece or by bytes."""
    for cuts in (), range(1, len(start)):
        assert raw(kennel, start, cuts).status == status


def test_slow_head_is_408(hurried):
    with Http(hurried.address) as c:
        c.write(b"GET / HT")
        r = c.response()
        assert r.status == 408 and not r.keeps
        assert c.ended()


def test_trickling_head_is_408(hurried):
    """A byte now and then does not move the deadline."""
    stop = threading.Event()
    with Http(hurried.address) as c:
        def trickle():
            try:
                c.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
                while not stop.wait(0.05):
                    c.write(b"x")
            except OSError:
                pass
        t = threading.Thread(target=trickle)
        t.start()
        try:
            assert c.response().status == 408
        finally:
            stop.set()
            t.join()


def test_silent_client_is_let_go(hurried):
    with Http(hurried.address) as c:
        assert c.ended()


def test_slow_body_is_408(hurried):
    with Http(hurried.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
        r = c.response()
        assert r.status == 408 and not r.keeps
        assert c.ended()
    hurried.wait_places(0)


def test_too_many_handshakes_are_503(start):
    k = start(shards=1, max_shards=1,
              config="[gateway]\nhandshakes_max = 20\n")
    slow = []
    for _ in range(20):
        c = Http(k.address)
        c.write(b"GET /")
        slow.append(c)
    wait.until(lambda: k.status()["handshakes"] == 20)
    r = get(k, "/healthz")
    assert r.status == 503 and int(r["Retry-After"]) > 0
    slow[0].close()
    wait.until(lambda: k.status()["handshakes"] == 19)
    assert get(k, "/healthz").status == 200
    for c in slow:
        c.close()


def test_error_answer_is_not_reset_away(kennel):
    """A client that goes on sending still reads why it was refused."""
    with Http(kennel.address) as c:
        c.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\n"
                b"Content-Length: 40000\r\n\r\n")
        c.write(b"x" * 40000)
        assert c.response().status == 404


def test_slow_reader_of_a_large_answer(kennel):
    with Http(kennel.address) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        body = bytes(range(256)) * 3900
        c.write(request("POST", "/echo", body=body))
        assert c.response().body == body


def test_client_that_leaves_in_the_middle(kennel):
    """At every byte of a request with a body; places come back."""
    data = request("POST", "/echo", body=b"0123456789") + \
        request("GET", f"/lobby/{room()}/broadcast")
    for cut in range(1, len(data), 3):
        c = Http(kennel.address)
        c.write(data[:cut])
        c.reset() if cut % 2 else c.close()
    kennel.wait_places(0)
    kennel.exact()


def test_many_at_once(kennel):
    """200 connections, 5 requests each, from 8 threads."""
    failures = []

    def client(n):
        try:
            cs = [Http(kennel.address) for _ in range(25)]
            for i in range(5):
                for c in cs:
                    c.write(request("POST", "/echo", body=b"%d.%d" % (n, i)))
                for c in cs:
                    assert c.response().body == b"%d.%d" % (n, i)
            for c in cs:
                c.close()
        except (AssertionError, Closed, OSError) as e:
            failures.append(repr(e))
    threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert failures == []
    kennel.wait_places(0)
