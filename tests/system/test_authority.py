"""
Who decides in a group, when much is lost at once, or in an unlucky order.
What Pact's users see of it otherwise is in test_pact_faults.py.
"""

import errno
import os
import signal
import socketserver
import subprocess
import threading
import time

import pytest
from kit import redis, wait
from kit.pact import Pact, crowd, details, leave, settle
from kit.ws import WebSocket, handshake

CONFIG = """
[route steps]
path = /s/{group}
app = steps
group = path:group
uid = query:u uuid
limit = %d
"""

# Nobody is doubted because a test made it sleep.
PATIENT = """
[gateway]
watchdog = 60s
"""


class Steps(WebSocket):
    """A client of workers/steps.c."""

    def __init__(self, kennel, group):
        super().__init__(kennel.address, f"/s/{group}")

    def do(self, command):
        self.send(command)
        return [int(n) for n in self.recv().split()]


@pytest.fixture(scope="session")
def steps(installed):
    return installed.worker("steps.c")


def shard_of(k, group, i):
    """Pid of the shard of a group's replica number i, oldest first."""
    address = k.replicas(group)[i]["shard"]
    return next(s["pid"] for s in k.shards() if s["address"] == address)


def test_more_are_lost_than_one_step_writes_off(start):
    """A step changes 2000 keys at most; nothing of whoever is gone stays."""
    k = start(cover=False, shards=2, max_shards=2, limit=800)
    many = crowd(k, "r", 800)
    with Pact(k, "r") as p:
        assert p.subscribe("ephemeralPoll") == []
        for m in many[:3]:
            m.vote("p", "A", "ephemeralPoll")
        for n in range(3):
            p.until("ephemeralPoll", {"id": "p", "stats": {"A": n + 1}})
        k.kill_shard(pid=shard_of(k, "r", 0))
        p.until("ephemeralPoll", {"id": "p", "stats": {}})
        wait.until(lambda: details(k, "r")["count"] == 1, 10,
                   f"one is left, {details(k, 'r')}")
        assert details(k, "r")["uniqueCount"] == 1
    leave(*many)


def test_shard_dies_while_there_is_no_gateway(start):
    """The next gateway has never heard of its replicas: they are gone."""
    k = start(shards=3, max_shards=3, limit=2)
    people = crowd(k, "r", 6)
    middle = shard_of(k, "r", 1)
    settle(*people)
    k.kill_gateway()
    k.kill_shard(pid=middle)
    k.start()
    rest = people[:2] + people[4:]
    wait.until(lambda: details(k, "r")["count"] == 4, 10,
               f"four are left, {details(k, 'r')}")
    settle(*rest)
    leave(*people)


def store_keys(r, name):
    """The keys of a room, without their beginning."""
    begin = f"kennel:store:{name}:pact:"
    return {key[len(begin):]: r("TYPE", key) for key in r.keys(begin + "*")}


def test_a_key_that_is_no_hash_costs_what_needs_it(start):
    """Somebody wrote it by hand: nothing is written by halves."""
    k = start(shards=2)
    with Pact(k, "r") as p, k.redis() as r:
        assert p.subscribe("counter", "ephemeralPoll") == []
        p.count("a", 1)
        p.expect("counter", {"id": "a", "value": 1})
        seq = r("HGET", "kennel:store:r:pact", "seq")
        r("SET", "kennel:store:r:pact:polls", "mine")
        p.vote("x", "A")
        p.error()
        # What needs no such key goes on.
        p.vote("x", "A", "ephemeralPoll")
        p.expect("ephemeralPoll", {"id": "x", "stats": {"A": 1}})
        assert r("HGET", "kennel:store:r:pact", "seq") == seq
        assert "tally%3Ax" not in store_keys(r, "r")
        r("DEL", "kennel:store:r:pact:polls")

        def counts():
            p.count("a", 1)
            return p.hear()["type"] == "counter"
        wait.until(counts, 10)
        p.vote("x", "A")
        settle(p)
        assert details(k, "r")["pollCount"] == 1
    k.term()
    k.start()
    assert details(k, "r")["pollCount"] == 1


