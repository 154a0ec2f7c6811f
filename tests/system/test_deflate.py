"""permessage-deflate (RFC 7692)."""
import json
import os
import zlib

import pytest
from kit.deflate import PLAIN, Deflate, deflated
from kit.ws import (BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Ended,
                    WebSocket, frame)

MAX = 1 << 20
AGREED = PLAIN + "; server_no_context_takeover; client_no_context_takeover"


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(shards=2, limit=10,
                        config="[worker]\ndeflate = yes\nmessage_max = 1M\n"
                        "closing_timeout = 1s\n")


@pytest.fixture
def echo(kennel):
    with Deflate(kennel.address) as c:
        yield c


def fails_with(c, code):
    with pytest.raises(Ended) as e:
        while True:
            c.recv()
    assert e.value.code == code, e.value
    assert c.ended()


def words(size):
    """Text like a chat's: neither random nor all the same."""
    out, i = [], 0
    while sum(map(len, out)) < size:
        out.append('{"type":"msg","n":%d,"text":"%s"}' % (i, i * 7919 % 1009))
        i += 1
        if i % 1000 == 0:
            out = ["".join(out)]
    return "".join(out)[:size]


# ---- what is agreed on ----

def test_off_unless_asked_for(start):
    k = start()
    with Deflate(k.address) as c:
        assert c.agreed is None
        c.send("x" * 1000)
        assert c.recv() == "x" * 1000 and c.compressed == [False]
        c.send_deflated("x" * 1000)
        fails_with(c, 1002)


@pytest.mark.parametrize("offer,answer", [
    (PLAIN, AGREED),
    (PLAIN + "; client_max_window_bits", AGREED),
    (PLAIN + "; client_max_window_bits=8; client_no_context_takeover", AGREED),
    (PLAIN + "; server_no_context_takeover", AGREED),
    (PLAIN + "; server_max_window_bits=9", AGREED + "; server_max_window_bits=9"),
    (PLAIN + '; server_max_window_bits="15"',
     AGREED + "; server_max_window_bits=15"),
    (PLAIN + "; server_max_window_bits=8", None),
    (PLAIN + "; server_max_window_bits=16", None),
    (PLAIN + "; server_max_window_bits", None),
    (PLAIN + "; what=ever", None),
    (PLAIN + "; server_max_window_bits=8, " + PLAIN, AGREED),
    ("x-webkit-deflate-frame, " + PLAIN, AGREED),
    ("x", None), (";;,,==", None),
])
def test_offers(kennel, offer, answer):
    with Deflate(kennel.address, offer=offer) as c:
        assert c.agreed == answer
        data = words(4000)
        if answer:
            c.send_deflated(data)
        else:
            c.send(data)
        assert c.recv() == data
        assert c.compressed == [answer is not None]


def test_offers_in_several_fields(kennel):
    fields = [("Sec-WebSocket-Extensions", PLAIN + "; bad"),
              ("sec-websocket-extensions", PLAIN + "; server_max_window_bits=10")]
    with WebSocket(kennel.address, fields=fields) as c:
        assert c.handshake["Sec-WebSocket-Extensions"] == \
            AGREED + "; server_max_window_bits=10"


def test_without_an_offer_nothing_is_compressed(kennel):
    with WebSocket(kennel.address) as c:
        assert c.handshake["Sec-WebSocket-Extensions"] is None
        c.send(words(4000))
        assert c.recv() == words(4000)      # it asserts that RSV1 is clear
        c.send_frame(TEXT, deflated("hello"), rsv=4)
        fails_with(c, 1002)


# ---- messages: like Autobahn's groups 12 and 13 ----

@pytest.mark.parametrize("bits", [9, 12, 15])
@pytest.mark.parametrize("size", [16, 64, 256, 1024, 4096, 8192, 16384, 32768,
                                  65536, 131072])
def test_sizes(kennel, size, bits):
    offer = f"{PLAIN}; server_max_window_bits={bits}; client_max_window_bits"
    with Deflate(kennel.address, offer=offer, bits=bits) as c:
        data = words(size)
        for i in range(20):
            c.send_deflated(data, bits=bits)
            assert c.recv() == data
            c.send_deflated(data.encode())
            assert c.recv() == data.encode()
        assert set(c.compressed) == {size >= 64}
        if size >= 1024:
            assert c.wire < size / 2


@pytest.mark.parametrize("pieces", [2, 3, 7, 1000])
def test_fragments(echo, pieces):
    for size in 16, 1000, 131072:
        data = words(size)
        echo.send_deflated(data, pieces=pieces)
        assert echo.recv() == data


def test_control_frames_and_pauses_within_a_message(echo):
    z = deflated("hello " * 100)
    echo.write(frame(TEXT, z[:5], fin=False, rsv=4) + frame(PING, b"p" * 100))
    assert echo.recv_frame() == (PONG, True, b"p" * 100)
    for i in range(5, len(z)):
        echo.write(frame(CONTINUATION, z[i:i + 1], fin=i == len(z) - 1))
    assert echo.recv() == "hello " * 100


