"""A shard dies, and its open connections go on in another one."""
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import threading
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import crowd, settle
from kit.kennel import Ports
from kit.look import queues
from kit.mover import Crowd, Mover, routes
from kit.raw import Raw
from kit.stream import Stream
from kit.wire import Closed
from kit.ws import BINARY, TEXT, Ended, WebSocket, frame, handshake, key

# A sanitizer takes a SIGSEGV for a fault of ours.
SIGNALS = [signal.SIGKILL, signal.SIGABRT] + \
    ([] if wait.SANITIZED else [signal.SIGSEGV])


@pytest.fixture(scope="module")
def mover(installed):
    return installed.worker("mover.c")


def totals(k):
    t = k.status()["totals"]
    return t["survived"], t["lost_by_death"]


def deaths(k):
    """What the log says of each: survived, lost, and the rest of the line."""
    return [(int(a), int(b), c) for a, b, c in re.findall(
        r"its connections survived=(\d+) lost=(\d+) ms=\d+([^\n]*)", k.log())]


def amid(k):
    """Who was amid something when its shard died, as the log says."""
    return sum(int(n) for _, _, why in deaths(k)
               for n in re.findall(r" amid-(?:in|out)=(\d+)", why))


def wait_deaths(k, n):
    """All connections of n dead shards are somewhere."""
    wait.until(lambda: len(deaths(k)) >= n, 30, f"{n} deaths")


def wait_ready(k, n):
    wait.until(lambda: len(k.shards()) >= n, 30, f"{n} shards")


def busiest(k):
    return max(k.shards(), key=lambda s: s["connections"])


def covered(k, n):
    wait.until(lambda: k.status()["covered"] == n, 20,
               f"{n} covered")


def talk(people, groups):
    """Everybody says something to all, to one, and to the subscribers."""
    for m in people:
        m.say("c")
        m.say("C")
        m.say("p", m.group)
        others = groups[m.group]
        m.say("w", others[(others.index(m) + 1) % len(others)].uid)


def converse(people, groups):
    """All are served; from then on, each word is heard once, in order."""
    people.where()
    talk(people.movers, groups)
    people.settle()


def movers(k, n, ngroups):
    """n clients in so many groups, each a subscriber of its group's own topic."""
    people = Crowd()
    groups = {}
    for i in range(n):
        g = f"g{i % ngroups}"
        m = people.add(Mover(k, g, f"u{i}"))
        m.command(f"+ {g}")
        groups.setdefault(g, []).append(m)
        m.topics = {g}
    people.until(lambda: all(m.own for m in people.movers))
    return people, groups


def test_the_next_gateway_may_cover_what_this_one_does_not(start, mover):
    """So a shard writes down who is open with `cover = no`, too."""
    k = start(shards=2, worker=mover, config=routes(30), cover=False)
    people, groups = movers(k, 20, 2)
    assert k.status()["covered"] == 0
    with open(k.config) as f:
        text = f.read()
    with open(k.config, "w") as f:
        f.write(text.replace("cover = no", "cover = yes"))
    k.ctl("upgrade", "gateway")
    covered(k, 20)
    k.kill_shard(busiest(k)["slot"])
    wait_deaths(k, 1)
    assert totals(k)[1] == 0, deaths(k)
    converse(people, groups)
    k.exact()
    people.close()


# ---- every end that a process can have ----

@pytest.mark.parametrize("signo", SIGNALS + [signal.SIGSTOP],
                         ids=lambda s: s.name)
def test_who_is_at_rest_goes_on(start, mover, signo):
    """17: Words of before and of after are heard once, in order, by everybody."""
    k = start(shards=3, worker=mover, config=routes(30) +
              "[gateway]\nwatchdog = 1s\n")
    people, groups = movers(k, 120, 6)
    covered(k, 120)
    talk(people.movers, groups)
    people.settle()
    n, dead = 0, 0
    for _ in range(3):
        s = busiest(k)
        n += s["connections"]
        dead += 1
        k.kill_shard(s["slot"], signo=signo)
        wait_deaths(k, dead)
        converse(people, groups)
        wait_ready(k, 3)
        covered(k, 120)
    assert n > 100
    assert totals(k) == (n, 0)
    k.exact()
    people.close()
    k.wait_places(0)
    covered(k, 0)


