"""What crosses uplinks between kennels alone: streams, questions and answers, and that
somebody is there.  Others on the way, or at an end, see nothing of it."""
import hashlib
import json
import os
import signal
import threading
import time

import pytest
from kit import wait
from kit.fasttcp import (ACK, BINARY, CHUNK, CLOSE, DATA, DATA_WITH_ACK, ERROR, INTEGER,
                         OBJECT, OPEN, OPEN_BROADCAST, OPEN_TO_ROOM, OPEN_TO_SOCKET, STRING)
from kit.gatejs import Gate
from kit.hosts import (BEAT, BROADCAST, CHUNK_PARCEL, END_PARCEL, LETTER, OPEN_PARCEL, PARCEL,
                       Host, Peer, Router, Wire, parcel)

ERRORS = (ERROR, ("dialect 2", 0))      # what an error is, in both dialects


@pytest.fixture
def wires():
    them = []

    def make(address):
        them.append(Wire(address))
        return them[-1]
    yield make
    for w in them:
        w.close()


def probe(p, q):
    """Messages of p reach q, and what came is dropped."""
    wait.until(lambda: (p.to([q.id], "probe"),
                        any([f.event == b"probe" for f in q.barrier()]))[1], 60)


def talk(*them):
    for p in them:
        for q in them:
            if p is not q:
                probe(p, q)


def after(p):
    """What comes next that is no probe."""
    f = p.recv()
    while f is not None and f.event in (b"probe", b"welcome", b"gone"):
        f = p.recv()
    return f


def stream(p, kind, event, chunks, info=b"", data_type=STRING):
    ident = p.send(kind, event, info, data_type)
    for c in chunks:
        p.send(CHUNK, event, c, BINARY, ident)
    p.send(CLOSE, event, b"", STRING, ident)
    return ident


def receive(p, opened=None):
    """A stream to its end: its open, the sum of its bytes, and what an error says."""
    f = opened or after(p)
    assert f.kind == OPEN, f
    sum, error = hashlib.sha256(), None
    while True:
        g = after(p)
        if g.kind in ERRORS:
            assert g.type == STRING
            error = g.data.decode()
            continue
        assert g.id == f.id and g.event == f.event, g
        if g.kind == CLOSE:
            return f, sum.hexdigest(), error
        assert g.kind == CHUNK and error is None
        sum.update(g.data)


def sums(data):
    return hashlib.sha256(data).hexdigest()


def cut(data, n=65536):
    return [data[i:i + n] for i in range(0, len(data), n)]


@pytest.mark.parametrize("shards", (1, 2))
def test_streams_cross_by_all_ways(start, tmp_path, shards):
    """Both directions; to an id, to a room, to all; each receiver once, not the sender, amid
    messages; with clients of both dialects, over one process and two."""
    limit = {1: 100, 2: 3}[shards]
    far = Host(start, tmp_path / "far", "k2", shards=shards, limit=limit)
    near = Host(start, tmp_path / "near", "k1", [(far.gate_address,)], shards=shards,
                limit=limit)
    here = [near.client() for _ in range(3)]
    there = [far.client() for _ in range(3)]
    for p in (here[0], here[1], there[0], there[1]):
        p.join("r")
    talk(*here, *there)
    wait.until(lambda: (here[2].room(["r"], "probe"), here[2].barrier(),
                        any([f.event == b"probe" for f in there[1].barrier()]))[2])
    wait.until(lambda: (there[2].room(["r"], "probe"), there[2].barrier(),
                        any([f.event == b"probe" for f in here[1].barrier()]))[2])
    talk(*here, *there)
    data = os.urandom(3 << 20)
    for (a, b, c), (d, e, f) in ((here, there), (there, here)):
        for kind, event, whom in (
                (OPEN_TO_SOCKET, f"{e.id},nobody,{b.id}|s|1", (b, e)),
                (OPEN_TO_ROOM, "none,r|s|1", (b, d, e)),
                (OPEN_BROADCAST, "s|1", (b, c, d, e, f))):
            got = {}
            readers = [threading.Thread(target=lambda p=p: got.update({p: receive(p)}),
                                        daemon=True) for p in whom]
            for r in readers:
                r.start()
            stream(a, kind, event, cut(data), b'{"n":1}', OBJECT)
            for r in readers:
                r.join(wait.limit(90))
            assert len(got) == len(whom)
            for g, sum, error in got.values():
                assert (g.event, g.type, g.data) == (b"s|1", OBJECT, b'{"n":1}')
                assert sum == sums(data) and error is None
            a.all("behind", event)
            for p in (b, c, d, e, f):
                g = after(p)
                assert (g.kind, g.event, g.data) == (DATA, b"behind", event.encode()), g
    for p in here + there:
        p.close()


