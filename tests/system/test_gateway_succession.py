"""The gateway's place is taken by another one, and those who come meanwhile wait."""
import os
import shutil
import signal
import socket
import threading
import time

import pytest
from kit import kennel as kits
from kit import sockdiag, wait
from kit.chat import again, crowd, settle
from kit.http import Http, get, request
from kit.sockdiag import LISTEN
from kit.supervisor import Supervisor
from kit.wire import Closed
from kit.ws import Ended


def connect(k):
    """A request by a connection that is made now, whether anybody accepts it or not."""
    s = socket.create_connection(("127.0.0.1", k.port), timeout=wait.limit(30))
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return s


def answer(s):
    data = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            s.close()
            return data
        data += piece


def held(k):
    """Each shard holds what the gateway listens on."""
    found = 0
    inode = listening(k)
    for s in k.shards():
        links = set()
        for n in os.listdir(f"/proc/{s['pid']}/fd"):
            try:
                links.add(os.readlink(f"/proc/{s['pid']}/fd/{n}"))
            except OSError:
                pass
        found += f"socket:[{inode}]" in links
    return found


def listening(k):
    """The inode of what listens on the port, or None."""
    return next((str(row.inode) for row in sockdiag.sockets(LISTEN, port=k.port)), None)


def test_who_connects_while_there_is_no_gateway_waits(start):
    """18, 23"""
    k = start(shards=2)
    wait.until(lambda: held(k) == 2, 10)
    people = crowd(k, "room", "abc")
    inode = listening(k)
    for n in 1000, 100, 100:
        k.kill_gateway()
        waiting = [connect(k) for _ in range(n)]
        assert listening(k) == inode
        k.start()
        for s in waiting:
            assert answer(s).startswith(b"HTTP/1.1 200 ")
        assert listening(k) == inode
        wait.until(lambda: held(k) == 2, 10)
    settle(*people)
    for p in people:
        p.close()
    k.exact()


@pytest.mark.parametrize("cover", [True, False])
def test_one_that_hangs_is_killed_by_who_watches_it(start, tmp_path, cover):
    """
    13: It beats no more, and is killed for that.  Meanwhile all talk, come between shards and
    leave; who connects waits, longer than shards hold a socket for a gateway that has died;
    the next one has all back: sockets, clients, counts, and covers.
    """
    supervisor = Supervisor(tmp_path / "n")
    k = start(shards=2, limit=4, cover=cover, env=supervisor.env(6000))
    people = crowd(k, "room", "abcdefgh")
    assert k.group("room") == [4, 4]
    wait.until(lambda: held(k) == 2 and k.status()["covered"] == 8 * cover, 10)
    inode = listening(k)
    head = Http(k.address)
    head.write(b"GET /healthz HTTP/1.1\r\n")     # it is the gateway's, and lost with it
    wait.until(lambda: k.status()["handshakes"] == 1, 10)
    supervisor.wait("WATCHDOG=1")
    os.kill(k.pid, signal.SIGSTOP)
    waiting = [connect(k) for _ in range(100)]
    settle(*people)
    people.pop(0).close()
    supervisor.watch(k.pid, 6000)
    k.process.wait()
    k.start()
    for s in waiting:
        assert answer(s).startswith(b"HTTP/1.1 200 ")
    assert listening(k) == inode
    with pytest.raises((Closed, OSError)):
        head.read(1)
    head.close()
    supervisor.wait("READY=1")
    supervisor.wait("WATCHDOG=1")
    settle(*people)
    wait.until(lambda: (s := k.status())["covered"] == 7 * cover and s["places"] == 7 and
               held(k) == 2, 20)
    k.exact()
    # And what a gateway is there for: a shard dies, a newcomer has its place.
    if cover:
        k.kill_shard(0)
        again(*people)
        assert k.status()["totals"]["lost_by_death"] == 0
    people += crowd(k, "other", "xy")
    for p in people:
        p.close()
    supervisor.socket.close()