def test_the_only_shard(start, mover):
    """Its successor is waited for."""
    k = start(shards=1, max_shards=1, worker=mover, config=routes(100))
    people, groups = movers(k, 50, 4)
    covered(k, 50)
    for i in range(3):
        wait_ready(k, 1)
        k.kill_shard(busiest(k)["slot"])
        wait_deaths(k, i + 1)
        converse(people, groups)
    assert totals(k) == (150, 0)
    assert k.status()["totals"]["gone"]["shard-died"] == 0
    k.exact()
    people.close()


def test_a_number_in_the_state_goes_on(start, mover):
    """Those who decide die, too: the counter is heard in order, and ends right."""
    k = start(shards=2, worker=mover, config=routes(12))
    people, groups = movers(k, 20, 1)
    for m in people.movers:
        m.command("+ n")
    people.until(lambda: all(len(m.own) == 2 for m in people.movers))
    for i in range(1, 5):
        for m in people.movers:
            m.command("I")
        people.until(lambda: all(m.own.count("I") == i for m in people.movers))
        k.kill_shard(busiest(k)["slot"])
        wait_deaths(k, i)
        wait_ready(k, 2)
    # What was to be told when a shard died is not told again; this is.
    people.where()
    people.movers[0].command("i")
    people.until(lambda: all(m.counts and m.counts[-1] == 81
                             for m in people.movers))
    for m in people.movers:
        assert m.counts == sorted(set(m.counts))
    people.close()


def replace(k, people, groups):
    """All who were lost have read the end; for each of them another one comes."""
    wait.until(lambda: people.turn(0.01) or totals(k)[1] ==
               sum(bool(m.closed) for m in people.movers), 20, "the ends are read")
    new = []
    for m in [m for members in groups.values() for m in members if m.closed]:
        groups[m.group].remove(m)
        new.append(Mover(k, m.group, f"{m.uid}x"))
        groups[m.group].append(people.add(new[-1]))
        new[-1].command(f"+ {m.group}")
        new[-1].topics = {m.group}
    wait.until(lambda: people.turn(0.01) or all(m.own for m in new), 20, "others are there")


def test_while_they_talk(start, mover):
    """
    9, 17, 25: Nobody hears anything twice or in another order, and whoever ends was amid
    something, as the gateway says.  How many those are is a matter of the moment: a whole
    burst is written to at once.
    """
    k = start(shards=3, worker=mover, config=routes(100), deaths=True)
    people, groups = movers(k, 100, 5)
    for i in range(6):
        killer = threading.Timer(0.01 + 0.02 * i, lambda: os.kill(
            busiest(k)["pid"], signal.SIGKILL))
        killer.start()
        until = time.monotonic() + 0.4
        while time.monotonic() < until or killer.is_alive():
            talk([m for m in people.movers if not m.closed], groups)
            for _ in range(5):
                people.turn(0.01)
        wait_deaths(k, i + 1)
        wait_ready(k, 3)
        replace(k, people, groups)
    for m in people.movers:
        m.said = []
        m.own.clear()
    for _ in range(50):
        people.turn(0.02)
    survived, lost = totals(k)
    assert lost == amid(k) == len(people.movers) - 100, deaths(k)
    assert (survived, lost) == tuple(sum(d[i] for d in deaths(k)) for i in (0, 1))
    assert survived > 0
    for m in people.movers:
        for sender, words in m.heard.items():
            for kind in "cwp":
                numbers = [n for what, n in words if what == kind]
                assert numbers == sorted(set(numbers)), (m.uid, sender, kind)
    k.exact()
    people.close()


# ---- amid something ----

ROUTES = """
[route plain]
path = /plain/{group}/*
app = plain
group = path:group
uid = query:u
limit = 100

[route survivor]
path = /s/{group}/*
app = survivor
group = path:group
uid = query:u
limit = 100
stream = yes
"""


def client(k, uid, group="g", app="s"):
    return WebSocket(k.address, f"/{app}/{group}/ws?u={uid}")


def echo(ws, text="hello"):
    """It is served: what comes before the echo is of no interest."""
    ws.send(f"e {text}")
    while ws.recv() != f"e {text}":
        pass


def resumed(ws):
    """The first that one hears who has survived."""
    m = ws.recv()
    while not m.startswith("resumed"):
        m = ws.recv()
    return m


