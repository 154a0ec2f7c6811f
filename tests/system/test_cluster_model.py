"""
What nodes ask of Redis, counted, beside what tests/model/capacity.py says of it; and which
suites have their clients on two nodes.
"""
import importlib.util
import os
import re
import subprocess
import sys

import pytest
from kit import kennel as kits
from kit import metrics, redis, wait
from kit.chat import meet
from kit.talk import ROUTE, TELL, Voice

HERE = os.path.dirname(os.path.abspath(__file__))
SHARDS = 2
SAID = 20


@pytest.fixture(scope="module")
def model():
    return load("model", "capacity.py")


def load(*path):
    """A program of tests/ as a module."""
    path = os.path.join(kits.TOP, "tests", *path)
    spec = importlib.util.spec_from_file_location("loaded", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def calls(r, command):
    m = re.search(rf"^cmdstat_{command}:calls=(\d+)", r("INFO", "commandstats"), re.M)
    return int(m[1]) if m else 0


def heard(ks):
    return sum(metrics.value(k, "kennel_bus_heard_total") for k in ks)


class Spent:
    """What is published, and heard by shards, for what is said within, but for echoes."""

    def __init__(self, r, ks):
        self.r, self.ks = r, ks

    def __enter__(self):
        self.before = self.now()
        return self

    def now(self):
        """Echoes are heard by who has said them, and counted by nobody."""
        return sum(metrics.value(k, "kennel_bus_published_total") for k in self.ks), \
            heard(self.ks)

    def each(self):
        """The same of each of what was said; beats may be among it."""
        return [round((n - b) / SAID) for n, b in zip(self.now(), self.before)]

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize("n", [2, 3, 4])
def test_what_redis_is_asked_is_what_the_model_says(start, server, installed, model, n):
    """59: Subscriptions, beats and echoes of idle nodes; a broadcast, and a whisper."""
    server.start()
    ks = [start("--node", f"n{i}", redis=f"unix:{server.path}", shards=SHARDS,
                max_shards=SHARDS, worker=installed.worker("talk.c"),
                config=TELL + "whisper_ask = 100\n" + ROUTE % 1)
          for i in range(n)]
    people = [Voice(ks[i % n], "g", f"u{i}") for i in range(n * SHARDS)]
    meet(*people)
    with redis.Redis(server.path) as r:
        channels = r("PUBSUB", "CHANNELS", "kennel:bus:*")
        assert sum(r("PUBSUB", "NUMSUB", *channels)[1::2]) == \
            model.subscriptions(n, SHARDS, SHARDS)

        def beats():
            return sum(int(r("HGET", f"kennel:node:n{i}", "beat")) for i in range(n))
        first = beats()                 # what was said is acknowledged meanwhile
        wait.until(lambda: beats() >= first + 3 * n, 30)
        begin = beats(), calls(r, "hincrby"), calls(r, "publish")
        wait.until(lambda: beats() >= begin[0] + 5 * n, 30)
        end = beats(), calls(r, "hincrby"), calls(r, "publish")
        rounds = (end[0] - begin[0]) / n
        assert abs(end[1] - begin[1] - (end[0] - begin[0])) <= n
        # An echo a second of each shard, and no more.
        echoes = (end[2] - begin[2]) / rounds
        assert 0.6 * model.echoes(n, SHARDS) <= echoes <= 1.2 * model.echoes(n, SHARDS)
        with Spent(r, ks) as s:
            for i in range(SAID):
                people[0].say(f"n{i}")
                for p in people:
                    assert p.recv() == f"n{i}"
            said, got = s.each()
        assert abs(said - model.publishes(n)) <= 1
        assert abs(got - model.deliveries(n, SHARDS)) <= 1
        with Spent(r, ks) as s:
            for i in range(SAID):
                people[0].say(f"whisper u1 {i}")
                assert people[1].recv() == f"whisper u1 {i}"
            said, got = s.each()
        # Each other node's shard is asked.
        assert abs(said - model.publishes(n) * SHARDS) <= 1
        assert abs(got - model.publishes(n) * SHARDS) <= 1
    for p in people:
        p.close()


SUITES = {"chat": (["test_dog_chat.py", "test_chat_events.py"], 15),
          "Pact": (["test_pact_chat.py", "test_pact_counters.py", "test_pact_polls.py",
                    "test_pact_session.py", "test_pact_users.py"], 30),
          "fast-tcp": (["test_events.py", "test_events_streams.py"], 20),
          "api-ape": (["test_ape.py"], 20)}


@pytest.mark.parametrize("suite", SUITES)
def test_suites_have_their_clients_on_two_nodes(suite):
    """57: So many tests of each are run with a fixture that is two nodes of two shards."""
    files, least = SUITES[suite]
    p = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", "-p",
                        "no:cacheprovider", *files], cwd=HERE, capture_output=True,
                       text=True)
    found = re.findall(r"^\S*::\S*\[(?:\S*-)?nodes\b.*\]$", p.stdout, re.M)
    assert len(found) >= least, (len(found), p.stdout[-3000:])


@pytest.mark.parametrize("n", [2, 4])
def test_what_nodes_cost_is_measured_beside_others(n, monkeypatch):
    """58"""
    monkeypatch.syspath_prepend(os.path.join(kits.TOP, "tests", "bench"))
    rows = load("bench", "rows.py")
    for what, conns, flight in ("fan-1000", 1001, None), ("whisper", 102, "64"):
        row = rows.ROWS[f"{what}-nodes-{n}"]
        assert row.conns == conns and (flight is None or flight in row.load)
        assert set(row.servers) == {"kennel", "kennel-nodes", "node-nodes", "socket.io"}
        assert row.servers["kennel-nodes"] == {"nodes": n}
    assert rows.STEPS_NODES[f"steps, {n} nodes"][1] == {"nodes": n}
