"""
Pact: polls and ephemeral polls.  Numbers are those of the checklist in the
specification.
"""
import pytest
from kit import wait
from kit.pact import Pact, crowd, details, leave, message, quiet, room, settle

KINDS = ["poll", "ephemeralPoll"]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def four(pact):
    """Three who vote, and one who hears of all polls of both kinds."""
    people = crowd(pact, room(), 4)
    people[3].subscribe("poll", "ephemeralPoll")
    yield people
    leave(*people)


def stats(p, kind, id, **want):
    """The next message says so."""
    p.expect(kind, {"id": id, "stats": want})


def leave_goodbye(c):
    c.goodbye()


def leave_cut(c):
    c.close()


def leave_reset(c):
    c.reset()


def leave_asked(c):
    c.tell("close")
    c.end()
    c.close()


# ---- votes ----

def test_votes_are_told_to_id_and_all(four, kind):
    """31: as numbers; the voter too, if it is subscribed."""
    a, b, c, all = four
    b.subscribe(f"{kind}:x")
    c.subscribe(f"{kind}:y")
    a.vote("x", "A", kind)
    stats(b, kind, "x", A=1)
    b.vote("x", "B", kind)
    stats(b, kind, "x", A=1, B=1)
    c.vote("x", "A", kind)
    stats(b, kind, "x", A=2, B=1)
    stats(all, kind, "x", A=1)
    stats(all, kind, "x", A=1, B=1)
    stats(all, kind, "x", A=2, B=1)
    a.vote("y", "A", kind)
    stats(c, kind, "y", A=1)
    stats(all, kind, "y", A=1)
    quiet(*four)


def test_votes_move(four, kind):
    """32: an answer without votes vanishes."""
    a, b, c, all = four
    for p, answer, want in (
            (a, "A", dict(A=1)), (b, "A", dict(A=2)), (a, "B", dict(A=1, B=1)),
            (b, "B", dict(B=2)), (a, "C", dict(B=1, C=1)),
            (b, "C", dict(C=2)), (c, "A", dict(A=1, C=2))):
        p.vote("x", answer, kind)
        stats(all, kind, "x", **want)
    quiet(*four)


def test_the_same_vote_again(four, kind):
    """33: is told again, and counts once."""
    a, b, c, all = four
    for _ in range(3):
        a.vote("x", "A", kind)
        stats(all, kind, "x", A=1)
    for p in b, a:
        p.vote("x", "A", kind)
        stats(all, kind, "x", A=2)
    quiet(*four)


def test_one_vote_per_session(pact, kind):
    """33: from whichever of its sockets, whichever shard they are on."""
    g = room()
    one, two, other = Pact(pact, g, "s"), Pact(pact, g, "s"), Pact(pact, g)
    other.subscribe(kind)
    for p, answer in ((one, "A"), (two, "A"), (two, "B"), (one, "C")):
        p.vote("x", answer, kind)
        other.expect(kind, {"id": "x", "stats": {answer: 1}})
    other.vote("x", "C", kind)
    stats(other, kind, "x", C=2)
    leave(one, two, other)


def test_polls_have_votes_of_their_own(four, kind):
    a, b, c, all = four
    for i in range(5):
        a.vote(f"p{i}", f"A{i}", kind)
        b.vote(f"p{i}", "B", kind)
    settle(a, b, c)
    heard = settle(*four)[all]
    for i in range(5):
        assert [m["data"]["stats"] for m in heard
                if m["data"]["id"] == f"p{i}"][-1] == {f"A{i}": 1, "B": 1}
    assert len(heard) == 10


def test_two_kinds_do_not_mix(four):
    """34: not the votes, not the subscribers."""
    a, b, c, all = four
    b.subscribe("poll:x")
    c.subscribe("ephemeralPoll:x")
    a.vote("x", "A")
    stats(b, "poll", "x", A=1)
    stats(all, "poll", "x", A=1)
    a.vote("x", "B", "ephemeralPoll")
    stats(c, "ephemeralPoll", "x", B=1)
    stats(all, "ephemeralPoll", "x", B=1)
    b.vote("x", "A", "ephemeralPoll")
    stats(c, "ephemeralPoll", "x", A=1, B=1)
    stats(all, "ephemeralPoll", "x", A=1, B=1)
    b.unsubscribe("ephemeralPoll")
    a.vote("x", "C")
    stats(b, "poll", "x", C=1)
    stats(all, "poll", "x", C=1)
    quiet(*four)
    assert all.subscribe("poll:x", "ephemeralPoll:x") == [
        {"type": "poll", "data": {"id": "x", "stats": {"C": 1}}},
        {"type": "ephemeralPoll",
         "data": {"id": "x", "stats": {"A": 1, "B": 1}}}]


