"""Open connections move from shard to shard, and nobody notices."""
import random
import signal
import time

import pytest
from kit import pact, wait
from kit.chat import barrier, crowd, room
from kit.mover import Crowd, Mover, routes
from kit.deflate import deflated
from kit.kennel import Ports
from kit.raw import Raw
from kit.rolling import Rolling, roll
from kit.steps import Counting
from kit.wire import Wire
from kit.ws import BINARY, CONTINUATION, PING, TEXT, WebSocket, frame


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("mover.c")


def talk(people, groups, steps, n):
    """n of them say something, to all, one, or the subscribers; or take a step."""
    for m in random.sample(people, min(n, len(people))):
        kind = random.choice("ccCwwpiI")
        if kind in "iI":
            m.command(kind)
            steps[m.group] += 1
        elif kind == "w":
            others = [o.uid for o in groups[m.group] if o is not m]
            m.say("w", random.choice(others))
        else:
            m.say(kind, random.choice("ab") if kind == "p" else None)


@pytest.mark.parametrize("how", ["ask", "lookup"])
def test_every_message_once_and_in_order(start, worker, how):
    """9, 10, 21: All verbs, counters, and all shards replaced again and again."""
    random.seed(how)
    config = routes(16)
    if how == "lookup":
        config += "[worker]\nwhisper_ask = 0\n"
    k = start(shards=3, worker=worker, config=config)
    people = Crowd(Mover(k, f"g{i % 4}", f"u{i}") for i in range(60))
    groups = {}
    for m in people.movers:
        groups.setdefault(m.group, []).append(m)
        m.topics = {"n", random.choice("ab")}
        for topic in m.topics:
            m.command(f"+ {topic}")
    people.where()
    steps = dict.fromkeys(groups, 0)
    rolling = Rolling(k, [i % 3 for i in range(9)])
    while rolling.is_alive():
        talk(people.movers, groups, steps, 12)
        people.breathe()
        people.check_open()
    rolling.end()
    people.settle()
    for m in people.movers:
        want = list(range(1, steps[m.group] + 1))
        people.until(lambda: len(m.counts) >= len(want), what="counts")
        assert m.counts == want, m.uid
    assert sum(map(len, groups.values())) == len(people.where())
    k.exact()
    people.close()


def test_what_the_application_knows_goes_along(start, worker):
    """21"""
    k = start(shards=2, worker=worker, config=routes())
    people = Crowd([Mover(k, "g", "a"), Mover(k, "g", "b"), Mover(k, "", "c")])
    a, b, c = people.movers
    for m in people.movers:
        for i in range(5):
            m.command("e x")
    before = people.where()
    roll(k, [0, 1])
    after = people.where()
    for m in people.movers:
        assert int(before[m][0]) == 6 and int(after[m][0]) == 7
        assert before[m][1] != after[m][1]
    people.close()


def conversation():
    """Frames of all kinds, and what the echo application says to them."""
    packed = deflated("compressed " * 20)
    plain = b"".join([
        frame(TEXT, "h\u00e9llo \u20ac \U0001f600".encode()),
        frame(TEXT, "in p\u00e4".encode()[:5], fin=False),
        frame(PING, b"between"),
        frame(CONTINUATION, "in p\u00e4".encode()[5:], fin=False),
        frame(CONTINUATION, b"rts"),
        frame(BINARY, bytes(range(130))),
    ])
    return plain, frame(TEXT, packed[:7], fin=False, rsv=4) + \
        frame(CONTINUATION, packed[7:])


@pytest.mark.parametrize("deflate", [False, True])
def test_amid_a_message_at_any_byte(start, deflate):
    """1, 7: One client for each byte at which its stream is cut: there it moves."""
    k = start(shards=2, config="[worker]\ndeflate = yes\n")
    plain, compressed = conversation()
    said = plain + compressed if deflate else plain
    fields = [("Sec-WebSocket-Extensions", "permessage-deflate")] \
        if deflate else []

    def client():
        return WebSocket(k.address, "/echo", fields=fields)
    with client() as c:
        c.write(said + frame(TEXT, b"end"))
        want = c.read_until(b"end")
    clients = [client() for _ in range(len(said) + 1)]
    for i, c in enumerate(clients):
        c.write(said[:i])
    roll(k, [0, 1])
    for i, c in enumerate(clients):
        c.write(said[i:] + frame(TEXT, b"end"))
    for i, c in enumerate(clients):
        assert c.read_until(b"end") == want, i
        c.close()