@pytest.mark.parametrize("end", ["goes on", "killed"])
def test_a_shard_that_dies_while_the_gateway_hangs(start, end):
    """13: Its clients go on if the gateway does, which has their descriptors; else they end."""
    k = start(shards=2, limit=2, deaths=True)
    people = crowd(k, "room", "abcd")
    wait.until(lambda: k.status()["covered"] == 4, 10)
    victim = k.shard(0)
    theirs = [p for p in people if p.shard() == victim["address"]]
    settle(*people)
    assert len(theirs) == 2
    os.kill(k.pid, signal.SIGSTOP)
    k.kill_shard(pid=victim["pid"])
    wait.until(lambda: not kits.alive(victim["pid"]), 10)
    if end == "killed":
        k.kill_gateway()
        k.start()
        for p in theirs:
            people.remove(p)
            with pytest.raises((Closed, Ended, OSError)):
                while p.hear():
                    pass
    else:
        os.kill(k.pid, signal.SIGCONT)
    again(*people)
    wait.until(lambda: k.places() == len(people), 20)
    k.exact()
    for p in people:
        p.close()


def test_nobody_waits_for_ever(start):
    """After 5 s without a gateway the shards let go, and serve on."""
    k = start(shards=2)
    wait.until(lambda: held(k) == 2, 10)
    a, b = crowd(k, "room", "ab")
    k.kill_gateway()
    s = connect(k)
    wait.until(lambda: listening(k) is None, 20)
    with pytest.raises(OSError):
        if answer(s) == b"":
            raise OSError
    with pytest.raises(ConnectionRefusedError):
        connect(k)
    settle(a, b)
    k.start()
    wait.until(lambda: held(k) == 2, 10)
    assert get(k, "/healthz").status == 200
    for p in a, b:
        p.close()


def test_who_leaves_on_purpose_leaves_nobody_waiting(start):
    k = start(shards=2)
    wait.until(lambda: held(k) == 2, 10)
    a, b = crowd(k, "room", "ab")
    http = Http(k.address)
    http.write(request("GET", "/healthz"))
    k.process.terminate()
    k.wait_log("leaving")
    wait.until(lambda: listening(k) is None, 10)
    with pytest.raises(ConnectionRefusedError):
        connect(k)
    k.process.wait(wait.limit(30))


def test_another_address_is_bound_and_the_old_one_let_go(start):
    k = start(shards=2)
    wait.until(lambda: held(k) == 2, 10)
    old = k.port
    k.kill_gateway()
    k.port = None
    k.start()
    assert k.port != old
    wait.until(lambda: held(k) == 2, 10)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), timeout=5)


def test_a_port_that_is_another_ones_is_still_said(start):
    """Shards live, but what is in use is not held by them."""
    k = start(shards=1)
    wait.until(lambda: held(k) == 1, 10)
    k.kill_gateway()
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port, k.port = k.port, taken.getsockname()[1]
    k.start(ready=False)
    assert k.process.wait(wait.limit(30)) != 0
    assert "is another server running?" in k.log()
    k.port = port
    k.start()
    taken.close()


def test_a_unix_socket_is_given_back(start, tmp_path):
    path = str(tmp_path / "web.sock")
    k = start(shards=1, listen=("127.0.0.1:PORT", f"unix:{path} mode=0600"))
    wait.until(lambda: held(k) == 1, 10)
    for _ in range(2):
        k.kill_gateway()
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(wait.limit(30))
        s.connect(path)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n")
        k.start()
        assert answer(s).startswith(b"HTTP/1.1 200 ")
    k.stop()
    assert not os.path.exists(path)


# ---- another program, as planned ----


@pytest.fixture
def own(monkeypatch, tmp_path):
    """A gatewayd of our own, that can be replaced: its path."""
    path = str(tmp_path / "gatewayd")

    def replace(by=kits.GATEWAYD):
        shutil.copy(by, path + ".new")
        os.rename(path + ".new", path)
        return path
    original = kits.GATEWAYD
    replace(original)
    monkeypatch.setattr(kits, "GATEWAYD", path)
    return lambda by=original: replace(by)


