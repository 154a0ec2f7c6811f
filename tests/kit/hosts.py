"""Hosts of the network of @gatejs/cluster.

Peer is a stand-in for a JavaScript router, written from the description of the protocol
between nodes alone (the original is not on npm): it dials, or is dialled, tells and keeps
what it hears, and fails on what would crash the original."""
import contextlib
import json
import socket
import struct
import threading

from kit import wait
from kit.fasttcp import OBJECT, STRING, Fast
from kit.gatejs import (AUTH_HMAC, AUTH_SEED, DEL_LINK, JOIN_ROOM, KEY, LEAVE_ROOM,
                        NEW_LINK, REGISTERED, UPLINK, Gate, Gates, frame2, proof)

TO_SOCKET, TO_ROOM, BROADCAST = 101, 102, 103


class Link(Gate):
    """One end of a connection between hosts; what it hears goes to its host."""

    def __init__(self, sock, host):
        self.s = sock
        self.s.settimeout(wait.limit(30))
        self.buffer = bytearray()
        self.last = 3
        self.host = host
        self.peer = self.id = None

    def say(self, kind, data, cells=(), policy=1, data_type=OBJECT):
        self.last += 1
        data = json.dumps(data) if data_type == OBJECT else data
        self.s.sendall(frame2(kind, b"", data, data_type, self.last,
                              "|".join(cells).encode(), policy))


class Peer:
    """A host of that name."""

    def __init__(self, name):
        self.name = name
        self.links = []
        self.lock = threading.Lock()
        self.known = {}         # (source, destination, link): cost
        self.rooms = {}         # (host, room): ref
        self.got = []           # messages for our clients
        self.errors = []
        self.server = None
        self.greet = None       # what we say first over a new link
        self.reading = threading.Event()
        self.reading.set()

    def dial(self, address):
        link = Link(socket.create_connection(address, wait.limit(30)), self)
        link.s.sendall(frame2(AUTH_HMAC, data=proof(link.seed()),
                              cells=self.name.encode()) +
                       frame2(UPLINK, data=self.name, ident=3,
                              cells=self.name.encode()))
        f = link.recv()
        assert f is not None, "refused"
        assert (f.raw, f.type) == (UPLINK, STRING)
        link.peer = f.data.decode()
        f = link.recv()
        assert (f.raw, f.type) == (REGISTERED, STRING)
        link.id = f.data.decode()
        assert link.id.startswith(link.peer + "/down/")
        self.begin(link)
        return link

    def listen(self, address="127.0.0.1"):
        self.server = socket.create_server((address, 0))
        threading.Thread(target=self.accept, daemon=True).start()
        return self.server.getsockname()

    def accept(self):
        n = 0
        while True:
            try:
                s, _ = self.server.accept()
            except OSError:
                return
            n += 1
            link = Link(s, self)
            seed = b"s" * 31 + b"%d" % (n % 10)
            try:
                s.sendall(frame2(AUTH_SEED, data=seed))
                f = link.recv()
                if f is None:
                    continue
                assert (f.raw, f.data.decode()) == (AUTH_HMAC, proof(seed)), f
                f = link.recv()
                assert f.raw == UPLINK and f.type == STRING and f.cells == f.data, f
            except (AssertionError, OSError) as e:
                self.errors.append(repr(e))
                continue
            link.peer = f.data.decode()
            link.id = f"{self.name}/down/{n:02}/12345678"
            s.sendall(frame2(UPLINK, data=self.name) +
                      frame2(REGISTERED, data=link.id, ident=3))
            self.begin(link)

    def begin(self, link):
        with self.lock:
            self.links.append(link)
        if self.greet:
            self.greet(link)
        threading.Thread(target=self.hear, args=(link,), daemon=True).start()

    def hear(self, link):
        try:
            while True:
                self.reading.wait()
                try:
                    f = link.recv()
                except TimeoutError:    # much has been for others: it is to be heard on
                    continue
                if f is None:
                    break
                self.take(link, f)
        except OSError:
            pass
        except Exception as e:          # what would crash the original
            self.errors.append(repr(e))
        with self.lock:
            if link in self.links:
                self.links.remove(link)

    def take(self, link, f):
        assert f.event == b"" and f.type == OBJECT, f
        o = json.loads(f.data)
        assert isinstance(o, dict) and o
        with self.lock:
            if f.raw in (NEW_LINK, DEL_LINK):
                key = (o["source"], o["destination"], o["link"])
                assert f.policy == 1 and link.peer in f.cells.decode().split("|")
                if f.raw == NEW_LINK:
                    assert o["cost"] > 0
                    self.known[key] = o["cost"]
                else:
                    self.known.pop(key, None)
            elif f.raw in (JOIN_ROOM, LEAVE_ROOM):
                assert isinstance(o["ref"], int)
                key = (o["host"], o["room"])
                if o["ref"]:
                    self.rooms[key] = o["ref"]
                else:
                    self.rooms.pop(key, None)
            else:
                assert f.raw in (TO_SOCKET, TO_ROOM, BROADCAST) and f.policy == 2
                assert self.name in f.cells.decode().split("|"), f.cells
                assert isinstance(o["except"], list)
                if f.raw == TO_SOCKET:
                    assert all(i.startswith(self.name + "/") for i in o["socketIds"])
                if f.raw == TO_ROOM:
                    assert isinstance(o["rooms"], list)
                self.got.append((f.raw, o, f.cells.decode()))

    def taken(self, n=1):
        """The next n messages."""
        wait.until(lambda: len(self.got) >= n or self.errors)
        assert self.errors == []
        with self.lock:
            got, self.got = self.got[:n], self.got[n:]
        return got

    def announce(self, link, cost=1):
        """Our direction of a link."""
        link.say(NEW_LINK, {"source": self.name, "destination": link.peer,
                            "link": link.id, "cost": cost}, [self.name])

    def close(self, reset=False):
        self.reading.set()
        if self.server:
            self.server.close()
        for link in list(self.links):
            if reset:
                link.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                  b"\1\0\0\0\0\0\0\0")
                link.s.shutdown(socket.SHUT_RD)     # its reader lets it go
                wait.until(lambda link=link: link not in self.links)
            else:
                try:
                    link.s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                with self.lock:         # its reader does so later, or has done it
                    if link in self.links:
                        self.links.remove(link)
            link.s.close()


