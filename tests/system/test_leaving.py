"""SIGTERM: everybody is told, and nothing is left behind."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.chat import Chat, crowd, settle
from kit.http import Http, request
from kit.probe import CONFIG, Probe
from kit.wire import Closed
from kit.ws import Ended, WebSocket


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT])
def test_clients_are_closed_with_1001(start, signo):
    k = start(shards=3)
    people = crowd(k, "g", "abcde") + [WebSocket(k.address)]
    k.process.send_signal(signo)
    for p in people:
        try:
            while True:
                p.recv()
        except Ended as e:
            assert e.code == 1001
        p.goodbye_sent = p.sock.send(b"\x88\x80\0\0\0\0")
    assert k.process.wait(wait.limit(15)) == 0
    for p in people:
        p.close()
    k.check_gone()
    k.stop()


@pytest.mark.parametrize("redis", ["auto", "none"])
def test_a_clean_exit_warns_of_nothing(start, redis):
    """Shards that end their links, slow clients, a shard that left before."""
    k = start(shards=4, redis=redis, limit=2,
              config="[gateway]\ndrain = 1s\n")
    people = crowd(k, "g", "abcdefgh")
    settle(*people)
    pid = k.shard(0)["pid"]
    os.kill(pid, signal.SIGTERM)
    wait.until(lambda: k.shard(0)["pid"] != pid and len(k.shards()) == 4, 20)
    assert k.term() == 0
    assert [l for l in k.log().splitlines() if " warn " in l] == []
    for p in people:
        p.close()
    k.stop()


def test_clients_that_do_not_answer_do_not_hold_it(start):
    k = start(shards=2, config="[gateway]\ndrain = 2s\n")
    silent = [WebSocket(k.address) for _ in range(10)]
    begin = time.monotonic()
    assert k.term() == 0
    assert time.monotonic() - begin < wait.limit(6)
    for c in silent:
        assert c.end() in (1001, 1006)
        c.close()
    k.stop()


def test_hundreds_leave_in_time(start):
    k = start(shards=2, config="[gateway]\ndrain = 5s\n")
    cs = [WebSocket(k.address) for _ in range(300)]
    codes = []

    def read():
        for c in cs:
            codes.append(c.end())
            c.close()
    t = threading.Thread(target=read)
    t.start()
    assert k.term() == 0
    t.join()
    assert codes == [1001] * 300
    k.stop()


@pytest.mark.parametrize("most", [5000, 800, 0])
def test_each_client_is_told_its_own_time_to_come_back(start, most):
    """42: In the close of a WebSocket, and where a stream of events has a place for it."""
    k = start(shards=2, config=f"[gateway]\ndrain = 2s\n[worker]\n"
                               f"come_back = {most}ms\n", limit=100)
    cs = [WebSocket(k.address) for _ in range(40)]
    with Http(k.address) as stream:
        stream.write(b"GET /lobby/g/events?u=s HTTP/1.1\r\nHost: h\r\n"
                     b"Accept: text/event-stream\r\n\r\n")
        stream.read_until(b"\r\n\r\n")
        k.process.terminate()
        told = []
        for c in cs:
            with pytest.raises(Ended) as e:
                while True:
                    c.recv()
            assert e.value.code == 1001
            told.append(re.fullmatch("The server is shutting down[.](?: Come back "
                                     "in ([0-9]+) ms[.])?",
                                     e.value.reason.decode())[1])
            c.close()
        event = stream.read_until(b"The server is shutting down.").decode()
        retry = re.search("^retry: ([0-9]+)$", event, re.M)
    if most == 0:
        assert set(told) == {None} and retry is None
    else:
        times = [int(t) for t in told]
        assert all(1 <= t <= most for t in times + [int(retry[1])])
        assert len(set(times)) > 20, "each has its own"
        assert max(times) > most / 2 > min(times)
    assert k.process.wait(wait.limit(20)) == 0
    k.check_gone()
    k.remove()


def test_http_is_finished(start, installed):
    """A request that is being answered gets its answer."""
    k = start(shards=2, config=CONFIG % 9, worker=installed.worker("probe.c"))
    cs = [Http(k.address) for _ in range(6)]
    for c in cs:
        c.write(request("GET", "/p/g/later?ms=2000"))
    k.wait_places(6)
    k.process.send_signal(signal.SIGTERM)
    for c in cs:
        r = c.response()
        assert (r.status, r.text) == (200, "later")
        assert c.ended()        # whichever of the two was first
    assert k.process.wait(wait.limit(15)) == 0
    k.stop()


def test_nobody_is_accepted_while_leaving(start):
    k = start(shards=1, max_shards=1)
    silent = WebSocket(k.address)
    half = Http(k.address)
    half.write(b"GET / HT")
    wait.until(lambda: k.status()["handshakes"] == 1)
    k.process.send_signal(signal.SIGTERM)
    try:
        assert half.response().status == 503
    except Closed as e:
        assert e.so_far == b""

    def refused():
        try:
            socket.create_connection(k.address, 1).close()
            return False
        except ConnectionRefusedError:
            return True
    wait.until(refused, 5)
    silent.close()
    assert k.process.wait(wait.limit(15)) == 0
    k.stop()


def test_second_signal_is_at_once(start):
    k = start(shards=2, config="[gateway]\ndrain = 60s\n")
    silent = [WebSocket(k.address) for _ in range(5)]
    k.process.send_signal(signal.SIGTERM)
    for c in silent:
        with pytest.raises(Ended):
            c.recv()
    k.process.send_signal(signal.SIGTERM)
    begin = time.monotonic()
    assert k.process.wait(wait.limit(15)) in (0, 1)
    assert time.monotonic() - begin < wait.limit(3)
    k.check_gone()
    for c in silent:
        c.close()
    k.remove()


def test_hung_shard_does_not_hold_it(start):
    k = start(shards=2, config="[gateway]\ndrain = 1s\n")
    k.kill_shard(0, signo=signal.SIGSTOP)
    assert k.term() == 0
    k.stop()


def test_keys_are_removed(start, tmp_path):
    """From a Redis that stays: nothing of ours is left in it."""
    path = str(tmp_path / "r")
    server = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket",
                               path, "--save", "", "--dir", str(tmp_path)],
                              stdout=subprocess.DEVNULL)
    try:
        wait.until(lambda: os.path.exists(path))
        k = start(shards=3, redis=f"unix:{path}")
        people = crowd(k, "g", "abcde")
        with redis.Redis(path) as r:
            assert r.keys() != []
            k.process.send_signal(signal.SIGTERM)
            for p in people:
                p.end()
                p.close()
            assert k.process.wait(wait.limit(15)) == 0
            assert r.keys() == []
        k.stop()
    finally:
        server.kill()
        server.wait()


def test_leaving_while_starting(start):
    """TERM before it is ready."""
    k = start(shards=2, ready=False)
    wait.until(lambda: k.log() != "" or os.path.exists(k.run))
    k.process.send_signal(signal.SIGTERM)
    assert k.process.wait(wait.limit(15)) in (0, 1, -signal.SIGTERM)
    k.check_gone()
    k.remove()


def test_shards_of_a_dead_gateway_leave_by_term(start):
    """SIGTERM to a shard: its clients hear 1001."""
    k = start(shards=2)
    a = Chat(k, "g", "a")
    pid = next(s["pid"] for s in k.shards() if s["address"] == a.shard())
    k.kill_gateway()
    os.kill(pid, signal.SIGTERM)
    assert a.end() == 1001
    a.close()
    wait.until(lambda: not kits.alive(pid), 15)
    k.start()
    wait.until(lambda: len(k.shards()) == 2, 15)


def test_state_remains(start):
    """The state directory is there for the next start; the run one is empty."""
    k = start()
    with k.redis() as r:
        r("SET", "kennel:store:g:x", "kept")
    assert k.term() == 0
    k.check_gone()
    assert os.listdir(k.state) != []
    k.start()
    with k.redis() as r:
        assert r("GET", "kennel:store:g:x") == "kept"


def test_probe_hears_the_reason(start, installed):
    """onclose (or onerror) comes for everybody, with 1001."""
    k = start(shards=2, config=CONFIG % 9, worker=installed.worker("probe.c"))
    cs = [Probe(k, "g", f"u{i}") for i in range(5)]
    k.process.send_signal(signal.SIGTERM)
    for c in cs:
        assert c.end() == 1001
        c.close()
    assert k.process.wait(wait.limit(15)) == 0
    assert k.log().count("label=going") == 5
    k.stop()
