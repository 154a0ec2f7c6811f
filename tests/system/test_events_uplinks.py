"""Kennel as a host among others of @gatejs/cluster: peers that are stand-ins written from
the description alone (kit/hosts.py), and other kennels; over one process and over two."""
import json
import os
import re
import subprocess

import pytest
from kit import kennel as kits
from kit import nodes, wait
from kit.fasttcp import BINARY, BOOLEAN, DECIMAL, EMPTY, INTEGER, OBJECT, STRING, Fast
from kit.gatejs import (DEL_LINK, JOIN_ROOM, LEAVE_ROOM, NEW_LINK, UPLINK, Gate, Gates,
                        frame2)
from kit.hosts import BROADCAST, TO_ROOM, TO_SOCKET, Host, several


@pytest.fixture(scope="module")
def ground(site):
    """Where nodes stand, test after test."""
    return site()


@pytest.fixture(params=(1, 2, "nodes"))
def host(request, start, tmp_path, ground):
    """With two processes each has somebody all the time: clients of the two dialects, and
    links, are in different ones; so they are on two nodes, which are one host."""
    if request.param == "nodes":
        h = nodes.Turns([Host(s, tmp_path / "k", "k1", shards=2, max_shards=6, limit=2)
                         for s in ground.starters(start)])
    else:
        h = Host(start, tmp_path / "k", "k1", shards=request.param,
                 limit=10000 if request.param == 1 else 3)
    anchors = [Fast(h.address) for _ in range(4)]
    yield h
    for a in anchors:
        a.close()


@pytest.fixture
def peers():
    with several() as make:
        yield make


def dial(peer, host, cost=1):
    """A link that stays: the holder may be another one while processes begin."""
    def once():
        try:
            link = peer.dial(host.gate_address)
        except (AssertionError, OSError):
            return None
        peer.announce(link, cost)
        try:
            wait.until(lambda: ("k1", peer.name, link.id) in peer.known or
                       link not in peer.links)
        except AssertionError:
            return None
        return link if link in peer.links else None
    return wait.until(once)


def test_ids_begin_with_the_host(host):
    with host.client() as a, host.client() as b:
        for p in (a, b):
            assert p.id.startswith("k1/down/") and p.id.count("/") == 3
        a.to([b, a], "m", "1")
        assert a.message() == b.message() == ("m", b"1")


def test_a_peer_dials_and_is_told(host, peers):
    """38, 40: both directions; rooms that are there, that come, and that go."""
    with host.client() as a, host.client() as b, host.client() as c:
        a.join("old", "é")
        b.join("old")
        for p in (a, b):
            p.barrier()
        h2 = peers("h2")
        link = dial(h2, host)
        assert h2.known[("k1", "h2", link.id)] == 1
        wait.until(lambda: h2.rooms == {("k1", "old"): 2, ("k1", "é"): 1})
        c.join("old", "new")
        c.join("new")
        c.leave("never")
        wait.until(lambda: h2.rooms.get(("k1", "new")) == 1 and
                   h2.rooms.get(("k1", "old")) == 3)
        c.leave("new")
        a.close()
        wait.until(lambda: h2.rooms == {("k1", "old"): 2})
    wait.until(lambda: h2.rooms == {})


def test_messages_cross_both_ways(host, peers):
    """39: by id, in rooms, to all; once each, all types, in order."""
    h2 = peers("h2")
    link = dial(h2, host)
    with host.client() as a, host.client() as b:
        link.say(JOIN_ROOM, {"host": "h2", "room": "r", "ref": 2}, ["h2"])
        b.join("r")
        b.barrier()

        def heard():
            a.room(["r"], "probe")
            return any(kind == TO_ROOM for kind, *_ in list(h2.got))
        wait.until(heard)
        a.all("mark")                   # behind the last of them
        wait.until(lambda: any(o["event"] == "mark" for _, o, _ in list(h2.got)))
        h2.taken(len(h2.got))
        while b.message()[0] != "mark":
            pass
        values = ((STRING, "ü\0".encode(), "ü\0"), (INTEGER, b"\xfb" + b"\xff" * 5, -5),
                  (BOOLEAN, b"\1", True), (OBJECT, b'{"b":[1]}', {"b": [1]}),
                  (BINARY, b"\0\xff", {"type": "Buffer", "data": [0, 255]}))
        for data_type, data, value in values:
            a.room(["none", "r"], "e", data, data_type)
            a.to(["h2/down/xx/1", b.id, "h2/down/xx/2", "h9/x"], "e", data, data_type)
            a.all("e", data, data_type)
            got = h2.taken(3)
            assert [(k, c) for k, _, c in got] == [(TO_ROOM, "h2"), (TO_SOCKET, "h2"),
                                                  (BROADCAST, "h2")]
            assert [o["data"] for _, o, _ in got] == [value] * 3
            assert got[0][1] == {"event": "e", "data": value, "rooms": ["none", "r"],
                                 "except": []}
            assert got[1][1]["socketIds"] == ["h2/down/xx/1", "h2/down/xx/2"]
        a.all("none", b"", EMPTY)
        assert h2.taken()[0][1] == {"event": "none", "except": []}
        a.barrier()
        while b.message()[0] != "none":
            pass
        # And here.
        link.say(BROADCAST, {"event": "x", "data": {"a": [1]}, "except": []}, ["k1"], 2)
        link.say(TO_ROOM, {"event": "x", "data": 2.5, "rooms": ["r"],
                           "except": []}, ["k1"], 2)
        link.say(TO_SOCKET, {"event": "x", "data": "s", "socketIds": [
            a.id, "k1/down/no/body", b.id], "except": []}, ["k1"], 2)
        link.say(BROADCAST, {"event": "x", "except": [a.id]}, ["k1"], 2)
        got = [b.recv() for _ in range(4)]
        assert [f.type for f in got] == [OBJECT, DECIMAL, STRING, EMPTY]
        assert json.loads(got[0].data) == {"a": [1]} and got[2].data == b"s"
        assert a.recv().type == OBJECT and a.recv().data == b"s"
        assert b.fence(a) == []


