"""Pages that speak api-ape, many at once, as Movers: what each said, and what each heard."""
import collections
import itertools
import socket

from kit.ape import Ape, Stream, dump, now, parse, post, query_id
from kit.mover import Mover

serial = itertools.count(1)


class ApeMover(Mover):
    """uid is its client id."""

    def __init__(self, kennel, cookie=None):
        ape = Ape(kennel, cookie=cookie)
        self.group = "ape"
        self.sock = ape.sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.out = bytearray()
        self.said, self.heard = [], collections.defaultdict(list)
        self.counts, self.own = [], []
        self.closed = None
        self.asked = {}         # queryId: (what, want)
        self.lists = []         # of users, as they came
        self.mine = []          # numbers of "everyone" that came back
        self.uid = ape.id
        self.sock.setblocking(False)
        self.buf = bytearray(ape.buf)

    def ask(self, type, data, want=None):
        text = dump({"type": type, "data": data, "createdAt<!D>": now(),
                     "referer": next(serial)})
        query = query_id(text)
        assert query not in self.asked
        self.asked[query] = type, want
        self.command(text)
        return text, query

    def say(self, kind, target=None):
        n = len(self.said)
        self.said.append((kind, n, target))
        word = {"u": self.uid, "n": n, "k": kind.lower()}
        if kind == "w":
            self.ask("sendto", {"to": target, "type": "whisper",
                                "data": word}, {"sent": True})
        elif kind == "C":
            self.ask("everyone", word, {"sent": True})
        else:
            self.ask("message", word, word)

    def take(self, text):
        m = parse(text)
        if not m.get("queryId"):
            word = m["data"]
            if word["u"] == self.uid:
                self.mine.append(word["n"])
            else:
                self.heard[word["u"]].append((word["k"], word["n"]))
            return
        what, want = self.asked.pop(m["queryId"])
        if what == "users/list":
            self.lists.append(m["data"])
        elif what == "whoami":
            assert m["data"]["clientId"] == self.uid
            self.own.append(m["data"])
        else:
            assert m.get("data") == want, (what, m)


class StreamMover(Mover):
    """The same by a stream and by POST; it only hears, uid is its session."""

    def __init__(self, kennel):
        s = Stream(kennel)
        assert s.status == 200
        self.kennel = kennel
        self.group, self.uid = "ape", s.cookie
        self.sock = s.sock
        self.out = bytearray()
        self.said, self.heard = [], collections.defaultdict(list)
        self.counts, self.own = [], []
        self.closed = None
        self.sock.setblocking(False)
        self.buf = bytearray(s.buf)
        self.text = b""

    def post(self, type, data):
        return post(self.kennel, self.uid, type, data)

    def read(self):
        if not self.received():
            return
        while b"\r\n" in self.buf:
            head, _, rest = self.buf.partition(b"\r\n")
            n = int(head, 16)
            if len(rest) < n + 2:
                return
            assert n > 0 and rest[n:n + 2] == b"\r\n"
            self.take(bytes(rest[:n]))
            self.buf = rest[n + 2:]

    def take(self, chunk):
        m = parse(chunk.decode())       # the server sends one in each chunk
        if m["type"] == "__heartbeat__":
            return
        word = m["data"]
        self.heard[word["u"]].append((word["k"], word["n"]))


