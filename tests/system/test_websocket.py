"""RFC 6455, table by table, on /echo."""
import random
import socket
import struct

import pytest
from kit import wait, ws
from kit.http import Http
from kit.wire import Closed
from kit.ws import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Ended,
                    WebSocket, close_frame, frame)

MAX = 16 << 20


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(config="[worker]\nclosing_timeout = 1s\n")


@pytest.fixture
def echo(kennel):
    with WebSocket(kennel.address) as c:
        yield c


def fails_with(c, code):
    """The server closes with this code, then ends the connection."""
    with pytest.raises(Ended) as e:
        while True:
            c.recv()
    assert e.value.code == code, e.value
    assert c.ended()


# ---- sizes and pieces ----

@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 128, 65535, 65536,
                                  65537, 1 << 20])
@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_sizes(echo, kind, size):
    data = bytes((i * 7) % 95 + 32 for i in range(min(size, 1000)))
    data = (data * (size // 1000 + 1))[:size]
    echo.send_frame(kind, data)
    got = echo.recv()
    assert got == (data.decode() if kind == TEXT else data)


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_largest_message(echo, kind):
    """16 MiB, in one frame and in many; then a small one."""
    data = b"x" * MAX
    echo.send_frame(kind, data)
    got = echo.recv()
    assert len(got) == MAX and got == (data.decode() if kind == TEXT else data)
    for i in range(16):
        echo.send_frame(kind if i == 0 else CONTINUATION, data[:1 << 20],
                        fin=i == 15)
    assert len(echo.recv()) == MAX
    echo.send("small")
    assert echo.recv() == "small"


@pytest.mark.parametrize("kind", [TEXT, BINARY])
def test_too_big_is_1009_at_the_header(echo, kind):
    echo.send_frame(kind, b"", length=MAX + 1)
    fails_with(echo, 1009)


def test_too_big_in_pieces_is_1009(echo):
    echo.send_frame(BINARY, b"x" * (MAX // 2), fin=False)
    echo.send_frame(CONTINUATION, b"", fin=False, length=MAX // 2 + 1)
    fails_with(echo, 1009)


def test_claimed_sizes_reserve_nothing(kennel):
    """Two hundred clients that announce 16 MiB each."""
    clients = []
    for _ in range(200):
        c = WebSocket(kennel.address)
        c.send_frame(BINARY, b"x", length=MAX)
        clients.append(c)
    with WebSocket(kennel.address) as c:
        c.send("ok")
        assert c.recv() == "ok"
    rss = 0
    for s in kennel.shards():
        for line in open(f"/proc/{s['pid']}/status"):
            if line.startswith("VmRSS"):
                rss += int(line.split()[1])
    assert rss < 1 << 20, f"{rss} KiB"
    for c in clients:
        c.reset()


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 13, 64])
def test_any_chunking(kennel, step):
    """The handshake and everything behind it, cut every few bytes."""
    c = WebSocket(kennel.address, open=False)
    data = ws.handshake("/echo", c.key) + \
        frame(TEXT, "one") + frame(PING, b"p") + \
        frame(TEXT, "tw", fin=False) + frame(PING, b"q") + \
        frame(CONTINUATION, "o") + frame(BINARY, bytes(range(256)) * 2) + \
        close_frame(1000, b"bye")
    c.write(data, cuts=range(step, len(data), step))
    c.opened()
    got = [c.recv_frame() for _ in range(6)]
    assert got[:5] == [(TEXT, True, b"one"), (PONG, True, b"p"),
                       (PONG, True, b"q"), (TEXT, True, b"two"),
                       (BINARY, True, bytes(range(256)) * 2)]
    assert got[5][0] == CLOSE and got[5][2][:2] == struct.pack("!H", 1000)
    assert c.ended()
    c.close()


def test_many_messages_in_one_segment(echo):
    echo.write(b"".join(frame(TEXT, f"{i}") for i in range(5000)))
    for i in range(5000):
        assert echo.recv() == str(i)


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff" * 4, b"\1\2\3\4",
                                  b"\x80\0\x7f\xff"])
def test_any_mask(echo, mask):
    for size in 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 125, 1000:
        data = bytes(range(256)) * 4
        echo.send_frame(BINARY, data[:size], mask=mask)
        assert echo.recv() == data[:size]


# ---- fragments and control frames ----

def test_fragments(echo):
    for pieces in [(b"", b""), (b"a", b""), (b"", b"a"), (b"a", b"b", b"c"),
                   (b"", b"", b""), (b"x" * 70000, b"y")]:
        for i, p in enumerate(pieces):
            echo.send_frame(CONTINUATION if i else BINARY, p,
                            fin=i == len(pieces) - 1)
        assert echo.recv() == b"".join(pieces)


def test_ten_thousand_fragments(echo):
    echo.write(frame(TEXT, "0", fin=False) +
               frame(CONTINUATION, "1", fin=False) * 10000 +
               frame(CONTINUATION, "2"))
    assert echo.recv() == "0" + "1" * 10000 + "2"


@pytest.mark.parametrize("size", [0, 1, 125])
def test_ping_is_answered(echo, size):
    data = bytes(range(125))[:size]
    echo.send_frame(PING, data)
    assert echo.recv_frame() == (PONG, True, data)


def test_ping_between_fragments(echo):
    echo.send_frame(TEXT, "a", fin=False)
    echo.send_frame(PING, b"now")
    assert echo.recv_frame() == (PONG, True, b"now")
    echo.send_frame(CONTINUATION, "b")
    assert echo.recv() == "ab"


def test_unasked_pong_is_ignored(echo):
    for data in b"", b"x", bytes(125):
        echo.send_frame(PONG, data)
    echo.send("after")
    assert echo.recv() == "after"


def test_many_pings_are_answered_in_order(echo):
    echo.write(b"".join(frame(PING, b"%d" % i) for i in range(1000)))
    for i in range(1000):
        assert echo.recv_frame() == (PONG, True, b"%d" % i)


def test_masked_frames_only(echo):
    echo.send_frame(TEXT, "x", mask=None)
    fails_with(echo, 1002)


BAD = {
    "rsv1": [frame(TEXT, "x", rsv=4)],
    "rsv2": [frame(TEXT, "x", rsv=2)],
    "rsv3": [frame(TEXT, "x", rsv=1)],
    "rsv all": [frame(BINARY, b"", rsv=7)],
    "rsv on ping": [frame(PING, b"", rsv=4)],
    "rsv on continuation": [frame(TEXT, "x", fin=False),
                            frame(CONTINUATION, "y", rsv=4)],
    **{f"opcode {n}": [frame(n, b"x")] for n in (3, 4, 5, 6, 7, 11, 12, 13,
                                                 14, 15)},
    **{f"opcode {n} empty": [frame(n)] for n in (3, 11)},
    "fragmented ping": [frame(PING, b"x", fin=False)],
    "fragmented pong": [frame(PONG, b"x", fin=False)],
    "fragmented close": [frame(CLOSE, b"", fin=False)],
    "ping of 126": [frame(PING, bytes(126))],
    "pong of 126": [frame(PONG, bytes(126))],
    "ping of 7 in 64 bits": [frame(PING, bytes(7), width=64)],
    "close of 126": [close_frame(1000, bytes(124))],
    "close of 1": [frame(CLOSE, b"\x03")],
    "continuation of nothing": [frame(CONTINUATION, b"x")],
    "continuation of nothing, unfinished":
        [frame(CONTINUATION, b"x", fin=False)],
    "continuation after the end": [frame(TEXT, "a", fin=False),
                                   frame(CONTINUATION, "b"),
                                   frame(CONTINUATION, "c")],
    "text in text": [frame(TEXT, "a", fin=False), frame(TEXT, "b")],
    "binary in text": [frame(TEXT, "a", fin=False),
                       frame(BINARY, b"b", fin=False)],
    "length 5 in 16 bits": [frame(TEXT, b"hello", width=16)],
    "length 125 in 16 bits": [frame(TEXT, b"x" * 125, width=16)],
    "length 5 in 64 bits": [frame(TEXT, b"hello", width=64)],
    "length 65535 in 64 bits": [frame(BINARY, bytes(65535), width=64)],
    "top bit of length": [frame(BINARY, b"", length=1 << 63)],
    "http": [b"GET / HTTP/1.1\r\n\r\n"],
}


@pytest.mark.parametrize("frames", BAD.values(), ids=BAD)
def test_what_breaks_the_rules_is_1002(kennel, frames):
    """Whole, and a byte at a time; what came before is answered."""
    for cuts in (), range(1, 1 << 17) if len(b"".join(frames)) < 300 else ():
        with WebSocket(kennel.address) as c:
            good = frame(TEXT, "good")
            data = good + b"".join(frames)
            try:
                c.write(data, cuts=[x for x in cuts if x < len(data)])
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert c.recv() == "good"
            assert c.end() == 1002


def test_nothing_is_heard_after_a_mistake(kennel):
    with WebSocket(kennel.address) as c:
        c.write(frame(3, b"") + frame(TEXT, "late"))
        with pytest.raises(Ended) as e:
            c.recv()
        assert e.value.code == 1002


# ---- UTF-8 ----

GOOD_UTF8 = ["", "\0", "\x7f", "\x80", "\u07ff", "\u0800", "\ud7ff", "\ue000",
             "\ufffd", "\ufffe", "\uffff", "\U00010000", "\U0010ffff",
             "κόσμε", "🐕\u200d🦺", "\ufeffx", "a\u0300" * 100]
BAD_UTF8 = [b"\x80", b"\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xc2\x41",
            b"\xe0\x80\x80", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
            b"\xe1\x80", b"\xe1\x80\x41", b"\xf0\x80\x80\x80",
            b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
            b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"ok \xce\xba\xe1\xbd",
            b"\xed\xa0\xbd\xed\xb0\x95"]


@pytest.mark.parametrize("text", GOOD_UTF8, ids=range(len(GOOD_UTF8)))
def test_good_utf8_at_every_cut(echo, text):
    data = text.encode()
    echo.send(text)
    assert echo.recv() == text
    for i in range(min(len(data), 16)):
        echo.send_frame(TEXT, data[:i], fin=False)
        echo.send_frame(CONTINUATION, data[i:])
        assert echo.recv() == text
    for i, b in enumerate(data):
        echo.send_frame(CONTINUATION if i else TEXT, bytes([b]),
                        fin=i == len(data) - 1)
    if data:
        assert echo.recv() == text


@pytest.mark.parametrize("data", BAD_UTF8, ids=range(len(BAD_UTF8)))
def test_bad_utf8_is_1007(kennel, data):
    with WebSocket(kennel.address) as c:
        c.send_frame(TEXT, b"fine so far " + data)
        fails_with(c, 1007)
    with WebSocket(kennel.address) as c:
        for i, b in enumerate(data):
            try:
                c.send_frame(CONTINUATION if i else TEXT, bytes([b]),
                             fin=i == len(data) - 1)
            except (BrokenPipeError, ConnectionResetError):
                break
        assert c.end() == 1007
    with WebSocket(kennel.address) as c:
        c.send_frame(BINARY, data)
        assert c.recv() == data


@pytest.mark.parametrize("data", [b"\xff", b"\xc0", b"\xe0\x80", b"\xed\xa0",
                                  b"\xf4\x90", b"\xce\xba\xe1\xbd\xb9\xcf\xf4"],
                         ids=range(6))
def test_bad_utf8_fails_fast(kennel, data):
    """Before the message, and even the frame, is complete."""
    with WebSocket(kennel.address) as c:
        c.send_frame(TEXT, b"ok " + data, fin=False)
        fails_with(c, 1007)
    with WebSocket(kennel.address) as c:
        c.write(frame(TEXT, b"ok " + data, length=1000))
        fails_with(c, 1007)


# ---- closing ----

@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009,
                                  1010, 1011, 1012, 1013, 1014, 3000, 3999,
                                  4000, 4999])
