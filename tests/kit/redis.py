"""Enough of Redis' protocol to look and to kill, and a Redis of one's own."""
import collections
import queue
import re
import selectors
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time

from kit import wait


class Redis:
    def __init__(self, address):
        """address: path of a Unix socket, or (host, port)."""
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(wait.limit(10))
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address,
                                                 wait.limit(10))
        self.file = self.sock.makefile("rb")

    def __call__(self, *words):
        out = b"*%d\r\n" % len(words)
        for w in words:
            w = w if isinstance(w, bytes) else str(w).encode()
            out += b"$%d\r\n%s\r\n" % (len(w), w)
        self.sock.sendall(out)
        return self.answer()

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis went away")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        if rest == b"-1":
            return None
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2].decode()
        return [self.answer() for _ in range(int(rest))]

    def hash(self, key):
        flat = self("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def keys(self, pattern="*"):
        return sorted(self("KEYS", pattern))

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Cut:
    """
    Stands before a Redis, at path, until somebody has said word to it and then
    so many bytes more: all connections end, and there is none any more.
    """

    def __init__(self, target, path, word, after):
        self.target, self.word, self.after = target, word, after
        self.seen = b""
        self.over = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(100)
        self.peers = {self.listener: None}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        with selectors.DefaultSelector() as loop:
            loop.register(self.listener, selectors.EVENT_READ)
            while self.after > 0 and not self.over.is_set():
                for key, _ in loop.select(0.1):
                    if key.fileobj is self.listener:
                        self.accept(loop)
                    elif key.fileobj in self.peers:
                        self.relay(loop, key.fileobj, key.data)
        for s in self.peers:
            s.close()
        self.over.set()

    def accept(self, loop):
        client = self.listener.accept()[0]
        server = socket.socket(socket.AF_UNIX)
        server.connect(self.target)
        self.peers[client], self.peers[server] = server, client
        loop.register(client, selectors.EVENT_READ, True)
        loop.register(server, selectors.EVENT_READ, False)

    def relay(self, loop, s, is_client):
        try:
            data = s.recv(1 << 16)
        except OSError:
            data = b""
        if is_client and data:
            data = self.count(data)
        try:
            self.peers[s].sendall(data)
        except OSError:
            data = b""
        if not data:
            for one in s, self.peers[s]:
                loop.unregister(one)
                del self.peers[one]
                one.close()

    def count(self, data):
        """Returns what may still pass."""
        if self.word in self.seen:
            data = data[:self.after]
            self.after -= len(data)
        else:
            self.seen = self.seen[-len(self.word):] + data
        return data

    def close(self):
        self.over.set()
        self.thread.join()


class Deaf(Cut):
    """
    Stands before a Redis, at path; what a connection that says word has to say from then
    on is not heard, and not answered.
    """

    def __init__(self, target, path, word):
        super().__init__(target, path, word, 1)

    def relay(self, loop, s, is_client):
        if is_client and self.word in s.recv(1 << 16, socket.MSG_PEEK):
            loop.unregister(s)
        else:
            super().relay(loop, s, is_client)


class Relay:
    """
    Stands before a Redis, at path.  What the server says on a connection waits for
    late(which it is of its process, from 1) seconds.
    """

    def __init__(self, target, path, late):
        self.target, self.late = target, late
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(100)
        self.sockets = [self.listener]
        self.made = collections.Counter()       # connections, by pid
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
            except OSError:
                return
            self.sockets += [client, server]
            pid, = struct.unpack("i8x", client.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            self.made[pid] += 1
            threading.Thread(target=self.carry, daemon=True, args=(
                client, server, self.made[pid])).start()

    def carry(self, client, server, which):
        threading.Thread(target=self.answer, daemon=True, args=(
            server, client, self.late(which))).start()
        try:
            self.pump(client, server)
        except OSError:
            pass

    def answer(self, server, client, late):
        due = queue.Queue()
        threading.Thread(target=self.hear, args=(server, due),
                         daemon=True).start()
        try:
            while True:
                at, data = due.get()
                time.sleep(max(0, at + late - time.monotonic()))
                if not data:
                    client.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)
        except OSError:
            pass

    @staticmethod
    def hear(server, due):
        data = True
        while data:
            try:
                data = server.recv(1 << 16)
            except OSError:
                data = b""
            due.put((time.monotonic(), data))

    @staticmethod
    def pump(source, sink):
        while True:
            data = source.recv(1 << 16)
            if not data:
                sink.shutdown(socket.SHUT_RDWR)
                return
            sink.sendall(data)

    def close(self):
        for s in self.sockets:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()


class Held(Relay):
    """
    Who comes this way and says word from hold() on has said it, but hears nothing any more
    until release(); or (requests) has it not said until then.
    """

    def __init__(self, target, path, word, requests=False):
        self.word, self.requests = word, requests
        self.holding, self.free = threading.Event(), threading.Event()
        self.held = threading.Event()           # it is so
        super().__init__(target, path, lambda which: 0)

    def hold(self):
        self.free.clear()
        self.holding.set()

    def release(self):
        self.holding.clear()
        self.free.set()

    def carry(self, client, server, which):
        said = threading.Event()
        threading.Thread(target=self.answer, daemon=True,
                         args=(server, client, lambda data: said.is_set())).start()
        try:
            while data := client.recv(1 << 16):
                if self.holding.is_set() and self.word in data:
                    said.set()
                    self.held.set()
                    if self.requests:
                        self.free.wait()
                server.sendall(data)
            server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def answer(self, server, client, waits):
        """What waits() is true of is held, and all behind it."""
        try:
            while data := server.recv(1 << 16):
                if waits(data):
                    self.free.wait()
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self):
        self.release()
        super().close()


