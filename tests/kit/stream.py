"""Responses that go on, and server-sent events, as a strict client reads them."""
import base64
from collections import deque

from kit.http import Http, request
from kit.wire import Closed

LAST = "last"                           # the response ended well


class Stream(Http):
    """One request whose answer goes on; its head was read."""

    def __init__(self, address, path, method="GET", fields=(), old=False,
                 body=b"", **kw):
        super().__init__(address, **kw)
        data = request(method, path, fields, body)
        if old:
            data = data.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
        self.old = old
        self.write(data)
        self.head = self.read_until(b"\r\n\r\n").decode()
        self.status = int(self.head.split(" ")[1])
        self.fields = dict(line.lower().split(": ", 1) for line in
                           self.head[:-4].split("\r\n")[1:])
        if self.status < 300 and not old:
            assert self.fields["transfer-encoding"] == "chunked"
            assert "content-length" not in self.fields

    def chunk(self):
        """The next one; LAST where the response ended well."""
        size = int(self.read_until(b"\r\n"), 16)
        data = self.read(size)
        assert self.read(2) == b"\r\n"
        return data if size > 0 else LAST

    def hear(self, what):
        """Chunks up to this one."""
        heard = []
        while what not in heard:
            heard.append(self.chunk())
        return heard

    def cut_off(self):
        """It ends, and not well: what had come before the end."""
        heard = []
        try:
            while True:
                c = self.chunk()
                assert c is not LAST
                heard.append(c)
        except (Closed, ValueError):
            return heard


class Events(Stream):
    """What EventSource makes of it, by the letter of the HTML standard."""

    def __init__(self, *args, **kw):
        super().__init__(*args, **kw)
        self.text = ""
        self.events = deque()
        self.comments = 0
        self.id = ""
        self.retry = None
        self.ended = False

    def more(self):
        if self.old:
            if not self.buf and not self.fill():
                raise Closed(self.buf)
            self.text += self.take(len(self.buf)).decode()
        else:
            c = self.chunk()
            if c is LAST:
                self.ended = True
                return
            self.text += c.decode()
        while "\n\n" in self.text:
            block, self.text = self.text.split("\n\n", 1)
            self.block(block)

    def block(self, block):
        name, data = "message", []
        for line in block.split("\n"):
            assert "\r" not in line
            if line.startswith(":"):
                self.comments += 1
                continue
            field, _, value = line.partition(": ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            elif field == "id":
                self.id = value
            elif field == "retry":
                self.retry = int(value)
            else:
                raise AssertionError(block)
        if data:
            self.events.append((name, "\n".join(data)))

    def event(self):
        """(name, data); LAST at the end."""
        while not self.events:
            if self.ended:
                return LAST
            self.more()
        name, data = self.events.popleft()
        return (name, base64.b64decode(data, validate=True)) \
            if name == "binary" else (name, data)

    def hear(self, what):
        """Events up to this one; a text is that of a message."""
        what = ("message", what) if isinstance(what, str) else what
        heard = []
        while what not in heard:
            heard.append(self.event())
            assert heard[-1] is not LAST, heard
        return heard