def chain(start, tmp_path, wires, shards=1, loop=False, limit=2, **kw):
    """k1 - k2 - k3, and k1 - k3, dearer, if it is a loop: clients of each, and the wires."""
    kw = dict(shards=shards, limit={1: 100, 2: limit}[shards], **kw)
    k3 = Host(start, tmp_path / "k3", "k3", **kw)
    w23 = wires(k3.gate_address)
    k2 = Host(start, tmp_path / "k2", "k2", [(w23.address,)], **kw)
    w12, w13 = wires(k2.gate_address), wires(k3.gate_address)
    k1 = Host(start, tmp_path / "k1", "k1",
              [(w12.address,)] + ([(w13.address, 9)] if loop else []), **kw)
    return (k1, k2, k3), (w12, w23, w13)


def slot_of(k, client):
    """The shard of a client of k."""
    uid = "".join(client.id.split("/")[2:])
    return json.loads(k.kennel.ctl("who", uid, "--json"))["connections"][0]["slot"]


def spread(k, shards):
    """Three clients and a link: some are in the process that holds the network, and some in
    the other one, if there are two."""
    counts = [s["connections"] for s in k.kennel.status()["shards"]]
    assert counts == ([4] if shards == 1 else [2, 2])


@pytest.mark.parametrize("shards", (1, 2))
def test_streams_cross_two_hops(start, tmp_path, wires, shards):
    """And a receiver that reads slowly makes the sender wait, all the way."""
    ks, _ = chain(start, tmp_path, wires, shards)
    a, b, c = them = [k.client() for k in ks]
    talk(*them)
    data = os.urandom(1 << 20)
    stream(a, OPEN_BROADCAST, "s", cut(data))
    for p in (b, c):
        assert receive(p)[1:] == (sums(data), None)
    # 64 MiB for one who reads nothing yet: most of it stays with its sender.
    ident = a.send(OPEN_TO_SOCKET, c.id + "|big")
    piece = os.urandom(1 << 16)
    sent = []

    def push():
        for _ in range(1024):
            a.send(CHUNK, b"", piece, BINARY, ident)
            sent.append(1)
        a.send(CLOSE, b"", b"", STRING, ident)
    a.s.settimeout(None)
    pusher = threading.Thread(target=push, daemon=True)
    pusher.start()

    def stalled():
        before = len(sent)
        time.sleep(wait.limit(.3))
        return before > 0 and len(sent) == before
    wait.until(stalled, 60, "the sender waits")
    assert len(sent) < 900 and pusher.is_alive()
    b.to([c.id], "meanwhile")
    g, sum, error = receive_with(c, "meanwhile")
    assert sum == sums(piece * 1024) and error is None
    pusher.join(wait.limit(30))
    assert not pusher.is_alive()
    for p in them:
        p.close()


def receive_with(p, event):
    """As receive(), with that message somewhere amid it."""
    f = after(p)
    assert f.kind == OPEN, f
    sum, seen = hashlib.sha256(), 0
    while True:
        g = after(p)
        if g.kind == CLOSE:
            assert seen == 1
            return f, sum.hexdigest(), None
        if g.kind == DATA:
            assert g.event == event.encode()
            seen += 1
        else:
            assert g.kind == CHUNK
            sum.update(g.data)