class Monitor:
    """What Redis is told to do, until close(): only lines that have word."""

    def __init__(self, server, word):
        self.word, self.lines = word, []
        self.r = Redis(server.path)
        self.r.sock.settimeout(None)
        self.r("MONITOR")
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        try:
            while line := self.r.file.readline().decode():
                if self.word in line:
                    self.lines.append(line)
        except (OSError, ValueError):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.r.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()


class Lossy(Relay):
    """
    What others have published is not heard of by who comes this way, if it matches word (a
    regular expression); at most so often, if that is given, which may change.
    """

    def __init__(self, target, path, word, most=None):
        self.word, self.most = word, most
        self.lost = 0
        super().__init__(target, path, lambda which: 0)

    def answer(self, server, client, late):
        file = server.makefile("rb")
        try:
            while reply := self.reply(file):
                if reply.startswith(b"*3\r\n$7\r\nmessage\r\n") and \
                        re.search(self.word, reply) and self.lost != self.most:
                    self.lost += 1
                else:
                    client.sendall(reply)
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def reply(self, file):
        """All bytes of the next reply."""
        line = file.readline()
        n = int(line[1:]) if line[:1] in (b"$", b"*", b">") else -1
        if line[:1] == b"$" and n >= 0:
            return line + file.read(n + 2)
        return line + b"".join(self.reply(file) for _ in range(n))


class Server:
    """On a port and on a Unix socket; keeps nothing when it ends."""

    def __init__(self, port, host="127.0.0.1", launcher=()):
        self.host = host
        self.launcher = launcher
        self.dir = tempfile.mkdtemp(prefix="redis.")
        self.port = port
        self.path = self.dir + "/sock"
        self.process = None
        self.args = []

    def start(self):
        with open(self.dir + "/out", "w+") as out:
            self.process = subprocess.Popen(
                [*self.launcher, "redis-server", "--port", str(self.port),
                 "--bind", self.host, "--unixsocket", self.path,
                 "--save", "", "--dir", self.dir, *self.args], stdout=out)
            wait.until(lambda: self.answers() or self.ended(), 10,
                       "Redis answers")
            if self.ended():
                out.seek(0)
                raise AssertionError("Redis did not start:\n" + out.read())
        return self

    def ended(self):
        return self.process.poll() is not None

    def answers(self):
        try:
            with Redis(self.path) as r:
                return r("PING") in ("PONG",)
        except RuntimeError:
            return True                 # it wants a password
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)
