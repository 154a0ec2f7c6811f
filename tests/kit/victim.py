"""
Clients of the worker mover.c that do what no client should, and at what moment one likes:
of each protocol one, and amid something where that can be.
"""
import re
import select
import socket
import struct
import time
import zlib

from kit import wait
from kit.deflate import Deflate, deflated
from kit.http import request
from kit.wire import Closed, Wire
from kit.ws import CONTINUATION, TEXT, Ended, WebSocket, close_frame, frame

# At rest, amid a message of several frames, amid a compressed one, amid a line.
KINDS = "ws", "amid", "deflate", "raw", "stream", "events", "old"
AMID = KINDS[1:4]
SPEAKS = KINDS[:4]              # the others are responses: nobody listens to these
CASTS = re.compile(r"^(c \w+ \d+)+")    # of those who are not raw: no lines
MOST = 48 << 20                 # bytes, more than any kernel takes unread
UNITS = 6000


def words(i):
    return f"e {i} ".encode() + b"x" * 190


def whole(kind, data):
    """One message of a client of that kind."""
    if kind == "ws":
        return frame(TEXT, data)
    if kind == "raw":
        return data + b"\n"
    rsv = 4 if kind == "deflate" else 0
    data = deflated(data) if rsv else data
    return frame(TEXT, data[:5], fin=False, rsv=rsv) + frame(CONTINUATION, data[5:])