def test_the_log_is_bounded(start):
    """What is kept for successors is a few MiB, however large the steps."""
    k = start(shards=2)
    key = "kennel:store:r:pact"
    people = crowd(k, "r", 8)
    for n in range(60):
        for i, p in enumerate(people):
            p.tell("login", {"n": n, "x": str(i) * 16000})
    for p in people:
        p.until("profile", lambda d: d["properties"]["n"] == 59)
    with k.redis() as r:
        logged = r("EVAL", """
            local n = 0
            for _, batch in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
                n = n + #batch
            end
            return n""", 1, key + ":.log")
        assert 100000 < logged <= 4 << 20
        assert r("HGET", key, "logged") == str(logged)
    leave(*people)


def test_a_step_that_was_dropped_is_not_passed_over(start, steps):
    """More wait than are taken: the later ones wait for those before them."""
    k = start(worker=steps, config=CONFIG % 1)
    with Steps(k, "g") as a, Steps(k, "g") as b:
        for n, p in enumerate((a, b), 1):
            good, bad, value = p.do("flood 17 1000000")
            assert (good, bad, value) == (18, 0, 18 * n)


def test_large_states_are_written_and_written_again(start, steps, server):
    """More than 8 MiB at once, into Redis and into one that came back empty."""
    server.start()
    k = start(worker=steps, config=CONFIG % 1, redis="unix:" + server.path)
    size = 1 << 20
    with Steps(k, "g") as a, Steps(k, "g") as b:
        assert a.do(f"put m 12 {size}") == [0]
        assert b.do("add n") == [0, 1]
        assert b.do("count m") == [12, 12 * size]
        assert a.do(f"put m 17 {size}") != [0]          # beyond store_max
        assert a.do(f"again m 100 {size}") != [0]
        with redis.Redis(server.path) as r:
            r("FLUSHALL")
        wait.until(lambda: b.do("add n")[0] == 0, 10)
        n = b.do("add n")[1]
    k.term()
    k.start()
    with Steps(k, "g") as a:
        assert a.do("count m") == [12, 12 * size]
        assert a.do("add n") == [0, n + 1]


def test_who_wakes_up_deposed_has_decided_nothing(start, steps):
    """It slept, another one was named, and the first it reads is a step."""
    k = start(worker=steps, config=CONFIG % 1, shards=3)
    with Steps(k, "g") as a, Steps(k, "g") as b, Steps(k, "g") as c:
        assert a.do("add ~v") == [0, 1]
        pid = k.stop_shard(pid=shard_of(k, "g", 0))
        a.send("add ~v")
        assert b.do("add ~v")[0] == 0           # by then there is another
        assert c.do("add ~v") == [0, 3]
        os.kill(pid, signal.SIGCONT)
        assert [int(n) for n in a.recv().split()] == [0, 4]
        assert b.do("add ~v") == [0, 5]
        assert c.do("add ~v") == [0, 6]
        assert a.do("add ~v") == [0, 7]


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

