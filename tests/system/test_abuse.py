"""Clients that mean harm: after each of them, the next one is served at once."""
import random
import socket

import pytest
from kit import wait, ws
from kit.http import Http, get, request
from kit.wire import Closed
from kit.ws import WebSocket, handshake

CONFIG = """
[gateway]
head_timeout = 2s
"""
H = b"Host: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def victim(start_shared):
    return start_shared(shards=2, config=CONFIG)


@pytest.fixture
def kennel(victim):
    """Whatever a test does to it, somebody good is served at once after it."""
    yield victim
    good(victim)
    victim.exact()
    assert len(victim.shards()) == 2
    assert all(s["restarts"] == 0 for s in victim.shards())


def good(kennel):
    assert get(kennel, "/healthz").text == "ok\n"
    with WebSocket(kennel.address, "/echo") as c:
        c.send("still there?")
        assert c.recv() == "still there?"
        c.goodbye()


def answer(kennel, data):
    """The status that these bytes get; None if they only end the connection."""
    with Http(kennel.address) as c:
        try:
            c.write(data)
            c.half_close()
        except OSError:
            pass
        try:
            return c.response(head_only=data.startswith(b"HEAD")).status
        except Closed:
            return None


# ---- heads that others might read differently ----

@pytest.mark.parametrize("head", [
    GET + b"Host: x\n\n",
    GET + b"Host: x\r\n\n",
    GET + b"Host: x\r\r\n\r\n",
    GET + b"Host: user@x\r\n\r\n",
    GET + b"Host: x/y\r\n\r\n",
    GET + b"Host: x\x7f\r\n\r\n",
    GET + b"Host: x\r\nhOST: x\r\n\r\n",
    GET + b"Host\t: x\r\n\r\n",
    GET + b"Host: x\r\n\tfolded\r\n\r\n",
    GET + H + b"A\0: b\r\n\r\n",
    GET + H + b"A: \x08\r\n\r\n",
    GET + H + b"A b: c\r\n\r\n",
    b"GET\t/healthz\tHTTP/1.1\r\n" + H + b"\r\n",
    b"GET /healthz\0 HTTP/1.1\r\n" + H + b"\r\n",
    b"GET /health z HTTP/1.1\r\n" + H + b"\r\n",
    b"GET /healthz HTTP/1.11\r\n" + H + b"\r\n",
    b"GET healthz HTTP/1.1\r\n" + H + b"\r\n",
    b"GET http:// HTTP/1.1\r\n" + H + b"\r\n",
    b"GET http:///healthz HTTP/1.1\r\n" + H + b"\r\n",
    b"GET ftp://x/healthz HTTP/1.1\r\n" + H + b"\r\n",
    b"GET * HTTP/1.1\r\n" + H + b"\r\n",
    b"HEAD * HTTP/1.1\r\n" + H + b"\r\n",
], ids=range(22))
def test_odd_heads_are_refused(kennel, head):
    assert answer(kennel, head) in (400, 404, 501, 505)


@pytest.mark.parametrize("fields", [
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: 5 5\r\n",
    b"Content-Length: 5\r\ncontent-length: 6\r\n",
    b"Content-Length: 18446744073709551621\r\n",
], ids=range(11))
def test_no_request_is_smuggled(kennel, fields):
    """One refusal, and nothing that stands behind it is a request."""
    with Http(kennel.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\n" + H + fields + b"\r\n"
                b"0\r\n\r\n" + GET + H + b"\r\n")
        r = c.response()
        assert r.status in (400, 413, 501) and not r.keeps
        c.half_close()
        assert c.ended()


def test_a_body_of_terabytes_is_refused_unread(kennel):
    with Http(kennel.address) as c:
        c.write(b"POST /echo HTTP/1.1\r\n" + H +
                b"Content-Length: 1099511627776\r\n\r\n")
        assert c.response().status == 413


@pytest.mark.parametrize("path", [
    "/pages/../../../../etc/passwd", "/pages/%2e%2e/%2e%2e/etc/passwd",
    "/pages/..%2f..%2f..%2fetc%2fpasswd", "/pages/%252e%252e/etc/passwd",
    "/pages//etc/passwd", "/pages/%2fetc%2fpasswd", "/pages/..%5c..%5cpasswd",
    "/pages/%c0%ae%c0%ae/passwd", "/pages/chat.js%00.html", "/pages/.",
    "/pages/%00", "/pages/" + "../" * 500 + "etc/passwd", "/pages/%",
    "/pages/%zz"])
