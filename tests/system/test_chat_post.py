"""What is said in a chat room by POST."""
from urllib.parse import quote

import pytest
from kit import nodes
from kit.chat import Chat, barrier, crowd, room, said, settle
from kit.http import get


@pytest.fixture(scope="module", params=("one", "nodes"))
def kennel(request, start_shared, site):
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=4)
    return start_shared(shards=3)


def post(kennel, path, body=b"", fields=()):
    return get(kennel, path, "POST", body=body, fields=fields)


@pytest.fixture
def five(kennel):
    """a b | c d | e, in three replicas, or a c | e and b d on two nodes; quiet."""
    people = crowd(kennel, room(), "abcde")
    yield people
    for p in people:
        p.close()


def test_each_route_says_the_body_to_those_it_reaches(kennel, five):
    """emit: to one replica of the node that was asked."""
    g = five[0].group
    near = "e" if kennel.group(g) == [2, 2, 1] else "e bd"
    for path, who in (("broadcast", "abcde"), ("whisper?target=d", "d"),
                      ("emit?u=e", near), ("broadcast?u=a", "abcde")):
        text = f'Žofie 🐕 "{path}" <b>&'
        r = post(kennel, f"/lobby/{g}/{path}", f" \n{text}\t".encode())
        assert (r.status, r.text) == (200, "DONE"), r
        heard = settle(*five)
        assert all(said(heard[p]) in ([], [text]) for p in five)
        assert "".join(p.name for p in five if said(heard[p])) in who.split(), path


def test_it_has_the_form_of_a_message(kennel, five):
    g, e = five[0].group, five[4]
    post(kennel, f"/lobby/{g}/whisper?target=e", b"hi")
    m = e.next(type="user:msg")
    assert isinstance(m.pop("time"), int)
    assert m == {"type": "user:msg", "from": "HTTP", "text": "hi",
                 "meta": "whisper", "to": "e"}
    post(kennel, f"/lobby/{g}/broadcast", b"hi")
    m = e.next(type="user:msg")
    assert isinstance(m.pop("time"), int)
    assert m == {"type": "user:msg", "from": "HTTP", "text": "hi"}


def test_no_command_is_looked_for(kennel):
    g = room()
    with Chat(kennel, g, "a") as a, Chat(kennel, g, "b") as b:
        settle(a, b)
        post(kennel, f"/lobby/{g}/broadcast", b"/w b psst")
        for heard in barrier(a, b):
            assert said(heard) == ["/w b psst"]


def test_get_says_the_fixed_text_whatever_its_body(kennel):
    g = room()
    with Chat(kennel, g, "a") as a:
        assert get(kennel, f"/lobby/{g}/broadcast", body=b"mine").text == "DONE"
        assert a.next(type="user:msg")["text"] == \
            'SENT VIA "/broadcast" HTTP route'


TEXT = ("Content-Type", "text/plain")


@pytest.mark.parametrize("fields", [
    [TEXT], [("Content-Type", "Text/Plain; charset=UTF-8")],
    [("Content-Type", 'text/plain;charset="utf-8"')],
    [("Content-Type", "text/plain ; charset=us-ascii")], []])
def test_text_is_taken(kennel, fields):
    g = room()
    with Chat(kennel, g, "a") as a:
        r = post(kennel, f"/lobby/{g}/broadcast", b"x", fields)
        assert (r.status, r.text) == (200, "DONE")
        assert a.next(type="user:msg")["text"] == "x"


@pytest.mark.parametrize("path,body,fields,status,word", [
    ("broadcast", b"", [], 400, "empty"),
    ("broadcast", b" \r\n\t", [TEXT], 400, "empty"),
    ("emit", b"", [], 400, "empty"),
    ("whisper?target=a", b"", [], 400, "empty"),
    ("broadcast", b"\xff", [], 400, "UTF-8"),
    ("broadcast", b"a\xed\xa0\x80", [], 400, "UTF-8"),
    ("emit", "é".encode("latin-1"), [TEXT], 400, "UTF-8"),
    ("whisper?target=%ff", b"x", [], 400, "UTF-8"),
    ("whisper", b"x", [], 400, "target="),
    ("whisper?target=", b"x", [], 400, "target="),
    ("broadcast", b"x" * 65537, [], 413, "65536"),
    ("broadcast", b"x" * (1 << 21), [], 413, ""),
    ("broadcast", b"a=b", [("Content-Type",
                            "application/x-www-form-urlencoded")], 415, "text"),
    ("broadcast", b"{}", [("Content-Type", "application/json")], 415, "text"),
    ("broadcast", b"x", [("Content-Type", "text/plainer")], 415, "text"),
    ("broadcast", b"x", [("Content-Type", "text/plain; charset=latin-1")],
     415, "UTF-8"),
], ids=lambda v: str(v)[:20])
def test_what_cannot_be_said_is_told_why(kennel, path, body, fields, status,
                                         word):
    g = room()
    with Chat(kennel, g, "a") as a:
        settle(a)
        r = post(kennel, f"/lobby/{g}/{path}", body, fields)
        assert r.status == status, r
        assert r["Content-Type"] == "text/plain"
        assert r.text.endswith("\n") and word in r.text
        assert said(barrier(a)[0]) == []
        kennel.wait_group(g, [1])
    kennel.exact()


def test_the_longest_text_arrives_whole(kennel):
    g = room()
    with Chat(kennel, g, "a") as a:
        for text in "x" * 65536, "🐕" * 16384, "\x00" * 10 + "x":
            r = post(kennel, f"/lobby/{g}/broadcast", text.encode(), [TEXT])
            assert (r.status, r.text) == (200, "DONE"), r
            assert a.next(type="user:msg")["text"] == text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_none(kennel, method):
    r = get(kennel, f"/lobby/{room()}/broadcast", method)
    assert r.status == 405
    assert r["Allow"] == "GET, HEAD, POST"


def test_options_names_the_methods(kennel):
    r = get(kennel, f"/lobby/{room()}/broadcast", "OPTIONS")
    assert r.status == 204
    assert {"GET", "HEAD", "POST"} <= set(r["Allow"].split(", "))


def test_in_an_empty_room_nobody_hears_it(kennel):
    g = room()
    assert post(kennel, f"/lobby/{g}/broadcast", b"x").text == "DONE"
    assert post(kennel, f"/lobby/{g}/whisper?target=" + quote("Žofie 🐕"),
                b"x").text == "DONE"
    kennel.wait_group(g, [])
    kennel.exact()