int
clock_gettime(clockid_t id, struct timespec *ts)
{
	int (*real)(clockid_t, struct timespec *);
	int rv;

	*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	rv = real(id, ts);
	%s
	return (rv);
}
"""


def clock(directory, change):
    """A library with a clock that shows something else."""
    (directory / "clock.c").write_text(CLOCK % change)
    library = str(directory / "clock.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library,
                    str(directory / "clock.c"), "-ldl"], check=True)
    return library


def test_the_clock_goes_back(start, steps, tmp_path):
    """Terms rise, although the gateway that makes them knows no better."""
    k = start(worker=steps, config=CONFIG % 1, shards=3)
    with Steps(k, "g"), Steps(k, "g") as b, Steps(k, "g") as c:
        assert b.do("add ~v") == [0, 1]
        first = shard_of(k, "g", 0)
        k.kill_gateway()
        k.kill_shard(pid=first)
        k.env["LD_PRELOAD"] = clock(
            tmp_path, "if (id == CLOCK_REALTIME) ts->tv_sec -= 3600;")
        k.start()
        assert b.do("add ~v") == [0, 2]
        assert c.do("add ~v") == [0, 3]


def test_time_passes_amid_a_turn(start, server, tmp_path):
    """What begins later than the look at the clock is not old."""
    library = clock(tmp_path, """
	static long reads;              /* each takes a millisecond */
	if (id == CLOCK_MONOTONIC) {
		ts->tv_nsec += ++reads * 1000000;
		ts->tv_sec += ts->tv_nsec / 1000000000;
		ts->tv_nsec %= 1000000000;
	}""")
    server.start()
    k = start(shards=1, redis=f"unix:{server.path}",
              env={"LD_PRELOAD": library})
    server.stop()
    p = Pact(k, "r", greet=False)
    assert "unavailable" in p.error()
    server.start()
    p.greeted()
    p.close()


def test_a_state_in_many_parts(start, steps):
    """Of many keys, and of large values; whoever comes has all of it."""
    k = start(worker=steps, config=CONFIG % 1, shards=4)
    with Steps(k, "g") as a, Steps(k, "g") as b:
        for n in range(4):
            assert a.do(f"put ~m{n} 2000 10") == [0]
            assert b.do(f"put d{n} 40 30000") == [0]
        with Steps(k, "g") as c:
            for n in range(4):
                assert c.do(f"count ~m{n}") == [2000, 20000]
                assert c.do(f"count d{n}") == [40, 1200000]
            k.kill_shard(pid=shard_of(k, "g", 0))
            with Steps(k, "g") as d:
                assert d.do("put ~m0 1 1") == [0]
                for p in c, d:
                    assert p.do("count ~m0") == [2000, 19991]
                    assert p.do("count ~m3") == [2000, 20000]
                    assert p.do("count d3") == [40, 1200000]


def test_who_sleeps_is_waited_for_once(start, steps):
    """Not at each step; and again, when it has heard what it missed."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=3)
    with Steps(k, "g") as a, Steps(k, "g") as b, Steps(k, "g") as c:
        pid = k.stop_shard(pid=shard_of(k, "g", 2))
        began = time.monotonic()
        for n in range(10):
            assert a.do("add ~v") == [0, 2 * n + 1]
            assert b.do("add ~v") == [0, 2 * n + 2]
        assert time.monotonic() - began < wait.limit(4)
        os.kill(pid, signal.SIGCONT)
        assert c.do("add ~v") == [0, 21]
        for n in range(1, 50):
            assert (a, b)[n % 2].do(f"put ~m 1 {n}") == [0]
            assert c.do("count ~m") == [1, n]


