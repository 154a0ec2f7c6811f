"""fast-tcp, dialect 1: what clients say to each other, over one process and over four."""
import os
import struct

import pytest
from kit import nodes, wait
from kit.fasttcp import (ACK, BINARY, BOOLEAN, BROADCAST, CHUNK, CLOSE, DATA,
                         DATA_WITH_ACK, DECIMAL, EMPTY, ERROR, INTEGER, JOIN, LEAVE,
                         LEAVE_ALL, OBJECT, REGISTER, STRING, TO_ROOM, TO_SOCKET,
                         Events, Fast, frame)

SEEN = set()


@pytest.fixture(scope="module", params=(1, 4, "nodes"))
def events(request, start_shared, site):
    """
    Where there are four processes, neighbours in the order of arrival are apart; so
    they are on two nodes of two.
    """
    if request.param == "nodes":
        return nodes.Turns([Events(s, shards=2, limit=1)
                            for s in site().starters(start_shared)])
    return Events(start_shared, shards=request.param,
                  limit=10000 if request.param == 1 else 1)


@pytest.fixture
def people(events):
    """Four, of whom no two are in one process if there are four."""
    them = events.clients(4)
    yield them
    for p in them:
        p.close()


def test_register_is_first_and_alone(events):
    """1"""
    with events.client(register=False) as a:
        f = a.register()
        assert f.id == 2 and f.version == 1
        assert a.barrier() == []


def test_ids_are_good(events):
    """2"""
    for _ in range(60):
        with events.client() as a:
            assert a.id not in SEEN and 10 < len(a.id) < 64
            assert a.id.isascii() and a.id.isprintable()
            assert not set(a.id) & set(",| ")
            SEEN.add(a.id)


def first(b, a):
    """The next message to b; what was lost is seen by what a says later."""
    while not b.buffer and not wait.ready(b.s, seconds=wait.limit(.5)):
        a.to([b], "too late")
    return b.message()


def test_who_has_its_id_can_be_reached(people, events):
    """3: from each process, by id and by broadcast, at once."""
    people.pop().close()
    for i in range(150):
        b = None
        while b is None:            # a place is free a moment later
            try:
                b = events.client()
            except (AssertionError, ConnectionError):
                pass
        a = people[i % len(people)]
        a.to([b], "to you", str(i))
        a.all("to all", str(i))
        assert first(b, a) == ("to you", str(i).encode())
        assert first(b, a) == ("to all", str(i).encode())
        b.close()


def test_to_sockets(people):
    """4"""
    a, b, c, _ = people
    a.to([b], "one", "1")
    assert b.message() == ("one", b"1")
    a.to([b, "nobody", a, "", b, c], "some", "2")
    assert [b.message(), b.message()] == [("some", b"2")] * 2
    assert c.message() == a.message() == ("some", b"2")
    assert a.fence(b, c) == [[], []]


def test_to_rooms(people):
    """5"""
    a, b, c, d = people
    a.join("r", "s")
    b.join("r", "s")
    c.join("s")
    for p in people:
        p.barrier()
    d.room(["r"], "m", "1")             # no member
    assert a.message() == b.message() == ("m", b"1")
    a.room(["r", "none", "s"], "m", "2")
    assert [b.message(), b.message(), c.message()] == [("m", b"2")] * 3
    assert a.fence(b, c, d) == [[], [], []]
    assert a.barrier() == []


def test_broadcast_reaches_all_but_the_sender_once(people):
    """6"""
    for i, p in enumerate(people):
        p.all("b", str(i))
    for i, p in enumerate(people):
        got = [p.message() for _ in range(3)]
        assert sorted(got) == [("b", str(j).encode()) for j in range(4) if j != i]
    assert people[0].fence(*people[1:]) == [[], [], []]
    assert people[0].barrier() == []


def test_all_ways_of_one_message(people):
    """7: who names sockets, rooms and everybody sends a frame for each."""
    a, b, c, _ = people
    b.join("seven")
    b.barrier()
    a.to([a, b], "m", "socket")
    a.room(["seven"], "m", "room")
    a.all("m", "all")
    assert [b.message()[1] for _ in range(3)] == [b"socket", b"room", b"all"]
    assert a.message() == ("m", b"socket")      # its own id alone reaches it
    assert c.message() == ("m", b"all")
    assert a.fence(b, c) == [[], []]
    assert a.barrier() == []