@pytest.mark.parametrize("shards", (1, 2))
def test_a_link_that_dies_amid_a_stream(start, tmp_path, wires, shards):
    """Who is behind it hears an error, and the end; the others get all of it."""
    ks, (_, w23, _) = chain(start, tmp_path, wires, shards)
    a, b, c = them = [k.client() for k in ks]
    third = [c, ks[2].client(), ks[2].client()]
    talk(a, b, *third)
    spread(ks[2], shards)
    ident = a.send(OPEN_BROADCAST, "s", b"info")
    a.send(CHUNK, b"", b"1", BINARY, ident)
    opened = {p: after(p) for p in (b, *third)}
    for p in third:
        assert after(p).data == b"1"
    w23.cut()
    for p in third:
        f, _, error = receive(p, opened[p])
        assert f.data == b"info"
        assert "the stream s has ended before its end" in error
        assert "not reached any more" in error
    a.send(CHUNK, b"", b"2", BINARY, ident)
    a.send(CLOSE, b"", b"", STRING, ident)
    assert receive(b, opened[b])[1:] == (sums(b"12"), None)
    ks[2].kennel.wait_log("stream=s cut: the cluster it comes from is not reached any more")
    # The link comes again, and nothing is left of the stream.
    w23.mend()
    talk(*them)
    stream(a, OPEN_BROADCAST, "t", [b"3"])
    for p in (b, *third):
        assert receive(p)[1:] == (sums(b"3"), None)
    for p in (a, b, *third):
        p.close()


@pytest.mark.parametrize("shards", (1, 2))
def test_in_a_loop_each_hears_once_and_the_other_way_is_taken(start, tmp_path, wires, shards):
    ks, (w12, w23, _) = chain(start, tmp_path, wires, shards, loop=True)
    a, b, c = them = [k.client() for k in ks]
    talk(*them)
    data = os.urandom(1 << 20)
    stream(a, OPEN_BROADCAST, "s", cut(data))
    a.all("behind")
    for p in (b, c):
        assert receive(p)[1:] == (sums(data), None)
        assert after(p).event == b"behind"
    ident = a.send(OPEN_TO_SOCKET, c.id + "|long")
    a.send(CHUNK, b"", b"1", BINARY, ident)
    opened = after(c)
    assert after(c).data == b"1"
    # k3 is reached over k1 - k3 now: what is missing or is not, the stream says.
    w23.cut()
    probe(a, c)
    a.send(CHUNK, b"", b"2", BINARY, ident)
    a.send(CLOSE, b"", b"", STRING, ident)
    _, sum, error = receive(c, opened)
    assert error is not None or sum == sums(b"2")
    stream(a, OPEN_TO_SOCKET, c.id + "|next", cut(data))
    assert receive(c)[1:] == (sums(data), None)
    for p in them:
        p.close()


def test_a_sender_that_is_lost_ends_its_stream_elsewhere(start, tmp_path, wires):
    ks, _ = chain(start, tmp_path, wires)
    a, b, c = them = [k.client() for k in ks]
    talk(*them)
    ident = a.send(OPEN_BROADCAST, "s")
    a.send(CHUNK, b"", b"1", BINARY, ident)
    opened = {p: after(p) for p in (b, c)}
    a.close()
    for p in (b, c):
        assert receive(p, opened[p])[1] == sums(b"1")
        p.close()


@pytest.mark.parametrize("shards", (1, 2))
def test_receivers_that_leave_are_told_to_the_sender(start, tmp_path, wires, shards):
    """The only receivers go, in whatever process they are, and what is left of the stream
    goes nowhere: the sender does not wait for it, and nobody carries it on."""
    ks, _ = chain(start, tmp_path, wires, shards, limit=4)
    a, b = [k.client() for k in ks[:2]]
    there = [ks[2].client() for _ in range(7)]
    talk(a, b, *there)
    receivers, stay = [], {}    # one in each process stays
    for c in there:
        slot = slot_of(ks[2], c)
        if slot in stay:
            receivers.append(c)
        stay.setdefault(slot, c)
    assert len(stay) == shards == len({slot_of(ks[2], c) for c in receivers})
    ident = a.send(OPEN_TO_SOCKET, ",".join(c.id for c in receivers) + "|s")
    a.send(CHUNK, b"", b"1", BINARY, ident)
    for c in receivers:
        assert after(c).kind == OPEN and after(c).data == b"1"
        c.close()
    ks[2].kennel.wait_log("stream=s cut: it has no receivers any more")
    for _ in range(1024):
        a.send(CHUNK, b"", bytes(1 << 16), BINARY, ident)
    a.send(CLOSE, b"", b"", STRING, ident)
    a.to([b.id], "m")
    assert after(b).event == b"m"
    for p in (a, b, *stay.values()):
        p.close()


