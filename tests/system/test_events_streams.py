"""fast-tcp, dialect 1: streams between clients, over one process and over four."""
import hashlib
import os
import random
import threading
import time

import pytest
from kit import nodes, wait
from kit.fasttcp import (BINARY, BOOLEAN, CHUNK, CLOSE, DATA, DECIMAL, EMPTY, INTEGER,
                         OBJECT, OPEN, OPEN_BROADCAST, OPEN_TO_ROOM,
                         OPEN_TO_SOCKET, OPEN_WITH_ACK, STRING, Events, frame)


@pytest.fixture(scope="module", params=(1, 4, "nodes"))
def events(request, start_shared, site):
    if request.param == "nodes":
        return nodes.Turns([Events(s, shards=2, limit=1, more="app.stuck = 2s\n")
                            for s in site().starters(start_shared)])
    return Events(start_shared, shards=request.param,
                  limit=10000 if request.param == 1 else 1,
                  more="app.stuck = 2s\n")


@pytest.fixture
def people(events):
    """Four, of whom no two are in one process if there are four."""
    them = []
    wait.until(lambda: len(them) == 4 or more(events, them))
    yield them
    for p in them:
        p.close()


def more(events, them):
    """One more, if there is a place already."""
    try:
        them.append(events.client())
    except (AssertionError, ConnectionError):
        pass


def stream(p, kind, event, chunks, info=b"", data_type=STRING, ident=None):
    ident = p.send(kind, event, info, data_type, ident)
    for c in chunks:
        p.send(CHUNK, event, c, BINARY, ident)
    p.send(CLOSE, event, b"", STRING, ident)
    return ident


def receive(p, event=None, opened=None):
    """A stream to its end: its open, its bytes."""
    f = opened or p.recv()
    assert f.kind == OPEN and (event is None or f.event == event.encode()), f
    data = bytearray()
    while True:
        g = p.recv()
        assert g.id == f.id, g
        assert g.event == f.event
        if g.kind == CLOSE:
            assert (g.type, g.data) == (STRING, b"")
            return f, bytes(data)
        assert g.kind == CHUNK and g.type in (STRING, BINARY)
        data += g.data


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_8_mib_by_all_ways(people):
    """14"""
    a, b, c, d = people
    b.join("r")
    c.join("r")
    for p in people:
        p.barrier()
    data = os.urandom(8 << 20)
    chunks = [data[i:i + 65536] for i in range(0, len(data), 65536)]
    for kind, prefix, hear in ((OPEN_TO_SOCKET, f"{b.id},none,{c.id}|", (b, c)),
                               (OPEN_TO_ROOM, "r,none|", (b, c)),
                               (OPEN_BROADCAST, "", (b, c, d))):
        t = threading.Thread(target=stream, args=(a, kind, prefix + "file|x", chunks,
                                                  b'{"size": 1}', OBJECT))
        t.start()
        got = {}
        ts = [threading.Thread(target=lambda p=p: got.update({p: receive(p)}))
              for p in hear]
        for x in ts:
            x.start()
        for x in ts + [t]:
            x.join()
        for p in hear:
            f, bytes_ = got[p]
            assert (f.event, f.type, f.data) == (b"file|x", OBJECT, b'{"size": 1}')
            assert digest(bytes_) == digest(data)
        assert a.fence(b, c, d) == [[], [], []] and a.barrier() == []


@pytest.mark.parametrize("data_type, info", (
    (STRING, b"s"), (BINARY, b"\0\1"), (INTEGER, b"\1\0\0\0\0\0"),
    (DECIMAL, b"12345678"), (OBJECT, b"{}"), (BOOLEAN, b"\1"), (EMPTY, b"")))
def test_info_of_every_type(people, data_type, info):
    """14"""
    a, b = people[:2]
    stream(a, OPEN_TO_SOCKET, b.id + "|i", [b"x"], info, data_type)
    f, data = receive(b, "i")
    assert (f.type, f.data, data) == (data_type, info, b"x")


def test_empty_tiny_and_huge(people):
    """15"""
    a, b = people[:2]
    to = b.id + "|s"
    stream(a, OPEN_TO_SOCKET, to, [])
    assert receive(b)[1] == b""
    stream(a, OPEN_TO_SOCKET, to, [bytes([i % 256]) for i in range(2000)])
    assert receive(b)[1] == bytes(i % 256 for i in range(2000))
    huge = os.urandom(6 << 20)
    t = threading.Thread(target=stream, args=(a, OPEN_TO_SOCKET, to, [huge]))
    t.start()
    assert receive(b)[1] == huge
    t.join()
    # A string comes whole; what is behind its data does not come at all.
    a.send(OPEN_TO_SOCKET, to, "", ident=9)
    a.write(frame(CHUNK, to, "grün", STRING, 9, b"tail")[:-7])
    a.write(frame(CHUNK, to, "grün", STRING, 9, b"tail")[-7:])
    a.send(CLOSE, to, "", ident=9)
    assert receive(b)[1] == "grün".encode()