def test_compressed_and_plain_ones_mix(echo):
    for i in range(100):
        data = words(i * 11)
        if i % 3:
            echo.send_deflated(data, level=i % 10)
        else:
            echo.send(data)
        assert echo.recv() == data
    assert any(echo.compressed) and not all(echo.compressed)


def test_what_gets_no_smaller_is_sent_as_it_is(echo):
    data = os.urandom(10000)
    echo.send_deflated(data)
    assert echo.recv() == data and echo.compressed == [False]


def test_any_stream_that_means_the_same(echo):
    """RFC 7692 7.2.3: final blocks, several blocks, nothing at all."""
    for z in (b"\xf2\x48\xcd\xc9\xc9\x07\0", b"\xf3\x48\xcd\xc9\xc9\x07\0\0",
              b"\0\5\0\xfa\xffHello\0",
              b"\xf2\x48\5\0\0\0\xff\xff\xca\xc9\xc9\7\0"):
        echo.send_frame(TEXT, z, rsv=4)
        assert echo.recv() == "Hello"
    echo.send_frame(TEXT, b"\0", rsv=4)
    assert echo.recv() == ""


def test_many_in_one_segment(echo):
    echo.write(b"".join(frame(TEXT, deflated(f"{i} " * 50), rsv=4)
                        for i in range(1000)))
    for i in range(1000):
        assert echo.recv() == f"{i} " * 50
    assert all(echo.compressed)


# ---- what is wrong ----

@pytest.mark.parametrize("bad", [
    frame(PING, b"", rsv=4), frame(PONG, b"x", rsv=4),
    frame(CLOSE, b"", rsv=4), frame(CONTINUATION, b"x", rsv=4),
    frame(TEXT, deflated("x"), rsv=5), frame(TEXT, deflated("x"), rsv=6),
    frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", rsv=4),
    frame(TEXT, deflated("x"), fin=False, rsv=4) +
    frame(CONTINUATION, b"", rsv=4),
])
def test_reserved_bits_are_1002(echo, bad):
    echo.write(bad)
    fails_with(echo, 1002)


@pytest.mark.parametrize("bad", [
    b"", b"\xff", b"\x07\xff\xff", b"hello, world", deflated(words(1000))[:-9],
    deflated("hello") + b"garbage"])
def test_damaged_is_1007(kennel, bad):
    with Deflate(kennel.address) as c, Deflate(kennel.address) as other:
        c.send_frame(BINARY, bad, rsv=4)
        fails_with(c, 1007)
        other.send_deflated(words(1000))
        assert other.recv() == words(1000)


@pytest.mark.parametrize("bad", [b"\xff" * 100, b"x" * 100 + b"\xc3",
                                 b"\xed\xa0\x80" * 50])
def test_text_must_be_utf8(echo, bad):
    echo.send_deflated(bad)
    assert echo.recv() == bad
    echo.send_frame(TEXT, deflated(bad), rsv=4)
    fails_with(echo, 1007)


def test_largest_message(kennel):
    with Deflate(kennel.address) as c:
        c.send_deflated(b"\0" * MAX)
        assert c.recv() == b"\0" * MAX and c.wire < 8000
        c.send_deflated(b"\0" * (MAX + 1))
        fails_with(c, 1009)


def test_a_bomb_costs_no_memory(kennel):
    """1 MiB on the wire that would be 1 GiB: refused at message_max."""
    block = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"\0" * (1 << 20)
    bomb = b"".join(block.compress(zeros) for i in range(1000))
    with Deflate(kennel.address) as c:
        before = max(rss(s["pid"]) for s in kennel.shards())
        for _ in range(3):
            with Deflate(kennel.address) as bad:
                bad.send_frame(BINARY, bomb[:MAX], rsv=4)
                fails_with(bad, 1009)
        after = max(rss(s["pid"]) for s in kennel.shards())
        assert after - before < 24 << 10
        c.send_deflated("still here")
        assert c.recv() == "still here"


def rss(pid):
    """KiB."""
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith("VmRSS"))


# ---- the group ----

def test_a_broadcast_reaches_each_in_its_own_form(start):
    """Windows of all sizes and none, over two shards; order is kept."""
    k = start(shards=2, limit=4, config="[worker]\ndeflate = yes\n")
    people = [Deflate(k.address, f"/lobby/g/ws?u=u{i}",
                      offer=offer, bits=bits) for i, (offer, bits) in
              enumerate([(PLAIN, 15), ("x", 15), (PLAIN, 15),
                         (PLAIN + "; server_max_window_bits=9", 9),
                         (PLAIN, 15),
                         (PLAIN + "; server_max_window_bits=10", 10)])]
    assert sorted(k.group("g")) == [2, 4]
    texts = [words(n) for n in (10, 2000, 1, 40000, 300)]
    for t in texts:
        people[0].send_deflated(json.dumps({"type": "msg", "text": t}))
    for i, p in enumerate(people):
        heard = []
        while len(heard) < len(texts):
            m = json.loads(p.recv())
            if m["type"] == "user:msg":
                heard.append(m["text"])
                assert p.compressed[-1] == (i != 1) or len(m["text"]) < 99
        assert heard == texts
    for p in people:
        p.goodbye()
