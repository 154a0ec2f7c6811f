"""The kit's connections: what several threads write is whole (kit/wire.py)."""
import socket
import threading

import pytest
from kit import wait
from kit.wire import Closed, Wire
from kit.ws import BINARY, PING, PONG, WebSocket, frame


@pytest.fixture
def pair():
    """A client that nobody has greeted, and the server's side of it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = WebSocket(ours, open=False)
        theirs.settimeout(wait.limit(20))
        yield client, theirs


def begin(what, *args):
    t = threading.Thread(target=what, args=args, daemon=True)
    t.start()
    return t


def whole(sock, n):
    data = bytearray()
    while len(data) < n:
        data += sock.recv(1 << 20)
    return data


def test_a_ping_is_answered_behind_what_another_thread_writes(pair):
    """And who hears it goes on reading meanwhile: the server waits for that."""
    client, server = pair
    big = frame(BINARY, bytes(8 << 20))
    writer = begin(client.write, big)
    server.recv(1, socket.MSG_PEEK)             # it has begun, and cannot end
    server.sendall(frame(PING, b"one", mask=None) + frame(PING, b"two", mask=None) +
                   frame(BINARY, b"go on", mask=None))
    heard = []
    reader = begin(lambda: heard.append(client.recv()))
    reader.join(wait.limit(10))
    assert heard == [b"go on"] and writer.is_alive()
    pongs = frame(PONG, b"one") + frame(PONG, b"two")
    assert whole(server, len(big) + len(pongs)) == big + pongs
    writer.join(wait.limit(10))
    assert not writer.is_alive()


def test_each_of_many_frames_of_two_threads_is_whole(pair):
    client, server = pair
    n, data = 2000, frame(BINARY, b"x" * 3000)
    writer = begin(lambda: [client.write(data) for _ in range(n)])
    server.sendall(frame(PING, b"p", mask=None) * n + frame(BINARY, b"", mask=None))
    reader = begin(client.recv)
    pong = frame(PONG, b"p")
    got = bytes(whole(server, n * (len(data) + len(pong))))
    at, counts = 0, {data: 0, pong: 0}
    while at < len(got):
        f = next(f for f in counts if got.startswith(f, at))
        counts[f] += 1
        at += len(f)
    assert counts == {data: n, pong: n}
    for t in writer, reader:
        t.join(wait.limit(10))
        assert not t.is_alive()


def test_a_ping_just_before_the_end_hides_no_word(pair):
    client, server = pair
    server.sendall(frame(PING, b"p", mask=None) + frame(BINARY, b"last", mask=None))
    server.close()
    assert client.recv() == b"last"
    with pytest.raises(Closed):
        client.recv()


def test_what_is_read_until_may_come_in_any_pieces():
    ours, theirs = socket.socketpair()
    with Wire(ours) as client, theirs:
        for cut in range(5):
            theirs.sendall(b"ab\r\n\r\nrest"[:cut])
            heard = []
            reader = begin(lambda: heard.append(client.read_until(b"\r\n\r\n")))
            if cut:
                wait.until(lambda: len(client.buf) == cut)
            theirs.sendall(b"ab\r\n\r\nrest"[cut:])
            reader.join(wait.limit(10))
            assert heard == [b"ab\r\n\r\n"]
            assert client.read(4) == b"rest" and client.buf == b""
