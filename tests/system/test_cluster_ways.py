"""Nodes of one cluster that come to their Redis by different ways, and a Redis that changes."""
import os
import shutil

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.certs import Certs
from kit.chat import Chat, again, meet
from kit.pact import Pact, leave, settle


@pytest.fixture
def certs(tmp_path):
    return Certs(tmp_path)


def test_nodes_meet_by_whatever_way_they_come_to_redis(start, server, certs, tmp_path):
    """2: A Unix socket, IPv4, IPv6 and TLS, to one database."""
    tls = kits.Ports.take()
    server.args = [*certs.server(tls), "--port", str(server.port), "--bind", "127.0.0.1", "::1"]
    server.start()
    key = tmp_path / "key"
    key.write_text("a key that all of them know\n")
    config = f"[gateway]\ncluster_key_file = {key}\n"
    ca = f"redis_ca_file = {certs('ca')}\n"
    nodes = [start("--node", f"n{i}", redis=url, config=config + more) for i, (url, more) in
             enumerate(((f"unix:{server.path}?db=2", ""),
                        (f"redis://127.0.0.1:{server.port}/2", ""),
                        (f"redis://[::1]:{server.port}/2", ""),
                        (f"rediss://localhost:{tls}/2", ca)))]
    people = [Chat(k, "g", f"u{i}") for i, k in enumerate(nodes)]
    meet(*people)
    rooms = [Pact(k, "r") for k in nodes]
    settle(*rooms)
    for p in rooms:
        assert p.subscribe("counter:x") == []
    for p in rooms:
        p.count("x")
    for p in rooms:
        p.until("counter", {"id": "x", "value": 4})
    for k in nodes:
        wait.until(lambda k=k: all(f"n{i}" in k.ctl("cluster") for i in range(4)), 20)
    leave(*rooms)
    for p in people:
        p.close()


def test_a_redis_that_comes_back_with_what_was_long_ago(start, server):
    """38: Who lives writes what there is; of who is not there any more, nothing stays."""
    server.args = ["--dbfilename", "now"]
    server.start()
    nodes = [start("--node", name, redis=f"unix:{server.path}") for name in ("one", "two")]
    rooms = [Pact(k, "r") for k in nodes]
    settle(*rooms)
    for p in rooms:
        assert p.subscribe("counter:x") == []
    gone = Chat(nodes[0], "h", "gone")
    stay = [Chat(k, "g", f"u{i}") for i, k in enumerate(nodes)]
    rooms[0].count("x", 3)
    for p in rooms:
        p.until("counter", {"id": "x", "value": 3})
    with redis.Redis(server.path) as r:
        assert "kennel:client:h:gone" in r.keys()
        assert r("SAVE") == "OK"
    shutil.copy(os.path.join(server.dir, "now"), os.path.join(server.dir, "old"))
    gone.close()
    rooms[1].count("x", 4)
    for p in rooms:
        p.until("counter", {"id": "x", "value": 7})
    server.stop()
    for k in nodes:
        wait.until(lambda k=k: not k.status()["redis"]["up"], 20, "Redis is away")
    server.args = ["--dbfilename", "old"]
    server.start()
    with redis.Redis(server.path) as r:
        for k in nodes:
            wait.until(lambda k=k: k.status()["redis"]["up"], 30, "Redis is up")
        again(*stay)
        for p in rooms:
            p.sock.settimeout(wait.limit(20))
        wait.until(lambda: rooms[0].count("x") or rooms[0].hear()["type"] == "counter", 30)
        wait.until(lambda: int(r.hash("kennel:store:r:pact:counters")["x"]) >= 8, 30)
        value = int(r.hash("kennel:store:r:pact:counters")["x"])
        rooms[1].until("counter", {"id": "x", "value": value})
        wait.until(lambda: sorted(r.keys("kennel:client:[gh]:*")) ==
                   ["kennel:client:g:u0", "kennel:client:g:u1"], 30, "nobody is listed who left")
    for k in nodes:
        assert "is dead" not in k.log()
    leave(*rooms)
    for p in stay:
        p.close()


def test_a_node_that_is_back_before_it_is_missed(start, server):
    """4, 7: Its beat goes on; its shards are others, and the former are gone for all."""
    server.start()
    one, two = [start("--node", name, redis=f"unix:{server.path}") for name in ("one", "two")]
    a, b = Chat(one, "g", "a"), Chat(two, "g", "b")
    meet(a, b)
    former = {s["address"] for s in two.shards()}
    address = b.shard()
    two.kill_all()
    two.start()
    c = Chat(two, "g", "c")
    again(a, c)
    one.wait_log(rf"node=two slot=\d+ incarnation={address.split('#')[1]} is dead", 30)
    with redis.Redis(server.path) as r:
        wait.until(lambda: not set(r("SMEMBERS", "kennel:group:g")) & former, 30,
                   "they are swept")
        wait.until(lambda: sorted(r.keys("kennel:client:g:*")) ==
                   ["kennel:client:g:a", "kennel:client:g:c"], 30)
    assert set(a.users()["list"]) == {"a", "c"}
    assert "node=two is dead" not in one.log()
    for p in a, b, c:
        p.close()