def test_two_successions_and_one_who_slept(start, steps):
    """It heard what the first decided, the others what the second did."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=4)
    with Steps(k, "g") as a, Steps(k, "g") as b, Steps(k, "g") as c, \
            Steps(k, "g") as d:
        first, second, third, last = (shard_of(k, "g", i) for i in range(4))
        assert a.do("add ~v") == [0, 1]
        os.kill(second, signal.SIGSTOP)
        os.kill(third, signal.SIGSTOP)
        assert a.do("put ~one 1 1000000") == [0]    # more than sockets hold
        assert d.do("count ~one") == [1, 1000000]
        os.kill(last, signal.SIGSTOP)
        k.kill_shard(pid=first)
        os.kill(second, signal.SIGCONT)
        os.kill(third, signal.SIGCONT)
        assert b.do("put ~two 1 10") == [0]
        assert c.do("count ~two") == [1, 10]
        k.kill_shard(pid=second)
        os.kill(last, signal.SIGCONT)
        assert c.do("add ~v") == [0, 2]
        assert d.do("add ~v") == [0, 3]
        for m in "~one", "~two", "~v":
            assert c.do(f"count {m}") == d.do(f"count {m}"), m


def test_a_step_that_was_refused_while_its_origin_slept(start, steps):
    """It has no news of that, only the state of the next who decides."""
    k = start(worker=steps, config=CONFIG % 2 + PATIENT, shards=3)
    with Steps(k, "g") as a, Steps(k, "g"), Steps(k, "g") as b, \
            Steps(k, "g") as b2, Steps(k, "g") as c, Steps(k, "g") as c2:
        def ask(asker, other, command):
            """Its shard has passed it on when the other has answers."""
            asker.send(command)
            other.do("id")
            other.do("id")

        first, last = shard_of(k, "g", 0), shard_of(k, "g", 2)
        assert a.do("add ~v") == [0, 1]
        os.kill(first, signal.SIGSTOP)
        ask(c, c2, "put ~m 1 2000000")
        os.kill(last, signal.SIGSTOP)
        ask(b, b2, "put ~big 1 1000000")        # more than a socket holds
        os.kill(first, signal.SIGCONT)
        wait.until(lambda: b2.do("count ~big") == [1, 1000000])
        k.kill_shard(pid=first)
        assert b2.do("add ~v") == [0, 2]
        os.kill(last, signal.SIGCONT)
        assert c.recv() == str(errno.EMSGSIZE)
        assert c.do("add ~v") == [0, 3]
        assert c.do("count ~m") == [0, 0]
        assert b.recv() == "0"


def test_a_state_is_written_again_all_or_nothing(start, steps, server):
    """Redis came back with an older one, and in the middle all is lost."""
    server.start()
    key, path = "kennel:store:g:steps", server.path + ".cut"
    cut = redis.Cut(server.path, path, b"$1\r\n-\r\n$5\r\nfirst\r\n", 1 << 20)
    k = start(worker=steps, config=CONFIG % 1, redis="unix:" + path)
    with redis.Redis(server.path) as r:
        def whole(p):
            for n in range(4):
                assert p.do(f"count m{n}") == [1900, 1900 * 500]
                assert r("HLEN", f"{key}:m{n}") == 1900

        with Steps(k, "g") as a:
            for n in range(4):
                assert a.do(f"put m{n} 1900 500") == [0]
            whole(a)
            r("HSET", key, "seq", 1)
            a.send("add n")
            wait.until(cut.over.is_set)
            k.kill_all()
        cut.close()
        k.options["redis"] = "unix:" + server.path
        k.start()
        with Steps(k, "g") as a:
            whole(a)
            assert a.do("add n") == [0, 1]
            r("HSET", key, "seq", 1)
            assert a.do("add n") == [0, 2]
            whole(a)
            assert int(r("HGET", key, "seq")) > 1
            assert r.keys("*.new*") == []
            assert {r("TTL", name) for name in r.keys(key + "*")} == {-1}


def test_an_end_is_told_once(start, steps):
    """Whoever hears of it from who decides before the gateway says so, too."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=3)
    with Steps(k, "g") as a, Steps(k, "g") as b:
        second = shard_of(k, "g", 1)
        for n in range(1, 21):
            with Steps(k, "g") as c:
                assert c.do("get ~gone") == [n - 1]
                os.kill(second, signal.SIGSTOP)
            wait.until(lambda: a.do("get ~gone") == [n])
            os.kill(second, signal.SIGCONT)
            wait.until(lambda: b.do("get ~gone") == [n])
        k.kill_shard(pid=shard_of(k, "g", 0))
        assert b.do("add ~v") == [0, 1]
        assert b.do("get ~gone") == [21]


def test_a_step_for_who_was_deposed_is_nothing_to_come_back_to(start, steps):
    """It was decided by another, its origin is gone, and then it reigns again."""
    k = start(worker=steps, config=CONFIG % 1 + "[gateway]\nwatchdog = 6s\n",
              shards=4)
    with Steps(k, "g") as a, Steps(k, "g") as b, Steps(k, "g") as c:
        assert a.do("add ~v") == [0, 1]
        pid = k.stop_shard(pid=shard_of(k, "g", 0))
        with Steps(k, "g") as d:        # what the gateway says is read first
            d.do("id")
            c.send("add ~v")
            assert b.do("add ~v")[0] == 0
            assert c.recv()[0] == "0"
        os.kill(pid, signal.SIGCONT)
        wait.until(lambda: a.do("get ~v") == [3])
        c.close()
        wait.until(lambda: a.do("get ~gone") == [2])
        k.kill_shard(pid=shard_of(k, "g", 1))
        assert a.do("add ~v") == [0, 4]


