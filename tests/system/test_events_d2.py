"""fast-tcp, dialect 2 (@gatejs/cluster): the handshake, and what clients say to each
other and to those of dialect 1, over one process and over four.

The original is not on npm; the client of these tests is written from the description of
its protocol alone (kit/gatejs.py)."""
import socket
import struct
import threading
import time

import pytest
from kit import nodes, wait
from kit.fasttcp import (ACK, BINARY, DATA, DATA_WITH_ACK, JOIN, Events, Fast,
                         frame)
from kit.gatejs import (AUTH_HMAC, AUTH_SEED, DOWNLINK, KEY, UPLINK, Gate, Gates, frame2,
                        proof)
from kit.kennel import Ports
from test_events import (test_a_lost_client_is_in_no_room_and_has_no_id,
                         test_broadcast_reaches_all_but_the_sender_once,
                         test_join_then_tell, test_large_messages,
                         test_names_are_bytes, test_rooms_are_entered_and_left,
                         test_to_rooms, test_to_sockets, test_values_stay_as_they_are)
from test_events_streams import (test_8_mib_by_all_ways, test_a_receiver_is_lost,
                                 test_info_of_every_type, test_one_id_of_two_senders, test_the_sender_is_lost)

SAME = (test_a_lost_client_is_in_no_room_and_has_no_id,         # 4-9, 12, 14-16, 19, 25
        test_broadcast_reaches_all_but_the_sender_once, test_join_then_tell,
        test_large_messages, test_names_are_bytes, test_rooms_are_entered_and_left,
        test_to_rooms, test_to_sockets, test_values_stay_as_they_are,
        test_8_mib_by_all_ways, test_a_receiver_is_lost,
        test_info_of_every_type, test_one_id_of_two_senders, test_the_sender_is_lost)


@pytest.fixture(scope="module", params=((1, (Gate,)), (4, (Gate,)), (4, (Fast, Gate)),
                                        (1, (Gate, Fast)), ("nodes", (Gate,)),
                                        ("nodes", (Fast, Gate))),
                ids=("1", "4", "4-both", "1-both", "nodes", "nodes-both"))
def events(request, start_shared, site, tmp_path_factory):
    shards, make = request.param
    if shards == "nodes":
        return nodes.Turns([Gates(s, tmp_path_factory.mktemp("key"), shards=2, make=make,
                                  limit=1) for s in site().starters(start_shared)])
    return Gates(start_shared, tmp_path_factory.mktemp("key"), shards=shards, make=make,
                 limit=1 if shards == 4 else 10000)


@pytest.fixture
def people(events):
    """Four, from different processes if there are four and one dialect."""
    them = []
    events.turn = 0

    def more():
        try:
            them.append(events.client())
        except (AssertionError, ConnectionError):
            events.turn -= 1            # a place is free a moment later
        return len(them) == 4
    wait.until(more)
    yield them
    for p in them:
        p.close()


def test_order_is_kept_between_dialects(people):
    """11, 37"""
    a, b = people[:2]
    b.join("r")
    b.barrier()

    def talk():
        for i in range(1500):
            data = struct.pack("<I", i) + (b"x" * 70000 if i % 250 == 7 else b"")
            (lambda: a.to([b], "n", data, BINARY), lambda: a.room(["r"], "n", data, BINARY),
             lambda: a.all("n", data, BINARY))[i % 3]()
    t = threading.Thread(target=talk)
    t.start()
    for i in range(1500):
        assert struct.unpack_from("<I", b.recv().data)[0] == i
    t.join()


# ---- the handshake ----

@pytest.fixture(scope="module", params=("one", "nodes"))
def gates(request, start_shared, site, tmp_path_factory):
    tmp, more = tmp_path_factory.mktemp("key"), "app.handshake = 3s\n"
    if request.param == "nodes":
        hosts = nodes.Turns([Gates(s, tmp, more=more, shards=2)
                             for s in site().starters(start_shared)])
        hosts.key_file = hosts.hosts[0].key_file
        return hosts
    return Gates(start_shared, tmp, more=more)