def inode(pid):
    return os.stat(f"/proc/{pid}/exe").st_ino


@pytest.mark.parametrize("redis", ["auto", "none"])
def test_another_gateway_and_nobody_notices(start, own, redis):
    """23: Half a head, an idle connection, a WebSocket, and who comes meanwhile."""
    k = start(shards=2, redis=redis)
    pid, was = k.pid, inode(k.pid)
    people = crowd(k, "room", "abcd")
    idle = Http(k.address)
    assert idle.ask("GET", "/healthz").status == 200
    wait.until(lambda: k.status()["home"] == 1, 10)
    half = socket.create_connection(("127.0.0.1", k.port),
                                    timeout=wait.limit(30))
    half.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConn")
    silent = socket.create_connection(("127.0.0.1", k.port),
                                      timeout=wait.limit(30))
    wait.until(lambda: k.status()["handshakes"] == 2, 10)
    shards = {s["pid"] for s in k.shards()}
    stop, failed, served = threading.Event(), [], []

    def come():
        while not stop.is_set():
            try:
                assert answer(connect(k)).startswith(b"HTTP/1.1 200 ")
                served.append(1)
            except (AssertionError, OSError) as e:
                failed.append(repr(e))
            time.sleep(0.01)
    threads = [threading.Thread(target=come) for _ in range(3)]
    for t in threads:
        t.start()
    try:
        for _ in range(5):
            own()
            k.ctl("upgrade", "gateway")
            assert k.process.poll() is None and k.pid == pid
            assert inode(pid) != was
            was = inode(pid)
            assert idle.ask("GET", "/healthz").status == 200
            wait.until(lambda: k.status()["home"] == 1, 10)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert failed == [] and len(served) > 10
    half.sendall(b"ection: close\r\n\r\n")
    assert answer(half).startswith(b"HTTP/1.1 200 ")
    silent.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                   b"Connection: close\r\n\r\n")
    assert answer(silent).startswith(b"HTTP/1.1 200 ")
    assert {s["pid"] for s in k.shards()} == shards
    settle(*people)
    for p in people:
        p.close()
    k.exact()


def test_a_gateway_that_does_not_start_changes_nothing(start, own, tmp_path):
    k = start(shards=1)
    a, b = crowd(k, "room", "ab")
    started = k.status()["started"]
    own("/bin/false")
    p = k.ctl("upgrade", "gateway", check=False)
    assert p.returncode == 1 and "does not start" in p.stderr
    os.unlink(tmp_path / "gatewayd")
    p = k.ctl("upgrade", "gateway", check=False)
    assert p.returncode == 1 and "No such file" in p.stderr
    assert k.status()["started"] == started
    assert get(k, "/healthz").status == 200
    own()
    k.ctl("upgrade", "gateway")
    assert k.status()["started"] != started
    settle(a, b)
    for p in a, b:
        p.close()


def test_a_mistake_in_the_configuration_is_found_before(start, own):
    k = start(shards=1, config="[gateway]\nbacklog = 100\n")
    started = k.status()["started"]
    with open(k.config, "a") as f:
        f.write("nonsense = 1\n")
    p = k.ctl("upgrade", "gateway", check=False)
    assert p.returncode == 1 and "does not start" in p.stderr
    assert k.status()["started"] == started


def test_secrets_of_the_environment_are_kept(start, own):
    k = start(shards=1, redis="none", env={"KENNEL_SIGNING_KEY": "secret42"})
    for _ in range(2):
        k.ctl("upgrade", "gateway")
        with open(f"/proc/{k.pid}/environ", "rb") as f:
            assert b"secret42" not in f.read()
    # Only who knows the key becomes admin; see test_pact_admin.py.
    assert k.status()["succession_fault"] == ""