def test_forwarded_before_the_end_with_messages_between(people):
    """15"""
    a, b = people[:2]
    one = a.send(OPEN_TO_SOCKET, b.id + "|one")
    f = b.recv()
    # The first half of a chunk is there before its second half was sent.
    whole = frame(CHUNK, "x", b"12345678", BINARY, one)
    a.write(whole[:-4])
    g = b.recv()
    assert (g.kind, g.id, g.data) == (CHUNK, f.id, b"1234")
    a.write(whole[-4:])
    assert b.recv().data == b"5678"
    a.to([b], "between", "m")
    assert b.message() == ("between", b"m")
    two = a.send(OPEN_TO_SOCKET, b.id + "|two")
    g = b.recv()
    assert g.kind == OPEN and g.id != f.id
    for i in range(50):
        a.send(CHUNK, "", b"1%d" % i, BINARY, one)
        a.send(CHUNK, "", b"2%d" % i, BINARY, two)
    for i in range(50):
        assert (x := b.recv()).id == f.id and x.data == b"1%d" % i
        assert (x := b.recv()).id == g.id and x.data == b"2%d" % i
    a.send(CLOSE, "", ident=one)
    assert (x := b.recv()).kind == CLOSE and x.id == f.id
    a.send(CLOSE, "", ident=two)
    assert (x := b.recv()).kind == CLOSE and x.id == g.id


def test_one_id_of_two_senders(people):
    """16"""
    a, b, c, _ = people
    for p in (a, c):
        p.send(OPEN_TO_SOCKET, b.id + "|s", ident=2)
    f, g = b.recv(), b.recv()
    assert f.kind == g.kind == OPEN and f.id != g.id
    a.send(CHUNK, "", b"of a", BINARY, 2)
    c.send(CHUNK, "", b"of c", BINARY, 2)
    x, y = b.recv(), b.recv()
    assert {x.id, y.id} == {f.id, g.id}
    assert {x.data, y.data} == {b"of a", b"of c"}
    a.send(CLOSE, "", ident=2)
    c.send(CLOSE, "", ident=2)
    assert {b.recv().id, b.recv().id} == {f.id, g.id}


def test_receivers_are_those_of_the_open(people):
    """17"""
    a, b, c, _ = people
    b.join("r")
    b.barrier()
    a.send(OPEN_TO_ROOM, "r|s", ident=5)
    f = b.recv()
    assert a.fence(c) == []             # it has arrived in c's process, too
    c.join("r")
    b.leave("r")
    c.barrier()
    b.barrier()
    a.send(CHUNK, "", b"rest", BINARY, 5)
    a.send(CLOSE, "", ident=5)
    assert receive(b, opened=f)[1] == b"rest"
    assert a.fence(c) == []


def test_streams_that_nobody_gets_are_swallowed(people):
    """18"""
    a, b = people[:2]
    chunks = [b"x" * 65536] * 100
    stream(a, OPEN_TO_SOCKET, "nobody|s", chunks)
    stream(a, OPEN_TO_ROOM, "empty|s", chunks)
    stream(a, OPEN, "unhandled", chunks)
    stream(a, OPEN_WITH_ACK, "unhandled", chunks)
    stream(a, OPEN_TO_SOCKET, "no bar", chunks)
    assert a.barrier() == [] and a.fence(b) == []


def test_a_receiver_is_lost(people):
    """19"""
    a, b, c, _ = people
    a.send(OPEN_TO_SOCKET, f"{b.id},{c.id}|s", ident=3)
    b.recv()
    f = c.recv()
    b.close()
    for _ in range(200):
        a.send(CHUNK, "", b"y" * 10000, BINARY, 3)
    a.send(CLOSE, "", ident=3)
    assert receive(c, opened=f)[1] == b"y" * 2000000
    # The only one.
    a.send(OPEN_TO_SOCKET, f"{c.id}|s", ident=4)
    c.recv()
    c.close()
    for _ in range(200):
        a.send(CHUNK, "", b"y" * 10000, BINARY, 4)
    a.send(CLOSE, "", ident=4)
    assert a.barrier() == []


def test_the_sender_is_lost(people):
    """19: the receiver sees the end."""
    a, b, c, _ = people
    a.send(OPEN_TO_SOCKET, f"{b.id},{c.id}|s", ident=3)
    a.send(CHUNK, "", b"half", BINARY, 3)
    f = b.recv()
    assert b.recv().data == b"half"
    a.close()
    assert receive(b, opened=f)[1] == b""
    assert receive(c)[1] == b"half"


