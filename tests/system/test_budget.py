"""One who makes much work does not keep the others from their turn."""
import json
import os
import select

import pytest
from kit import kennel as kits
from kit.ws import BINARY, PING, PONG, TEXT, Ended, WebSocket, frame
from test_deflate import Deflate, deflated

WORKER = os.path.join(kits.BUILD, "tests", "bench", "bench_worker")
# A short turn, so that many pass while little is done.
CONFIG = """
[worker]
deflate = yes
turn = 2ms
[route echo]
path = /echo
app = echo
group = none
[route crowd]
path = /crowd/*
app = crowd
group = const:g
uid = query:u
limit = %d
"""
MEMBERS = 300           # more than are written to in one go
BLOB = 256 << 10


@pytest.fixture
def crowd(start):
    """crowd(members to a shard) gives a kennel, its members, and a sender."""
    made = []

    def maker(limit=1000, members=MEMBERS, **kw):
        k = start(shards=-(-(members + 1) // limit), redis="none",
                  config=CONFIG % limit, worker=WORKER, **kw)
        people = [WebSocket(k.address, f"/crowd/x?u=m{i}")
                  for i in range(members)]
        sender = WebSocket(k.address, "/crowd/x?u=sender")
        made.extend([*people, sender])
        return k, people, sender
    yield maker
    for ws in made:
        ws.close()


class Reader:
    """All that many of them get, read without waiting for any."""

    def __init__(self, people):
        self.at = {p.sock.fileno(): p for p in people}
        self.poll = select.poll()
        for fd in self.at:
            self.poll.register(fd, select.POLLIN)

    def read(self):
        for fd, _ in self.poll.poll(0):
            self.at[fd].fill()


def messages(ws):
    """Those that are whole in its buffer: server's frames, under 126 bytes."""
    out, i, b = [], 0, ws.buf
    while i + 2 <= len(b) and i + 2 + b[i + 1] <= len(b):
        out.append(b[i + 2:i + 2 + b[i + 1]].decode())
        i += 2 + b[i + 1]
    return out


def served(bystander, others, done, limit=100000):
    """How often the bystander is answered until the others are done()."""
    reader, n = Reader(others), 0
    while not done():
        bystander.send(f"{n}")
        assert bystander.recv() == f"{n}"
        n += 1
        assert n < limit
        reader.read()
    return n


@pytest.mark.parametrize("limit", [1000, 200], ids=["one", "two"])
def test_tiny_broadcasts_in_one_send(crowd, limit):
    """With two shards, most of the work comes over a link."""
    k, people, sender = crowd(limit)
    texts = [f"* {i:05}" for i in range(BLOB // 13)]
    with WebSocket(k.address) as a, WebSocket(k.address) as b:
        sender.write(b"".join(frame(TEXT, t) for t in texts))
        size = sum(2 + len(t) for t in texts)
        last = people[-1]
        # In some fifty turns; a test that has no CPU sees few of them.
        assert served(a, [last], lambda: len(last.buf) >= size) >= 3
        b.send("and this one")
        assert b.recv() == "and this one"
        reader = Reader(people)
        while any(len(p.buf) < size for p in people):
            reader.read()
    for p in people:
        assert messages(p) == texts


def test_broadcasts_and_whispers_stay_in_order(crowd):
    """m7 hears both, and what is for one is behind what was for all before."""
    k, people, sender = crowd()
    lines = []
    for i in range(3000):
        lines += [f"* {i:05}", f"m7 sender {i:05}"]
    sender.write(b"".join(frame(TEXT, t) for t in lines))
    seven, size = people[7], sum(2 + len(t) for t in lines)
    reader = Reader(people)
    while len(seven.buf) < size:
        reader.read()
    assert messages(seven) == lines
    for p in people:
        want = lines if p is seven else lines[::2]
        while len(p.buf) < sum(2 + len(t) for t in want):
            reader.read()
        assert messages(p) == want


def test_two_senders_have_turns(crowd):
    """Neither waits until the other is done; each one's order holds."""
    k, people, one = crowd()
    with WebSocket(k.address, "/crowd/x?u=two") as two:
        texts = [[f"* {s}{i:05}" for i in range(8000)] for s in "ab"]
        for ws, said in zip((one, two), texts):
            ws.write(b"".join(frame(TEXT, t) for t in said))
        size = sum(2 + len(t) for said in texts for t in said)
        reader = Reader(people)
        while any(len(p.buf) < size for p in people):
            reader.read()
        for p in people[::50]:
            heard = messages(p)
            for s, said in zip("ab", texts):
                assert [t for t in heard if t[2] == s] == said
            # The first of b's comes long before the last of a's.
            assert heard.index(texts[1][0]) < heard.index(texts[0][-1])


def test_a_sender_that_vanishes_amid_its_work(crowd):
    k, people, sender = crowd()
    sender.write(b"".join(frame(TEXT, f"* {i:05}") for i in range(20000)))
    assert people[0].recv().startswith("* ")
    sender.reset()
    for p in people[::3]:
        p.reset()               # and some who still have it before them
    k.wait_group("g", [MEMBERS - len(people[::3])], 30)
    with WebSocket(k.address) as ws:
        ws.send("still here?")
        assert ws.recv() == "still here?"


def test_pings_in_one_send(crowd):
    k, _, _ = crowd(members=0)
    n = 40000
    with WebSocket(k.address) as ws, WebSocket(k.address) as bystander:
        ws.write(b"".join(frame(PING, f"{i:06}") for i in range(n)))
        served(bystander, [ws], lambda: len(ws.buf) >= 8 * n)
        for i in range(n):
            assert ws.recv_frame() == (PONG, True, b"%06d" % i)


def test_messages_that_become_large(crowd):
    """Small on the wire: they are decompressed over several turns."""
    k, _, _ = crowd(members=0)
    n, data = 6, bytes(4 << 20)
    z = deflated(data)
    assert len(z) < 8192
    with Deflate(k.address) as ws, WebSocket(k.address) as bystander:
        tail = b"".join(frame(TEXT, f"{i}") for i in range(3))
        ws.write(frame(BINARY, z, rsv=4) * n + tail)
        # Each in five turns or more.
        size = n * len(data)
        assert served(bystander, [ws], lambda: len(ws.buf) >= size) >= 3
        for _ in range(n):
            assert ws.recv() == data
        assert [ws.recv() for _ in range(3)] == ["0", "1", "2"]
        # One that is damaged late, and one that ends amid its work.
        ws.write(frame(BINARY, z[:-9], rsv=4))
        with pytest.raises(Ended) as e:
            ws.recv()
        assert e.value.code == 1007
    for _ in range(5):
        ws = Deflate(k.address)
        ws.write(frame(BINARY, z, rsv=4) * 3)
        ws.reset()
    with Deflate(k.address) as ws:
        ws.send_deflated("x" * 1000)
        assert ws.recv() == "x" * 1000


def test_many_leave_at_once(start):
    """More than one turn ends; who stays hears of each, once."""
    k = start(shards=1, redis="none", config="""
[worker]
turn = 1ms
[route chat]
path = /ws
app = chat
group = const:g
uid = query:u
limit = 1000
[route echo]
path = /echo
app = echo
""")
    n = 300
    with WebSocket(k.address, "/ws?u=stays") as stays, \
            WebSocket(k.address) as bystander:
        leaving = [WebSocket(k.address, f"/ws?u=x{i}") for i in range(n)]
        for ws in leaving:
            ws.reset()
        bystander.send("still served?")
        assert bystander.recv() == "still served?"
        gone = []
        while len(gone) < n:
            m = json.loads(stays.recv())
            if m["type"] == "user:exit":
                gone.append(m["from"])
        assert sorted(gone) == sorted(f"x{i}" for i in range(n))
        k.wait_group("g", [1], 30)
        stays.send('{"type":"req:user:list"}')
        while (m := json.loads(stays.recv()))["type"] != "user:list":
            assert m["type"] != "user:exit"
        assert m["list"] == ["stays"]


# ---- what an application takes ----

JSON = """
[worker]
deflate = yes
%s
[route chat]
path = /ws
app = chat
group = const:g
[route pact]
path = /websocket
app = pact
group = const:g
[route echo]
path = /echo
app = echo
group = none
"""


def end(ws):
    """Code and reason of the close frame."""
    with pytest.raises(Ended) as e:
        while True:
            ws.recv()
    return e.value.code, e.value.reason


@pytest.mark.parametrize("path, options, largest", [
    ("/ws", "", 128 << 10), ("/websocket", "", 128 << 10),
    ("/ws", "chat_message_max = 1k", 1 << 10),
    ("/websocket", "pact_message_max = 300k", 300 << 10),
    ("/ws", "message_max = 2k", 2 << 10),
    ("/echo", "", 16 << 20)])
def test_the_largest_message_of_an_application(start, path, options, largest):
    k = start(shards=1, redis="none", config=JSON % options)
    text = '{"type":"x","pad":"%s"}'
    fits = text % ("x" * (largest - len(text) + 2))
    assert len(fits) == largest
    for compressed in False, True:
        with Deflate(k.address, path) as ws:
            say = ws.send_deflated if compressed else ws.send
            say(fits)
            if path == "/echo":
                assert ws.recv() == fits
            say(fits + " ")
            assert end(ws) == (1009, b"message is too big")


@pytest.mark.parametrize("path", ["/ws", "/websocket"])
def test_five_huge_messages_end_at_their_header(start, path):
    """Nobody has to wait for what they would have been."""
    k = start(shards=1, redis="none", config=JSON % "")
    head = frame(TEXT, b"{", length=16 << 20)
    with WebSocket(k.address) as bystander:
        five = [WebSocket(k.address, path) for _ in range(5)]
        for ws in five:
            ws.write(head + b" " * 70000)
        bystander.send("still served?")
        assert bystander.recv() == "still served?"
        for ws in five:
            assert end(ws)[0] == 1009
            ws.close()


def test_what_a_message_becomes_counts_as_bytes(start):
    k = start(shards=1, redis="none", config="""
[worker]
deflate = yes
[route echo]
path = /echo
app = echo
byte_rate = 100000
""")
    with Deflate(k.address) as ws:
        ws.send_deflated("x" * 100000)          # of 200 000 at once
        assert ws.recv() == "x" * 100000
    with Deflate(k.address) as ws:
        ws.send_deflated("x" * 250000)
        assert end(ws)[0] == 1008
