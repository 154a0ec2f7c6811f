"""
Files of api-ape: uploads, downloads, and those that clients share.  Numbers are those of
tests/checklists/api-ape.txt.
"""
import hashlib
import os

import pytest
from kit import wait
from kit.ape import ABSENT, Ape, Failed, parse, post, query_id
from kit.http import Http, request
from kit.wire import Closed

COOKIE = "ZZZZ0123456789ABCDEF"
OTHER = "0123456789ABCDEFGHJK"
serial = iter(range(1, 1000))


@pytest.fixture
def alone(ape):
    """The only one: a second connection may be the first one at its shard, or node."""
    with Ape(ape, cookie=COOKIE) as a:
        yield a


@pytest.fixture
def full(ape):
    """Others, so that what comes next is on other shards; then the one who calls."""
    crowd = [Ape(ape) for _ in range(5)]
    a = Ape(ape, cookie=COOKIE)
    yield a
    for c in crowd + [a]:
        c.close()


def ask(ape, method, path, cookie=None, header=None, body=b"",
        host="localhost", fields=()):
    fields = list(fields)
    if cookie:
        fields.append(("Cookie", f"apeClientId={cookie}"))
    if header is not None:
        fields.append(("X-Ape-Client-Id", header))
    with Http(ape.address, timeout=20) as c:
        return c.ask(method, "/api/ape/data/" + path, fields=fields, body=body,
                     host=host)


def put(ape, path, body, **kw):
    return ask(ape, "PUT", path, body=body, **kw)


def begin(ape, path, body, cookie=None, host="localhost"):
    """A PUT whose answer is read later."""
    c = Http(ape.address, timeout=20)
    fields = [("Cookie", f"apeClientId={cookie}")] if cookie else []
    c.write(request("PUT", "/api/ape/data/" + path, fields=fields, body=body,
                    host=host))
    return c


def said(a, data, reply=True):
    """What upload answers to."""
    return {"size": len(data), "sha1": hashlib.sha1(data).hexdigest()}


# ---- up ----

@pytest.mark.parametrize("tag", "AB")
@pytest.mark.parametrize("size", [0, 1, 5000, 3 << 20])
def test_upload(ape, full, tag, size):
    """43: the call, then its body."""
    data = os.urandom(size)
    query = full.ask("upload", {f"file<!{tag}>": "h1", "name": "n"})
    r = put(ape, f"{query}/h1", data, cookie=COOKIE)
    assert (r.status, parse(r.text)) == (200, {"success": True})
    assert full.reply(query)["data"] == dict(said(full, data), name="n")


def test_upload_by_header(ape, full):
    """43: the header names the client, or the session."""
    for header in full.id, COOKIE:
        query = full.ask("upload", {"file<!A>": "h", "name": 1})
        assert put(ape, f"{query}/h", b"x", header=header).status == 200
        assert full.reply(query)["data"]["size"] == 1


def test_body_before_its_call(ape, full):
    """43: it waits for its call."""
    text = full.text("upload", {"file<!A>": "h", "name": "early"})
    c = begin(ape, f"{query_id(text)}/h", b"early" * 100, COOKIE)
    full.call("echo", 1)
    query = full.say(text)
    assert c.response().status == 200
    assert full.reply(query)["data"]["size"] == 500
    c.close()


def test_body_where_nobody_was(ape, alone):
    """43: its shard comes into the group with it."""
    for size in 10, 100000:
        data = os.urandom(size)
        query = alone.ask("upload", {"file<!A>": "h", "name": "n"})
        assert alone.call("echo", 1) == 1       # the call is known
        r = put(ape, f"{query}/h", data, cookie=COOKIE)
        assert (r.status, parse(r.text)) == (200, {"success": True})
        assert alone.reply(query)["data"]["size"] == size