def test_two_peers_see_and_reach_each_other(host, peers):
    """41, 42: and what is lost is withdrawn, by an end and by a reset."""
    h2, h3 = peers("h2"), peers("h3")
    l2, l3 = dial(h2, host), dial(h3, host, 4)
    wait.until(lambda: ("h2", "k1", l2.id) in h3.known and
               h2.known.get(("h3", "k1", l3.id)) == 4)
    l3.say(JOIN_ROOM, {"host": "h3", "room": "r", "ref": 1}, ["h3"])
    wait.until(lambda: h2.rooms.get(("h3", "r")) == 1)
    l2.say(TO_ROOM, {"event": "m", "data": 1, "rooms": ["r"], "except": []}, ["h3"], 2)
    assert h3.taken() == [(TO_ROOM, {"event": "m", "data": 1, "rooms": ["r"],
                                    "except": []}, "h3")]
    with host.client() as a:
        l2.say(BROADCAST, {"event": "m", "except": []}, ["k1", "h3"], 2)
        assert a.message() == ("m", b"") and h3.taken()[0][2] == "h3"
    assert h2.got == []                 # nothing comes back
    for reset in (False, True):
        h3.close(reset)
        wait.until(lambda: not any("h3" in k[:2] for k in list(h2.known)))
        l2.say(BROADCAST, {"event": "m", "except": []}, ["h3"], 2)
        if not reset:
            l3 = dial(h3, host, 4)
            wait.until(lambda: ("h3", "k1", l3.id) in h2.known)


def test_parallel_links_give_one_delivery(host, peers):
    """42"""
    h2 = peers("h2")
    one, two = dial(h2, host), dial(h2, host)
    with host.client() as a:
        a.all("m", "1")
        a.all("m", "2")
        assert [o["data"] for _, o, _ in h2.taken(2)] == ["1", "2"]
        used = one if one.id < two.id else two
        used.s.shutdown(2)
        wait.until(lambda: ("k1", "h2", used.id) not in h2.known)
        a.all("m", "3")
        assert [o["data"] for _, o, _ in h2.taken()] == ["3"]
        assert a.barrier() == [] and h2.got == []


NONSENSE = (b"", b"{}", b"[]", b"null", b'{"source":"h2"}', b'{"event":"e"}', b"\xff",
            b'{"source":"k1","destination":"h2","link":"lie","cost":1}',
            b'{"host":"k1","room":"r","ref":9}', b'{"host":"h7","room":"r","ref":0}',
            b'{"source":"h2","destination":"h4","link":"x","cost":-1}')


def test_nonsense_harms_nobody(host, peers):
    """43"""
    h2 = peers("h2")
    link = dial(h2, host)
    with host.client() as a:
        for kind in (NEW_LINK, DEL_LINK, JOIN_ROOM, LEAVE_ROOM, TO_SOCKET, TO_ROOM,
                     BROADCAST, 204, 255, 100, 106, 110, 1, 2, 3, 4, 5):
            for data in NONSENSE:
                for data_type in (OBJECT, STRING):
                    link.say(kind, data, ["h2", "", "k1"], 2 if kind < 200 else 1,
                             data_type) if data_type != OBJECT else \
                        link.s.sendall(frame2(kind, b"", data, OBJECT, 9, b"k1|h2|x"))
        link.say(BROADCAST, {"event": "still", "except": []}, ["k1"], 2)
        while a.message()[0] != "still":
            pass
        a.all("here", "1")
        assert h2.taken()[0][1]["event"] == "here"