def test_news_lost_with_a_link_come_when_it_is_back(start, steps):
    """More waited than a link holds; nothing happens afterwards."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=2,
              faults="missed news")
    with Steps(k, "g") as a, Steps(k, "g") as b:
        assert b.do("add ~v") == [0, 1]
        pid = k.stop_shard(pid=shard_of(k, "g", 1))
        while "64 MiB are queued" not in k.log():
            assert a.do("put ~big 7 1000000") == [0]
        os.kill(pid, signal.SIGCONT)
        wait.until(lambda: b.do("count ~big") == [7, 7000000])
        # (A step behind all that may take longer than it has.)
        k.wait_log("has sent what waited", 60)
        assert b.do("add ~v") == [0, 2]
        assert shard_of(k, "g", 1) == pid


class Liar(socketserver.StreamRequestHandler):
    """A Redis that runs no script and answers something else."""
    answers = {b"PING": b"+PONG\r\n", b"SCRIPT": b"$40\r\n%s\r\n" % (b"0" * 40),
               b"HKEYS": b"*0\r\n", b"SMEMBERS": b"*0\r\n"}

    def handle(self):
        for line in iter(self.rfile.readline, b""):
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            if words[0] == b"EVALSHA":
                self.server.asked += 1
                self.wfile.write(self.server.lie)
            else:
                self.wfile.write(self.answers.get(words[0], b":1\r\n"))


@pytest.mark.parametrize("lie", [
    "*4 :1 :1 $3 all *0", "*4 :1 :1 $3 all *2 $1 m *0", "*4 :1 :1 $3 log *1 :7",
    "*4 :1 :1 $3 all *3 $1 m *3 :1 :1 :1 :7", "*3 $1 x :1 :1", "*0", "*-1", "$-1",
    "$2 ok", ":5", "+ok", "-ERR no", "*4 :-1 :-1 $3 log *2 $1 x *-1",
    "*4 :1 :1 $3 all *3 $1 m *4 $1 k *-1 *0 $1 v $1 x",
])
def test_a_redis_that_answers_anything(start, steps, tmp_path, lie):
    """Whoever believes it, if anybody, is none the worse for it."""
    path = str(tmp_path / "redis.sock")
    with socketserver.ThreadingUnixStreamServer(path, Liar) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.asked, server.lie = 0, lie.replace(" ", "\r\n").encode() + b"\r\n"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        k = start(worker=steps, config=CONFIG % 1, redis="unix:" + path,
                  faults="bad news")
        pids = [s["pid"] for s in k.shards()]
        with Steps(k, "g") as a, Steps(k, "g") as b:
            assert a.do("add ~v") == [0, 1]
            assert b.do("add ~v") == [0, 2]
            a.send("add n")
            wait.until(lambda: server.asked > 1)
        assert [s["pid"] for s in k.shards()] == pids
        k.stop()
        server.shutdown()


def newcomer(k, group):
    """Somebody who has asked to be opened, and has not read the answer."""
    s = Steps.__new__(Steps)
    WebSocket.__init__(s, k.address, open=False)
    s.write(handshake(f"/s/{group}", s.key))
    return s


def test_nobody_is_opened_before_the_state_is_here(start, steps):
    """Who has it sleeps when a newcomer needs it: it is waited for."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=2)
    with Steps(k, "g") as a:
        assert a.do("put ~m 2000 10") == [0]
        pid = k.stop_shard(pid=shard_of(k, "g", 0))
        with newcomer(k, "g") as b:
            k.wait_log("neighbour=.* is silent")    # a second has passed
            os.kill(pid, signal.SIGCONT)
            b.opened()
            assert b.do("count ~m") == [2000, 20000]
            assert a.do("count ~m") == [2000, 20000]


