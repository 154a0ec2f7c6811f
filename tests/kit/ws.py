"""A WebSocket client that can break every rule of RFC 6455."""
import base64
import hashlib
import os
import struct

from kit.http import Http
from kit.wire import Closed

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, response):
        super().__init__(repr(response))
        self.response = response


class Ended(Exception):
    """A close frame came: code (1005 for none) and reason."""

    def __init__(self, code, reason):
        super().__init__(f"{code} {reason!r}")
        self.code = code
        self.reason = reason


def key():
    return base64.b64encode(os.urandom(16)).decode()


def accept(k):
    return base64.b64encode(hashlib.sha1(k.encode() + GUID).digest()).decode()


def handshake(path, k, fields=(), method="GET", without=(), version="13",
              upgrade="websocket", connection="Upgrade", host="kennel"):
    """The upgrade request; `without` names fields to leave out."""
    lines = [f"{method} {path} HTTP/1.1"]
    for name, value in (("Host", host), ("Upgrade", upgrade),
                        ("Connection", connection),
                        ("Sec-WebSocket-Key", k),
                        ("Sec-WebSocket-Version", version), *fields):
        if name not in without:
            lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def mask_bytes(data, mask):
    n = len(data)
    m = int.from_bytes((mask * (n // 4 + 1))[:n], "big")
    return (int.from_bytes(data, "big") ^ m).to_bytes(n, "big")


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"\x11\x22\x33\x44",
          length=None, width=None):
    """
    Bytes of one frame.  mask None: unmasked.  length: a lie about the size.
    width: 7, 16 or 64 bits of length, whatever fits.
    """
    if isinstance(payload, str):
        payload = payload.encode()
    n = len(payload) if length is None else length
    out = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0 if mask is None else 0x80
    if width is None:
        width = 7 if n < 126 else 16 if n < 65536 else 64
    if width == 7:
        out += bytes([bit | n])
    elif width == 16:
        out += bytes([bit | 126]) + struct.pack("!H", n)
    else:
        out += bytes([bit | 127]) + struct.pack("!Q", n)
    if mask is None:
        return out + payload
    return out + mask + mask_bytes(payload, mask)


def close_frame(code=None, reason=b"", **kw):
    body = b"" if code is None else struct.pack("!H", code) + reason
    return frame(CLOSE, body, **kw)


class WebSocket(Http):
    def __init__(self, address, path="/echo", open=True, behind=b"", **kw):
        """behind: bytes sent together with the upgrade request."""
        super().__init__(address)
        self.key = key()
        self.pings = 0
        self.partial = None
        if open:
            self.write(handshake(path, self.key, **kw) + behind)
            self.opened()

    def opened(self):
        r = self.response()
        if r.status != 101:
            self.close()
            raise Refused(r)
        assert r["Upgrade"].lower() == "websocket", r
        assert r["Connection"].lower() == "upgrade", r
        assert r["Sec-WebSocket-Accept"] == accept(self.key), r
        self.handshake = r

    # ---- out ----

    def send_frame(self, *args, **kw):
        self.write(frame(*args, **kw))

    def send(self, data):
        """A message: str as text, bytes as binary."""
        self.send_frame(TEXT if isinstance(data, str) else BINARY, data)

    # ---- in ----

    def recv_frame(self):
        """(opcode, fin, payload), after the rules for servers were checked."""
        a, b = self.read(2)
        assert a & 0x70 == 0, f"reserved bits {a:#x}"
        assert b & 0x80 == 0, "a server must not mask"
        n = b & 0x7f
        if n == 126:
            n, = struct.unpack("!H", self.read(2))
            assert n >= 126, "length not minimal"
        elif n == 127:
            n, = struct.unpack("!Q", self.read(8))
            assert n >= 65536, "length not minimal"
        opcode, fin = a & 0x0f, bool(a & 0x80)
        assert opcode < 8 or (fin and n < 126), "control frame too large"
        return opcode, fin, self.read(n)

    def recv(self):
        """
        The next message, str or bytes.  Pings are answered.  Raises Ended on a
        close frame (not answered), Closed when cut off.
        """
        whole, kind = bytearray(), None
        while True:
            opcode, fin, payload = self.recv_frame()
            if opcode == PING:
                self.pings += 1
                self.write_between(frame(PONG, payload))
            elif opcode == CLOSE:
                code, = struct.unpack("!H", payload[:2]) if payload else (1005,)
                raise Ended(code, payload[2:])
            elif opcode != PONG:
                assert (opcode == CONTINUATION) == (kind is not None)
                kind = kind or opcode
                whole += payload
                if fin:
                    return whole.decode() if kind == TEXT else bytes(whole)

    def goodbye(self, code=1000, reason=b""):
        """The whole close handshake; returns what the server answered."""
        self.write(close_frame(code, reason))
        while True:
            try:
                self.recv()
            except Ended as e:
                assert self.ended(), "the server ends the connection"
                self.close()
                return e.code

    def end(self):
        """The code that the server closes with; 1006 if it cuts off."""
        while True:
            try:
                self.recv()
            except Ended as e:
                return e.code
            except Closed:
                return 1006
