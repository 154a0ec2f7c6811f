"""
What the page of a dead shard says of a connection is what TCP knows of it.  The gateway stands
still, so that nobody goes on with anything; then of each connection it is counted from
outside how many bytes the shard has read and written: the client's TCP_INFO, less what still
waits in the kernel.  Amid a message, of either side, is what is not at the end of one.
"""
import os
import random
import signal
import socket
import struct
import time

import pytest
from kit import wait
from kit.http import request
from kit.kennel import Ports, state
from kit.look import RAW, Page, queues, waiting
from kit.ws import CONTINUATION, PING, TEXT, frame, handshake, key

# A sanitizer takes most of them for a fault of ours.
SIGNALS = [signal.SIGKILL, signal.SIGABRT] + ([] if wait.SANITIZED else [
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL])

CONFIG = """
[gateway]
watchdog = 10m

[worker]
out_max = 64M
ping_interval = 1h

[listener lines]
address = 127.0.0.1:%d
app = survivor
group = const:g
uid = uuid
limit = 200

[route survivor]
path = /s/{group}/*
app = survivor
group = path:group
uid = query:u
limit = 200
stream = yes
"""


@pytest.fixture(scope="module")
def survivor(installed):
    return installed.worker("survivor.c")


class Client:
    """It counts: where each of its messages ends, and how much has come."""

    def __init__(self, k, uid, kind, port, ports):
        self.uid, self.kind = uid, kind
        self.port = port if kind == "raw" else k.port
        self.sock = socket.socket()
        self.sock.settimeout(wait.limit(20))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for here in ports:
            try:
                self.sock.bind(("127.0.0.1", here))
                break
            except OSError:
                pass                    # somebody else's, too, who does not share it
        self.sock.connect(("127.0.0.1", self.port))
        self.here = self.sock.getsockname()[1]
        self.ends = [0]                 # of its messages, in what it sends
        self.said, self.sent, self.n = b"", 0, 0
        self.data, self.head = b"", 0
        path = f"/s/g/{'ws' if kind == 'ws' else 'stream'}?u={uid}"
        first = {"ws": handshake(path, key()), "stream": request("GET", path, (), b""),
                 "raw": b""}[kind]
        self.sock.sendall(first)
        while kind != "raw" and b"\r\n\r\n" not in self.data:
            self.data += self.sock.recv(65536)
        if kind != "raw":
            self.head = self.data.index(b"\r\n\r\n") + 4
        wait.until(lambda: queues(self.sock) == (0, 0) and
                   self.info()[0] >= len(first))
        self.base = self.info()[0]      # the kernel counts its SYN, too
        self.sock.setblocking(False)
        self.reads = True
        if kind == "raw":
            self.add(b"e " + uid.encode())
            self.send(len(self.said))

    def info(self):
        """Bytes that the server's machine has acknowledged, and that have come."""
        t = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return struct.unpack_from("=QQ", t, 120)

    def add(self, text):
        """One more message that it has to say; some are of several frames."""
        if self.kind == "raw":
            self.said += text + b"\n"
        elif random.random() < 0.4:
            cut = random.randrange(len(text))
            self.said += frame(TEXT, text[:cut], fin=False) + \
                frame(PING, b"between") + frame(CONTINUATION, text[cut:])
        else:
            self.said += frame(TEXT, text)
        self.ends.append(len(self.said))

    def send(self, n):
        self.sent += self.sock.send(self.said[self.sent:self.sent + n])

    def step(self):
        """It goes on with what it says, up to any byte, but past no more than one end."""
        if self.kind == "stream":
            return
        while self.ends[-1] < self.sent + 400:
            self.n += 1
            self.add(b"e %d " % self.n + b"y" * random.randrange(100))
        room = [e for e in self.ends if e > self.sent][1] - self.sent
        self.send(random.randrange(1, room))

    def read(self, wanted=False):
        """What has come.  False: it has ended."""
        while (wanted or self.reads) and wait.ready(self.sock):
            try:
                more = self.sock.recv(1 << 20)
            except ConnectionResetError:
                return False
            if not more:
                return False
            self.data += more
        return True

    # ---- the truth ----

    def measure(self, waits):
        """How much the shard has read and written."""
        to, of = waits[self.port, self.here]
        acked, come = self.info()
        return acked - self.base - of, come + to

    def heard_ends(self):
        """Where each message to it ends, in all that came."""
        at, ends, data = self.head, [self.head], self.data
        while True:
            if self.kind == "raw":
                end = data.find(b"\n", at) + 1
                if end == 0:
                    return ends
            elif self.kind == "stream":
                stop = data.find(b"\r\n", at)
                if stop == -1:
                    return ends
                end = stop + 2 + int(data[at:stop], 16) + 2
            else:
                if len(data) < at + 2:
                    return ends
                n, more = data[at + 1], 2
                if n > 125:
                    more = 4 if n == 126 else 10
                    n = int.from_bytes(data[at + 2:at + more], "big")
                end = at + more + n
            if end > len(data):
                return ends
            at = end
            ends.append(at)


