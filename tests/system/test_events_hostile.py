"""Clients of fast-tcp that mean harm: they lose their connection, nobody else anything."""
import os
import random
import socket
import struct

import pytest
from kit import nodes, wait
from kit.fasttcp import (ACK, BINARY, BROADCAST, CHUNK, CLOSE, DATA_WITH_ACK, JOIN,
                         LEAVE, OBJECT, OPEN, OPEN_BROADCAST, OPEN_TO_SOCKET, STRING,
                         TO_ROOM, TO_SOCKET, Events, Fast, frame)
from kit.kennel import Ports


@pytest.fixture(scope="module", params=(1, 4, "nodes"))
def victim(request, start_shared, site):
    if request.param == "nodes":
        return nodes.Turns([Events(s, shards=2, limit=25)
                            for s in site().starters(start_shared)])
    return Events(start_shared, shards=request.param,
                  limit=1000 if request.param == 1 else 25)


@pytest.fixture
def good(victim):
    """Two who are served before, between and after; far from each other if they can."""
    n = 2 if len(victim.kennel.shards()) == 1 else 30
    them = victim.clients(n)
    for p in them[1:-1]:
        p.close()
    a, b = them[0], them[-1]
    a.other = b
    a.served = lambda: (a.to([b], "well", "x"), b.message() == ("well", b"x"),
                        b.barrier() == [], a.barrier() == [])
    assert all(v in (None, True) for v in a.served())
    yield a
    assert all(v in (None, True) for v in a.served())
    assert a.fence(b) == []
    assert all(s["restarts"] == 0 for s in victim.kennel.shards())
    a.close()
    b.close()


def closed(p):
    """It is closed, behind a whole frame at most."""
    try:
        while p.recv() is not None:
            pass
    except ConnectionError:
        pass
    p.close()


JUNK = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300,
    b"*1\r\n$4\r\nPING\r\n", b"SSH-2.0-x\r\n", b"\0" * 100, b"\xff" * 100,
    b"\n" * 100, b"PROXY TCP4 1.1.1.1 2.2.2.2 3 4\r\n",
)


def test_what_is_not_fast_tcp_is_closed(victim, good):
    """29"""
    for data in JUNK:
        p = victim.client()
        p.write(data)
        closed(p)
    rng = random.Random(1)
    for _ in range(60):
        p = victim.client()
        try:
            p.write(rng.randbytes(rng.randrange(1, 3000)))
            p.s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        closed(p)


def test_halves_that_are_held_open_cost_nothing(victim, good):
    """29"""
    halves = []
    for n in (1, 3, 4, 5, 8, 17, 20, 40):
        p = victim.client()
        p.write(frame(TO_ROOM, "r|e", b"x" * 100)[:n])
        halves.append(p)
    for p in halves[::2]:
        p.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        p.close()
    assert good.barrier() == []
    for p in halves[1::2]:
        p.s.shutdown(socket.SHUT_WR)
        closed(p)


def memory(kennel):
    total = 0
    for s in kennel.shards():
        with open(f"/proc/{s['pid']}/status") as f:
            total += int(f.read().split("VmRSS:")[1].split()[0])
    return total


@pytest.mark.parametrize("length", (2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, (64 << 20) + 1))
def test_claimed_lengths_cost_no_memory(victim, good, length):
    """30: also 40 at once."""
    before = memory(victim.kennel)
    crowd = [victim.client() for _ in range(40)]
    for p in crowd:
        p.write(struct.pack("<I", length))
    for p in crowd:
        closed(p)
    # And with a head behind: of inner lengths that are as large.
    p = victim.client()
    p.write(struct.pack("<IBBBBIHI", length, 1, 0, BINARY, BROADCAST, 2, 0, length - 14))
    closed(p)
    assert wait.SANITIZED or memory(victim.kennel) - before < 20000