@pytest.mark.parametrize("data,id,answer", [
    ({"id": "x"}, "x", "undefined"), ({"id": "x", "answer": None}, "x", "null"),
    ({"id": "x", "answer": 5}, "x", "5"), ({"id": "x", "answer": 0}, "x", "0"),
    ({"id": "x", "answer": -0.0}, "x", "0"),
    ({"id": "x", "answer": 1.50}, "x", "1.5"),
    ({"id": "x", "answer": 1e21}, "x", "1e+21"),
    ({"id": "x", "answer": 1e-7}, "x", "1e-7"),
    ({"id": "x", "answer": 17.75 - 15.14}, "x", "2.6099999999999994"),
    ({"id": "x", "answer": 9007199254740993}, "x", "9007199254740992"),
    ({"id": "x", "answer": True}, "x", "true"),
    ({"id": "x", "answer": False}, "x", "false"),
    ({"id": "x", "answer": ""}, "x", ""),
    ({"answer": "A"}, "undefined", "A"), ({}, "undefined", "undefined"),
    ({"id": None, "answer": "A"}, "null", "A"),
    ({"id": 5, "answer": "A"}, "5", "A"),
    ({"id": 1.50, "answer": "A"}, "1.5", "A"),
    ({"id": True, "answer": "A"}, "true", "A"),
    ({"id": "", "answer": "A"}, "", "A")], ids=range(20))
def test_ids_and_answers_become_strings(four, kind, data, id, answer):
    """35: in what is told and in what a newcomer is told."""
    a, b, c, all = four
    a.tell(kind, data)
    want = {"type": kind, "data": {"id": id, "stats": {answer: 1}}}
    assert settle(*four)[all] == [want]
    assert c.subscribe(kind) == [want]


@pytest.mark.parametrize("data", [None, True, False, 0, 5, "", "x", "x:y"],
                         ids=range(8))
def test_data_that_is_no_object_is_ignored(four, kind, data):
    a, b, c, all = four
    a.tell(kind, data)
    a.tell(kind)
    quiet(*four)
    assert b.subscribe(kind) == []


NAMES = ["a:b", ":", "a b", " ", " x ", '"', "'", "\\", "/", "ü", "u\u0308",
         "名前", "🐕", "\n", "\t", "\x7f", "\u2028", "<b>", "%41", "{x}", "*",
         "0", "all", "undefined", "x" * 256, "ü" * 128]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_id_and_answer(four, kind, name):
    """36"""
    a, b, c, all = four
    b.subscribe(f"{kind}:{name}")
    for voter, answer, want in ((a, name, {name: 1}),
                                (b, "other", {name: 1, "other": 1}),
                                (a, "other", {"other": 2})):
        voter.vote(name, answer, kind)
        for p in b, all:
            p.expect(kind, {"id": name, "stats": want})
    quiet(*four)


def test_answers_differ_in_every_byte(four, kind):
    """36: and so do ids."""
    a, b, c, all = four
    for name in NAMES:
        a.vote(name, "x", kind)
        all.expect(kind, {"id": name, "stats": {"x": 1}})


# ---- leaving ----

@pytest.mark.parametrize("go", [leave_goodbye, leave_cut, leave_reset,
                                leave_asked])
def test_leaving_takes_ephemeral_votes(pact, go):
    """37: in each poll, told to subscribers; {} if it was the last."""
    a, b, all = crowd(pact, room(), 3)
    all.subscribe("poll", "ephemeralPoll")
    for id in "one", "two":
        a.vote(id, "A", "ephemeralPoll")
    b.vote("one", "B", "ephemeralPoll")
    a.vote("stays", "A")
    settle(a, b, all)
    go(a)
    heard = sorted((all.expect("ephemeralPoll") for _ in range(2)),
                   key=lambda d: d["id"])
    assert heard == [{"id": "one", "stats": {"B": 1}},
                     {"id": "two", "stats": {}}]
    quiet(b, all)
    state = sorted((m["data"] for m in b.subscribe("ephemeralPoll", "poll")),
                   key=lambda d: d["id"])
    assert state == [{"id": "one", "stats": {"B": 1}},
                     {"id": "stays", "stats": {"A": 1}},
                     {"id": "two", "stats": {}}]
    leave(b, all)


