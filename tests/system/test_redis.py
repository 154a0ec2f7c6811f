"""What is in Redis, when it is there and when it is not."""
import os
import signal
import time

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.chat import Chat, barrier, crowd, room, said, settle, shards
from kit.http import get


def clients(r, prefix="kennel:"):
    return {k: r.hash(k) for k in r.keys(prefix + "client:*")}


def test_keys_as_documented(start):
    k = start("--node", "alpha", shards=3)
    people = crowd(k, "g", "abca")
    where = {}
    for p, address in zip(people, shards(*people)):
        at = where.setdefault(f"kennel:client:g:{p.name}", {})
        at[address] = str(int(at.get(address, 0)) + 1)
    with k.redis() as r:
        wait.until(lambda: clients(r) == where, 5)
        used = {a for at in where.values() for a in at}
        assert all(a.startswith("alpha/") for a in used)
        assert set(r("SMEMBERS", "kennel:group:g")) == used
        for a in used:
            mine = {c for c, at in where.items() if a in at}
            assert set(r("SMEMBERS", f"kennel:shard:{a}:clients")) == mine
        for s in k.shards():
            key = "kennel:shard:" + s["address"]
            h = r.hash(key)
            assert set(h) >= {"pid", "node", "connections", "groups",
                              "started", "version"}
            assert (h["pid"], h["node"]) == (str(s["pid"]), "alpha")
            assert 0 < r("PTTL", key) <= 30000
        h = r.hash("kennel:node:alpha")
        assert {"version", "shards"} <= set(h)
        assert 0 < r("PTTL", "kennel:node:alpha") <= 30000
        for name in r.keys():
            assert name.split(":")[1] in ("client", "group", "shard", "node",
                                          "shards", "sweeper", "epoch")
        assert set(r("SMEMBERS", "kennel:shards")) == \
            {s["address"] for s in k.shards()}
    for p in people:
        p.close()


def test_count_is_per_shard_and_absolute(start):
    k = start(shards=2, limit=3)
    a = [Chat(k, "g", "a") for _ in range(5)]
    with k.redis() as r:
        def counts():
            return sorted(r.hash("kennel:client:g:a").values())
        wait.until(lambda: counts() == ["2", "3"], 5)
        a.pop(0).goodbye()
        wait.until(lambda: counts() == ["2", "2"], 5)
        a.pop().reset()
        wait.until(lambda: counts() == ["1", "2"], 5)
        for p in a:
            p.goodbye()
        wait.until(lambda: r.keys("kennel:client:*") == [], 5)
        wait.until(lambda: r.keys("kennel:group:*") == [], 5)
        assert r.keys("*:clients") == []


@pytest.mark.parametrize("name,key", [
    ("a:b", "a%3Ab"), ("100%", "100%25"), ("é", "%C3%A9"), ("a b", None),
    ("*", "*"), ("a\nb", "a%0Ab"), ("\x7f", "%7F"), ("{x}", "{x}")],
    ids=range(8))
def test_names_are_encoded(start_shared, request, name, key):
    k = shared(start_shared, request)
    g = room()
    with Chat(k, g, name) as a:
        with k.redis() as r:
            found = wait.until(lambda: r.keys(f"kennel:client:{g}:*"), 5)
            if key:
                assert [x.upper() for x in found] == \
                    [f"kennel:client:{g}:{key}".upper()]
            assert all(33 <= ord(c) < 127 or c == " " for c in found[0])
        a.goodbye()


def shared(start_shared, request):
    if not hasattr(request.module, "KENNEL"):
        request.module.KENNEL = start_shared(shards=2)
    return request.module.KENNEL


def test_a_socket_is_open_only_when_it_is_listed(start):
    """Nobody is told of a newcomer before the table has it."""
    k = start(shards=3)
    with k.redis() as r:
        here = []
        for i in range(30):
            here.append(Chat(k, "g", f"n{i}"))
            assert r.hash(f"kennel:client:g:n{i}") != {}
    for p in here:
        p.close()


