"""Raw TCP: an application's own protocol over a listener."""
import pytest
from kit.kennel import Ports
from kit.raw import Raw

CONFIG = """
[listener lines]
address = 127.0.0.1:%d
app = raw
group = const:lines
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("raw.c")


class Lines:
    """A kennel with a raw listener."""

    def __init__(self, kennel, port):
        self.kennel = kennel
        self.address = ("127.0.0.1", port)

    def client(self, **kw):
        return Raw(self.address, **kw)


@pytest.fixture
def lines(start, worker):
    def starter(more="", config="", **kw):
        port = Ports.take()
        return Lines(start(worker=worker, config=CONFIG % port + more +
                           "[route web]\npath = /ws\napp = raw\n"
                           "group = const:lines\n" + config, **kw), port)
    return starter


def test_lines(lines):
    k = lines()
    with k.client() as a, k.client() as b:
        assert a.ask("echo one") == "one"
        a.send("echo two", "echo three")
        assert [a.line(), a.line()] == ["two", "three"]
        a.send("say all")
        assert a.line() == b.line() == "all"
        assert b.ask("count") in ("1", "2")
        a.end()
        assert a.rest() == []
