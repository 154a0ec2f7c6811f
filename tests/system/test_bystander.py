"""What others do, who mean harm or not, costs one who stands by no more than a moment: how
long each of its own messages takes meanwhile, and what memory it takes."""
import threading
import time

import pytest
from kit import wait
from kit.fasttcp import DATA_WITH_ACK, OPEN_TO_ROOM, STRING, TO_ROOM, TO_SOCKET, Events, frame
from test_events_server import Greeted

ROOM = 300              # who are in one room
LONG = ",".join(["r"] * 30000)
MANY = 60000            # questions


class Bystander:
    """Somebody who asks for an echo again and again, in a thread of its own."""

    def __init__(self, client):
        self.client = client
        self.took = []
        self.over = False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            while not self.over:
                begin = time.monotonic()
                assert self.client.barrier() in ([], None)
                self.took.append(time.monotonic() - begin)
                time.sleep(0.002)       # the measure's pace, no wait for anything
        except BaseException as e:
            self.took.append(e)

    def __enter__(self):
        self.thread.start()
        wait.until(lambda: len(self.took) > 20)
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join(wait.limit(60))

    def calm(self, worst):
        """None of its echoes took so many seconds, even the worst of a thousand."""
        assert not self.thread.is_alive(), "no echo came"
        assert all(isinstance(t, float) for t in self.took), self.took[-1]
        assert max(self.took) < wait.limit(worst), sorted(self.took)[-5:]


def peak(kennel):
    """The most memory that any shard ever had, in KiB."""
    most = 0
    for s in kennel.shards():
        with open(f"/proc/{s['pid']}/status") as f:
            most = max(most, int(f.read().split("VmHWM:")[1].split()[0]))
    return most


@pytest.fixture(scope="module", params=(1, 4), ids=["one", "four"])
def crowd(request, start_shared):
    """Clients in one room, in one process or in four; somebody else in that of the last."""
    e = Events(start_shared, shards=request.param,
               limit=1000 if request.param == 1 else 80)
    people = e.clients(ROOM)
    for p in people:
        p.join("r")
    for p in people:
        p.barrier()
    yield e, people
    for p in people:
        p.close()


@pytest.mark.parametrize("kind,names", [
    (TO_ROOM, LONG), (OPEN_TO_ROOM, LONG), (TO_SOCKET, None)],
    ids=["room", "stream", "socket"])
def test_a_list_that_names_the_same_again_and_again(crowd, kind, names):
    """One frame of 60 kB, which meant nine million copies, or streams; five of them."""
    e, people = crowd
    if names is None:
        names = ",".join([people[0].id] * (65000 // (len(people[0].id) + 1)))
    before = peak(e.kennel)
    with e.client() as by, e.client() as attacker:
        with Bystander(by) as b:
            for i in range(5):
                attacker.write(frame(kind, names + "|e", "x", STRING, 10 + i))
            attacker.barrier()
            # All that is to come has come, everywhere.
            for p in people[::20]:
                got = p.barrier()
                assert kind == TO_SOCKET or len(got) > 0
        b.calm(1)
    assert wait.SANITIZED or peak(e.kennel) - before < 60000
    for p in people:            # the next test begins with nothing on its way
        p.barrier()


class Reader(threading.Thread):
    """Reads all that somebody is sent, and says nothing."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.client, self.got = client, 0
        self.start()

    def run(self):
        try:
            while self.client.recv() is not None:
                self.got += 1
        except OSError:
            pass


def test_questions_that_all_end_at_once(start, installed):
    """Sixty thousand to a client that answers none of them, with one deadline."""
    e = Events(start, app="hello", worker=installed.worker("events.c"))
    e.make = Greeted
    by, attacker, silent = e.clients(3)
    heard, told = Reader(silent), Reader(attacker)
    asked = b"".join(frame(DATA_WITH_ACK, "inquire", f"{silent.id} 4000 x", STRING, 10 + i)
                     for i in range(MANY))
    with Bystander(by) as b:
        attacker.write(asked)
        wait.reach(lambda: heard.got, MANY)
        wait.reach(lambda: told.got, MANY)
    b.calm(1)
    for p in (by, attacker, silent):
        p.close()
