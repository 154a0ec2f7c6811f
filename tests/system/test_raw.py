"""Raw TCP: an application's own protocol over a listener."""
import errno
import os
import resource
import signal
import socket
import struct
import subprocess
import time

import pytest
from kit import docs, metrics, wait
from kit.http import Http
from kit.kennel import GATEWAYD, Ports
from kit.raw import Raw
from kit.ws import TEXT, WebSocket, frame

CONFIG = """
[listener lines]
address = 127.0.0.1:%d
app = raw
group = const:lines
"""


@pytest.fixture(scope="module")
def worker(installed):
    return installed.worker("raw.c")


class Lines:
    """A kennel with a raw listener."""

    def __init__(self, kennel, port):
        self.kennel = kennel
        self.address = ("127.0.0.1", port)

    def client(self, **kw):
        return Raw(self.address, **kw)

    def web(self):
        return WebSocket(self.kennel.address, "/ws")

    def refused(self):
        return self.kennel.status()["totals"]["refused"]


@pytest.fixture
def lines(start, worker):
    """lines(keys of the listener, the rest of the configuration)"""
    def starter(keys="", config="", **kw):
        port = Ports.take()
        return Lines(start(worker=worker, config=CONFIG % port + keys +
                           "\n[route web]\npath = /ws\napp = raw\n"
                           "group = const:lines\n" + config, **kw), port)
    return starter


def test_the_example_of_the_readme(start, installed):
    """It compiles without a warning, and has rooms on several shards."""
    text = docs.chapter("Your own protocol over TCP")
    port = Ports.take()
    k = start(shards=3, worker=installed.worker(
        docs.blocks(text)[0]),
        config=docs.blocks(text, "ini")[0]
        .replace("5000", f"127.0.0.1:{port}") + "limit = 1\n")
    a, b, c = (Raw(("127.0.0.1", port), hello=False) for _ in range(3))
    k.wait_group("lobby", [1, 1, 1])
    for p in a, b:
        p.send("join den")
        assert p.ask("in it") == "in it"
    c.send("say den hello there")
    assert a.line() == b.line() == "den: hello there"
    b.send("leave den", "quit", "unheard")
    assert b.rest() == []
    c.s.sendall(b"x" * 600)
    assert c.ended()
    a.send("say den alone")
    a.end()
    assert a.rest() == ["den: alone"]


# ---- bytes in ----

def test_lines(lines):
    k = lines()
    with k.client() as a:
        assert a.ask("echo one") == "one"
        a.send("echo two", "echo three")
        assert [a.line(), a.line()] == ["two", "three"]
        assert a.ask("peer") == "%s:%d" % a.s.getsockname()
        k.kennel.wait_group("lines", [1])
        k.kennel.exact()
        a.end()
        assert a.rest() == []
    k.kennel.wait_places(0)
    assert k.kennel.status()["totals"]["raw"] == 1


def test_early_bytes_and_cuts(lines):
    """Sent before anybody reads, glued, cut at every byte."""
    k = lines()
    with k.client(early=b"echo a\necho b\nec") as a:
        assert [a.line(), a.line()] == ["a", "b"]
        a.s.sendall(b"ho c\n")
        assert a.line() == "c"
    text = b"echo first\necho second\n"
    for i in range(len(text) + 1):
        with k.client(early=text[:i]) as a:
            if i % 2:
                a.s.sendall(text[i:])
                assert [a.line(), a.line()] == ["first", "second"]
            else:
                for j in range(i, len(text)):
                    a.s.sendall(text[j:j + 1])
                a.end()
                assert a.rest() == ["first", "second"]


def test_many_commands_at_once_in_order(lines):
    k = lines()
    with k.client() as a:
        a.send(*(f"echo {i}" for i in range(20000)))
        a.end()
        assert a.rest() == [str(i) for i in range(20000)]


