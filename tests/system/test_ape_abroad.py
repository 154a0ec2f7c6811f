"""
Files between servers: by HTTP between their admin listeners, which a common key opens.
Numbers are those of tests/checklists/api-ape.txt.
"""
import glob
import hashlib
import hmac
import os
import re
import socket
import threading

import pytest
from kit import postgres, redis, wait
from kit.ape import Ape, parse
from kit.http import Http, get, request
from kit.kennel import Ports
from kit.wire import Closed

from test_ape_files import (COOKIE, OTHER, announce, ask, begin, breaks_off,
                            flows, fresh, getter, pattern, put)
from test_ape_forest import config

KEY = b"sixteen bytes and more\n"


@pytest.fixture(scope="module")
def store():
    s = redis.Server(Ports.take()).start()
    yield s
    s.remove()


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    path = tmp_path_factory.mktemp("key")
    os.chmod(path, 0o711)
    (path / "key").write_bytes(KEY)
    (path / "wrong").write_bytes(b"another key, as long\n")
    return path


def travels(k, n=2):
    """All its shards know where files are."""
    wait.until(lambda: len(re.findall("forest files (?:travel|stay)", k.log())) >=
               n, 30, "files travel")
    return k


def server(start, store, key, id, ns="wood", name="key", more="", **kw):
    """One of a cluster of its own, whose admin listener is reached."""
    port = Ports.take()
    k = travels(start("--admin", port, redis=f"unix:{store.path}",
                      config=config(id.lower(), id, ns,
                                    f"key_file = {key / name}\n{more}"),
                      shards=2, limit=2, **kw))
    k.admin = ("127.0.0.1", port)
    return k


@pytest.fixture(scope="module")
def pair(store, start_shared, key):
    return [server(start_shared, store, key, id) for id in ("ONE", "TWO")]


@pytest.fixture(scope="module")
def nodes(store, start_shared, key):
    """Two nodes of one cluster, without a forest."""
    found = []
    for name in "left", "right":
        port = Ports.take()
        k = start_shared("--node", name, "--admin", port,
                         redis=f"unix:{store.path}", shards=2, limit=2,
                         config="[gateway]\nredis_prefix = both:\n"
                                f"cluster_key_file = {key / 'key'}\n")
        k.admin = ("127.0.0.1", port)
        found.append(k)
    a, b = Ape(found[0]), Ape(found[1])
    wait.until(lambda: b.id in a.call("users/list"), 30, "the nodes have met")
    a.close(), b.close()
    for k in found:
        travels(k)
    return found


@pytest.fixture(params=["forest", "cluster"])
def two(request):
    return request.getfixturevalue(
        "pair" if request.param == "forest" else "nodes")


def heard(client, id):
    """The announcement of a file comes to it."""
    while True:
        t, m = client.push()
        if t == "message" and m["data"] == {"pic<!F><!F>": id}:
            return


# ---- files that clients share ----

@pytest.mark.parametrize("size", [0, 1, 300000, 5 << 20])
def test_share_across_servers(two, size):
    """55: whole, as it is at home; by a client that anybody is."""
    one, other = two
    a, b, id, data = Ape(one, cookie=COOKIE), Ape(other), fresh(), os.urandom(size)
    announce(a, id)
    heard(b, id)
    assert put(one, f"x/{id}", data, cookie=COOKIE).status == 200
    for kw in dict(), dict(cookie=OTHER):
        r = ask(other, "GET", id, **kw)
        assert (r.status, r.body) == (200, data)
        assert r["X-Ape-Complete"] == "1"
        assert r["X-Ape-Total-Received"] == r["Content-Length"] == str(size)
        assert r["Content-Type"] == "application/octet-stream"
        assert r["X-Content-Type-Options"] == "nosniff"
    r = ask(other, "GET", id, host="example.org")
    assert r.status == 403
    a.close(), b.close()


def test_share_flows_across_servers_while_it_comes(two):
    """55: who asks early gets everything, as it comes."""
    one, other = two
    a, b, id = Ape(one, cookie=COOKIE), Ape(other), fresh()
    announce(a, id)
    heard(b, id)
    flows(one, other, id)
    a.close(), b.close()


def test_share_that_breaks_off_is_cut_there_too(two):
    one, other = two
    a, b, id = Ape(one, cookie=COOKIE), Ape(other), fresh()
    announce(a, id)
    heard(b, id)
    breaks_off(one, other, id)
    a.close(), b.close()


