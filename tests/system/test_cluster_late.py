"""
What Redis' log says of the dead may come late: of a shard that lives, or lives again, nobody
loses anything by it.
"""
import os
import re
import signal
import time

import pytest
from kit import redis, wait
from kit.chat import Chat, again, settle
from kit.talk import Talk

LIVES = "lives: that it is dead was said too late"
ASKED = "is said to be dead, and is asked"
ENDED = re.compile(r"link slot=\d+ incarnation=\w+ (?:ended|lost_bytes)")
# One who is named, and 10 MB of others, all at once.
MUCH = """
local many = {}
for i = 1, 1000 do
    many[#many + 1] = 'uid'
    many[#many + 1] = ARGV[3] .. i .. string.rep('x', 200)
end
redis.call('XADD', 'kennel:lost', '*', 'of', ARGV[1], 'uid', ARGV[2])
for n = 1, 50 do redis.call('XADD', 'kennel:lost', '*', 'of', ARGV[1], unpack(many)) end
redis.call('XADD', 'kennel:lost', '*', 'of', ARGV[1])
"""


@pytest.fixture
def pair(start, server):
    """Two nodes; the lobby's limit is two."""
    server.start()
    return [start("--node", name, redis=f"unix:{server.path}", cover=False)
            for name in ("one", "two")]


def crowd(pair, n=8):
    people = [Chat(pair[i % 2], "g", f"u{i}") for i in range(n)]
    settle(*people)
    return people


def close(*people):
    for p in people:
        p.close()


def bury(server, address, *uids, group="g", end=True):
    """As a sweep does it: these were lost with that shard, and they are all."""
    with redis.Redis(server.path) as r:
        named = [w for u in uids for w in ("uid", f"kennel:client:{group}:{u}")]
        if named:
            r("XADD", "kennel:lost", "*", "of", address, *named)
        if end:
            r("XADD", "kennel:lost", "*", "of", address)


def exits(messages):
    return sorted(m["from"] for m in messages if m["type"] == "user:exit")


def test_who_lives_is_not_buried(pair, server):
    """Nobody hears of it, and nothing is lost."""
    witnesses = [Chat(k, "g", f"w{i}") for i, k in enumerate(pair)]
    people = crowd(pair, 6)
    settle(*witnesses, *people)
    shards = [s["address"] for s in pair[1].shards()]
    links = len(pair[0].shards()) * len(shards)
    mark = [len(k.log()) for k in pair]
    with Talk(people) as t:
        t.more(t.all())
        for address in shards:
            bury(server, address, "ghost")
        wait.until(lambda: pair[0].log(mark[0]).count(LIVES) >= links, 20,
                   "all of them are asked, and answer")
        t.more(t.all())
        t.finish(t.all())
        for k, m in zip(pair, mark):
            assert not ENDED.search(k.log(m)), "no link has ended"
        for heard in settle(*witnesses).values():
            assert exits(heard) == []
    close(*witnesses)


def test_who_lives_again_is_not_buried(pair):
    """
    A node was stopped, judged dead and swept; what its sweep said is heard when all have
    met again.
    """
    people = crowd(pair)
    mark = len(pair[0].log())
    pids = pair[1].pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait.until(lambda: pair[0].log(mark).count("swept") >= 2, 30,
                   "both of its shards are swept")
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    pair[0].wait_log("node=two lives again", 30)
    wait.until(lambda: pair[0].log(mark).count(LIVES) == 4, 30, "all four answer")
    again(*people)
    log = pair[0].log(mark)
    assert log.count(" up node=two") == 4 and not ENDED.search(log), "they have met once"
    close(*people)


def stopped(pair, person):
    """Stop the shard of that person of the other node, who is said to be dead."""
    address = person.shard()
    shard = next(s for s in pair[1].shards() if s["address"] == address)
    pair[1].dies(shard["pid"])          # should its watchdog be faster
    os.kill(shard["pid"], signal.SIGSTOP)
    return shard


def test_who_does_not_answer_is_buried(pair, server):
    """
    Then who was lost is named; and when the shard is back, and what is said of it late,
    who was mourned before.
    """
    people = crowd(pair)
    far = people[1]
    near = people[0::2]
    shard = stopped(pair, far)
    try:
        bury(server, shard["address"], "ghost", end=False)
        for p in near:
            assert p.next(type="user:exit")["from"] == "ghost"
    finally:
        os.kill(shard["pid"], signal.SIGCONT)
    pair[0].wait_log("is taken for dead: it does not answer")
    again(*people)
    assert LIVES not in pair[0].log()
    bury(server, shard["address"], "latecomer")
    for p in near:
        assert p.next(type="user:exit")["from"] == "latecomer"
    pair[0].wait_log(LIVES)
    close(*people)


def test_who_dies_while_asked_is_buried(pair, server):
    """The gateway says so: what was kept is told at once."""
    people = crowd(pair)
    shard = stopped(pair, people[1])
    bury(server, shard["address"], "ghost", end=False)
    pair[0].wait_log(ASKED, 20)
    pair[1].kill_shard(pid=shard["pid"])
    for p in people[0::2]:
        assert p.next(type="user:exit")["from"] == "ghost"
        assert {p.next(type="user:exit")["from"] for _ in range(2)} == {"u1", "u3"}
    close(*people)


def test_more_than_is_kept(pair, server):
    """Then nobody is waited for, and what was kept is told."""
    people = crowd(pair)
    shard = stopped(pair, people[1])
    try:
        with redis.Redis(server.path) as r:
            r("EVAL", MUCH, "0", shard["address"], "kennel:client:g:ghost",
              "kennel:client:elsewhere:")
        pair[0].wait_log("is taken for dead: too much is said of it", 20)
        for p in people[0::2]:
            assert p.next(type="user:exit")["from"] == "ghost"
    finally:
        os.kill(shard["pid"], signal.SIGCONT)
    again(*people)
    close(*people)


def test_while_redis_is_away_nobody_is_judged(pair, server):
    """Who was asked, and could not answer, has time when Redis is back."""
    people = crowd(pair)
    shard = stopped(pair, people[1])
    try:
        bury(server, shard["address"], "ghost")
        pair[0].wait_log(ASKED, 20)
        server.stop()
    finally:
        os.kill(shard["pid"], signal.SIGCONT)
    for k in pair:
        k.wait_log("bus redis=away", 20)
    time.sleep(3)                       # longer than who is asked has
    server.start()
    pair[0].wait_log(LIVES, 20)
    again(*people)
    close(*people)
