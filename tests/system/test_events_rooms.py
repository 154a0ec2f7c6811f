"""What clients and programs are told of rooms: room/register and room/unregister, with the
members at all hosts (app.room_events)."""
import json
import re

import pytest
from kit import wait
from kit.fasttcp import ACK, DATA, DATA_WITH_ACK, OBJECT, Fast
from kit.gatejs import JOIN_ROOM, LEAVE_ROOM, Gate, Gates
from kit.hosts import Host, Peer


def host(start, tmp_path, to, shards=1, uplinks=(), name="k1", **kw):
    return Host(start, tmp_path / name, name, uplinks, shards=shards,
                worker_options=f"app.room_events = {to}\n", **kw)


@pytest.fixture
def h2():
    p = Peer("h2")
    yield p
    p.close()
    assert p.errors == []


class Ear:
    """What a client is told of each room: the last number."""

    def __init__(self, client):
        self.client = client
        self.said = []          # (event, room, ref)
        self.now = {}

    def hear(self):
        for f in self.client.barrier():
            assert f.kind == DATA and f.type == OBJECT and f.event in (
                b"room/register", b"room/unregister"), f
            o = json.loads(f.data)
            assert set(o) == {"room", "ref"}
            more = f.event == b"room/register"
            assert more == (o["ref"] > self.now.get(o["room"], 0))
            self.now[o["room"]] = o["ref"]
            self.said.append((more, o["room"], o["ref"]))
        return self.now

    def until(self, rooms):
        wait.until(lambda: {k: v for k, v in self.hear().items() if v} == rooms, 20,
                   lambda: f"{rooms}, it is {self.now}")


@pytest.mark.parametrize("shards", (1, 2))
@pytest.mark.parametrize("to", ("v2", "all", "off"))
def test_clients_are_told_of_rooms(start, tmp_path, to, shards):
    k = host(start, tmp_path, to, shards, limit=2 if shards == 2 else 100)
    gates = [k.gate() for _ in range(2)]
    fasts = [Fast(k.address) for _ in range(2)]
    ears = [Ear(p) for p in gates + fasts]
    told = {"v2": ears[:2], "all": ears, "off": []}[to]
    gates[0].join("a", "é")
    fasts[0].join("a")
    fasts[0].join("a")
    gates[1].leave("never")
    for e in told:
        e.until({"a": 2, "é": 1})
    fasts[0].leave("a")
    gates[0].leave("é")
    for e in told:
        e.until({"a": 1})
    # Who has gone is in no room.
    gates[0].close()
    for e in told[1:]:
        e.until({})
    fasts[1].join("end")
    for e in told[1:]:
        e.until({"end": 1})
    for e in ears[1:]:
        e.hear()
        assert (e.said != []) == (e in told)
    for e in ears:
        e.client.close()


def test_what_happens_at_once_is_one_notice(start, tmp_path):
    k = host(start, tmp_path, "v2")
    with k.gate() as a, k.gate() as b:
        ear = Ear(b)
        for i in range(2000):
            a.join("r", *(f"x{i}" for i in range(4)))
            a.leave("r", *(f"x{i}" for i in range(4)))
        a.join("r")
        a.barrier()
        ear.until({"r": 1})
        assert len(ear.said) < 1000     # of 20000


def test_members_elsewhere_count(start, tmp_path, h2):
    """And are withdrawn when the way there is lost."""
    k = host(start, tmp_path, "v2", uplinks=[(h2.listen(),)])
    link = wait.until(lambda: h2.links and h2.links[0])
    h2.announce(link)
    with k.gate() as a:
        ear = Ear(a)
        a.join("r")
        ear.until({"r": 1})
        link.say(JOIN_ROOM, {"host": "h2", "room": "r", "ref": 5}, ["h2"])
        ear.until({"r": 6})
        link.say(JOIN_ROOM, {"host": "h2", "room": "far", "ref": 2}, ["h2"])
        ear.until({"r": 6, "far": 2})
        link.say(LEAVE_ROOM, {"host": "h2", "room": "r", "ref": 4}, ["h2"])
        ear.until({"r": 5, "far": 2})
        h2.close()
        ear.until({"r": 1})
        assert ear.said[0] == (True, "r", 1)


def test_the_next_holder_goes_on(start, tmp_path, h2):
    """What the lost process's clients had entered is told to have been left; nothing is
    told twice, nor of members elsewhere that they have gone, while links come again."""
    def greet(link):
        h2.announce(link)
        link.say(JOIN_ROOM, {"host": "h2", "room": "far", "ref": 2}, ["h2"])
    k = host(start, tmp_path, "v2", shards=2, limit=2, deaths=True, make=(Gate,),
             uplinks=[(h2.listen(),)], cover=False)
    a, b, c = k.gate(), k.gate(), k.gate()
    ear = Ear(c)
    # (Whoever comes later than a notice does not hear it.)
    greet(wait.until(lambda: h2.links and h2.links[0]))
    h2.greet = greet
    a.join("r", "gone")
    b.join("r")
    c.join("r", "stays")
    ear.until({"r": 3, "gone": 1, "stays": 1, "far": 2})
    slot, = set(re.findall(r"shardd/(\d)\[\d+\] events host=k1 is held by this",
                           k.kennel.log()))
    # Who came first is with the oldest.
    k.kennel.kill_shard(int(slot))
    before = len(ear.said)
    ear.until({"r": 1, "stays": 1, "far": 2})
    with k.gate() as d:
        d.join("new")
        ear.until({"r": 1, "stays": 1, "far": 2, "new": 1})
    ear.until({"r": 1, "stays": 1, "far": 2})
    assert {room for _, room, _ in ear.said[before:]} == {"r", "gone", "new"}
    c.close()


def test_programs_are_told(start, tmp_path, installed):
    """events_on_room(), though clients are not."""
    k = Host(start, tmp_path / "k", "k1", shards=2, limit=2, app="hello", make=(Fast,),
             worker=installed.worker("events.c"))

    def heard(p, want):
        got = []

        def once():
            ident = p.send(DATA_WITH_ACK, "mark")
            while True:
                f = p.recv()
                if f.kind == ACK and f.id == ident:
                    return want <= set(got)
                if f.event == b"members":
                    got.append(f.data.decode())
        wait.until(once, 20, f"{want} in {got}")
    a, b, c = (Fast(k.address) for _ in range(3))
    a.join("watch")
    heard(a, {"+watch 1"})
    c.join("r")
    heard(a, {"+r 1"})
    b.join("r")
    heard(a, {"+r 2"})
    c.close()
    heard(a, {"-r 1"})
    for p in (a, b):
        p.close()


def test_what_cannot_be_is_said(start, tmp_path):
    k = host(start, tmp_path, "perhaps")
    with k.gate() as a:
        a.join("r")
        assert a.barrier() == []
        k.kennel.wait_log("app.room_events=perhaps is neither off, nor v2, nor all")


def test_it_needs_a_host(start, tmp_path):
    g = Gates(start, tmp_path, hosts="[worker]\napp.room_events = all\n")
    with g.gate() as a:
        a.join("r")
        assert a.barrier() == []
    g.kennel.wait_log("app.room_events needs app.host")
