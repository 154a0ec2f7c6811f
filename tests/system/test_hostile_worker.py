"""A worker that calls everything at the wrong moment harms its clients only."""
import time

import pytest
from kit.http import Http, get, request
from kit.wire import Closed
from kit.ws import Ended, Refused, WebSocket

ROUTES = """
[route hostile]
path = /h/{group}/*
app = hostile
group = path:group
uid = query:u uuid
limit = 2

[route groupless]
path = /none/*
app = hostile
group = none
"""


@pytest.fixture(scope="module")
def kennel(start_shared, installed):
    return start_shared(shards=2, worker=installed.worker("hostile.c"),
                        config=ROUTES, faults="not a response")


@pytest.mark.parametrize("how,status", [
    ("status", 500), ("type", 500), ("field", 200), ("page?name=../x", 404),
    ("page?name=.", 404), ("page?name=", 404), ("page?name=a%00b", 404),
    ("page?name=chat.html%0d%0aX-Evil:1", 404), ("late", 200)])
@pytest.mark.parametrize("path", ["/h/g", "/none"])
def test_wrong_answers(kennel, path, how, status):
    r = get(kennel, f"{path}/{how}")
    assert r.status == status
    assert "evil" not in repr(r.fields).lower()
    kennel.wait_places(0)


@pytest.mark.parametrize("how", ["late", "later", "large"])
@pytest.mark.parametrize("path", ["/h/g", "/none"])
def test_client_that_has_gone(kennel, path, how):
    mark = len(kennel.log())
    for _ in range(4):
        with Http(kennel.address) as c:
            c.write(request("GET", f"{path}/{how}"))
    if how == "late":
        kennel.wait_log("hostile late", mark=mark)
    kennel.wait_places(0)
    assert get(kennel, f"{path}/field").status == 200


def test_closed_twice_is_told_once(kennel):
    mark = len(kennel.log())
    c = WebSocket(kennel.address, "/h/g/ws?u=twice")
    with pytest.raises(Ended) as e:
        c.recv()
    assert e.value.code == 4003
    kennel.wait_log("hostile close uid=twice code=4003", mark=mark)
    c.close()
    kennel.wait_places(0)
    assert kennel.log(mark).count("hostile close uid=twice") == 1


def test_refused_amid_its_own_broadcast(kennel):
    with pytest.raises(Refused):
        WebSocket(kennel.address, "/h/g/ws?u=refused")
    kennel.wait_places(0)


@pytest.mark.parametrize("message", ["b", "g", "w", "bb", "gg", "ww"])
def test_calls_and_closes_at_once(kennel, message):
    """The completion comes once and first, then one onclose each."""
    mark = len(kennel.log())
    cs = [WebSocket(kennel.address, f"/h/c/ws?u={i}") for i in range(4)]
    for c in cs:
        c.send(message)
    for c in cs:
        with pytest.raises((Ended, Closed)):
            while True:
                c.recv()
        c.close()
    kennel.wait_places(0)
    for i in range(4):
        kennel.wait_log(f"hostile close uid={i} ", mark=mark)
        assert kennel.log(mark).count(f"hostile close uid={i} ") == 1


def test_large_response_to_a_slow_reader(kennel):
    """All 20 MiB arrive, however late; the place is held until then."""
    with Http(kennel.address) as c:
        c.write(request("GET", "/h/g/large"))
        time.sleep(1)
        r = c.response()
        assert r.body == b"x" * (20 << 20)
    kennel.wait_places(0)