def test_a_slow_reader_moves_with_what_it_is_owed(start):
    """8: Its stream is that of one who has never moved, however often it has."""
    k = start(shards=2, config="[worker]\nout_max = 4M\n")
    slow = WebSocket(k.address, "/echo")
    body = [random.randbytes(64 << 10) for _ in range(16)]
    for b in body:
        slow.send(b)
    got = b""
    for i in range(20):
        roll(k, [i % 2])
        got += slow.read(random.randint(1, 30 << 10))
    want = b"".join(b"\x82\x7f" + len(b).to_bytes(8, "big") + b for b in body)
    got += slow.read(len(want) - len(got))
    assert got == want
    assert k.status()["totals"]["moved"] >= 19     # but for where it was at first
    slow.close()


def test_a_large_message_amid_its_way(start):
    """1"""
    k = start(shards=2, config="[worker]\nmessage_max = 16M\nout_max = 32M\n")
    c = WebSocket(k.address, "/echo")
    body = random.randbytes(8 << 20)
    data = frame(BINARY, body)
    half = len(data) // 2
    c.write(data[:half])
    roll(k, [0, 1])
    c.write(data[half:])
    assert c.recv() == body
    c.close()


def test_chat_lists_always_have_everybody(start):
    """12: The list of users, asked for while they move, and nobody joins or exits."""
    k = start(shards=3, limit=5)
    g = room()
    names = [f"n{i}" for i in range(9)]
    people = crowd(k, g, names)
    rolling = Rolling(k, [0, 1, 2] * 2)
    asked = 0
    while rolling.is_alive() or asked == 0:
        for p in people:
            assert sorted(p.users()["list"]) == names
        asked += 1
    rolling.end()
    for before in barrier(people[0], *people[1:]):
        assert [m for m in before if m["type"] in ("user:join", "user:exit")
                and m["from"] not in names] == []
    for p in people:
        p.close()


def test_pact_knows_where_its_sessions_are(start):
    """21: Its counts of sockets, votes and relays, by replica, move along, and so does what
    they have subscribed to."""
    k = start(shards=2, env={"KENNEL_SIGNING_KEY": pact.KEY})
    name = pact.room()
    a, b, c = pact.crowd(k, name, 3)
    c.authenticate(pact.KEY, int(time.time() * 1000))
    c.tell("relay", "counter")
    c.barrier()
    a.subscribe("counter:n", "ephemeralPoll:p")
    a.vote("p", "yes", "ephemeralPoll")
    a.until("ephemeralPoll")
    for i, slot in enumerate([0, 1, 0, 1]):
        roll(k, [slot])
        b.count("n")
        a.until("counter", {"id": "n", "value": i + 1})
        c.until("relay:counter")
        assert pact.details(k, name)["count"] == 3
        assert {u["suffix"] for u in pact.users(k, name)} == {1, 2, 3}
    # The votes of who is there stay, those of who has gone go.
    b.vote("p", "yes", "ephemeralPoll")
    a.until("ephemeralPoll", {"id": "p", "stats": {"yes": 2}})
    b.goodbye()
    a.until("ephemeralPoll", {"id": "p", "stats": {"yes": 1}})
    c.tell("deleteRelay", "counter")
    c.barrier()
    wait.until(lambda: pact.details(k, name)["count"] == 2, 10)
    pact.leave(a, c)


def test_the_configuration_of_a_room_reaches_everybody_once(start):
    k = start(shards=2, env={"KENNEL_SIGNING_KEY": pact.KEY})
    name = pact.room()
    a, *others = pact.crowd(k, name, 6)
    a.authenticate(pact.KEY, int(time.time() * 1000))
    rolling = Rolling(k, [0, 1, 0, 1])
    n = 0
    while rolling.is_alive():
        a.tell("config", f"c{n}")
        a.until("config", f"c{n}")
        n += 1
    rolling.end()
    for p in others:
        heard = []
        while heard[-1:] != [f"c{n - 1}"]:
            heard.append(p.until("config")[1])
        assert heard == [f"c{i}" for i in range(n)] or \
            heard == sorted(heard, key=lambda c: int(c[1:]))
    pact.leave(a, *others)


