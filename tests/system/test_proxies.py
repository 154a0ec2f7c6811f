"""Behind real proxies: nginx and HAProxy, by PROXY protocol and X-Forwarded-For."""
import json
import os
import re
import socket
import stat
import struct
import threading

import pytest
from kit import wait
from kit.chat import Chat, crowd, settle
from kit.http import Http, request
from kit.kennel import Ports
from kit.proxies import Haproxy, Nginx, program
from kit.wire import Closed, Wire
from kit.ws import PING, PONG, WebSocket, frame, handshake

pytestmark = pytest.mark.skipif(
    not (program("nginx") and program("haproxy")),
    reason="nginx and haproxy are not installed (scripts/deps test)")

CONFIG = """
[listener web]
address = 127.0.0.1:%d
proxy_protocol = yes
proxy_trusted = 127.0.0.1 127.0.0.9

[worker]
trusted_proxies = 127.0.0.1
"""

# How each says who the client is: what is changed in its snippet, and whether
# Kennel learns its port, whether it believes headers, and whether it hears of TLS.
WAYS = {
    "haproxy-v2": (Haproxy, (), True, 0, 1),
    "haproxy-v1": (Haproxy, (("127.0.0.1:%d send-proxy-v2-ssl",
                              "127.0.0.1:%d send-proxy"),), True, 0, 0),
    "haproxy-forwarded-for": (Haproxy, (
        ("    server kennel 127.0.0.1:%d send-proxy-v2-ssl\n", ""),
        ("    #     ", "    ")), False, 1, 1),
    "nginx": (Nginx, (), False, 1, 1),
}


class Behind:
    """A kennel, and a way to put a proxy before it."""

    def __init__(self, kennel, listener):
        self.kennel = kennel
        self.listener = listener

    def proxy(self, way, *changes):
        make, own, port, _, _ = WAYS[way]
        backend = self.listener if port else self.kennel.port
        own = [tuple(t % backend if "%d" in t else t for t in pair)
               for pair in own]
        return make(backend, *own, *changes)


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("peer.c")


@pytest.fixture
def behind(start, worker):
    def starter(config="", **kw):
        port = Ports.take()
        return Behind(start(worker=worker, config=CONFIG % port + config, **kw),
                      port)
    return starter


def said(text, source, way):
    """Is it what the worker should know of a client at source?"""
    _, _, port, proxied, secure = WAYS[way]
    peer = re.escape(source) + (r":[1-9]\d*" if port else ":0")
    assert re.fullmatch(f"{peer} {proxied} {secure}", text), text


def opened(proxy, source="127.0.0.2", path="/g", **kw):
    """A WebSocket by the proxy, and what it was told first."""
    c = WebSocket(proxy.connect(source), path, **kw)
    return c, c.recv()


# ---- the client's address ----

@pytest.mark.parametrize("way", WAYS)
def test_the_client_is_who_asked_the_proxy(behind, way):
    """Over TLS, each request and each WebSocket, whatever it says of itself."""
    b = behind()
    lies = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "gopher"),
            ("Forwarded", "for=6.6.6.6;proto=https")]
    with b.proxy(way) as p:
        for n in range(3):
            for source in "127.0.0.2", "127.0.0.3":
                with Http(p.connect(source)) as c:
                    for fields in [], lies:
                        r = c.ask("GET", f"/x{n}", fields=fields)
                        said(r.text, source, way)
                c, text = opened(p, source, fields=lies)
                said(text, source, way)
                c.send("hello")
                assert c.recv() == "hello"
                c.goodbye()
    totals = b.kennel.status()["totals"]
    assert totals["proxy_refused"] == 0
    if way == "nginx":          # which keeps its connections to Kennel
        assert totals["home"] > 0 and totals["accepted"] < totals["requests"]


