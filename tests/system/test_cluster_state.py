"""The state of a group that several nodes share: one order, whoever dies."""
import os
import select
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit import redis, wait
from kit.pact import Pact, leave, quiet, settle
from kit.sentinel import Watched
from kit.steps import Counting

VOTES = {"id": "p", "stats": {"A": 1}}


@pytest.fixture
def pair(start, url):
    return [start("--node", name, redis=url, limit=2)
            for name in ("one", "two")]


def spread(pair, room, n):
    """n people, in turns on the nodes, who know each other."""
    people = [Pact(pair[i % 2], room) for i in range(n)]
    settle(*people)
    return people


def holder(server, room):
    """The node whose replica decides, and its epoch; "" between two of them."""
    with redis.Redis(server.path) as r:
        h = r.hash(f"kennel:store:{room}:pact")
    who = h.get("holder", "shard:/")
    return who.split("shard:")[1].split("/")[0], int(h["epoch"])


def test_steps_of_all_nodes_have_one_order(pair, server):
    """29"""
    people = spread(pair, "r", 8)
    with Counting(people) as c:
        c.more(200)
        value = c.finish()
        assert holder(server, "r")[1] == 1
    with redis.Redis(server.path) as r:
        assert r("HGET", "kennel:store:r:pact:counters", "x") == str(value)


def test_a_newcomer_of_the_other_node_has_the_state(pair):
    """29"""
    with Pact(pair[0], "r") as a:
        a.subscribe("counter")
        a.count("likes", 3)
        a.until("counter", {"id": "likes", "value": 3})
        with Pact(pair[1], "r") as b:
            assert b.subscribe("counter:likes") == [
                {"type": "counter", "data": {"id": "likes", "value": 3}}]


def test_the_deciding_node_dies(pair, server):
    """30: The other one claims its epoch; those who are left see one order."""
    people = spread(pair, "r", 8)
    first, epoch = holder(server, "r")
    dying, living = (pair if first == "one" else pair[::-1])
    gone = [p for i, p in enumerate(people) if pair[i % 2] is dying]
    with Counting(people) as c:
        c.more(50)
        dying.kill_all()
        living.wait_log("is dead: no beat", 30)
        c.more(100, 40)
        c.finish(gone=gone)
        assert holder(server, "r")[0] != first
        assert holder(server, "r")[1] > epoch
    dying.destroy()


def test_the_deciding_replica_ends(pair, server):
    """30: Its last member leaves: the other node goes on at once."""
    a = Pact(pair[0], "r")
    b = Pact(pair[1], "r")
    settle(a, b)
    assert holder(server, "r")[0] == "one"
    leave(a)
    b.subscribe("counter")
    for n in range(1, 6):
        b.count("likes", 1)
        b.until("counter", {"id": "likes", "value": n})
    wait.until(lambda: holder(server, "r")[0] == "two", 20)
    b.close()


@pytest.fixture
def patient(start, url):
    """Each socket in a shard of its own; nobody is doubted because a test made it sleep."""
    return [start("--node", name, redis=url, limit=1,
                  config="[gateway]\nwatchdog = 60s\n") for name in ("one", "two")]


def asleep(k, room):
    """The pid of the shard of the room's one replica there, which sleeps now."""
    replica, = k.replicas(room)
    pid, = (s["pid"] for s in k.shards() if s["address"] == replica["shard"])
    os.kill(pid, signal.SIGSTOP)
    return pid


def voted(one, two):
    """Somebody at each of them, who is quiet; that at the other has voted."""
    a, b = Pact(one, "r"), Pact(two, "r")
    b.subscribe("ephemeralPoll:p")
    b.vote("p", "A", "ephemeralPoll")
    b.until("ephemeralPoll", VOTES)
    quiet(a, b)
    return a, b


def knows(b, c):
    """Who came meanwhile knows of the vote, too."""
    quiet(b, c)
    assert c.subscribe("ephemeralPoll:p") == [{"type": "ephemeralPoll", "data": VOTES}]
    leave(b, c)


def test_who_is_slow_to_meet_the_authority_keeps_its_state(patient):
    """29: A newcomer decides before it has heard of everybody: news follow, no state."""
    one, two = patient
    a, b = voted(one, two)
    pid = asleep(two, "r")
    try:
        c = Pact(one, "r")          # it has not met b, which does not answer
        leave(a)
        one.wait_group("r", [1])
        c.login()                   # it decides now
    finally:
        os.kill(pid, signal.SIGCONT)
    knows(b, c)


