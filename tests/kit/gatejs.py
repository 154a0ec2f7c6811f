"""A client of @gatejs/cluster (fast-tcp, dialect 2) that sees every frame.

The original is not to be had from npm: this one is written from the description of its
frames and handshake alone, and not from what Kennel does.
"""
import hashlib
import hmac
import struct

from kit.fasttcp import DATA, REGISTER, STRING, Events, Fast
from kit.kennel import Ports

AUTH_SEED, AUTH_HMAC, UPLINK, DOWNLINK, REGISTERED = range(1, 6)
NEW_LINK, DEL_LINK, JOIN_ROOM, LEAVE_ROOM = range(200, 204)
MOVED = 98                      # types 2 to 17 of dialect 1 are 100 to 115 here

KEY = "dix Schlüssel, élève?"

CONFIG = """
[listener gates]
address = HOST:%(port)d
app = %(app)s
group = const:events
uid = random20
limit = %(limit)s
slow = close
out_max = %(out_max)s
dialect = 2
psk_file = %(key)s
%(more)s
"""


def frame2(kind, event=b"", data=b"", data_type=STRING, ident=2, cells=b"", policy=1,
           tail=b""):
    """kind: as it is in dialect 2."""
    event = event.encode() if isinstance(event, str) else event
    data = data.encode() if isinstance(data, str) else data
    body = struct.pack("<BBBBBB", 2, 0, data_type, kind, policy, len(cells)) + cells + \
        struct.pack("<IH", ident, len(event)) + event + \
        struct.pack("<I", len(data)) + data + tail
    return struct.pack("<I", len(body)) + body


class Frame2:
    """raw: its kind in dialect 2; kind: the same in dialect 1, or raw if there is none."""

    def __init__(self, body):
        (self.version, self.flags, self.type, self.raw, self.policy,
         c) = struct.unpack_from("<BBBBBB", body)
        self.cells = body[6:6 + c]
        self.id, n = struct.unpack_from("<IH", body, 6 + c)
        self.event = body[12 + c:12 + c + n]
        m, = struct.unpack_from("<I", body, 12 + c + n)
        self.data = body[16 + c + n:16 + c + n + m]
        self.exact = len(body) == 16 + c + n + m
        if self.raw == REGISTERED:
            self.kind = REGISTER
        elif 100 <= self.raw <= 115:
            self.kind = self.raw - MOVED
        else:
            self.kind = ("dialect 2", self.raw)

    def __repr__(self):
        return f"<{self.raw} id={self.id} {self.event[:40]!r} " \
            f"{self.type}:{self.data[:40]!r}>"


def proof(seed, key=KEY):
    return hmac.new(key.encode(), seed, hashlib.sha256).hexdigest()


class Gate(Fast):
    """As Fast, in dialect 2."""

    key = KEY

    def seed(self):
        f = self.recv()
        assert f is not None and (f.raw, f.type, f.event, f.policy, f.cells) == \
            (AUTH_SEED, STRING, b"", 1, b""), f
        assert len(f.data) >= 22 and f.data.isascii() and f.data.isalnum()
        return f.data

    def prove(self, seed=None, then=DOWNLINK, data=""):
        """Proof and what this one is, back to back."""
        seed = seed or self.seed()
        self.s.sendall(frame2(AUTH_HMAC, data=proof(seed, self.key), ident=2) +
                       frame2(then, data=data, ident=3))
        self.last = 3

    def register(self):
        self.prove()
        f = self.recv()
        assert f is not None, "ended"
        assert (f.raw, f.type, f.event) == (REGISTERED, STRING, b"")
        self.id = f.data.decode()
        return f

    def send(self, kind, event=b"", data=b"", data_type=STRING, ident=None):
        """kind: as in dialect 1."""
        if ident is None:
            self.last += 1
            ident = self.last
        self.s.sendall(frame2(kind + MOVED if kind >= DATA else 0, event, data, data_type,
                              ident))
        return ident

    def recv(self):
        if not self.fill(4):
            return None
        n, = struct.unpack_from("<I", self.buffer)
        assert self.fill(4 + n)
        f = Frame2(bytes(self.buffer[4:4 + n]))
        del self.buffer[:4 + n]
        assert f.exact and f.version == 2 and f.id != 0 and f.flags == 0
        return f


class Gates(Events):
    """A kennel that serves both dialects, each on a port; make: which by turns."""

    def __init__(self, start, tmp, limit=1000, more="", make=(Gate,), app="events",
                 out_max="64M", hosts="", **kw):
        port = Ports.take()
        key = tmp / "psk"
        key.write_text(KEY + "\n")
        super().__init__(start, limit=limit, more=more, app=app, out_max=out_max,
                         config=CONFIG % {
                             "port": port, "limit": limit, "more": more, "app": app,
                             "out_max": out_max, "key": key} + hosts, **kw)
        self.key_file = key
        self.gate_address = (self.kennel.host, port)
        self.kinds = make
        self.turn = 0

    def gate(self, **kw):
        return Gate(self.gate_address, **kw)

    def client(self, **kw):
        kind = self.kinds[self.turn % len(self.kinds)]
        self.turn += 1
        return self.gate(**kw) if kind is Gate else Fast(self.address, **kw)
