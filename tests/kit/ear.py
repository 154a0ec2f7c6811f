"""What nodes say to each other over Redis, as it is published."""
import struct
import threading

from kit import redis

HEAD = struct.Struct(">ccBBIQQQQQB")    # of a frame, up to the node's name
HELLO, DATA, ROOM, BEAT = 1, 2, 3, 4


def sender(frame):
    """The node that says it."""
    return frame[HEAD.size:HEAD.size + frame[HEAD.size - 1]].decode()


class Ear:
    """Hears all that nodes say, until close()."""

    def __init__(self, server):
        self.heard = []                 # (channel, frame)
        self.r = redis.Redis(server.path)
        self.r.sock.settimeout(None)
        self.r("PSUBSCRIBE", "kennel:bus:*")
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        f = self.r.file
        try:
            while f.readline() == b"*4\r\n":
                words = []
                for _ in range(4):
                    n = int(f.readline()[1:])
                    words.append(f.read(n + 2)[:-2])
                self.heard.append((words[2].decode(), words[3]))
        except (OSError, ValueError):
            pass

    def of(self, node, *kinds):
        """What that node has said of these kinds, as (channel, frame)."""
        return [(c, f) for c, f in list(self.heard) if len(f) > HEAD.size and
                f[2] in kinds and sender(f) == node]

    def lengths(self, node, *kinds):
        """The same: bytes of each frame."""
        return [len(f) for _, f in self.of(node, *kinds)]

    def close(self):
        self.r.sock.shutdown(2)
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def changed(frame, **by):
    """A frame with other numbers."""
    names = "k", "format", "kind", "flags", "slot", "incarnation", "session", "n", \
        "pos", "ack", "len"
    values = dict(zip(names, HEAD.unpack(frame[:HEAD.size])))
    for name, more in by.items():
        values[name] += more
    return HEAD.pack(*values.values()) + frame[HEAD.size:]
