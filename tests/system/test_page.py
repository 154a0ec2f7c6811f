"""What a shard's page says of its open connections: what another needs to go on."""
import shutil
import socket
import struct

import pytest
from kit import wait
from kit.http import Http
from kit.kennel import KILLAT, Ports
from kit.look import RAW, STREAM, WS, Page
from kit.raw import Raw
from kit.stream import Events
from kit.ws import TEXT, WebSocket, frame

CONFIG = """
[worker]
deflate = yes

[route plain]
path = /plain/{group}/ws
app = plain
group = path:group
uid = query:u

[route lonely]
path = /lonely/ws
app = survivor
group = none
uid = query:u
keep = user-agent query:x

[route survivor]
path = /g/{group}/ws /g/{group}/stream /g/{group}/events
app = survivor
group = path:group
uid = query:u
stream = yes
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("survivor.c")


@pytest.fixture
def kennel(start, worker):
    return start(shards=1, worker=worker, config=CONFIG, deaths=True)


@pytest.fixture
def page(kennel):
    with Page(kennel.shards()[0]["pid"]) as p:
        yield p


def client(k, uid, path="/g/room/ws", **kw):
    ws = WebSocket(k.address, f"{path}?u={uid}", **kw)
    ws.send("e ready")
    assert ws.recv() == "e ready"
    return ws


def ask(ws, text, answer):
    ws.send(text)
    assert ws.recv() == answer


def settles(page, uid, rest):
    """The page of one that lives says so, if not at once: a client may hear what it is
    written before that is noted."""
    wait.until(lambda: page.rest(uid) == rest)


def test_all_that_another_shard_needs(kennel, page):
    with client(kennel, "a") as ws:
        settles(page, "a", "rest")
        one = page.of("a")
        assert one["protocol"] == str(WS)
        assert (one["app"], one["group"], one["route"]) == (
            "survivor", "room", "survivor")
        assert one["peer"] == "%s:%d" % ws.sock.getsockname()
        assert (one["hops"], one["strikes"], one["deflate"]) == ("0",) * 3
        assert one["kept"] == "" and one["topics"] == []
        for topic in "one", "two", "three":
            ask(ws, f"+ {topic}", "+")
        ask(ws, "- two", "-")
        for i in range(5):
            ask(ws, f"keep {'x' * i}{i}", "kept")
            assert page.of("a")["kept"] == "x" * i + str(i)
        assert page.of("a")["topics"] == ["one", "three"]
        assert page.of("a")["version"] == "1"
        ask(ws, "- one", "-")
        ask(ws, "- three", "-")
        ask(ws, "keep ", "kept")
        assert page.of("a")["topics"] == [] and page.of("a")["kept"] == ""
    wait.until(lambda: page.all() == [])


def test_without_a_group(kennel, page):
    with WebSocket(kennel.address, "/lonely/ws?u=l&x=y+z", fields=[
            ("User-Agent", "test"),
            ("Sec-WebSocket-Extensions", "permessage-deflate")]) as ws:
        ws.send("q")
        ws.recv_frame()
        one = page.of("l")
        assert (one["app"], one["group"], one["route"]) == (
            "survivor", "", "lonely")
        assert one["deflate"] != "0"
        assert dict(one["headers"])["query:x"] == "y z"
        assert "test" in dict(one["headers"]).values()


def test_amid_a_message_of_the_client(kennel, page):
    data = frame(TEXT, b"e one")
    with client(kennel, "in") as ws:
        for i in range(1, len(data)):
            ws.sock.sendall(data[:i])
            settles(page, "in", "in")
            ws.sock.sendall(data[i:])
            assert ws.recv() == "e one"
            settles(page, "in", "rest")
        ws.send_frame(TEXT, b"e ", fin=False)
        settles(page, "in", "in")
        ws.send_frame(0, b"parts")
        assert ws.recv() == "e parts"
        settles(page, "in", "rest")


def test_amid_a_message_to_the_client(kennel, page):
    n = 8 << 20
    with client(kennel, "out") as ws, client(kennel, "other") as other:
        ws.send(f"big {n}")
        settles(page, "out", "out")
        ask(other, "e there", "e there")
        settles(page, "other", "rest")
        assert len(ws.recv()) == n
        settles(page, "out", "rest")


def test_what_a_stream_goes_by(kennel, page):
    with Events(kennel.address, "/g/room/events?u=s") as s:
        wait.until(lambda: page.rest("s") == "rest")
        one = page.of("s")
        assert one["protocol"] == str(STREAM) and "beat" in one["state"]
        assert one["kept"] == "a stream" and one["topics"] == ["streams"]
    wait.until(lambda: page.all() == [])


def test_a_raw_client(start, worker):
    port = Ports.take()
    k = start(shards=1, worker=worker, config=f"""
