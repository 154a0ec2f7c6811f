"""
A client's connection: bytes out as given, bytes in as asked for.  One thread may read while
others write.
"""
import collections
import socket
import struct
import threading

from kit import wait

TIMEOUT = 20


class Closed(Exception):
    """The other side closed, or reset, before what was asked for came."""

    def __init__(self, so_far=b"", reset=False):
        self.so_far = bytes(so_far)
        super().__init__(f"{'reset' if reset else 'closed'} after {self.so_far!r}")
        self.reset = reset


class Wire:
    def __init__(self, address, timeout=TIMEOUT):
        """address: (host, port), a Unix socket's path, or a socket."""
        if isinstance(address, socket.socket):
            self.sock = address
        elif isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, wait.limit(timeout))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(wait.limit(timeout))
        self.buf = bytearray()
        self.writing = threading.Lock()
        self.owed = collections.deque()

    def write(self, data, cuts=()):
        """All of data, in one piece or cut at these offsets."""
        last = 0
        with self.writing:
            for cut in (*cuts, len(data)):
                if cut > last:
                    self.sock.sendall(data[last:cut])
                last = cut
        self.pay()

    def write_between(self, data):
        """
        As what another thread writes is out, by that one.  Who reads does not wait for it:
        the server may take no more of it until it is read from.
        """
        self.owed.append(data)
        self.pay()

    def pay(self):
        """
        What is owed, unless another thread writes, which then does this.  That the server
        has ended is for who reads to see, behind what it has said before.
        """
        while self.owed and self.writing.acquire(blocking=False):
            try:
                while self.owed:
                    self.sock.sendall(self.owed.popleft())
            except (BrokenPipeError, ConnectionResetError):
                pass
            finally:
                self.writing.release()

    def fill(self, size=65536):
        """More bytes into the buffer; False at the end."""
        try:
            data = self.sock.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed(self.buf, reset=True) from None
        self.buf += data
        return data != b""

    def take(self, n):
        out = bytes(self.buf[:n])
        del self.buf[:n]
        return out

    def read(self, n):
        while len(self.buf) < n:
            if not self.fill(max(65536, n - len(self.buf))):
                raise Closed(self.buf)
        return self.take(n)

    def read_until(self, end):
        seen = 0
        while (at := self.buf.find(end, seen)) == -1:
            seen = max(len(self.buf) - len(end) + 1, 0)
            if not self.fill():
                raise Closed(self.buf)
        return self.take(at + len(end))

    def read_all(self):
        """Up to the end, which must come."""
        while self.fill():
            pass
        return self.take(len(self.buf))

    def ended(self):
        """The other side ends here, in order, with nothing more to read."""
        try:
            return self.read_all() == b""
        except Closed:
            return False

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