def test_a_part_of_a_message_was_read(start, survivor):
    """17: It is lost, and so nobody can go on behind it: the client reads why."""
    k = start(shards=2, worker=survivor, config=ROUTES)
    ann, bob = client(k, "ann"), client(k, "bob")
    covered(k, 2)
    whole = frame(TEXT, "e half of this is lost")
    ann.write(whole[:9])
    wait.until(lambda: unread(ann) == 0, 20, "the half is read")
    echo(bob)
    k.kill_shard(busiest(k)["slot"])
    with pytest.raises(Ended) as e:
        ann.recv()
    assert (e.value.code, e.value.reason) == (1012, b"Its shard died.")
    assert resumed(bob) == "resumed "
    echo(bob)
    wait_deaths(k, 1)
    assert deaths(k) == [(1, 1, " amid-in=1")]
    assert totals(k) == (1, 1)
    assert k.status()["totals"]["gone"]["shard-died"] == 1
    k.exact()


def unread(ws):
    """Bytes that the kernel has of a client, and nobody has read."""
    return queues(ws.sock)[1]


@pytest.mark.parametrize("more", [False, True], ids=["silent", "speaks"])
def test_a_part_of_a_message_was_written(start, survivor, more):
    """
    17: Nothing may come behind that part: all of it is read, and then the end, whatever the
    client has said meanwhile that nobody has read.
    """
    k = start(shards=2, worker=survivor, config=ROUTES)
    ann, bob = client(k, "ann"), client(k, "bob")
    covered(k, 2)
    ann.send("big 60000000")
    wait.until(lambda: queued(ann) > 0, 20)
    echo(bob)
    time.sleep(0.1)
    pid = k.stop_shard(busiest(k)["slot"])
    written = wait.until(lambda: queued(ann), 20)
    if more:
        ann.write(frame(TEXT, "e " + "y" * 100) * 100)
    k.kill_shard(pid=pid)
    resumed(bob)
    wait_deaths(k, 1)
    assert deaths(k) == [(1, 1, " amid-out=1")]
    data = b""
    while piece := ann.sock.recv(1 << 20):
        data += piece
    assert data[:10] == b"\x82\x7f" + (60000000).to_bytes(8, "big") or \
        data[:10] == b"\x81\x7f" + (60000000).to_bytes(8, "big")
    assert written <= len(data) < 60000000 and set(data[10:]) == {ord("x")}
    echo(bob)
    k.exact()


def queued(ws):
    """Bytes that were written to a client, and not acknowledged by its side."""
    return queues(ws.sock)[0]


def test_a_message_that_kills(start, survivor):
    """17, 25: Its client goes on after the first death, and is closed by the second in a row."""
    k = start(shards=2, worker=survivor, config=ROUTES, deaths={signal.SIGABRT})
    eve, others = client(k, "eve"), [client(k, f"u{i}") for i in range(20)]
    covered(k, 21)
    for i in range(4):
        # A message that was worked through clears the strike.
        eve.send("die")
        assert resumed(eve) == "resumed "
        echo(eve)
        wait_deaths(k, i + 1)
    eve.send("die")
    resumed(eve)
    wait_deaths(k, 5)
    eve.send("die")
    with pytest.raises(Ended) as e:
        while True:
            eve.recv()
    assert e.value.code == 1012
    assert e.value.reason.startswith(b"Its shard died of its message")
    for ws in others:
        echo(ws)
    wait_deaths(k, 6)
    assert [d[1:] for d in deaths(k)] == [(0, "")] * 5 + [(1, " poison=1")]
    assert k.status()["totals"]["gone"]["poison"] == 1
    assert totals(k)[1] == 1
    k.exact()


def test_a_stream_a_raw_connection_and_a_checkpoint(start, survivor):
    """17, 25"""
    port = Ports.take()
    k = start(shards=2, worker=survivor, config=ROUTES + f"""
[listener lines]
address = 127.0.0.1:{port}
app = survivor
group = const:lines
uid = const:raw
limit = 100
""")
    ws = client(k, "ann")
    ws.send("keep the eleventh of may")
    assert ws.recv() == "kept"
    stream = Stream(k.address, "/s/g/stream?u=bob")
    raw = Raw(("127.0.0.1", port), hello=False)
    assert raw.ask("e hello") == "e hello"
    covered(k, 3)
    dead = 0
    for slot in 0, 1:
        dead += k.shard(slot)["connections"] > 0
        k.kill_shard(slot)
        wait_deaths(k, dead)
        wait_ready(k, 2)
        covered(k, 3)
        echo(ws)
        raw.send("e again")
        while raw.line() != "e again":
            pass
    ws.send("p streams all is well")
    stream.hear(b"p ann all is well")
    assert totals(k)[1] == 0
    k.exact()


