"""
Two nodes on one Redis, before which clients are dealt out in turn.

Each node is a machine of its own (kit/networks.py), and so are Redis and the clients.  Where
nobody may make networks, all have one address, and Redis a Unix socket.
"""
import itertools
import os
import re

from kit import redis, wait
from kit.kennel import Ports
from kit.networks import Lan

NAMES = "one", "two"
APART = os.geteuid() == 0


class Site:
    """Where two nodes and their Redis stand."""

    def __init__(self):
        self.lan = Lan(3, here=True) if APART else None
        self.server = None
        try:
            if self.lan:
                *self.machines, there = self.lan.machines
                self.server = redis.Server(6379, there.address, there.launcher)
                self.server.args = ["--protected-mode", "no"]
                self.url = f"redis://{there.address}:6379"
            else:
                self.machines = [None, None]
                self.server = redis.Server(Ports.take())
                self.url = f"unix:{self.server.path}"
            self.server.start()
            key = os.path.join(self.server.dir, "key")
            with open(key, "w") as f:
                f.write("a key that all of them know\n")
        except BaseException:
            self.remove()
            raise
        self.config = f"[gateway]\ncluster_key_file = {key}\n"

    def starter(self, start, name, machine):
        """start, for the node of that name."""
        kw = dict(redis=self.url)
        if machine:
            kw.update(host=machine.address, launcher=machine.launcher)
        host = kw.get("host", "127.0.0.1")

        def node(*args, config="", admin=False, **more):
            """admin: it has a listener for other nodes."""
            if admin:
                args += "--admin", f"{host}:{Ports.take()}"
            return start("--node", name, *args, config=self.config + config, **kw, **more)
        return node

    def starters(self, start):
        """start, once for each node."""
        return [self.starter(start, *at) for at in zip(NAMES, self.machines)]

    def remove(self):
        if self.server:
            self.server.remove()
        if self.lan:
            self.lan.remove()


def met(*kennels):
    """All are on the bus: a network that has just been made may lose packets for a while."""
    wait.until(lambda: all(k.log().count("bus redis=up") >= len(k.shards())
                           for k in kennels), 60, "all are on the bus")


class Both:
    """
    Kennels as one to those who come: each is at the next node.  What only a gateway
    knows is asked of all.
    """

    def __init__(self, *kennels):
        self.kennels = kennels
        self.turn = itertools.cycle(kennels)
        met(*kennels)

    @property
    def address(self):
        return next(self.turn).address

    def group(self, name):
        """Connections of each of its replicas, the first node's before the other's."""
        return [n for k in self.kennels for n in k.group(name)]

    def wait_group(self, name, counts, timeout=10):
        wait.until(lambda: self.group(name) == counts, timeout,
                   f"group {name} is {counts}")

    def exact(self):
        for k in self.kennels:
            k.exact()

    def shards(self):
        return [s for k in self.kennels for s in k.shards()]

    def dies(self, pid):
        for k in self.kennels:
            k.dies(pid)
        return pid

    def kill_shard(self, pid):
        self.kennels[0].kill_shard(pid=self.dies(pid))

    def places(self):
        return sum(k.places() for k in self.kennels)

    def wait_places(self, n, timeout=10):
        wait.until(lambda: self.places() == n, timeout, f"{n} places")

    def log(self):
        return "".join(k.log() for k in self.kennels)

    def wait_log(self, pattern, timeout=10):
        wait.until(lambda: re.search(pattern, self.log()), timeout,
                   f"log line /{pattern}/")


class Nodes(Both):
    """The two nodes of a site."""

    redis_mode = "shared"

    def __init__(self, start, site, **kw):
        self.server = site.server
        super().__init__(*(s(**kw) for s in site.starters(start)))

    def redis(self):
        return redis.Redis(self.server.path)


class Turns:
    """The same for what is served on listeners of its own; hosts: one of each node."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.turn = 0
        self.kennel = Both(*(h.kennel for h in hosts))

    def next(self):
        h = self.hosts[self.turn % len(self.hosts)]
        h.turn = self.turn // len(self.hosts)
        self.turn += 1
        return h

    @property
    def address(self):
        return self.next().address

    @property
    def gate_address(self):
        return self.next().gate_address

    def gate(self, **kw):
        return self.next().gate(**kw)

    def client(self, **kw):
        return self.next().client(**kw)

    def clients(self, n, **kw):
        return [self.client(**kw) for _ in range(n)]
