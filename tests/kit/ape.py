"""Somebody who speaks api-ape: a page with its socket, or with its stream."""
import itertools
import json
import re
import time

from kit.http import Http, request
from kit.ws import BINARY, TEXT, WebSocket

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID = re.compile(f"[{ALPHABET}]{{20}}")
CHROME = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
          "(KHTML, like Gecko) Chrome/120.0.6099.109 Safari/537.36")
ABSENT = object()
serial = itertools.count(1)


def now():
    return int(time.time() * 1000)


def query_id(text):
    """What both sides call a call of this text: the specification's section 3."""
    units = text.encode("utf-16-le", "surrogatepass")
    h = 0

    def signed(v):
        v &= 0xffffffff
        return v - (1 << 32) if v & 0x80000000 else v
    for i in range(0, len(units), 2):
        h = signed(h + int.from_bytes(units[i:i + 2], "little"))
        h = signed(h + signed(h << 10))
        h = signed(h ^ (h >> 6))
    h = signed(h + signed(h << 3))
    h = signed(h ^ (h >> 11))
    h = signed(h + signed(h << 15)) & 0xffffffff
    out = ""
    while True:
        out = ALPHABET[h & 31] + out
        h >>= 5
        if h == 0:
            return out


def parse(text):
    """Strict JSON: no name twice, no NaN."""
    def once(pairs):
        assert len(dict(pairs)) == len(pairs), f"a name twice: {text}"
        return dict(pairs)

    def never(word):
        raise AssertionError(f"{word} is not JSON: {text}")
    return json.loads(text, object_pairs_hook=once, parse_constant=never)


def dump(value):
    """As JSON.stringify()."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Failed(Exception):
    """The reply was an error; its text."""


class Ape(WebSocket):
    """
    cookie: the session's; session_id: the cookie of the site; agent: User-Agent.
    """

    def __init__(self, kennel, cookie=None, session_id=None, agent=None,
                 origin=None, fields=(), address=None, **kw):
        fields = list(fields)
        cookies = [f"{n}={v}" for n, v in (("apeClientId", cookie),
                                           ("sessionId", session_id))
                   if v is not None]
        if cookies:
            fields.append(("Cookie", "; ".join(cookies)))
        if agent is not None:
            fields.append(("User-Agent", agent))
        if origin is not None:
            fields.append(("Origin", origin))
        self.raw = None
        self.pushes = []        # that came while a reply was waited for
        self.replies = {}       # the same, by queryId
        super().__init__(address or kennel.address, "/api/ape", fields=fields,
                         **kw)

    # ---- out ----

    def text(self, type, data=ABSENT, **more):
        """A call's text, unlike any other."""
        m = {"type": type}
        if data is not ABSENT:
            m["data"] = data
        m["createdAt<!D>"] = now()
        m["referer"] = f"test/{next(serial)}"
        m.update(more)
        return dump({k: v for k, v in m.items() if v is not ABSENT})

    def ask(self, type, data=ABSENT, **more):
        """Sends a call; its queryId."""
        return self.say(self.text(type, data, **more))

    def say(self, text, opcode=TEXT):
        self.send_frame(opcode, text)
        return query_id(text)

    # ---- in ----

    def sort(self):
        """The next message, sorted away."""
        self.raw = self.recv()
        assert isinstance(self.raw, str), "only text frames"
        m = parse(self.raw)
        if m.get("queryId"):
            assert m["type"] is False and m["queryId"] not in self.replies
            self.replies[m["queryId"]] = (m, self.raw)
        else:
            assert isinstance(m["type"], str) and not m["type"].startswith("/")
            self.pushes.append(m)

    def reply(self, query):
        """The message that answers it."""
        while query not in self.replies:
            self.sort()
        m, self.raw = self.replies.pop(query)
        return m

    def call(self, type, data=ABSENT, **more):
        """The reply's data (ABSENT: none); raises Failed with its text."""
        m = self.reply(self.ask(type, data, **more))
        if "err" in m:
            assert "data" not in m
            raise Failed(m["err"])
        return m.get("data", ABSENT)

    def whole(self, type, data=ABSENT, **more):
        """The reply's members."""
        m = self.reply(self.ask(type, data, **more))
        return {k: v for k, v in m.items() if k not in ("type", "queryId")}

    def push(self):
        """The next push: (type, message)."""
        while not self.pushes:
            self.sort()
        m = self.pushes.pop(0)
        return m["type"], m

    def heard(self):
        """The pushes that have come, after all that this client said was done."""
        self.call("echo", 0)
        found, self.pushes = self.pushes, []
        return found

    @property
    def id(self):
        return self.call("whoami")["clientId"]


class Stream(Http):
    """A client without WebSocket; cookie as for Ape."""

    def __init__(self, kennel, cookie=None, fields=(), beats=False):
        super().__init__(kennel.address)
        self.kennel = kennel
        fields = list(fields)
        if cookie is not None:
            fields.append(("Cookie", f"apeClientId={cookie}"))
        self.write(request("GET", "/api/ape/poll", fields=fields))
        head = self.read_until(b"\r\n\r\n").decode("latin-1")
        status, *lines = head[:-4].split("\r\n")
        self.status = int(status.split()[1])
        self.fields = {n.lower(): v.strip() for n, v in
                       (line.split(":", 1) for line in lines)}
        given = re.search(r"apeClientId=(\w+)", self.fields.get("set-cookie", ""))
        self.cookie = given.group(1) if given else cookie
        self.text = b""

    def chunk(self):
        size = int(self.read_until(b"\r\n"), 16)
        data = self.read(size)
        assert self.read(2) == b"\r\n"
        return data

    def any(self):
        """The next object, found by counting braces outside strings."""
        depth, quoted, escaped, at = 0, False, False, 0
        while True:
            while at >= len(self.text):
                self.text += self.chunk()
            c = self.text[at:at + 1]
            at += 1
            if escaped:
                escaped = False
            elif quoted:
                quoted, escaped = c != b'"', c == b"\\"
            elif c == b'"':
                quoted = True
            elif c in b"{[":
                depth += 1
            elif c in b"}]":
                depth -= 1
                if depth == 0:
                    found, self.text = self.text[:at], self.text[at:]
                    return parse(found.decode())

    def push(self):
        """The next push: (type, message)."""
        while True:
            m = self.any()
            if m["type"] != "__heartbeat__":
                return m["type"], m

    def post(self, type, data=ABSENT):
        """A call: the response."""
        return post(self.kennel, self.cookie, type, data)


def post(kennel, cookie, type, data=ABSENT, body=None, fields=()):
    m = {"type": type, "createdAt<!D>": now()}
    if data is not ABSENT:
        m["data"] = data
    fields = list(fields)
    if cookie is not None:
        fields.append(("Cookie", f"apeClientId={cookie}"))
    with Http(kennel.address) as c:
        return c.ask("POST", "/api/ape/poll", fields=fields,
                     body=body if body is not None else dump(m).encode())


__all__ = ["Ape", "Stream", "post", "ABSENT", "BINARY", "CHROME", "Failed", "ID", "TEXT", "dump",
           "now", "parse", "query_id"]
