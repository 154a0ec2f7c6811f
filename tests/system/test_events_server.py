"""kennel-events.h: a server in C for clients of fast-tcp, over one process and two."""
import re
import struct
import threading

import pytest
from kit import kennel as kits
from kit import nodes
from kit.docs import example
from kit.fasttcp import (ACK, BINARY, BOOLEAN, CHUNK, CLOSE, DATA, DATA_WITH_ACK,
                         DECIMAL, EMPTY, INTEGER, OBJECT, OPEN, OPEN_WITH_ACK, STRING,
                         Events, Fast, frame)


class Greeted(Fast):
    """A client whose welcome is read."""

    def register(self):
        f = super().register()
        assert self.message() == ("welcome", self.id.encode())
        return f

    def ask(self, event, data=b"", data_type=STRING):
        """The answer; what comes meanwhile is an error."""
        ident = self.send(DATA_WITH_ACK, event, data, data_type)
        f = self.recv()
        assert (f.kind, f.id, f.event) == (ACK, ident, b""), f
        return f

    def barrier(self):
        assert self.ask("mark").data == b"mark"


def whole(n):
    return struct.pack("<q", n)[:6]


@pytest.fixture(scope="module", params=(1, 2, "nodes"))
def events(request, start_shared, installed, site):
    if request.param == "nodes":
        hosts = [Events(s, shards=2, app="hello", limit=1, worker=installed.worker("events.c"))
                 for s in site().starters(start_shared)]
        for h in hosts:
            h.make = Greeted
        return nodes.Turns(hosts)
    e = Events(start_shared, shards=request.param, app="hello",
               limit=10000 if request.param == 1 else 2,
               worker=installed.worker("events.c"))
    e.make = Greeted
    return e


@pytest.fixture
def people(events):
    """
    Four: with two processes the first two in one, the others in the other; each in one
    of its own on two nodes.
    """
    them = [events.client() for _ in range(4)]
    yield them
    for p in them:
        p.close()
    events.kennel.wait_group("events", [])


def test_hello_is_answered_and_told(people):
    a, *others = people
    f = a.ask("hello", "Ann")
    assert (f.type, f.data) == (STRING, b"hello Ann")
    for p in others:
        assert p.message() == ("came", b"Ann")
    a.send(DATA, "hello", "again")          # no answer is wanted
    for p in others:
        assert p.message() == ("came", b"again")
    a.barrier()


def test_answers_later_once_and_by_name(people):
    a, b, *_ = people
    one = a.send(DATA_WITH_ACK, "late", whole(30), INTEGER)
    b.send(DATA_WITH_ACK, "late", whole(10), INTEGER)
    f = a.recv()
    assert (f.kind, f.id, f.type, f.data) == (ACK, one, INTEGER, whole(42))
    assert b.recv().data == whole(42)
    f = a.ask("twice")
    assert (f.type, f.data) == (DECIMAL, struct.pack("<d", .5))
    assert a.ask("who knows").data == b"who knows"
    a.barrier()


def test_an_answer_to_who_has_gone_is_nobodys(people, events):
    a, b, *_ = people
    a.send(DATA_WITH_ACK, "late", whole(50), INTEGER)
    a.barrier()
    a.s.close()
    for p in people[1:]:
        assert p.message()[0] == "gone"
    assert b.ask("late", whole(100), INTEGER).data == whole(42)


def test_a_stream_to_the_server_with_callback(people):
    a, b, *_ = people
    for name, n in (("image", 3 << 20), ("slowly", 1 << 20), ("image", 0)):
        ident = a.send(OPEN_WITH_ACK, name, '{"name":"a.jpg"}', OBJECT)
        for _ in range(n >> 16):
            a.send(CHUNK, name, b"x" * 65536, BINARY, ident)
        a.send(CLOSE, name, "", ident=ident)
        f = a.recv()
        assert (f.kind, f.id, f.type, f.data) == (ACK, ident, INTEGER, whole(n))
    ident = a.send(OPEN_WITH_ACK, "refused", "")
    a.send(CHUNK, "refused", b"x", BINARY, ident)
    a.send(CLOSE, "refused", "", ident=ident)
    a.barrier()
    # Two with the same id: the first one is over when the second begins.
    b.send(OPEN_WITH_ACK, "image", "", ident=7)
    b.send(CHUNK, "", b"123", BINARY, 7)
    b.send(OPEN_WITH_ACK, "image", "", ident=7)
    assert b.recv().data == whole(3)
    b.send(CHUNK, "", b"12345", BINARY, 7)
    b.send(CLOSE, "", "", ident=7)
    assert b.recv().data == whole(5)


def receive(p, name):
    f = p.recv()
    assert f.kind in (OPEN, OPEN_WITH_ACK) and f.event == name.encode()
    total = 0
    while (g := p.recv()).kind == CHUNK:
        assert g.id == f.id and g.type == BINARY
        total += len(g.data)
    assert (g.kind, g.id) == (CLOSE, f.id)
    return f, total


