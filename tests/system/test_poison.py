"""
A step of the shared state that kills whoever decides it is given to the next one,
and to no third.  And who is busy with steps is not taken for hung.
"""
import errno
import os
import signal

import pytest
from kit import kennel as kits
from kit import wait
from kit.wire import Closed
from kit.ws import Ended, Refused, WebSocket

CONFIG = """
[route poison]
path = /p/{group}
app = poison
group = path:group
uid = query:u uuid
limit = 1
"""


class Client(WebSocket):
    """A client of workers/poison.c."""

    def __init__(self, kennel, group="g"):
        super().__init__(kennel.address, f"/p/{group}")

    def do(self, step):
        self.send(step)
        return self.answer()

    def answer(self):
        return tuple(int(n) for n in self.recv().split())


@pytest.fixture(scope="session")
def worker(installed):
    return installed.worker("poison.c")


@pytest.fixture
def room(start, worker):
    """Starts a gateway with as many clients, each in a shard of its own."""
    def make(n, config="", **options):
        k = start(worker=worker, shards=n, max_shards=n, deaths={signal.SIGABRT},
                  config=CONFIG + config, **options)
        clients = [Client(k) for _ in range(n)]
        for c in clients:
            assert c.do("add ~m")[0] == 0
        return k, clients
    return make


def deaths(k):
    return sum(s["restarts"] for s in k.status()["shards"])


def check(k, clients, dead):
    """So many shards died; the others serve theirs, and the group."""
    rest = clients[dead:]
    values = {c.do("add m")[0] for c in rest}
    assert values == {0}
    wait.until(lambda: len(k.shards()) == len(clients), 30)
    assert deaths(k) == dead
    k.exact()
    for c in clients:
        c.close()


def test_a_step_that_kills_is_tried_twice(room):
    """17"""
    k, clients = room(4)
    assert clients[3].do("boom")[0] == errno.EBADMSG
    log = k.log()
    assert log.count("died amid=decide group=g ") == 2
    assert "is refused from now on" in log
    check(k, clients, 2)


def test_a_step_that_kills_amid_many_is_the_only_one_refused(room):
    k, clients = room(4)
    assert clients[3].do("many 20 boom") == (errno.EBADMSG, 40, 4)
    check(k, clients, 2)


def test_each_step_that_kills_is_found(room):
    """Also when two of them take turns: no shard dies for a third time."""
    k, clients = room(6)
    clients[4].send("boom")
    clients[5].send("boom")
    assert clients[4].answer()[0] == errno.EBADMSG
    assert clients[5].answer()[0] == errno.EBADMSG
    check(k, clients, 4)


@pytest.mark.parametrize("redis,map,written", [
    ("none", "m", 0), ("none", "~m", 0), ("auto", "~m", 0), ("auto", "m", 1)])
def test_a_step_whose_onstep_kills(room, redis, map, written):
    """Not all shards at once.  What was written by then stays, untold."""
    k, clients = room(4, redis=redis)
    err, m, memory = clients[3].do(f"late {map}")
    assert err == errno.EBADMSG
    assert (m, memory) == ((written, 4) if map == "m" else (0, 4))
    assert k.log().count("died amid=onstep group=g ") == 2
    assert clients[2].do("add m") == (0, written + 1, 4)
    assert clients[3].do("add ~m") == (0, written + 1, 5)
    check(k, clients, 2)


def test_the_clients_of_those_who_die_deciding_go_on(start, worker):
    """Two shards die within decide; all of their clients are served by others."""
    k = start(worker=worker, shards=3, max_shards=3, deaths={signal.SIGABRT}, config="""
[route survives]
path = /p/{group}
app = survives
group = path:group
uid = query:u uuid
limit = 2
""")
    clients = [Client(k) for _ in range(6)]
    for c in clients:
        assert c.do("add ~m")[0] == 0
    wait.until(lambda: k.status()["covered"] == 6, 20)
    assert clients[5].do("boom")[0] == errno.EBADMSG
    wait.until(lambda: len(k.shards()) == 3 and
               sum(s["connections"] for s in k.shards()) == 6, 30)
    assert deaths(k) == 2
    # Who has a place in a shard has survived when that says so.
    wait.until(lambda: k.status()["totals"]["survived"] >= 4, 30)
    assert k.status()["totals"]["lost_by_death"] == 0
    # They are of the group as before: each one's step is counted by all.
    for n, c in enumerate(clients, 1):
        assert c.do("add m")[:2] == (0, n)
    k.exact()
    for c in clients:
        c.close()


