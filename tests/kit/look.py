"""What the page of a shard says of its connections, while it lives and afterwards."""
import os
import subprocess
from urllib.parse import unquote_to_bytes

from . import sockdiag
from .kennel import BUILD

WS, RAW, STREAM = 2, 3, 4


class Page:
    """That of a living process; what it says can be read when that is dead, too."""

    def __init__(self, pid):
        for n in os.listdir(f"/proc/{pid}/fd"):
            if os.readlink(f"/proc/{pid}/fd/{n}").startswith("/memfd:page"):
                self.fd = os.open(f"/proc/{pid}/fd/{n}", os.O_RDONLY)
                return
        raise AssertionError(f"process {pid} has no page")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def all(self):
        """A dictionary each; what can be there several times is a list of pairs."""
        out = subprocess.run(
            [f"{BUILD}/tests/kit/look", f"/proc/{os.getpid()}/fd/{self.fd}"],
            capture_output=True, text=True, check=True, timeout=60).stdout
        return [line(text) for text in out.splitlines()]

    def of(self, uid):
        """The one connection of that uid, or None."""
        found = [c for c in self.all() if c.get("uid") == uid]
        assert len(found) < 2, found
        return found[0] if found else None

    @staticmethod
    def settled(one, written):
        """How that connection was left, to whose client so many bytes were written."""
        if one["rest"] != "writing":
            return one["rest"]
        n = (written - int(one["before"])) % 2 ** 32
        return one["none"] if n == 0 else one["whole"] if n == int(one["length"]) else "out"

    def rest(self, uid):
        one = self.of(uid)
        return one and one["rest"]


def line(text):
    one, names, values = {}, [], []
    for field in text.split(" "):
        key, value = field.split("=")
        value = unquote_to_bytes(value).decode(errors="replace")
        if key in ("name", "value"):
            (names if key == "name" else values).append(value)
        else:
            one[key] = value
    one["headers"] = list(zip(names, values))
    one["topics"] = one.get("topics", "").split("\0")[:-1]
    return one


def waiting(*ports):
    """
    Bytes that wait in the server's sockets at these ports: by (port, the client's port), (to
    it, from it).  The client's port alone tells nobody: the kernel gives the same one to two
    clients that connect to different ports.
    """
    return {(row.port, row.there): (row.unsent, row.unread) for port in ports
            for row in sockdiag.sockets(*sockdiag.CONNECTED, port=port)}


def queues(sock):
    """The same of one client's server: (to it, from it)."""
    row = sockdiag.server_of(sock)
    return row.unsent, row.unread
