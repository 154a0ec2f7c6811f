"""Enough of Redis' protocol to look and to kill, and a Redis of one's own."""
import shutil
import socket
import subprocess
import tempfile

from kit import wait


class Redis:
    def __init__(self, address):
        """address: path of a Unix socket, or (host, port)."""
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(10)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, 10)
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


class Server:
    """On a port and on a Unix socket; keeps nothing when it ends."""

    def __init__(self, port):
        self.dir = tempfile.mkdtemp(prefix="redis.")
        self.port = port
        self.path = self.dir + "/sock"
        self.process = None
        self.args = []

    def start(self):
        with open(self.dir + "/out", "w+") as out:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port),
                 "--bind", "127.0.0.1", "--unixsocket", self.path,
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
