"""
api-ape without WebSocket: a stream of the server and calls by POST.  Numbers are those
of tests/checklists/api-ape.txt.
"""
import socket

import pytest
from kit import wait
from kit.ape import Ape, CHROME, ID, Stream, now, parse, post

COOKIE = "ZZZZ0123456789ABCDEF"


@pytest.fixture
def stream(ape):
    s = Stream(ape)
    yield s
    s.close()


def test_head_comes_at_once(ape):
    """5, 35"""
    with Stream(ape) as s:
        assert s.status == 200
        assert s.fields["content-type"] == "application/json"
        assert s.fields["cache-control"] == "no-cache"
        assert s.fields["x-accel-buffering"] == "no"
        assert s.fields["transfer-encoding"] == "chunked"
        assert ID.fullmatch(s.cookie) and "HttpOnly" in s.fields["set-cookie"]
        assert s.any() == {"type": "__heartbeat__"}
    with Stream(ape, cookie=COOKIE) as s:
        assert "set-cookie" not in s.fields


def test_calls(ape, stream):
    """36"""
    r = stream.post("/Echo", {"d<!D>": 5, "l<![,D]>": [1, 2]})
    assert r.status == 200 and r["Content-Type"] == "application/json"
    assert r.text == '{"data":{"d<!D>":5,"l<![,D]>":[1,2]}}'
    for value in 0, False, "", None:
        assert parse(stream.post("echo", value).text) == {"data": value}
    assert stream.post("silent").text == "{}"
    r = stream.post("/No/Where", 1)
    assert (r.status, parse(r.text)) == \
        (404, {"error": 'Controller "no/where" not found'})
    r = stream.post("fail", "so be it")
    assert (r.status, parse(r.text)) == (500, {"error": "so be it"})
    r = post(ape, None, "echo", 1)
    assert (r.status, parse(r.text)) == \
        (401, {"error": "Missing session. GET /api/ape/poll first."})
    for odd in "x", "0" * 21:
        assert post(ape, odd, "echo", 1).status == 401
    for body in (b"x", b"[]", b"{}", b'{"type":5}', b'{"type":"echo"',
                 b'{"type":"echo","data":"\xff"}', b"[" * 30000,
                 b'{"type":"echo","data":{"a<!P>":["b"]}}'):
        r = post(ape, stream.cookie, "", body=body)
        assert r.status == 500 and parse(r.text)["error"], body
    big = b'{"type":"echo","data":"' + b"x" * (1 << 20) + b'"}'
    assert post(ape, stream.cookie, "", body=big).status == 413
    assert parse(stream.post("echo", 1).text) == {"data": 1}


def test_call_of_who_has_no_stream(ape):
    assert parse(post(ape, COOKIE, "echo", "x").text) == {"data": "x"}
    me = parse(post(ape, COOKIE, "whoami").text)["data"]
    assert me["clientId"] == COOKIE


def test_stream_is_a_client_under_its_cookie(ape):
    """37"""
    a = Ape(ape)
    with Stream(ape, cookie=COOKIE) as s:
        s.any()
        assert COOKIE in a.call("users/list")
        r = post(ape, COOKIE, "whoami", fields=[("User-Agent", CHROME)])
        me = parse(r.text)["data"]
        assert me["clientId"] == COOKIE and me["sessionId"] is None
        assert me["agent"]["browser"]["name"] == "Chrome"
        said = {"to": COOKIE, "type": "t", "data": 1}
        assert a.call("sendto", said) == {"sent": True}
        assert s.push() == ("t", {"type": "t", "data": 1})
    a.close()


def test_pushes(ape, stream):
    """38"""
    a = Ape(ape)
    stream.any()
    odd = {"t": 'a "{" \\ } in [strings]', "d<!D>": 5, "é": "漢🦍"}
    a.call("message", odd)
    assert stream.push() == ("message", {"type": "message", "data": odd})
    for i in range(50):
        a.ask("message" if i % 2 else "everyone", i)
    assert [stream.push()[1]["data"] for _ in range(50)] == list(range(50))
    a.close()


def test_call_by_post_reaches_others_and_not_oneself(ape):
    """39"""
    a = Ape(ape)
    with Stream(ape) as s, Stream(ape) as t:
        s.any(), t.any()
        b = Ape(ape, cookie=s.cookie)           # the same browser's tab
        assert parse(s.post("message", "x").text) == {"data": "x"}
        assert a.push()[1]["data"] == b.push()[1]["data"] == "x"
        assert t.push()[1]["data"] == "x"
        s.post("everyone", "all")
        assert s.push() == ("everyone", {"type": "everyone", "data": "all"})
        assert t.push()[1]["data"] == a.push()[1]["data"] == "all"
        b.close()
    a.close()


def test_two_streams_of_one_browser(ape):
    """Neither takes the other's place, nor ends it."""
    a = Ape(ape)
    with Stream(ape, cookie=COOKIE) as s:
        with Stream(ape, cookie=COOKIE) as t:
            s.any(), t.any()
            assert a.call("users/list").count(COOKIE) == 1
            a.call("message", 1)
            assert s.push()[1]["data"] == t.push()[1]["data"] == 1
            a.call("sendto", {"to": COOKIE, "type": "one", "data": 2})
            assert s.push()[0] == t.push()[0] == "one"
        a.call("message", 3)
        assert s.push()[1]["data"] == 3
        assert COOKIE in a.call("users/list")
    wait.until(lambda: COOKIE not in a.call("users/list"), 10, "both are gone")
    a.close()


def test_gone_when_closed(ape):
    """40"""
    a = Ape(ape)
    s = Stream(ape)
    s.any()
    assert s.cookie in a.call("users/list")
    s.sock.shutdown(socket.SHUT_RDWR)
    s.close()
    wait.until(lambda: s.cookie not in a.call("users/list"), 10, "it is gone")
    a.close()


@pytest.mark.one_node("waits for long, for what one connection does")
def test_heart_beats_and_stays(ape, stream):
    """41, 42"""
    stream.sock.settimeout(wait.limit(30))
    begin = now()
    assert stream.any() == {"type": "__heartbeat__"}
    assert stream.any() == {"type": "__heartbeat__"}
    assert now() - begin < wait.limit(21000)
    assert stream.any() == {"type": "__heartbeat__"}
    a = Ape(ape)
    a.call("message", "still there")
    assert stream.push()[1]["data"] == "still there"
    a.close()
