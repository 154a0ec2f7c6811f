"""Slow clients and floods: bounds in memory, policies, and who else is served."""
import json
import os
import socket
import threading

import pytest
from kit import wait
from kit.http import Http, get
from kit.wire import Closed
from kit.ws import PING, Ended, WebSocket, close_frame, frame

CONFIG = """
[worker]
out_max = 64k

[route lobby]
path = /lobby/{group}/ws
app = chat
group = path:group
uid = query:u
limit = 100
%s

[route echo]
path = /echo
app = echo

[route front]
path = /healthz
app = front
"""
SANITIZED = wait.SANITIZED       # it keeps what is freed for a while
TEXT_SIZE = 4096
FLOOD = 4000            # of these: more than the kernels' buffers hold


def good(kennel):
    """Somebody who does nothing wrong is served at once."""
    assert get(kennel, "/healthz").text == "ok\n"
    with WebSocket(kennel.address, "/echo") as ws:
        ws.send("still there?")
        assert ws.recv() == "still there?"
        ws.goodbye()


def enter(kennel, uid, room="kennel", small=False):
    """small: its kernel keeps little of what it does not read."""
    address = kennel.address
    if small:
        address = socket.socket()
        address.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        address.connect(kennel.address)
    return WebSocket(address, f"/lobby/{room}/ws?u={uid}")


def say(ws, *texts):
    for text in texts:
        ws.send(json.dumps({"type": "msg", "text": text}))


def barrier(ws):
    """All that ws said has been acted upon."""
    ws.send(json.dumps({"type": "req:user:list"}))
    while json.loads(ws.recv())["type"] != "user:list":
        pass


def flood(ws, first, n):
    for i in range(first, first + n, 100):
        say(ws, *(f"{k} {'x' * TEXT_SIZE}" for k in range(i, i + 100)))
        barrier(ws)


def heard(ws, last=None):
    """The numbers of the messages that come, up to `last` or the end."""
    while True:
        try:
            m = json.loads(ws.recv())
        except (Ended, Closed) as e:
            yield e
            return
        if m["type"] == "user:msg":
            n = int(m["text"].split()[0])
            yield n
            if n == last:
                return


def rss(kennel):
    """KiB, of all workers."""
    total = 0
    for s in kennel.shards():
        with open(f"/proc/{s['pid']}/status") as f:
            total += next(int(line.split()[1]) for line in f
                          if line.startswith("VmRSS"))
    return total


def descriptors(kennel):
    pids = [kennel.pid] + [s["pid"] for s in kennel.shards()]
    return sum(len(os.listdir(f"/proc/{p}/fd")) for p in pids)


# ---- who does not read ----

def test_slow_is_closed_and_told_so(start):
    k = start(config=CONFIG % "")
    with enter(k, "slow", small=True) as slow, enter(k, "loud") as loud:
        flood(loud, 0, FLOOD)
        # It was ended meanwhile; what it had got until then is in order.
        *numbers, _ = heard(slow)
        assert numbers == list(range(len(numbers)))
    good(k)
    wait.until(lambda: k.status()["totals"]["gone"]["slow"] == 1)


def test_slow_that_reads_again_learns_why(start):
    # It is waited for as long as others hear of its end late.
    k = start(config=(CONFIG % "").replace("[worker]\n", "[worker]\nclosing_timeout = 2m\n"),
              shards=1)
    with enter(k, "slow", small=True) as slow, enter(k, "loud") as loud:
        gone = threading.Event()

        def listen():
            try:
                while json.loads(loud.recv())["type"] != "user:exit":
                    pass
            finally:
                gone.set()
        listener = threading.Thread(target=listen)
        listener.start()
        for i in range(FLOOD):
            say(loud, f"{i} {'x' * TEXT_SIZE}")
            if gone.is_set():
                break
        gone.wait(wait.limit(10))
        *numbers, end = heard(slow)
        listener.join()
        assert numbers == list(range(len(numbers)))
        assert (end.code, end.reason) == \
            (1008, b"The client did not read fast enough.")
    good(k)