def test_call_waits_for_all_parts(ape, full):
    """43: also where no key can have a tag."""
    a, b, c = b"aaa", b"bb", b"c"
    query = full.ask("echo", {"x": [{"__ape_upload__": "p1"}, 5],
                              "in": {"y<!B>": "p2"}, "z<!A>": "p3"})
    for part, data in (("p3", c), ("p1", a)):
        assert put(ape, f"{query}/{part}", data, cookie=COOKIE).status == 200
    assert full.call("echo", "not yet") == "not yet"
    assert query not in full.replies
    assert put(ape, f"{query}/p2", b, cookie=COOKIE).status == 200
    m = full.reply(query)["data"]
    assert m["x"][1] == 5
    found = (m["x"][0]["__ape_link__"], m["in"]["y<!L><!L>"], m["z<!L><!L>"])
    for name, data in zip(found, (a, b, c)):
        r = ask(ape, "GET", name, cookie=COOKIE)
        assert (r.status, r.body) == (200, data)


def test_upload_of_data_itself(ape, full):
    query = full.ask("echo", {"__ape_upload__": "root"})
    assert put(ape, f"{query}/root", b"all", cookie=COOKIE).status == 200
    m = full.reply(query)
    assert ask(ape, "GET", m["data<!L><!L>"], cookie=COOKIE).body == b"all"


def test_uploads_that_are_not_for_us(ape, full):
    """43: strangers, 401, 403, https that a proxy tells."""
    query = full.ask("upload", {"file<!A>": "h", "name": "x"})
    unexpected = {"error": "Upload not expected or unauthorized"}
    for kw in dict(cookie=OTHER), dict(header=OTHER):
        r = put(ape, f"{query}/h", b"evil", **kw)
        assert (r.status, parse(r.text)) == (404, unexpected)
    for kw in dict(), dict(header=""), dict(cookie="odd"):
        r = put(ape, f"{query}/h", b"x", **kw)
        assert (r.status, parse(r.text)) == \
            (401, {"error": "Missing session identifier"})
    secure = {"error": "HTTPS required for file transfers"}
    for host in "example.org", "10.0.0.1:80", "[::2]":
        r = put(ape, f"{query}/h", b"x", host=host)
        assert (r.status, parse(r.text)) == (403, secure)
        r = put(ape, f"{query}/h", b"x", host=host, cookie=COOKIE,
                fields=[("X-Forwarded-Proto", "https")])
        assert (r.status, parse(r.text)) == (403, secure)
        assert ask(ape, "GET", "x", host=host).status == 403
    assert put(ape, f"{query}/h", b"mine", cookie=COOKIE,
               host="[::1]:80").status == 200
    assert full.reply(query)["data"]["size"] == 4


def test_https_as_a_proxy_tells(start):
    k = start(config="[worker]\ntrusted_proxies = 127.0.0.0/8\n")
    a = Ape(k, cookie=COOKIE)
    query = a.ask("upload", {"file<!A>": "h", "name": "x"})
    r = put(k, f"{query}/h", b"x", host="example.org", cookie=COOKIE,
            fields=[("X-Forwarded-Proto", "https")])
    assert r.status == 200
    assert a.reply(query)["data"]["size"] == 1
    a.close()


def test_upload_of_a_call_by_post(ape, full):
    from threading import Thread
    text = full.text("upload", {"file<!A>": "h", "name": "p"})
    got = []
    t = Thread(target=lambda: got.append(
        post(ape, COOKIE, "", body=text.encode())))
    t.start()
    assert put(ape, f"{query_id(text)}/h", b"post", cookie=COOKIE).status == 200
    t.join()
    assert parse(got[0].text)["data"]["size"] == 4


def test_client_that_goes_before_its_body(ape):
    a = Ape(ape, cookie=COOKIE)
    a.ask("upload", {"file<!A>": "h", "name": "x"})
    a.call("echo", 1)
    a.close()
    b = Ape(ape)
    assert b.call("echo", 1) == 1
    b.close()


# ---- down ----

def pattern(size):
    return bytes((7 * i + 3) % 256 for i in range(size))


