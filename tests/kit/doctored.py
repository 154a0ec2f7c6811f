#!/usr/bin/python3
"""
doctored.py FAULT PORT: an echo server over WebSocket that does something wrong
with the fifth message of each connection, for those who check whether they
would notice: none, double, lose, swap, alter, late (doubled, when all is over).
"""
import os
import socketserver
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import ws      # noqa: E402

FAULT = sys.argv[1]
LAST = 20               # messages of a connection, for "late"


def text(data):
    return ws.frame(ws.TEXT, data, mask=None)


class Client(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def message(self):
        head = self.rfile.read(2)
        if len(head) < 2 or head[0] != 0x80 | ws.TEXT:
            return None
        n = head[1] & 0x7f
        if n == 126:
            n = int.from_bytes(self.rfile.read(2), "big")
        mask = self.rfile.read(4)
        return ws.mask_bytes(self.rfile.read(n), mask)

    def handle(self):
        try:
            self.serve()
        except OSError:
            pass

    def serve(self):
        fields = {}
        for line in iter(self.rfile.readline, b"\r\n"):
            name, _, value = line.decode().partition(":")
            fields[name.lower()] = value.strip()
            if not line:
                return          # a probe
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " +
            ws.accept(fields["sec-websocket-key"]).encode() + b"\r\n\r\n")
        held, count = b"", 0
        while (data := self.message()) is not None:
            count += 1
            out = text(data)
            if FAULT == "late" and count == LAST:
                self.wfile.write(out)
                time.sleep(0.05)
            elif FAULT == "double" and count == 5:
                out += out
            elif FAULT == "lose" and count == 5:
                out = b""
            elif FAULT == "swap" and count == 5:
                held, out = out, b""
            elif FAULT == "alter" and count == 5:
                out = text(data[:-1] + b"y")
            elif held:
                out, held = out + held, b""
            self.wfile.write(out)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


threading.stack_size(1 << 18)
Server(("127.0.0.1", int(sys.argv[2])), Client).serve_forever()
