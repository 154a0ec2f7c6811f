"""Bodies of requests: long ones, in pieces, refused, paused, and left behind."""
import os
import socket
import threading

import pytest
from kit import wait
from kit.docs import example
from kit.http import Http, get, request
from kit.wire import Closed

CONFIG = """
[worker]
body_max = 1m
body_memory = 64k
spool_max = 24m
request_timeout = %s
%s

[route bodies]
path = /{group}/*
app = bodies
group = path:group
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("bodies.c")


@pytest.fixture(scope="module")
def kennel(start_shared, worker):
    return start_shared(shards=1, max_shards=1, worker=worker,
                        config=CONFIG % ("30s", ""),
                        faults="before its body was read|body refused")


def fnv(data):
    h = 14695981039346656037
    for byte in data:
        h = (h ^ byte) * 1099511628211 & (1 << 64) - 1
    return h


def said(data):
    return f"{len(data)} {fnv(data):016x}"


SIZES = [0, 1, 65535, 65536, 65537, 300000]


def blob(n):
    return (os.urandom(1000) * (n // 1000 + 1))[:n]


def chunked(data, size):
    cut = [data[i:i + size] for i in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in cut) + b"0\r\n\r\n"


def head(path, *fields):
    return ("\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *fields]) +
            "\r\n\r\n").encode()


# ---- whatever the way ----

@pytest.mark.parametrize("how", ["whole", "fd", "both", "stream"])
@pytest.mark.parametrize("size", SIZES)
def test_all_of_it_arrives(kennel, how, size):
    data = blob(size)
    with Http(kennel.address) as c:
        for _ in range(2):              # the connection is good for another
            r = c.ask("POST", f"/g/{how}", body=data)
            assert (r.status, r.keeps) == (200, True)
            assert " ".join(r.text.split()[:2]) == said(data)


@pytest.mark.parametrize("how", ["whole", "stream", "fd"])
@pytest.mark.parametrize("size", [1, 7, 5000])
def test_in_chunks_of_any_size(kennel, how, size):
    data = blob(20000 if size < 100 else 150000)
    with Http(kennel.address) as c:
        c.write(head(f"/g/{how}", "Transfer-Encoding: chunked") +
                chunked(data, size))
        r = c.response()
        assert " ".join(r.text.split()[:2]) == said(data)


def test_a_byte_at_a_time(kennel):
    data = blob(300)
    for how in "whole", "stream":
        with Http(kennel.address) as c:
            c.write(head(f"/g/{how}", f"Content-Length: {len(data)}") + data,
                    cuts=range(1, 400))
            r = c.response()
            assert " ".join(r.text.split()[:2]) == said(data)


def test_ten_thousand_tiny_bodies(kennel):
    with Http(kennel.address) as c:
        for i in range(0, 10000, 100):
            for _ in range(100):
                c.write(head("/g/stream" if i % 200 else "/g/whole",
                             "Content-Length: 1") + b"x")
                assert c.response().text.startswith(said(b"x"))
    kennel.wait_places(0)


def test_a_large_stream_is_kept_nowhere(kennel):
    """48 MiB: above body_max, memory and all files together."""
    piece = os.urandom(1 << 20)
    with Http(kennel.address) as c:
        c.write(head("/g/stream", f"Content-Length: {48 << 20}"))
        for _ in range(48):
            c.write(piece)
        r = c.response()
        n, _, pieces = r.text.split()
        assert int(n) == 48 << 20 and int(pieces) > 100


def test_paused_and_resumed(kennel):
    data = blob(900000)
    with Http(kennel.address, timeout=30) as c:
        c.write(head("/g/slow", f"Content-Length: {len(data)}") + data)
        assert c.response().text.startswith(said(data))


# ---- bounds ----

def test_refused_before_it_is_read(kennel):
    for path, n in (("whole", 1 << 20), ("large", 8 << 20), ("small", 10)):
        with Http(kennel.address) as c:
            c.write(head(f"/g/{path}", f"Content-Length: {n + 1}"))
            r = c.response()
            assert (r.status, r.keeps) == (413, False)
            assert c.ended()


def test_an_applications_own_bound(kennel):
    data = blob(3 << 20)
    for how in "large", "any":
        with Http(kennel.address) as c:
            assert c.ask("POST", f"/g/{how}", body=data).text == said(data)
    with Http(kennel.address) as c:
        assert c.ask("POST", "/g/small", body=b"0123456789").status == 200
    with Http(kennel.address) as c:
        c.write(head("/g/small", "Transfer-Encoding: chunked") +
                b"5\r\n01234\r\n6\r\n")
        assert c.response().status == 413


def test_all_files_together_are_bounded(kennel):
    """The log says so; who has room goes on, and there is room again."""
    mark = len(kennel.log())
    many = []
    for _ in range(5):
        c = Http(kennel.address)
        c.write(head("/g/large", f"Content-Length: {8 << 20}"))
        many.append(c)
    statuses = []

    def feed(c):
        try:
            for _ in range(8):
                c.write(bytes(1 << 20))
        except OSError:
            pass
        try:
            statuses.append(c.response().status)
        except Closed:
            statuses.append(None)

    threads = [threading.Thread(target=feed, args=(c,)) for c in many]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in many:
        c.close()
    assert set(statuses) <= {200, 507, None} and 200 in statuses, statuses
    data = blob(3 << 20)
    with Http(kennel.address) as c:
        assert c.ask("POST", "/g/large", body=data).text == said(data)
    if 507 in statuses or None in statuses:
        kennel.wait_log("spool_max is reached", mark=mark)


def test_no_room_in_the_directory(start, worker, tmp_path):
    """Nothing may be written where the files are to be: 507, and the log says why."""
    if os.geteuid() == 0:
        spool = "/proc"
    else:
        spool = tmp_path / "closed"
        spool.mkdir(mode=0o500)
    k = start(shards=1, worker=worker, faults="body refused",
              config=CONFIG % ("30s", f"spool = {spool}"))
    with Http(k.address) as c:
        c.write(head("/g/whole", "Content-Length: 100000"))
        c.write(bytes(100000))
        r = c.response()
        assert (r.status, r.text) == (507, "No room for the request body\n")
    k.wait_log("body refused")
    assert get(k, "/g/log").status == 200


def test_files_in_a_directory_have_no_name(start, worker, tmp_path):
    k = start(shards=1, worker=worker,
              config=CONFIG % ("30s", f"spool = {tmp_path}"))
    data = blob(500000)
    for how in "whole", "fd", "both":
        with Http(k.address) as c:
            assert c.ask("POST", f"/g/{how}", body=data).text == said(data)
    assert os.listdir(tmp_path) == []


# ---- who is asked to send it ----

def test_continue_only_where_it_is_wanted(kennel):
    expect = "Expect: 100-continue"
    for how in "whole", "stream":
        with Http(kennel.address) as c:
            c.write(head(f"/g/{how}", "Content-Length: 3", expect))
            assert c.response().status == 100
            c.write(b"abc")
            assert c.response().text.startswith(said(b"abc"))
    for how, status in ("small", 413), ("refuse", 401):
        with Http(kennel.address) as c:
            c.write(head(f"/g/{how}", "Content-Length: 11", expect))
            assert c.response().status == status    # no 100 before it
            assert c.ended()
    with Http(kennel.address) as c:
        c.write(head("/g/held", "Content-Length: 3", expect))
        assert get(kennel, "/g/log").status == 200
        c.sock.settimeout(0.2)
        with pytest.raises((TimeoutError, socket.timeout)):
            c.fill()
        c.sock.settimeout(wait.limit(10))
        get(kennel, "/g/go")
        assert c.response().status == 100
        c.write(b"abc")
        assert c.response().text == said(b"abc")


def test_what_else_may_be_expected(kennel):
    for how in "whole", "stream", "refuse":
        with Http(kennel.address) as c:
            c.write(head(f"/g/{how}", "Content-Length: 3", "Expect: 200-ok"))
            r = c.response()
            assert (r.status, r.keeps) == (417, False)
            assert c.ended()
    with Http(kennel.address) as c:     # HTTP/1.0 knows no such field
        c.write(head("/g/whole", "Content-Length: 3", "Expect: 100-continue")
                .replace(b"HTTP/1.1", b"HTTP/1.0"))
        c.write(b"abc")
        assert c.response().text == said(b"abc")


def test_answered_amid_its_body(kennel):
    for how, status in ("refuse", 401), ("amid", 403), ("become", 500):
        with Http(kennel.address) as c:
            c.write(head(f"/g/{how}", "Content-Length: 100000"))
            c.write(bytes(1000))
            r = c.response()
            assert (r.status, r.keeps) == (status, False)


def test_held_before_its_body(kennel):
    data = blob(400000)
    with Http(kennel.address) as c:
        c.write(head("/g/held", f"Content-Length: {len(data)}"))
        t = threading.Thread(target=lambda: c.write(data))
        t.start()
        wait.until(lambda: get(kennel, "/g/go") and not t.is_alive(), 10)
        t.join()
        assert c.response().text == said(data)


# ---- who leaves ----

def heard(kennel):
    """All that onabort has heard so far."""
    return get(kennel, "/g/log").text


@pytest.mark.parametrize("leave", ["close", "half_close", "reset"])
def test_a_client_that_leaves_before_its_answer_is_heard(kennel, leave):
    before = heard(kennel)
    c = Http(kennel.address)
    c.write(request("GET", "/g/late"))
    kennel.wait_places(1)
    getattr(c, leave)()
    wait.until(lambda: heard(kennel) == before + "late no,", 10)
    if leave == "reset":
        kennel.wait_places(0)           # nobody will read an answer
    get(kennel, "/g/go")
    if leave == "half_close":
        assert c.response().text == "late"      # still read
        c.close()
    kennel.wait_places(0)
    assert heard(kennel) == before + "late no,"


def test_one_that_leaves_and_is_never_answered_is_heard_once(start, worker):
    k = start(shards=1, worker=worker, config=CONFIG % ("1s", ""),
              faults="did not answer in time")
    with Http(k.address) as c:
        c.write(request("GET", "/g/never"))
        c.half_close()
        wait.until(lambda: heard(k) == "never no,", 10)
        assert c.response().status == 503
    k.wait_places(0)
    assert heard(k) == "never no,"
    with Http(k.address) as c:
        c.write(request("GET", "/g/never"))
        assert c.response().status == 503
    assert heard(k) == "never no,never no,"


def test_a_client_that_leaves_amid_its_body_is_heard(kennel):
    for how in "stream", "whole", "held", "slow":
        before = heard(kennel)
        c = Http(kennel.address)
        c.write(head(f"/g/{how}", "Content-Length: 100000"))
        c.write(bytes(3000))
        if how == "held":
            c.reset()
            get(kennel, "/g/go")
        else:
            c.close()
        want = f"{how} {'taken' if how in ('stream', 'slow') else 'no'},"
        wait.until(lambda: heard(kennel) == before + want, 10, (how, want))


def test_a_length_that_is_a_lie(kennel):
    """Too short: the rest is another request, as everywhere.  Too long: cut off."""
    with Http(kennel.address) as c:
        c.write(head("/g/stream", "Content-Length: 5") + b"abc")
        c.half_close()
        with pytest.raises(Closed):
            c.response()
    with Http(kennel.address) as c:
        c.write(head("/g/whole", "Content-Length: 3") + b"abcdef\r\n\r\n")
        assert c.response().text == said(b"abc")
        assert c.response().status == 400


def test_the_deadline_grows_with_the_body(start, worker):
    """A slow sender that goes on is served; one that stops is not."""
    k = start(shards=1, worker=worker, config=CONFIG % ("1s", ""))
    with Http(k.address) as c:
        c.write(head("/g/stream", "Content-Length: 60000"))
        for _ in range(30):
            c.write(bytes(2000))
            pause(0.1)
        assert c.response().text.startswith("60000 ")
    before = heard(k)
    with Http(k.address) as c:
        c.write(head("/g/stream", "Content-Length: 60000"))
        c.write(bytes(2000))
        assert c.response().status == 408
        assert heard(k) == before + "stream taken,"


def test_the_example_of_the_readme(start, installed):
    k = start(shards=1, worker=installed.worker(example("kennel_request_stream")))
    with Http(k.address) as c:
        r = c.ask("POST", "/up", fields=[("X-Word", "sesame")],
                  body=bytes(3 << 20))
        assert (r.status, r.text) == (200, f"{3 << 20} bytes\n")
        c.write(head("/up", "Content-Length: 1000"))
        assert c.response().status == 403
        assert c.ended()
    with Http(k.address) as c:
        c.write(head("/up", "Content-Length: 1000", "X-Word: sesame") + b"x")
    wait.until(lambda: k.places() == 0, 10)


def pause(seconds):
    """What a slow client does: it sends at a rate."""
    threading.Event().wait(seconds)