@pytest.mark.parametrize("size", [0, 1, 100000])
def test_download(ape, full, size):
    """44"""
    m = full.call("download", {"size": size})
    assert m["size"] == size and set(m) == {"size", "bytes<!L><!L>"}
    name = m["bytes<!L><!L>"]
    for kw in (dict(cookie=COOKIE), dict(header=full.id), dict(header=COOKIE),
               dict(cookie=COOKIE)):
        r = ask(ape, "GET", name, **kw)
        assert (r.status, r.body) == (200, pattern(size)), kw
        assert r["Content-Type"] == "application/octet-stream"
        assert r["X-Content-Type-Options"] == "nosniff"
        assert r["Content-Length"] == str(size)


def test_downloads_that_are_not_for_us(ape, full):
    """44"""
    name = full.call("download", {"size": 5})["bytes<!L><!L>"]
    again = full.call("download", {"size": 5})["bytes<!L><!L>"]
    assert name != again
    none = {"error": "Download not found or unauthorized"}
    for path, kw in ((name, dict(cookie=OTHER)), ("nope", dict(cookie=COOKIE)),
                     ("00" + "Z" * 20, dict(cookie=COOKIE)),
                     ("ZZ" + "Z" * 20, dict(cookie=COOKIE))):
        r = ask(ape, "GET", path, **kw)
        assert (r.status, parse(r.text)) == (404, none), path
    for kw in dict(), dict(header=""):
        r = ask(ape, "GET", name, **kw)
        assert (r.status, parse(r.text)) == \
            (401, {"error": "Missing session identifier"})


# ---- shared ----

def fresh():
    return f"file-{next(serial)}-{os.urandom(4).hex()}"


def announce(a, id):
    """All others are told of a file."""
    assert a.call("message", {"pic<!F>": id})


def test_share(ape, full):
    """45"""
    b, id, data = Ape(ape), fresh(), os.urandom(300000)
    announce(full, id)
    assert b.push()[1]["data"] == {"pic<!F><!F>": id}
    r = put(ape, f"anything/{id}", data, cookie=COOKIE)
    assert (r.status, parse(r.text)) == \
        (200, {"success": True, "streaming": True})
    for kw in dict(), dict(cookie=OTHER), dict(cookie=COOKIE):
        r = ask(ape, "GET", id, **kw)
        assert (r.status, r.body) == (200, data)
        assert r["X-Ape-Complete"] == "1"
        assert r["X-Ape-Total-Received"] == r["Content-Length"] == str(len(data))
        assert r["Content-Type"] == "application/octet-stream"
    assert ask(ape, "GET", id, host="example.org").status == 403
    b.close()


def getter(ape, id):
    c = Http(ape.address, timeout=20)
    c.write(request("GET", f"/api/ape/data/{id}", host="localhost"))
    head = c.read_until(b"\r\n\r\n").decode("latin-1")
    return c, head


def chunk(c):
    size = int(c.read_until(b"\r\n"), 16)
    data = c.read(size)
    assert c.read(2) == b"\r\n"
    return data


def collect(c, size):
    out = b""
    while len(out) < size:
        out += chunk(c)
    return out


def putting(k, id, data):
    """The beginning of a file of 300000 bytes."""
    up = Http(k.address, timeout=20)
    up.write(f"PUT /api/ape/data/_share/{id} HTTP/1.1\r\nHost: localhost\r\n"
             f"Content-Length: 300000\r\n\r\n".encode() + data)
    return up


def flows(there, here, id):
    """Who asks here, early and in the middle, gets what is put there as it comes."""
    early, head = getter(here, id)
    assert " 200 " in head and "X-Ape-Complete: 0" in head
    assert "X-Ape-Total-Received: 0" in head
    up = putting(there, id, b"a" * 100000)
    assert collect(early, 100000) == b"a" * 100000
    later, head = getter(here, id)
    assert "X-Ape-Complete: 0" in head
    assert collect(later, 100000) == b"a" * 100000
    up.write(b"b" * 200000)
    assert up.response().status == 200
    for c in early, later:
        assert collect(c, 200000) == b"b" * 200000
        assert chunk(c) == b""
        c.close()
    up.close()


