"""What an application learns of a request, and of a socket long after it."""

import pytest
from kit import docs
from kit.http import get
from kit.ws import Refused, WebSocket


@pytest.fixture(scope="module")
def kennel(start_shared, installed):
    page = docs.chapter("What a request says")
    (config,), (source,) = docs.blocks(page, "ini"), docs.blocks(page)
    more = "[route other]\npath = /other/{table}\napp = main\n"
    return start_shared(shards=2, worker=installed.worker(source),
                        config=config + more)


COOKIE = ("Cookie", "a=b; session=\"x%20y\"")


def test_the_example_of_the_readme(kennel):
    want = "table t 1, seat ann, language de at, session x y"
    path = "/table/t%201/ann?x=y&lang=de+at"
    assert get(kennel, path, fields=[COOKIE]).text == want
    with WebSocket(kennel.address, path, fields=[COOKIE]) as p:
        p.send("?")
        assert p.recv() == want.replace("table t 1", "table none")
        p.goodbye()


def test_what_is_missing_is_none(kennel):
    want = "table t, seat s, language none, session none"
    assert get(kennel, "/table/t/s").text == want
    # Empty: there for a request, none for a socket.
    assert get(kennel, "/table/t/s?lang=").text == \
        want.replace("language none", "language ")
    with WebSocket(kennel.address, "/table/t/s?lang=") as p:
        p.send("?")
        assert p.recv() == want.replace("table t", "table none")
        p.goodbye()


def test_a_route_that_keeps_nothing(kennel):
    assert get(kennel, "/other/t?lang=en", fields=[COOKIE]).text == \
        "table t, seat none, language en, session x y"
    with WebSocket(kennel.address, "/other/t?lang=en", fields=[COOKIE]) as p:
        p.send("?")
        assert p.recv() == \
            "table none, seat none, language none, session none"
        p.goodbye()


def test_what_is_kept_is_bounded(kennel):
    """By keep_max, with the names."""
    name = len("path:seat") + 1 + len("query:lang")
    path = "/table/t/s?lang="
    fits = 4096 - name
    with WebSocket(kennel.address, path + fits * "x") as p:
        p.send("?")
        assert p.recv().startswith("table none")
        p.goodbye()
    for n in fits + 1, 7000:
        with pytest.raises(Refused) as e:
            WebSocket(kennel.address, path + n * "x")
        assert e.value.response.status == 431


def test_several_requests_of_one_connection(kennel):
    """Each has its own path, also where the route is another."""
    from kit.http import Http
    with Http(kennel.address) as h:
        for path, want in (("/table/a/b", "table a, seat b"),
                           ("/other/c", "table c, seat none"),
                           ("/table/d/e", "table d, seat e")):
            assert h.ask("GET", path).text.startswith(want)
