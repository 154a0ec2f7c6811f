"""Answers from files: whole, in part, or not at all; and the pages."""
import email.utils
import gzip
import os
import socket
import zlib
from urllib.parse import urlencode

import pytest
from kit import wait
from kit.docs import example
from kit.http import Http, get, request
from kit.wire import Closed

CONFIG = """
[route files]
path = /g/*
app = files
group = none
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("files.c")


@pytest.fixture(scope="module")
def kennel(start_shared, worker):
    return start_shared(shards=1, worker=worker, config=CONFIG,
                        faults="respond fd|shorter than its response")


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "big"
    data = os.urandom(1000) * 20000
    path.write_bytes(data)
    os.utime(path, (1000000000, 1000000000))
    return str(path), data


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small"
    path.write_bytes(b"0123456789")
    os.utime(path, (1000000000, 1000000000))
    return str(path)


DATE = email.utils.formatdate(1000000000, usegmt=True)


def at(path, **kw):
    return "/g/file?" + urlencode({"path": path, **kw})


def ask(kennel, path, *fields, **kw):
    with Http(kennel.address) as c:
        r = c.ask("GET", path, fields=fields, **kw)
        assert r.keeps
        assert c.ask("GET", "/g/memory").text == "in memory"
        return r


# ---- all of it ----

def test_a_file(kennel, small):
    r = ask(kennel, at(small, type="text/x-test"))
    assert (r.status, r.body, r["Content-Type"]) == \
        (200, b"0123456789", "text/x-test")
    assert r["Content-Length"] == "10"
    assert r["Last-Modified"] == DATE
    assert r["Accept-Ranges"] == "bytes"
    assert r["ETag"].startswith('"') and r["ETag"].endswith('"')
    assert ask(kennel, at(small, off=3, len=4)).body == b"3456"
    assert ask(kennel, at(small, off=3)).body == b"3456789"
    assert ask(kennel, at(small, off=10)).body == b""
    assert ask(kennel, at(small, status=404, type="text/html")).status == 404


def test_a_large_file_and_the_next_request(kennel, big):
    path, data = big
    with Http(kennel.address) as c:
        for _ in range(3):
            assert c.ask("GET", at(path)).body == data
    kennel.wait_places(0)


def test_head_has_the_length(kennel, small):
    with Http(kennel.address) as c:
        r = c.ask("HEAD", at(small))
        assert (r.status, r["Content-Length"], r.body) == (200, "10", b"")
        assert c.ask("GET", at(small)).body == b"0123456789"


def test_what_is_no_file_or_beyond_it_is_an_error(kennel, small):
    for path in "/g/dir", "/g/pipe", "/g/none", at(small, off=11), \
            at(small, len=11), at(small, off=5, len=6), at(small, status=204), \
            at(small, status=99):
        assert ask(kennel, path).status == 500, path
    assert ask(kennel, at("/nowhere")).status == 404


# ---- parts ----

@pytest.mark.parametrize("value,first,last", [
    ("bytes=0-0", 0, 0), ("bytes=2-5", 2, 5), ("bytes=5-", 5, 9),
    ("bytes=-3", 7, 9), ("bytes=0-999", 0, 9),
])
def test_a_range(kennel, small, value, first, last):
    r = ask(kennel, at(small), ("Range", value))
    assert (r.status, r.body) == (206, b"0123456789"[first:last + 1])
    assert r["Content-Range"] == f"bytes {first}-{last}/10"


def test_a_range_of_a_part(kennel, small):
    r = ask(kennel, at(small, off=2, len=6), ("Range", "bytes=1-2"))
    assert (r.status, r.body, r["Content-Range"]) == (206, b"34", "bytes 1-2/6")


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_a_range_that_is_not_there(kennel, small, value):
    r = ask(kennel, at(small), ("Range", value))
    assert (r.status, r["Content-Range"]) == (416, "bytes */10")


@pytest.mark.parametrize("value", ["bytes=0-1,3-4", "bytes=5-2", "lines=1-2",
                                   "bytes=x", "", "bytes=" + "9" * 4000 + "x"])
def test_other_ranges_are_answered_with_all_of_it(kennel, small, value):
    r = ask(kennel, at(small), ("Range", value))
    assert (r.status, r.body) == (200, b"0123456789")


def test_resuming_a_large_file(kennel, big):
    path, data = big
    with Http(kennel.address) as c:
        c.write(request("GET", at(path)))
        head = c.read_until(b"\r\n\r\n").decode()
        tag = [line[6:] for line in head.split("\r\n")
               if line.startswith("ETag: ")][0]
        begun = c.read(5000000)
    r = ask(kennel, at(path), ("Range", f"bytes={len(begun)}-"),
            ("If-Range", tag))
    assert r.status == 206 and begun + r.body == data
    r = ask(kennel, at(path), ("Range", "bytes=0-1"), ("If-Range", '"other"'))
    assert r.status == 200 and r.body == data


# ---- only if it is another one ----

def test_not_modified(kennel, small):
    tag = ask(kennel, at(small))["ETag"]
    for field in (("If-None-Match", tag), ("If-None-Match", f'"x", W/{tag}'),
                  ("If-None-Match", "*"), ("If-Modified-Since", DATE)):
        r = ask(kennel, at(small), field)
        assert (r.status, r["ETag"]) == (304, tag), field
        assert r["Content-Length"] is None
    assert ask(kennel, at(small), ("If-None-Match", '"x"'),
               ("If-Modified-Since", DATE)).status == 200
    assert ask(kennel, at(small), ("If-Match", '"x"')).status == 412
    assert ask(kennel, at(small), ("If-Match", tag)).status == 200
    with open(small, "ab") as f:
        f.write(b"!")
    r = ask(kennel, at(small), ("If-None-Match", tag))
    assert r.status == 200 and r.body == b"0123456789!"


def test_a_tag_and_a_date_of_the_applications_own(kennel, small):
    old = "Sat, 01 Jan 2000 00:00:00 GMT"
    path = at(small, etag='"mine"', date=old)
    r = ask(kennel, path)
    assert (r["ETag"], r["Last-Modified"]) == ('"mine"', old)
    assert ask(kennel, path, ("If-None-Match", '"mine"')).status == 304
    assert ask(kennel, path, ("If-Modified-Since", old)).status == 304


def test_what_is_in_memory_may_have_a_tag(kennel):
    with Http(kennel.address) as c:
        r = c.ask("GET", "/g/memory", fields=[("If-None-Match", '"m"')])
        assert (r.status, r["ETag"]) == (304, '"m"')
        r = c.ask("GET", "/g/memory", fields=[("If-None-Match", '"n"')])
        assert (r.status, r.text) == (200, "in memory")
        r = c.ask("POST", "/g/memory", fields=[("If-None-Match", '"m"')])
        assert r.status == 200


# ---- who does not read, and what goes away ----

def test_slow_readers_keep_nobody_waiting(kennel, big):
    path, data = big
    slow = []
    for _ in range(20):
        c = Http(kennel.address)
        c.write(request("GET", at(path)))       # more than the kernels hold
        slow.append(c)
    assert ask(kennel, at(path)).body == data
    for c in slow[:3]:
        assert c.response().body == data
    for c in slow[3:10]:
        c.reset()
    for c in slow:
        c.close()
    kennel.wait_places(0)


def test_who_reads_nothing_is_closed(start, worker, big):
    k = start(shards=1, worker=worker,
              config="[worker]\nrequest_timeout = 1s\n" + CONFIG)
    with Http(k.address) as c:
        c.write(request("GET", at(big[0])))
        k.wait_places(1)
        k.wait_places(0)
        with pytest.raises(Closed):
            c.response()


def test_a_file_that_gets_shorter_cuts_the_answer_off(kennel):
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(kennel.address)
    with Http(small) as c:
        c.write(request("GET", "/g/shrink"))
        kennel.wait_places(1)
        wait.until(lambda: ask(kennel, "/g/memory"), 10)
        with pytest.raises(Closed):
            c.response()
    kennel.wait_places(0)


def test_a_file_that_is_being_sent_survives_the_gateway(start, worker, big):
    k = start(shards=1, worker=worker, config=CONFIG)
    with Http(k.address) as c:
        c.write(request("GET", at(big[0])))
        c.read_until(b"\r\n")
        k.kill_gateway()
        k.start()
        k.exact()
        c.read_until(b"\r\n\r\n")
        assert c.read(len(big[1])) == big[1]


def test_the_example_of_the_readme(start, installed, big):
    k = start(shards=1, worker=installed.worker(example("kennel_respond_fd")),
              config=f"[worker]\napp.manual = {big[0]}\n"
              "[route manual]\npath = /manual\napp = main\n")
    r = get(k, "/manual", fields=[("Range", "bytes=100-199")])
    assert (r.status, r.body) == (206, big[1][100:200])
    assert r["Cache-Control"] == "max-age=600"


# ---- pages ----

@pytest.fixture(scope="module")
def pages(start_shared):
    return start_shared(shards=2)


@pytest.mark.parametrize("path", ["/", "/pages/style.css", "/pages/chat.js",
                                  "/lobby/x"])
def test_a_page_is_sent_once(pages, path):
    with Http(pages.address) as c:
        plain = c.ask("GET", path)
        assert plain.status == 200 and plain["Content-Encoding"] is None
        assert plain["Vary"] == "Accept-Encoding"
        assert plain["Cache-Control"] == "no-cache"
        short = c.ask("GET", path, fields=[("Accept-Encoding", "br, gzip")])
        assert short["Content-Encoding"] == "gzip"
        assert gzip.decompress(short.body) == plain.body
        assert len(short.body) < len(plain.body) * 0.7
        assert short["ETag"] != plain["ETag"]
        assert short["Content-Type"] == plain["Content-Type"]
        none = c.ask("GET", path, fields=[("Accept-Encoding", "gzip;q=0")])
        assert none.body == plain.body
        for r, fields in ((plain, []), (short, [("Accept-Encoding", "gzip")])):
            # Whichever shard is asked.
            for _ in range(4):
                again = get(pages, path, fields=[
                    ("If-None-Match", r["ETag"]), *fields])
                assert (again.status, again["ETag"]) == (304, r["ETag"])
                assert again["Content-Security-Policy"]
        crossed = c.ask("GET", path, fields=[("If-None-Match", short["ETag"])])
        assert crossed.status == 200


def test_a_page_that_changes_is_another_one(start, tmp_path):
    (tmp_path / "front.html").write_text("<p>old</p>" * 100)
    k = start(shards=1, config=f"[worker]\npages = {tmp_path}\n"
              "[route front]\npath = /\napp = front\n")
    old = get(k, "/", fields=[("Accept-Encoding", "gzip")])
    assert zlib.decompress(old.body, 31) == b"<p>old</p>" * 100
    (tmp_path / "front.html").write_text("<p>new</p>" * 100)
    new = get(k, "/", fields=[("Accept-Encoding", "gzip"),
                              ("If-None-Match", old["ETag"])])
    assert (new.status, zlib.decompress(new.body, 31)) == \
        (200, b"<p>new</p>" * 100)
