"""Sentinels that say where the master is, and fail-overs while people talk."""
import socket
import threading
import time

import pytest
from kit import wait
from kit.chat import Chat, settle
from kit.sentinel import Watched

WORD = "t0psecret"


@pytest.fixture(params=[None, WORD], ids=["open", "password"])
def watched(request):
    w = Watched(request.param)
    yield w
    w.remove()


@pytest.fixture
def one():
    """One Redis, whose two Sentinels are not enough for a fail-over."""
    w = Watched(servers=1, sentinels=2)
    yield w
    w.remove()


def up(k):
    return k.status()["redis"]["up"]


class Talk:
    """People in a room who talk until they are to stop."""

    def __init__(self, people):
        self.people = people
        self.over = threading.Event()
        self.rounds = 0
        self.error = None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        try:
            while not self.over.is_set():
                settle(*self.people)    # everybody hears everybody
                self.rounds += 1
                self.over.wait(0.02)
        except Exception as e:          # told by stop()
            self.error = e

    def stop(self):
        self.over.set()
        self.thread.join()
        assert self.error is None, repr(self.error)


def key(person):
    return f"kennel:client:{person.group}:{person.name}"


def whole(w, server, where):
    """
    Does the table say where these are, by their keys, and nothing of anybody else?
    """
    try:
        keys = w.ask(server, "KEYS", "kennel:client:*")
        return sorted(keys) == sorted(where) and all(
            w.hash(server, k) == {shard: "1"} for k, shard in where.items())
    except (OSError, RuntimeError):
        return False


def fail_over(w, former, how):
    if how == "killed":
        former.stop()
    else:
        w.sentinels[0]("SENTINEL", "FAILOVER", "main")
    return wait.until(lambda: w.successor(former), 60, "a new master")


@pytest.mark.parametrize("how", ["killed", "told"])
def test_a_fail_over_while_people_talk(start, watched, how):
    """Nobody is dropped, and the table is whole again at once."""
    w, former = watched, watched.servers[0]
    k = start("--log-level", "debug", redis=w.url(
        login=f":{w.auth[1]}@" if w.auth else ""), limit=5,
        config="[worker]\nwhisper_ask = 0\n", shards=2)
    wait.until(lambda: up(k), 20, "Redis is up")
    people = [Chat(k, "g", f"p{i}") for i in range(8)]
    leaver = Chat(k, "others", "leaver")
    settle(*people)
    where = {key(p): p.shard() for p in people}
    assert len(set(where.values())) == 2
    wait.until(lambda: whole(w, former, {**where, key(leaver): leaver.shard()}),
               20)
    settle(*people)
    talk = Talk(people)
    try:
        if how == "killed":
            former.stop()
        leaver.close()
        late = Chat(k, "others", "late")
        where[key(late)] = late.shard()
        now = fail_over(w, former, how)
        began = time.monotonic()
        wait.until(lambda: whole(w, now, where), 20, "the table is whole")
        took = time.monotonic() - began
        wait.until(lambda: up(k), 20)
    finally:
        talk.stop()
    print(f"table whole {took:.2f} s after the fail-over, "
          f"{talk.rounds} rounds of talk")
    assert took < wait.limit(5)
    assert talk.rounds > 0
    assert WORD not in k.log()
    settle(*people)
    for p in [*people, late]:
        p.close()
    wait.until(lambda: whole(w, now, {}), 20)


def test_sentinels_that_are_of_no_use(start, one):
    """The first is gone, one never answers, one knows another name: the last."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one.sentinels[0].stop()
        port = silent.getsockname()[1]
        url = one.url().replace("/main", "") + \
            f",127.0.0.1:{port},127.0.0.1:{one.servers[0].port}"
        places = url.removeprefix("sentinel://").split(",")
        places = [places[0], places[2], places[3], places[1]]
        k = start(redis="sentinel://" + ",".join(places) + "/main")
        wait.until(lambda: up(k), 30, "Redis is up")
        with Chat(k, "g", "a") as a:
            wait.until(lambda: whole(one, one.servers[0],
                                     {key(a): a.shard()}), 30)


def test_what_is_wrong_is_said(start, one):
    k = start(redis=one.url().replace("/main", "/other"))
    k.wait_log('redis away why="Sentinel 127.0.0.1:[0-9]+: knows no master of '
               'that name')
    k.stop()
    for s in one.sentinels:
        s.stop()
    k = start(redis=one.url(tail="/3"))
    k.wait_log('redis away why="Sentinel 127.0.0.1:[0-9]+: Connection refused')
    with Chat(k, "g", "a") as a, Chat(k, "g", "b") as b:
        a.say("hello")
        assert b.next(type="user:msg")["text"] == "hello"
    for s in one.sentinels:
        s.start()
    wait.until(lambda: up(k), 30, "Redis is up")


ANSWERS = {
    "nonsense": (b"+OK\r\n", "answers nonsense"),
    "one": (b"*1\r\n$1\r\na\r\n", "answers nonsense"),
    "many": (b"*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n", "answers nonsense"),
    "port": (b"*2\r\n$1\r\na\r\n$5\r\n65536\r\n", "answers with no address"),
    "long": (b"*2\r\n$300\r\n" + b"a" * 300 + b"\r\n$1\r\n1\r\n",
             "answers with no address"),
    "zero": (b"*2\r\n$3\r\na\0b\r\n$1\r\n1\r\n", "answers with no address"),
    "protocol": (b"hello\r\n", "Protocol error"),
    "password": (b"-NOAUTH Authentication required.\r\n", "wants a password"),
    "error": (b"-ERR not today\r\n", "ERR not today"),
    "end": (b"", "closed"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_that_are_none(start, kind):
    answer, why = ANSWERS[kind]
    over = threading.Event()

    def serve(s):
        while not over.is_set():
            try:
                with s.accept()[0] as c:
                    c.recv(1000)
                    c.sendall(answer)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as s:
        s.settimeout(0.2)
        t = threading.Thread(target=serve, args=(s,))
        t.start()
        try:
            port = s.getsockname()[1]
            k = start(redis=f"sentinel://127.0.0.1:{port}/main")
            k.wait_log(f'redis away why="Sentinel 127.0.0.1:{port}: .*{why}')
            assert k.term() == 0
        finally:
            over.set()
            t.join()
