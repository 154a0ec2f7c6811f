"""Ten other gateways while many connect, in every way that there is: none refused, none cut."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from kit import metrics, wait
from kit.chat import Chat, crowd, settle
from kit.http import Http, get, request
from kit.kennel import BUILD, Ports
from kit.raw import Raw
from kit.wire import Wire

UPGRADES = 10
RATE = 200              # connects a second, of all together
LINE = b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n"
PROXIED = """
[listener proxied]
address = 127.0.0.1:%d
proxy_protocol = yes
proxy_trusted = 127.0.0.1
"""


class Comers(threading.Thread):
    """Connections one after another, some a second; what failed of them."""

    def __init__(self, come, rate):
        super().__init__()
        self.come, self.rate = come, rate
        self.stop, self.failed, self.served = threading.Event(), [], 0
        self.start()

    def run(self):
        due = time.monotonic()
        while not self.stop.is_set() and len(self.failed) < 5:
            try:
                self.come(self.served)
                self.served += 1
            except Exception as e:              # whatever it is, it has failed
                self.failed.append(repr(e))
            due = max(due + 1 / self.rate, time.monotonic() - 1)
            time.sleep(max(0, due - time.monotonic()))


def upgraded(k, kinds, amid=lambda i: None):
    """Ten upgrades while these kinds of clients come; what is done between them."""
    comers = [Comers(come, RATE / len(kinds)) for come in kinds]
    pid, began = k.pid, time.monotonic()
    try:
        for i in range(UPGRADES):
            started, served = k.status()["started"], [c.served for c in comers]
            k.ctl("upgrade", "gateway")
            assert k.status()["started"] != started and k.process.poll() is None
            amid(i)
            # Of each kind somebody was served by this one, and of all a few.
            wait.until(lambda: any(c.failed for c in comers) or
                       (all(c.served > n for c, n in zip(comers, served)) and
                        sum(c.served for c in comers) >= sum(served) + RATE // 4), 30)
            assert [c.failed for c in comers] == [[]] * len(comers)
    finally:
        for c in comers:
            c.stop.set()
        for c in comers:
            c.join()
    assert [c.failed for c in comers] == [[]] * len(comers)
    assert k.pid == pid and k.log().count(" executes program=") == UPGRADES
    n = sum(c.served for c in comers)
    print(f"{n} connections in {time.monotonic() - began:.1f} s, {UPGRADES} upgrades")
    return n


class Many:
    """tests/kit/comers.c: so many connects a second, whatever becomes of those before."""

    def __init__(self, k, rate):
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "tests", "kit", "comers"), k.address[0], str(k.address[1]),
             str(rate)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def so_far(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def end(self):
        """All are served, and there is no other end."""
        out, _ = self.process.communicate(timeout=wait.limit(90))
        return json.loads(out)


@pytest.mark.parametrize("rate", [200, 500])
def test_ten_in_a_row_under_many_connects(start, rate):
    """Requests, slow ones and WebSockets, at least so many a second: none refused, none cut."""
    k = start(shards=2)
    people = crowd(k, "room", "abcd")
    many, pid = Many(k, rate), k.pid
    wait.until(lambda: many.so_far()["served"] > rate // 2, 30)
    for _ in range(UPGRADES):
        started, served = k.status()["started"], many.so_far()["served"]
        k.ctl("upgrade", "gateway")
        assert k.status()["started"] != started
        wait.until(lambda n=served: many.so_far()["served"] >= n + rate // 2, 30)
    settle(*people)
    r = many.end()
    assert (r["refused"], r["cut"], r["wrong"], r["late"]) == (0, 0, 0, 0), r
    assert r["opened"] == r["served"]
    # Those who came while the last were waited for are none.
    assert r["opened"] >= rate * 5, r
    assert k.pid == pid and k.log().count(" executes program=") == UPGRADES
    print(f"{r['opened']} connections, {UPGRADES} upgrades: {r}")
    for p in people:
        p.close()
    k.exact()


def web(address, head=b""):
    """A request, its answer, and the end."""
    c = Wire(address, 30)
    c.write(head + request("GET", "/lobby/x", [("Connection", "close")]))
    assert c.read_all().startswith(b"HTTP/1.1 200 ")
    c.sock.close()


def slow(address, head=b""):
    """The same, a piece at a time: as a rule an upgrade comes between."""
    c = Wire(address, 30)
    data = head + request("GET", "/healthz", [("Connection", "close")])
    for i in range(0, len(data), 12):
        c.write(data[i:i + 12])
        time.sleep(0.02)
    assert c.read_all().startswith(b"HTTP/1.1 200 ")
    c.sock.close()


def test_under_connects_of_every_kind(start, tmp_path):
    """19"""
    port, path = Ports.take(), str(tmp_path / "web.sock")
    k = start(shards=2, listen=("127.0.0.1:PORT", f"unix:{path}"), config=PROXIED % port)
    people = crowd(k, "room", "abcd")
    idle = [Http(k.address) for _ in range(20)]
    for c in idle:
        assert c.ask("GET", "/lobby/x").status == 200
    wait.until(lambda: k.status()["home"] == 20, 20)

    def chat(n):
        with Chat(k, "comers", f"u{n}") as c:
            assert c.users()

    def again(n):
        assert idle[n % 10].ask("GET", "/healthz").status == 200

    def post(n):
        """Its body comes in pieces, while a shard has it."""
        c = Wire(k.address, 30)
        data = request("POST", "/lobby/posted/broadcast", [("Connection", "close")], b"x" * 100)
        for piece in data[:-60], data[-60:-30], data[-30:]:
            c.write(piece)
            time.sleep(0.05)
        assert c.read_all().startswith(b"HTTP/1.1 200 ")
        c.sock.close()

    kinds = [lambda n: web(k.address), lambda n: web(path), lambda n: web(("127.0.0.1", port), LINE),
             lambda n: slow(k.address), lambda n: slow(("127.0.0.1", port), LINE), chat, again, post]

    def amid(i):
        settle(*people)
        # Idle ones are those that nobody has used for long, too.
        assert idle[10 + i].ask("GET", "/lobby/x").status == 200
        assert metrics.ask(k, "/readyz").text == "ready\n"
        assert k.shards() and {s["state"] for s in k.shards()} == {"ready"}
    upgraded(k, kinds, amid)
    settle(*people)
    for p in people + idle:
        p.close()
    k.exact()


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("raw.c")


def test_raw_listeners_too(start, worker):
    """Lines over TCP, also behind a proxy whose head comes in pieces."""
    ports = Ports.take(), Ports.take()
    k = start(shards=2, worker=worker, config=f"""
