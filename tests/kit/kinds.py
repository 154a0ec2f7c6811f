"""
Clients of the worker mover.c of all kinds, as Movers: one room has clients that compress, that
speak lines over raw TCP, and that only hear, a stream or events.  The worker has MOVER_LINES in
its environment.
"""
import collections
import json
import random
import zlib

from kit import wait
from kit.deflate import deflated
from kit.kennel import Ports
from kit.matrix import ROOMS, Scene
from kit.mover import Mover
from kit.raw import Raw
from kit.stream import Events, Stream
from kit.ws import frame

ENV = {"MOVER_LINES": "1"}
RSV1 = 0x40


def listener(group, limit):
    """A configuration for one raw client of that group, and its address."""
    port = Ports.take()
    return f"""
[listener {group}]
address = 127.0.0.1:{port}
app = mover
group = const:{group}
uid = const:raw
limit = {limit}
""", ("127.0.0.1", port)


class Packed(Mover):
    """A WebSocket whose messages are compressed."""

    def __init__(self, k, group, uid):
        super().__init__(k, group, uid, [("Sec-WebSocket-Extensions", "permessage-deflate")])
        assert "permessage-deflate" in self.ws.handshake["Sec-WebSocket-Extensions"]

    def command(self, text):
        self.out += frame(1, deflated(text), rsv=4, mask=random.randbytes(4))
        self.flush()

    def unpack(self, head, body):
        if not head & RSV1:
            return head, body
        return head & ~RSV1, zlib.decompressobj(-15).decompress(body + b"\0\0\xff\xff")


class Bytes(Mover):
    """What is no WebSocket: lines, however they are packed."""

    def begin(self, group, uid, wire, sock, early):
        self.group, self.uid = group, uid
        self.wire = wire                # so that it stays open
        self.sock = sock
        self.sock.setblocking(False)
        self.buf, self.text = bytearray(early), ""
        self.out = bytearray()
        self.topics = set()
        self.said, self.heard, self.counts, self.own = [], collections.defaultdict(list), [], []
        self.closed = None

    def read(self):
        if not self.received():
            return
        self.text += self.unpacked()
        *lines, self.text = self.text.split("\n")
        for line in lines:
            self.line(line)

    def unpacked(self):
        """What of buf is whole."""
        text = self.buf.decode()
        self.buf.clear()
        return text

    def line(self, line):
        if line:
            self.take(line)


class Lines(Bytes):
    """Raw TCP."""

    def __init__(self, address, group):
        raw = Raw(address, hello=False)
        self.begin(group, "raw", raw, raw.s, raw.buffer)

    def command(self, text):
        self.out += text.encode() + b"\n"
        self.flush()


class Heard(Bytes):
    """A stream, which says nothing: another client whispers what it is to answer to itself."""
    talks = False

    def __init__(self, k, group, uid, kind, friends):
        self.friends = friends
        s = (Events if kind == "events" else Stream)(k.address, f"/m/{group}/{kind}?u={uid}")
        self.begin(group, uid, s, s.sock, s.buf)

    def command(self, text):
        friend = next(m for m in self.friends if not m.closed)
        if text.startswith("e "):
            friend.command(f"w {self.uid} {text.replace(' ', '')}")

    def take(self, text):
        kind, *rest = text.split(" ")
        if kind == "w" and rest[1].startswith("e"):
            self.own.append(f"e {rest[1][1:]}")
        else:
            super().take(text)

    def unpacked(self):
        text = b""
        while b"\r\n" in self.buf:
            head = self.buf.index(b"\r\n")
            n = int(self.buf[:head], 16)
            if len(self.buf) < head + 4 + n:
                break
            assert n > 0, "the stream has ended"
            text += self.buf[head + 2:head + 2 + n]
            assert self.buf[head + 2 + n:head + 4 + n] == b"\r\n"
            del self.buf[:head + 4 + n]
        return text.decode()

    def line(self, line):
        super().line(line.removeprefix("data:").strip(" :"))


class Kinds(Scene):
    """In each room, who leaves A is of another kind."""

    def __init__(self, start, mover, tmp, env=None):
        text, self.lines = listener("g2", 3)
        super().__init__(start, mover, tmp, "60s", f"deflate = yes\n{text}", ENV | (env or {}))

    def furnish(self):
        for room in range(ROOMS):
            there = [m for m in self.crowd.movers if m.group == f"g{room}"]
            self.friends = [m for m in there if self.home[m] != "A"]
            for m in there:
                if self.home[m] == "A":
                    self.crowd.remove(m)
                    del self.home[m]
            wait.until(lambda: self.k.places() == len(self.crowd.movers), 10)
            m = self.crowd.add(self.one(room))
            self.home[m] = "A"
            self.k.wait_places(len(self.crowd.movers))
            assert json.loads(self.k.ctl("who", m.uid, "--json"))["connections"][0]["slot"] == 0
        self.leave("B", 1)
        self.leave("D", 2)

    def one(self, room):
        group, uid = f"g{room}", f"kind{room}"
        if room == 0:
            return Mover(self.k, group, uid)
        if room == 1:
            return Packed(self.k, group, uid)
        if room == 2:
            return Lines(self.lines, group)
        return Heard(self.k, group, uid, ("stream", "events")[room - 3], self.friends)