@pytest.mark.parametrize("way", WAYS)
def test_limits_per_address_are_the_clients(behind, way):
    """And not the proxy's, who has all of them."""
    b = behind("[gateway]\nper_address = 2\n")
    with b.proxy(way) as p:
        here = [opened(p, source)[0] for source in
                ("127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3")]
        with Http(p.connect("127.0.0.2")) as c:
            r = c.ask("GET", "/x")
            assert r.status == 503 and "your address" in r.text
        with Http(p.connect("127.0.0.4")) as c:
            said(c.ask("GET", "/x").text, "127.0.0.4", way)
        here.pop(0).goodbye()
        b.kennel.wait_places(3)
        with Http(p.connect("127.0.0.2")) as c:
            said(c.ask("GET", "/x").text, "127.0.0.2", way)
        for c in here:
            c.goodbye()


# ---- upgrades ----

class Talk(threading.Thread):
    """One says a number after the other; how often, and what failed of it."""

    def __init__(self, chat):
        super().__init__()
        self.chat, self.said, self.failed = chat, 0, None
        self.stop = threading.Event()
        self.start()

    def run(self):
        try:
            while not self.stop.wait(0.01):
                self.chat.say(str(self.said))
                self.said += 1
            self.chat.say("the end")
        except Exception as e:                  # whatever it is, it has failed
            self.failed = repr(e)


def texts(chat):
    """All that it hears until the end."""
    heard = []
    while True:
        m = chat.next(type="user:msg")
        if m["text"] == "the end":
            return heard
        heard.append(m["text"])


@pytest.mark.parametrize("way", WAYS)
def test_upgrades_behind_it_cut_nobody_off(start, way):
    """
    Of the workers and of the gateway, three of each: over TLS, words keep coming, once and
    in order, a message goes on from its middle, and who comes meanwhile is served.
    """
    port = Ports.take()
    b = Behind(start(shards=2, limit=50, config=CONFIG % port + "[gateway]\nupgrade_hold = "
                     "100ms\n"), port)
    k = b.kennel
    # HAProxy waits no longer for the next request of an idle client, either.
    patience = [] if way == "nginx" else [("timeout http-request 10s", "timeout http-request 10m")]
    with b.proxy(way, *patience) as p:
        people = crowd(p, "room", "abcdef")
        half = Chat(p, "half", "x")
        other = Chat(p, "half", "y")
        idle = Http(p.connect())
        assert idle.ask("GET", "/lobby/x").status == 200
        talk = Talk(people[0])
        try:
            for i in range(3):
                data = frame(1, json.dumps({"type": "msg", "text": f"half {i}"}).encode())
                half.write(data[:11])
                old, started = {s["pid"] for s in k.shards()}, k.status()["started"]
                k.ctl("upgrade")
                assert not old & {s["pid"] for s in k.shards()}
                t = k.status()["totals"]        # since this gateway began
                assert t["moved"] == 8
                assert {why for why, n in t["gone"].items() if n} <= {"home", "client"}
                half.write(data[11:20])
                k.ctl("upgrade", "gateway")
                assert k.status()["started"] != started
                half.write(data[20:])
                other.next(type="user:msg", text=f"half {i}")
                assert idle.ask("GET", "/lobby/x").status == 200
                late = Chat(p, "late", f"u{i}")
                assert late.users()
                late.goodbye()
                k.wait_places(8)
        finally:
            talk.stop.set()
            talk.join()
        assert talk.failed is None and talk.said > 20
        for c in people[1:]:
            assert texts(c) == [str(n) for n in range(talk.said)]
        settle(*people)
        for c in [*people, half, other, idle]:
            c.close()
    k.exact()


# ---- time ----

