"""
A shard dies amid a message to a client, who has said meanwhile what nobody has read: it reads
all that had been written to it, and then the end, and is not reset (README, When a shard dies).
"""
import fcntl
import select
import socket
import struct
import termios
import time

import pytest
from kit import wait
from kit.fasttcp import BINARY, DATA, Events, Fast
from kit.fasttcp import frame as event
from kit.http import request
from kit.kennel import Ports
from kit.look import Page, queues
from kit.ws import TEXT, WebSocket, frame, handshake, key

SMALL = 1 << 16         # bytes that the client's kernel takes
SAID = 1 << 20          # much more than is read of one who is only refused
PATIENT = """
[gateway]
watchdog = 10m

[worker]
out_max = 64M
"""
CONFIG = PATIENT + """
[listener lines]
address = 127.0.0.1:%d
app = survivor
group = const:g
uid = const:ann

[route plain]
path = /plain/{group}/*
app = plain
group = path:group
uid = query:u

[route survivor]
path = /s/{group}/*
app = survivor
group = path:group
uid = query:u
stream = yes
"""


@pytest.fixture
def kennel(start, survivor):
    port = Ports.take()
    k = start(shards=1, worker=survivor, config=CONFIG % port)
    k.lines = "127.0.0.1", port
    return k


class Reader:
    """A client that does not read what it is owed; says: what it says then, over and over."""

    def __init__(self, address, first, says, answered=True):
        self.says, self.head = says, 0
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SAID)
        self.sock.settimeout(wait.limit(20))
        self.sock.connect(address)
        self.sock.sendall(first)
        data = b""
        while answered and b"\r\n\r\n" not in data:
            data += self.sock.recv(1)
        self.head = len(data)

    def say(self):
        """As much as the kernel takes, while nobody reads."""
        data, sent = self.says * (SAID // len(self.says)), 0
        self.sock.setblocking(False)
        while sent < len(data) and select.select([], [self.sock], [], 0.3)[1]:
            sent += self.sock.send(data[sent:])
        self.sock.settimeout(wait.limit(20))
        assert sent > SAID // 4

    def written(self):
        """Bytes that have come and that wait, when it is the same for longer than an
        acknowledgement is put off."""
        last, since = None, 0

        def steady():
            nonlocal last, since
            info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            now = struct.unpack_from("=Q", info, 128)[0] + queues(self.sock)[0]
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() > since + 0.3 and last
        return wait.until(steady, 20)

    def rest(self):
        """Bytes up to the end, and those of before."""
        n = self.head
        while more := len(self.sock.recv(1 << 18)):
            n += more
        return n


def unsent(sock):
    """Bytes that the other side's kernel has not acknowledged."""
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))[0]


def dies(k, c, why="amid-out=1"):
    """The shard of that client; it is owed more than the kernel takes."""
    pid = k.shards()[0]["pid"]
    # What is full stays so: it does not read.
    wait.until(lambda: queues(c.sock)[0] > 0, 20)
    if why.startswith("amid-out"):
        with Page(pid) as page:
            wait.until(lambda: "out" in [one["rest"] for one in page.all()], 20)
    k.stop_shard(pid=pid)
    n = c.written()
    c.say()
    k.kill_shard(pid=pid)
    k.wait_log(rf" pid={pid} its connections survived=\d+ lost=1 ms=\d+ {why}", 30)
    # Whoever is reset is so by now.
    wait.until(lambda: queues(c.sock)[1] == unsent(c.sock) == 0, 20)
    assert c.rest() == n > SMALL
    k.exact()


def test_a_websocket(kennel):
    """17"""
    c = Reader(kennel.address, handshake("/s/g/ws?u=ann", key()), frame(TEXT, b"e hello"))
    c.sock.sendall(frame(TEXT, b"big 20000000"))
    dies(kennel, c)


def test_a_raw_client(kennel):
    """17"""
    dies(kennel, Reader(kennel.lines, b"big 20000000\n", b"e hello\n", False))


def test_a_stream(kennel):
    """17"""
    c = Reader(kennel.address, request("GET", "/s/g/stream?u=ann", (), b""), b"junk")
    ws = WebSocket(kennel.address, "/s/g/ws?u=bob")
    for _ in range(40):
        ws.write(frame(TEXT, b"p streams " + b"x" * 400) * 500)
        ws.send("q")
        assert ws.recv().startswith("q ")
    dies(kennel, c)


def test_one_whose_application_goes_on_with_nobody(kennel):
    """17: The page says nothing of it."""
    c = Reader(kennel.address, handshake("/plain/g/ws?u=ann", key()), frame(TEXT, b"e hello"))
    c.sock.sendall(frame(TEXT, b"big 20000000"))
    dies(kennel, c, "unknown=1")


def test_a_client_of_fast_tcp(start):
    """17: What another one sends it."""
    v = Events(start, config=PATIENT)
    k, other = v.kennel, v.client()
    c = Reader(v.address, b"", event(DATA, "x", "hello"), False)
    to = Fast.__new__(Fast)
    to.s, to.buffer = c.sock, bytearray()
    c.head = 4 + len(to.register().data) + 14       # REGISTER, which has no event
    for _ in range(16):
        other.to([to], "film", bytes(1 << 19), BINARY)
        other.barrier()
    dies(k, c)