def test_what_is_no_message_ends_it(lines):
    """bad-data, too-big, and an application that counts wrongly; others go on."""
    k = lines(shards=1)
    with k.client() as other:
        with k.client() as a:
            a.send("echo yes", "nonsense", "echo no")
            assert a.rest() == ["yes"]
        with k.client() as a:
            a.s.sendall(b"x" * (100 << 10))
            assert a.ended()
        with k.client() as a:
            a.send("over")
            assert a.ended()
        wait.until(lambda: k.kennel.places() == 1)
        said = ""

        def all_said():
            nonlocal said
            said += other.ask("closes")
            return "bad-data 1002" in said and "too-big 1009" in said and \
                "error 1011" in said
        wait.until(all_said)
    assert "ondata says" in k.kennel.log()


def test_claim_much_send_nothing(lines):
    """40 that hold most of a message: all are served beside them, memory is bounded."""
    k = lines(shards=1)
    pid = k.kennel.shard(0)["pid"]
    with k.client() as a:
        before = rss(pid)
        held = [k.client(early=b"x" * (99 << 10)) for _ in range(40)]
        assert a.ask("echo still") == "still"
        assert rss(pid) - before < 40 * (400 << 10)
        for h in held:
            h.s.sendall(b"x" * 2048)
        for h in held:
            assert h.ended()
            h.s.close()
        assert a.ask("echo here") == "here"


def rss(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


# ---- ends ----

def test_half_close_is_honoured(lines):
    """What was sent is done, what is owed is written, then our side ends."""
    k = lines(keys="out_max = 64M\n")
    with k.client(rcvbuf=4096) as a:
        a.send("big 80 99999", "done mine", "echo last")
        a.end()
        got = a.rest()
    assert got[:80] == ["x" * 99999] * 80
    assert got[80:] == ["mine", "done", "last"]
    with k.client() as a:               # a part of a message is dropped
        a.s.sendall(b"echo whole\necho pa")
        a.end()
        assert a.rest() == ["whole"]
    with k.client() as a:               # an idle one
        a.end()
        assert a.rest() == []
    k.kennel.wait_places(0)


def test_held_open_after_the_client_ended(lines):
    k = lines()
    with k.client() as a, k.client() as b:
        uid = a.ask("who")
        a.send("hold", "late 300 later")
        a.end()
        assert a.line() == "held"
        b.send(f"tell {uid} hello")
        assert a.line() == "hello"
        assert a.line() == "later"
        a.s.settimeout(0.2)
        with pytest.raises(TimeoutError):
            a.s.recv(1)
        assert k.kennel.places() == 2
    k.kennel.wait_places(1)             # b has gone; a is the application's
    pid = k.kennel.shards()[0]["pid"]
    assert os.path.exists(f"/proc/{pid}")


def test_application_closes(lines):
    """Behind all that was said; code and reason are for onclose alone."""
    k = lines(keys="out_max = 64M\n", shards=1)
    with k.client() as other, k.client(rcvbuf=4096) as a:
        a.send("big 40 99999", "close", "echo no")
        assert a.rest() == ["x" * 99999] * 40 + ["bye"]
        wait.until(lambda: "app 1000" in other.ask("closes"))


def test_client_that_reads_half_after_its_end(lines):
    """It has closed its side, the application closes, too: all is still written."""
    k = lines(keys="out_max = 64M\n")
    with k.client(rcvbuf=4096) as a:
        a.send("big 40 99999", "close")
        a.end()
        assert a.rest() == ["x" * 99999] * 40 + ["bye"]


def test_reset(lines):
    k = lines(shards=1)
    with k.client() as other:
        with k.client() as a:
            a.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                           struct.pack("ii", 1, 0))
        wait.until(lambda: "reset 1006" in other.ask("closes"))


def test_a_machine_that_is_gone_is_noticed(lines):
    """The kernel asks a client that says nothing for so long."""
    k = lines(config="[worker]\nping_interval = 7s\n")
    with k.client() as a:
        here, there = ("0100007F:%04X" % at[1] for at in (a.s.getpeername(), a.s.getsockname()))

        def timer():
            """Its kind, and how long until it asks."""
            with open("/proc/net/tcp") as f:
                timers = [line.split()[5] for line in f
                          if line.split()[1:4] == [here, there, "01"]]
            assert len(timers) == 1
            kind, ticks = timers[0].split(":")
            return kind == "02" and int(ticks, 16)
        assert 0 < wait.until(timer, 20, "it will be asked") <= 700


# ---- to others ----