[listener lines]
address = 127.0.0.1:{ports[0]}
app = raw
group = const:lines

[listener proxied]
address = 127.0.0.1:{ports[1]}
app = raw
group = const:lines
proxy_protocol = yes
proxy_trusted = 127.0.0.1

[route web]
path = /ws
app = raw
group = const:lines
""")
    olds = [Raw(("127.0.0.1", ports[0])) for _ in range(5)]

    def plain(n):
        with Raw(("127.0.0.1", ports[0])) as c:
            assert c.ask(f"echo {n}") == str(n)

    def proxied(n):
        with Raw(("127.0.0.1", ports[1]), hello=False) as c:
            for i in range(0, len(LINE), 8):
                c.s.sendall(LINE[i:i + 8])
                time.sleep(0.01)
            assert c.line() == "hello"
            assert c.ask("peer") == "192.0.2.7:4711"

    def amid(i):
        for j, c in enumerate(olds):
            assert c.ask(f"echo {i} {j}") == f"{i} {j}"
    upgraded(k, [plain, plain, proxied], amid)
    for c in olds:
        c.s.close()
    wait.until(lambda: k.places() == 0, 20)
    k.exact()


def test_who_is_on_the_way_to_a_shard_arrives_first(start):
    """The shard stands still for a while: it is waited for."""
    k = start(shards=1)
    pid, started = k.stop_shard(0), k.status()["started"]
    c = Wire(k.address, 60)
    c.write(request("GET", "/lobby/x", [("Connection", "close")]))
    wait.until(lambda: k.status()["handing_over"] == 1, 20)
    k.ctl("upgrade", "gateway", "--no-wait")
    wait.until(lambda: k.status()["succession"] == "settling", 20)
    os.kill(pid, signal.SIGCONT)
    wait.until(lambda: (s := k.status())["succession"] == "none" and
               (s["started"] != started or s["succession_fault"]), 20)
    assert k.status()["succession_fault"] == ""
    assert c.read_all().startswith(b"HTTP/1.1 200 ")
    assert get(k, "/lobby/x").status == 200     # it accepts again
    c.sock.close()
    assert k.shard(0)["pid"] == pid


def test_who_asks_the_administrators_listener_is_answered_first(start):
    """Amid its request; but one that says nothing more is not waited for for long."""
    port = Ports.take()
    k = start("--admin", f"127.0.0.1:{port}", shards=1)
    started = k.status()["started"]
    c = Wire(("127.0.0.1", port), 30)
    c.write(b"GET /healthz HTT")
    k.ctl("upgrade", "gateway", "--no-wait")
    wait.until(lambda: k.status()["succession"] == "settling", 20)
    c.write(b"P/1.1\r\nHost: x\r\n\r\n")
    assert c.read_all().endswith(b"\r\n\r\nok\n")
    c.sock.close()
    wait.until(lambda: k.status()["started"] != started, 20)
    started = k.status()["started"]
    c = Wire(("127.0.0.1", port), 30)
    c.write(b"GET /healthz HTT")
    k.ctl("upgrade", "gateway")
    assert k.status()["started"] != started
    assert metrics.ask(k, "/healthz", address=("127.0.0.1", port)).text == "ok\n"
    c.sock.close()


def test_who_looks_inside_waits_like_a_client(start):
    """kennelctl and the administrator's listener: nobody is told that nobody answers."""
    port = Ports.take()
    k = start("--admin", f"127.0.0.1:{port}", shards=2)

    def scrape(n):
        with Http(("127.0.0.1", port)) as c:
            assert c.ask("GET", "/healthz").text == "ok\n"

    def look(n):
        assert k.status()["pid"] == k.pid

    def door(n):
        """A connection that the next program finds in the queue."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.connect(os.path.join(k.run, "control.sock"))
        s.close()
    upgraded(k, [scrape, look, door])