def test_dead_shards_entries_are_gone_within_2_s(start):
    k = start(shards=3, limit=50, cover=False)
    people = [Chat(k, g, f"{n}") for g in "gh" for n in range(120)]
    with k.redis() as r:
        wait.until(lambda: len(clients(r)) == 240, 10)
        dead = people[0].shard()
        pid = next(s["pid"] for s in k.shards() if s["address"] == dead)
        k.kill_shard(pid=pid)
        wait.until(lambda: not kits.alive(pid))

        def mentioned():
            return [c for c, at in clients(r).items() if dead in at] + \
                r.keys(f"kennel:shard:{dead}*") + \
                [g for g in r.keys("kennel:group:*")
                 if dead in r("SMEMBERS", g)]
        wait.until(lambda: not mentioned(), 2, "entries gone within 2 s")
        alive = {s["address"] for s in k.shards()}
        assert all(set(at) <= alive and at for at in clients(r).values())
    for p in people:
        p.close()


def test_redis_killed_and_back(start):
    """Nobody is dropped; the table is complete again within 5 s."""
    k = start(shards=3)
    people = crowd(k, "g", "abcde")
    with k.redis() as r:
        before = wait.until(lambda: len(clients(r)) == 5 and clients(r), 5)
        pid = int(r("INFO", "server").split("process_id:")[1].split()[0])
    os.kill(pid, signal.SIGKILL)
    people[0].say("still here")
    for heard in barrier(*people):
        assert said(heard) == ["still here"]
    people[0].say("/w e psst")
    assert people[4].next(type="user:msg")["text"] == "psst"

    def table():
        try:
            with k.redis() as r:
                return clients(r)
        except (OSError, RuntimeError):
            return None
    wait.until(lambda: table() is not None, 10, "Redis again")
    wait.until(lambda: table() == before, 5, "table complete within 5 s")
    new = Chat(k, "g", "f")
    settle(*people, new)
    before["kennel:client:g:f"] = {new.shard(): "1"}
    wait.until(lambda: table() == before, 5)
    for p in (*people, new):
        p.close()
    wait.until(lambda: table() == {}, 5)


@pytest.mark.parametrize("ask", [8, 0])
def test_redis_that_comes_back_empty(start, server, ask):
    """FLUSHALL, and a restart without its data; whispers arrive all along."""
    server.start()
    k = start(shards=3, redis=f"unix:{server.path}",
              config=f"[worker]\nwhisper_ask = {ask}\n")
    people = crowd(k, "g", "abcde")
    with redis.Redis(server.path) as r:
        before = wait.until(lambda: len(clients(r)) == 5 and clients(r), 5)
    server.stop()
    for i in range(20):
        people[0].say(f"/w e {i}")
        assert people[4].next(type="user:msg")["text"] == str(i)
        assert people[0].next(type="user:msg")["text"] == str(i)
    late = Chat(k, "g", "late")         # without Redis one still gets in
    settle(*people, late)
    people[2].say("/w late x")
    assert late.next(type="user:msg")["text"] == "x"
    before["kennel:client:g:late"] = {late.shard(): "1"}
    server.start()
    with redis.Redis(server.path) as r:
        wait.until(lambda: clients(r) == before, 5,
                   "table complete within 5 s")
        r("FLUSHALL")

        def complete():
            people[0].say("/w e z")
            assert people[4].next(type="user:msg")["text"] == "z"
            assert people[0].next(type="user:msg")["text"] == "z"
            return clients(r) == before
        wait.until(complete, 10)
        people[1].say("/w d y")
        assert people[3].next(type="user:msg")["text"] == "y"
    people.append(late)
    for p in people:
        p.goodbye()
    with redis.Redis(server.path) as r:
        wait.until(lambda: clients(r) == {}, 5)


def test_redis_that_hangs(start, server):
    """Stopped, not dead: nobody waits for it for long."""
    server.start()
    k = start(shards=3, redis=f"unix:{server.path}",
              config="[worker]\nwhisper_ask = 0\n")
    people = crowd(k, "g", "abcde")
    server.process.send_signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        people[0].say("/w e psst")
        assert people[4].next(type="user:msg")["text"] == "psst"
        assert time.monotonic() - begin < wait.limit(5)
        people[0].say("hello")
        for p in people:
            p.next(type="user:msg", text="hello")
        new = Chat(k, "g", "new")
        people[1].say("/w new x")
        assert new.next(type="user:msg")["text"] == "x"
    finally:
        server.process.send_signal(signal.SIGCONT)
    with redis.Redis(server.path) as r:
        wait.until(lambda: len(clients(r)) == 6, 10)
    settle(*people, new)
    for p in (*people, new):
        p.close()