def breaks_off(there, here, id):
    """What is put there ends amid it: who gets it here is cut off, too."""
    c, head = getter(here, id)
    up = putting(there, id, b"x" * 1000)
    assert collect(c, 1000) == b"x" * 1000
    up.close()
    with pytest.raises(Closed):
        chunk(c)
    c.close()


def test_share_flows_while_it_comes(ape, full):
    """45: who asks early gets everything, as it comes."""
    id = fresh()
    announce(full, id)
    flows(ape, ape, id)


def test_share_that_breaks_off_is_cut(ape, full):
    """45: it does not end well."""
    id = fresh()
    announce(full, id)
    breaks_off(ape, ape, id)


def test_share_before_it_is_announced(ape, full):
    """45"""
    id = fresh()
    c = begin(ape, f"_share/{id}", b"early", COOKIE)
    full.call("echo", 1)
    announce(full, id)
    r = c.response()
    assert (r.status, parse(r.text)) == \
        (200, {"success": True, "streaming": True})
    assert ask(ape, "GET", id).body == b"early"
    c.close()


def test_share_that_nobody_announces(start):
    """45"""
    k = start(shards=2)
    r = put(k, f"_share/{fresh()}", b"x")
    assert r.status == 401
    r = put(k, f"_share/{fresh()}", b"x", cookie=COOKIE)
    assert r.status == 404
    assert ask(k, "GET", fresh(), cookie=COOKIE).status == 404


def test_second_use_of_an_id(ape, full):
    """45: afresh for its own session; another's is left alone."""
    b, id = Ape(ape, cookie=OTHER), fresh()
    announce(full, id)
    assert put(ape, f"_share/{id}", b"first", cookie=COOKIE).status == 200
    announce(b, id)
    assert full.push()[1]["data"] == {"pic<!F><!F>": id}
    assert ask(ape, "GET", id).body == b"first"
    announce(full, id)
    assert put(ape, f"_share/{id}", b"second", cookie=COOKIE).status == 200
    r = ask(ape, "GET", id)
    assert (r.body, r["X-Ape-Complete"]) == (b"second", "1")
    b.close()


def test_nodes_of_one_name_on_one_machine(start):
    """Each has its own files, and all of its shards have them."""
    both = [start("--node", "same", shards=4, max_shards=6, limit=2)
            for _ in range(2)]
    for k in both:
        crowd = [Ape(k) for _ in range(7)]
        for c in crowd:
            id, data = fresh(), os.urandom(1000)
            announce(c, id)
            assert put(k, f"_share/{id}", data, cookie=COOKIE).status == 200
            assert ask(k, "GET", id).body == data
            other, = [o for o in both if o is not k]
            assert ask(other, "GET", id, cookie=COOKIE).status == 404
        for c in crowd:
            c.close()
        assert "do not reach other shards" not in k.log()


# ---- limits ----

def test_limits(start):
    k = start(config="[worker]\nape_file_max = 100k\nape_session_max = 150k\n")
    a = Ape(k, cookie=COOKIE)
    query = a.ask("upload", {"file<!A>": "h", "name": "x"})
    assert put(k, f"{query}/h", b"x" * 200000, cookie=COOKIE).status == 413
    assert put(k, f"{query}/h", b"x" * 90000, cookie=COOKIE).status == 200
    assert a.reply(query)["data"]["size"] == 90000
    many = {f"f{i}<!A>": f"h{i}" for i in range(101)}
    with pytest.raises(Failed, match="too many files"):
        a.call("echo", many)
    with pytest.raises(Failed):
        a.call("download", {"size": 1e12})
    assert a.call("silent", 1) is ABSENT
    a.close()


def test_shards_that_die_take_their_files_along(start):
    k = start(shards=4, max_shards=6, limit=2)
    crowd = [Ape(k) for _ in range(7)]
    name = crowd[0].call("download", {"size": 5})["bytes<!L><!L>"]
    k.kill_shard(0), k.kill_shard(1)
    assert ask(k, "GET", name, cookie=COOKIE).status in (404, 503)
    wait.until(lambda: ask(k, "GET", "x", cookie=COOKIE).status == 404, 10,
               "it is served again")
    for c in crowd:
        c.close()