# ---- questions ----

def inquire(p, ident, ms, text):
    return p.send(DATA_WITH_ACK, "inquire", f"{ident} {ms} {text}")


def answer(p, ident):
    f = after(p)
    while f.kind != ACK:
        f = after(p)
    assert f.id == ident
    return f.data


@pytest.fixture
def asking(installed):
    return {"app": "hello", "worker": installed.worker("events.c")}


def known(p, q):
    """Messages of p reach q."""
    def once():
        p.to([q.id], "probe")
        return heard_of(q, b"probe")
    wait.until(once, 60)


def heard_of(p, event):
    """That event, if it comes soon; else None."""
    p.s.settimeout(wait.limit(.2))
    try:
        f = p.recv()
        while f.event != event:
            f = p.recv()
        return f
    except TimeoutError:
        return None
    finally:
        p.s.settimeout(wait.limit(30))


@pytest.mark.parametrize("shards", (1, 2))
def test_answers_cross_two_hops(start, tmp_path, wires, asking, shards):
    ks, (_, w23, _) = chain(start, tmp_path, wires, shards, **asking)
    a, b, c = them = [k.client() for k in ks]
    c2 = ks[2].client()
    c3 = ks[2].client()
    for q in (b, c, c2, c3):
        known(a, q)
    # Of any type; many at a time, answered in another order.
    for q in (c, c3, b):
        n = [inquire(a, q.id, 60000, str(i)) for i in range(20)]
        asked = [after(q) for _ in range(20)]
        assert [(f.kind, f.event, f.data) for f in asked] == [
            (DATA_WITH_ACK, b"question", str(i).encode()) for i in range(20)]
        for f in reversed(asked):
            q.send(ACK, b"", f.data.rjust(6, b"\0"), INTEGER, f.id)
        got = [after(a) for _ in range(20)]
        assert [(f.kind, f.id, f.type, f.data) for f in got] == [
            (ACK, n[i], INTEGER, str(i).encode().rjust(6, b"\0"))
            for i in reversed(range(20))]
    for ident, ms, why in (("k3/down/no/body", 60000, b"no: No such file or directory"),
                           ("k9/down/no/body", 60000, b"no: No route to host"),
                           ("k1/down/no/body", 60000, b"no: No such file or directory"),
                           (c.id, 300, b"no: Connection timed out")):
        n = inquire(a, ident, ms, "x")
        assert answer(a, n) == why, ident
    f = after(c)                        # its answer is too late
    assert f.data == b"x"
    c.send(ACK, b"", b"late", STRING, f.id)
    n = inquire(a, c2.id, 60000, "x")
    assert after(c2).data == b"x"
    c2.close()
    assert answer(a, n) == b"no: Connection reset by peer"
    # The way there dies, and with it the question.
    n = inquire(a, c.id, 600000, "y")
    f = after(c)
    assert f.data == b"y"
    w23.cut()
    assert answer(a, n) == b"no: No route to host"
    c.send(ACK, b"", b"late", STRING, f.id)
    n = inquire(a, c.id, 600000, "z")
    assert answer(a, n) == b"no: No route to host"
    w23.mend()
    known(a, c3)
    for p in (*them, c3):
        p.close()


def test_questions_within_a_cluster(start, tmp_path, asking):
    """No host at all: over two processes, by id."""
    k = Host(start, tmp_path / "k", "k1", shards=2, limit=2, **asking)
    them = [k.client() for _ in range(4)]
    for q in them[1:]:
        n = inquire(them[0], q.id, 60000, "x")
        f = after(q)
        assert (f.kind, f.event, f.data) == (DATA_WITH_ACK, b"question", b"x")
        q.send(ACK, b"", b"y", STRING, f.id)
        assert answer(them[0], n) == b"y"
    n = inquire(them[0], "k1/down/no/body", 60000, "x")
    assert answer(them[0], n) == b"no: No such file or directory"
    n = inquire(them[0], them[3].id, 60000, "x")
    assert after(them[3]).data == b"x"
    them[3].close()
    assert answer(them[0], n) == b"no: Connection reset by peer"
    for p in them[:3]:
        p.close()