@pytest.mark.one_node("the process that hears such a name refuses it by itself")
@pytest.mark.parametrize("name", ("k1", "", "a,b", "a|b", "a/b", "a\nb", "x" * 65))
def test_bad_names_are_refused(host, name):
    with host.gate(register=False) as a:
        a.prove(then=UPLINK, data=name)
        a.ended()


def test_without_a_host_name_uplinks_are_refused(start, tmp_path):
    g = Gates(start, tmp_path)
    with g.gate(register=False) as a:
        a.prove(then=UPLINK, data="h2")
        a.ended()
    g.kennel.wait_log("no app.host")


# ---- dialling ----

@pytest.mark.parametrize("shards", (1, 2))
def test_kennel_dials(start, tmp_path, peers, shards):
    """38, 44: the cheaper of two paths is taken, and the other when it goes down."""
    h2, h3 = peers("h2"), peers("h3")
    at2, at3 = h2.listen(), h3.listen()
    k = Host(start, tmp_path / "k", "k1", [(at2, 2.5), (at3,)], shards=shards,
             limit=10000 if shards == 1 else 1)
    with k.client() as a, k.client() as b:
        wait.until(lambda: len(h2.links) == 1 and len(h3.links) == 1 and
                   len(h2.known) >= 2)
        (l2,), (l3,) = h2.links, h3.links
        assert h2.known[("k1", "h2", l2.id)] == 2.5
        assert h2.known[("k1", "h3", l3.id)] == 1
        for p, link in ((h2, l2), (h3, l3)):
            p.announce(link)
            link.say(NEW_LINK, {"source": p.name, "destination": "h4",
                                "link": "via " + p.name, "cost": 1}, [p.name])
        l3.say(NEW_LINK, {"source": "h4", "destination": "h3", "link": "via h3",
                          "cost": 1}, ["h3"])

        def way(expected):
            """Messages for h4 go over that peer."""
            seen = []

            def once():
                a.to(["h4/down/xx/1"], "m", os.urandom(4).hex())
                a.barrier()
                for p in (h2, h3):
                    # A stand-in takes only what is for itself: it fails on others.
                    if p.errors:
                        assert "h4" in p.errors[0]
                        seen.append(p.name)
                        p.errors.clear()
                return seen and seen[-1] == expected
            wait.until(once)
        way("h3")
        l3.s.shutdown(2)                # it is dialled again, and says nothing of h4
        way("h2")


def test_two_kennels(start, tmp_path):
    """39, 40, 42: clients of both dialects of two clusters; one ends and comes again."""
    far = Host(start, tmp_path / "far", "k2", shards=2, limit=2)
    near = Host(start, tmp_path / "near", "k1", [(far.gate_address,)], shards=2, limit=1)
    a, b = near.client(), near.client()
    c, d = far.client(), far.client()

    def hear(event, *them):
        """All have got that, and what came before is dropped."""
        return all([event.encode() in [f.event for f in p.barrier()] for p in them])
    wait.until(lambda: (a.all("probe 1"), hear("probe 1", c, d))[1])
    wait.until(lambda: (c.all("probe 2"), hear("probe 2", a, b))[1])
    c.join("r")
    d.join("r")
    a.join("r")
    a.barrier()
    wait.until(lambda: (b.room(["r"], "probe 3"), hear("probe 3", a, c, d))[1])
    wait.until(lambda: (d.room(["r"], "probe 4"), hear("probe 4", a, c))[1])

    # Probes that came by other processes may still be on their way.
    def told(p):
        """What p gets next that is no probe."""
        while True:
            event, data = p.message()
            if not event.startswith("probe"):
                return event, data

    def quiet(*them):
        """Nothing but probes came."""
        return not any([not f.event.startswith(b"probe") for p in them for f in p.barrier()])
    for i in range(50):
        a.to([d, b], "id", str(i))
        b.room(["r"], "room", str(i))
        d.all("all", str(i))
    want = {"id": [str(i).encode() for i in range(50)]}
    want["room"] = want["all"] = want["id"]
    for p, events in ((a, ("room", "all")), (b, ("id", "all")), (c, ("room", "all")),
                      (d, ("id", "room"))):
        got = [told(p) for _ in range(100)]
        for e in events:
            assert [data for event, data in got if event == e] == want[e], p.id
    assert quiet(a, b, c, d)
    c.leave("r")
    d.close()
    b.to([c], "now")
    assert told(c) == ("now", b"")
    wait.until(lambda: (b.room(["r"], "m"), a.barrier(), len(c.barrier()) == 0)[2])
    for p in (a, b, c):
        p.close()