def test_the_example_of_the_description():
    assert proof(b"0123456789abcdef" * 2, "k") == \
        "8985a3d1589b45801bd3c68ca83acd18d98f7a6915ba55a7bb24a8ffdf5e431c"
    assert frame2(AUTH_SEED, data="x" * 32).hex().startswith(
        "300000000200010101000200000000002000000078")
    assert frame2(106, data="r", ident=4, cells=b"h1").hex() == \
        "130000000200016a010268310400000000000100000072"


def test_the_seed_is_first_alone_and_fresh(gates):
    """35"""
    seen = set()
    for _ in range(20):
        with gates.gate(register=False) as a:
            assert a.fill(4)
            f = bytes(a.buffer)
            seed = a.seed()
            assert len(f) < 52 or f[:20] == bytes.fromhex(
                "3000000002000101010002000000000020000000")
            assert len(seed) == 32 and not a.buffer
            assert seed not in seen
            seen.add(seed)


def wrongs(seed):
    right = proof(seed)
    other = proof(b"another seed", KEY)
    flipped = ("0" if right[-1] != "0" else "1")
    return {
        "wrong": frame2(AUTH_HMAC, data=right[:-1] + flipped),
        "of another seed": frame2(AUTH_HMAC, data=other),
        "short": frame2(AUTH_HMAC, data=right[:-1]),
        "long": frame2(AUTH_HMAC, data=right + "0"),
        "capitals": frame2(AUTH_HMAC, data=right.upper()),
        "empty": frame2(AUTH_HMAC),
        "binary": frame2(AUTH_HMAC, data=bytes.fromhex(right), data_type=BINARY),
        "hex as binary": frame2(AUTH_HMAC, data=right, data_type=BINARY),
        "another key": frame2(AUTH_HMAC, data=proof(seed, "key")),
        "no proof": frame2(DOWNLINK),
        "an uplink": frame2(UPLINK, data="h2"),
        "a message": frame2(103, "all", "x"),
        "an unknown type": frame2(77, "all", "x"),
        "dialect 1": frame(DATA, "all", "x"),
        "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "too long": struct.pack("<I", 5000) + b"\2",
        "too short": struct.pack("<I", 15) + b"\2",
        "4 GiB": b"\xff\xff\xff\xff\2",
        "right, then a message": frame2(AUTH_HMAC, data=right) + frame2(103, "all", "x"),
        "right, then again": frame2(AUTH_HMAC, data=right) * 2,
        "right, then a link": frame2(AUTH_HMAC, data=right) + frame2(200, data="{}"),
    }


@pytest.mark.parametrize("which", wrongs(b"x"))
def test_what_is_no_handshake_is_closed(gates, which):
    """35, 36: and nothing was said to those who are there."""
    with gates.gate() as there, gates.gate(register=False) as a:
        seed = a.seed()
        # One that is taken for right would be a client with what follows.
        a.write(wrongs(seed)[which] + frame2(DOWNLINK, ident=3))
        try:
            assert a.recv() is None
        except ConnectionError:
            pass
        assert there.barrier() == []


def test_a_proof_is_good_once(gates):
    """35"""
    with gates.gate(register=False) as a, gates.gate(register=False) as b:
        sa, sb = a.seed(), b.seed()
        b.prove(sa)
        b.ended()
        a.prove(sa)
        assert a.recv().kind == 1 and sb != sa


def test_before_the_end_of_the_handshake_nobody_is_there(gates):
    with gates.gate() as there, gates.gate(register=False) as a:
        seed = a.seed()
        # Some wherever a may be, that what is said is known to have got there.
        beside = [gates.gate() for _ in range(6)]
        there.all("all", "1")
        there.fence(*beside)
        a.write(frame2(AUTH_HMAC, data=proof(seed)))
        there.all("all", "2")
        there.fence(*beside)
        for p in beside:
            p.close()
        a.write(frame2(DOWNLINK, data="whatever"))
        assert a.recv().kind == 1
        there.all("all", "3")
        assert a.message() == ("all", b"3")


