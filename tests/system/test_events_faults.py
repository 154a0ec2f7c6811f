"""fast-tcp when processes die, and with many clients over four of them."""
import os
import random
import select
import selectors
import signal
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit import wait
from kit.fasttcp import (BINARY, BROADCAST, CHUNK, CLOSE, DATA, JOIN, OPEN, OPEN_TO_ROOM,
                         OPEN_TO_SOCKET, TO_ROOM, TO_SOCKET, Events, Fast, frame)


def test_a_shard_dies_amid_rooms_and_streams(start):
    """12.6: its clients are cut off, everybody else goes on, and its streams end."""
    e = Events(start, shards=4, limit=1, deaths=True)
    people = e.clients(4)
    a, b, c, d = people
    for p in people:
        p.join("r")
        p.barrier()
    # Of each a stream to all others; and one to each alone.
    for p in people:
        p.send(OPEN_TO_ROOM, "r|all", ident=2)
    for i, p in enumerate(people):
        p.send(OPEN_TO_SOCKET, people[(i + 1) % 4].id + "|one", ident=3)
    opened = [[p.recv() for _ in range(4)] for p in people]
    assert all(f.kind == OPEN for fs in opened for f in fs)
    victim = e.kennel.shards()[-1]
    e.kennel.kill_shard(pid=victim["pid"])
    # One of the four is gone; the others get two ends, or three: of its stream to all,
    # and of the one to the next of them.
    dead, ends = None, {}

    def look():
        nonlocal dead
        for i, p in enumerate(people):
            if i == dead:
                continue
            try:
                for f in p.barrier():
                    assert f.kind == CLOSE
                    ends.setdefault(i, []).append(f.id)
            except (AssertionError, ConnectionError, BrokenPipeError) as x:
                if isinstance(x, AssertionError) and "ended" not in str(x):
                    raise
                dead = i
        return dead is not None and len(ends) == 3 and \
            sorted(len(v) for v in ends.values()) == [1, 1, 2]
    wait.until(look)
    left = [p for i, p in enumerate(people) if i != dead]
    # Its id and its membership are gone; streams to it are swallowed, others go on.
    x, y, z = left
    x.to([people[dead], y], "m", "1")
    assert y.message() == ("m", b"1")
    x.room(["r"], "m", "2")
    assert y.message() == z.message() == ("m", b"2")

    def write(p):
        for _ in range(40):
            p.send(CHUNK, "", b"x" * 50000, BINARY, 2)
            p.send(CHUNK, "", b"x" * 50000, BINARY, 3)
        p.send(CLOSE, "", ident=2)
        p.send(CLOSE, "", ident=3)

    def read(i):
        total, closes = 0, 0
        want = 2 + (people[(i - 1) % 4] in left)
        while closes < want:
            f = people[i].recv()
            closes += f.kind == CLOSE
            total += len(f.data) if f.kind == CHUNK else 0
        assert total == want * 40 * 50000
    # All write and read at once: who does not read stops those who write.
    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(write, p) for p in left]
        done += [pool.submit(read, people.index(p)) for p in left]
        for d in done:
            d.result()
    assert all(p.barrier() == [] for p in left)
    # Somebody new in its place.
    new = []

    def come():
        try:
            new.append(e.client())
        except (AssertionError, ConnectionError):
            return False
        return True
    wait.until(come)
    new[0].join("r")
    new[0].barrier()
    x.room(["r"], "m", "3")
    assert [p.message() for p in (y, z, new[0])] == [("m", b"3")] * 3
    for p in people + new:
        p.close()


def test_a_receivers_shard_dies_while_it_holds_its_sender_up(start):
    """The sender is not held up for good."""
    e = Events(start, shards=2, limit=1, deaths=True, more="app.stuck = 60s\n")
    a, b = e.clients(2)
    a.send(OPEN_TO_SOCKET, b.id + "|s", ident=3)
    assert b.recv().kind == OPEN
    sent = []

    def send():
        try:
            for _ in range(60):
                a.send(CHUNK, "", b"x" * (1 << 20), BINARY, 3)
                sent.append(1)
            a.send(CLOSE, "", ident=3)
        except OSError:
            sent.append(None)
    t = threading.Thread(target=send)
    t.start()
    last = -1
    while last != len(sent):
        last = len(sent)
        time.sleep(wait.limit(.3))
    assert last < 50
    # The replica of who came first is the oldest.
    slot = int(e.kennel.replicas("events")[1]["shard"].split("/")[1].split("#")[0])
    victim = e.kennel.shard(slot)
    e.kennel.kill_shard(pid=victim["pid"])
    t.join(wait.limit(30))
    assert not t.is_alive() and None not in sent
    assert a.barrier() == []
    a.close()
    b.close()


