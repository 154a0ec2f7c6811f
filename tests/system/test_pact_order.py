"""
Pact: a room is one sequence, however many processes it spans.  Numbers are those
of the checklist in the specification.
"""
import random
import threading

import pytest
from kit import nodes, wait
from kit.pact import (Pact, crowd, details, leave, message, quiet, room, settle,
                      users)
from kit.steps import Counting, orderly, split, step
from kit.ws import TEXT, frame


@pytest.fixture(scope="module", params=["redis", "none", "nodes"])
def four(request, start_shared, site):
    """Four processes, of one node or two, three sockets of a room in each."""
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=6, limit=3)
    redis = "none" if request.param == "none" else "auto"
    return start_shared(shards=4, max_shards=8, limit=3, redis=redis)


def together(*calls):
    """Each in a thread of its own; what they return."""
    results, errors = {}, []

    def run(i, call):
        try:
            results[i] = call()
        except BaseException as e:
            errors.append(e)
    threads = [threading.Thread(target=run, args=(i, c))
               for i, c in enumerate(calls)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if errors:
        raise errors[0]
    return [results[i] for i in range(len(calls))]


def listener(p, n):
    """Hears n messages of counters and polls."""
    def listen():
        return [p.hear() for _ in range(n)]
    return listen


def sender(p, texts):
    def send():
        for i in range(0, len(texts), 5):
            p.write(b"".join(frame(TEXT, t) for t in texts[i:i + 5]))
    return send


def test_twelve_see_the_same_steps_in_the_same_order(four):
    """28: 120 steps, each once, and each one's in its own order."""
    people = crowd(four, room(), 12)
    assert four.group(people[0].room) == [3, 3, 3, 3]
    for p in people:
        p.subscribe("counter:x")
    logs = together(
        *(listener(p, 120) for p in people),
        *(sender(p, [message("counter", {"id": "x", "value": step(w, n)})
                     for n in range(10)]) for w, p in enumerate(people, 1)))
    values = [m["data"]["value"] for m in logs[0]]
    for log in logs[:12]:
        assert [m["data"]["value"] for m in log] == values
    steps = split(values)
    orderly(steps)
    assert len(set(steps)) == 120
    quiet(*people)
    leave(*people)


def test_counters_and_polls_at_once(four):
    """28, 50: everything that is told is told to all in one order."""
    n, people = 40, crowd(four, room(), 12)
    for p in people:
        p.subscribe("counter", "poll", "ephemeralPoll")
    scripts = {}
    for w, p in enumerate(people, 1):
        rnd = random.Random(w)
        scripts[p] = [rnd.choice([
            ("counter", {"id": rnd.choice("xyz"), "value": step(w, i)}),
            ("poll", {"id": rnd.choice("pq"), "answer": rnd.choice("ABC")}),
            ("ephemeralPoll", {"id": "e", "answer": rnd.choice("ABC")})])
            for i in range(n)]
    logs = together(
        *(listener(p, 12 * n) for p in people),
        *(sender(p, [message(*m) for m in scripts[p]]) for p in people))
    for log in logs[:12]:
        assert log == logs[0]
    every = [m for p in people for m in scripts[p]]
    for id in "xyz":
        mine = [m["data"]["value"] for m in logs[0]
                if m["type"] == "counter" and m["data"]["id"] == id]
        orderly(split(mine))
        assert mine[-1] == sum(d["value"] for t, d in every
                               if t == "counter" and d["id"] == id)
    for kind, id in (("poll", "p"), ("poll", "q"), ("ephemeralPoll", "e")):
        mine = [m["data"]["stats"] for m in logs[0]
                if m["type"] == kind and m["data"]["id"] == id]
        last = {}
        for p in people:
            for t, d in scripts[p]:
                if (t, d["id"]) == (kind, id):
                    last[p] = d["answer"]
        want = {a: list(last.values()).count(a) for a in last.values()}
        assert mine[-1] == want
        assert len(mine) == sum((t, d["id"]) == (kind, id) for t, d in every)
        before = {}
        for stats in mine:              # one vote comes, or one moves
            change = [stats.get(a, 0) - before.get(a, 0)
                      for a in {*stats, *before}]
            assert sorted(c for c in change if c) in ([], [1], [-1, 1])
            assert all(v > 0 for v in stats.values())
            before = stats
    quiet(*people)
    leave(*people)


@pytest.mark.parametrize("place", ("one", "nodes"))
def test_sixty_clients_are_exact(start, site, place):
    """50: counter, votes and count; all connect and act at once."""
    if place == "nodes":
        k = nodes.Nodes(start, site(), shards=2, max_shards=4, limit=12)
    else:
        k = start(shards=4, max_shards=6, limit=12)
    g, n = "r", 20
    people = together(*(lambda: [Pact(k, g) for _ in range(10)]
                        for _ in range(6)))
    people = [p for some in people for p in some]
    assert sorted(p.suffix for p in people) == list(range(1, 61))
    assert len(k.group(g)) >= 4 and sum(k.group(g)) == 60
    d = details(k, g)
    assert (d["count"], d["uniqueCount"], d["increment"]) == (60, 60, 60)
    assert sorted(u["suffix"] for u in users(k, g)) == list(range(1, 61))
    watchers = people[::10]
    for p in watchers:
        p.subscribe("counter:x", "ephemeralPoll:e")
    texts = {}
    for w, p in enumerate(people, 1):
        texts[p] = [t for i in range(n) for t in (
            message("counter", {"id": "x", "value": step(w, i)}),
            message("counter", {"id": "y", "value": 1}),
            message("poll", {"id": "p", "answer": "ABCDE"[(w + i) % 5]}),
            message("ephemeralPoll", {"id": "e", "answer": f"{i % 3}"}))]

    def act(some):
        for i in range(0, 4 * n, 8):
            for p in some:
                p.write(b"".join(frame(TEXT, t) for t in texts[p][i:i + 8]))
    logs = together(*(listener(p, 60 * n * 2) for p in watchers),
                    *(lambda s=people[i::6]: act(s) for i in range(6)))
    for log in logs[:len(watchers)]:
        assert log == logs[0]
    steps = split(m["data"]["value"] for m in logs[0]
                  if m["type"] == "counter")
    orderly(steps)
    assert len(steps) == 60 * n
    last = [m for m in logs[0] if m["type"] == "ephemeralPoll"][-1]
    assert last["data"]["stats"] == {f"{(n - 1) % 3}": 60}
    late = Pact(k, g)
    state = {(m["type"], m["data"]["id"]): m["data"].get(
        "value", m["data"].get("stats"))
        for m in late.subscribe("counter", "poll")}
    assert state["counter", "y"] == 60 * n
    assert state["poll", "p"] == {a: 12 for a in "ABCDE"}
    for p in people[:30]:
        p.goodbye()
    wait.until(lambda: details(k, g)["count"] == 31, 5)
    leave(*people[30:], late)
    wait.until(lambda: details(k, g)["count"] == 0, 5)
    assert details(k, g)["increment"] == 61


def test_who_joins_midway_sees_state_then_every_step(four):
    """23, 28: while twelve count, on whatever shard it comes."""
    people = crowd(four, room(), 12)
    with Counting(people, pace=0.02) as c:
        c.more(20)
        late = []
        for _ in range(9):
            late.append(Pact(four, people[0].room))
            c.join(late[-1])
            c.more(15)
        value = c.finish()
        for p in late:
            assert c.seen[p][-1] == value and len(c.seen[p]) > 1


def test_subscribing_again_midway_repeats_one_value(four):
    """The state is that of its place in the order."""
    people = crowd(four, room(), 12)
    with Counting(people[1:], pace=0.02) as c:
        p, seen = people[0], []
        p.tell("subscribe", "counter:x")
        for _ in range(30):
            for _ in range(5):
                seen.append(p.expect("counter")["value"])
            p.tell("subscribe", "counter:x")
        value = c.finish()
        while seen[-1] != value:
            seen.append(p.expect("counter")["value"])
        seen += [m["data"]["value"] for m in settle(p)[p]]
        whole = c.seen[people[1]]
        assert sum(a == b for a, b in zip(seen, seen[1:])) == 30
        distinct = [b for a, b in zip([None, *seen], seen) if a != b]
        assert distinct == whole[-len(distinct):]
    p.close()


def test_comings_and_goings_in_an_ephemeral_poll(four):
    """37, 50: two who stay see the same.  Who leaves together may go at once."""
    g = room()
    watch = crowd(four, g, 2)
    for p in watch:
        p.subscribe("ephemeralPoll:e")
    rnd = random.Random(4711)
    n = 40

    def visit(w):
        for i in range(n // 4):
            p = Pact(four, g)
            p.vote("e", f"{w}{i % 3}", "ephemeralPoll")
            if rnd.random() < 0.5:
                p.vote("e", "moved", "ephemeralPoll")
            p.barrier()
            p.goodbye() if i % 2 else p.reset()

    def listen(p):
        log = []
        while not log or log[-1] != {"done": 1}:
            log.append(p.expect("ephemeralPoll")["stats"])
        return log

    def act():
        together(*(lambda w=w: visit(w) for w in range(4)))
        wait.until(lambda: details(four, g)["count"] == 2, 10)
        end = Pact(four, g)
        end.vote("e", "done", "ephemeralPoll")
        return end
    one, two, end = together(*(lambda p=p: listen(p) for p in watch), act)
    assert one == two
    before = {}
    for stats in one:
        change = sorted(c for c in (stats.get(a, 0) - before.get(a, 0)
                                    for a in {*stats, *before}) if c)
        # Those who leave with their process leave in one step.
        assert change in ([1], [-1, 1], []) or max(change) < 0
        before = stats
    leave(end)
    for p in watch:
        p.expect("ephemeralPoll", {"id": "e", "stats": {}})
    quiet(*watch)
    leave(*watch)


def test_one_senders_steps_keep_their_order(four):
    """Counter, poll and chat, mixed; chat among itself."""
    people = crowd(four, room(), 12)
    a, z = people[5], people[11]
    z.subscribe("counter:x", "poll:p", "chat")
    for i in range(100):
        a.count("x")
        a.vote("p", str(i))
        a.tell("chat", i)
    heard = [z.hear() for _ in range(300)]
    assert [m["data"]["message"] for m in heard if m["type"] == "chat"] == \
        list(range(100))
    ordered = [m["data"].get("value") or int(next(iter(m["data"]["stats"])))
               for m in heard if m["type"] != "chat"]
    assert ordered == [v for i in range(100) for v in (i + 1, i)]
    settle(*people)
    leave(*people)