def test_a_newcomer_waits_for_the_state_of_who_is_slow(patient):
    """29: The authority has ended, and only who has not answered yet knows the state."""
    one, two = patient
    a, b = voted(one, two)
    pid = asleep(two, "r")
    try:
        leave(a)
        wait.until(lambda: one.replicas("r") == [], 10, "the authority has ended")
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(Pact, one, "r")
            try:
                one.wait_log("another node's shard is silent", 20)
            finally:
                os.kill(pid, signal.SIGCONT)
            c = coming.result()
    finally:
        os.kill(pid, signal.SIGCONT)
    knows(b, c)


def test_a_paused_authority_writes_nothing(pair, server):
    """32: It is judged dead; what it wrote afterwards would be of an old epoch."""
    people = spread(pair, "r", 4)
    first, epoch = holder(server, "r")
    paused, other = (pair if first == "one" else pair[::-1])
    mine = [p for i, p in enumerate(people) if pair[i % 2] is other]
    theirs = [p for i, p in enumerate(people) if pair[i % 2] is paused]
    for p in people:
        p.subscribe("counter")
    pids = paused.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        for p in theirs:
            p.count("late", 1)          # read when it wakes up
        other.wait_log("is dead: no beat", 30)
        mine[0].count("likes", 5)
        mine[0].until("counter", {"id": "likes", "value": 5})
        assert holder(server, "r")[1] > epoch
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    # What was said to the paused one takes effect once, with the new one.
    for p in mine:
        p.until("counter", {"id": "late", "value": len(theirs)})
    for p in theirs:
        p.until("counter", {"id": "late", "value": len(theirs)})
        p.count("likes", 1)
    mine[1].until("counter", {"id": "likes", "value": 5 + len(theirs)})
    with redis.Redis(server.path) as r:
        assert r("HGET", "kennel:store:r:pact:counters", "likes") == \
            str(5 + len(theirs))
    leave(*people)


def test_redis_that_restarts_is_used_again(pair, server):
    """36: Durable steps are refused meanwhile, and nobody is dropped."""
    people = spread(pair, "r", 8)
    with Counting(people) as c:
        c.more(50)
        server.stop()
        wait.until(lambda: any(c.errors.values()), 30, "steps are refused")
        server.start()
        c.more(100, 60)
        c.finish(reset=True)


def test_redis_that_forgets_all_is_told_again(pair, server):
    """38"""
    people = spread(pair, "r", 8)
    with Counting(people) as c, redis.Redis(server.path) as r:
        c.more(50)
        r("FLUSHALL")
        c.more(100, 60)
        c.finish(reset=True)
        # What was under way when the last was said is answered, too.
        wait.until(lambda: {r("HGET", "kennel:store:r:pact:counters", "x")} ==
                   {str(c.seen[p][-1]) for p in people}, 20)


def test_a_fail_over_loses_nothing_that_was_announced(start):
    """39: store_replicas = 1: a step is with a replica of Redis before it is heard of."""
    w = Watched(servers=2)
    try:
        pair = [start("--node", name, redis=w.url(), limit=2,
                      config="[worker]\nstore_replicas = 1\n")
                for name in ("one", "two")]
        people = spread(pair, "r", 4)
        former, new = w.servers
        with Counting(people) as c:
            c.more(50)
            former.stop()
            heard = max(seen[-1] for seen in c.seen.values())
            wait.until(lambda: w.successor(former), 60, "a new master")
            kept = int(w.hash(new, "kennel:store:r:pact:counters")["x"])
            assert kept >= heard, "what was heard is kept"
            # Without a replica nothing more is announced.
            wait.until(lambda: any(c.errors.values()), 60)
            c.over.set()
    finally:
        w.remove()