def test_group_of_both_kinds(lines):
    """Raw clients hear bytes as they are, WebSockets frames, over all shards."""
    k = lines(keys="limit = 1\n", shards=3, max_shards=4, config="limit = 1\n")
    with k.client() as a, k.client() as b, k.web() as w:
        k.kennel.wait_group("lines", [1, 1, 1])
        wait.until(lambda: a.ask("count") == "1")
        a.send("say to all of you")
        assert a.line() == b.line() == "to all of you"
        assert w.recv() == "to all of you\n"
        w.send(b"\x00\xff\n")
        assert w.recv() == b"\x00\xff\n"
        for c in a, b:
            assert c.line(bytes) == b"\x00\xff"
        uid = b.ask("who")
        assert len(uid) == 36
        a.send(f"tell {uid} only you")
        assert b.line() == "only you"
        assert b.ask("join news") == "joined"
        a.send("publish news extra")
        assert b.line() == "extra"
        w.send("x" * 70000 + "\n")
        assert w.recv() == "x" * 70000 + "\n"
        assert a.line() == b.line() == "x" * 70000


def test_one_payload_for_many(lines):
    k = lines(shards=1)
    with k.client() as a, k.client() as b, k.web() as w:
        k.kennel.wait_group("lines", [3])
        a.send("share 3")
        assert [a.line() for _ in range(3)] == ["0 same", "1 same", "2 same"]
        a.send("each hear")
        assert a.line() == b.line() == "hear"
        assert w.recv() == "hear\n"


# ---- flow ----

def queued(k):
    """Bytes that wait for clients."""
    return sum(metrics.metrics(k)["kennel_shard_queued_bytes"].values())


def test_pause_and_resume(lines):
    k = lines()
    with k.client() as a, k.client() as b:
        begun = time.monotonic()
        a.send("pause 500", "echo after")
        assert b.ask("echo others") == "others"
        assert a.line() == "resumed"
        assert time.monotonic() - begun >= 0.45
        assert a.line() == "after"


def test_websockets_are_paused_too(lines):
    """Amid what has come already, and what comes then."""
    k = lines()
    with k.web() as w, k.client() as a:
        w.write(frame(TEXT, "pause") + frame(TEXT, "one") + frame(TEXT, "two"))
        assert a.ask("echo others") == "others"
        assert [w.recv() for _ in range(3)] == ["resumed\n", "one", "two"]
        w.send("pause")
        w.send("three")
        assert [w.recv(), w.recv()] == ["resumed\n", "three"]


def test_marks(lines):
    """High once, low once, however much there was."""
    k = lines(keys="out_max = 64M\n", shards=1)
    with k.client(rcvbuf=4096) as a:
        a.send("big 100 99999")
        wait.until(lambda: queued(k.kennel) > 1 << 20)
        for _ in range(100):
            assert a.line() == "x" * 99999
        assert a.ask("marks") == "1 1"


def test_slow_reader_is_closed_behind_a_whole_message(lines):
    """More than out_max waits: what is begun is finished, the rest is not."""
    k = lines(keys="out_max = 2M\n", shards=1)
    with k.client() as other, k.client(rcvbuf=4096) as a:
        a.send("parts 200 99999")
        wait.until(lambda: "slow 1008" in other.ask("closes"), 20)
        got = a.rest()
        assert set(got) == {"x" * 99999}
        assert 0 < len(got) < 200


def test_slow_reader_misses_whole_messages(lines):
    k = lines(keys="out_max = 1M\nslow = drop-old\n", shards=1)
    with k.client(rcvbuf=4096) as a:
        a.send("big 200 99999")
        a.send("echo last")
        got = []
        while not got or got[-1] != "last":
            got.append(a.line())
        assert set(got[:-1]) == {"x" * 99999}
        assert len(got) < 200


def test_listener_allows_more_than_the_others(lines):
    k = lines(keys="out_max = 64M\n", config="[worker]\nout_max = 256K\n")
    with k.client(rcvbuf=4096) as a:
        a.send("big 200 99999")
        assert [a.line() for _ in range(200)] == ["x" * 99999] * 200