def test_many_at_once_and_an_id_of_second_use(two):
    """Each gets all of what was there when it asked."""
    one, other = two
    a, b, id = Ape(one, cookie=COOKIE), Ape(other), fresh()
    for data in os.urandom(200000), os.urandom(100000):
        announce(a, id)
        heard(b, id)
        assert put(one, f"_share/{id}", data, cookie=COOKIE).status == 200
        # A file that is being fetched is joined for a second, at most.
        wait.until(lambda: ask(other, "GET", id).body == data, 20, "the new one")
        got = []
        threads = [threading.Thread(target=lambda: got.append(
            ask(other, "GET", id).body)) for _ in range(12)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert got == [data] * 12
    a.close(), b.close()


def files(k):
    """Descriptors of files in the memory of its processes."""
    n = 0
    for pid in k.pids():
        for fd in glob.glob(f"/proc/{pid}/fd/*"):
            try:
                n += os.readlink(fd).startswith("/memfd:ape")
            except OSError:
                pass
    return n


def test_nothing_stays_of_what_was_brought(two):
    """Nor of what was cut, or was asked for by who has gone."""
    one, other = two
    a, b, id, data = Ape(one, cookie=COOKIE), Ape(other), fresh(), os.urandom(1 << 20)
    announce(a, id)
    heard(b, id)
    assert put(one, f"_share/{id}", data, cookie=COOKIE).status == 200
    before = files(other)
    for i in range(20):
        c, _ = getter(other, id)
        if i % 2:
            assert ask(other, "GET", id).body == data
            c.read(len(data))
        c.close()
    wait.until(lambda: files(other) <= before, 30, "they are gone")
    a.close(), b.close()


def test_unknown_files_are_not_there(two):
    """401 without a session, else 404; on the way they are no errors."""
    _, other = two
    assert ask(other, "GET", fresh()).status == 401
    assert ask(other, "GET", fresh(), cookie=COOKIE).status == 404


def test_keys_of_files(pair, store):
    """Which server has a file, and where servers are."""
    a, id = Ape(pair[0]), fresh()
    announce(a, id)
    with redis.Redis(store.path) as r:
        wait.until(lambda: r("GET", f"wood:file:{id}") == "ONE", 10, "its key")
        assert 100 <= r("TTL", f"wood:file:{id}") <= 120
        for k, name in zip(pair, ("ONE", "TWO")):
            assert r("GET", f"wood:at:{name}") == "127.0.0.1:%d" % k.admin[1]
    a.close()


def test_keys_in_a_cluster(nodes, store):
    """Without a forest they are beside those of the nodes."""
    a, id = Ape(nodes[0]), fresh()
    announce(a, id)
    with redis.Redis(store.path) as r:
        wait.until(lambda: r("GET", f"both:ape:file:{id}") == "left", 10, "its key")
        for k, name in zip(nodes, ("left", "right")):
            assert r("GET", f"both:ape:at:{name}") == \
                "127.0.0.1:%d" % k.admin[1]
    a.close()


def test_first_server_with_an_id_keeps_it(pair, store):
    a, b, c = Ape(pair[0], cookie=COOKIE), Ape(pair[1], cookie=OTHER), Ape(pair[1])
    id = fresh()
    announce(a, id)
    heard(b, id)
    assert put(pair[0], f"_share/{id}", b"first", cookie=COOKIE).status == 200
    announce(b, id)
    heard(a, id)
    with redis.Redis(store.path) as r:
        b.call("echo", 1)
        assert r("GET", f"wood:file:{id}") == "ONE"
    for p in a, b, c:
        p.close()


# ---- what only its own session may have ----

def test_download_across_servers(two):
    """A browser's requests go to any server: by its cookie, and by nobody else's."""
    left, right = two
    a = Ape(left, cookie=COOKIE)
    for size in 0, 100000:
        name = a.call("download", {"size": size})["bytes<!L><!L>"]
        assert name.partition(".")[2] in ("left", "ONE")
        for k in left, right, right:
            r = ask(k, "GET", name, cookie=COOKIE)
            assert (r.status, r.body) == (200, pattern(size))
            assert r["Content-Length"] == str(size)
        assert ask(right, "GET", name, header=a.id).status == 200
        assert ask(right, "GET", name, cookie=OTHER).status == 404
        assert ask(right, "GET", name).status == 401
    a.close()


def test_upload_across_nodes(nodes):
    """The call at one node, its body at another: after it, and before it."""
    left, right = nodes
    a = Ape(left, cookie=COOKIE)
    b = Ape(right)      # the group is there, too
    wait.until(lambda: b.id in a.call("users/list"), 20, "they have met")
    data = os.urandom(200000)
    want = {"size": len(data), "sha1": hashlib.sha1(data).hexdigest(), "name": 1}
    query = a.ask("upload", {"file<!A>": "h", "name": 1})
    a.call("echo", 1)
    r = put(right, f"{query}/h", data, cookie=COOKIE)
    assert (r.status, parse(r.text)) == (200, {"success": True})
    assert a.reply(query)["data"] == want
    from kit.ape import query_id
    text = a.text("upload", {"file<!A>": "h", "name": 1})
    c = begin(right, f"{query_id(text)}/h", data, COOKIE)
    b.call("echo", 1)
    query = a.say(text)
    assert c.response().status == 200
    assert a.reply(query)["data"] == want
    query = a.ask("upload", {"file<!A>": "h", "name": 1})
    a.call("echo", 1)
    assert put(right, f"{query}/h", b"evil", cookie=OTHER).status == 404
    assert put(right, f"{query}/h", b"x").status == 401
    for p in a, b, c:
        p.close()


def test_share_put_at_another_node(nodes):
    left, right = nodes
    a, b, id = Ape(left, cookie=COOKIE), Ape(right), fresh()
    announce(a, id)
    heard(b, id)
    r = put(right, f"_share/{id}", b"from there" * 1000, cookie=COOKIE)
    assert (r.status, parse(r.text)) == \
        (200, {"success": True, "streaming": True})
    for k in left, right:
        assert ask(k, "GET", id).body == b"from there" * 1000
    a.close(), b.close()


# ---- binary that is pushed ----

def uploaded(a, k, type, data, body):
    """A call whose one part is body, and its reply's data."""
    query = a.ask(type, data)
    assert put(k, f"{query}/h", body, cookie=COOKIE).status == 200
    return a.reply(query)["data"]


def test_binary_in_pushes_reaches_who_is_elsewhere(two):
    """52, 53: who hears of it gets it from the own server, with any session."""
    one, other = two
    a, b, data = Ape(one, cookie=COOKIE), Ape(other), os.urandom(70000)
    wait.until(lambda: a.call("sendto", {"to": b.id, "type": "hi"}) ==
               {"sent": True}, 20, "b is reached")
    assert b.push()[0] == "hi"          # which may come after the reply
    to = {"to": b.id, "type": "t"}
    for type, said, found in (
            ("message", {"n": 1, "in": {"pic<!A>": "h"}},
             lambda m: m["data"]["in"]["pic<!L><!L>"]),
            ("message", {"l": [1, {"__ape_upload__": "h"}]},
             lambda m: m["data"]["l"][1]["__ape_link__"]),
            ("everyone", {"__ape_upload__": "h"},
             lambda m: m["data<!L><!L>"]),
            ("sendto", {**to, "data": {"pic<!B>": "h"}},
             lambda m: m["data"]["pic<!L><!L>"])):
        uploaded(a, one, type, said, data)
        name = found(b.push()[1])
        for k in two:
            r = ask(k, "GET", name, cookie=OTHER)
            assert (r.status, r.body) == (200, data), (type, name)
    a.close(), b.close()


# ---- who may, and who may not ----

def prove(key, seed, target, method="GET"):
    return hmac.new(key.strip(), f"{seed} {method} {target}".encode(),
                    "sha256").hexdigest()


def knock(k, target):
    """A connection to its admin listener, and the seed that it gives."""
    c = Http(k.admin)
    r = c.ask("GET", target)
    assert r.status == 401
    return c, re.fullmatch('Kennel seed="([0-9A-Za-z]{32})"',
                           r["WWW-Authenticate"])[1]


def answer(c, target, proof, method="GET", fields=()):
    # The rule of https is for clients: servers call each other by any name.
    c.write(request(method, target, host="10.0.0.1:9100", fields=[
        ("Authorization", f"Kennel {proof}"), ("Connection", "close"), *fields]))
    return c.response()


def test_who_has_the_key_gets_what_clients_get(pair):
    one = pair[0]
    a, id = Ape(one, cookie=COOKIE), fresh()
    announce(a, id)
    assert put(one, f"_share/{id}", b"bytes", cookie=COOKIE).status == 200
    target = f"/api/ape/data/{id}"
    c, seed = knock(one, target)
    r = answer(c, target, prove(KEY, seed, target))
    assert (r.status, r.body, r["X-Ape-Complete"]) == (200, b"bytes", "1")
    with pytest.raises(Closed):
        c.read(1)
    c.close()
    # It is told what is not there, and nobody asks further.
    target = "/api/ape/data/nowhere"
    c, seed = knock(one, target)
    assert answer(c, target, prove(KEY, seed, target)).status == 404
    c.close(), a.close()


def test_who_has_it_not_gets_nothing_and_is_logged(start, store, key):
    k = server(start, store, key, "LONE", ns="lone",
               faults="another server is refused")
    a, id = Ape(k, cookie=COOKIE), fresh()
    announce(a, id)
    assert put(k, f"_share/{id}", b"secret", cookie=COOKIE).status == 200
    target = f"/api/ape/data/{id}"
    # Nothing, a wrong key, a proof of another target, method or connection, twice.
    with Http(k.admin) as c:
        r = c.ask("GET", target)
        assert r.status == 401 and b"secret" not in r.body
        r = c.ask("GET", target)        # again: another seed
        assert r.status == 401
    c, seed = knock(k, target)
    other, other_seed = knock(k, target)
    wrong = [(c, prove(b"wrong", seed, target)),
             (other, prove(KEY, seed, target))]
    for c, proof in wrong:
        r = answer(c, target, proof)
        assert r.status == 403 and b"secret" not in r.body
        with pytest.raises(Closed):
            c.read(1)
        c.close()
    for made in (("GET", "/api/ape/data/x"), ("PUT", target)):
        c, seed = knock(k, target)
        assert answer(c, target, prove(KEY, seed, made[1], made[0])).status == 403
        c.close()
    # A right proof on a connection that would go on is none.
    c, seed = knock(k, target)
    c.write(request("GET", target, fields=[
        ("Authorization", f"Kennel {prove(KEY, seed, target)}")]))
    assert c.response().status == 400
    c.close()
    k.wait_log(r"admin peer=server:127\.0\.0\.1:\d+ status=403: another server "
               "is refused, for its key is not ours")
    assert KEY.decode().strip() not in k.log()
    # And where clients come in, no proof is looked at.
    r = get(k, target, fields=[("Authorization", "Kennel " + "0" * 64)],
            host="example.org")
    assert r.status == 403
    a.close()


def test_without_a_key_nobody_is_let_in(start):
    port = Ports.take()
    k = start("--admin", port, faults="another server is refused")
    with Http(("127.0.0.1", port)) as c:
        assert c.ask("GET", "/api/ape/data/x").status == 404
    for proof in "Kennel", "Kennel " + "0" * 64, "Basic x":
        with Http(("127.0.0.1", port)) as c:
            r = c.ask("GET", "/api/ape/data/x", fields=[("Authorization", proof)])
        assert r.status == 403 and "key_file" in r.text
    with Http(("127.0.0.1", port)) as c:
        assert c.ask("GET", "/nothing/of/ours").status == 404


def test_servers_of_different_keys(start, store, key):
    """The file is not there, and both say why."""
    one = server(start, store, key, "OAK", ns="mixed",
                 faults="another server is refused")
    two = server(start, store, key, "ELM", ns="mixed", name="wrong",
                 faults="did not travel")
    a, b, id = Ape(one, cookie=COOKIE), Ape(two), fresh()
    announce(a, id)
    heard(b, id)
    assert put(one, f"_share/{id}", b"x", cookie=COOKIE).status == 200
    assert ask(two, "GET", id, cookie=COOKIE).status == 404
    one.wait_log("another server is refused, for its key is not ours")
    two.wait_log(r"forest file to-or-from=127\.0\.0\.1:\d+ did not travel "
                 'why="Permission denied"')
    a.close(), b.close()


@pytest.fixture
def mute():
    """Accepts, and says nothing."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        yield "127.0.0.1:%d" % s.getsockname()[1]


@pytest.mark.parametrize("answer", [
    None, b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 401 x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Ape-Complete: 1\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Ape-Complete: 1\r\n"
    b"\r\nzz\r\n",
    b"HTTP/1.1 200 " + b"x" * 20000])
def test_a_server_that_answers_nonsense(pair, store, answer):
    """The client hears 404 in time, and others are served."""
    with socket.socket() as s, redis.Redis(store.path) as r:
        s.bind(("127.0.0.1", 0))
        s.listen()

        def serve():
            c, _ = s.accept()
            if answer is None:
                return held.append(c)
            c.recv(65536)
            try:
                c.sendall(answer)
                c.shutdown(socket.SHUT_WR)
                while c.recv(65536):
                    pass
            except OSError:
                pass
            c.close()
        held = []
        t = threading.Thread(target=serve)
        t.start()
        id = fresh()
        r("SET", "wood:at:BAD", "127.0.0.1:%d" % s.getsockname()[1])
        r("SET", f"wood:file:{id}", "BAD")
        assert ask(pair[0], "GET", id, cookie=COOKIE).status == 404
        t.join()
        for c in held:
            c.close()
    assert ask(pair[0], "GET", fresh(), cookie=COOKIE).status == 404


@pytest.mark.parametrize("where", [
    "", "x", "unix:/tmp/x", "127.0.0.1:1", "[::1", "a" * 300 + ":1",
    "nowhere.invalid:1", "127.0.0.1:99999", "x\r\ny:1"])
def test_where_a_server_cannot_be(pair, store, where):
    id = fresh()
    with redis.Redis(store.path) as r:
        r("SET", "wood:at:BAD", where)
        r("SET", f"wood:file:{id}", "BAD")
        assert ask(pair[0], "GET", id, cookie=COOKIE).status == 404
        for server in "", "x" * 100, "no such", "ONE", "a:b":
            r("SET", f"wood:file:{id}", server)
            assert ask(pair[0], "GET", id, cookie=COOKIE).status == 404


def test_files_that_are_too_large_and_too_many(start, store, key):
    """Bounds of the server that asks hold for what it is brought."""
    one = server(start, store, key, "BIG", ns="bounds")
    two = server(start, store, key, "SMALL", ns="bounds",
                 more="file_max = 100k")
    a, b, id = Ape(one, cookie=COOKIE), Ape(two), fresh()
    announce(a, id)
    heard(b, id)
    assert put(one, f"_share/{id}", b"x" * 200000, cookie=COOKIE).status == 200
    assert ask(two, "GET", id, cookie=COOKIE).status == 404
    two.wait_log('did not travel why="File too large"')
    announce(a, id)
    heard(b, id)
    assert put(one, f"_share/{id}", b"y" * 90000, cookie=COOKIE).status == 200
    assert ask(two, "GET", id, cookie=COOKIE).body == b"y" * 90000
    a.close(), b.close()


def test_keys_are_written_again_when_redis_is_back(start, key):
    s = redis.Server(Ports.take()).start()
    try:
        k = server(start, s, key, "OAK", ns="back")
        a, id = Ape(k, cookie=COOKIE), fresh()
        announce(a, id)
        with redis.Redis(s.path) as r:
            wait.until(lambda: r("GET", f"back:file:{id}") == "OAK", 10, "its key")
        s.stop()
        k.wait_log("forest away")
        s.start()       # empty
        with redis.Redis(s.path) as r:
            wait.until(lambda: r("GET", f"back:file:{id}") == "OAK", 30,
                       "it is there again")
            assert r("GET", "back:at:OAK") == "127.0.0.1:%d" % k.admin[1]
        a.close()
        k.stop()
    finally:
        s.remove()


def test_by_a_postgres(start, key):
    s = postgres.Server().start()
    try:
        port = [Ports.take(), Ports.take()]
        more = f"forest = {s.url}\nkey_file = {key / 'key'}\n"
        one, two = [travels(start("--admin", p, shards=2, limit=2,
                                 config=config(id.lower(), id, more=more)))
                    for p, id in zip(port, ("ONE", "TWO"))]
        a, b, id = Ape(one, cookie=COOKIE), Ape(two), fresh()
        data = os.urandom(500000)
        announce(a, id)
        heard(b, id)
        assert put(one, f"_share/{id}", data, cookie=COOKIE).status == 200
        assert ask(two, "GET", id).body == data
        assert ask(two, "GET", fresh(), cookie=COOKIE).status == 404
        assert s.sql("SELECT name, value FROM wood_facts WHERE name LIKE 'at:%' "
                     "ORDER BY 1") == [f"at:ONE|127.0.0.1:{port[0]}",
                                       f"at:TWO|127.0.0.1:{port[1]}"]
        a.close(), b.close()
        for k in one, two:
            k.stop()
    finally:
        s.remove()


def test_no_byte_of_a_file_goes_by_a_channel(pair, store):
    """Nor into Redis at all."""
    a, b, id = Ape(pair[0], cookie=COOKIE), Ape(pair[1]), fresh()
    data = b"not by a channel " * 10000
    with redis.Redis(store.path) as ear, redis.Redis(store.path) as r:
        def written():
            m = re.search(r"total_net_input_bytes:(\d+)", r("INFO", "stats"))
            return int(m[1])
        announce(a, id)
        heard(b, id)
        before = written()
        assert put(pair[0], f"_share/{id}", data, cookie=COOKIE).status == 200
        assert ask(pair[1], "GET", id).body == data
        # Beats and the like are some kilobytes a second.
        assert written() - before < len(data)
        ear.close()
    a.close(), b.close()