@contextlib.contextmanager
def several(sound=True):
    """several() gives make(name): peers, which are closed at the end; sound: nothing that
    any of them heard would have crashed the original."""
    them = []

    def make(name):
        them.append(Peer(name))
        return them[-1]
    yield make
    for p in them:
        p.close()
        assert not sound or p.errors == []


class Router(Peer):
    """A host between others, as the original is one: what it hears goes on to whom it is
    for, and it knows nothing beyond the original's protocol."""

    def begin(self, link):
        with self.lock:
            others = [o for o in self.links]
        super().begin(link)
        self.announce(link)
        for o in others:
            o.say(NEW_LINK, {"source": self.name, "destination": link.peer,
                             "link": link.id, "cost": 1}, [self.name])
            link.say(NEW_LINK, {"source": self.name, "destination": o.peer, "link": o.id,
                                "cost": 1}, [self.name])
        for (source, destination, name), cost in list(self.known.items()):
            link.say(NEW_LINK, {"source": source, "destination": destination,
                                "link": name, "cost": cost}, [self.name])
        for (host, room), ref in list(self.rooms.items()):
            link.say(JOIN_ROOM, {"host": host, "room": room, "ref": ref}, [self.name])

    def take(self, link, f):
        assert f.event == b"" and f.type == OBJECT, f
        cells = f.cells.decode().split("|")
        if f.raw in (NEW_LINK, DEL_LINK, JOIN_ROOM, LEAVE_ROOM):
            super().take(link, f)
            if self.name not in cells:
                for o in list(self.links):
                    if o.peer not in cells and o is not link:
                        o.say(f.raw, json.loads(f.data), cells + [self.name])
            return
        if self.name in cells:
            super().take(link, f)
        assert f.raw in (TO_SOCKET, TO_ROOM, BROADCAST) and f.policy == 2, f
        for o in list(self.links):
            if o.peer in cells:
                o.say(f.raw, json.loads(f.data), [o.peer], 2)


class Wire:
    """A link's way, that can be cut: connections to address go over it."""

    def __init__(self, address):
        self.to = address
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = self.server.getsockname()
        self.pairs = []
        self.lock = threading.Lock()
        self.off = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                s, _ = self.server.accept()
            except OSError:
                return
            try:
                with self.lock:
                    if self.off:
                        s.close()
                        continue
                    o = socket.create_connection(self.to, wait.limit(30))
                    o.settimeout(None)
                    self.pairs.append((s, o))
            except OSError:
                s.close()
                continue
            for x, y in ((s, o), (o, s)):
                threading.Thread(target=self.carry, args=(x, y), daemon=True).start()

    @staticmethod
    def carry(x, y):
        try:
            while True:
                data = x.recv(1 << 16)
                if not data:
                    break
                y.sendall(data)
        except OSError:
            pass
        for s in (x, y):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Now, and until mend()."""
        with self.lock:
            self.off = True
            for pair in self.pairs:
                for s in pair:
                    try:
                        s.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
            self.pairs.clear()

    def mend(self):
        with self.lock:
            self.off = False

    def close(self):
        self.server.close()
        self.cut()


PARCEL = 204                    # between kennels; what follows is msgpack, in bin and ints
(LETTER, OPEN_PARCEL, CHUNK_PARCEL, END_PARCEL, NOBODY, PRESS, ASK, ANSWER,
 BEAT) = range(1, 10)


def packed(v):
    if isinstance(v, int):
        return b"\xcf" + struct.pack(">Q", v)
    v = v.encode() if isinstance(v, str) else v
    return b"\xc6" + struct.pack(">I", len(v)) + v


def parcel(kind, fields, data=b""):
    """fields: hops, origin, epoch, sequence, and what the kind has."""
    head = bytes([0x90 + 1 + len(fields)]) + packed(kind) + \
        b"".join(packed(f) for f in fields)
    return struct.pack("<I", len(head)) + head + data


class Host(Gates):
    """A kennel that is a host; uplinks: addresses of others, perhaps with a cost."""

    def __init__(self, start, tmp, name, uplinks=(), make=(Gate, Fast), worker_options="",
                 **kw):
        tmp.mkdir(exist_ok=True)
        (tmp / "peers").write_text(KEY + "\n")
        config = f"\n[worker]\napp.host = {name}\n{worker_options}"
        for i, (address, *cost) in enumerate(uplinks):
            config += f"[uplink u{i}]\naddress = {address[0]}:{address[1]}\n" \
                f"psk_file = {tmp}/peers\n" + (f"cost = {cost[0]}\n" if cost else "")
        self.name = name
        super().__init__(start, tmp, make=make, hosts=config, **kw)
