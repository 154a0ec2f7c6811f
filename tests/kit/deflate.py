"""A WebSocket client that compresses (RFC 7692)."""
import struct
import zlib

from kit.ws import BINARY, CONTINUATION, TEXT, WebSocket, frame

PLAIN = "permessage-deflate"


def deflated(data, bits=15, level=6):
    if isinstance(data, str):
        data = data.encode()
    z = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return (z.compress(data) + z.flush(zlib.Z_SYNC_FLUSH))[:-4]


class Deflate(WebSocket):
    """Inflates what comes with RSV1, within the window that was agreed on."""

    def __init__(self, address, path="/echo", offer=PLAIN, bits=15, **kw):
        self.bits = bits
        self.compressed = []            # was it, for each message
        self.wire = 0                   # bytes of the last one's payload
        super().__init__(address, path,
                         fields=[("Sec-WebSocket-Extensions", offer)], **kw)

    @property
    def agreed(self):
        return self.handshake["Sec-WebSocket-Extensions"]

    def recv_frame(self):
        a, b = self.read(2)
        n = b & 0x7f
        if n > 125:
            n, = struct.unpack(*(("!H", self.read(2)) if n == 126 else
                                 ("!Q", self.read(8))))
        opcode, rsv1, payload = a & 0x0f, bool(a & 0x40), self.read(n)
        assert a & 0x30 == 0 and not (rsv1 and opcode not in (TEXT, BINARY))
        if opcode in (TEXT, BINARY):
            self.compressed.append(rsv1)
            self.wire = n
        if rsv1:
            payload = zlib.decompressobj(-self.bits).decompress(
                payload + b"\0\0\xff\xff")
        return opcode, bool(a & 0x80), payload

    def send_deflated(self, data, pieces=1, **kw):
        kind = TEXT if isinstance(data, str) else BINARY
        z = deflated(data, **kw)
        size = max(1, -(-len(z) // pieces))
        parts = [z[i:i + size] for i in range(0, len(z), size)]
        self.write(b"".join(
            frame(CONTINUATION if i else kind, p, fin=i == len(parts) - 1,
                  rsv=0 if i else 4) for i, p in enumerate(parts)))