def test_drop_new_keeps_the_oldest(start):
    k = start(config=CONFIG % "slow = drop-new")
    with enter(k, "slow", small=True) as slow, enter(k, "loud") as loud:
        flood(loud, 0, FLOOD)
        good(k)
        stop = threading.Event()

        def nudge():            # until one finds room again
            while not stop.wait(0.05):
                say(loud, f"{FLOOD} end")
        t = threading.Thread(target=nudge)
        t.start()
        numbers = list(heard(slow, last=FLOOD))
        stop.set()
        t.join()
        assert numbers == sorted(set(numbers))
        assert numbers[:16] == list(range(16)) and FLOOD - 1 not in numbers
    k.wait_log(r"slow clients: dropped messages=\d+ total=\d+")
    good(k)


def test_drop_old_keeps_the_newest(start):
    k = start(config=CONFIG % "slow = drop-old")
    with enter(k, "slow", small=True) as slow, enter(k, "loud") as loud:
        flood(loud, 0, FLOOD)
        good(k)
        numbers = list(heard(slow, last=FLOOD - 1))
        assert numbers == sorted(set(numbers)) and len(numbers) < FLOOD
        # The last ones without a gap: half of what it may have waiting.
        assert numbers[-7:] == list(range(FLOOD - 7, FLOOD))
        slow.goodbye()
    k.wait_log(r"slow clients: dropped messages=\d+ total=\d+")
    good(k)


@pytest.mark.parametrize("slow", ["close", "drop-new", "drop-old"])
def test_who_never_reads_costs_no_more_than_its_bound(start, slow):
    k = start(config=CONFIG % f"slow = {slow}", shards=1)
    with enter(k, "loud") as loud:
        flood(loud, 0, 100)
        before = rss(k)
        deaf = [enter(k, f"deaf{i}", small=True) for i in range(20)]
        flood(loud, 0, 2000)
        grown = rss(k) - before
        for d in deaf:
            d.close()
    # 64 KiB each, shared at that; 8 MiB were said.
    assert grown < 4000 or SANITIZED, f"grew by {grown} KiB"
    good(k)


def test_a_flood_of_pings_is_answered_or_ends(start):
    k = start(config=CONFIG % "", shards=1)
    before = rss(k)
    with WebSocket(k.address, "/echo") as ws:
        pings = frame(PING, b"x" * 125) * 500
        ws.sock.settimeout(1)
        sent = 0
        try:
            while sent < 64 << 20:
                sent += ws.sock.send(pings)
        except OSError:
            pass                # it is not read any more, or has gone
        assert rss(k) - before < 4000 or SANITIZED
        good(k)


# ---- who sends too much ----

def test_message_rate(start):
    k = start(config=CONFIG % "message_rate = 5\nmessage_burst = 10")
    with enter(k, "calm") as calm:
        with enter(k, "loud") as loud:
            for i in range(40):
                try:
                    say(loud, str(i))
                except OSError:
                    break
            with pytest.raises(Ended) as e:
                while True:
                    loud.recv()
        assert e.value.code == 1008
        assert e.value.reason == b"The client sent more than its route allows."
        barrier(calm)           # it is not the calm one's fault
    wait.until(lambda: k.status()["totals"]["gone"]["rate"] == 1)
    good(k)


def test_message_burst_is_let_through(start):
    k = start(config=CONFIG % "message_rate = 1\nmessage_burst = 20")
    with enter(k, "calm") as calm, enter(k, "loud") as loud:
        say(loud, *map(str, range(19)))
        assert [next(heard(calm)) for _ in range(19)] == list(range(19))


def test_pings_count_as_messages(start):
    k = start(config=CONFIG % "message_rate = 5")
    with enter(k, "loud") as loud:
        loud.write(frame(PING) * 50)
        assert loud.end() == 1008


def test_byte_rate(start):
    k = start(config=CONFIG % "byte_rate = 10k")
    with enter(k, "calm") as calm, enter(k, "loud") as loud:
        # Two seconds' worth each: there is no room for both for two seconds.
        say(loud, "1 " + "x" * 20000)
        assert next(heard(calm)) == 1
        say(loud, "2 " + "x" * 20000)
        assert loud.end() == 1008
    wait.until(lambda: k.status()["totals"]["gone"]["rate"] == 1)
    good(k)


