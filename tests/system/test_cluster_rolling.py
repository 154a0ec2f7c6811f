"""
Two nodes behind a real HAProxy, with the files of deploy/cluster, while each is made again:
people count through whichever node has them.
"""
import os
import threading

import pytest
from kit import kennel as kits
from kit import metrics, redis, wait
from kit.pact import Pact
from kit.proxies import Balancer, program
from kit.wire import Closed
from kit.ws import Ended, Refused

pytestmark = pytest.mark.skipif(not program("haproxy"), reason="no haproxy here")


class Nodes:
    """With the configuration of the compose file."""

    def __init__(self, start, url, key):
        with open(os.path.join(kits.TOP, "deploy", "cluster", "kennel.ini")) as f:
            text = f.read()
        self.ports = {}
        self.kennels = []
        for name in "one", "two":
            port, admin = kits.Ports.take(), kits.Ports.take()
            own = text
            for old, new in (("/run/kennel-secrets/cluster-key", key),
                             ("address = 8080", f"address = 127.0.0.1:{port}"),
                             ("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16", "127.0.0.0/8"),
                             ("[gateway]\n", "[gateway]\ndrain = 3s\n")):
                assert old in own
                own = own.replace(old, new)
            self.ports[name] = port, admin
            with open(os.path.join(kits.TOP, "gatewayd", "default.ini")) as f:
                routes = f.read()
            self.kennels.append(start(
                "--node", name, "--admin", f"127.0.0.1:{admin}", redis=url,
                config=own + routes[routes.index("[route front]"):
                                    routes.index("[listener events]")]))


class Person(threading.Thread):
    """Counts, one step after the other is heard; comes back when told to go."""

    def __init__(self, door, i, over):
        super().__init__(daemon=True)
        self.door, self.id, self.over = door, f"c{i}", over
        self.said = self.done = self.visits = 0
        self.codes = []                 # with which it was told to go
        self.refused = []
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                with Pact(self.door, "r") as p:
                    self.visit(p)
            except Ended as e:
                self.codes.append(e.code)
            except (Refused, OSError, Closed, AssertionError) as e:
                self.refused.append(repr(e))
                self.over.wait(0.05)

    def visit(self, p):
        p.subscribe(f"counter:{self.id}")
        self.visits += 1
        while not self.over.is_set():
            self.said += 1
            p.count(self.id)
            p.until("counter")
            self.done += 1
            self.over.wait(0.02)


def gets_there(door, k):
    """Does HAProxy send newcomers to that node?"""
    with Pact(door, "seen"):
        return k.group("seen")


def test_a_rolling_restart_loses_no_confirmed_step(start, server, tmp_path):
    """43"""
    key = tmp_path / "key"
    key.write_text("a key that both nodes know\n")
    server.start()
    nodes = Nodes(start, f"unix:{server.path}", str(key))
    over = threading.Event()
    with Balancer(nodes.ports) as door:
        def served():
            return [metrics.ask(k, "/readyz", address=("127.0.0.1", nodes.ports[n][1]))
                    .status for n, k in zip(nodes.ports, nodes.kennels)]
        wait.until(lambda: served() == [200, 200], 20)
        people = []

        def all_are_here():
            """As soon as HAProxy has seen both."""
            people.append(Person(door, len(people), over))
            wait.until(lambda: people[-1].done or people[-1].refused, 30)
            return all(sum(k.group("r")) >= 2 for k in nodes.kennels)
        wait.until(all_are_here, 60)

        def more(n):
            mark = {p: p.done + n for p in people}
            wait.until(lambda: all(p.done >= m for p, m in mark.items()), 60,
                       "all count on")
        more(10)
        for p in people:
            p.refused.clear()           # before HAProxy knew of the nodes
        for k in nodes.kennels:
            assert k.term(60) == 0
            more(20)
            k.start()
            wait.until(lambda: served() == [200, 200], 20)
            # HAProxy has seen it again before the other one goes.
            wait.until(lambda k=k: gets_there(door, k), 60)
            more(10)
        over.set()
        for p in people:
            p.join(wait.limit(30))
    with redis.Redis(server.path) as r:
        for p in people:
            kept = int(r("HGET", "kennel:store:r:pact:counters", p.id))
            assert p.done <= kept <= p.said, "what was heard is kept, once"
            assert p.refused == [], "nobody came in vain"
            assert set(p.codes) <= {1001, 1012}, p.codes
    assert any(p.visits > 1 for p in people)