# ---- others ----

def test_a_router_between_two_kennels_sees_none_of_it(start, tmp_path, asking):
    """It fails on whatever the original does not know.  Messages go over it as JSON."""
    router = Router("j")
    at = router.listen()
    k1 = Host(start, tmp_path / "k1", "k1", [(at,)], **asking)
    k2 = Host(start, tmp_path / "k2", "k2", [(at,)], **asking)
    a, b = k1.client(), k2.client()
    a2 = k1.client()
    known(a, b)
    known(b, a)
    stream(a, OPEN_BROADCAST, "s", [bytes(1 << 16)] * 8)
    while after(a2).kind != CLOSE:
        pass
    n = inquire(a, b.id, 60000, "x")
    assert answer(a, n) == b"no: No route to host"
    a.all("last", b"\0\1", BINARY)
    while True:
        f = after(b)
        assert f.kind == DATA
        if f.event == b"last":
            break
    assert f.type == OBJECT and json.loads(f.data) == {"type": "Buffer", "data": [0, 1]}
    assert router.errors == []
    for p in (a, a2, b):
        p.close()
    router.close()


class Marked(Peer):
    """A stand-in that says that it is a kennel, and counts what a kennel says to those."""

    def __init__(self, name):
        super().__init__(name)
        self.beats = 0
        self.answers = True

    def announce(self, link, cost=1):
        link.say(200, {"source": self.name, "destination": link.peer, "link": link.id,
                       "cost": cost, "kennel": 1}, [self.name])

    def take(self, link, f):
        if f.raw != PARCEL:
            return super().take(link, f)
        if f.cells:
            return None
        assert f.type == BINARY
        self.beats += 1
        if self.answers:
            link.say(PARCEL, parcel(BEAT, [1, self.name, 0, 0]), [], 1, BINARY)
        return None


def dialled(peer, k):
    def once():
        try:
            link = peer.dial(k.gate_address)
        except (AssertionError, OSError):
            return None
        peer.announce(link)
        return link
    return wait.until(once)


@pytest.mark.parametrize("shards", (1, 2))
def test_a_kennel_that_says_nothing_is_let_go(start, tmp_path, shards):
    """Another peer, of which nothing can be asked, stays."""
    k = Host(start, tmp_path / "k", "k1", shards=shards, limit=2, make=(Gate,),
             more="always = yes\n", worker_options="app.uplink_beat = 1s\n")
    them = [k.client() for _ in range(2)]
    kennel, other = Marked("h2"), Peer("h3")
    link = dialled(kennel, k)
    quiet = dialled(other, k)
    wait.until(lambda: kennel.beats >= 5, 20)
    assert link in kennel.links
    kennel.answers = False
    k.kennel.wait_log("closed: its peer has said nothing for 3000 ms", 20)
    wait.until(lambda: kennel.links == [])
    wait.until(lambda: not any("h2" in key[:2] for key in list(other.known)))
    assert quiet in other.links and other.errors == kennel.errors == []
    for p in them:
        p.close()
    kennel.close()
    other.close()


def test_a_kennel_that_hangs_is_noticed(start, tmp_path):
    options = "app.uplink_beat = 1s\n[gateway]\nwatchdog = 600s\n"
    far = Host(start, tmp_path / "far", "k2", worker_options=options)
    near = Host(start, tmp_path / "near", "k1", [(far.gate_address,)], worker_options=options)
    a, b = near.client(), far.client()
    talk(a, b)
    pid, = [s["pid"] for s in far.kennel.shards()]
    far.kennel.stop_shard(pid=pid)
    try:
        near.kennel.wait_log("peer=k2 down", 20)
        assert "its peer has said nothing for 3000 ms" in near.kennel.log()
    finally:
        os.kill(pid, signal.SIGCONT)
    talk(a, b)
    a.close()
    b.close()