def test_other_routes_are_not_limited(start):
    k = start(config=CONFIG % "message_rate = 1\nbyte_rate = 1k")
    with WebSocket(k.address, "/echo") as ws:
        for _ in range(200):
            ws.send("x" * 1000)
            assert ws.recv() == "x" * 1000


@pytest.mark.parametrize("line", [
    "slow = drop", "message_rate = many", "message_burst = -1",
    "byte_rate = 10q", "byte_rate = 2G"])
def test_what_a_route_cannot_say(start, line):
    k = start(config=CONFIG % line, ready=False)
    assert k.process.wait(wait.limit(20)) == 1
    assert line.split()[0] in k.log()
    k.destroy()


# ---- who comes and goes ----

def test_ten_thousand_who_come_and_go_leave_nothing(start):
    k = start()
    redis = k.redis()

    def visit(n):
        for i in range(n):
            with enter(k, f"guest{i}", room=f"room{i % 10}") as ws:
                ws.reset() if i % 3 else ws.write(close_frame(1000))
        k.wait_places(0)
        wait.until(lambda: redis.keys("kennel:client:*") == [])
        wait.until(lambda: k.status()["handshakes"] == 0)

    def keys():
        # (Who sweeps has that for some seconds, whatever clients do.)
        return sorted(set(redis.keys()) - {"kennel:sweeper"})

    visit(1000)
    wait.until(lambda: len(k.shards()) >= 2)
    had = keys()
    open_before, before = descriptors(k), rss(k)
    visit(3000 if SANITIZED else 10000)
    good(k)
    k.wait_places(0)
    wait.until(lambda: descriptors(k) <= open_before)
    wait.until(lambda: keys() == had, what=lambda: f"{keys()} is {had}")
    assert rss(k) - before < 1000 or SANITIZED


# ---- too many at once ----

def test_connections_per_address(start):
    """Whoever has them: being read, in a shard, at home."""
    k = start(config=CONFIG % "" + "\n[gateway]\nper_address = 6\n",
              cover=False)
    ours = [Http(k.address), Http(k.address)]
    ours[0].write(b"GET /hea")
    assert ours[1].ask("GET", "/healthz").text == "ok\n"
    ours += [enter(k, f"guest{i}") for i in range(4)]
    wait.until(lambda: k.status()["home"] == 1)
    for _ in range(3):
        with Http(k.address) as c:
            r = c.response()
            assert r.status == 503 and int(r["Retry-After"]) > 0
            assert c.ended()
    # Others are not concerned, and what ends makes room.
    with Http(socket.create_connection(
            k.address, source_address=("127.0.0.2", 0))) as c:
        assert c.ask("GET", "/healthz").text == "ok\n"
    for c in ours[:3]:
        c.close()
    k.wait_places(3)
    wait.until(lambda: k.status()["home"] + k.status()["handshakes"] == 0)
    more = [enter(k, f"more{i}") for i in range(3)]
    with Http(k.address) as c:
        assert c.response().status == 503
    # A shard that dies gives back what it had.
    for s in k.shards():
        k.kill_shard(pid=s["pid"])
    k.wait_places(0)
    for c in ours + more:
        c.close()
    wait.until(lambda: len(k.shards()) == 2)
    ours = [enter(k, f"again{i}") for i in range(6)]
    with Http(k.address) as c:
        assert c.response().status == 503
    for c in ours:
        c.goodbye()
    k.wait_places(0)
    good(k)


def test_accept_rate(start):
    k = start(config=CONFIG % "" + "\n[gateway]\naccept_rate = 2\n")
    refused = 0
    for _ in range(60):
        with Http(k.address) as c:
            r = c.ask("GET", "/healthz")
            assert r.status in (200, 503)
            assert r.status == 200 or int(r["Retry-After"]) > 0
            refused += r.status == 503
    assert refused > 0
    assert k.status()["totals"]["refused"] == refused
    assert k.status()["totals"]["accepted"] == 60
    # Who waits is let in.
    wait.until(lambda: get(k, "/healthz").status == 200)