def test_a_whisper_finds_whom_redis_has_evicted(start, server):
    """An LRU takes entries of the living: whisperers ask before they give up."""
    server.start()
    k = start(shards=3, redis=f"unix:{server.path}",
              config="[worker]\nwhisper_ask = 0\n")
    people = crowd(k, "g", "abcde")
    with redis.Redis(server.path) as r:
        wait.until(lambda: len(clients(r)) == 5, 5)
        assert r("DEL", *[f"kennel:client:g:{n}" for n in "abcde"]) == 5
    for target in people[1:]:
        people[0].say(f"/w {target.name} psst")
        assert target.next(type="user:msg")["text"] == "psst"
        people[0].next(type="user:msg")
    for p in people:
        p.close()


@pytest.mark.parametrize("form", ["redis://127.0.0.1:{port}",
                                  "redis://127.0.0.1:{port}/3",
                                  "redis://localhost:{port}/0",
                                  "unix:{path}"])
def test_urls(start, server, form):
    server.start()
    k = start(redis=form.format(port=server.port, path=server.path))
    assert not os.path.exists(k.redis_socket)
    with Chat(k, "g", "a") as a, redis.Redis(server.path) as r:
        if form.endswith("/3"):
            r("SELECT", 3)
        wait.until(lambda: "kennel:client:g:a" in clients(r), 5)
        s = k.status()["redis"]
        assert (s["mode"], s["up"]) == ("url", True)
        a.goodbye()
        wait.until(lambda: clients(r) == {}, 5)
    k.stop()
    with redis.Redis(server.path) as r:
        assert r.keys() == []
        assert r("PING") == "PONG"      # it is not ours to stop


def test_password_and_prefix(start, server):
    server.args = ["--requirepass", "s3cret"]
    server.start()
    k = start(redis=f"redis://:s3cret@127.0.0.1:{server.port}",
              config="[gateway]\nredis_prefix = other:\n")
    with Chat(k, "g", "a"), redis.Redis(server.path) as r:
        r("AUTH", "s3cret")
        wait.until(lambda: clients(r, "other:"), 5)
        assert r.keys("kennel:*") == []
    assert "s3cret" not in k.log()
    assert "s3cret" not in k.ctl("status", "--json")
    for pid in k.pids():
        with open(f"/proc/{pid}/cmdline") as f:
            args = f.read()
        assert "s3cret" not in args or pid == k.pid


def test_two_kennels_share_one_redis(start, server):
    """Different nodes: neither sweeps the other's entries."""
    server.start()
    url = f"unix:{server.path}"
    one, two = (start("--node", n, redis=url) for n in ("one", "two"))
    a, b = Chat(one, "g", "x"), Chat(two, "g", "x")
    with redis.Redis(server.path) as r:
        wait.until(lambda: len(r.hash("kennel:client:g:x")) == 2, 5)
        two.stop()
        b.close()
        assert list(r.hash("kennel:client:g:x")) == [a.shard()]
    a.close()


def test_entries_of_a_former_life_are_swept(start, server):
    """Everything was killed; the next start on this node cleans up."""
    server.start()
    url = f"unix:{server.path}"
    k = start("--node", "one", redis=url)
    people = crowd(k, "g", "abc")
    with redis.Redis(server.path) as r:
        wait.until(lambda: len(clients(r)) == 3, 5)
        k.kill_all()
        assert len(clients(r)) == 3
        k.start()
        wait.until(lambda: clients(r) == {}, 5)
        wait.until(lambda: r.keys("kennel:group:*") == [], 5)
    for p in people:
        p.close()


def test_none(start):
    k = start(redis="none", shards=3)
    assert not os.path.exists(k.redis_socket)
    assert k.status()["redis"]["mode"] == "none"
    people = crowd(k, "g", "abcde")
    people[0].say("/w e hi")
    assert people[4].next(type="user:msg")["text"] == "hi"
    assert get(k, "/lobby/g/whisper?target=d").text == "DONE"
    people[3].next(type="user:msg", meta="whisper")
    for p in people:
        p.close()


def test_private_redis_is_private(start):
    """No port, our directory, only we may connect; its file is in state."""
    k = start()
    with k.redis() as r:
        assert r("CONFIG", "GET", "port") == ["port", "0"]
        assert r("CONFIG", "GET", "appendonly")[1] == "yes"
        assert r("CONFIG", "GET", "appendfsync")[1] == "always"
        where = r("CONFIG", "GET", "dir")[1]
    assert os.path.realpath(where).startswith(os.path.realpath(k.state))
    assert os.stat(k.run).st_mode & 0o777 == 0o700
    assert os.listdir(k.state) != []