def test_rates(lines):
    k = lines(keys="message_rate = 20\nmessage_burst = 20\n")
    with k.client() as a:
        a.send(*["echo x"] * 100)
        assert 20 <= len(a.rest()) <= 30
    wait.until(lambda: k.kennel.status()["totals"]["gone"]["rate"] == 1)
    k = lines(keys="byte_rate = 10K\n")
    with k.client() as a:
        a.s.sendall(b"echo " + b"x" * 30000 + b"\n")
        assert a.ended()


# ---- connections of one's own ----

def test_dial(lines, tmp_path):
    """By name, by number, by path; served like others, counted nowhere."""
    k = lines(shards=1)
    path = str(tmp_path / "there")
    with k.client() as a, socket.create_server(("127.0.0.1", 0)) as there, \
            socket.socket(socket.AF_UNIX) as unix:
        port = there.getsockname()[1]
        unix.bind(path)
        unix.listen()
        for address, server, peer in (
                (f"localhost:{port}", there, f"127.0.0.1:{port}"),
                (f"127.0.0.1:{port}", there, f"127.0.0.1:{port}"),
                (f"unix:{path}", unix, f"unix:{path}")):
            assert a.ask(f"dial {address}") == f"reached {peer}"
            server.settimeout(wait.limit(10))
            c, _ = server.accept()
            with c:
                assert c.recv(100) == b"echo over there\n"
                c.sendall(b"half")
                c.sendall(b" a line\n")
                assert a.line() == "from half a line"
                assert k.kennel.places() == 1
                k.kennel.exact()
            assert a.line() == "lost client"
        with k.client() as b:           # a worker may dial its own listener
            assert b.ask("dial %s:%d" % k.address) == "reached %s:%d" % k.address
            assert [b.line(), b.line()] == ["from hello", "from over there"]
            k.kennel.wait_places(3)
    k.kennel.wait_places(1)             # the dialled one's is a's no more


def test_dial_in_vain(lines):
    k = lines(shards=1)
    with k.client() as a, socket.create_server(("127.0.0.1", 0), backlog=1) as full:
        port = Ports.take()
        assert a.ask(f"dial 127.0.0.1:{port}") == f"failed {errno.ECONNREFUSED}"
        assert a.ask("dial unix:/nowhere/x") == f"failed {errno.ENOENT}"
        assert a.ask("dial no-such-host.invalid:1") == \
            f"failed {errno.EHOSTUNREACH}"
        for wrong in "localhost", "localhost:0", ":1", "a:b", "unix:", "[::1]":
            assert a.ask(f"dial {wrong}") == "no address"
        crowd = [socket.socket() for _ in range(4)]     # nobody accepts there
        for c in crowd:
            c.setblocking(False)
            c.connect_ex(full.getsockname())
        begun = time.monotonic()
        assert a.ask("dial 127.0.0.1:%d" % full.getsockname()[1]) in (
            f"failed {errno.ETIMEDOUT}",)
        assert time.monotonic() - begun > 1
        for c in crowd:
            c.close()
        a.send("dial no-such-host.invalid:1")           # under way at the end
    assert k.kennel.term() == 0


# ---- the gateway ----

def test_what_its_listener_says(lines, tmp_path):
    """Keys for its application; and again after a reload."""
    secret = tmp_path / "psk"
    secret.write_text("one two\n")
    k = lines(keys=f"dialect = d2\npsk_file = {secret}\napp.colour = deep blue\n"
              "x-gone = soon\n")
    with k.client() as a:
        assert a.ask("setting dialect") == "d2"
        assert a.ask("setting psk_file") == str(secret)
        assert a.ask("setting app.colour") == "deep blue"
        assert a.ask("setting x-gone") == "soon"
        assert a.ask("setting nothing") == "-"
        config = k.kennel.config
        with open(config) as f:
            text = f.read()
        with open(config, "w") as f:
            f.write(text.replace("dialect = d2", "dialect = d1")
                    .replace("x-gone = soon\n", "")
                    .replace("const:lines\ndialect", "const:other\ndialect"))
        k.kennel.ctl("reload")
        k.kennel.wait_log(r"taken: .*\[listener lines\]")
        wait.until(lambda: a.ask("setting dialect") == "d1")
        assert a.ask("setting x-gone") == "-"
        assert a.ask("setting app.colour") == "deep blue"
        with k.client() as b:           # another group by now
            k.kennel.wait_group("other", [1])
            assert b.ask("count") == "1"
        # The socket itself stays, and is no raw one from here on.
        with open(config, "w") as f:
            f.write(text.replace("app = raw\ngroup = const:lines\n", "", 1)
                    .replace("dialect = d2\n", "").replace("x-gone = soon\n", "")
                    .replace("app.colour = deep blue\n", "")
                    .replace(f"psk_file = {secret}\n", ""))
        k.kennel.ctl("reload")
        with WebSocket(k.address, "/ws") as w:
            w.send("x")
            assert w.recv() == "x"
        assert a.ask("echo a") == "xa"  # behind what the other has said


