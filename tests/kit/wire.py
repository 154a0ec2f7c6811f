"""A client's connection: bytes out as given, bytes in as asked for."""
import socket
import struct

from kit import wait

TIMEOUT = 10


class Closed(Exception):
    """The other side closed, or reset, before what was asked for came."""

    def __init__(self, so_far=b"", reset=False):
        super().__init__(f"{'reset' if reset else 'closed'} after {so_far!r}")
        self.so_far = so_far
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
        self.buf = b""

    def write(self, data, cuts=()):
        """All of data, in one piece or cut at these offsets."""
        last = 0
        for cut in (*cuts, len(data)):
            if cut > last:
                self.sock.sendall(data[last:cut])
            last = cut

    def fill(self, size=65536):
        """More bytes into the buffer; False at the end."""
        try:
            data = self.sock.recv(size)
        except (ConnectionResetError, BrokenPipeError):
            raise Closed(self.buf, reset=True) from None
        self.buf += data
        return data != b""

    def take(self, n):
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def read(self, n):
        while len(self.buf) < n:
            if not self.fill(max(65536, n - len(self.buf))):
                raise Closed(self.buf)
        return self.take(n)

    def read_until(self, end):
        while end not in self.buf:
            if not self.fill():
                raise Closed(self.buf)
        return self.take(self.buf.index(end) + len(end))

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
