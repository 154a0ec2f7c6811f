"""What the application of one process tells that of another: kennel_tell()."""
import pytest
from kit.chat import room
from kit.probe import CONFIG, Probe


@pytest.fixture(scope="module")
def kennel(start_shared, installed):
    return start_shared(shards=3, max_shards=3, config=CONFIG % 1,
                        worker=installed.worker("probe.c"))


@pytest.fixture
def three(kennel):
    """Three replicas of one socket each."""
    g = room()
    people = [Probe(kennel, g, u) for u in "abc"]
    yield people
    for p in people:
        p.close()


def words(n, whispers):
    return [f"tell {i}" if i % 4 in (0, 3) else str(i) for i in range(n)
            if whispers or i % 4 != 2]


def test_told_words_keep_their_order_with_all_else_that_is_said(three):
    a, b, c = three
    a.send("tell all 4000")
    assert [b.recv() for _ in range(4000)] == words(4000, True)
    assert [c.recv() for _ in range(3000)] == words(4000, False)
    assert a.who()["neighbours"] == 2       # and a has heard nothing itself


def test_one_neighbour_alone_may_be_told(three):
    a, b, c = three
    a.send("tell one 8")
    a.send("tell all 2")
    told = 0
    for p in (b, c):
        got = []
        while got.count("1") < 2:
            got.append(p.recv())
        told += got.count("tell 3")
        assert got.count("tell 3") == got.count("tell 7")
    assert told == 1


def test_nobody_is_told_by_a_number_that_is_none(three):
    assert three[0].do("tell none 1") == "ENOENT"