def test_configuration_is_checked(lines, tmp_path):
    k = lines()
    path = tmp_path / "wrong.ini"
    for keys, why in (
            ("group = const:x", 'needs the key "app"'),
            ("dialect = d1", 'needs the key "app"'),
            ("app = raw\ngroup = path:room", "const:NAME, uuid or random20"),
            ("app = raw\nuid = header:X", "const:NAME, uuid or random20"),
            ("app = raw\nlimit = 0", "limit"),
            ("app = raw\ngroup = const:x\nlimit = 5\n[route r]\npath = /r\n"
             "app = raw\ngroup = const:x", "[route r] can meet in one group"),
            ("app = raw\ngroup = const:x\nlimit = 5\n[listener b]\n"
             "address = 2\napp = raw\ngroup = uuid", "[listener b] can meet"),
            ("app = raw\nslow = perhaps", "close, drop-new, drop-old"),
            ("app = raw\nkeep = Cookie", "app."),
            ("app = raw\npsk_file = /nowhere", "not a file"),
            ("app = raw\n" + f"app.x = {'y' * 900}\n" * 9, "7 KiB")):
        path.write_text(f"[listener raw]\naddress = 1\n{keys}\n")
        p = check(k, path)
        assert p.returncode == 1 and why in p.stderr + p.stdout, (keys, p)
    path.write_text("[route a]\npath = /\napp = raw\n[listener raw]\n"
                    f"address = {Ports.take()}\napp = raw\n"
                    "uid = random20\ngroup = uuid\n")
    assert check(k, path).returncode == 0


def check(k, path):
    return subprocess.run(
        [GATEWAYD, "--check", "--config", str(path), "--worker",
         k.kennel.options["worker"], "--run-dir",
         k.kennel.dir + "/check", "--state-dir", k.kennel.dir + "/check"],
        capture_output=True, text=True, timeout=wait.limit(30))


def test_application_without_ondata(start, worker):
    port = Ports.take()
    k = start(worker=worker, config=(CONFIG % port).replace("= raw", "= web"))
    with Raw(("127.0.0.1", port), hello=False) as a:
        assert a.ended()
    assert k.status()["totals"]["refused"] == 1
    assert "serves no raw connections" in k.log()


def test_limits_are_kept(lines):
    """Places and addresses: who is too many is closed, not told in HTTP."""
    k = lines(keys="limit = 2\n", shards=1, max_shards=1, limit=None,
              config="limit = 2\n[gateway]\nper_address = 3\n")
    with k.client() as a, k.client() as b:
        with k.client(hello=False) as c:
            assert c.ended()
        assert k.refused() == 1
        assert a.ask("echo a") == "a" and b.ask("echo b") == "b"
    k.kennel.wait_places(0)


def test_limit_for_all(lines):
    """--limit counts for raw listeners, too; kennelctl knows of their groups."""
    k = lines(shards=2, max_shards=2, limit=1)
    with k.client() as a, k.client() as b:
        k.kennel.wait_group("lines", [1, 1])
        with k.client(hello=False) as c:
            assert c.ended()
        a.send("say both")
        assert a.line() == b.line() == "both"


def test_per_address(lines):
    k = lines(config="[gateway]\nper_address = 2\n")
    with k.client() as a, k.client():
        with k.client(hello=False) as c:
            assert c.ended()
        with k.client(source="127.0.0.2") as d:
            assert d.ask("echo d") == "d"
        a.end()
        a.rest()
        wait.until(lambda: k.kennel.places() == 1)
        with k.client() as e:
            assert e.ask("echo e") == "e"