@pytest.mark.parametrize("reason", [b"", b"bye", "grüße 🐕".encode(),
                                    b"x" * 123])
def test_close_is_answered(echo, code, reason):
    assert echo.goodbye(code, reason) in (code, 1000)


def test_close_without_code(echo):
    echo.write(frame(CLOSE))
    with pytest.raises(Ended) as e:
        echo.recv()
    assert e.value.code in (1005, 1000)
    assert echo.ended()


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016,
                                  1100, 2000, 2999, 5000, 65535])
def test_close_codes_that_must_not_be_sent(echo, code):
    echo.write(close_frame(code))
    fails_with(echo, 1002)


def test_close_reason_must_be_utf8(echo):
    echo.write(close_frame(1000, b"\xff"))
    fails_with(echo, 1007)


def test_what_came_before_the_close_is_answered(echo):
    echo.write(frame(TEXT, "last") + close_frame(1000))
    assert echo.recv() == "last"
    fails_with(echo, 1000)


def test_what_comes_after_the_close_is_not_heard(echo):
    echo.write(close_frame(1000) + frame(TEXT, "late") + close_frame(1001) +
               frame(PING, b"x") + b"garbage")
    assert echo.end() == 1000


def test_close_in_the_middle_of_a_message(echo):
    echo.write(frame(TEXT, "half", fin=False) + close_frame(1000))
    fails_with(echo, 1000)


