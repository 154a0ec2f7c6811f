"""A Redis that is master no more, and names that change or are not there."""
import re

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.chat import Chat
from kit.http import get
from kit.pact import Pact

NAME = "redis-for-kennel.test"


class Names:
    """What names mean to a kennel: env is for it."""

    def __init__(self, path):
        self.path = path
        self.env = {"LD_PRELOAD": kits.NAMES, "NAMES": str(path)}

    def say(self, address):
        new = self.path.with_suffix(".new")
        new.write_text(f"{NAME} {address}\n")
        new.rename(self.path)


@pytest.fixture
def names(tmp_path):
    tmp_path.chmod(0o755)
    return Names(tmp_path / "names")


def up(k):
    return k.status()["redis"]["up"]


def listed(server, key):
    with redis.Redis(server.path) as r:
        return r.hash(key)


def counts(p, value):
    """The counter works within some tries: what is refused is said."""
    def once():
        p.count("likes", 0)
        got = p.hear()
        return got["type"] == "counter" and got["data"]["value"] == value
    wait.until(once, 30, "the counter works")


def test_a_demoted_master_is_left(start, server):
    """Steps are refused until it is master again; the log is not flooded."""
    server.start()
    k = start(redis=f"redis://127.0.0.1:{server.port}")
    p = Pact(k, "room")
    p.tell("subscribe", "counter")
    p.count("likes", 3)
    p.until("counter", {"id": "likes", "value": 3})
    with redis.Redis(server.path) as r:
        assert r("REPLICAOF", "127.0.0.1", "1") == "OK"
        mark = len(k.log())
        p.count("likes", 0)             # the first that is told
        assert p.hear()["type"] in ("error", "counter")
        wait.until(lambda: not up(k), 20, "the gateway has left it")
        with Chat(k, "g", "a") as a:    # what needs no store goes on
            a.say("hello")
        for _ in range(20):
            p.count("likes", 0)
            p.hear()
        said = k.log()[mark:]
        assert "READONLY" in said
        # Once a connection: the gateway's, and two of each shard.
        assert len(re.findall("redis (lost|away)", said)) <= 5, said
        assert r("REPLICAOF", "NO", "ONE") == "OK"
    wait.until(lambda: up(k), 20, "met again")
    counts(p, 3)
    p.close()


def test_one_that_comes_back_with_a_password_says_what_it_wants(start, server):
    """Somebody has to mend that, so it is said once of each connection."""
    server.start()
    k = start(redis=f"redis://127.0.0.1:{server.port}")
    wait.until(lambda: up(k), 20, "Redis is up")
    server.stop()
    wait.until(lambda: not up(k), 20, "Redis is lost")
    server.args = ["--requirepass", "t0psecret"]
    server.start()
    k.wait_log("redis away why=\"NOAUTH")
    assert get(k, "/healthz").status == 200
    with redis.Redis(server.path) as r:
        r("AUTH", "t0psecret")
        wait.until(lambda: int(re.search(
            r"total_connections_received:(\d+)", r("INFO", "stats"))[1]) > 30,
            30, "it was tried again")
    # The gateway's connection, and three of each shard.
    assert k.log().count("NOAUTH") <= 7


def test_a_name_that_moves_and_a_demoted_master(start, server, names):
    """The other one's address is found, as nobody stays with the former."""
    server.start()
    other = redis.Server(server.port, "127.0.0.2").start()
    try:
        names.say("127.0.0.1")
        k = start(redis=f"redis://{NAME}:{server.port}", env=names.env)
        a = Chat(k, "g", "a")
        assert listed(server, "kennel:client:g:a") == {a.shard(): "1"}
        names.say("127.0.0.2")
        with redis.Redis(server.path) as r:
            r("REPLICAOF", "127.0.0.2", server.port)
        wait.until(lambda: listed(other, "kennel:client:g:a") ==
                   {a.shard(): "1"}, 30, "listed in the new master")
        b = Chat(k, "g", "b")
        assert listed(other, "kennel:client:g:b") == {b.shard(): "1"}
        a.close()
        b.close()
        k.stop()
    finally:
        other.remove()


@pytest.mark.parametrize("first", ["unknown", "wait"])
def test_a_name_that_is_not_there_yet(start, server, names, first):
    """Unknown, or a look-up that takes for ever: nobody waits for it."""
    server.start()
    if first == "wait":
        names.say("wait")
    k = start(redis=f"redis://{NAME}:{server.port}", env=names.env)
    assert get(k, "/healthz").status == 200
    assert not up(k)
    with Chat(k, "g", "a") as a, Chat(k, "g", "b") as b:
        a.say("hello")
        assert b.next(type="user:msg")["text"] == "hello"
        if first == "unknown":
            k.wait_log(f"redis away why=\"{NAME}: Name or service not known")
        k.kill_shard(0)                 # who is started meanwhile, waits too
        wait.until(lambda: len(k.shards()) == 2 and
                   k.shard(0)["restarts"] == 1, 20)
        c = Chat(k, "h", "c")
        names.say("127.0.0.1")
        wait.until(lambda: up(k), 30, "found")
        wait.until(lambda: listed(server, "kennel:client:h:c") ==
                   {c.shard(): "1"}, 30)
        c.close()


def test_leaving_amid_a_look_up(start, names):
    """Nobody waits for it at the end either."""
    names.say("wait")
    k = start(redis=f"redis://{NAME}:1", env=names.env)
    assert k.term() == 0