def test_pages_are_not_a_way_out(kennel, path):
    with Http(kennel.address) as c:
        c.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        r = c.response()
        assert r.status in (400, 404) and b"root:" not in r.body


# ---- upgrades ----

@pytest.mark.parametrize("how", [
    dict(method="POST"), dict(method="HEAD"), dict(version="12"),
    dict(version="13, 13"), dict(without=["Sec-WebSocket-Version"]),
    dict(without=["Sec-WebSocket-Key"]), dict(without=["Connection"]),
    dict(upgrade="h2c"), dict(connection="close"),
    dict(fields=[("Content-Length", "5")]),
    dict(fields=[("Transfer-Encoding", "chunked")]),
    dict(fields=[("Sec-WebSocket-Key", "A" * 22 + "==")])], ids=range(12))
def test_upgrades_that_are_none(kennel, how):
    data = handshake("/lobby/abuse/ws", ws.key(), **how)
    status = answer(kennel, data + b"hello")
    assert status is None or 400 <= status < 500
    assert kennel.group("abuse") == []


@pytest.mark.parametrize("key", ["", "x", "A" * 22,
                                 "A" * 24, "A" * 4000, "!" * 22 + "=="])
def test_keys_that_are_none(kennel, key):
    assert answer(kennel, handshake("/lobby/abuse/ws", key)) == 400


def test_a_request_before_an_upgrade_is_answered_first(kennel):
    with WebSocket(kennel.address, open=False) as c:
        c.write(request("GET", "/healthz") + handshake("/echo", c.key) +
                ws.frame(ws.TEXT, "hello"))
        assert c.response().text == "ok\n"
        c.opened()
        assert c.recv() == "hello"
        c.goodbye()


def test_a_request_behind_an_upgrade_is_not_http(kennel):
    with WebSocket(kennel.address, behind=request("GET", "/healthz")) as c:
        assert c.end() == 1002


# ---- what is not HTTP ----

HELLO = bytes.fromhex(
    "16030100a5010000a10303") + bytes(range(32)) + bytes.fromhex(
    "20") + bytes(32) + bytes.fromhex("00021301010000560000000a00080000056c6f"
                                      "63616c")


def test_tls(kennel):
    assert answer(kennel, HELLO) in (400, None)


def test_noise(kennel):
    dice = random.Random(1)
    for n in range(200):
        data = dice.randbytes(dice.randrange(1, 5000))
        assert answer(kennel, data) in (400, 408, 414, 431, 501, 505, None)


def test_noise_behind_a_good_beginning(kennel):
    dice = random.Random(2)
    for n in range(100):
        data = bytearray(GET + H + b"Accept: */*\r\nUser-Agent: x\r\n\r\n")
        for _ in range(dice.randrange(1, 4)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        answer(kennel, bytes(data))


def test_noise_in_place_of_frames(kennel):
    dice = random.Random(3)
    for n in range(100):
        with WebSocket(kennel.address,
                       behind=dice.randbytes(dice.randrange(2, 500))) as c:
            try:
                c.half_close()
            except OSError:
                pass
            c.end()


# ---- who goes in the middle ----

@pytest.mark.parametrize("data", [
    request("POST", "/echo", body=b"12345"),
    handshake("/echo", ws.key()) + ws.frame(ws.TEXT, "hello"),
    handshake("/lobby/abuse/ws?u=me", ws.key())], ids=["post", "echo", "lobby"])
def test_a_reset_at_any_byte(kennel, data):
    for cut in range(len(data) + 1):
        c = Http(kennel.address)
        c.write(data[:cut])
        c.reset()
    kennel.wait_places(0)
    wait.until(lambda: kennel.status()["handshakes"] == 0)


def test_two_thousand_that_say_nothing(kennel):
    idle = [socket.create_connection(kennel.address) for _ in range(2000)]
    for _ in range(5):
        good(kennel)
    for c in idle[::2]:
        c.send(b"GET /hea")
    good(kennel)
    # They are let go at the deadline.
    wait.until(lambda: kennel.status()["handshakes"] == 0, 20)
    for c in idle:
        c.close()