def test_client_that_does_not_close_is_cut_off(kennel):
    """The server closed; the client stays silent: the deadline ends it."""
    with WebSocket(kennel.address) as c:
        c.send_frame(3, b"")
        with pytest.raises(Ended):
            c.recv()
        try:
            assert c.read_all() == b""
        except Closed:
            pass


def test_slow_reader_gets_everything(kennel):
    """The echo waits for the client; it is not cut off below the bound."""
    with WebSocket(kennel.address) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        big = b"x" * (1 << 19)
        c.send(big)
        c.send(b"second")
        assert c.recv() == big
        assert c.recv() == b"second"


def test_reader_that_never_reads_is_cut_off(kennel):
    """Its memory is bounded: 1 MiB already queued, and one message."""
    c = WebSocket(kennel.address)
    c.sock.settimeout(wait.limit(30))
    data = frame(BINARY, b"x" * (1 << 20))
    with pytest.raises((BrokenPipeError, ConnectionResetError, socket.timeout)):
        for _ in range(400):
            c.write(data)
    c.close()
    with WebSocket(kennel.address) as other:
        other.send("alive")
        assert other.recv() == "alive"


# ---- handshake ----

@pytest.mark.parametrize("kw,status", [
    (dict(method="POST"), 405), (dict(method="PUT"), 405),
    (dict(upgrade="h2c"), 426), (dict(version="8"), 426),
    (dict(version="0"), 426), (dict(connection="keep-alive"), 400),
    (dict(host="a b"), 400), (dict(without=["Host"]), 400)])
