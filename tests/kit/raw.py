"""A client of raw TCP that speaks lines, as tests/system/workers/raw.c does."""
import socket

from kit import wait


class Raw:
    """A connection, made here or by a test; hello: the worker's first line is read."""

    def __init__(self, address, hello=True, early=b"", source=None, rcvbuf=None):
        made = isinstance(address, socket.socket)
        self.s = address if made else socket.socket()
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            self.s.bind((source, 0))
        self.s.settimeout(wait.limit(20))
        if not made:
            self.s.connect(address)
        self.buffer = b""
        if early:
            self.s.sendall(early)
        if hello:
            assert self.line() == "hello"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, *lines):
        self.s.sendall(b"".join(line.encode() + b"\n" for line in lines))

    def line(self, kind=str):
        """The next line, or None: the end.  A half line is a failure."""
        while b"\n" not in self.buffer:
            more = self.s.recv(1 << 16)
            if not more:
                assert self.buffer == b"", "cut amid a line"
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode() if kind is str else line

    def ask(self, text):
        self.send(text)
        return self.line()

    def end(self):
        """Shut down our side."""
        self.s.shutdown(socket.SHUT_WR)

    def rest(self):
        """All lines up to the end."""
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
        return lines

    def ended(self):
        """Is it over, and nothing more said?  A reset is an end, too."""
        try:
            return self.buffer == b"" and self.s.recv(1) == b""
        except ConnectionResetError:
            return True