def test_what_a_fail_over_lost_is_written_again_by_who_has_it(start):
    """
    39: store_replicas = 0: steps are announced that Redis' replica lacks, and the master dies.
    The next one has less than the group knows, and gets it with the next step.
    """
    w = Watched(servers=2)
    try:
        pair = [start("--node", name, redis=w.url(), limit=2) for name in ("one", "two")]
        a, b = spread(pair, "r", 2)
        former, new = w.servers
        b.subscribe("counter:x")
        a.count("x")
        b.until("counter", {"id": "x", "value": 1})
        wait.until(w.replicating, 20)
        w.ask(new, "REPLICAOF", "127.0.0.1", "1")       # until Sentinels say otherwise
        for n in (2, 3):
            a.count("x")
            b.until("counter", {"id": "x", "value": n})
        former.stop()
        assert w.hash(new, "kennel:store:r:pact:counters")["x"] == "1"
        wait.until(lambda: w.successor(former), 60, "a new master")

        def counted():
            """Some are refused meanwhile; and the state may be told again."""
            b.count("x")
            m = {"type": "counter", "data": {"value": 3}}
            while m["type"] == "counter" and m["data"]["value"] == 3:
                m = b.hear()
            return m["type"] == "counter" and m["data"]["value"]
        assert wait.until(counted, 60) == 4
        # One of which it was open whether it had taken effect may be the next.
        assert int(w.hash(new, "kennel:store:r:pact:counters")["x"]) >= 4
        leave(a, b)
    finally:
        w.remove()


def test_a_newcomer_takes_the_state_from_who_has_it(pair):
    """
    29: Who decided has left, and somebody comes to its node at once: what is in no Redis is
    with the other node, whose people hear of nothing.
    """
    a, b = spread(pair, "r", 2)
    b.subscribe("ephemeralPoll")
    for n in range(5):
        b.vote(f"p{n}", "x", "ephemeralPoll")
        b.until("ephemeralPoll", {"id": f"p{n}", "stats": {"x": 1}})
        leave(a)
        a = Pact(pair[0], "r")
        for i in range(n + 1):
            assert a.subscribe(f"ephemeralPoll:p{i}") == [
                {"type": "ephemeralPoll", "data": {"id": f"p{i}", "stats": {"x": 1}}}]
        assert b.barrier() == []
    leave(a, b)


REFUSED = "the store is unavailable, try again later"


def refused_until(p, again):
    """
    p's steps on counter x are refused, nobody hears of one, and what is in no Redis goes
    on.  Then again() makes it whole: x counts on from 1, where it stood.
    """
    for n in range(3):
        p.count("x")
        assert p.until("error") == ([], REFUSED)
        p.vote("e", f"a{n}", "ephemeralPoll")
        before, _ = p.until("ephemeralPoll")
        assert before == []
    again()

    def counted():
        p.count("x")
        m = p.hear()
        return m["type"] == "counter" and m["data"]["value"]
    assert wait.until(counted, 30) == 2


@pytest.fixture
def store_replica():
    """A Redis with one replica."""
    w = Watched(servers=2, sentinels=0)
    yield w
    w.remove()


def test_nothing_is_announced_that_a_replica_of_redis_lacks(start, store_replica):
    """34, 39: store_replicas = 1, and it is stopped: steps are refused, nobody hears of them."""
    master, replica = store_replica.servers
    k = start("--node", "one", redis=f"unix:{master.path}",
              config="[worker]\nstore_replicas = 1\n")
    with Pact(k, "r") as p:
        p.subscribe("counter:x")
        p.subscribe("ephemeralPoll:e")
        p.count("x")
        p.until("counter", {"id": "x", "value": 1})
        os.kill(replica.process.pid, signal.SIGSTOP)
        try:
            refused_until(p, lambda: os.kill(replica.process.pid, signal.SIGCONT))
        finally:
            os.kill(replica.process.pid, signal.SIGCONT)
    assert k.log().count("steps that are to be kept are refused") == 1
    k.wait_log("store replicas=1 of Redis have what was written")


def test_a_redis_that_says_no_to_a_cluster_refuses(start, store_replica):
    """36: It is there, and takes nothing that is written, as if away; but it is heard."""
    master, _ = store_replica.servers
    k = start("--node", "one", redis=f"unix:{master.path}")
    with Pact(k, "r") as p, redis.Redis(master.path) as r:
        p.subscribe("counter:x")
        p.subscribe("ephemeralPoll:e")
        p.count("x")
        p.until("counter", {"id": "x", "value": 1})
        assert r("CONFIG", "SET", "min-replicas-to-write", "2") == "OK"
        refused_until(p, lambda: r("CONFIG", "SET", "min-replicas-to-write", "0"))
    assert "redis lost" not in k.log()