class Victim:
    """before: it has begun something, where its kind has that."""
    floods = {}                 # by kind: some MB of messages, and where each ends

    def __init__(self, k, kind, port, group="g"):
        self.pieces = []
        self.kind, self.uid = kind, kind
        path = f"/m/{group}/ws?u={kind}"
        self.first = whole(kind, b"e the first") if kind in SPEAKS else b""
        self.cut = 0
        if kind == "deflate":
            self.wire = Deflate(k.address, path)
        elif kind in SPEAKS[:2]:
            self.wire = WebSocket(k.address, path)
        elif kind == "raw":
            self.wire = Wire(("127.0.0.1", port))
        else:
            what = "events" if kind == "events" else "stream"
            head = request("GET", f"/m/{group}/{what}?u={kind}", (), b"")
            if kind == "old":
                head = head.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
            self.wire = Wire(k.address)
            self.wire.write(head)
            self.wire.read_until(b"\r\n\r\n")
        self.sock = self.wire.sock
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self.out = b""

    def begin(self):
        """Amid something from now on; a message whole would be answered."""
        self.cut = len(self.first) // 2 if self.kind != "ws" else 0
        self.wire.write(self.first[:self.cut])

    def owe(self, n):
        """The shard has more for it than the kernel takes."""
        self.wire.write(self.first[self.cut:] + whole(self.kind, b"b %d" % n))
        self.cut = len(self.first)
        self.owed = [words(i).decode() for i in range(n)]

    # ---- what it does ----

    def splash(self):
        """As much as may wait for one who does not read."""
        self.flood(4 << 20)

    def flood(self, most=MOST):
        """All that the kernel takes, which has a bound, or so many bytes."""
        if self.kind not in self.floods:
            data, ends = bytearray(), []
            for i in range(UNITS):
                data += whole(self.kind if self.kind in SPEAKS else "raw", words(i))
                ends.append(len(data))
            self.floods[self.kind] = bytes(data), ends
        data, self.ends = self.floods[self.kind]
        self.stream, self.sent = self.first[self.cut:], 0
        self.sock.setblocking(False)
        end = time.monotonic() + 0.2
        while time.monotonic() < end and self.sent < most:
            at = self.sent - len(self.stream)
            piece = self.stream[self.sent:] if at < 0 else data[at % len(data):]
            try:
                self.sent += self.sock.send(piece[:1 << 18])
                end = time.monotonic() + 0.2
            except BlockingIOError:
                select.select([], [self.sock], [], 0.02)
            except (ConnectionResetError, BrokenPipeError):
                break               # a stream may not hear so much
        assert self.sent < MOST, "no bound"

    def close_well(self):
        """As its protocol has it, the last word first."""
        self.wire.write(self.first[self.cut:])
        if self.kind in SPEAKS[:3]:
            self.wire.write(close_frame(1000))
        else:
            self.sock.shutdown(socket.SHUT_WR)

    def asked(self):
        """It wants to be closed, and goes on with what nobody will hear."""
        self.wire.write(self.first[self.cut:])
        if self.kind not in SPEAKS:
            self.sock.shutdown(socket.SHUT_WR)
            return
        behind = b"".join(whole(self.kind, words(i)) for i in range(300))
        self.wire.write(whole(self.kind, b"x bye") + behind)

    def half(self):
        """The last word, and the end of what it sends."""
        self.wire.write(self.first[self.cut:])
        self.sock.shutdown(socket.SHUT_WR)

    def fin(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def read(self, bytes=None):
        """What there is now, or so much: until nothing comes, for as long as that is sure."""
        n = 0
        while (bytes is None or n < bytes) and \
                select.select([self.sock], [], [], 0.1)[0]:
            self.pieces.append(self.sock.recv(min(bytes - n if bytes else 1 << 20, 1 << 20)))
            assert self.pieces[-1], f"{self.kind} was ended"
            n += len(self.pieces[-1])
        return n

    # ---- what comes of it ----

    def paid(self):
        """It has all that it was owed, once and in order."""
        self.wire.buf += b"".join(self.pieces)
        heard = self.echoes(self.owed[-1])
        assert heard[-len(self.owed):] == self.owed and len(heard) < len(self.owed) + 2

    def need(self, at, n):
        """n bytes from there on are in the buffer."""
        while len(self.wire.buf) < at + n:
            if not self.wire.fill(1 << 20):
                raise Closed(self.wire.buf[-100:])

    def texts(self):
        """What it hears, text by text; the buffer is cut when that is over, not each time."""
        at = 0
        try:
            while True:
                if self.kind == "raw":
                    while (end := self.wire.buf.find(b"\n", at)) == -1:
                        self.need(at, len(self.wire.buf) - at + 1)
                    text, at = bytes(self.wire.buf[at:end]), end + 1
                    yield CASTS.sub("", text.decode())
                    continue
                self.need(at, 4)
                head, n = self.wire.buf[at:at + 2]
                assert head & 0xbf in (0x81, 0x88) and n < 127, hex(head)
                at += 2
                if n == 126:
                    n, at = int.from_bytes(self.wire.buf[at:at + 2], "big"), at + 2
                self.need(at, n)
                text, at = bytes(self.wire.buf[at:at + n]), at + n
                if head & 0x40:
                    text = zlib.decompressobj(-15).decompress(text + b"\0\0\xff\xff")
                if head == 0x88:
                    raise Ended(int.from_bytes(text[:2], "big"), text[2:])
                yield text.decode()
        finally:
            del self.wire.buf[:at]

    def echoes(self, last):
        """What it hears of its own words, up to that; what others say is left out."""
        heard = []
        for text in self.texts():
            if text.startswith("e "):
                heard.append(text)
            if text == last:
                return heard

    def answered(self):
        """Everything that it has flooded with is answered, once and in order."""
        data, ends = self.floods[self.kind]
        over = self.sent - len(self.stream)
        turns, at = divmod(over, len(data))
        n = next(i for i, e in enumerate(ends) if e >= at) + 1
        left = data[at:ends[n - 1]] + whole(self.kind, b"e end")
        self.pump(left)
        heard = self.echoes("e end")
        want = ["e the first"] + [words(i).decode() for i in range(UNITS)] * turns + \
            [words(i).decode() for i in range(n)] + ["e end"]
        wrong = next((i for i, w in enumerate(want) if heard[i:i + 1] != [w]), None)
        assert heard == want, (self.kind, wrong, heard[wrong:][:2], want[wrong:][:2])

    def pump(self, data):
        """Write that, and read whatever comes meanwhile, until nothing is under way."""
        pieces, end = [self.wire.buf], time.monotonic() + wait.limit(30)
        quiet = 0
        while data or quiet < 10:
            assert time.monotonic() < end, f"{self.kind} is not read"
            r, w, _ = select.select([self.sock], [self.sock] if data else [], [], 0.02)
            quiet = 0 if r or w else quiet + 1
            if r:
                pieces.append(self.sock.recv(1 << 20))
                assert pieces[-1], f"{self.kind} was ended"
            if w:
                data = data[self.sock.send(data[:1 << 16]):]
        self.wire.buf = bytearray().join(pieces)
        self.sock.setblocking(True)
        self.sock.settimeout(wait.limit(20))

    def ended(self):
        """It is ended by the server, in order: after the last word, as it was asked."""
        if self.kind in SPEAKS[:3]:
            try:
                self.echoes(None)
            except Closed:
                return 1006
            except Ended as e:
                code = e.code
            self.wire.write(close_frame(1000))
            assert self.wire.ended(), "an end, and no reset"
            return code
        return self.wire.read_all()
