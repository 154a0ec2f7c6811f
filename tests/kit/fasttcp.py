"""A client of fast-tcp, dialect 1, that sees every frame."""
import os
import socket
import struct

from kit import wait
from kit.kennel import Ports

STRING, BINARY, INTEGER, DECIMAL, OBJECT, BOOLEAN, EMPTY = range(1, 8)
(ERROR, REGISTER, DATA, TO_SOCKET, TO_ROOM, BROADCAST, DATA_WITH_ACK, ACK, JOIN,
 LEAVE, LEAVE_ALL, OPEN, CHUNK, CLOSE, OPEN_WITH_ACK, OPEN_TO_SOCKET, OPEN_TO_ROOM,
 OPEN_BROADCAST) = range(18)

CONFIG = """
[listener events]
address = HOST:%(port)d
app = %(app)s
group = const:events
uid = random20
limit = %(limit)s
slow = close
out_max = %(out_max)s
%(more)s
[route web]
path = /none
app = %(app)s
group = none
"""


def frame(kind, event=b"", data=b"", data_type=STRING, ident=2, tail=b""):
    event = event.encode() if isinstance(event, str) else event
    data = data.encode() if isinstance(data, str) else data
    body = struct.pack("<BBBBIH", 1, 0, data_type, kind, ident,
                       len(event)) + event + struct.pack("<I", len(data)) + \
        data + tail
    return struct.pack("<I", len(body)) + body


class Frame:
    def __init__(self, body):
        (self.version, self.flags, self.type, self.kind, self.id,
         n) = struct.unpack_from("<BBBBIH", body)
        self.event = body[10:10 + n]
        m, = struct.unpack_from("<I", body, 10 + n)
        self.data = body[14 + n:14 + n + m]
        self.exact = len(body) == 14 + n + m

    def __repr__(self):
        return f"<{self.kind} id={self.id} {self.event[:40]!r} " \
            f"{self.type}:{self.data[:40]!r}>"


class Fast:
    """A connection, made here or by a test; register: its id is read."""

    def __init__(self, address, register=True, early=b"", rcvbuf=None):
        made = isinstance(address, socket.socket)
        self.s = address if made else socket.socket()
        if rcvbuf:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.s.settimeout(wait.limit(30))
        if not made:
            self.s.connect(address)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.last = 1
        if early:
            self.s.sendall(early)
        if register:
            self.register()

    def register(self):
        f = self.recv()
        assert (f.kind, f.type, f.event, f.exact) == (REGISTER, STRING, b"", True)
        assert f.id != 0
        self.id = f.data.decode()
        return f

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.s.close()

    def write(self, data):
        self.s.sendall(data)

    def send(self, kind, event=b"", data=b"", data_type=STRING, ident=None):
        if ident is None:
            self.last += 1
            ident = self.last
        self.s.sendall(frame(kind, event, data, data_type, ident))
        return ident

    def fill(self, n):
        """At least n bytes are in the buffer; False: it ended at a border."""
        while len(self.buffer) < n:
            more = self.s.recv(1 << 18)
            if not more:
                assert not self.buffer, "cut amid a frame"
                return False
            self.buffer += more
        return True

    def recv(self):
        """The next frame, or None: the end."""
        if not self.fill(4):
            return None
        n, = struct.unpack_from("<I", self.buffer)
        assert self.fill(4 + n)
        f = Frame(bytes(self.buffer[4:4 + n]))
        del self.buffer[:4 + n]
        assert f.exact and f.version == 1 and f.id != 0 and f.flags == 0
        return f

    def message(self):
        """The next frame, a DATA: its event and data."""
        f = self.recv()
        assert f is not None and f.kind == DATA, f
        return f.event.decode(), f.data

    def to(self, ids, event, data=b"", data_type=STRING):
        ids = [i.id if isinstance(i, Fast) else i for i in ids]
        self.send(TO_SOCKET, ",".join(ids) + "|" + event, data, data_type)

    def room(self, rooms, event, data=b"", data_type=STRING):
        self.send(TO_ROOM, ",".join(rooms) + "|" + event, data, data_type)

    def all(self, event, data=b"", data_type=STRING):
        self.send(BROADCAST, event, data, data_type)

    def join(self, *rooms):
        self.send(JOIN, b"", ",".join(rooms))

    def leave(self, *rooms):
        self.send(LEAVE, b"", ",".join(rooms))

    def barrier(self):
        """All that was sent is acted upon; what came meanwhile."""
        mark = os.urandom(8)
        ident = self.send(DATA_WITH_ACK, b"echo", mark, BINARY)
        got = []
        while True:
            f = self.recv()
            assert f is not None, "ended"
            if f.kind == ACK and f.id == ident:
                assert (f.type, f.event, f.data) == (BINARY, b"", mark)
                return got
            got.append(f)

    def fence(self, *others):
        """What this one has sent before has reached others; what they got besides."""
        got = []
        for o in others:
            mark = os.urandom(8).hex()
            self.to([o], mark)
            frames = []
            while True:
                f = o.recv()
                assert f is not None, "ended"
                if f.event.decode(errors="replace") == mark:
                    break
                frames.append(f)
            got.append(frames)
        return got[0] if len(others) == 1 else got

    def ended(self):
        """The other side has ended, behind a whole frame."""
        try:
            while self.recv() is not None:
                pass
        except ConnectionError:
            return
        self.s.close()


class Events:
    """A kennel that serves fast-tcp."""

    make = Fast             # a client

    def __init__(self, start, shards=1, limit=1000, more="", config="", app="events",
                 out_max="64M", **kw):
        port = Ports.take()
        self.kennel = start(shards=shards, config=CONFIG % {
            "port": port, "limit": limit, "more": more, "app": app,
            "out_max": out_max} + config, **kw)
        self.address = (self.kennel.host, port)

    def client(self, **kw):
        return self.make(self.address, **kw)

    def clients(self, n, **kw):
        return [self.client(**kw) for _ in range(n)]
