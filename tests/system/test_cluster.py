"""Several nodes on one Redis: what works on one works across."""
import datetime
import json
import os
import re
import signal
import time

import pytest
from kit import redis, wait
from kit.chat import Chat, again, barrier, meet, said, settle


@pytest.fixture
def pair(start, url):
    """Two nodes of two shards; the lobby's limit is two, so that groups spread."""
    return [start("--node", name, redis=url) for name in ("one", "two")]


def spread(pair, group, n):
    """n people, in turns on the nodes."""
    people = [Chat(pair[i % 2], group, f"u{i}") for i in range(n)]
    meet(*people)
    return people


def close(*people):
    for p in people:
        p.close()


def test_who_is_alone_says_so(start):
    """1: A private Redis means one node."""
    k = start("--node", "web")
    assert "node=web is alone: its Redis is its own" in k.log()


def test_messages_reach_all_shards_of_all_nodes_once_and_in_order(pair):
    """14"""
    people = spread(pair, "g", 8)
    assert pair[0].group("g") == [2, 2] and pair[1].group("g") == [2, 2]
    for n in range(50):
        for p in people:
            p.say(f"{p.name} {n}")
    heard = settle(*people)
    for p in people:
        texts = [t for t in said(heard[p]) if not t.startswith("met")]
        for o in people:
            assert [t for t in texts if t.startswith(o.name + " ")] == \
                [f"{o.name} {n}" for n in range(50)]
    for k in pair:
        k.exact()
    close(*people)


def test_a_group_on_one_node_publishes_nothing(pair, server):
    """15: Redis has no part in what is said on one node."""
    people = [Chat(pair[0], "g", f"u{i}") for i in range(4)]
    meet(*people)
    with redis.Redis(server.path) as r:
        def published():
            m = re.search(r"cmdstat_publish:calls=(\d+)",
                          r("INFO", "commandstats"))
            return int(m[1]) if m else 0
        before = published()
        for n in range(20):
            people[n % 4].say(f"x{n}")
        settle(*people)
        assert published() == before
    close(*people)


@pytest.mark.parametrize("slow", [{2: 0.2}, {2: 0.6, 3: 0.6}], ids=["asks", "both"])
def test_who_comes_before_its_shard_may_command_redis(start, server, tmp_path, slow):
    """
    11: A shard has just begun, and hears its room before it may ask who is there; or both are
    slow, and all who are there have answered only after more than a second.  Nobody is alone
    for that.
    """
    server.start()
    path = str(tmp_path / "late")
    # The second connection of a shard is for what its bus says, the third for what
    # that hears.
    relay = redis.Relay(server.path, path,
                        lambda which: slow.get(which, 0))
    one = start("--node", "one", redis=f"unix:{server.path}")
    a = Chat(one, "g", "a")
    two = start("--node", "two", redis=f"unix:{path}")
    b = Chat(two, "g", "b")
    meet(a, b)
    close(a, b)
    two.stop()
    relay.close()


def test_a_shard_that_dies_is_mourned_elsewhere(pair):
    """4: Its node lists it no more: the others' shards let go of it."""
    people = spread(pair, "g", 8)
    one = pair[1].shard(0)
    pair[1].kill_shard(0)
    pair[0].wait_log(rf"node=two slot=0 incarnation=.* is dead", 20)
    wait.until(lambda: pair[0].group("g") == [2, 2], 5)
    alive = [p for p in people if p.name in ("u0", "u2", "u4", "u6")]
    meet(*alive)
    assert one["slot"] == 0
    close(*people)


def test_a_node_that_dies_is_swept_by_another(pair, server):
    """4, 7"""
    people = spread(pair, "g", 8)
    dead = {s["address"] for s in pair[1].shards()}
    pair[1].kill_all()
    with redis.Redis(server.path) as r:
        pair[0].wait_log("warn .*node=two is dead: no beat for 5 s", 30)
        wait.until(lambda: not [k for k in r.keys() if any(
            a in k for a in dead)], 20, "what it left is swept")
        wait.until(lambda: not set(r("SMEMBERS", "kennel:group:g")) & dead, 20)
    meet(*people[0::2])
    close(*people)
    pair[1].destroy()


def test_a_node_that_was_stopped_comes_back(pair, server):
    """8: Judged dead, swept, and alive after all: all hear each other again."""
    people = spread(pair, "g", 4)
    pids = pair[1].pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        pair[0].wait_log("node=two is dead", 30)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    pair[0].wait_log("node=two lives again", 30)
    again(*people)
    close(*people)


