"""
Pact: what strangers leave behind goes again.  A room that only was visited expires,
sessions that hold nothing make place for new ones; what somebody has said stays,
unless store_ttl says how long.
"""
import pytest
from kit import wait
from kit.pact import Pact, details, leave, room, settle

DAY = 86400 * 1000
STORE = "kennel:store:{}:pact"


def keys(r, g):
    """All of the room's, with their time to live in ms; -1: for ever."""
    base = STORE.format(g)
    names = [k for k in r.keys() if k == base or k.startswith(base + ":") or
             k == f"kennel:epoch:{g}"]
    return {k: r("PTTL", k) for k in names}


def visit(k, g, session=None):
    with Pact(k, g, session) as p:
        p.goodbye()
        return p.suffix


def said(p):
    """Something that is to be kept."""
    p.count("x")
    settle(p)


@pytest.fixture(scope="module")
def plain(start_shared):
    return start_shared(shards=2, limit=1)


@pytest.fixture
def short(start):
    """Visits are forgotten after a second."""
    return start(shards=1, config="[worker]\nstore_visit_ttl = 1s\n")


def test_what_only_was_visited_expires_after_a_day(plain):
    g = room()
    for _ in range(3):
        visit(plain, g)
    with plain.redis() as r:
        found = keys(r, g)
        assert len(found) == 6
        assert all(DAY - 60000 < ms <= DAY * 9 / 8 for ms in found.values())


@pytest.mark.parametrize("what", ["counter", "poll", "login"])
def test_what_somebody_has_said_stays(plain, what):
    g = room()
    visit(plain, g)
    with Pact(plain, g) as p:
        if what == "login":
            p.login({"n": 1})
        elif what == "poll":
            p.vote("a", "b")
        else:
            p.count("a")
        settle(p)
    visit(plain, g)
    with plain.redis() as r:
        found = keys(r, g)
        assert len(found) >= 7
        assert set(found.values()) == {-1}


def test_ephemeral_votes_are_a_visit(plain):
    g = room()
    with Pact(plain, g) as p:
        p.vote("a", "b", "ephemeralPoll")
        p.barrier()
        p.goodbye()
    with plain.redis() as r:
        assert all(0 < ms <= DAY * 9 / 8 for ms in keys(r, g).values())


def test_forgotten_is_forgotten(short):
    g, kept = room(), room()
    assert [visit(short, g) for _ in range(2)] == [1, 2]
    with Pact(short, kept) as p:
        said(p)
    with short.redis() as r:
        wait.until(lambda: keys(r, g) == {}, 30, "the room has expired")
        assert set(keys(r, kept).values()) == {-1}
    assert visit(short, g) == 1
    assert visit(short, kept) == 2


def test_what_is_in_use_does_not_expire(short):
    g = room()
    with Pact(short, g, "s") as a, short.redis() as r:
        name = STORE.format(g)
        rises, before = 0, 0
        while rises < 3:                # its time begins again and again
            left = r("PTTL", name)
            assert left > 0
            rises += left > before + 100
            before = left
        assert len(keys(r, g)) == 6
        said(a)
        assert set(keys(r, g).values()) == {-1}
    assert visit(short, g, "s") == 1


def test_with_store_ttl_all_expire_after_their_last_use(start):
    k = start(shards=1, config="[worker]\nstore_ttl = 1s\n")
    g = room()
    with Pact(k, g) as a, k.redis() as r:
        said(a)
        a.vote("p", "yes")
        settle(a)
        name = STORE.format(g)
        rises, before = 0, 0
        while rises < 3:
            left = r("PTTL", name)
            assert 0 < left <= 1125
            rises += left > before + 100
            before = left
        found = keys(r, g)
        assert len(found) == 10 and all(0 < ms <= 1125
                                        for ms in found.values())
        # Redis came back empty: what is written again expires, too.
        r("FLUSHALL")
        said(a)
        wait.until(lambda: len(keys(r, g)) >= 9, 30, "written again")
        assert all(0 < ms <= 1125 for ms in keys(r, g).values())
        a.goodbye()
        wait.until(lambda: keys(r, g) == {}, 30, "the room has expired")
    assert visit(k, g) == 1