def test_streams_of_the_server(people, events):
    a, b, c, d = people
    n = 12 << 20                            # more than what may wait
    a.send(DATA, "fetch", whole(n), INTEGER)
    f, total = receive(a, "image")
    assert (f.kind, f.data, total) == (OPEN_WITH_ACK, whole(n), n)
    a.send(ACK, "", "seen", ident=f.id)
    a.send(ACK, "", "once more", ident=f.id)
    a.barrier()
    assert events.kennel.log().count("film answered") == 0     # it was closed before
    for p in (a, b, c):
        assert a.ask("put", f"{p.id} cinema").type == EMPTY
    a.send(DATA, "film", whole(n), INTEGER)
    got = []
    t = threading.Thread(target=lambda: got.append(receive(b, "film")))
    t.start()
    assert receive(c, "film")[1] == n
    t.join()
    assert got[0][1] == n
    a.barrier()
    d.barrier()


def test_the_server_puts_clients_into_rooms_wherever_they_are(people):
    a, b, c, d = people
    for p in people:
        a.ask("put", f"{p.id} r")
    a.ask("put", f"{d.id} s")
    a.ask("out", f"{b.id} r")
    a.fence(b, c, d)                        # it is so there
    d.room(["r", "s"], "m", "x")
    assert a.message() == c.message() == ("m", b"x")
    a.ask("away", d.id)
    a.fence(d)
    a.send(DATA, "to", f"r,s|{d.id},{c.id}|{a.id} e")
    assert [c.message(), c.message()] == [("e", b"to")] * 2
    assert d.message() == ("e", b"to")
    a.send(DATA, "to", f"||{a.id},{d.id} all")
    assert b.message() == c.message() == ("all", b"to")
    a.send(DATA, "to", "|| all")
    for p in people:
        assert p.message() == ("all", b"to")
        p.barrier()


def test_values(people):
    a = people[0]
    a.send(DATA, "values", '{"n":9}', OBJECT)
    got = [(f.type, f.data) for f in (a.recv() for _ in range(7))]
    assert got == [
        (STRING, "é".encode()), (BINARY, b"\0\xff"), (INTEGER, whole(-5)),
        (DECIMAL, struct.pack("<d", -.25)), (OBJECT, b'{"n":9}'),
        (BOOLEAN, b"\1"), (EMPTY, b"")]


def test_the_server_asks(people, events):
    a, b, *_ = people
    ids = set()
    for i in range(3):
        a.send(DATA, "ask")
        f = a.recv()
        assert (f.kind, f.event, f.data) == (DATA_WITH_ACK, b"question", b"?")
        ids.add(f.id)
        a.send(ACK, "", b"%d" % i, BINARY, f.id)
        a.send(ACK, "", b"again", BINARY, f.id)
        f = a.recv()
        assert (f.event, f.type, f.data) == (b"answered", BINARY, b"%d" % i)
    assert len(ids) == 3
    b.send(DATA, "ask")
    assert b.recv().kind == DATA_WITH_ACK
    b.s.close()
    for p in (a, *people[2:]):
        assert p.message() == ("gone", b.id.encode())
    events.kennel.wait_log(f"id={b.id} gone without an answer")


def test_a_sender_that_is_lost_cuts_its_stream(people, events):
    a, b, *_ = people
    a.send(OPEN_WITH_ACK, "image", "", ident=7)
    a.send(CHUNK, "", b"123", BINARY, 7)
    a.barrier()
    a.s.close()
    for p in people[1:]:
        assert p.message()[0] == "gone"
    events.kennel.wait_log(f"id={a.id} image cut")


def test_the_example_of_the_readme_works(start, installed):
    e = Events(start, app="hello",
               worker=installed.worker(example("kennel-events.h")))
    with e.client() as a:
        f = a.recv()
        assert (f.kind, f.event, f.type) == (DATA_WITH_ACK, b"your name?", EMPTY)
        a.write(frame(ACK, "", "Ann", ident=f.id) +
                frame(DATA_WITH_ACK, "hello", "x", ident=5))
        f = a.recv()
        assert (f.kind, f.id, f.data) == (ACK, 5, b"hello back")
    e.kennel.wait_log("a client is called Ann")


def test_the_example_of_the_header_compiles(installed):
    with open(f"{kits.TOP}/shardd/kennel-events.h") as f:
        head = f.read().split("*/")[0]
    text = re.sub(r"^ \* ?", "", head.split("A whole worker:")[1], flags=re.M)
    code = "\n".join(line[1:] if line.startswith("\t") else line
                     for line in text.split("Its listener:")[0].splitlines())
    installed.worker(code.replace("void *arg)\n{", "void *arg)\n{\n(void)s, (void)arg;")
                     + "\n")
