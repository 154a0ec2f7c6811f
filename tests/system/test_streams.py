"""Responses that go on: members of their group like any WebSocket."""
import select
import socket
import time

import pytest
from kit import wait
from kit.docs import example
from kit.http import Http, get
from kit.stream import LAST, Events, Stream
from kit.wire import Closed
from kit.ws import WebSocket

CONFIG = """
[worker]
out_max = 64k

[route streams]
path = /g/{group}/stream /g/{group}/events /g/{group}/odd /g/{group}/cached
app = streams
group = path:group
uid = query:u const:anon
limit = 2
stream = yes

[route rest]
path = /g/{group}/*
app = streams
group = path:group
uid = query:u const:anon
limit = 2

[route shy]
path = /shy/{group}/*
app = streams
group = path:group
uid = query:u const:anon
limit = 2
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("streams.c")


@pytest.fixture(scope="module")
def kennel(start_shared, worker):
    return start_shared(shards=3, max_shards=4, worker=worker, config=CONFIG,
                        faults="is not a response with a body")


def say(kennel, group, text, where="g"):
    with Http(kennel.address) as c:
        assert c.ask("POST", f"/{where}/{group}/say",
                     body=text.encode()).status == 200


def stream(kennel, group, uid, **kw):
    s = Stream(kennel.address, f"/g/{group}/stream?u={uid}", **kw)
    assert (s.status, s.chunk()) == (200, f"hello {uid} stream".encode())
    return s


def events(kennel, group, uid, **kw):
    e = Events(kennel.address, f"/g/{group}/events?u={uid}", **kw)
    assert (e.status, e.event()) == (200, ("message", f"hello {uid} events"))
    return e


def narrow(kennel):
    """A connection whose client's machine takes little before it is read."""
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(kennel.address)
    return small


def socket_of(kennel, group, uid):
    ws = WebSocket(kennel.address, f"/g/{group}/ws?u={uid}")
    assert ws.recv() == f"hello {uid} websocket"
    return ws


# ---- the response ----

def test_its_head(kennel):
    with stream(kennel, "head", "a") as s:
        assert s.fields["content-type"] == "text/plain"
        assert s.fields["cache-control"] == "no-cache"
        assert s.fields["x-accel-buffering"] == "no"
        assert s.fields["connection"] == "close"
        assert s.fields["x-of"] == "the test"
    with Stream(kennel.address, "/g/head/cached") as s:
        assert (s.status, s.fields["cache-control"]) == (201, "max-age=1")
        assert "content-type" not in s.fields
    with events(kennel, "head", "b") as s:
        assert s.fields["content-type"] == "text/event-stream"
        assert s.fields["cache-control"] == "no-cache"


def test_old_clients_read_until_the_end(kennel):
    with Stream(kennel.address, "/g/old/stream?u=leaves", old=True) as s:
        assert "transfer-encoding" not in s.fields
        assert s.read_all() == b"hello leaves stream"
    with Events(kennel.address, "/g/old/events?u=o", old=True) as e:
        assert e.event() == ("message", "hello o events")
        say(kennel, "old", "all x\\ny")
        e.hear("x\ny")


def test_head_gets_the_head(kennel):
    with Stream(kennel.address, "/g/only/stream?u=h", method="HEAD") as s:
        assert s.status == 200
        assert s.ended()
    kennel.wait_group("only", [])


def test_what_cannot_be_a_stream(kennel):
    assert get(kennel, "/g/odd/odd").status == 500
    kennel.wait_group("odd", [])


def test_refused_by_onopen(kennel):
    with Stream(kennel.address, "/g/no/stream?u=refused") as s:
        assert s.status == 400
        assert s.read_all() == b"Bad Request\n"
    kennel.wait_group("no", [])


def test_a_post_may_be_answered_by_a_stream(kennel):
    with Stream(kennel.address, "/g/post/stream?u=p", method="POST",
                body=b"x" * 100000) as s:
        assert s.chunk() == b"hello p stream"


# ---- a member of its group ----