[listener lines]
address = {port}
app = survivor
""")
    with Page(k.shards()[0]["pid"]) as page, \
            Raw(("127.0.0.1", port), hello=False) as raw:
        assert raw.ask("e there") == "e there"
        wait.until(lambda: page.all()[0]["rest"] == "rest")
        assert page.all()[0]["protocol"] == str(RAW)
        raw.s.sendall(b"e he")
        wait.until(lambda: page.all()[0]["rest"] == "in")
        raw.s.sendall(b"re\n")
        assert raw.line() == "e here"
        wait.until(lambda: page.all()[0]["rest"] == "rest")


def test_http_is_not_covered(kennel, page):
    with Http(kennel.address) as c:
        assert c.ask("GET", "/nowhere").status == 404
        assert page.all() == []


@pytest.mark.parametrize("sent, rest", [
    ([b"die"], "work"), ([b"die", b"e more"], "in"),
    ([b"e first", b"die"], "work")])
def test_who_killed_it(kennel, page, sent, rest):
    with client(kennel, "killer") as ws, client(kennel, "other") as other:
        kennel.dies(kennel.shards()[0]["pid"])
        ws.sock.sendall(b"".join(frame(TEXT, s) for s in sent))
        settles(page, "killer", rest)
        assert page.rest("other") == "rest"
        assert page.of("killer")["strikes"] == "0"
        other.sock.close()


@pytest.mark.parametrize("step, when, rest, heard", [
    ("read", "after", "in", False), ("write", "before", "writing", False),
    ("write", "after", "writing", True)])
def test_killed_amid_a_call(start, worker, tmp_path, step, when, rest, heard):
    """
    What the kernel did, and the shard could not note any more, is not at rest by what the
    page says; of a write it says how long it is, and what there was before.
    """
    text = "e " + "x" * 77
    n = len(frame(TEXT, text.encode())) - (4 if step == "write" else 0)
    k = start(shards=1, worker=worker, config=CONFIG, deaths=True, env={
        "LD_PRELOAD": shutil.copy(KILLAT, tmp_path), "KILLAT_BYTES": str(n),
        "KILLAT_COMM": "survivor", "KILLAT_STEP": step, "KILLAT_WHEN": when,
        "KILLAT_DO": "kill", "KILLAT_MARK": str(tmp_path / "mark")})
    with Page(k.shards()[0]["pid"]) as page, client(k, "amid") as ws, \
            client(k, "other"):
        before = ws.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        before, = struct.unpack_from("=Q", before, 128)
        ws.send(text)
        settles(page, "amid", rest)
        assert page.rest("other") == "rest"
        if heard:
            assert ws.recv() == text
        if rest == "writing":
            one = page.of("amid")
            assert (int(one["before"]), int(one["length"])) == (before, n)
            assert [page.settled(one, before + k) for k in (0, 1, n - 1, n, n + 1)] == \
                ["rest", "out", "out", "rest", "out"]


def shard_of(k, ws):
    ws.send("q")
    return k.shard(int(ws.recv().split()[1]))


def test_a_connection_that_moves(start, worker):
    k = start(shards=2, worker=worker, config=CONFIG)
    with client(k, "a") as a:
        for topic in "x", "y":
            ask(a, f"+ {topic}", "+")
        ask(a, "keep this", "kept")
        old = shard_of(k, a)
        with Page(old["pid"]) as page:
            settles(page, "a", "rest")
            k.ctl("restart", str(old["slot"]))
            assert page.all() == []
        new = shard_of(k, a)
        assert new["pid"] != old["pid"]
        with Page(new["pid"]) as page:
            settles(page, "a", "rest")
            one = page.of("a")
            assert one["hops"] == "1"
            assert one["topics"] == ["x", "y"] and one["kept"] == "this"
