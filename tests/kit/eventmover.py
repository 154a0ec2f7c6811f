"""Clients of fast-tcp, many at once, as Movers: what each said, and what each heard."""
import collections
import itertools
import json
import socket
import struct

from kit.fasttcp import (ACK, BINARY, BROADCAST, CHUNK, CLOSE, DATA, DATA_WITH_ACK, JOIN,
                         OPEN, OPEN_BROADCAST, OPEN_TO_ROOM, OPEN_TO_SOCKET, STRING,
                         TO_ROOM, TO_SOCKET, Frame, frame)
from kit.gatejs import MOVED, Frame2, Gate, frame2
from kit.mover import Crowd, Mover

serial = itertools.count(100)


class EventMover(Mover):
    """Of a Fast or Gate that is registered; uid is its id."""

    def __init__(self, client):
        self.group, self.uid = "events", client.id
        self.gate = isinstance(client, Gate)
        self.sock = client.s
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.buf = bytearray(client.buffer)
        self.out = bytearray()
        self.topics = set()
        self.said, self.heard = [], collections.defaultdict(list)
        self.counts, self.own = [], []
        self.closed = None
        self.last = client.last
        self.asked = {}                 # id: what is to be answered
        self.streams = {}               # ids of those that come: [info, data]
        self.streamed = []              # (info, target, size) of its own
        self.got = []                   # (info, data) of whole ones

    def frame(self, kind, event=b"", data=b"", data_type=STRING, ident=None):
        if ident is None:
            self.last += 1
            ident = self.last
        self.out += frame2(kind + MOVED, event, data, data_type, ident) if self.gate \
            else frame(kind, event, data, data_type, ident)
        self.flush()
        return ident

    def join(self, *rooms):
        self.topics |= set(rooms)
        self.frame(JOIN, b"", ",".join(rooms))

    def echo(self):
        """An answer of the server's."""
        mark = str(next(serial)).encode()
        self.asked[self.frame(DATA_WITH_ACK, b"echo", mark, BINARY)] = mark

    def say(self, kind, target=None):
        """c: to all, w: to one, p: to a room."""
        n = len(self.said)
        self.said.append((kind, n, target))
        word = json.dumps({"u": self.uid, "n": n, "k": kind})
        if kind == "c":
            self.frame(BROADCAST, "word", word)
        else:
            self.frame(TO_SOCKET if kind == "w" else TO_ROOM, f"{target}|word", word)

    def stream(self, kind, target, sizes):
        """At once, so that it is not open for long."""
        info = f"{self.uid} {next(serial)}"
        event = "film" if kind == "c" else f"{target}|film"
        ident = self.frame({"c": OPEN_BROADCAST, "w": OPEN_TO_SOCKET,
                            "p": OPEN_TO_ROOM}[kind], event, info)
        for n in sizes:
            self.frame(CHUNK, b"", info.encode()[-1:] * n, BINARY, ident)
        self.frame(CLOSE, b"", b"", STRING, ident)
        self.streamed.append((info, kind, target, sum(sizes)))

    def read(self):
        if not self.received():
            return
        while len(self.buf) >= 4:
            n, = struct.unpack_from("<I", self.buf)
            if len(self.buf) < 4 + n:
                return
            f = (Frame2 if self.gate else Frame)(bytes(self.buf[4:4 + n]))
            del self.buf[:4 + n]
            assert f.exact and f.id != 0, f
            self.take(f)

    def take(self, f):
        if f.kind == ACK:
            assert self.asked.pop(f.id) == f.data
        elif f.kind == DATA and f.event == b"word":
            m = json.loads(f.data)
            self.heard[m["u"]].append((m["k"], m["n"]))
        elif f.kind == DATA:
            self.own.append((f.event.decode(), f.data))
        elif f.kind == OPEN:
            assert f.id not in self.streams, "an id twice"
            self.streams[f.id] = [f.data.decode(), bytearray()]
        elif f.kind == CHUNK:
            self.streams[f.id][1] += f.data
        else:
            assert f.kind == CLOSE, f
            self.got.append(tuple(self.streams.pop(f.id)))


class EventCrowd(Crowd):
    def wanted(self, receiver, group):
        want = {}
        for m in group:
            got = [(k, n) for k, n, target in m.said if
                   (k == "c" and m is not receiver) or
                   (k == "w" and target == receiver.uid) or
                   (k == "p" and m is not receiver and target in receiver.topics)]
            if got:
                want[m.uid] = got
        return want

    def films(self, receiver):
        """Whole ones that it is to get: their infos and sizes."""
        return sorted((info, size) for m in self.movers
                      for info, kind, target, size in m.streamed if
                      (kind == "c" and m is not receiver) or
                      (kind == "w" and target == receiver.uid) or
                      (kind == "p" and m is not receiver and
                       target in receiver.topics))

    def settle(self, timeout=30):
        self.until(lambda: not any(m.asked for m in self.movers), what="an answer")
        super().settle(timeout)
        for m in self.movers:
            want = self.films(m)
            self.until(lambda: len(m.got) >= len(want), what="a stream")
            assert sorted((info, len(data)) for info, data in m.got) == want, m.uid
            for info, data in m.got:
                assert data == info.encode()[-1:] * len(data)
            assert not m.streams
