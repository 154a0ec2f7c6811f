"""Two nodes are parted, go on each for itself, and meet again."""
import os
import time

import pytest
from kit import redis, wait
from kit.pact import KEY, Pact, details


@pytest.fixture
def parted(start, server, tmp_path):
    """Nodes one and two, and a way to cut two off and to join it again."""
    server.start()
    path = str(tmp_path / "way")

    class Way:
        relay = None

        def join(self):
            if os.path.exists(path):
                os.unlink(path)
            self.relay = redis.Relay(server.path, path, lambda which: 0)

        def cut(self):
            self.relay.close()
    way = Way()
    way.join()
    env = {"KENNEL_SIGNING_KEY": KEY}
    way.one = start("--node", "one", redis=f"unix:{server.path}", env=env)
    way.two = start("--node", "two", redis=f"unix:{path}", env=env)
    yield way
    for k in way.one, way.two:
        k.stop()
    way.cut()


def counts(k):
    d = details(k, "r")
    return d["count"], d["uniqueCount"]


def agree(way, n, timeout=60):
    """Both say that so many are there, each of a session of its own."""
    for k in way.one, way.two:
        wait.until(lambda k=k: counts(k) == (n, n), timeout,
                   f"{n} on both sides")


def test_what_each_side_counts_is_one_sum_again(parted):
    """
    13, 36, 37: Who is online is kept in a map in no Redis.  Each side loses one meanwhile, and one
    comes: afterwards both count those who are there, each once.
    """
    people = {n: Pact((parted.one, parted.two)[n in "cd"], "r") for n in "abcd"}
    agree(parted, 4)
    parted.cut()
    parted.two.wait_log("bus redis=away", 30)
    parted.one.wait_log("node=two is dead", 60)
    wait.until(lambda: counts(parted.one) == (2, 2), 60, "c and d are gone for one")
    people.pop("b").close()
    people.pop("d").close()
    people["f"] = Pact(parted.one, "r")
    wait.until(lambda: counts(parted.one) == (2, 2), 60, "a and f")
    wait.until(lambda: counts(parted.two)[0] < 4, 60, "two goes on by itself")
    parted.join()
    parted.one.wait_log("node=two lives again", 60)
    agree(parted, 3)
    # And both go on together.
    people["g"] = Pact(parted.two, "r")
    agree(parted, 4)
    people.pop("a").close()
    agree(parted, 3)
    for p in people.values():
        p.close()


def test_what_an_admin_relays_is_counted_again(parted):
    """
    37: What is relayed is kept in a map in no Redis, and the other side has written it off.
    A relay that ended meanwhile is not counted.
    """
    people = [Pact((parted.one, parted.two)[i % 2], "r") for i in range(4)]
    agree(parted, 4)
    admin = people[1]
    admin.authenticate(KEY, int(time.time() * 1000))
    for type in "kept", "ended":
        admin.tell("relay", type)
    # Whom to relay to, all know sooner or later.
    wait.until(lambda: relayed(people[0], admin, "before"), 60)
    parted.cut()
    parted.two.wait_log("bus redis=away", 30)
    parted.one.wait_log("node=two is dead", 60)
    wait.until(lambda: counts(parted.one) == (2, 2), 60, "two's are gone for one")
    admin.tell("deleteRelay", "ended")
    parted.join()
    parted.one.wait_log("node=two lives again", 60)
    agree(parted, 4)
    people[0].tell("ended", "x")
    wait.until(lambda: relayed(people[0], admin, "after"), 60)
    for p in people:
        p.close()


def relayed(far, admin, word):
    """Has the admin heard the word, which far, on the other node, says again?"""
    far.tell("kept", word)
    heard = admin.barrier()
    assert not [m for m in heard if m["type"] == "relay:ended"]
    return [m for m in heard if m["type"] == "relay:kept" and m["data"]["data"] == word]


def test_parted_again_and_again(parted, server):
    """13: Replicas that were farewelled come back each time."""
    people = [Pact((parted.one, parted.two)[i % 2], "r") for i in range(4)]
    agree(parted, 4)
    for n in range(2):
        mark = len(parted.one.log())
        away = len(parted.two.log())
        parted.cut()
        parted.two.wait_log("bus redis=away", 30, away)
        parted.one.wait_log("node=two is dead", 60, mark)
        parted.join()
        parted.one.wait_log("node=two lives again", 60, mark)
        agree(parted, 4)
    # A durable counter counts the steps of both.
    for p in people:
        p.count("x", 1)
    with redis.Redis(server.path) as r:
        wait.until(lambda: r("HGET", "kennel:store:r:pact:counters", "x") == "4",
                   60)
    for p in people:
        p.close()
