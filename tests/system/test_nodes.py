"""Whose a node's name is, and what is left of nodes that are not there any more."""
import glob
import os
import re

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.chat import Chat, crowd


def clients(r):
    return {k: r.hash(k) for k in r.keys("kennel:client:*")}


def refused(k):
    """It ended by itself, at once, leaving nothing; what it said."""
    assert k.process.wait(wait.limit(30)) == 1
    assert not os.path.exists(os.path.join(k.run, "control.sock"))
    assert not os.path.exists(os.path.join(k.run, "lock"))
    text = k.log()
    k.destroy()
    return text


def test_a_name_that_is_in_use_is_refused(start, server):
    """3: Two gateways with one name: the second one ends, and has hurt nobody."""
    server.start()
    url = f"unix:{server.path}"
    one = start("--node", "web", redis=url)
    people = crowd(one, "g", "abc")
    with redis.Redis(server.path) as r:
        before = clients(r)
        assert len(before) == 3
        token = r.hash("kennel:node:web")["token"]
        text = refused(kits.Kennel("--node", "web", redis=url, ready=False))
        assert re.search(rf"the node name web is in use in this Redis, by "
                         rf"gatewayd pid={one.pid} on \S+, listening on "
                         rf"127.0.0.1:{one.port}: give this one another name "
                         rf"with --node", text)
        assert clients(r) == before
        assert r.hash("kennel:node:web")["token"] == token
        other = start("--node", "app", redis=url)
        other.stop()
        assert clients(r) == before
    for p in people:
        p.close()


def test_the_successor_of_a_killed_one_has_its_name(start, server):
    """3: The token is kept in the state directory; no 30 s are waited for."""
    server.start()
    k = start("--node", "web", redis=f"unix:{server.path}")
    with open(os.path.join(k.state, "token")) as f:
        token = f.read()
    assert re.fullmatch("[0-9a-f]{32}", token)
    assert os.stat(os.path.join(k.state, "token")).st_mode & 0o777 == 0o600
    with redis.Redis(server.path) as r:
        for kill in k.kill_gateway, k.kill_all:
            kill()
            k.start()
            assert r.hash("kennel:node:web")["token"] == f"{token}:{k.run}"
            assert r.hash("kennel:node:web")["pid"] == str(k.pid)
        k.stop()
        assert r.keys() == []


def test_a_name_that_is_lost_is_noticed(start, server):
    """3: Somebody else has it now: said, served on, and left as it is."""
    server.start()
    k = start("--node", "web", redis=f"unix:{server.path}")
    people = crowd(k, "g", "ab")
    with redis.Redis(server.path) as r:
        r("HSET", "kennel:node:web", "token", "other", "id", "other",
          "gateway", "10.0.0.1:80", "pid", "7", "host", "two\nlines")
        k.wait_log(r"warn .*node name web is in use in this Redis, by gatewayd "
                   r"pid=7 on two\\x0alines, listening on 10.0.0.1:80", 20)
        r("HSET", "kennel:client:g:z", "web/0#00000000000000aa", "1")
        r("SADD", "kennel:shard:web/0#00000000000000aa:clients",
          "kennel:client:g:z")
        r("SADD", "kennel:shards", "web/0#00000000000000aa")
        people[0].say("still here")
        assert people[1].next(type="user:msg")["text"] == "still here"
        assert len(clients(r)) == 3
        mark = len(k.log())
        r("DEL", "kennel:node:web")
        k.wait_log("node=web is ours", 20, mark)
        # What bears our name again, and does not live, goes.
        wait.until(lambda: len(clients(r)) == 2, 60)
        r("HSET", "kennel:node:web", "token", "other", "id", "other")
        k.wait_log("in use in this Redis", 20, len(k.log()))
        r("HSET", "kennel:client:g:z", "web/0#00000000000000aa", "1")
        r("SADD", "kennel:shard:web/0#00000000000000aa:clients",
          "kennel:client:g:z")
        for p in people:
            p.close()
        k.stop()
        assert r.hash("kennel:node:web")["token"] == "other"
        assert list(clients(r)) == ["kennel:client:g:z"]