def test_without_store_ttl_again_it_stays(start):
    """What was to expire, when it is used by who says nothing of that."""
    k = start(shards=1, config="[worker]\nstore_ttl = 1h\n")
    g = room()
    with Pact(k, g) as a:
        said(a)
    with k.redis() as r:
        assert all(ms > 0 for ms in keys(r, g).values())
    with open(k.config, "w") as f:
        f.write("[worker]\n")
    assert k.term() == 0
    k.start()
    visit(k, g)
    with k.redis() as r:
        assert set(keys(r, g).values()) == {-1}


# ---- sessions ----

def test_oldest_sessions_that_hold_nothing_make_place(start):
    k = start(shards=1, config="[worker]\npact_sessions = 8\n")
    g = room()
    here = Pact(k, g, "s1")
    with Pact(k, g, "s2") as p:
        p.login({"n": 2})
        p.goodbye()
    with Pact(k, g, "s3") as p:
        p.vote("a", "b")
        settle(p)
        p.goodbye()
    for i in range(4, 9):
        assert visit(k, g, f"s{i}") == i
    assert visit(k, g, "new") == 9      # 4 and 5 have gone
    assert [visit(k, g, f"s{i}") for i in (1, 2, 3, 6, 7, 8)] == \
        [1, 2, 3, 6, 7, 8]
    assert visit(k, g, "s4") == 16
    with Pact(k, g, "s2") as p:
        assert p.profile["properties"] == {"n": 2}
    here.close()


def test_a_full_state_makes_place_too(start):
    k = start(shards=1, config="[worker]\nstore_max = 64k\n")
    g = room()
    keeper = Pact(k, g)
    said(keeper)
    for i in range(600):
        assert visit(k, g, f"{i:0100}") == i + 2
    assert details(k, g)["increment"] == 601
    leave(keeper)


def test_whoever_holds_something_is_not_in_the_way_of_others(start):
    """More of them than are looked at together."""
    k = start(shards=1, config="[worker]\npact_sessions = 150\n")
    g = room()
    for i in range(147):
        with Pact(k, g, f"holds{i}") as p:
            p.login({"n": i})
            p.goodbye()
    for i in range(30):
        visit(k, g, f"visits{i}")
    assert [visit(k, g, f"holds{i}") for i in range(147)] == \
        list(range(1, 148))


# ---- kennelctl room rm ----

def rm(k, *words):
    """(exit status, what it says)."""
    r = k.ctl("room", "rm", *words, check=False)
    return r.returncode, r.stdout + r.stderr


def test_a_room_is_removed(plain):
    g, other = room(), room()
    for name in g, other:
        with Pact(plain, name, "s") as p:
            said(p)
            p.goodbye()
    with plain.redis() as r:
        assert keys(r, g) and keys(r, other)
        wait.until(lambda: plain.group(g) == [] and
                   r("SCARD", f"kennel:group:{g}") == 0, 30, "all have left")
        code, text = rm(plain, g)
        assert code == 0 and f'room "{g}" removed' in text
        assert keys(r, g) == {} and len(keys(r, other)) >= 6
    code, text = rm(plain, g)
    assert code == 3 and "nothing is kept" in text
    assert visit(plain, g, "s") == 1
    assert visit(plain, other, "s") == 1
    assert details(plain, other)["increment"] == 2


def test_a_room_with_somebody_in_it_is_not_removed(plain):
    g = room()
    with Pact(plain, g) as a, Pact(plain, g) as b, plain.redis() as r:
        said(a)
        before = keys(r, g)
        code, text = rm(plain, g)
        assert code == 1 and "2 connections" in text and "left" in text
        assert keys(r, g) == before
        said(b)


def test_a_room_that_another_machine_serves_is_not_removed(plain):
    g = room()
    visit(plain, g)
    with plain.redis() as r:
        wait.until(lambda: r("SCARD", f"kennel:group:{g}") == 0, 30)
        r("SADD", f"kennel:group:{g}", "elsewhere/0#1")
        code, text = rm(plain, g)
        assert code == 1 and "another machine" in text
        assert len(keys(r, g)) == 6
        r("DEL", f"kennel:group:{g}")
    assert rm(plain, g)[0] == 0


def test_room_rm_says_what_is_wrong(start, plain):
    for words in [], ["a", "b"], [""], ["x" * 513], ["a", "--check"]:
        assert rm(plain, *words)[0] == 2
    k = start(shards=1, redis="none")
    code, text = rm(k, "a")
    assert code == 1 and "no Redis" in text