class Crowd:
    def __init__(self, k, port):
        self.k, self.port = k, port
        self.clients = []
        self.shared = set()             # ports that a raw client has had
        self.named = 0

    def measure(self):
        """
        Of each client, when it is the same for longer than an acknowledgement is put off: until
        then the same bytes have come, and wait.
        """
        last, since = None, 0

        def steady():
            nonlocal last, since
            now = waiting(self.port, self.k.port)
            now = {c: c.measure(now) for c in self.clients}
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() > since + 0.3 and last
        return wait.until(steady, 20)

    def unread(self):
        """Is there anything that the shard has not read?"""
        now = waiting(self.port, self.k.port)
        return any(now[c.port, c.here][1] for c in self.clients)

    def fill(self):
        """
        Of each kind as many as are missing.  A raw client connects from the port of another
        one, as the kernel may have it: only the server's port tells them apart.
        """
        for kind, n in ("ws", 24), ("stream", 6), ("raw", 10):
            for _ in range(n - sum(c.kind == kind for c in self.clients)):
                self.named += 1
                self.clients.append(Client(self.k, f"u{self.named}", kind, self.port,
                                           self.ports() if kind == "raw" else ()))
        wait.until(lambda: self.k.status()["covered"] == len(self.clients), 20)

    def ports(self):
        """Each is of one client, and was never of a raw one."""
        for c in self.clients:
            if c.kind != "raw" and c.here not in self.shared:
                self.shared.add(c.here)
                yield c.here

    def talk(self, steps):
        for _ in range(steps):
            c = random.choice(self.clients)
            c.step()
            if random.random() < 0.3:
                for c in random.sample(self.clients, 5):
                    c.read()

    def owe(self, n):
        """Some are owed more than the kernel takes, and do not read."""
        for c in random.sample([c for c in self.clients if c.kind != "stream"], n):
            # Behind what it has begun, so that this is worked on alone.
            end = next(e for e in c.ends if e >= c.sent)
            c.said, c.ends = c.said[:end], [e for e in c.ends if e <= end]
            c.send(end)
            wait.until(lambda: queues(c.sock)[1] == 0, 20)
            c.add(b"big %d" % random.choice((6000000, 12000000)))
            c.send(len(c.said))
            c.reads = False

    def remove(self, c):
        self.clients.remove(c)
        c.sock.close()


def judge(page, crowd, truth):
    """
    Of each, what the page says, and TCP of those that were being written to; and how many it
    only says for they were in the cell.
    """
    said = {(int(c["protocol"]) == RAW, c["peer"]): c for c in page.all()}
    verdicts = {c: page.settled(said[c.kind == "raw", f"127.0.0.1:{c.here}"], truth[c][1])
                for c in crowd.clients}
    reading, amid, writing = struct.unpack("=III", os.pread(page.fd, 12, 4160))
    return verdicts, (reading != 0) + writing


def one_death(k, crowd, signo, quiet):
    """Returns how many were amid something, and whether any was so by the cell only."""
    pid = k.shards()[0]["pid"]
    crowd.talk(150)
    crowd.owe(3)
    os.kill(k.pid, signal.SIGSTOP)
    try:
        with Page(pid) as page:
            crowd.talk(100)
            if quiet:
                wait.until(lambda: not crowd.unread(), 20)
            k.kill_shard(pid=pid, signo=signo, rest=quiet)
            wait.until(lambda: state(pid) in "ZX", 20)
            truth = crowd.measure()
            verdicts, celled = judge(page, crowd, truth)
    finally:
        os.kill(k.pid, signal.SIGCONT)
    k.wait_log(f" pid={pid} its connections survived=", 30)
    return compare(crowd, truth, verdicts, celled)


def compare(crowd, truth, verdicts, celled):
    cut, doubted = 0, []
    for c, verdict in verdicts.items():
        read, written = truth[c]
        on = verdict in ("rest", "work")
        if on:
            wait.until(lambda: c.read(True) and len(c.data) >= written, 20)
        else:
            wait.until(lambda: not c.read(True), 20, f"{c.uid} of {verdict} ends")
        assert len(c.data) >= written
        into = c.kind != "stream" and read not in c.ends
        out = written not in c.heard_ends()
        # What was cut is never taken for whole.
        assert not (on and (into or out)), (c.uid, c.kind, verdict, read, written)
        # What was not is taken for cut only where the shard was at work on it.
        assert not out or verdict == "out", (c.uid, c.kind, verdict, read, written)
        if not on and not (into or out):
            doubted.append((c.uid, c.kind, verdict))
        cut += into or out
        if not on:
            crowd.remove(c)
    assert len(doubted) <= celled, (doubted, celled)
    return cut, len(doubted)


@pytest.mark.parametrize("quiet", [True, False], ids=["idle", "busy"])
@pytest.mark.parametrize("signo", SIGNALS, ids=lambda s: s.name)
def test_the_page_agrees_with_tcp(start, survivor, signo, quiet):
    """17"""
    random.seed(f"{signo} {quiet}")
    port = Ports.take()
    k = start(shards=1, max_shards=1, worker=survivor, config=CONFIG % port, deaths=True)
    crowd = Crowd(k, port)
    lost = cut = doubted = 0
    for n in range(1, 4):
        crowd.fill()
        people = len(crowd.clients)
        a, b = one_death(k, crowd, signo, quiet)
        cut, doubted = cut + a, doubted + b
        lost += people - len(crowd.clients)
        t = k.status()["totals"]
        assert (t["lost_by_death"], t["survived"]) == (lost, n * people - lost)
        wait.until(lambda: len(k.shards()) == 1, 30)
        k.exact()
    # Cut at random bytes: most of those who spoke were amid a message.
    assert cut > 30
    assert not quiet or doubted == 0