def test_rooms_are_entered_and_left(people):
    """8"""
    a, b = people[:2]
    b.join("x", "y", "z")
    b.join("x")
    b.barrier()
    a.room(["x"], "m", "1")
    assert b.message() == ("m", b"1")
    b.leave("x", "y", "never")
    b.leave("x")
    b.barrier()
    a.room(["x", "y", "z"], "m", "2")
    assert b.message() == ("m", b"2")
    assert a.fence(b) == []
    b.send(LEAVE_ALL, data_type=EMPTY)
    b.barrier()
    a.room(["z"], "m", "3")
    assert a.fence(b) == []
    b.join("x")
    b.barrier()
    a.room(["x"], "m", "4")
    assert b.message() == ("m", b"4")


VALUES = (
    (STRING, b""), (STRING, "é\0ü".encode()), (STRING, b"\xff\xfe"),
    (BINARY, b""), (BINARY, bytes(range(256))), (INTEGER, b"\xfb" + b"\xff" * 5),
    (INTEGER, b"\xff" * 5 + b"\x7f"), (INTEGER, b"\0" * 5 + b"\x80"),
    (INTEGER, b"\x05"), (DECIMAL, struct.pack("<d", -1.5e300)),
    (DECIMAL, struct.pack("<d", float("nan"))),
    (DECIMAL, struct.pack("<d", float("-inf"))), (OBJECT, b'{"b": 1,  "a":[null]}'),
    (OBJECT, b"\x81\xa1a\xc0 no JSON"), (BOOLEAN, b"\0"), (BOOLEAN, b"\1"),
    (BOOLEAN, b"\7"), (EMPTY, b""),
)


def test_values_stay_as_they_are(people):
    """9, 34: by all ways, and in answers."""
    a, b = people[:2]
    b.join("r")
    b.barrier()
    for data_type, data in VALUES:
        a.send(TO_SOCKET, b.id + "|v", data, data_type)
        a.send(TO_ROOM, "r|v", data, data_type)
        a.send(BROADCAST, "v", data, data_type)
        for _ in range(3):
            f = b.recv()
            assert (f.kind, f.event, f.type, f.data) == (DATA, b"v", data_type, data)
        ident = a.send(DATA_WITH_ACK, "echo", data, data_type)
        f = a.recv()
        assert (f.kind, f.id, f.event, f.type, f.data) == \
            (ACK, ident, b"", data_type, data)
    a.send(TO_SOCKET, b.id + "|v", b"\1\0\0", BOOLEAN)
    a.send(TO_SOCKET, b.id + "|v", b"12345678tail", DECIMAL)
    assert b.recv().data == b"\1"
    assert b.recv().data == b"12345678"


NAMES = ("", "naïve ☃ 𝄞", "a\0b", "\r\nSET x", "*", "h?[a-c]", "%s%n%x", "__proto__",
         "constructor", "toString", "x" * 5000, "a b", "'\"\\", "..", "error", "close")


def test_names_are_bytes(people):
    """10"""
    a, b = people[:2]
    for name in NAMES:
        b.join(name)
    b.barrier()
    for name in NAMES:
        a.room([name], name, name)
        assert b.message() == (name, name.encode())
        a.to([b], name, name)
        assert b.message() == (name, name.encode())
        a.all(name, name)
        assert b.message() == (name, name.encode())
    for event in ("with|a|bar", "|", "e" * 65000):
        a.to([b], event, "1")
        assert b.message() == (event, b"1")
        a.room([""], event, "1")
        assert b.message() == (event, b"1")
        a.all(event, "1")
        assert b.message() == (event, b"1")
    a.all("e" * 65535)
    assert b.message() == ("e" * 65535, b"")
    a.room(["hit", "x" * 5000], "and a, comma", "1")
    assert b.message() == ("and a, comma", b"1")


def test_order_is_kept_whatever_the_way(people):
    """11: 5000 in a row, small and large, by all ways."""
    a, b = people[:2]
    b.join("r")
    b.barrier()
    big = os.urandom(70000)
    out = bytearray()
    for i in range(5000):
        data = struct.pack("<I", i) + (big if i % 250 == 7 else b"")
        out += (frame(TO_SOCKET, b.id + "|n", data, BINARY),
                frame(TO_ROOM, "r|n", data, BINARY),
                frame(BROADCAST, "n", data, BINARY))[i % 3]
    import threading
    t = threading.Thread(target=a.write, args=(out,))
    t.start()
    for i in range(5000):
        f = b.recv()
        assert struct.unpack_from("<I", f.data)[0] == i
    t.join()


def test_join_then_tell(people):
    """12: who is told of somebody's joining can reach the joiner in the room."""
    a, b, c, d = people
    for i in range(300):
        b.join(f"r{i}")
        b.to([a], "joined")
        assert a.message() == ("joined", b"")
        a.room([f"r{i}"], "m", str(i))
        assert [(f.event, f.data) for f in a.fence(b)] == [(b"m", str(i).encode())]
        b.leave(f"r{i}")
        b.to([a], "left")
        assert a.message() == ("left", b"")
        a.room([f"r{i}"], "never", str(i))
        assert a.fence(b) == []
        a.to([c], "and c", "")          # by a third, who tells in turn
        assert c.message() == ("and c", b"")
        c.room([f"r{i}"], "never", str(i))
        assert c.fence(b) == []


