"""
From gatewayd to a shard and back: no byte is lost, and whoever dies at whatever
step, a client is served once or turned away cleanly.
"""
import errno
import os
import shutil

import pytest
from kit import kennel as kits
from kit import wait, ws
from kit.chat import room
from kit.http import Http, get, request
from kit.wire import Closed
from kit.ws import BINARY, PING, TEXT, WebSocket, frame


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(shards=3)


# ---- bytes ----

def test_frames_behind_the_upgrade_at_every_cut(kennel):
    c = WebSocket(kennel.address, open=False)
    size = len(ws.handshake("/echo", c.key))
    c.close()
    behind = frame(TEXT, "early") + frame(PING, b"p") + frame(TEXT, "bird")
    for cut in range(1, size + len(behind)):
        with WebSocket(kennel.address, open=False) as c:
            c.write(ws.handshake("/echo", c.key) + behind, cuts=[cut])
            c.opened()
            assert c.recv_frame()[2] == b"early"
            assert c.recv_frame()[2] == b"p"
            assert c.recv_frame()[2] == b"bird"


@pytest.mark.parametrize("size", [1000, 4000, 4095, 4096, 4097, 8000, 8192,
                                  9000, 70000, 1 << 20])
def test_large_early_messages(kennel, size):
    """Inline in the capsule, in a memfd, and still in the socket."""
    data = bytes(i % 251 for i in range(size))
    with WebSocket(kennel.address, behind=frame(BINARY, data) +
                   frame(TEXT, "end")) as c:
        assert c.recv() == data
        assert c.recv() == "end"


@pytest.mark.parametrize("size", [100, 3000, 7000, 8000, 12000, 30000])
def test_large_heads(kennel, size):
    """The head travels along, whatever its size."""
    fields = []
    while size > 0:
        fields.append((f"X-{len(fields)}", "v" * min(size, 4000)))
        size -= 4000
    r = get(kennel, "/echo", fields=fields)
    for name, value in fields:
        assert f"{name}: {value}\n" in r.text
    with WebSocket(kennel.address, fields=fields) as c:
        c.send("x")
        assert c.recv() == "x"


def test_requests_behind_a_request_for_another_group(kennel):
    """They come home with the connection, and are routed afresh."""
    rooms = [room() for _ in range(20)]
    with Http(kennel.address) as c:
        c.write(b"".join(request("GET", f"/lobby/{g}/emit?u=x")
                         for g in rooms))
        for _ in rooms:
            assert c.response().text == "DONE"


def test_upgrade_behind_requests(kennel):
    with WebSocket(kennel.address, open=False) as c:
        c.write(request("POST", "/echo", body=b"one") +
                request("GET", "/healthz") +
                ws.handshake("/echo", c.key) + frame(TEXT, "early"))
        assert c.response().body == b"one"
        assert c.response().text == "ok\n"
        c.opened()
        assert c.recv() == "early"


def test_many_at_the_same_time(kennel):
    """More than a packet takes: all at once, none lost or mixed up."""
    cs = [WebSocket(kennel.address, open=False) for _ in range(300)]
    for i, c in enumerate(cs):
        c.write(ws.handshake(f"/echo?{i}", c.key) + frame(TEXT, f"{i}"))
    for i, c in enumerate(cs):
        c.opened()
        assert c.recv() == str(i)
    kennel.wait_places(300)
    for c in cs:
        c.close()
    kennel.wait_places(0)


# ---- deaths ----

@pytest.fixture
def spoil(start, tmp_path):
    """A kennel in which this happens once: see kit/killat.c."""
    def spoiler(comm, step, when, do="kill", nth=1):
        mark = str(tmp_path / "mark")
        # The loader takes a space in a name for its end.
        library = shutil.copy(kits.KILLAT, tmp_path)
        k = start(shards=2, deaths=True, env={
            "LD_PRELOAD": library, "KILLAT_COMM": comm,
            "KILLAT_STEP": step, "KILLAT_WHEN": when, "KILLAT_DO": str(do),
            "KILLAT_NTH": str(nth), "KILLAT_MARK": mark})
        k.happened = lambda: os.path.exists(mark)
        return k
    return spoiler


def until_it_happens(k):
    """Again and again, but not for ever."""
    for _ in range(200):
        if k.happened():
            return
        yield
    raise AssertionError("it did not happen")


def ask_once(k, path="/healthz"):
    """All that comes for one request: the responses, up to the end."""
    got = []
    with Http(k.address) as c:
        try:
            c.write(request("GET", path, [("Connection", "close")]))
            while True:
                got.append(c.response())
        except (Closed, ConnectionError) as e:
            assert getattr(e, "so_far", b"") == b"", "a piece of an answer"
    return got


def open_once(k):
    """The same for a WebSocket with a message behind: its echoes."""
    with WebSocket(k.address, open=False) as c:
        try:
            c.write(ws.handshake("/echo", c.key) + frame(TEXT, "once") +
                    ws.close_frame(1000))
            c.opened()
            assert c.recv() == "once"
            assert c.end() == 1000
            return "served"
        except ws.Refused as e:
            assert e.response.status == 503
            return "refused"
        except (Closed, ConnectionError) as e:
            assert getattr(e, "so_far", b"") == b"", "a piece of an answer"
            return "nothing"


