"""Pages that speak api-ape go to other shards, and nobody notices."""
import random

import pytest
from kit import wait
from kit.ape import Ape, Stream
from kit.apemover import ApeMover, StreamMover
from kit.http import get
from kit.mover import Crowd
from kit.rolling import Evening, Rolling, lag, one_sided, roll
from kit.wire import Closed
from kit.ws import Ended


def talk(people, everybody, n):
    """n of them say something, unless they still wait for answers."""
    for m in random.sample(people, min(n, len(people))):
        if len(m.asked) > 4:
            continue
        kind = random.choice("ccCwwl")
        if kind == "l":
            m.ask("users/list", None)
        elif kind == "w":
            m.say("w", random.choice([o.uid for o in everybody if o is not m]))
        else:
            m.say(kind)


KEPT = """
[route ape]
path = /api/ape /api/ape/ping /api/ape/poll
app = ape
group = const:ape
uid = random20
keep = cookie:apeClientId cookie:sessionId User-Agent
limit = %d
stream = yes
"""


@pytest.fixture(scope="module")
def kept(installed):
    return installed.worker("ape_kept.c")


@pytest.mark.parametrize("pushes", ["cast", "told"])
def test_every_call_and_push_once_and_in_order(start, tmp_path, kept, pushes):
    """
    All verbs, while shards are replaced 20 times; lists always have everybody.  The
    library passes pushes on, or (where a hook wants to see each) the application does.
    """
    random.seed(17)
    k = start(shards=3, limit=14, env=lag(tmp_path)) if pushes == "cast" else \
        start(shards=3, worker=kept, config=KEPT % 14, env=lag(tmp_path, kept))
    people = [ApeMover(k) for _ in range(20)]
    streams = [StreamMover(k) for _ in range(6)]
    crowd = Crowd(people + streams)
    names = sorted(m.uid for m in crowd.movers)
    rolling = Rolling(k, [i % 3 for i in range(20)])
    while rolling.is_alive():
        talk(people, crowd.movers, 6)
        crowd.breathe()
        crowd.check_open()
    rolling.end()
    crowd.until(lambda: not any(m.asked for m in people), what="an answer")
    crowd.settle()
    lists = [x for m in people for x in m.lists]
    assert len(lists) > 10
    for x in lists:
        assert sorted(x) == names
    for m in people:
        want = [n for kind, n, _ in m.said if kind == "C"]
        crowd.until(lambda: len(m.mine) >= len(want), what="everyone")
        assert m.mine == want
    k.exact()
    moved = k.status()["totals"]["moved"]
    assert moved >= 100, moved
    crowd.close()


def before_and_after(k, ask):
    """What ask() gives in one shard, and then in another."""
    before = ask()
    roll(k, [0, 1])
    return before, ask()


def test_what_is_known_of_a_client_goes_along(start):
    """Its id, the cookies, the browser."""
    k = start(shards=2, limit=9)
    with Ape(k, cookie="A" * 20, session_id="s-17", agent="curl/8.1") as a:
        before, after = before_and_after(k, lambda: a.call("whoami"))
        assert before == after and before["sessionId"] == "s-17"
        assert before["agent"]["browser"]["name"] == "curl"
        assert k.status()["totals"]["moved"] == 2
    with Ape(k) as a:
        before, after = before_and_after(k, lambda: a.call("whoami"))
        assert before == after and before["sessionId"] is None


def test_a_call_is_not_made_twice_by_moving(start):
    k = start(shards=2, limit=9)
    with Ape(k) as a:
        text = a.text("echo", 1)
        assert a.reply(a.say(text))["data"] == 1
        roll(k, [0, 1])
        assert "was made already" in a.reply(a.say(text))["err"]
        # Nor is another one taken for it.
        assert a.call("echo", 2) == 2


def fetch(k, name):
    fields = [("Cookie", "apeClientId=" + "B" * 20)]
    r = get(k, f"/api/ape/data/{name}", fields=fields, host="localhost")
    assert r.status == 200 and len(r.body) == 999


def test_who_is_offered_a_file_goes_when_it_has_been_fetched(start):
    """The process that has the file ends with the clients it was offered to."""
    k = start(shards=2, limit=9)
    with Ape(k, cookie="B" * 20, host="localhost") as a:
        for slot in 0, 1, 0, 1:
            name = a.call("download", {"size": 999})["bytes<!L><!L>"]
            mark = len(k.log())
            rolling = Rolling(k, [slot])
            for _ in range(10):         # time enough for a journey
                if "moved=1" in k.log(mark):
                    break
                k.status()
            fetch(k, name)
            rolling.end()
            assert a.call("echo", slot) == slot
        assert k.status()["totals"]["moved"] >= 3