def test_shards_that_have_lost_their_gateway_are_met_again(pair):
    """8: The node is judged dead; its shards live, and say so."""
    people = spread(pair, "g", 4)
    pair[1].kill_gateway()
    pair[0].wait_log("node=two is dead", 30)
    again(*people)
    pair[1].start()
    pair[0].wait_log("node=two lives again", 30)
    again(*people)
    close(*people)


def test_redis_that_forgets_all_drops_nobody(pair, server):
    """12"""
    people = spread(pair, "g", 8)
    with redis.Redis(server.path) as r:
        r("FLUSHALL")
        wait.until(lambda: len(r.keys("kennel:client:*")) == 8, 30)
        wait.until(lambda: len(r("SMEMBERS", "kennel:group:g")) == 4, 30)
    meet(*people)
    for k in pair:
        assert "is dead" not in k.log()
    close(*people)


def test_redis_that_comes_back_is_used_again(pair, server):
    people = spread(pair, "g", 8)
    server.stop()
    for k in pair:
        k.wait_log("bus redis=away", 20)
    server.start()
    for k in pair:
        k.wait_log("bus redis=up", 30, len(k.log()) // 2)
    again(*people)
    for k in pair:
        assert "is dead" not in k.log()
    close(*people)


def test_kennelctl_shows_the_cluster(pair, start):
    """1, 44"""
    people = spread(pair, "g", 4)
    wait.until(lambda: "two" in pair[0].ctl("cluster"), 20)

    def seen():
        c = json.loads(pair[0].ctl("cluster", "--json"))
        nodes = {n["node"]: n for n in c["nodes"]}
        return not c["alone"] and set(nodes) == {"one", "two"} and \
            nodes["one"]["ours"] and not nodes["two"]["dead"] and \
            nodes["two"]["connections"] == 2 and \
            nodes["two"]["shards"] == 2 and c["bus"]["published"] > 0 and \
            nodes["two"]["beat_age_ms"] < 5000
    wait.until(seen, 20)
    close(*people)
    alone = start("--node", "three")
    assert alone.ctl("cluster") == "this node is alone\n"


def test_those_who_came_while_redis_was_away_meet_when_it_is_there(pair, server):
    """12: They were in their rooms before Redis was up: nobody else has to come for them."""
    server.stop()
    for k in pair:
        k.wait_log("bus redis=away")
    a, b = Chat(pair[0], "g", "a"), Chat(pair[1], "g", "b")
    server.start()
    heard = []

    def hear():
        a.say("hello")
        heard.extend(said(barrier(b)[0]))
        return heard
    wait.until(hear, 30, "a is heard by b")
    meet(a, b)
    close(a, b)


def test_a_shard_waits_a_moment_until_it_hears_other_nodes(start, server, tmp_path):
    """11: Its first group is to meet all others, also where the bus is the last to be up."""
    server.start()
    path = str(tmp_path / "redis")
    deaf = redis.Deaf(server.path, path, b"SUBSCRIBE")
    try:
        k = start("--node", "one", redis=f"unix:{path}")
        log = k.log()
        assert "bus redis=up" not in log

        def when(what, pid):
            return datetime.datetime.fromisoformat(re.search(
                rf"^(\S+)Z .* pid={pid} {what}", log, re.M)[1])
        for s in k.shards():
            assert when("state=ready", s["pid"]) - when("state=starting", s["pid"]) \
                >= datetime.timedelta(seconds=0.5)
        k.stop()
    finally:
        deaf.close()


def test_nobody_is_judged_for_what_was_not_seen(pair, server):
    """5: Redis was silent for longer than a node may be: its beats have 5 s from then on."""
    gateway = pair[1].pid
    wait.until(lambda: "two" in pair[0].ctl("cluster"), 20)
    os.kill(server.process.pid, signal.SIGSTOP)
    os.kill(gateway, signal.SIGSTOP)
    try:
        time.sleep(6)
        began = time.monotonic()
        os.kill(server.process.pid, signal.SIGCONT)
        pair[0].wait_log("node=two is dead", 40)
        assert time.monotonic() - began >= 4.5
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
        os.kill(gateway, signal.SIGCONT)
    pair[0].wait_log("node=two lives again", 40)