def test_handshake_refusals(kennel, kw, status):
    with Http(kennel.address) as c:
        c.write(ws.handshake("/lobby/h/ws", ws.key(), **kw))
        assert c.response().status in (status, 400)


def test_extensions_and_protocols_are_not_agreed_on_unasked(kennel):
    fields = [("Sec-WebSocket-Extensions", "permessage-deflate; x=1, foo"),
              ("Sec-WebSocket-Protocol", "chat, superchat"),
              ("Origin", "http://elsewhere"), ("X-Unknown", "ü")]
    with WebSocket(kennel.address, fields=fields) as c:
        assert c.handshake["Sec-WebSocket-Extensions"] is None
        assert c.handshake["Sec-WebSocket-Protocol"] is None
        c.send("x")
        assert c.recv() == "x"


@pytest.mark.parametrize("upgrade", ["websocket, h2c", "h2c, websocket"])
def test_upgrade_is_a_list(kennel, upgrade):
    with WebSocket(kennel.address, upgrade=upgrade) as c:
        c.send("x")
        assert c.recv() == "x"


def test_random_garbage_harms_only_its_sender(kennel):
    dice = random.Random(6455)
    with WebSocket(kennel.address) as good:
        for i in range(200):
            c = WebSocket(kennel.address)
            try:
                c.write(bytes(dice.randrange(256) for _ in
                              range(dice.randrange(1, 300))))
                if i % 3:
                    c.half_close()
                    c.end()
                    c.close()
                else:
                    c.reset()
            except OSError:
                c.close()
            good.send(str(i))
            assert good.recv() == str(i)
    kennel.wait_places(0)
