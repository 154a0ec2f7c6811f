"""Sentinels that say where the master is, and fail-overs while people talk."""
import socket
import threading
import time

import pytest
from kit import kennel, redis, wait
from kit.chat import Chat, again, settle
from kit.sentinel import Sentinel, Watched

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


def quorum(sentinel):
    """What it says of how many others it sees."""
    try:
        return sentinel("SENTINEL", "CKQUORUM", "main")
    except RuntimeError as e:
        return str(e)


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


class Stale:
    """
    Sentinels and a master; and, under the same name, a former master that does not know that
    it is one, with the Sentinel that was cut off with it.
    """

    def __init__(self, servers=1):
        self.w = Watched(servers=servers, sentinels=2)
        self.former = redis.Server(kennel.Ports.take()).start()
        self.sentinel = Sentinel(self.former, quorum=1).start()
        wait.until(lambda: self.sentinel.ready(0, 0), 60)

    def url(self, at):
        """It is the one with that number."""
        places = [f"{s.host}:{s.port}" for s in self.w.sentinels]
        places.insert(at, f"{self.sentinel.host}:{self.sentinel.port}")
        return f"sentinel://{','.join(places)}/main"

    def unused(self):
        """Was nothing ever written to the former master?"""
        with redis.Redis(self.former.path) as r:
            return r.keys() == []

    def remove(self):
        self.sentinel.remove()
        self.former.remove()
        self.w.remove()


@pytest.fixture
def stale():
    s = []

    def make(**kw):
        s.append(Stale(**kw))
        return s[0]
    yield make
    for each in s:
        each.remove()


def test_one_that_was_cut_off_leads_nobody_elsewhere(start, stale):
    """Two nodes that ask it first and last are where most Sentinels say, and hear each other."""
    s = stale()
    nodes = [start("--node", name, redis=s.url(at))
             for name, at in (("one", 0), ("two", 2))]
    for k in nodes:
        wait.until(lambda k=k: up(k), 30, "Redis is up")
    people = [Chat(nodes[i % 2], "g", f"u{i}") for i in range(4)]
    again(*people)
    assert s.unused()
    # It goes on so while they doubt.
    s.w.ask(s.w.servers[0], "CONFIG", "SET", "min-replicas-to-write", "1")
    with redis.Redis((s.sentinel.host, s.sentinel.port)) as r:
        def connections():
            return int(r("INFO", "stats").split("total_connections_received:")[1].split()[0])
        before = connections()
        Chat(nodes[0], "g", "late").close()
        wait.until(lambda: connections() > before + 3, 30, "it is asked")
    assert "Sentinels name another master" not in nodes[0].log() + nodes[1].log()
    s.w.ask(s.w.servers[0], "CONFIG", "SET", "min-replicas-to-write", "0")
    again(*people)
    assert s.unused()
    for p in people:
        p.close()


def test_who_was_made_master_last_is_believed_and_never_one_before(start, stale):
    """Most do not say the same: of two that answer one was cut off; then it is the only one."""
    s = stale(servers=2)
    w = s.w
    w.sentinels[0]("SENTINEL", "FAILOVER", "main")
    master = wait.until(lambda: w.successor(w.servers[0]), 60, "a new master")
    w.sentinels[0].stop()
    k = start("--log-level", "debug", redis=s.url(1))
    wait.until(lambda: up(k), 30, "Redis is up")
    with Chat(k, "g", "a") as a:
        wait.until(lambda: whole(w, master, {key(a): a.shard()}), 30)
        w.sentinels[1].stop()
        for kind in "normal", "pubsub":
            w.ask(master, "CLIENT", "KILL", "TYPE", kind)
        k.wait_log(r'redis away why="Sentinels that answer name 127.0.0.1:[0-9]+ of epoch 0, '
                   r'and epoch [1-9]', 30)
        a.say("nobody minds")
        assert a.next(type="user:msg")["text"] == "nobody minds"
        assert not up(k) and s.unused()
        w.sentinels[1].start()
        wait.until(lambda: up(k), 60, "Redis is up")
        wait.until(lambda: whole(w, master, {key(a): a.shard()}), 30)
    assert s.unused()


