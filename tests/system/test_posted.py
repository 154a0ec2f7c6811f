"""What is said to a group over HTTP reaches all of it, whoever is where."""

import pytest
from kit.docs import example
from kit.http import Http, get
from kit.ws import WebSocket


@pytest.fixture
def posted(start, installed):
    def run(**kw):
        return start(worker=installed.worker(
            example("kennel_replica_publish_all(")), **kw)
    return run


def post(k, path, body):
    return get(k, path, "POST", body=body).status


def heard(p, until="end"):
    got = []
    while (m := p.recv()) != until:
        got.append(m)
    return got


def test_all_one_and_those_who_asked(posted):
    k = posted(shards=3, limit=1)
    a, b, c = (WebSocket(k.address, f"/g?u={u}") for u in "abc")
    assert k.group("g") == [1, 1, 1]
    for p in a, c:
        p.send("tea")
        assert p.recv() == "yes"
    assert post(k, "/g", b"all") == 204
    assert post(k, "/g?to=b", b"bee") == 204
    assert post(k, "/g?about=tea", b"hot") == 204
    assert post(k, "/g?about=milk", b"cold") == 204
    assert post(k, "/g?to=nobody", b"lost") == 204
    assert post(k, "/g?about=", b"no name") == 400
    assert post(k, "/g", b"\xff") == 400
    assert post(k, "/g", b"end") == 204
    assert heard(a) == heard(c) == ["all", "hot"]
    assert heard(b) == ["all", "bee"]
    for p in a, b, c:
        p.goodbye()
    k.exact()


def test_where_nobody_is(posted):
    """A group that has no socket at all, and one that is elsewhere."""
    k = posted(shards=2)
    for path in "/g", "/g?to=a", "/g?about=tea":
        assert post(k, path, b"x") == 204
    k.wait_places(0)
    assert k.group("g") == []


def test_from_a_shard_that_has_none_of_it(posted):
    """The shard of the group takes nobody any more: another one is asked, again and
    again, each time with a part of the group that begins and ends."""
    k = posted(shards=2, limit=10, config="[gateway]\ncapacity = 2\n")
    a, b = (WebSocket(k.address, f"/g?u={u}") for u in "ab")
    assert k.group("g") == [2]
    a.send("tea")
    assert a.recv() == "yes"
    for n in range(50):
        path = ("/g", "/g?to=b", "/g?about=tea")[n % 3]
        assert post(k, path, b"%d" % n) == 204
    assert post(k, "/g", b"end") == 204
    assert heard(a) == [str(n) for n in range(50) if n % 3 != 1]
    assert heard(b) == [str(n) for n in range(50) if n % 3 != 2]
    k.wait_group("g", [2])
    for p in a, b:
        p.goodbye()
    k.exact()


def test_one_program_is_heard_in_its_order(posted):
    k = posted(shards=3, limit=2)
    people = [WebSocket(k.address, f"/g?u={n}") for n in range(6)]
    with Http(k.address) as h:
        for n in range(200):
            assert h.ask("POST", "/g", body=b"%d" % n).status == 204
        assert h.ask("POST", "/g", body=b"end").status == 204
    for p in people:
        assert heard(p) == [str(n) for n in range(200)]
        p.goodbye()