def test_refused_by_onopen(lines):
    k = lines(keys="app.refuse = yes\n")
    with k.client(hello=False) as a:
        assert a.ended()
    k.kennel.wait_places(0)


def test_proxy_protocol(lines):
    """Its head is read; what stands behind it is the client's."""
    k = lines(keys="proxy_protocol = yes\nproxy_trusted = 127.0.0.1\n")
    head = b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 5000\r\n"
    with k.client(hello=False, early=head + b"echo glued\n") as a:
        assert [a.line(), a.line()] == ["hello", "glued"]
        assert a.ask("peer") == "192.0.2.7:4711"
    with k.client(hello=False) as a:        # cut at every byte
        for i in range(len(head)):
            a.s.sendall(head[i:i + 1])
        assert a.line() == "hello"
        assert a.ask("peer") == "192.0.2.7:4711"
    with k.client(hello=False, early=b"echo none\n") as a:
        assert a.ended()
    with k.client(hello=False, source="127.0.0.9") as a:
        assert a.ended()
    assert k.refused() == 2
    k.kennel.wait_log("head of the PROXY protocol is refused")


def test_the_wrong_door(lines):
    """HTTP at a raw port, lines at an HTTP port."""
    k = lines()
    with k.client(hello=False, early=b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") as a:
        assert a.line() == "hello"
        assert a.ended()
    with Raw(k.kennel.address, hello=False, early=b"echo x\n") as a:
        assert a.line() == "HTTP/1.1 400 Bad Request\r"
    with Http(k.kennel.address) as c:
        assert c.ask("GET", "/nowhere").status == 404
    for junk in (b"\x16\x03\x01\x02\x00\x01\x00", os.urandom(3000) + b"\n",
                 b"\x00" * 5000 + b"\n"):
        with k.client(hello=False, early=junk) as a:
            pass
    with k.client() as a:
        assert a.ask("echo fine") == "fine"
    k.kennel.wait_places(0)


# ---- ends of processes ----

def test_drain_ends_behind_a_whole_message(lines):
    k = lines(shards=1, max_shards=2)
    with k.client(rcvbuf=4096) as a, k.client() as b:
        a.send("big 9 99999")
        assert a.line() == "x" * 99999
        k.kennel.ctl("drain", "0", "--no-wait")
        assert set(a.rest()) == {"x" * 99999}
        assert b.rest() == []


def test_gatewayd_ends(lines):
    k = lines()
    with k.client(rcvbuf=4096) as a, k.client() as b:
        a.send("big 9 99999")
        assert a.line() == "x" * 99999
        k.kennel.process.send_signal(signal.SIGTERM)
        assert set(a.rest()) == {"x" * 99999}
        assert b.rest() == []
        assert k.kennel.process.wait(wait.limit(20)) == 0


def test_shard_is_killed(lines):
    k = lines(keys="limit = 1\n", config="limit = 1\n", shards=2)
    with k.client() as a, k.client() as b:
        k.kennel.wait_group("lines", [1, 1])
        slot = next(s["slot"] for s in k.kennel.shards()
                    if s["connections"] == 1)
        k.kennel.kill_shard(slot)
        ended = wait.until(lambda: next((c for c in (a, b) if gone(c)), None))
        left = b if ended is a else a
        assert left.ask("echo left") == "left"
        k.kennel.wait_places(1)
        with k.client() as c:
            assert c.ask("echo new") == "new"


def gone(c):
    c.s.setblocking(False)
    try:
        return c.s.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    finally:
        c.s.settimeout(wait.limit(20))


def test_gateway_is_killed(lines):
    """Connections go on, and the next gateway knows of them."""
    k = lines()
    with k.client() as a:
        k.kennel.kill_gateway()
        assert a.ask("echo without") == "without"
        k.kennel.start()
        k.kennel.wait_places(1)
        assert a.ask("setting dialect") == "-"
        with k.client() as b:
            b.send("say both")
            assert a.line() == b.line() == "both"
        k.kennel.exact()
    k.kennel.wait_places(0)
