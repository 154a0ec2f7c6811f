"""
Who reads slowly, on a thin line, is there, whatever bound there is on who reads nothing; who
reads nothing, or too little, is not.  How long a bound is shows one who reads nothing: the
slow one lives while two of these are cut, one after the other.
"""
import os
import threading

import pytest
from kit import sockdiag, wait
from kit.fasttcp import BINARY, CHUNK, CLOSE, OPEN, OPEN_TO_SOCKET, Events, Fast
from kit.http import Http, request
from kit.kennel import Ports
from kit.raw import Raw
from kit.slowly import Slowly, narrow
from kit.stream import LAST, Stream
from kit.ws import Ended, WebSocket

THIN = 3000             # bytes a second; the kernel says that there is room each 50 kB and more

CONFIG = """
[worker]
out_max = 64m
%s

[route streams]
path = /g/{group}/stream /g/{group}/events
app = streams
group = path:group
uid = query:u const:anon
stream = yes

[route rest]
path = /g/{group}/*
app = streams
group = path:group
uid = query:u const:anon
"""
MANY, SIZE = 12, 60000


def bound(seconds=2):
    """A time that a reader is not kept from its processor for."""
    return f"{wait.limit(seconds)}s"


def say(k, text, group="g"):
    with Http(k.address) as c:
        assert c.ask("POST", f"/g/{group}/say", body=text.encode()).status == 200


def gone(k, why):
    return k.status()["totals"]["gone"][why]


def mutes_pass(k, why, begin):
    """Twice: begin() connects one who reads nothing, and it is cut for that reason."""
    for n in 1, 2:
        with begin():
            wait.until(lambda n=n: gone(k, why) == n, 30)


def held(sock):
    """The kernel's other side of it is still a process's."""
    row = sockdiag.server_of(sock)
    return row is not None and row.inode != 0


def mutes_linger(begin, n=2):
    """The same of n who are gone for the application, and owed something yet."""
    for _ in range(n):
        with begin() as c:
            sock = c.s if isinstance(c, Raw) else c.sock
            wait.until(lambda s=sock: not held(s), 30)


@pytest.fixture
def streams(start, installed):
    return lambda options: start(shards=1, worker=installed.worker("streams.c"),
                                 config=CONFIG % options)


def test_an_answer(start, installed, tmp_path):
    """Of a file, and request_timeout."""
    big = tmp_path / "big"
    big.write_bytes(os.urandom(1000) * 1000)
    k = start(shards=1, worker=installed.worker("files.c"), config=f"""
[worker]
request_timeout = {bound()}

[route files]
path = /g/*
app = files
group = none
""")

    def ask():
        c = Http(narrow(k.address))
        c.write(request("GET", f"/g/file?path={big}"))
        return c
    with ask() as c:
        slow = Slowly(c.sock, THIN)
        mutes_pass(k, "slow", ask)
        assert not slow.ended
        c.buf += slow.hurry()
        assert c.response().body == big.read_bytes()


def test_less_than_the_least_pace(start, installed, tmp_path):
    """It reads all the while, and too little: no memory is held for it."""
    big = tmp_path / "big"
    big.write_bytes(bytes(1000000))
    k = start(shards=1, worker=installed.worker("files.c"), config="""
[worker]
request_timeout = 2s

[route files]
path = /g/*
app = files
group = none
""")
    with Http(narrow(k.address, segment=100)) as c:
        c.write(request("GET", f"/g/file?path={big}"))
        slow = Slowly(c.sock, 300)
        wait.until(lambda: gone(k, "slow") == 1, 30)
        slow.hurry()


def test_messages_of_its_own(start):
    """It is not read before it has caught up."""
    k = start(shards=1, config="[worker]\nout_max = 64k\n")
    body = [os.urandom(60000) for _ in range(20)]

    def flood(ws):
        try:
            for b in body:
                ws.send(b)
        except OSError:
            pass

    def mute():
        ws = WebSocket(narrow(k.address), "/echo")
        threading.Thread(target=flood, args=[ws], daemon=True).start()
        return ws
    with WebSocket(narrow(k.address), "/echo") as ws:
        slow = Slowly(ws.sock, THIN)
        sender = threading.Thread(target=flood, args=[ws])
        sender.start()
        mutes_pass(k, "slow", mute)
        assert not slow.ended
        ws.buf += slow.hurry()
        for b in body:
            assert ws.recv() == b
        sender.join()
        ws.goodbye()