def test_a_second_open_ends_the_first(people):
    """33"""
    a, b = people[:2]
    a.send(OPEN_TO_SOCKET, b.id + "|one", ident=3)
    a.send(OPEN_TO_SOCKET, b.id + "|two", ident=3)
    f, g, h = b.recv(), b.recv(), b.recv()
    assert (f.kind, g.kind, h.kind) == (OPEN, CLOSE, OPEN)
    assert f.id == g.id != h.id and h.event == b"two"
    a.send(CHUNK, "", b"x", BINARY, 3)
    a.send(CLOSE, "", ident=3)
    assert receive(b, opened=h)[1] == b"x"


def test_chunks_that_would_kill_are_not_passed_on(people):
    """21"""
    a, b = people[:2]
    a.send(CHUNK, "", b"unknown", BINARY, 99)
    a.send(CLOSE, "", b"", ident=99)
    a.send(OPEN_TO_SOCKET, b.id + "|s", ident=3)
    f = b.recv()
    for data_type, data in ((INTEGER, b"\1\0\0\0\0\0"), (DECIMAL, b"12345678"),
                            (OBJECT, b"{}"), (BOOLEAN, b"\1"), (EMPTY, b"")):
        a.send(CHUNK, "", data, data_type, 3)
    a.send(CLOSE, "", ident=3)
    assert receive(b, opened=f)[1] == b""
    a.send(CHUNK, "", b"after the end", BINARY, 3)
    a.send(CLOSE, "", ident=3)
    assert a.fence(b) == []


def test_a_slow_receiver_gets_all_and_holds_its_sender_up(people, events):
    """20: neither its shard nor the sender's keeps more than a few MiB."""
    a, b, c, _ = people
    a.send(OPEN_TO_SOCKET, b.id + "|s", ident=3)
    f = b.recv()
    data = random.Random(5).randbytes(1 << 20)
    n = 48
    sent = []

    def send():
        for _ in range(n):
            a.send(CHUNK, "", data, BINARY, 3)
            sent.append(1)
        a.send(CLOSE, "", ident=3)
    t = threading.Thread(target=send)
    t.start()
    last = -1
    while last != len(sent):            # until the sender is held up
        last = len(sent)
        time.sleep(0.3)                 # far less than app.stuck
    assert last < 40
    # Others are served meanwhile.
    c.barrier()
    got = hashlib.sha256()
    total = 0
    while True:
        g = b.recv()
        if g.kind == CLOSE:
            break
        assert g.kind == CHUNK and g.id == f.id
        got.update(g.data)
        total += len(g.data)
        if total < 6 << 20:
            time.sleep(0.02)
    t.join()
    assert total == n << 20 and got.hexdigest() == digest(data * n)


def test_a_stuck_receiver_is_closed(people):
    """20: it reads nothing, and the others get everything."""
    a, b, c, _ = people
    a.send(OPEN_TO_SOCKET, f"{b.id},{c.id}|s", ident=3)
    f = c.recv()
    n = 40
    t = threading.Thread(target=lambda: [a.send(CHUNK, "", b"z" * (1 << 20), BINARY, 3)
                                         for _ in range(n)] +
                         [a.send(CLOSE, "", ident=3)])
    t.start()
    assert receive(c, opened=f)[1] == b"z" * (n << 20)
    t.join()
    assert a.barrier() == []
    b.ended()


def test_messages_wait_for_a_held_sender_no_longer_than_that(people):
    """Order holds: what the sender says after chunks comes after them."""
    a, b = people[:2]
    a.send(OPEN_TO_SOCKET, b.id + "|s", ident=3)
    t = threading.Thread(target=lambda: (
        [a.send(CHUNK, "", b"z" * (1 << 18), BINARY, 3) for _ in range(40)],
        a.to([b], "after", ""), a.send(CLOSE, "", ident=3)))
    t.start()
    assert b.recv().kind == OPEN
    total = 0
    while (g := b.recv()).kind == CHUNK:
        total += len(g.data)
    assert (g.kind, g.event, total) == (DATA, b"after", 40 << 18)
    assert b.recv().kind == CLOSE
    t.join()


def test_too_many_streams_are_passed_over(people):
    a, b = people[:2]
    a.write(b"".join(frame(OPEN_TO_SOCKET, b.id + "|s", "", ident=i)
                     for i in range(1, 1200)))
    a.barrier()
    opened = [f for f in a.fence(b)]
    assert len(opened) == 1024 and len({f.id for f in opened}) == 1024
    a.write(b"".join(frame(CLOSE, "", "", ident=i) for i in range(1, 1200)))
    a.barrier()
    closed = a.fence(b)
    assert [f.id for f in closed] == [f.id for f in opened]