def test_what_comes_twice_is_heard_once(start, tmp_path):
    """The same parcel again is none; another one of the same words is; nor is one that is
    our own."""
    k = Host(start, tmp_path / "k", "k1")
    kennel = Marked("h2")
    link = dialled(kennel, k)
    with k.client() as a:
        def letter(sequence, event, origin="h2", epoch=7):
            return parcel(LETTER, [5, origin, epoch, sequence, 1, STRING, "", "", event],
                          b"x")

        def say(*args, **kw):
            link.say(PARCEL, letter(*args, **kw), ["k1"], 2, BINARY)
        wait.until(lambda: (say(1, "m"), len(a.barrier()) > 0)[1])
        for _ in range(3):
            for n in (5, 3, 4, 2, 5):
                say(n, str(n))
        say(5, "again", epoch=8)
        say(6, "ours", origin="k1")
        say(7, "last")
        assert [a.message()[0] for _ in range(6)] == ["5", "3", "4", "2", "again", "last"]
        assert a.barrier() == []
    kennel.close()
    assert kennel.errors == []


def test_chunks_find_their_places(start, tmp_path):
    """What comes in another order than it was said, or twice, as paths change; and of what
    does not come at all the receiver hears an error, and the end."""
    k = Host(start, tmp_path / "k", "k1")
    kennel = Marked("h2")
    link = dialled(kennel, k)
    said = [0]

    def say(kind, *fields, data=b""):
        said[0] += 1
        link.say(PARCEL, parcel(kind, [9, "h2", 7, said[0], *fields], data), ["k1"], 2,
                 BINARY)
    with k.client() as a:
        wait.until(lambda: (say(LETTER, 1, STRING, "", "", "m", data=b"x"),
                            len(a.barrier()) > 0)[1])
        say(OPEN_PARCEL, 1, STRING, "", "", "s", 5, data=b"info")
        for place in (4, 2, 2, 6, 3, 4, 5):
            say(CHUNK_PARCEL, 5, place, BINARY, data=b"%d" % place)
        say(END_PARCEL, 5, 8)
        say(CHUNK_PARCEL, 5, 7, STRING, data=b"7")
        assert receive(a)[1:] == (sums(b"234567"), None)
        say(OPEN_PARCEL, 1, STRING, "", "", "t", 6)
        say(CHUNK_PARCEL, 6, 2, BINARY, data=b"2")
        say(CHUNK_PARCEL, 6, 4, BINARY, data=b"4")
        say(END_PARCEL, 6, 5)
        _, sum, error = receive(a)
        assert sum == sums(b"2")
        assert error == "the stream t has ended before its end: a part of it was lost"
    kennel.close()
    assert kennel.errors == []


@pytest.mark.parametrize("what", (b"", b"\0\0\0\0", b"\5\0\0\0\x91\1", bytes(range(60, 120)),
                                  parcel(77, [1, "h2", 1, 1]),
                                  parcel(2, [1, "h2", 1, 1, 9, 1, "", "", "e", 1]),
                                  parcel(3, [9, "h2", 1, 1, 5, 5, 2], b"chunk"),
                                  parcel(4, [9, "nobody", 1, 1, 5, 5]),
                                  parcel(7, [9, "h2", 1, 1, 5, 1000, 3, 1, "h9/x", "e"]),
                                  parcel(8, [9, "h2", 1, 1, 5, 99, 0])), ids=range(10))
def test_parcels_that_make_no_sense_harm_nobody(start, tmp_path, what):
    k = Host(start, tmp_path / "k", "k1")
    kennel = Marked("h2")
    link = dialled(kennel, k)
    with k.client() as a:
        for cells in (["k1"], ["k1", "h2"], ["h9"], []):
            link.say(PARCEL, what, cells, 2, BINARY)
            link.say(PARCEL, what, cells, 2, STRING) if what == b"" else None
        link.say(BROADCAST, {"event": "still", "except": []}, ["k1"], 2)
        assert a.message() == ("still", b"")
    kennel.close()
    assert kennel.errors == []
