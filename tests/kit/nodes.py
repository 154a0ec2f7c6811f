"""Two nodes on one Redis, before which clients are dealt out in turn."""
import itertools

from kit import redis
from kit.kennel import Ports

NAMES = "one", "two"


def starters(start, server, **kw):
    """start, once for each node."""
    def node(name):
        return lambda *args, **more: start("--node", name, *args,
                                           redis=f"unix:{server.path}",
                                           **kw, **more)
    return [node(name) for name in NAMES]


def shared(request):
    """A Redis that ends with the fixture of this request."""
    server = redis.Server(Ports.take()).start()
    request.addfinalizer(server.remove)
    return server


class Nodes:
    """
    As one Kennel to those who come: each is at the other node than the one
    before.  What only a gateway knows is asked of both.
    """

    def __init__(self, start, server, **kw):
        self.server = server
        self.kennels = [s(**kw) for s in starters(start, server)]
        self.turn = itertools.cycle(self.kennels)

    @property
    def address(self):
        return next(self.turn).address

    def group(self, name):
        """Connections of each of its replicas, the first node's before the other's."""
        return [n for k in self.kennels for n in k.group(name)]

    redis_mode = "shared"

    def log(self):
        return "".join(k.log() for k in self.kennels)

    def redis(self):
        return redis.Redis(self.server.path)


class Turns:
    """The same for what is served on a listener of its own; hosts: one of each node."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.turn = itertools.cycle(hosts)

    @property
    def address(self):
        return next(self.turn).address

    def client(self, **kw):
        return next(self.turn).client(**kw)

    def clients(self, n, **kw):
        return [self.client(**kw) for _ in range(n)]