@pytest.mark.parametrize("way", ["haproxy-v2", "nginx"])
def test_who_is_silent_for_long_stays(behind, way):
    """Kennel pings more often than the proxy loses patience; without, it does."""
    ping = 1500 * min(wait.slowness(), 4)
    patience = f"{4 * ping}ms"
    changes = [("timeout tunnel 75s", f"timeout tunnel {patience}"),
               ("timeout client 60s", f"timeout client {patience}"),
               ("timeout server 60s", f"timeout server {patience}")] \
        if way != "nginx" else \
        [("proxy_read_timeout 75s", f"proxy_read_timeout {patience}"),
         ("proxy_send_timeout 75s", f"proxy_send_timeout {patience}")]
    lively = behind(f"[worker]\nping_interval = {ping}ms\n")
    quiet = behind()
    with lively.proxy(way, *changes) as p, quiet.proxy(way, *changes) as q:
        silent, _ = opened(q)
        c, _ = opened(p)
        for _ in range(6):
            opcode, _, payload = c.recv_frame()
            assert opcode == PING
            c.send_frame(PONG, payload)
        c.send("still here")
        assert c.recv() == "still here"
        c.goodbye()
        with pytest.raises(Closed):
            silent.recv()


@pytest.mark.parametrize("way", ["haproxy-v2", "nginx"])
def test_a_reload_of_the_proxy_disturbs_nobody(behind, way):
    """Who is connected stays so, and who comes is served."""
    b = behind()
    with b.proxy(way) as p:
        here = []
        for n in range(3):
            here += [opened(p)[0] for _ in range(5)]
            p.reload()
            for m in range(4):
                with Http(p.connect("127.0.0.3")) as c:
                    said(c.ask("GET", f"/{n}/{m}").text, "127.0.0.3", way)
            for c in here:
                c.send(f"after {n}")
            for c in here:
                assert c.recv() == f"after {n}"
        b.kennel.wait_places(len(here))
        for c in here:
            c.goodbye()
    assert b.kennel.status()["totals"]["proxy_refused"] == 0


# ---- who speaks the PROXY protocol, and how ----

LINE = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v2(command, family, body=b""):
    return V2 + bytes([0x20 | command, family]) + \
        struct.pack("!H", len(body)) + body


TCP6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + \
    struct.pack("!HH", 4711, 80)
TLS = b"\x20\0\x05\x01\0\0\0\0"