def test_pings_behind_a_backlog(streams):
    """They wait to be read, so that nobody can answer them."""
    k = streams(f"ping_interval = {bound(1)}")

    def come(uid):
        return WebSocket(narrow(k.address), f"/g/g/ws?u={uid}")

    def mute():
        ws = come("mute")
        say(k, f"many {MANY} {SIZE}")
        return ws
    with come("slow") as ws:
        slow = Slowly(ws.sock, THIN)
        mutes_pass(k, "idle", mute)
        assert not slow.ended
        ws.buf += slow.hurry()
        assert ws.recv() == "hello slow websocket"
        heard = [ws.recv() for _ in range(2 * MANY + 2)]
        assert heard.count("m" * SIZE) == 2 * MANY
        ws.goodbye()


def test_the_end_of_a_stream(streams):
    """The application has ended it well, and so it ends."""
    k = streams(f"closing_timeout = {bound()}")

    def end(uid):
        s = Stream(narrow(k.address), f"/g/{uid}/stream?u={uid}")
        assert s.chunk() == f"hello {uid} stream".encode()
        say(k, f"many {MANY} {SIZE}", uid)
        say(k, f"close {uid} 1000", uid)
        return s
    with end("slow") as s:
        slow = Slowly(s.sock, THIN)
        mutes_linger(lambda: end("mute"))
        assert not slow.ended
        s.buf += slow.hurry()
        assert [len(s.chunk()) for _ in range(MANY)] == [SIZE] * MANY
        assert s.chunk() == LAST and s.ended()


def test_a_websocket_that_is_closed(streams):
    """It reads why behind all that it was told."""
    k = streams(f"closing_timeout = {bound()}")

    def end(uid):
        ws = WebSocket(narrow(k.address), f"/g/{uid}/ws?u={uid}")
        assert ws.recv() == f"hello {uid} websocket"
        say(k, f"many {MANY} {SIZE}", uid)
        say(k, f"close {uid} 4000", uid)
        return ws
    with end("slow") as ws:
        slow = Slowly(ws.sock, THIN)
        mutes_linger(lambda: end("mute"))
        assert not slow.ended
        ws.buf += slow.hurry()
        assert [len(ws.recv()) for _ in range(MANY)] == [SIZE] * MANY
        with pytest.raises(Ended) as end:
            ws.recv()
        assert (end.value.code, end.value.reason) == (4000, b"as told")


def test_raw(start, installed):
    """The application has closed it: it has all of it, however long that takes."""
    port = Ports.take()
    k = start(shards=1, worker=installed.worker("raw.c"), config=f"""
[worker]
closing_timeout = {bound()}

[listener lines]
address = 127.0.0.1:{port}
app = raw
group = const:lines
out_max = 64M
""")

    def end():
        c = Raw(narrow(("127.0.0.1", port)))
        c.send(f"big {MANY} {SIZE}", "close")
        return c
    with end() as c:
        slow = Slowly(c.s, THIN)
        mutes_linger(end, 4)            # there is no bound on the whole
        assert not slow.ended
        c.buffer += slow.hurry()
        assert [len(x) for x in c.rest()] == [SIZE] * MANY + [len("bye")]


def test_a_stream_between_clients(start):
    """And app.stuck."""
    e = Events(start, more=f"app.stuck = {bound()}\n")
    senders = []

    def send(a, to):
        try:
            a.send(OPEN_TO_SOCKET, f"{to}|s", ident=3)
            for _ in range(30):
                a.send(CHUNK, "", bytes(SIZE), BINARY, 3)
            a.send(CLOSE, "", ident=3)
        except OSError:
            pass

    def receive():
        a, c = e.client(), Fast(narrow(e.address))
        senders.append(a)
        threading.Thread(target=send, args=[a, c.id], daemon=True).start()
        return c

    def stuck():
        return e.kennel.log().count("it has read nothing of a stream")
    with receive() as c:
        slow = Slowly(c.s, THIN)
        for n in 1, 2:
            with receive():
                wait.until(lambda n=n: stuck() == n, 30)
        assert not slow.ended
        c.buffer += slow.hurry()
        assert c.recv().kind == OPEN
        heard = 0
        while (f := c.recv()).kind == CHUNK:
            heard += len(f.data)
        assert (f.kind, heard) == (CLOSE, 30 * SIZE)
    for a in senders:
        a.close()
