"""fast-tcp, dialect 1: what clients say to each other, over one process and over four."""
import pytest
from kit.fasttcp import Events


@pytest.fixture(scope="module", params=(1, 4))
def events(request, start_shared):
    """Where there are four processes, a client each, in turns."""
    return Events(start_shared, shards=request.param,
                  limit=1000 if request.param == 1 else 1)


@pytest.fixture
def three(events):
    people = events.clients(3)
    yield people
    for p in people:
        p.close()


def test_echo(events):
    with events.client() as a:
        assert a.barrier() == []


def test_to_sockets(three):
    a, b, c = three
    a.to([b, "nobody", a, b, c], "hi", "x")
    assert [b.message(), b.message()] == [("hi", b"x")] * 2
    assert c.message() == a.message() == ("hi", b"x")