def test_an_end_that_kills_is_tried_twice(room):
    """Whose ongone aborts: the successors are not killed one after another."""
    k, clients = room(5)
    assert clients[4].do("curse")[0] == 0
    cursed = k.replicas("g")[4]["shard"]
    k.kill_shard(pid=next(s["pid"] for s in k.shards()
                          if s["address"] == cursed))
    assert clients[3].do("add m")[0] == 0
    k.wait_log("is refused from now on")
    assert clients[2].do("add m") == (0, 2, 5)
    assert k.log().count("died amid=decide group=g ") == 2
    wait.until(lambda: len(k.shards()) == 5, 30)
    assert deaths(k) == 3
    for c in clients:
        c.close()


def test_a_state_that_kills_who_gets_it(start, worker):
    """Newcomers in other shards do not kill those one after another."""
    k = start(worker=worker, shards=4, max_shards=4, config=CONFIG,
              deaths={signal.SIGABRT})
    first = Client(k)
    assert first.do("tabu")[0] == 0
    assert deaths(k) == 0

    def newcomer():
        try:
            c = Client(k)
            if c.do("add m")[0] == 0:
                return c
        except (Closed, Ended, Refused, OSError):
            pass
        wait.until(lambda: len(k.shards()) == 4, 30)
        return None
    second = wait.until(newcomer, 30)
    third = wait.until(newcomer, 30)
    assert deaths(k) == 2
    assert k.log().count("died amid=onreset group=g ") == 2
    assert first.do("add m")[0] == 0
    k.exact()
    for c in first, second, third:
        c.close()


def test_a_step_that_hangs_holds_up_two(room):
    """Who waits is told before all of them hang."""
    k, clients = room(4, config="[gateway]\nwatchdog = 4s\n")
    assert clients[3].do("hang")[0] == errno.EBADMSG
    wait.until(lambda: deaths(k) == 2, 30)
    assert k.log().count("hangs amid=decide group=g ") == 2
    check(k, clients, 2)


def test_a_step_that_is_slow_is_not_refused(room):
    """Others take over from who decides, and nobody dies of it."""
    k, clients = room(2, config="[gateway]\nwatchdog = 4s\n")
    assert clients[1].do("work 1500")[0] == 0
    assert "is refused from now on" not in k.log()
    check(k, clients, 0)


def test_who_is_busy_is_not_hung(room):
    """For twice the watchdog's time with steps, each of which is far shorter."""
    k, clients = room(1, config="[gateway]\nwatchdog = 2s\n")
    assert clients[0].do("toil 10 500")[0] == 0
    check(k, clients, 0)


def test_who_is_busy_at_a_take_over_has_time(room):
    """Longer than a new gateway waits at its start."""
    k, clients = room(2)
    pids = {s["pid"] for s in k.shards()}
    clients[0].send("work 4000")
    k.kill_gateway()
    k.start()
    assert clients[0].answer()[0] == 0
    wait.until(lambda: len(k.shards()) == 2, 30)
    assert {s["pid"] for s in k.shards()} == pids
    check(k, clients, 0)


@pytest.mark.parametrize("how", ["scribble", "stop"])
def test_a_page_full_of_lies_harms_nobody(start, worker, how):
    """6"""
    k = start(worker=worker, shards=2, max_shards=2, deaths={signal.SIGABRT},
              config=CONFIG + "[gateway]\nwatchdog = 400ms\n")
    gateway = k.pid
    for seed in range(6):
        wait.until(lambda: len(k.shards()) == 2, 30)
        c = Client(k)
        assert c.do("add m")[0] == 0
        address = k.replicas("g")[0]["shard"]
        pid = next(s["pid"] for s in k.shards() if s["address"] == address)
        c.send(f"{how} {seed}")
        wait.until(lambda: not kits.alive(pid), 30)
        c.close()
        k.wait_places(0)
    assert k.pid == gateway and k.process.poll() is None
    assert "could be cut" not in k.log()
    k.exact()