def test_a_raw_client_whose_bytes_were_worked_on(start, survivor):
    """
    What of its bytes was acted on nobody knows: it ends, having read all that it was
    sent, however much it has said since; that is counted, and the others go on.
    """
    port = Ports.take()
    k = start(shards=1, worker=survivor, config=ROUTES + f"""
[listener lines]
address = 127.0.0.1:{port}
app = survivor
group = const:lines
uid = const:raw
limit = 100
""", deaths={signal.SIGABRT})
    eve, ann = (Raw(("127.0.0.1", port), hello=False) for _ in range(2))
    assert ann.ask("e hello") == "e hello"
    assert eve.ask("e one") == "e one"
    covered(k, 2)
    k.stop_shard(0)
    # More than the shard reads at once: some is never read.
    eve.send("die", *["e " + "x" * 400] * 1000)
    os.kill(k.shard(0)["pid"], signal.SIGCONT)
    wait_deaths(k, 1)
    assert eve.line() is None, "an end, and no reset"
    assert deaths(k)[0][:2] == (1, 1) and "amid-in=1" in deaths(k)[0][2]
    assert k.status()["totals"]["gone"]["shard-died"] == 1
    assert totals(k) == (1, 1)
    ann.send("e again")
    while ann.line() != "e again":
        pass
    k.exact()


def test_who_knows_nothing_of_it_ends_as_before(start, survivor):
    """An application that says nothing of surviving, and one whose thaw refuses."""
    k = start(shards=2, worker=survivor, config=ROUTES)
    plain, no, ann = (client(k, "p", app="plain"), client(k, "no"),
                      client(k, "ann"))
    no.send("keep no")
    assert no.recv() == "kept"
    covered(k, 3)
    for slot in 0, 1:
        k.kill_shard(slot)
        wait_ready(k, 2)
    for ws in plain, no:
        with pytest.raises((Ended, Closed)):
            while True:
                ws.recv()
    echo(ann)
    k.wait_places(1)
    k.exact()


# ---- together with other deaths ----

def test_the_gateway_was_another_one(start, mover):
    """18: Killed, and taken over, it has the copies again; then a shard dies."""
    k = start(shards=3, worker=mover, config=routes(30))
    people, groups = movers(k, 90, 5)
    n = 0
    for how in "killed", "upgraded", "killed":
        if how == "killed":
            k.kill_gateway()
            k.start()
        else:
            k.ctl("upgrade", "gateway")
        wait_ready(k, 3)
        covered(k, 90)
        s = busiest(k)
        before = len(deaths(k))
        k.kill_shard(s["slot"])
        wait_deaths(k, before + 1)
        converse(people, groups)
        assert totals(k) == (s["connections"], 0)
        n += s["connections"]
    assert n >= 90
    k.exact()
    people.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_shard_that_they_leave_dies(start, mover, tmp_path, when):
    """
    13: What the other one has read of it, it says first, and has; who was packed and not
    sent is nobody's, and goes on as those who were not asked yet.
    """
    mark = str(tmp_path / "mark")
    library = shutil.copy(kits.KILLAT, tmp_path)
    k = start(shards=2, worker=mover, config=routes(200) +
              "[gateway]\ndrain = 30s\n", deaths=True, env={
                  "LD_PRELOAD": library, "KILLAT_COMM": "mover",
                  "KILLAT_STEP": "send", "KILLAT_WHEN": when,
                  "KILLAT_DO": "kill", "KILLAT_NTH": "3",
                  "KILLAT_MARK": mark})
    people, groups = movers(k, 120, 12)
    covered(k, 120)
    slot = busiest(k)["slot"]
    k.ctl("drain", str(slot), "--no-wait")
    wait.until(lambda: os.path.exists(mark), 30)
    wait_deaths(k, 1)
    converse(people, groups)
    assert totals(k)[1] == 0, deaths(k)
    k.exact()
    people.close()