def test_a_frame_that_is_too_large_to_be_kept_is_closed(victim, good):
    """Of 20 MiB, which have to come whole; a stream's chunk need not."""
    p = victim.client()
    size = 20 << 20
    head = struct.pack("<IBBBBIHI", 14 + size, 1, 0, BINARY, BROADCAST, 2, 0, size)
    with pytest.raises(OSError):
        p.write(head + b"x" * size)
        while p.recv() is not None:
            pass
        raise ConnectionResetError
    p.close()
    p = victim.client()
    p.write(frame(OPEN_TO_SOCKET, "nobody|x", ident=3))
    p.write(struct.pack("<IBBBBIHI", 14 + size, 1, 0, BINARY, CHUNK, 3, 0, size))
    p.write(b"x" * size)
    assert p.barrier() == []
    p.close()


def bad(length, data_type=STRING, kind=BROADCAST, event_len=0, data_len=0, rest=b""):
    return struct.pack("<IBBBBIH", length, 1, 0, data_type, kind, 2, event_len) + \
        struct.pack("<I", data_len) + rest


@pytest.mark.parametrize("data", [
    *[struct.pack("<I", n) + b"\1" * 40 for n in range(14)],
    bad(14, event_len=1), bad(14, event_len=65535), bad(14, data_len=1),
    bad(14, data_len=0xffffffff), bad(20, event_len=6, data_len=7, rest=b"x" * 9),
    *[frame(k, "x|y", b"x" * n, t) for k in (TO_ROOM, DATA_WITH_ACK, CHUNK)
      for t, n in ((0, 0), (8, 0), (200, 5), (3, 0), (3, 7), (4, 0), (4, 7), (6, 0),
                   (7, 1))],
    b"\x0e\0\0\0\2\0\1\5\2\0\0\0\0\0\0\0\0\0", b"\x0e\0\0\0\0\0\1\5",
])
def test_what_breaks_the_rules_is_closed(victim, good, data):
    """31"""
    p = victim.client()
    p.write(frame(JOIN, "", "x") + data)
    closed(p)


def test_long_lists_do_not_stall_others(victim, good):
    """12.8: lists of 65 kB, again and again, from several."""
    ids = ",".join(f"{i:05}" for i in range(10900))[:65000]
    crowd = [victim.client() for _ in range(4)]
    for p in crowd:
        p.send(JOIN, "", ",".join(f"r{i}" for i in range(20000)))
        p.write(frame(TO_SOCKET, ids + "|e", "x") * 5)
        p.write(frame(TO_ROOM, ids + "|e", "x") * 5)
        p.write(frame(TO_ROOM, "," * 60000 + "|e", "x") * 2)
        assert good.barrier() == []
    for p in crowd:
        assert p.barrier() == []
        p.send(LEAVE, "", ",".join(f"r{i}" for i in range(20000)))
        assert p.barrier() == []
        p.close()


def test_more_rooms_than_may_be_are_not_entered(victim, good):
    """13"""
    p = victim.client()
    for i in range(6):
        p.send(JOIN, "", ",".join(f"{i}.{j}" for j in range(20000)))
    p.barrier()
    good.room(["0.0", "4.19999", "5.0", "5.19999"], "m", "x")
    assert [p.message(), p.message()] == [("m", b"x")] * 2
    assert good.fence(p) == []
    p.close()


def test_mutated_sessions(victim, good):
    """Right frames with a few wrong bytes: whatever comes of it, others are served."""
    rng = random.Random(7)
    for _ in range(120):
        p = victim.client()
        whole = bytearray(
            frame(JOIN, "", "r,s") + frame(TO_SOCKET, p.id + "|e", "x") +
            frame(OPEN_TO_SOCKET, p.id + "|s", "i", ident=4) +
            frame(CHUNK, "", b"123", BINARY, 4) + frame(OPEN_TO_SOCKET, "r|s", ident=5) +
            frame(CLOSE, "", "", ident=4) + frame(ACK, "", "x", ident=9) +
            frame(DATA_WITH_ACK, "echo", "{}", OBJECT) + frame(LEAVE, "", "r"))
        for _ in range(rng.randrange(1, 6)):
            whole[rng.randrange(len(whole))] = rng.randrange(256)
        try:
            p.write(whole)
            p.s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        closed(p)