def test_all_kinds_hear_each_other_over_all_shards(kennel):
    g = "mixed"
    ws = socket_of(kennel, g, "w")
    members = [stream(kennel, g, "s1"), events(kennel, g, "e1"),
               stream(kennel, g, "s2"), events(kennel, g, "e2")]
    s1, e1, s2, e2 = members
    assert kennel.group(g) == [2, 2, 1]
    ws.send("all one")
    ws.send("all two\\nlines\\r\\nthree\\rfour")
    ws.send("bin 00ff80")
    ws.send("all ")
    ws.send("all end")
    # How lines end, events do not say.
    for s in s1, s2:
        assert s.hear(b"end") == [
            b"one", b"two\nlines\r\nthree\rfour", b"\x00\xff\x80", b"end"]
    for e in e1, e2:
        assert e.hear("end") == [
            ("message", "one"), ("message", "two\nlines\nthree\nfour"),
            ("binary", b"\x00\xff\x80"), ("message", ""), ("message", "end")]
    ws.send("one e2 psst")
    ws.send("one s1 psst")
    ws.send("all after")
    assert e2.hear("after") == [("message", "psst"), ("message", "after")]
    assert s1.hear(b"after") == [b"psst", b"after"]
    assert e1.hear("after") == [("message", "after")]
    ws.send("topic here")
    s1.hear(b"here")
    kennel.exact()
    for m in members:
        m.half_close()
    for uid in "s1", "e1", "s2", "e2":
        while not (m := str(ws.recv())).startswith("bye"):
            pass
        assert m.split()[2:] == ["closed", "1005", "client", "1"]
    kennel.wait_group(g, [1])
    ws.goodbye()


def test_a_whole_conversation_without_websockets(kennel):
    with events(kennel, "posts", "a") as a, events(kennel, "posts", "b") as b:
        for i in range(20):
            say(kennel, "posts", f"all {i}")
        for e in a, b:
            e.hear("19")


def test_a_large_message_is_one_chunk_and_one_event(kennel):
    with stream(kennel, "large", "s") as s, events(kennel, "large", "e") as e:
        text = "x" * 50000
        say(kennel, "large", "all " + text)
        assert s.chunk() == text.encode()
        e.hear(text)


# ---- its place ----

def test_its_place_is_one_of_a_websocket(kennel):
    """New replicas for the third; stickiness; freed at its end."""
    g = "place"
    people = [stream(kennel, g, u) for u in "abc"]
    assert kennel.group(g) == [2, 1]
    again = events(kennel, g, "c")
    assert kennel.group(g) == [2, 2]
    people += [again, socket_of(kennel, g, "d")]
    assert kennel.group(g) == [2, 2, 1]
    kennel.exact()
    for p in people:
        p.close()
    kennel.wait_group(g, [])
    kennel.exact()


def test_eventsource_needs_no_key_of_the_route(kennel):
    """By its Accept; others are counted once they are streams."""
    g = "shy"
    accept = [("Accept", "text/event-stream")]
    people = [Events(kennel.address, f"/shy/{g}/events?u={u}", fields=accept)
              for u in "abc"]
    for p in people:
        p.event()
    assert kennel.group(g) == [2, 1]
    # Placed as plain requests: the least used replica, over the limit in the end.
    late = [Stream(kennel.address, f"/shy/{g}/stream?u={u}") for u in "def"]
    for p in late:
        p.chunk()
    kennel.exact()
    say(kennel, g, "all heard", where="shy")
    for p in people + late:
        p.hear("heard" if isinstance(p, Events) else b"heard")
    for p in people + late:
        p.close()
    kennel.wait_group(g, [])
    kennel.exact()


def test_plain_requests_of_such_a_route_free_their_place(kennel):
    with Http(kennel.address) as c:
        for _ in range(3):
            assert c.ask("GET", "/g/plain/odd").status == 500
            assert c.ask("GET", "/g/plain/x").text == "plain\n"
    kennel.wait_group("plain", [])
    kennel.exact()


# ---- its end ----

def test_ended_by_the_application(kennel):
    g = "ends"
    with stream(kennel, g, "s") as s, events(kennel, g, "e") as e, \
            stream(kennel, g, "t") as t:
        say(kennel, g, "close s 1000")
        for _ in range(2):          # whichever replica has it
            say(kennel, g, "close e 1000")
            say(kennel, g, "close t 4000")
        k = kennel
        wait.until(lambda: [say(k, g, "close s 1000"),
                            say(k, g, "close e 1000"),
                            say(k, g, "close t 4000")] and
                   not k.group(g), 20)
        heard = s.hear(LAST)
        assert heard[-1] is LAST and s.ended()
        while (event := e.event())[0] != "close":
            pass
        assert event[1] == "1000 as told"
        assert e.event() is LAST
        t.cut_off()


