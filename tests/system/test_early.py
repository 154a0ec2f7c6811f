"""Bytes that come behind a handshake or a request, however many, in order."""
import threading

import pytest
from kit.http import Http
from kit.wire import Wire
from kit.ws import TEXT, WebSocket, frame, handshake, key
from test_deflate import Deflate, deflated

CONFIG = """
[worker]
deflate = yes
[route echo]
path = /echo
app = echo
group = none
[route group]
path = /group
app = echo
group = const:g
uid = uuid
limit = 1000
"""
BUSY = 20
WIDTH = 100             # bytes of a message
FRAME = len(frame(TEXT, "x" * WIDTH))
EDGES = sorted({n + d for n in (
    FRAME, 4096, 8192, 12288, 65536, 40 * FRAME, 80 * FRAME, 700 * FRAME)
    for d in (-1, 0, 1)})


@pytest.fixture(scope="module")
def kennel(start_shared):
    """One shard, whose other clients are never silent."""
    k = start_shared("--max-shards", 1, shards=1, redis="none", config=CONFIG)
    stop = threading.Event()

    def busy():
        with WebSocket(k.address) as ws:
            while not stop.is_set():
                ws.send("x")
                ws.recv()
    threads = [threading.Thread(target=busy) for _ in range(BUSY)]
    for t in threads:
        t.start()
    yield k
    stop.set()
    for t in threads:
        t.join()


def text(i):
    return f"{i:06}".ljust(WIDTH, ".")


def say(i, compressed):
    if compressed:
        return frame(TEXT, deflated(text(i)), rsv=4)
    return frame(TEXT, text(i))


@pytest.mark.parametrize("compressed", [False, True],
                         ids=["plain", "deflate"])
@pytest.mark.parametrize("path", ["/echo", "/group"])
def test_frames_behind_a_handshake_stay_in_order(kennel, path, compressed):
    """n bytes of them in the handshake's own segment, the rest later."""
    for n in EDGES:
        frames, size = [], 0
        while size <= n + FRAME:
            frames.append(say(len(frames), compressed))
            size += len(frames[-1])
        stream = b"".join(frames)
        ws = (Deflate if compressed else WebSocket)(
            kennel.address, path, behind=stream[:n])
        with ws:
            ws.write(stream[n:])
            assert [ws.recv() for _ in frames] == \
                [text(i) for i in range(len(frames))], n


def test_who_breaks_the_rules_early_is_told_and_leaves_nothing(kennel):
    """The rest is dropped, not kept for ever (the sanitizer's run says so)."""
    good = b"".join(frame(TEXT, text(i)) for i in range(100))
    for path in "/echo", "/group":
        for _ in range(5):
            with WebSocket(kennel.address, path, behind=good +
                           frame(TEXT, "x", rsv=2) + good) as ws:
                for i in range(100):
                    assert ws.recv() == text(i)
                assert ws.end() == 1002


def test_who_leaves_amid_what_came_early(kennel):
    good = b"".join(frame(TEXT, text(i)) for i in range(500))
    for _ in range(20):
        w = Wire(kennel.address)
        w.write(handshake("/echo", key()) + good)
        w.reset()
    with WebSocket(kennel.address) as ws:
        ws.send("still here?")
        assert ws.recv() == "still here?"


def post(body):
    return (f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            "\r\n\r\n").encode() + body


def test_requests_in_one_segment_are_answered_in_order(kennel):
    """Pipelined, with bodies: as much as stands in n bytes, then the rest."""
    request = len(post(b"x" * 200))
    for n in (request - 1, request, request + 1, 4095, 4096, 4097, 8191,
              8192, 8193, 20 * request):
        bodies, stream = [], b""
        while len(stream) <= n:
            bodies.append(f"{len(bodies):06}".encode().ljust(200, b"."))
            stream += post(bodies[-1])

        with Http(kennel.address) as h:
            h.write(stream[:n])
            h.write(stream[n:])
            for b in bodies:
                r = h.response()
                assert (r.status, r.body) == (200, b), n


def test_a_body_in_many_pieces_and_a_handshake_behind_it(kennel):

    for n in 3000, 5000, 70000, 300000:
        body = bytes(range(256)) * (n // 256)
        frames = [frame(TEXT, text(i)) for i in range(100)]
        k = key()
        with WebSocket(kennel.address, open=False) as ws:
            ws.key = k
            ws.write(post(body) + handshake("/echo", k) + b"".join(frames))
            r = ws.response()
            assert (r.status, r.body) == (200, body)
            ws.opened()
            assert [ws.recv() for _ in frames] == \
                [text(i) for i in range(100)]