def test_shards_of_who_had_the_name_before_are_left(start, server):
    """They lost their gateway and its claim, and live: that is no ghost."""
    server.start()
    url = f"unix:{server.path}"
    one = start("--node", "web", redis=url)
    a = Chat(one, "g", "a")
    with redis.Redis(server.path) as r:
        one.kill_gateway()
        r("DEL", "kennel:node:web")     # as after 30 s
        two = start("--node", "web", redis=url)
        b = Chat(two, "g", "b")
        r("SADD", "kennel:shards", "gone/0#00000000000000aa")
        # Somebody has looked, twice, when this one is gone twice.
        for _ in range(2):
            r("SADD", "kennel:shards", "gone/0#00000000000000aa")
            wait.until(lambda: not r("SISMEMBER", "kennel:shards",
                                     "gone/0#00000000000000aa"), 60)
        two.kill_shard(0)
        wait.until(lambda: len(two.shards()) == 2, 20)
        assert "kennel:client:g:a" in clients(r)
        two.stop()
        assert list(clients(r)) == ["kennel:client:g:a"]
    a.close()
    b.close()
    one.destroy()


def test_ghosts_of_another_name_are_swept(start, server):
    """7: A container was killed and made again under another name."""
    server.start()
    url = f"unix:{server.path}"
    one = start("--node", "c0ffee01", redis=url, limit=20)
    three = start("--node", "three", redis=url)
    people = crowd(one, "g", "abc") + [Chat(one, "h", f"u{i}")
                                       for i in range(20)]
    living = crowd(three, "k", "de")
    with redis.Redis(server.path) as r:
        wait.until(lambda: len(clients(r)) == 25, 10)
        dead = {s["address"] for s in one.shards()}
        one.kill_all()
        one.destroy()
        two = start("--node", "c0ffee02", redis=url)
        assert len(clients(r)) == 25
        # As if their 30 s were over.
        for address in dead:
            r("DEL", "kennel:shard:" + address)
        wait.until(lambda: len(clients(r)) == 2, 60, "ghosts are gone")
        wait.until(lambda: not [k for k in r.keys() if any(
            a in k for a in dead)], 20)
        wait.until(lambda: not set(r("SMEMBERS", "kennel:shards")) & dead, 20)
        assert r.keys("kennel:group:*") == ["kennel:group:k"]
        assert {p.shard() for p in living} == \
            {a for at in clients(r).values() for a in at}
        # The lock is given back.
        wait.until(lambda: r.keys("kennel:sweeper") == [], 20)
        for p in (*people, *living):
            p.close()
        two.stop()
        three.stop()
        # It has 30 s, too; and who was lost is told for a minute.
        assert set(r.keys()) <= {"kennel:node:c0ffee01", "kennel:nodes",
                                 "kennel:lost"}


def test_without_a_state_directory(start, server):
    """Said, with what it means; and it goes on."""
    server.start()
    k = start("--state-dir", "/proc/none", redis=f"unix:{server.path}")
    assert re.search("the state directory /proc/none cannot be used: .*; when "
                     "this gateway is killed, the name .* is free after 30 s",
                     k.log())
    with Chat(k, "g", "a"), redis.Redis(server.path) as r:
        assert len(clients(r)) == 1


@pytest.mark.parametrize("text", ["", "x" * 32, "0" * 31])
def test_a_token_that_is_none_is_made_anew(start, server, text):
    server.start()
    k = start("--node", "web", redis=f"unix:{server.path}")
    k.stop()
    os.makedirs(k.state, 0o700)
    with open(os.path.join(k.state, "token"), "w") as f:
        f.write(text)
    k.start()
    kits.LIVE.append(k)
    with open(os.path.join(k.state, "token")) as f:
        assert re.fullmatch("[0-9a-f]{32}", f.read())
    assert glob.glob(k.state + "/*.new") == []


def test_a_cluster_is_refused(server):
    """10: With a sentence, instead of CROSSSLOT twice a second."""
    server.args = ["--cluster-enabled", "yes",
                   "--cluster-port", str(kits.Ports.take())]
    server.start()
    text = refused(kits.Kennel(redis=f"redis://127.0.0.1:{server.port}",
                               ready=False))
    assert "this is a Redis Cluster, which is not supported" in text
    assert "CROSSSLOT" not in text


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl",
                                    "noeviction"])
def test_evicting_policies_are_warned_of(start, server, policy):
    """10"""
    server.args = ["--maxmemory-policy", policy]
    server.start()
    k = start(redis=f"unix:{server.path}")
    if policy != "noeviction":
        k.wait_log(f"warn .*redis maxmemory-policy={policy}: ")
        return
    with Chat(k, "g", "a"):
        assert k.term() == 0
    assert "maxmemory-policy" not in k.log()