def test_what_the_program_keeps_goes_along(start, kept):
    k = start(shards=2, worker=kept, config=KEPT % 9)
    with Ape(k) as a:
        before, after = before_and_after(k, lambda: a.call("whoami"))
        assert before["by"] != after["by"]
        assert (before["calls"], after["calls"]) == (1, 2)
        assert before["clientId"] == after["clientId"]


def test_a_client_goes_when_its_calls_are_answered(start, kept):
    k = start(shards=2, worker=kept, config=KEPT % 9)
    with Ape(k) as a:
        by = a.call("whoami")["by"]
        query = a.ask("later", 700)
        roll(k, [0, 1])
        assert a.reply(query)["data"] == 700
        assert a.call("whoami")["by"] != by


def test_who_belongs_to_a_program_that_does_not_say_so_stays(start, kept):
    """It has hooks for who comes and goes: they are closed at the drain's end."""
    k = start(shards=2, worker=kept, config=KEPT % 9, env={"KENNEL_STAY": "y"})
    a, b = Ape(k), Ape(k)
    done = k.ctl("restart", "0", "--within", "1s", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert k.status()["totals"]["moved"] == 0
    ended = 0
    for p in a, b:
        try:
            p.call("echo", 1)
            p.close()
        except (Closed, Ended):
            ended += 1
    assert ended == 2               # there was room for both


def test_who_is_not_taken_has_heard_all_meanwhile(start, kept, tmp_path):
    """The other process does not thaw it: it was away for a moment, and is back."""
    refuse = tmp_path / "refuse"
    k = start(shards=2, worker=kept, config=KEPT % 60,
              env={"KENNEL_REFUSE": str(refuse), **lag(tmp_path, kept)})
    crowd = Crowd(ApeMover(k) for _ in range(50))
    one_sided(k)
    refuse.touch()
    evening = Evening(k, 15)
    while evening.is_alive():
        talk(crowd.movers, crowd.movers, 6)
        crowd.breathe()
        crowd.check_open()
    evening.end()
    crowd.until(lambda: not any(m.asked for m in crowd.movers), what="an answer")
    crowd.settle()
    k.exact()
    crowd.close()


def test_a_process_that_lives_on_lets_go(start):
    """Who has moved away from it, and then gone, is listed no more."""
    k = start(shards=2, limit=30)
    people = [Ape(k) for _ in range(16)]
    ids = sorted(p.id for p in people)
    one_sided(k)
    k.ctl("rebalance")
    wait.until(lambda: k.status()["totals"]["moved"] >= 7, 20)
    assert sorted(people[0].call("users/list")) == ids
    for p in people[1:]:
        p.close()
    wait.until(lambda: people[0].call("users/list") == [people[0].id], 20)
    assert people[0].call("sendto", {"to": ids[0], "type": "x"}) == \
        {"sent": ids[0] == people[0].id}
    people[0].close()


def test_streams_of_one_session_are_all_reached_wherever_they_go(start):
    k = start(shards=3, limit=2)
    a = Stream(k)
    b = Stream(k, cookie=a.cookie)
    for _ in range(2):
        roll(k, [0, 1, 2])
        for i in range(3):
            assert a.post("sendto", {"to": a.cookie, "type": "x", "data": i}).status == 200
            assert a.push() == b.push() == ("x", {"type": "x", "data": i})
    a.close(), b.close()


def test_who_waits_for_nothing_survives_its_process(start):
    """It is who it was; who waits for an answer that does not come is closed."""
    k = start(shards=2, limit=20)
    people = [Ape(k, session_id=f"s{i}") for i in range(8)]
    before = [p.call("whoami") for p in people]
    ids = sorted(b["clientId"] for b in before)
    k.kill_shard(0)
    for p, b in zip(people, before):
        assert p.call("whoami") == b
    wait.until(lambda: sorted(people[0].call("users/list")) == ids, 20)
    for p in people:
        p.call("sendto", {"to": ids[0], "type": "x", "data": p.raw})
    wait.until(lambda: k.status()["totals"]["survived"] >= 3)
    for p in people:
        p.close()
