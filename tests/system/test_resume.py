"""What an application knows of its sockets when the process that had them has died."""
import signal
import socket
import time

import pytest
from kit import pact, wait
from kit.chat import barrier, crowd, room
from kit.deflate import Deflate, deflated
from kit.docs import example
from kit.look import Page
from kit.stream import Events
from kit.wire import Closed
from kit.ws import TEXT, Ended, WebSocket

CONFIG = """
[worker]
deflate = yes

[route plain]
path = /plain/{group}/ws
app = plain
group = path:group
uid = query:u

[route bare]
path = /bare/{group}/ws
app = bare
group = path:group
uid = query:u

[route lonely]
path = /lonely/ws
app = survivor
group = none
uid = query:u
keep = query:x
message_max = 100

[route survivor]
path = /g/{group}/ws /g/{group}/events
app = survivor
group = path:group
uid = query:u
stream = yes
"""


@pytest.fixture
def kennel(start, survivor):
    return start(shards=2, worker=survivor, config=CONFIG, deaths={signal.SIGABRT})


def client(k, uid, path="/g/room/ws", **kw):
    ws = WebSocket(k.address, f"{path}?u={uid}", **kw)
    ws.send("e ready")
    while ws.recv() != "e ready":
        pass
    return ws


def ask(ws, text, answer):
    """The answer; what its group says meanwhile is passed over."""
    ws.send(text)
    while (said := ws.recv()) != answer:
        assert said.startswith(("back ", "resumed ", "c ")), said


def shard_of(k, ws):
    ws.send("q")
    while not (said := ws.recv()).startswith("q "):
        pass
    return int(said.split()[1])


def covered(k, n):
    wait.until(lambda: k.status()["covered"] == n)


def kill(k, *ws):
    """Their shards die, and all of them are elsewhere."""
    for slot in {shard_of(k, w) for w in ws}:
        k.kill_shard(slot)


def hear(ws, text):
    while ws.recv() != text:
        pass


def test_the_checkpoint_comes_back_after_each_death(kennel):
    with client(kennel, "a") as a:
        covered(kennel, 1)
        ask(a, "keep eleven", "kept")
        for _ in range(3):
            kill(kennel, a)
            hear(a, "resumed eleven")
            covered(kennel, 1)
        for i in range(3):              # the last one is the one
            ask(a, f"keep {i}", "kept")
        kill(kennel, a)
        hear(a, "resumed 2")
        ask(a, "keep ", "kept")
        kill(kennel, a)
        hear(a, "resumed ")


def test_a_checkpoint_has_a_bound(kennel):
    with client(kennel, "a") as a:
        covered(kennel, 1)
        ask(a, "keep short", "kept")
        ask(a, "long 4096", "kept")
        ask(a, "long 4097", "Message too long")
        kill(kennel, a)
        hear(a, "resumed " + "x" * 4096)


def test_topics_and_group_are_as_before(kennel):
    with client(kennel, "a") as a, client(kennel, "b") as b:
        covered(kennel, 2)
        for topic in "one", "two":
            ask(a, f"+ {topic}", "+")
        ask(a, "- one", "-")
        kill(kennel, a)
        hear(a, "resumed ")
        ask(b, "e there", "e there")
        b.send("p one no longer")
        b.send("p two still")
        b.send("c all")
        for said in "p b still", "c b all":
            hear(a, said)
        ask(a, "+ two", "File exists")
        kennel.wait_group("room", [2])


def test_what_the_route_keeps_and_allows(kennel):
    with Deflate(kennel.address, "/lonely/ws?u=l&x=y+z") as ws:
        covered(kennel, 1)
        kill(kennel, ws)
        hear(ws, "resumed ")
        ask(ws, "x", "x y z")
        ws.send_frame(TEXT, deflated("e compressed"), rsv=4)
        hear(ws, "e compressed")
        assert ws.compressed
        ws.send("e " + "x" * 200)
        with pytest.raises(Ended) as e:
            ws.recv()
        assert e.value.code == 1009


def test_what_a_route_allows_goes_along_with_who_moves(start, survivor):
    k = start(shards=2, worker=survivor, config=CONFIG)
    with client(k, "l", "/lonely/ws") as ws:
        slot = shard_of(k, ws)
        k.ctl("drain", str(slot))
        assert shard_of(k, ws) != slot
        ws.send("e " + "x" * 200)
        with pytest.raises(Ended) as e:
            ws.recv()
        assert e.value.code == 1009


def test_a_stream_goes_on_as_what_it_was(kennel):
    with Events(kennel.address, "/g/room/events?u=s") as s, \
            client(kennel, "a") as a:
        covered(kennel, 2)
        kill(kennel, a)
        hear(a, "resumed ")
        while s.event() != ("message", "resumed a stream"):
            pass
        a.send("p streams two\nlines")
        s.hear("p a two\nlines")


def test_who_is_not_wanted_is_told_so(kennel):
    with client(kennel, "no") as no, client(kennel, "a") as a:
        covered(kennel, 2)
        ask(no, "keep no", "kept")
        kill(kennel, no, a)
        with pytest.raises(Ended) as e:
            while True:
                no.recv()
        assert (e.value.code, e.value.reason) == (
            1012, b"It could not be handed over.")
        hear(a, "resumed ")
        kennel.wait_group("room", [1])