TOO_FEW = 'redis away why="the only Sentinels that answer see too few of the others'


def test_one_that_was_cut_off_is_not_believed_at_once_and_left_when_more_are_heard(start, stale):
    """A node that starts beside it alone waits for others, goes on without, and still asks."""
    s = stale()
    for one in s.w.sentinels:
        one.stop()
    k = start("--log-level", "debug", redis=s.url(0))
    k.wait_log(TOO_FEW, 30)
    port = s.former.port
    k.wait_log(f"redis master=127.0.0.1:{port} is believed, though", 40)
    wait.until(lambda: up(k), 30, "Redis is up")
    with Chat(k, "g", "a") as a:
        wait.until(lambda: whole(s.w, s.former, {key(a): a.shard()}), 30)
        for one in s.w.sentinels:
            one.start()
        k.wait_log("Sentinels name another master", 40)
        wait.until(lambda: whole(s.w, s.w.servers[0], {key(a): a.shard()}), 40)
        a.say("nobody minds")
        assert a.next(type="user:msg")["text"] == "nobody minds"


def test_one_that_sees_most_of_the_others_is_believed_for_them(start):
    """All places but one are of no use; then it is the only place, and sees no others."""
    w = Watched(servers=1, sentinels=3)
    try:
        place = w.url().removeprefix("sentinel://").split(",")[0]
        nobody = ",".join(f"127.0.0.1:{kennel.Ports.take()}" for _ in range(2))
        k = start(redis=f"sentinel://{nobody},{place}/main")
        wait.until(lambda: up(k), 30, "Redis is up")
        assert "Sentinels that answer see too few" not in k.log()
        k.stop()
        for one in w.sentinels[1:]:
            one.stop()
        wait.until(lambda: quorum(w.sentinels[0]).startswith("NOQUORUM"), 30)
        k = start(redis=f"sentinel://{place}/main")
        k.wait_log(TOO_FEW, 30)
        wait.until(lambda: up(k), 40, "Redis is up")
        w.sentinels[1].start()
        k.wait_log(f"redis master=127.0.0.1:{w.servers[0].port} is the one that most", 40)
        assert "another master" not in k.log()
    finally:
        w.remove()


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
    "error": (b"-ERR not today\r\n", "ERR not today"),
    "end": (b"", "closed"),
}
FIRST = {
    "nonsense": (b"+OK\r\n", "answers nonsense"),
    "odd": (b"*3\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\n1\r\n", "answers nonsense"),
    "epoch": (b"*2\r\n$12\r\nconfig-epoch\r\n$2\r\n-1\r\n", "answers with no epoch"),
    "long": (b"*2\r\n$12\r\nconfig-epoch\r\n$21\r\n" + b"9" * 21 + b"\r\n",
             "answers with no epoch"),
    "password": (b"-NOAUTH Authentication required.\r\n", "wants a password"),
    "numbers": (b"*2\r\n:1\r\n:2\r\n", "closed"),
    "unknown": (b"-ERR No such master with that name\r\n", "knows no master of that name"),
    "error": (b"-ERR not today\r\n", "ERR not today"),
    "end": (b"", "closed"),
}


@pytest.mark.parametrize("first, kind", [(0, kind) for kind in ANSWERS] +
                         [(1, kind) for kind in FIRST])
def test_answers_that_are_none(start, first, kind):
    """To the first question, which is how new it knows that, and to the second, where."""
    answer, why = (FIRST if first else ANSWERS)[kind]
    over = threading.Event()

    def serve(s):
        while not over.is_set():
            try:
                with s.accept()[0] as c:
                    if b"MASTER" in c.recv(1000) and not first:
                        c.sendall(b"*2\r\n$4\r\nname\r\n$4\r\nmain\r\n")
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