def whole_again(k):
    """After whatever happened: everything works and the books are exact."""
    wait.until(lambda: len(k.shards()) >= 2, 15, "two shards ready")
    for _ in range(10):
        assert get(k, "/healthz").text == "ok\n"
    with WebSocket(k.address) as c:
        c.send("x")
        assert c.recv() == "x"
    k.wait_places(0)
    k.exact()
    assert k.status()["handing_over"] == 0


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("how", ["http", "websocket"])
@pytest.mark.parametrize("step,when", [
    ("recv", "before"), ("recv", "after"), ("answer", "before")])
def test_shard_dies_before_it_adopts(spoil, step, when, how, nth):
    """The gateway still has the connection: served by another shard."""
    k = spoil("shardd", step, when, "kill", nth)
    for _ in until_it_happens(k):
        if how == "http":
            got = ask_once(k)
            assert len(got) == 1
            assert got[0].status == 200 or \
                (got[0].status == 503 and got[0]["Retry-After"])
        else:
            assert open_once(k) in ("served", "refused")
    whole_again(k)


@pytest.mark.parametrize("how", ["http", "websocket"])
def test_shard_dies_after_it_adopted(spoil, how):
    """The client sees the end of it: no answer twice, none from two."""
    k = spoil("shardd", "answer", "after")
    for _ in until_it_happens(k):
        if how == "http":
            assert [r.status for r in ask_once(k)] in ([200], [])
        else:
            assert open_once(k) in ("served", "nothing")
    whole_again(k)


@pytest.mark.parametrize("how", ["http", "websocket"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_gateway_dies_at_a_hand_over(spoil, when, how):
    """Before: the client sees the end.  After: it may have been served, once.
    The next gateway takes over."""
    k = spoil("gatewayd", "send", when, "kill", 3)
    for _ in until_it_happens(k):
        if how == "http":
            assert [r.status for r in ask_once(k)] in ([200], [])
        else:
            assert open_once(k) in ("served", "nothing")
    k.process.wait(10)
    k.start()
    whole_again(k)


@pytest.mark.parametrize("comm,step,when", [
    ("shardd", "send", "before"), ("shardd", "send", "after"),
    ("gatewayd", "recv", "before"), ("gatewayd", "recv", "after")])
def test_death_on_the_way_home(spoil, comm, step, when):
    """The answer was given; the connection may end, and nothing else."""
    k = spoil(comm, step, when)
    for _ in until_it_happens(k):
        with Http(k.address) as c:
            assert c.ask("GET", "/healthz").text == "ok\n"
            try:
                assert c.ask("GET", "/healthz").text == "ok\n"
            except (Closed, ConnectionError) as e:
                assert getattr(e, "so_far", b"") == b""
                wait.until(k.happened)
    if comm == "gatewayd":
        k.process.wait(10)
        k.start()
    whole_again(k)


@pytest.mark.parametrize("how", ["http", "websocket"])
@pytest.mark.parametrize("error", ["EAGAIN", "ENOBUFS", "ETOOMANYREFS",
                                   "EMSGSIZE", "EINTR", "ENOMEM"])
def test_send_that_fails_is_repeated(spoil, error, how):
    k = spoil("gatewayd", "send", "before", getattr(errno, error), 2)
    for i in range(5):
        if how == "http":
            assert [r.status for r in ask_once(k)] == [200]
        else:
            assert open_once(k) == "served"
    assert k.happened()
    whole_again(k)


def test_shard_that_loses_the_descriptor_says_so(spoil):
    """MSG_CTRUNC: the record came, its descriptor did not."""
    k = spoil("shardd", "recv", "before", "ctrunc", 1)
    for _ in until_it_happens(k):
        assert [r.status for r in ask_once(k)] == [200]
    whole_again(k)


def test_gateway_that_loses_the_descriptor_goes_on(spoil):
    k = spoil("gatewayd", "recv", "before", "ctrunc", 1)
    for _ in until_it_happens(k):
        with Http(k.address) as c:
            assert c.ask("GET", "/healthz").text == "ok\n"
            wait.until(lambda: k.happened() or k.status()["home"] > 0)
    whole_again(k)


def test_all_shards_die_while_many_arrive(kennel):
    """Nobody is left hanging: each gets one answer, or the end."""
    cs = [Http(kennel.address) for _ in range(100)]
    pids = [s["pid"] for s in kennel.shards()]
    for i, c in enumerate(cs):
        c.write(request("GET", "/healthz", [("Connection", "close")]))
        if i == 50:
            for pid in pids:
                kennel.kill_shard(pid=pid)
    for c in cs:
        try:
            r = c.response()
            assert r.status in (200, 503)
            assert c.read_all() == b""
        except Closed as e:
            assert e.so_far == b""
        c.close()
    # One more may have been started for those who were waiting.
    wait.until(lambda: len(kennel.shards()) >= 3, 15)
    kennel.wait_places(0)
    kennel.exact()