def test_an_application_that_only_moves_goes_on_without_a_word(kennel):
    with WebSocket(kennel.address, "/bare/room/ws?u=b") as ws:
        covered(kennel, 1)
        ask(ws, "e one", "e one")
        kill(kennel, ws)
        ask(ws, "e two", "e two")
        kennel.wait_group("room", [1])


def test_an_application_that_knows_nothing_of_it_ends(kennel):
    with WebSocket(kennel.address, "/plain/room/ws?u=p") as ws:
        covered(kennel, 1)
        ask(ws, "e one", "e one")
        kill(kennel, ws)
        with pytest.raises((Ended, Closed)):
            ws.recv()
        kennel.wait_places(0)


def test_a_strike_is_cleared_by_a_message(kennel):
    with client(kennel, "a") as a:
        covered(kennel, 1)
        a.send("die")
        hear(a, "resumed ")
        slot = kennel.shard(shard_of_quietly(kennel))
        with Page(slot["pid"]) as page:
            assert page.of("a")["strikes"] == "1"
            ask(a, "e one", "e one")
            assert page.of("a")["strikes"] == "0"


def shard_of_quietly(k):
    """Where the one connection is, which is not asked."""
    return next(s["slot"] for s in k.shards() if s["connections"] == 1)


def test_two_processes_die_before_it_goes_on(kennel):
    """Its place is waited for, and it is covered meanwhile."""
    with client(kennel, "a") as a:
        covered(kennel, 1)
        ask(a, "keep eleven", "kept")
        for slot in (0, 1):
            if wait.until(lambda: any(s["slot"] == slot and s["pid"]
                                      for s in kennel.shards())):
                kennel.kill_shard(slot)
        hear(a, "resumed eleven")


def test_a_client_that_leaves_in_between(kennel):
    with client(kennel, "b") as b:
        a = client(kennel, "a")
        covered(kennel, 2)
        kill(kennel, a, b)
        a.sock.shutdown(socket.SHUT_RDWR)
        a.sock.close()
        hear(b, "resumed ")
        kennel.wait_group("room", [1])


def test_the_example(start, installed):
    k = start(shards=2, worker=installed.worker(example("kennel_checkpoint(")),
              config="[route all]\npath = /ws\napp = main\ngroup = none\n"
              "uid = query:u\n", deaths={signal.SIGABRT})
    with WebSocket(k.address, "/ws?u=a") as a:
        covered(k, 1)
        for i in range(1, 4):
            ask(a, "count", str(i))
        for i in range(4, 7):
            a.send("crash")
            assert a.recv() == "something may be missing"
            ask(a, "count", str(i))


# ---- shardd's own applications ----

def room_is_whole(k, name, n):
    wait.until(lambda: pact.details(k, name)["count"] == n and
               sorted(u["suffix"] for u in pact.users(k, name)) ==
               list(range(1, n + 1)))
    assert pact.details(k, name)["bootupTime"] > 0


@pytest.mark.parametrize("limit", [2, 100])
def test_pact(start, limit):
    """
    A room in several processes, or in one that was all of it: who is there, what each
    has subscribed to, relays and may is as before, whatever the room hears first: that
    a process has died, or that its sockets are elsewhere.
    """
    k = start(shards=2, limit=limit, max_shards=4, deaths=True,
              env={"KENNEL_SIGNING_KEY": pact.KEY})
    name = pact.room()
    a, b, c, d = people = pact.crowd(k, name, 4)
    c.authenticate(pact.KEY, int(time.time() * 1000))
    c.tell("relay", "counter")
    c.barrier()
    a.subscribe("counter:n")
    a.barrier()
    covered(k, 4)
    for i in range(4):
        slots = [s["slot"] for s in k.shards() if s["connections"]]
        k.kill_shard(slots[i % len(slots)])
        room_is_whole(k, name, 4)
        covered(k, 4)
        b.count("n")
        a.until("counter", {"id": "n", "value": i + 1})
        c.until("relay:counter")
        c.tell("config", f"c{i}")
        for p in people:
            p.until("config", f"c{i}")
    c.tell("deleteRelay", "counter")
    c.barrier()
    d.goodbye()
    wait.until(lambda: pact.details(k, name)["count"] == 3)
    pact.leave(a, b, c)


def test_chat_nobody_has_left(start):
    """Those elsewhere hear of nobody who goes on; all are on the list."""
    k = start(shards=2, limit=2, deaths=True)
    a, b, c = people = crowd(k, room(), "abc")
    covered(k, 3)
    for _ in range(4):
        k.kill_shard(next(s["slot"] for s in k.shards() if s["connections"]))
        covered(k, 3)
        wait.until(lambda: sorted(a.users()["list"]) == list("abc"))
        for heard in barrier(*people):
            assert "user:exit" not in [m["type"] for m in heard]


def test_echo(start):
    k = start(shards=2, deaths=True)
    with WebSocket(k.address, "/echo") as ws:
        covered(k, 1)
        for i in range(4):
            ask(ws, f"hello {i}", f"hello {i}")
            k.kill_shard(next(s["slot"] for s in k.shards()
                              if s["connections"]))
            covered(k, 1)
        ask(ws, "at last", "at last")