def test_those_who_leave_amid_everything(victim, good):
    """A churn of clients with rooms, streams in both ways and questions."""
    rng = random.Random(3)
    opened = {good: {}, good.other: {}}

    def look(p):
        for f in p.barrier():
            if f.kind == OPEN:
                opened[p][f.id] = 1
            elif f.kind == CLOSE:
                assert opened[p].pop(f.id)
            else:
                assert f.kind == CHUNK and f.id in opened[p]

    for _ in range(15):
        crowd = [victim.client() for _ in range(12)]
        for p in crowd:
            p.write(frame(JOIN, "", "churn") +
                    frame(OPEN_BROADCAST, "s", ident=3) +
                    frame(CHUNK, "", os.urandom(rng.randrange(60000)), BINARY, 3) +
                    frame(TO_ROOM, "churn|e", b"y" * rng.randrange(30000)) +
                    frame(DATA_WITH_ACK, "echo", "x"))
        rng.shuffle(crowd)
        for p in crowd:
            if rng.random() < .5:
                p.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               struct.pack("ii", 1, 0))
            p.close()
        for p in opened:
            look(p)
    # Every stream that the good ones have seen begin has an end.
    for p in opened:
        wait.until(lambda p=p: (look(p), not opened[p])[1])


def test_objects_that_are_no_json_may_be_refused(start):
    e = Events(start, more="app.object_check = json\napp.reserved = refuse\n")
    with e.client() as a, e.client() as b:
        for text in ('{"a":[1,-0.5e+3,"\\u00e9\\n",{},[],null,true,false]}', " [ ] ",
                     '"x"', "0", "[" * 500 + "]" * 500):
            a.to([b], "o", text, OBJECT)
            assert b.message() == ("o", text.encode())
        for event in ("error", "close", "connect", "end", "reconnecting"):
            a.to([b], event, "x")
            a.all(event, "x")
            a.send(OPEN_TO_SOCKET, f"{b.id}|{event}")
        a.to([b], "errors", "x")
        assert b.message() == ("errors", b"x")
        for text in ("", "{", "{}x", "[1,]", "{1:2}", "01", "1.", "nul", '"\t"', "\\u1",
                     "'x'", "[" * 513 + "]" * 513, '{"a" 1}', "[1 2]", "-", '"\\x"'):
            c = e.client()
            c.send(BROADCAST, "o", text, OBJECT)
            closed(c)
            assert a.barrier() == [] and b.barrier() == [], text


def test_a_setting_that_cannot_be_is_said(start):
    e = Events(start, more="app.object_check = xml\n")
    p = e.client(register=False)
    closed(p)
    wait.until(lambda: "app.object_check = xml is neither json nor none" in
               e.kennel.log())


def test_two_with_one_id_are_not_served(start):
    port = Ports.take()
    e = Events(start, config=f"""
[listener two]
address = 127.0.0.1:{port}
app = events
group = const:two
uid = const:same
""")
    a = Fast(("127.0.0.1", port))
    closed(Fast(("127.0.0.1", port), register=False))
    assert a.barrier() == []
    wait.until(lambda: "need uid = random20 or uuid" in e.kennel.log())
    a.close()


def test_who_does_not_read_messages_is_closed_in_the_end(start):
    """13, 27: here at 2 MiB; others are served all the time."""
    e = Events(start, out_max="2M")
    with e.client() as a, e.client() as b, e.client(rcvbuf=4096) as deaf:
        for i in range(80):
            a.all("m", b"x" * (256 << 10), BINARY)
            assert b.message()[1] == b"x" * (256 << 10)
        deaf.ended()
        assert a.barrier() == []