def test_an_epoch_that_somebody_holds_is_not_taken(pair, server):
    """30: Its shard lives; only when its replica is nobody's neighbour for a while is it over."""
    address = pair[0].shards()[0]["address"]
    with redis.Redis(server.path) as r:
        r("SET", "kennel:epoch:r", "7")
        r("HSET", "kennel:store:r:pact", "epoch", "7", "holder",
          f"kennel:shard:{address} 12345")
        began = time.monotonic()
        with Pact(pair[1], "r"):
            assert time.monotonic() - began >= 2.5
            wait.until(lambda: holder(server, "r") == ("two", 8), 20)


def test_who_lost_the_epoch_writes_nothing_more(pair, server):
    """32: It does not know yet: its step is written when it has claimed again, not before."""
    with redis.Redis(server.path) as r, Pact(pair[0], "r") as p:
        p.subscribe("counter:x")
        p.count("x")
        p.until("counter", {"id": "x", "value": 1})
        other = pair[1].shards()[0]["address"]
        r("SET", "kennel:epoch:r", "50")
        r("HSET", "kennel:store:r:pact", "epoch", "50", "holder",
          f"kennel:shard:{other} 12345")
        p.count("x")
        p.until("counter", {"id": "x", "value": 2})
        assert holder(server, "r")[0] == "one" and holder(server, "r")[1] > 50
        assert r("HGET", "kennel:store:r:pact:counters", "x") == "2"



def emptied(server, one, two, asleep=()):
    """
    Redis is emptied, one's client has left and another comes there, whom nobody finds, and who
    finds nobody.  Returns the newcomer, when the shards of two that are awake are listed again.
    """
    again = [s["address"].split("#")[0].split("/")[1] for s in two.shards()
             if s["pid"] not in asleep]
    marks = len(two.log())
    with redis.Redis(server.path) as r:
        r("FLUSHALL")
        d = Pact(one, "r")
        assert r("GET", "kennel:epoch:r") == "1"
    for slot in again:
        two.wait_log(rf"shardd/{slot}.*all of ours is in redis", 30, mark=marks)
    return d


def reaches(a, b):
    """What a says in the chat comes to b, sooner or later."""
    b.tell("subscribe", "chat")
    wait.until(lambda: a.tell("chat", "hello") or select.select([b.sock], [], [], 0.2)[0], 30,
               "they meet")
    b.until("chat")


def test_who_comes_when_redis_is_empty_is_met(patient, server):
    """
    22, 29: Who is listed nowhere is not found.  Who finds that Redis has forgotten it looks
    again who is there, and the newcomer and all others are one group.
    """
    one, two = patient
    a, b, c = people = [Pact(k, "r") for k in (one, two, two)]
    settle(*people)
    leave(a)
    one.wait_group("r", [])
    d = emptied(server, one, two)
    for p in b, c:
        reaches(p, d)
        reaches(d, p)
    for p in b, c, d:
        p.close()


def test_an_epoch_that_redis_has_lost_is_followed(patient, server):
    """
    29, 30: Redis comes back empty; a newcomer that knows of no earlier epoch decides with the
    first one.  Who remembers a later one takes part all the same.
    """
    one, two = patient
    with redis.Redis(server.path) as r:
        r("SET", "kennel:epoch:r", 50)
    a, b, c = people = [Pact(k, "r") for k in (one, two, two)]
    settle(*people)
    assert holder(server, "r") == ("one", 51)
    # The candidate of its node would claim another one.
    pid, = (s["pid"] for s in two.shards() if s["address"] == two.replicas("r")[0]["shard"])
    os.kill(pid, signal.SIGSTOP)
    try:
        a.close()
        one.wait_group("r", [])
        d = emptied(server, one, two, [pid])
        reaches(d, c)
    finally:
        os.kill(pid, signal.SIGCONT)
    c.sock.settimeout(wait.limit(20))
    c.tell("subscribe", "counter:likes")
    for n in 1, 2:
        c.count("likes", 1)
        c.until("counter", {"id": "likes", "value": n})
    assert holder(server, "r")[1] > 51
    for p in b, c, d:
        p.close()