def test_the_gateway_dies_and_comes_back(start):
    """Clients, rooms and streams go on meanwhile."""
    e = Events(start, shards=2, limit=2)
    a, b, c = e.clients(3)
    for p in (a, b, c):
        p.join("r")
        p.barrier()
    a.send(OPEN_TO_ROOM, "r|s", ident=3)
    f, g = b.recv(), c.recv()
    e.kennel.kill_gateway()
    a.send(CHUNK, "", b"1", BINARY, 3)
    a.room(["r"], "m", "x")
    assert b.recv().data == c.recv().data == b"1"
    assert b.message() == c.message() == ("m", b"x")
    e.kennel.start()
    a.send(CHUNK, "", b"2", BINARY, 3)
    a.send(CLOSE, "", ident=3)
    for p in (b, c):
        assert p.recv().data == b"2"
        assert p.recv().kind == CLOSE
    with e.client() as d:
        d.to([a, b, c], "m", "y")
        d.all("m", "z")
        for p in (a, b, c):
            assert [p.message(), p.message()] == [("m", b"y"), ("m", b"z")]
    for p in (a, b, c):
        p.close()


def test_a_shard_leaves_in_order(start):
    """28: at a frame's border, though much is under way."""
    e = Events(start, shards=2, limit=6)
    them = e.clients(12)
    stop = []

    def talk():
        while not stop:
            try:
                them[0].all("m", b"x" * 200000, BINARY)
            except OSError:
                return
    t = threading.Thread(target=talk)
    t.start()
    for p in them[1:]:
        assert p.message()[0] == "m"
    ended = [threading.Thread(target=p.ended) for p in them[1:]]   # asserts the border
    for x in ended:
        x.start()
    e.kennel.stop()
    for x in ended:
        x.join(wait.limit(30))
        assert not x.is_alive()
    stop.append(1)
    t.join()


class Crowd:
    """Many clients in one thread, whose messages are checked as they come."""

    def __init__(self, events, n):
        self.them = []
        for i in range(n):
            p = events.client()
            p.number, p.seen, p.got, p.said = i, {}, 0, 0
            p.s.setblocking(False)
            self.them.append(p)
        self.selector = selectors.DefaultSelector()
        for p in self.them:
            self.selector.register(p.s, selectors.EVENT_READ, p)

    def read(self, p):
        try:
            more = p.s.recv(1 << 18)
        except BlockingIOError:
            return
        assert more, f"client {p.number} was closed"
        p.buffer += more
        at, buf = 0, p.buffer
        while len(buf) - at >= 4:
            n, = struct.unpack_from("<I", buf, at)
            if len(buf) - at < 4 + n:
                break
            assert buf[at + 7] == DATA
            e, = struct.unpack_from("<H", buf, at + 12)
            sender, seq = struct.unpack_from("<II", buf, at + 18 + e)
            last = p.seen.get(sender, -1)
            assert seq > last, (p.number, sender, last, seq)
            p.seen[sender] = seq
            p.got += 1
            at += 4 + n
        del buf[:at]

    def turn(self, timeout=0):
        for key, _ in self.selector.select(timeout):
            self.read(key.data)

    def write(self, p, data):
        while data:
            try:
                data = data[p.s.send(data):]
            except BlockingIOError:
                self.turn(.01)


SECONDS = float(os.environ.get("EVENTS_SECONDS", "6"))