KEPT = ((STRING, b"ue\0\xff"), (BINARY, b"\0\xff" * 50000), (BINARY, b""), (INTEGER, b"\1"),
        (INTEGER, b"\xfb" + b"\xff" * 5), (DECIMAL, b"\0" * 6 + b"\xf0\x7f"),
        (DECIMAL, b"\0" * 7 + b"\x80"), (OBJECT, b"\x81 no JSON"), (OBJECT, b'{"a":"\\u00e9"}'),
        (BOOLEAN, b"\1"), (EMPTY, b""))


@pytest.mark.parametrize("shards", (1, 2))
def test_between_kennels_data_stays_as_it_is(start, tmp_path, shards):
    """9.5: whatever JSON has no word for, by all ways, in both directions."""
    limit = {1: 100, 2: 2}[shards]
    far = Host(start, tmp_path / "far", "k2", shards=shards, limit=limit)
    near = Host(start, tmp_path / "near", "k1", [(far.gate_address,)], shards=shards,
                limit=limit)
    with near.client() as a, near.client() as a2, far.client() as b, far.client() as b2:
        for p in (a, b):
            p.join("r")
            p.barrier()
        for p, q in ((a, b), (b, a)):
            wait.until(lambda p=p, q=q: (p.room(["r"], "probe"), q.barrier())[1])
        def more(q):
            """What comes next that is no probe: these may still be on their way."""
            f = q.recv()
            while f.event == b"probe":
                f = q.recv()
            return f
        for p, q in ((a, b), (b, a)):
            for data_type, data in KEPT:
                p.all("e|\0", data, data_type)
                p.room(["r"], "e|\0", data, data_type)
                p.to([q.id], "e|\0", data, data_type)
            for data_type, data in KEPT:
                for _ in range(3):
                    f = more(q)
                    assert (f.event, f.type, f.data) == (b"e|\0", data_type, data)
        for p in (a2, b2):
            assert [f.data for f in p.barrier() if f.event != b"probe"] == \
                [data for _, data in KEPT] * 2


def test_an_uplink_to_its_own_cluster_is_refused(start, tmp_path):
    k = Host(start, tmp_path / "k", "k1")
    other = Host(start, tmp_path / "o", "k1", [(k.gate_address,)])
    with other.client():
        k.kennel.wait_log("our own name")
        other.kennel.wait_log("uplink=u0 ended before it was a link")


def test_the_holder_dies_and_another_takes_over(start, tmp_path, peers):
    h2 = peers("h2")
    at = h2.listen()
    k = Host(start, tmp_path / "k", "k1", [(at,)], shards=2, limit=1, make=(Gate,),
             cover=False)
    a = k.client()
    wait.until(lambda: len(h2.links) == 1)
    b = k.client()
    b.join("r")
    b.barrier()
    wait.until(lambda: h2.rooms.get(("k1", "r")) == 1)
    old, = h2.links
    k.kennel.kill_shard(shard_of(k, a))
    wait.until(lambda: a.s.recv(1 << 16) == b"")
    wait.until(lambda: old not in h2.links and len(h2.links) == 1 and
               ("k1", "h2", h2.links[0].id) in h2.known)
    link = h2.links[0]
    h2.announce(link)
    link.say(TO_SOCKET, {"event": "m", "socketIds": [b.id], "except": []}, ["k1"], 2)
    assert b.message() == ("m", b"")
    wait.until(lambda: h2.rooms.get(("k1", "r")) == 1)
    b.close()


def shard_of(k, client):
    """The slot whose process has the holder: its log line says so."""
    lines = re.findall(r"shardd/(\d)\[\d+\] events host=k1 is held by this", k.kennel.log())
    return int(lines[-1])


@pytest.mark.parametrize("text, why", (
    ("[uplink a]\naddress = 127.0.0.1:1\npsk_file = /etc/passwd\n", "app.host"),
    ("[worker]\napp.host = h\n[uplink a]\naddress = 127.0.0.1:1\n", "psk_file"),
    ("[uplink a]\naddress = 127.0.0.1\n", "must be host:port"),
    ("[uplink a]\naddress = 127.0.0.1:70000\n", "must be host:port"),
    ("[uplink a]\npsk_file = /nowhere\n", "is not a file"),
    ("[uplink a]\ncost = 0\n", "must be a number above 0"),
    ("[uplink a]\ncost = nan\n", "must be a number above 0"),
    ("[uplink a]\nkey = secret\n", "unknown key"),
    ("[uplink a]\ncost = 1\n[uplink b]\ncost = 1\n[uplink a]\ncost = 2\n",
     "is there twice"),
))
def test_what_an_uplink_cannot_be_is_said(tmp_path, text, why):
    (tmp_path / "k.ini").write_text(text)
    r = subprocess.run([kits.GATEWAYD, "--check", "--config", str(tmp_path / "k.ini"),
                        "--run-dir", str(tmp_path)], capture_output=True, text=True)
    assert r.returncode != 0 and why in r.stderr + r.stdout