def test_empty_poll_can_be_voted_in_again(pact):
    """37"""
    g = room()
    a, all = crowd(pact, g, 2)
    all.subscribe("ephemeralPoll:x")
    for _ in range(3):
        a.vote("x", "A", "ephemeralPoll")
        stats(all, "ephemeralPoll", "x", A=1)
        a.goodbye()
        stats(all, "ephemeralPoll", "x")
        a = Pact(pact, g)
    assert details(pact, g)["ephemeralPollCount"] == 1
    leave(a, all)


def test_ephemeral_vote_goes_with_the_last_socket(pact):
    """38: whichever of them cast it."""
    g = room()
    one, two, three = (Pact(pact, g, "s") for _ in range(3))
    all = Pact(pact, g)
    all.subscribe("ephemeralPoll")
    one.vote("x", "A", "ephemeralPoll")
    stats(all, "ephemeralPoll", "x", A=1)
    one.goodbye()
    wait.until(lambda: details(pact, g)["count"] == 3, 5)
    quiet(two, three, all)
    two.vote("x", "B", "ephemeralPoll")
    stats(all, "ephemeralPoll", "x", B=1)
    two.reset()
    wait.until(lambda: details(pact, g)["count"] == 2, 5)
    quiet(three, all)
    back = Pact(pact, g, "s")
    three.goodbye()
    wait.until(lambda: details(pact, g)["count"] == 2, 5)
    quiet(back, all)
    back.goodbye()
    stats(all, "ephemeralPoll", "x")
    quiet(all)
    all.close()


def test_returning_session_votes_anew(pact):
    """Its ordinary vote is still its own, its ephemeral one is gone."""
    g = room()
    a, all = Pact(pact, g, "s"), Pact(pact, g)
    a.vote("x", "A")
    a.vote("x", "A", "ephemeralPoll")
    settle(a, all)
    a.goodbye()
    wait.until(lambda: details(pact, g)["count"] == 1, 5)
    assert all.subscribe("poll", "ephemeralPoll") == [
        {"type": "poll", "data": {"id": "x", "stats": {"A": 1}}},
        {"type": "ephemeralPoll", "data": {"id": "x", "stats": {}}}]
    a = Pact(pact, g, "s")
    a.vote("x", "B")
    stats(all, "poll", "x", B=1)
    a.vote("x", "B", "ephemeralPoll")
    stats(all, "ephemeralPoll", "x", B=1)
    leave(a, all)


def test_a_vote_just_before_leaving_is_taken_back(pact):
    """37: the two follow each other at once."""
    g = room()
    all = Pact(pact, g)
    all.subscribe("ephemeralPoll")
    for i in range(10):
        a = Pact(pact, g)
        for text in (message("ephemeralPoll", {"id": f"x{i}", "answer": "A"}),
                     message("poll", {"id": f"x{i}", "answer": "A"})):
            a.send(text)
        a.tell("close")
        assert a.end() in (1000, 1005)
        a.close()
        all.until("ephemeralPoll", {"id": f"x{i}", "stats": {"A": 1}})
        all.until("ephemeralPoll", {"id": f"x{i}", "stats": {}})
    quiet(all)
    state = [m["data"]["stats"] for m in all.subscribe("poll")]
    assert state == [{"A": 1}] * 10
    all.close()


def test_many_leave_at_once(pact):
    """37: each vote is taken back once."""
    g = room()
    all, *people = crowd(pact, g, 6)
    all.subscribe("ephemeralPoll")
    for n, p in enumerate(people, 1):
        p.vote("x", "A" if n % 2 else "B", "ephemeralPoll")
        all.until("ephemeralPoll", lambda d: sum(d["stats"].values()) == n)
    for p in people:
        p.reset()
    sums = [sum(all.expect("ephemeralPoll")["stats"].values()) for _ in people]
    assert sums == [4, 3, 2, 1, 0]
    quiet(all)
    all.close()


def test_votes_stay_when_all_have_left(start):
    """§9: nobody was there in between; ephemeral ones are not needed then."""
    k = start()
    for n in range(3):
        a, b = Pact(k, "r", f"s{n}"), Pact(k, "r", "always")
        a.vote("x", "A")
        b.vote("x", f"B{n}")
        a.vote("x", "A", "ephemeralPoll")
        settle(a, b)
        want = [{"type": "poll",
                 "data": {"id": "x", "stats": {"A": n + 1, f"B{n}": 1}}}]
        assert b.subscribe("poll:x") == want
        assert b.subscribe("ephemeralPoll:x") == [
            {"type": "ephemeralPoll",
             "data": {"id": "x", "stats": {"A": 1}}}]
        a.goodbye()
        b.goodbye()
        wait.until(lambda: k.replicas("r") == [], 5)