def test_one_shard_after_another(start):
    """Faster than they start: who is left over is somewhere all the same."""
    k = start(shards=3, limit=200, deaths=True)
    people = crowd(k, "room", [f"u{i}" for i in range(60)])
    covered(k, 60)
    for i in range(6):
        s = [s for s in k.shards() if s["connections"] > 0]
        if s:
            with contextlib.suppress(ProcessLookupError):   # it is the last one still
                os.kill(s[0]["pid"], signal.SIGKILL)
        time.sleep(0.02)
    wait.until(lambda: sum(s["connections"] for s in k.shards()) ==
               k.status()["covered"] == 60, 60)
    settle(*people)
    assert totals(k)[1] == 0
    k.exact()
    for p in people:
        p.close()


PATIENT = "[gateway]\nwatchdog = 10m\n"


def test_the_shard_that_they_are_to_go_to_hangs(start):
    """They go elsewhere while it hangs; when it wakes, nobody is there twice."""
    k = start(shards=2, max_shards=3, limit=8, config=PATIENT)
    people = crowd(k, "room", [f"u{i}" for i in range(12)])
    covered(k, 12)
    first = busiest(k)
    hung = min(k.shards(), key=lambda s: s["connections"])
    k.stop_shard(pid=hung["pid"])
    k.kill_shard(pid=first["pid"])
    wait.until(lambda: totals(k) == (8, 0), 60, "all eight are elsewhere")
    assert len(re.findall("was not adopted in time", k.log())) == 4
    slot = next(s for s in k.status()["shards"] if s["pid"] == hung["pid"])
    assert slot["connections"] == 4
    os.kill(hung["pid"], signal.SIGCONT)
    wait.until(lambda: len(k.shards()) == 2 and
               sum(s["connections"] for s in k.shards()) == 12, 60)
    for p in people:
        p.users()
    settle(*people)
    k.exact()
    for p in people:
        p.close()
    k.wait_places(0, 20)


# ---- many ----

def many(k, n):
    """n WebSockets, opened quickly: plain sockets, in 100 groups."""
    socks = []
    for at in range(0, n, 200):
        batch = []
        for i in range(at, min(at + 200, n)):
            s = socket.create_connection(k.address)
            s.sendall(handshake(f"/lobby/g{i % 100}/ws?u=u{i}", key()))
            batch.append(s)
        for s in batch:
            s.settimeout(wait.limit(30))
            data = b""
            while b"\r\n\r\n" not in data:
                data += s.recv(4096)
            assert data.startswith(b"HTTP/1.1 101 ")
        socks += batch
    return socks


def answers(socks):
    """Those that are served: each asks something, and what comes is read."""
    ping = frame(9, b"x")
    for s in socks:
        s.sendall(ping)
    served = 0
    for s in socks:
        data = b""
        try:
            while b"\x8a\x01x" not in data:
                piece = s.recv(65536)
                if not piece:
                    break
                data = data[-2:] + piece
            else:
                served += 1
        except OSError:
            pass
    return served


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def test_many(start):
    """
    17: Thousands go on at once; descriptors, memory and what is in Redis are afterwards as
    they were.
    """
    n = 2000 if wait.SANITIZED else 12000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < n + 3000:
        pytest.skip(f"needs {n + 3000} descriptors, {hard} are allowed")
    k = start(shards=3, max_shards=4, limit=1000, config="[gateway]\n"
              "handshakes_max = 1000\nhome_max = 100\nlinger_max = 100\n" + kits.SILENT)
    socks = many(k, n)
    covered(k, n)
    wait.until(lambda: k.status()["handshakes"] == 0, 30)
    fds, keys_before, sizes, fastest = descriptors(k.pid), None, [], []
    for i in range(4):
        s = busiest(k)
        keys_before = keys_before or len(k.redis().keys())
        began = time.monotonic()
        k.kill_shard(s["slot"])
        wait_deaths(k, i + 1)
        fastest.append(time.monotonic() - began)
        assert answers(socks) == n
        wait_ready(k, 3)
        covered(k, n)
        sizes.append(memory(k.pid))
    print(f"{n} connections: all of a shard elsewhere after "
          f"{[round(t, 3) for t in fastest]} s; gateway {sizes} KiB")
    assert totals(k)[1] == 0
    wait.until(lambda: abs(descriptors(k.pid) - fds) <= 4, 30)
    wait.until(lambda: abs(len(k.redis().keys()) -
                           keys_before) <= 2, 30)
    # It grows by none of what a death leaves (sanitized, what is freed stays for a while).
    assert "KENNEL_SANITIZED" in os.environ or sizes[-1] < sizes[0] * 1.2 + 2000
    k.exact()
    for s in socks:
        s.close()
    k.wait_places(0, 60)
    covered(k, 0)
