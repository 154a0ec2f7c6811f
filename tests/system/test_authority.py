"""
Who decides in a group, when much is lost at once, or in an unlucky order.
What Pact's users see of it otherwise is in test_pact_faults.py.
"""

from kit import wait
from kit.pact import Pact, crowd, details, leave, settle


def shard_of(k, group, i):
    """Pid of the shard of a group's replica number i, oldest first."""
    address = k.replicas(group)[i]["shard"]
    return next(s["pid"] for s in k.shards() if s["address"] == address)


def test_more_are_lost_than_one_step_writes_off(start):
    """A step changes 2000 keys at most; nothing of whoever is gone stays."""
    k = start(shards=2, max_shards=2, limit=800)
    many = crowd(k, "r", 800)
    with Pact(k, "r") as p:
        assert p.subscribe("ephemeralPoll") == []
        for m in many[:3]:
            m.vote("p", "A", "ephemeralPoll")
        for n in range(3):
            p.until("ephemeralPoll", {"id": "p", "stats": {"A": n + 1}})
        k.kill_shard(pid=shard_of(k, "r", 0))
        p.until("ephemeralPoll", {"id": "p", "stats": {}})
        wait.until(lambda: details(k, "r")["count"] == 1, 10,
                   f"one is left, {details(k, 'r')}")
        assert details(k, "r")["uniqueCount"] == 1
    leave(*many)


def test_shard_dies_while_there_is_no_gateway(start):
    """The next gateway has never heard of its replicas: they are gone."""
    k = start(shards=3, max_shards=3, limit=2)
    people = crowd(k, "r", 6)
    middle = shard_of(k, "r", 1)
    settle(*people)
    k.kill_gateway()
    k.kill_shard(pid=middle)
    k.start()
    rest = people[:2] + people[4:]
    wait.until(lambda: details(k, "r")["count"] == 4, 10,
               f"four are left, {details(k, 'r')}")
    settle(*rest)
    leave(*people)
