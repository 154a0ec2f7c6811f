"""Clients of the worker mover.c, many at once: what each said, and what each heard."""
import collections
import random
import select
import socket
import struct
import time

from kit import wait
from kit.ws import WebSocket, frame

ROUTES = """
[route streams]
path = /m/{group}/stream /m/{group}/events
app = mover
group = path:group
uid = query:u
limit = %d
stream = yes

[route mover]
path = /m/{group}/*
app = mover
group = path:group
uid = query:u
limit = %d

[route alone]
path = /alone
app = mover
group = none
uid = query:u
"""


def routes(limit=100):
    """A configuration; limit: connections of a replica."""
    return ROUTES % (limit, limit)


class Closed(AssertionError):
    pass


class Mover:
    """One client, read by a Crowd."""
    talks = True

    def __init__(self, kennel, group, uid, fields=()):
        self.uid, self.group = uid, group
        path = f"/m/{group}/ws?u={uid}" if group else f"/alone?u={uid}"
        self.ws = WebSocket(kennel.address, path, fields=fields)
        self.sock = self.ws.sock
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.buf = bytearray(self.ws.buf)
        self.out = bytearray()
        self.said = []          # (kind, number, target)
        self.heard = collections.defaultdict(list)     # sender: (kind, number)
        self.counts = []        # n VALUE
        self.own = []           # what was said back
        self.closed = None

    def fileno(self):
        return self.sock.fileno()

    def command(self, text):
        self.out += frame(1, text.encode(), mask=random.randbytes(4))
        self.flush()

    def flush(self):
        while self.out:
            try:
                n = self.sock.send(self.out)
            except BlockingIOError:
                return
            except OSError as e:
                self.closed = self.closed or str(e)
                self.out.clear()
                return
            del self.out[:n]

    def say(self, kind, target=None):
        """c, C, w, p: with its own number."""
        n = len(self.said)
        self.said.append((kind, n, target))
        self.command(f"{kind} {target} {n}" if kind in "wp" else f"{kind} {n}")

    def take(self, text):
        kind, *rest = text.split(" ")
        if kind == "n":
            self.counts.append(int(rest[0]))
        elif kind in "cwp" and len(rest) == 2:
            self.heard[rest[0]].append((kind, int(rest[1])))
        else:
            self.own.append(text)

    def unpack(self, head, body):
        """A frame as it is meant."""
        return head, body

    def received(self):
        """What has come is in buf: True; nothing has, or closed says why nothing will: False."""
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return False
        except OSError as e:
            data, self.closed = b"", str(e)
        if not data:
            self.closed = self.closed or "the end"
        self.buf += data
        return bool(data)

    def read(self):
        if not self.received():
            return
        while len(self.buf) >= 2:
            n, at = self.buf[1], 2
            if n == 126:
                n, at = struct.unpack_from(">H", self.buf, 2)[0], 4
            elif n == 127:
                n, at = struct.unpack_from(">Q", self.buf, 2)[0], 10
            if len(self.buf) < at + n:
                return
            head, body = self.unpack(self.buf[0], bytes(self.buf[at:at + n]))
            del self.buf[:at + n]
            assert head in (0x81, 0x88, 0x89), hex(head)
            if head == 0x88:
                self.closed = f"{int.from_bytes(body[:2], 'big')} {body[2:]!r}"
            elif head == 0x81:
                self.take(body.decode())
            else:
                self.out += frame(10, body)


def fail(movers, n, how="protocol"):
    """So many of them break the protocol, which ends them with an error; or are reset."""
    for m in movers:
        if n == 0:
            return
        if m.closed:
            continue
        m.sock.setblocking(True)
        if how == "reset":
            m.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            m.sock.close()
        else:
            m.sock.sendall(b"\xff\xff")
        m.closed = how
        n -= 1
    assert n == 0


class Crowd:
    """Clients that are read in turn, by one thread."""

    def __init__(self, movers=()):
        self.movers = []
        self.poll = select.epoll()
        self.by_fd = {}
        for m in movers:
            self.add(m)

    def add(self, m):
        self.movers.append(m)
        self.by_fd[m.fileno()] = m
        self.poll.register(m.fileno(), select.EPOLLIN)
        return m

    def remove(self, m):
        """Who was closed."""
        self.movers.remove(m)
        del self.by_fd[m.fileno()]
        m.sock.close()

    def turn(self, seconds=0.0):
        """Whatever has come, at most so long."""
        for fd, _ in self.poll.poll(seconds):
            m = self.by_fd[fd]
            m.read()
            m.flush()
            if m.closed:
                self.poll.unregister(fd)

    def breathe(self):
        """Then whatever has come: for who talks, and would take the processor from those
        to whom it talks."""
        time.sleep(0.01)
        self.turn()

    def until(self, done, timeout=20, what="it"):
        end = time.monotonic() + wait.limit(timeout)
        while not done():
            assert time.monotonic() < end, f"{what} did not come"
            self.check_open()
            self.turn(0.05)

    def keep(self, movers, on=True):
        """Their application cannot let them go now, or can again."""
        said = f"k {int(on)}"
        for m in movers:
            m.command(said)
        self.until(lambda: all(said in m.own for m in movers))

    def check_open(self):
        for m in self.movers:
            if m.closed:
                raise Closed(f"{m.uid} of {m.group}: {m.closed}")

    def where(self):
        """By client, the shard and how many of its commands came."""
        for m in self.movers:
            m.own.clear()
            m.command("q")
        self.until(lambda: all(m.own and m.own[-1].startswith("q ")
                               for m in self.movers), what="q")
        return {m: m.own.pop().split(" ")[1:] for m in self.movers}

    def groups(self):
        """Who is in each group."""
        groups = collections.defaultdict(list)
        for m in self.movers:
            groups[m.group].append(m)
        return groups

    def wanted(self, receiver, group):
        """What it is to hear of those in its group, by sender."""
        want = {}
        for m in group:
            got = [(k.lower(), n) for k, n, target in m.said if
                   (k in "cC" and m is not receiver) or
                   (k == "w" and target == receiver.uid) or
                   (k == "p" and target in receiver.topics)]
            if got:
                want[m.uid] = got
        return want

    def behind(self):
        for m in self.movers:
            m.topics = getattr(m, "topics", set())
        groups = self.groups()
        return [m for m in self.movers if
                sum(map(len, m.heard.values())) <
                sum(map(len, self.wanted(m, groups[m.group]).values()))]

    def settle(self, timeout=30):
        """Everybody has heard all that was said, once, in order, and no more."""
        end = time.monotonic() + wait.limit(timeout)
        while self.behind() and time.monotonic() < end:
            self.check_open()
            for _ in range(20):
                self.turn(0.02)
        self.check_open()
        for _ in range(5):
            self.turn(0.02)
        groups = self.groups()
        for m in self.movers:
            want = self.wanted(m, groups[m.group])
            for sender in set(want) | set(m.heard):
                a, b = m.heard.get(sender, []), want.get(sender, [])
                assert a == b, (f"{m.uid} of {m.group} from {sender}: "
                                f"lost {sorted(set(b) - set(a))[:9]}, "
                                f"more {[x for x in a if x not in b][:9]}, "
                                f"{len(a)} of {len(b)}")

    def close(self):
        for m in self.movers:
            m.sock.close()
        self.poll.close()