def test_a_counter_is_heard_once_by_who_moves(start):
    """11: Each step by everybody, in one order, wherever the process is that they are in."""
    k = start(shards=3, env={"KENNEL_SIGNING_KEY": pact.KEY})
    people = pact.crowd(k, pact.room(), 12)
    with Counting(people, pace=0.001) as c:
        rolling = Rolling(k, [0, 1, 2] * 2)
        c.more(40)
        rolling.end()
        c.more(40)
        c.finish()
    assert k.status()["totals"]["moved"] > 0


def test_raw_connections_move(start, worker):
    """21: Amid a line, in both directions, and half closed."""
    port = Ports.take()
    k = start(shards=2, worker=worker, config=routes() + f"""
[listener lines]
address = 127.0.0.1:{port}
app = mover
group = const:lines
limit = 100
""")
    people = [Raw(("127.0.0.1", port), hello=False) for _ in range(12)]
    for p in people:
        p.s.sendall(b"e first\ne sec")
        assert p.line() == "e first"
    roll(k, [0, 1])
    for p in people:
        p.s.sendall(b"ond\n")
        assert p.line() == "e second"
    for i, p in enumerate(people):
        p.send(f"c {i}")
    for p in people:
        assert sorted(int(p.line().split(" ")[2]) for _ in range(11)) == \
            [i for i in range(12) if people[i] is not p]
        p.end()
        assert p.rest() == []


def test_streams_move(start, worker):
    """21: Of bytes, of events, and for HTTP/1.0."""
    k = start(shards=2, worker=worker, config=routes())
    a = Mover(k, "g", "a")
    people = Crowd([a])
    heads = [f"GET /m/g/{what}?u=s{i} HTTP/{version}\r\nHost: kennel\r\n\r\n"
             for i, (what, version) in enumerate(
                 (("stream", "1.1"), ("events", "1.1"), ("stream", "1.0"),
                  ("events", "1.0")) * 2)]
    streams = [Wire(k.address) for _ in heads]
    for w, head in zip(streams, heads):
        w.write(head.encode())
        w.read_until(b"\r\n\r\n")
    wait.until(lambda: sum(k.group("g")) == 9, 10)
    for i in range(4):
        a.say("c")
        roll(k, [i % 2])
        people.where()
    a.say("c")
    for w, head in zip(streams, heads):
        got = w.read_until(b"c a 4")
        assert [got.count(b"c a %d" % i) for i in range(5)] == [1] * 5
        w.close()
    people.close()


def test_who_cannot_be_thawed_stays(start, installed):
    """15, 21: The new process does not take them: they go on where they were."""
    k = start("--log-level", "debug", shards=2, worker=installed.worker("mover.c"), config=routes(),
              env={"MOVER_REFUSE": "1"})
    people = Crowd(Mover(k, "g", f"u{i}") for i in range(6))
    before = people.where()
    k.ctl("rebalance")
    k.wait_log("is not taken: its application did not take it", 20)
    for m in people.movers:
        m.command("e x")
    after = people.where()
    assert {m: w[1] for m, w in after.items()} == \
        {m: w[1] for m, w in before.items()}
    people.close()


def test_a_process_that_dies_of_thaw_takes_nobody_with_it(start, worker):
    """15: Whoever was sent to it is the old one's again, with all that was said meanwhile."""
    k = start(shards=2, worker=worker, config=routes(), deaths={signal.SIGABRT},
              env={"MOVER_ABORT": "1"})
    people = Crowd(Mover(k, "g", f"u{i}") for i in range(6))
    for m in people.movers:
        m.topics = set()
    before = people.where()
    k.ctl("rebalance")
    end = time.monotonic() + wait.limit(20)
    while "died signal=6" not in k.log():
        assert time.monotonic() < end
        random.choice(people.movers).say("c")
        people.turn(0.01)
    for m in people.movers:
        m.say("c")
    people.settle()
    assert {m: w[1] for m, w in people.where().items()} == \
        {m: w[1] for m, w in before.items()}
    people.close()