def test_whom_the_state_does_not_reach_is_told_to_come_again(start, steps):
    """In words, before anything was opened; then it is as if nothing was."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=2)
    with Steps(k, "g") as a:
        assert a.do("put ~m 2000 10") == [0]
        pid = k.stop_shard(pid=shard_of(k, "g", 0))
        with newcomer(k, "g") as b:
            r = b.response()
            assert r.status == 503
            assert r["Retry-After"] == "1"
            assert b"was not here in time" in r.body
            assert b.ended()
        wait.until(lambda: k.status()["totals"]["gone"].get("not-ready") == 1)
        os.kill(pid, signal.SIGCONT)
        k.wait_group("g", [1])
        with Steps(k, "g") as b:
            assert b.do("count ~m") == [2000, 20000]
            assert a.do("add ~v") == [0, 1]


def test_a_slow_redis_does_not_open_a_group_without_its_state(start, steps,
                                                             server):
    """What is in there is waited for, not taken for nothing."""
    server.start()
    k = start(worker=steps, config=CONFIG % 1, redis="unix:" + server.path)
    with Steps(k, "g") as a:
        assert a.do("put m 2000 10") == [0]
    k.wait_group("g", [])
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        b = newcomer(k, "g")
        k.wait_log("waits for its state")
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    with b:
        b.opened()
        assert b.do("count m") == [2000, 20000]
        assert b.do("add n") == [0, 1]


def test_who_knows_nothing_does_not_decide_over_who_is_late(start, steps):
    """It is the eldest when the first dies; the third has the state, and sleeps."""
    k = start(worker=steps, config=CONFIG % 1 + PATIENT, shards=3)
    with Steps(k, "g") as a:
        assert a.do("put ~m 2000 10") == [0]
        first = shard_of(k, "g", 0)
        rest = {s["pid"] for s in k.shards()} - {first}
        for pid in rest:
            os.kill(pid, signal.SIGSTOP)
        with newcomer(k, "g") as b:
            k.wait_group("g", [1, 1])
            second = shard_of(k, "g", 1)
            third, = rest - {second}
            os.kill(third, signal.SIGCONT)
            with Steps(k, "g") as c:
                assert c.do("count ~m") == [2000, 20000]
                os.kill(third, signal.SIGSTOP)
                k.kill_shard(pid=first)
                k.wait_group("g", [1, 1])
                os.kill(second, signal.SIGCONT)
                k.wait_log("waits for its neighbours' state")
                os.kill(third, signal.SIGCONT)
                b.opened()
                for p in b, c:
                    assert p.do("count ~m") == [2000, 20000]
                    assert p.do("add ~v")[0] == 0


# ---- maps that are long, states that pass ----

def test_portions_of_a_map_have_all_of_it(start, steps):
    k = start(config=CONFIG % 2, worker=steps, shards=2)
    with Steps(k, "g") as a, Steps(k, "g") as b, Steps(k, "g") as c:
        assert a.do("put m 1000 5") == [0]
        for p in a, b, c:
            wait.until(lambda: p.do("count m") == [1000, 5000])
            keys, size, portions = p.do("some m 50")
            assert (keys, size) == (1000, 5000) and portions > 10
            assert p.do("some none 50") == [0, 0, 1]
        for n in range(12):
            assert c.do("drop m 90") == [0]
        wait.until(lambda: a.do("count m") == [0, 0])


def test_a_state_that_only_passing_steps_wrote_expires(start, steps):
    k = start(config=CONFIG % 2, worker=steps, shards=1)
    base = "kennel:store:g:steps"

    def ttls(r):
        return [r("PTTL", n) for n in (base, base + ":.log", base + ":m")]
    with Steps(k, "g") as a, k.redis() as r:
        assert a.do("pass m 3 5") == [0]
        assert all(ms > 80000000 for ms in ttls(r))
        assert a.do("pass other 1 5") == [0]
        assert r("PTTL", base + ":other") > 80000000
        assert a.do("put ~m 3 5") == [0]        # is in memory only
        assert all(ms > 80000000 for ms in ttls(r))
        assert a.do("put m 1 5") == [0]
        assert ttls(r) == [-1] * 3
        assert a.do("pass m 3 5") == [0]
        assert ttls(r) == [-1] * 3