HEADS = {
    "line": (LINE, "192.0.2.7:4711 0 0"),
    "line6": (b"PROXY TCP6 2001:db8::7 ::1 4711 80\r\n",
              "[2001:db8::7]:4711 0 0"),
    "unknown": (b"PROXY UNKNOWN whatever\r\n", r"127.0.0.1:\d+ 1 0"),
    "v2": (v2(1, 0x21, TCP6), "[2001:db8::7]:4711 0 0"),
    "tls": (v2(1, 0x21, TCP6 + TLS), "[2001:db8::7]:4711 0 1"),
    "local": (v2(0, 0), r"127.0.0.1:\d+ 1 0"),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads(behind, name):
    """Each form, in one piece and cut anywhere, and what follows goes on."""
    b = behind()
    head, expected = HEADS[name]
    pattern = expected if "\\" in expected else re.escape(expected)
    whole = head + request(path="/x")
    cuts = [(), (len(head),), range(1, len(whole))]
    for cut in cuts:
        with Http(("127.0.0.1", b.listener)) as c:
            c.write(whole, cut)
            assert re.fullmatch(pattern, c.response().text)
            # The connection is the same client's still.
            assert re.fullmatch(pattern, c.ask("GET", "/y").text)
    with WebSocket(("127.0.0.1", b.listener), open=False) as c:
        c.write(head + handshake("/ws", c.key) + frame(1, b"early"))
        c.opened()
        assert re.fullmatch(pattern, c.recv()) and c.recv() == "early"


WRONG = {
    "none": request(path="/x"),
    "short": b"PROXY TCP4 1.2.3.4\r\n" + request(path="/x"),
    "long": b"PROXY TCP4 " + b"1" * 200,
    "signature": V2[:-1] + b"x" * 20,
    "version": V2 + b"\x11\x11\0\0",
    "huge": V2 + b"\x21\x11\xff\xff",
    "tls": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_head_is_closed(behind, name):
    """Counted and said, and others go on."""
    b = behind()
    with Wire(("127.0.0.1", b.listener)) as c:
        c.write(WRONG[name])
        assert c.ended() or c.buf == b""
    wait.until(lambda: b.kennel.status()["totals"]["proxy_refused"] == 1)
    b.kennel.wait_log(r"warn .*listener name=web peer=127\.0\.0\.1:\d+ closed, "
                      r"for the head of the PROXY protocol is refused: .+; "
                      r"others since the last such line: 0")
    with Http(("127.0.0.1", b.listener)) as c:
        c.write(LINE + request(path="/x"))
        assert c.response().text == "192.0.2.7:4711 0 0"


def test_who_is_not_trusted_is_closed_and_the_log_is_not_flooded(behind):
    b = behind()
    for _ in range(200):
        with Wire(socket.create_connection(
                ("127.0.0.1", b.listener), source_address=("127.0.0.2", 0))) \
                as c:
            try:
                c.write(LINE + request(path="/x"))
                assert c.read_all() == b""
            except (Closed, BrokenPipeError, ConnectionResetError):
                pass
    wait.until(lambda: b.kennel.status()["totals"]["proxy_refused"] == 200)
    lines = b.kennel.log().count("not one of proxy_trusted")
    assert 1 <= lines < 20
    with Http(socket.create_connection(
            ("127.0.0.1", b.listener), source_address=("127.0.0.9", 0))) as c:
        c.write(LINE + request(path="/x"))
        assert c.response().text == "192.0.2.7:4711 0 0"


def test_a_head_that_does_not_come_ends_in_time(behind):
    b = behind("[gateway]\nhead_timeout = 300ms\n")
    with Wire(("127.0.0.1", b.listener)) as c:
        c.write(b"PROXY TCP4")
        assert c.ended()
    with Wire(("127.0.0.1", b.listener)) as c:
        assert c.ended()
    with Http(("127.0.0.1", b.listener)) as c:
        c.write(LINE + b"GET /")
        assert c.response().status == 408


def test_a_unix_listener_has_a_mode_and_trusts_unix(start, worker, tmp_path):
    path = str(tmp_path / "s")
    k = start(worker=worker, listen=(), config=f"""
[listener local]
address = unix:{path} mode=0660
proxy_protocol = yes
proxy_trusted = unix
""")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert f"listen=unix:{path} " in k.log()       # and no 8080
    with Http(path) as c:
        c.write(LINE + request(path="/x"))
        assert c.response().text == "192.0.2.7:4711 0 0"
    assert k.term() == 0 and not os.path.exists(path)
    k.stop()


# ---- what is forwarded ----

@pytest.mark.parametrize("fields, expected", [
    ([("X-Forwarded-For", "6.6.6.6, 192.0.2.8, 127.0.0.1")], "192.0.2.8:0 1 0"),
    ([("X-Forwarded-For", "192.0.2.8, x")], r"127.0.0.1:\d+ 1 0"),
    ([("Forwarded", 'for=6.6.6.6, for="[2001:db8::8]:47";proto=https')],
     "[2001:db8::8]:47 1 1"),
    ([("X-Forwarded-Proto", "https")], r"127.0.0.1:\d+ 1 1"),
], ids=range(4))
def test_the_rightmost_that_is_not_trusted(behind, fields, expected):
    """Each request of one connection is told apart."""
    b = behind()
    pattern = expected if "\\" in expected else re.escape(expected)
    with Http(b.kennel.address) as c:
        for _ in range(3):
            assert re.fullmatch(pattern, c.ask("GET", "/x", fields=fields).text)
            assert re.fullmatch(r"127.0.0.1:\d+ 1 0", c.ask("GET", "/x").text)
    with Http(socket.create_connection(
            b.kennel.address, source_address=("127.0.0.2", 0))) as c:
        assert re.fullmatch(r"127.0.0.2:\d+ 0 0",
                            c.ask("GET", "/x", fields=fields).text)
