"""HTTP/1.1 as a strict client reads it."""
from kit.wire import Wire


class Response:
    def __init__(self, status, reason, fields, body):
        self.status = status
        self.reason = reason
        self.fields = fields            # [(name as sent, value)]
        self.body = body

    def __getitem__(self, name):
        """A field's value, or None; it must not be there twice."""
        found = [v for n, v in self.fields if n.lower() == name.lower()]
        assert len(found) < 2, f"{name} twice: {found}"
        return found[0] if found else None

    @property
    def text(self):
        return self.body.decode()

    @property
    def keeps(self):
        return (self["Connection"] or "").lower() != "close"

    def __repr__(self):
        return f"<{self.status} {self.fields} {self.body[:200]!r}>"


def request(method="GET", path="/", fields=(), body=b"", host="kennel"):
    """A right request; fields are (name, value)."""
    lines = [f"{method} {path} HTTP/1.1"]
    if host is not None:
        lines.append(f"Host: {host}")
    lines += [f"{n}: {v}" for n, v in fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Http(Wire):
    def response(self, head_only=False):
        """One response; bytes behind it stay in the buffer."""
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head[:-4].split("\r\n")
        version, status, reason = (first + " ").split(" ", 2)
        assert version == "HTTP/1.1", first
        fields = []
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon and name and name == name.strip(), line
            fields.append((name, value.strip()))
        r = Response(int(status), reason.strip(), fields, b"")
        if r.status < 200 or r.status in (204, 304) or head_only:
            return r
        if r["Transfer-Encoding"] == "chunked":
            r.body = self.chunks()
        elif r["Content-Length"] is not None:
            r.body = self.read(int(r["Content-Length"]))
        else:
            r.body = self.read_all()
        return r

    def chunks(self):
        body = bytearray()
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            if size == 0:
                while self.read_until(b"\r\n") != b"\r\n":
                    pass
                return bytes(body)
            body += self.read(size)
            assert self.read(2) == b"\r\n"

    def ask(self, *args, **kw):
        data = request(*args, **kw)
        self.write(data)
        return self.response(head_only=data.startswith(b"HEAD "))


def get(kennel, path="/", method="GET", **kw):
    """One request on a connection of its own."""
    with Http(kennel.address) as c:
        return c.ask(method, path, **kw)