@pytest.mark.parametrize("n", (int(os.environ.get("EVENTS_CLIENTS", "400")),))
def test_many_clients_over_four_shards_with_numbered_traffic(start, n):
    """EVENTS_CLIENTS=2000 EVENTS_SECONDS=60 for the whole of it."""
    e = Events(start, shards=4, limit=n // 4 + 1)
    crowd = Crowd(e, n)
    them = crowd.them
    rooms = [[] for _ in range(20)]
    for p in them:
        k = p.number % 20
        rooms[k].append(p)
        crowd.write(p, frame(JOIN, "", f"room{k}"))
    wait.until(lambda: sum(x["connections"] for x in e.kennel.replicas("events")) == n)
    rng = random.Random(11)
    expected = [0] * n
    end = time.monotonic() + SECONDS
    count = 0
    # A room's members may still be entering: one word to each first.
    mark = {p.number: 0 for p in them}
    for p in them:
        data = struct.pack("<II", p.number, p.said)
        p.said += 1
        expected[p.number] += 1
        crowd.write(p, frame(TO_SOCKET, p.id + "|m", data, BINARY))
    wait.until(lambda: (crowd.turn(.05), all(p.got >= 1 for p in them))[1])
    del mark
    while time.monotonic() < end:
        p = rng.choice(them)
        data = struct.pack("<II", p.number, p.said) + bytes(rng.choice((0, 8, 100, 3000)))
        p.said += 1
        way = rng.random()
        if way < .6:
            q = rng.choice(them)
            crowd.write(p, frame(TO_SOCKET, q.id + "|m", data, BINARY))
            expected[q.number] += 1
        elif way < .995:
            k = rng.randrange(20)
            crowd.write(p, frame(TO_ROOM, f"room{k}|m", data, BINARY))
            for q in rooms[k]:
                expected[q.number] += q is not p
        else:
            crowd.write(p, frame(BROADCAST, "m", data, BINARY))
            for q in them:
                expected[q.number] += q is not p
        count += 1
        if count % 5 == 0:
            crowd.turn()
    wait.until(lambda: (crowd.turn(.05),
                        [p.got for p in them] == expected)[1], 60)
    print(f"{count} messages, {sum(expected)} deliveries")
    for p in them:
        p.close()


def test_nobody_has_an_id_before_other_processes_know_of_it(start):
    """12.1: a client hears its id when those of other processes can reach it: not while one of
    these has not heard of the newcomer's process (for a second: it may hang)."""
    e = Events(start, shards=2, limit=1)
    a = e.client()
    shard = e.kennel.shard(int(e.kennel.replicas("events")[0]["shard"]
                               .split("/")[1].split("#")[0]))["pid"]
    tried = 0
    for _ in range(20):
        if tried == 3:
            break
        os.kill(shard, signal.SIGSTOP)
        began = time.monotonic()
        try:
            b = Fast(e.address, register=False)
            at = select.poll()              # its number may be beyond select()
            at.register(b.s, select.POLLIN)
            early = at.poll(300)
            took = time.monotonic() - began
        finally:
            os.kill(shard, signal.SIGCONT)
        if took < .9:                   # else it was in time, or the machine is slow
            assert not early, "registered before the other process knew"
            tried += 1
        b.register()
        a.to([b], "m", "1")
        if took < .9:
            assert b.message() == ("m", b"1")
        b.close()
        wait.until(lambda: e.kennel.group("events") == [1])
    a.close()


def test_a_shard_dies_amid_much_output(start):
    """Its clients, to whom megabytes are under way, are cut off, perhaps amid a frame, and
    come again; what goes to clients of the other process is whole and in order."""
    e = Events(start, shards=2, limit=3, deaths=True)
    them = e.clients(6)
    slots = {}
    for r in e.kennel.replicas("events"):
        slots[r["shard"]] = r["connections"]
    assert sorted(slots.values()) == [3, 3]
    first, second = them[:3], them[3:]  # in the order of arrival
    sender, readers = first[0], first[1:]
    for p in readers + second:
        p.join("r")
        p.barrier()
    big = os.urandom(3 << 20)
    sent = []
    killed = threading.Event()

    def talk():
        i = 0
        while not killed.is_set() or i < sent[0] + 4:
            sender.room(["r"], str(i), big, BINARY)
            i += 1
            if not sent and i == 8:     # 24 MiB for each: none has read anything
                sent.append(i)
                killed.wait(wait.limit(30))
        sent.append(i)
        sender.to(readers, "end")

    def read(p):
        for i in range(10000):
            event, data = p.message()
            if event == "end":
                return i
            assert event == str(i) and data == big
    t = threading.Thread(target=talk)
    t.start()
    wait.until(lambda: sent)
    victim = e.kennel.replicas("events")[1]["shard"]
    e.kennel.kill_shard(int(victim.split("/")[1].split("#")[0]))
    killed.set()
    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(read, p) for p in readers]
        for p in second:
            while True:                 # to the end, whatever it is
                try:
                    if not p.s.recv(1 << 20):
                        break
                except ConnectionError:
                    break
        assert [d.result() for d in done] == [sent[-1]] * 2
    t.join()
    new = []

    def come():
        try:
            new.append(e.client())
        except (AssertionError, ConnectionError):
            return False
        return True
    wait.until(come)
    new[0].join("r")
    new[0].barrier()
    sender.room(["r"], "again", big, BINARY)
    assert [p.message() for p in (*readers, new[0])] == [("again", big)] * 3
    for p in them + new:
        p.close()