def test_closed_in_onopen(kennel):
    with Stream(kennel.address, "/g/brief/stream?u=leaves") as s:
        assert (s.chunk(), s.chunk()) == (b"hello leaves stream", LAST)
        assert s.ended()
    with Events(kennel.address, "/g/brief/events?u=leaves") as e:
        assert [e.event() for _ in range(3)] == [
            ("message", "hello leaves events"), ("close", "1000"), LAST]


@pytest.mark.parametrize("how", ["close", "half", "reset"])
def test_ended_by_the_client(kennel, how):
    g = f"leaves-{how}"
    with socket_of(kennel, g, "w") as ws:
        s = stream(kennel, g, "s")
        {"close": s.close, "half": s.half_close, "reset": s.reset}[how]()
        assert ws.recv() in (
            ["bye s failed 1006 reset 1"] if how == "reset" else
            ["bye s closed 1005 client 1"])
        ws.goodbye()


def test_what_it_sends_is_for_nothing_and_not_for_ever(kennel):
    g = "talks"
    with socket_of(kennel, g, "w") as ws, stream(kennel, g, "s") as s:
        s.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        ws.send("all on")
        assert s.hear(b"on") == [b"on"]
        ws.recv()
        try:
            while True:
                s.write(b"x" * 10000)
        except OSError:
            pass
        assert ws.recv() == "bye s failed 1002 protocol 1"
        ws.goodbye()


# ---- events ----

def test_every_field_of_an_event(kennel):
    g = "fields"
    with events(kennel, g, "e") as e, stream(kennel, g, "s") as s:
        say(kennel, g, "event 7 news 1500 two\\nlines")
        e.hear(("news", "two\nlines"))
        assert (e.id, e.retry) == ("7", 1500)
        assert s.hear(b"event ENOTSUP")
        say(kennel, g, "event - - 0 bare")
        e.hear("bare")
        say(kennel, g, "event bad\\nid x 0 never")
        e.hear("event EINVAL")
        say(kennel, g, "event 8 - 0")
        e.hear("")
        assert e.id == "8"


def test_last_event_id(kennel):
    with Events(kennel.address, "/g/id/events?u=e",
                fields=[("Last-Event-ID", "7")]) as e:
        assert e.event() == ("message", "hello e events 7")


# ---- the idle, the slow ----

def test_heartbeats(start, worker):
    k = start(shards=1, worker=worker, config=CONFIG.replace(
        "[worker]", "[worker]\nping_interval = 1s"))
    with events(k, "g", "e") as e, stream(k, "g", "s") as s:
        while e.comments < 3:
            e.more()
        say(k, "g", "beat tick\\n")
        assert s.hear(b"tick\n") == [b"beat set", b"tick\n"]
        assert s.chunk() == b"tick\n"
        say(k, "g", "beat")
        e.hear("beat set")
        with socket_of(k, "g", "w") as ws:
            say(k, "g", "beat x")
            while ws.recv() != "beat ENOTSUP":
                pass
            ws.goodbye()


def test_a_client_whose_machine_is_silent_is_gone(start, worker):
    """It acknowledges nothing: its socket is full."""
    k = start(shards=1, worker=worker, config=CONFIG.replace(
        "[worker]", "[worker]\nping_interval = 1s").replace("64k", "64m"))
    with Stream(narrow(k), "/g/g/stream?u=s") as s, socket_of(k, "g", "w") as ws:
        assert s.status == 200
        say(k, "g", "many 300 60000")
        while not (m := str(ws.recv())).startswith("bye"):
            pass
        assert m == "bye s failed 1001 idle 1"
        ws.goodbye()