def test_frames_glued_behind_the_handshake_count(gates):
    """36: and byte by byte."""
    with gates.gate() as there:
        for step in (10000, 1):
            with gates.gate(register=False) as a:
                seed = a.seed()
                data = frame2(AUTH_HMAC, data=proof(seed)) + \
                    frame2(DOWNLINK, ident=3, tail=b"!") + \
                    frame2(106, data="glued", ident=4) + \
                    frame2(104, "echo", "me", ident=5, cells=b"h1|h2", policy=2)
                for i in range(0, len(data), step):
                    a.write(data[i:i + step])
                a.id = a.recv().data.decode()
                f = a.recv()
                assert (f.kind, f.id, f.data) == (ACK, 5, b"me")
                assert (f.policy, f.cells) == (1, b"")
                there.room(["glued"], "m", "1")
                assert a.message() == ("m", b"1")


def test_who_takes_too_long_is_closed(gates):
    with gates.gate(register=False) as a, gates.gate(register=False) as b:
        b.write(frame2(AUTH_HMAC, data=proof(b.seed())))
        a.seed()
        began = time.monotonic()
        assert a.recv() is None and b.recv() is None
        assert time.monotonic() - began > 1


OTHER = "Ersatzschlüssel 42"


def test_a_key_that_changes_holds_at_once_and_is_in_no_log(gates):
    gates.key_file.write_text(OTHER)
    try:
        with gates.gate(register=False) as a:
            a.prove()
            a.ended()
        with gates.gate(register=False) as a:
            a.key = OTHER
            a.register()
        gates.key_file.write_text("")
        with gates.gate(register=False) as a:
            a.key = ""
            a.prove()
            a.ended()
        gates.kennel.wait_log("nobody can be authenticated")
    finally:
        gates.key_file.write_text(KEY)
    with gates.gate() as a:
        assert a.barrier() == []
    assert KEY not in gates.kennel.log() and OTHER not in gates.kennel.log()


# ---- listeners ----

def listener(more):
    return Ports.take(), """
[listener other]
address = 127.0.0.1:%d
app = events
group = const:events
uid = random20
""" + more


def test_without_a_key_dialect_2_is_not_served(start):
    port, text = listener("dialect = 2\n")
    e = Events(start, config=text % port)
    with Gate(("127.0.0.1", port), register=False) as a:
        a.ended()
    e.kennel.wait_log("no psk_file")


def test_a_key_may_be_optional(start):
    port, text = listener("dialect = 2\napp.psk_optional = yes\n")
    Events(start, config=text % port)
    with Gate(("127.0.0.1", port), register=False) as a:
        a.key = "whatever"
        a.register()
        assert a.barrier() == []


def test_one_port_for_both(start, tmp_path):
    """Section 10: who speaks first is of dialect 1; who is silent is asked; who is silent
    still is of dialect 1."""
    (tmp_path / "psk").write_text(KEY)
    port, text = listener(f"dialect = auto\npsk_file = {tmp_path}/psk\n"
                          "app.silence = 300ms\n")
    Events(start, config=text % port)
    at = ("127.0.0.1", port)
    with Gate(at) as g, Fast(at, early=frame(JOIN, "", "r")) as queued:
        silent = Fast(at, register=False)
        g.send(JOIN, "", "r")
        assert g.barrier() == []
        queued.room(["r"], "m", "1")
        assert g.message() == ("m", b"1")
        seed = silent.s.recv(52, socket.MSG_WAITALL)
        assert seed[4:8] == b"\2\0\1\1" and len(seed) == 52
        silent.register()
        silent.to([g, queued], "m", "2")
        assert g.message() == queued.message() == ("m", b"2")
        # Behind the seed a frame of dialect 1, cut before its version.
        late = Fast(at, register=False)
        late.s.recv(52, socket.MSG_WAITALL)
        late.write(frame(DATA_WITH_ACK, "echo", "x", ident=7)[:3])
        late.write(frame(DATA_WITH_ACK, "echo", "x", ident=7)[3:])
        late.register()
        f = late.recv()
        assert (f.kind, f.id, f.data) == (ACK, 7, b"x")
        for p in (silent, late):
            p.close()
        wrong = Gate(at, register=False)
        wrong.key = "wrong"
        wrong.prove()
        wrong.ended()