def test_what_nobody_handles_does_nothing(people):
    """13, 32, 33"""
    a, b = people[:2]
    for event in ("unknown", "close", "error", "end", "data", "connection",
                  "__proto__", ""):
        a.send(DATA, event, "x")
        a.send(DATA_WITH_ACK, event, "x")
    for kind in (ERROR, REGISTER, ACK, 18, 99, 200, 255):
        a.send(kind, "x", "y")
    a.write(frame(42, b"ev", b"z" * 100000, 200))
    a.send(TO_SOCKET, "no bar", "x")
    a.send(TO_ROOM, "no bar", "x")
    a.send(JOIN, "", b"\1\0\0\0\0\0", INTEGER)
    a.send(LEAVE, "", b"\1", BOOLEAN)
    a.send(JOIN, "", b"", EMPTY)
    a.send(CHUNK, "", b"of no stream", BINARY, ident=77)
    a.send(CLOSE, "", b"", STRING, ident=77)
    assert a.barrier() == [] and a.fence(b) == []


def test_frames_may_be_cut_anywhere(people):
    """22"""
    a, b = people[:2]
    whole = frame(TO_SOCKET, b.id + "|cut", "data", tail=b"t") * 3 + \
        frame(BROADCAST, "cut", b"\0" * 300, BINARY)
    for i in range(len(whole)):
        a.write(whole[i:i + 1])
    for _ in range(3):
        assert b.message() == ("cut", b"data")
    assert b.message() == ("cut", b"\0" * 300)
    for n in (2, 3, 5, 7, 11, 19):
        for i in range(0, len(whole), n):
            a.write(whole[i:i + n])
    a.write(whole * 200)
    for _ in range(6 + 200):
        for _ in range(3):
            assert b.message() == ("cut", b"data")
        assert b.message() == ("cut", b"\0" * 300)


def test_early_bytes_are_honoured(people, events):
    """23: they come before the server has said anything."""
    people.pop().close()
    b = people[0]
    early = frame(TO_SOCKET, b.id + "|early", "1") + frame(JOIN, "", "r") + \
        frame(DATA_WITH_ACK, "echo", "2", ident=9)
    for cut in (len(early), 2, 5, 40):
        a = None
        while a is None:
            try:
                a = Fast(events.address, register=False, early=early[:cut])
                a.register()
            except (AssertionError, ConnectionError):
                a = None
        a.write(early[cut:])
        f = a.recv()
        assert (f.kind, f.id, f.data) == (ACK, 9, b"2")
        assert b.message() == ("early", b"1")
        a.close()


def test_half_close(people):
    """24: what was sent is acted upon, what is owed is written, then it ends."""
    a, b, c, _ = people
    big = os.urandom(8 << 20)
    a.write(frame(TO_SOCKET, b.id + "|last", "words") +
            frame(DATA_WITH_ACK, "echo", big, BINARY, 5))
    a.s.shutdown(1)
    assert b.message() == ("last", b"words")
    f = a.recv()
    assert (f.kind, f.id) == (ACK, 5) and f.data == big
    assert a.recv() is None
    c.s.shutdown(1)
    assert c.recv() is None


def test_large_messages(people):
    """25"""
    a, b, c, d = people
    for n in (1 << 20, 8 << 20):
        data = os.urandom(n)
        a.to([b], "big", data, BINARY)
        f = b.recv()
        assert f.event == b"big" and f.data == data
    data = os.urandom(1 << 20)
    a.all("big", data, BINARY)
    for p in (b, c, d):
        assert p.recv().data == data


def test_many_questions_are_answered_in_order(people):
    """34"""
    a = people[0]
    a.write(b"".join(frame(DATA_WITH_ACK, "echo", str(i), ident=i + 4294964000)
                     for i in range(3000)))
    for i in range(3000):
        f = a.recv()
        assert (f.kind, f.id, f.data) == (ACK, i + 4294964000, str(i).encode())
    assert a.barrier() == []


def test_a_lost_client_is_in_no_room_and_has_no_id(people):
    """26"""
    a, b, c, _ = people
    b.join("r")
    c.join("r")
    b.barrier()
    c.barrier()
    b.close()
    # The room is served on; nobody minds the id that is no more.
    for i in range(20):
        a.room(["r"], "m", str(i))
        a.to([b, c], "m", str(i))
        assert [c.message(), c.message()] == [("m", str(i).encode())] * 2