def sip(sock, seconds):
    """Read a little, again and again, and never all; False at its end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if not sock.recv(3000):
                return False
        except ConnectionResetError:
            return False
        select.select([], [], [], 0.1)
    return True


@pytest.mark.parametrize("kind", ["stream", "events"])
def test_who_reads_slowly_is_there(start, worker, kind):
    """It acknowledges something all the while, and never everything: who acknowledges
    nothing is closed meanwhile."""
    k = start(shards=1, worker=worker, config=CONFIG.replace(
        "[worker]", "[worker]\nping_interval = 1s").replace("64k", "64m"))
    slow, mute = narrow(k), narrow(k)
    with Stream(slow, f"/g/g/{kind}?u=slow"), \
            Stream(mute, f"/g/g/{kind}?u=mute"):
        say(k, "g", "many 300 60000")
        while k.status()["totals"]["gone"]["idle"] == 0:
            assert sip(slow, 0.5)
        assert sip(slow, 8)             # longer than it took the other
        assert k.status()["totals"]["gone"]["idle"] == 1
        assert k.group("g") == [1]


@pytest.mark.parametrize("kind", ["stream", "events"])
def test_a_slow_reader_is_closed_like_a_websocket(kennel, kind):
    """Of what waited for it, it reads why; only what was begun is finished."""
    g = f"slow-{kind}"
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(kennel.address)
    kinds = {"stream": Stream, "events": Events}
    with kinds[kind](small, f"/g/{g}/{kind}?u=s") as s, \
            socket_of(kennel, g, "w") as ws:
        for _ in range(40):
            ws.send("many 10 60000")
            for _ in range(10):
                assert len(ws.recv()) in (60000, len("bye s failed 1008 slow 1"))
        while not kennel.group(g) == [1]:
            ws.send("many 10 60000")
        if kind == "stream":
            s.cut_off()
        else:
            while (event := s.event())[0] != "close":
                assert event is not LAST
            assert event[1].startswith("1008 ") and s.event() is LAST


@pytest.mark.parametrize("kind", [Stream, Events])
def test_a_slow_reader_may_miss_some(start, worker, kind):
    """As its route says; what it reads is whole all the same."""
    k = start(shards=1, worker=worker, config=CONFIG.replace(
        "stream = yes", "stream = yes\nslow = drop-old"))
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect(k.address)
    path = "stream" if kind is Stream else "events"
    with kind(small, f"/g/g/{path}?u=s") as s:
        for _ in range(20):
            say(k, "g", "many 20 60000")
        say(k, "g", "all the last")
        assert k.group("g") == [1]
        heard = s.hear(b"the last" if kind is Stream else "the last")
        assert len(heard) < 400


# ---- the README ----

def test_the_example_of_the_readme(start, installed):
    k = start(shards=3, limit=1, worker=installed.worker(example("kennel_events")))
    accept = [("Accept", "text/event-stream")]
    people = [Events(k.address, "/kitchen", fields=accept) for _ in range(3)]
    k.wait_group("kitchen", [1, 1, 1])
    with Http(k.address) as c:
        assert c.ask("POST", "/kitchen", body=b"hello\nyou").status == 200
    for p in people:
        assert p.event() == ("message", "hello\nyou")
        p.close()


# ---- processes that end ----

def test_a_shard_dies(start, worker):
    k = start(shards=2, worker=worker, config=CONFIG)
    a, b, c = (events(k, "g", u) for u in "abc")
    assert k.group("g") == [2, 1]
    pid = {s["address"]: s["pid"] for s in k.shards()}[
        k.replicas("g")[1]["shard"]]
    k.kill_shard(pid=pid)
    with pytest.raises((Closed, ValueError)):
        while True:
            c.event()
    k.wait_group("g", [2])
    with events(k, "g", "c") as c:
        say(k, "g", "all again")
        for e in a, b, c:
            e.hear("again")
        k.exact()
    a.close()
    b.close()


def test_the_gateway_dies(start, worker):
    """They stay, are counted, and the uid's last connection is known."""
    k = start(shards=2, worker=worker, config=CONFIG)
    people = [events(k, "g", "a"), stream(k, "g", "a"), stream(k, "g", "b")]
    k.kill_gateway()
    k.start()
    k.wait_group("g", [2, 1])
    k.exact()
    ws = socket_of(k, "g", "w")
    people[0].half_close()
    assert ws.recv() == "bye a closed 1005 client 0"
    people[1].half_close()
    assert ws.recv() == "bye a closed 1005 client 1"
    people[2].half_close()
    assert ws.recv() == "bye b closed 1005 client 1"
    ws.goodbye()
    k.wait_group("g", [])
    k.exact()


def test_the_operator_closes_them(kennel):
    with events(kennel, "operated", "e-op") as e, \
            stream(kennel, "operated", "s-op") as s:
        for uid in "e-op", "s-op":
            assert kennel.ctl("close", uid)
        while (event := e.event())[0] != "close":
            pass
        assert event[1].startswith("1008 ")
        assert e.event() is LAST
        s.cut_off()
    kennel.wait_group("operated", [])


def test_the_shard_leaves(start, worker):
    k = start(shards=2, worker=worker, config=CONFIG)
    e, s = events(k, "g", "e"), stream(k, "g", "s")
    assert k.term() == 0
    while (event := e.event())[0] != "close":
        pass
    assert event[1].startswith("1001 ")
    assert e.event() is LAST
    s.cut_off()
