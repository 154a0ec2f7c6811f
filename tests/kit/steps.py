"""
Steps of one counter that can be told apart: who made it, and as which of its
steps, is seen from how much the value grew.
"""
import socket
import threading

from kit import wait
from kit.wire import Closed
from kit.ws import Ended

SPAN = 10 ** 6          # more steps than anybody makes
UNSURE = "it may or may not have taken effect"


def step(who, n):
    """who: 1, 2, ...; n: 0, 1, ..."""
    return who * SPAN + n


def split(values, before=0):
    """[(who, n)] of a counter's values, which were `before` first."""
    steps = []
    for v in values:
        assert v > before, f"{v} after {before}"
        steps.append(divmod(v - before, SPAN))
        before = v
    return steps


def orderly(steps):
    """None twice, and each one's in the order in which it made them."""
    last = {}
    for who, n in steps:
        assert n > last.get(who, -1), f"step {n} of {who} after {last[who]}"
        last[who] = n


def is_part(some, whole):
    """some is whole without a beginning and an end, nothing else missing."""
    if some:
        begin = whole.index(some[0])
        assert whole[begin:begin + len(some)] == some


def is_thinned(some, whole):
    """some is whole, from which single ones may be missing: a state came instead."""
    rest = iter(whole)
    assert all(v in rest for v in some), "not in this order"


def without_repeats(values):
    """Who is told the state again hears the same value again."""
    return [v for i, v in enumerate(values) if i == 0 or v != values[i - 1]]


class Counting:
    """
    People who count and listen until finish(), each in a thread of its own;
    something may break meanwhile.  All are subscribed to the counter.
    """

    def __init__(self, people, id="x", pace=0.05):
        self.people = list(people)
        self.id = id
        self.pace = pace                # seconds between rounds
        self.sent = {p: 0 for p in people}
        self.seen = {p: [] for p in people}
        self.errors = {p: 0 for p in people}
        self.unsure = {p: 0 for p in people}    # errors that leave it open
        self.ends = {}                  # person: how it ended
        self.rest = {p: [] for p in people}     # other messages
        self.over = threading.Event()
        for p in people:
            assert p.subscribe(f"counter:{id}") == []
        self.threads = {}
        for p in people:
            self.attend(p)
        self.talker = threading.Thread(target=self.talk, daemon=True)
        self.talker.start()

    def attend(self, p):
        self.threads[p] = threading.Thread(target=self.listen, args=(p,),
                                           daemon=True)
        self.threads[p].start()

    def join(self, p):
        """One who subscribes now, and only listens."""
        self.seen[p], self.errors[p], self.unsure[p], self.rest[p] = [], 0, 0, []
        p.tell("subscribe", f"counter:{self.id}")
        self.attend(p)

    def listen(self, p):
        p.sock.settimeout(wait.limit(60))  # a store that is away is silent: waits end elsewhere
        try:
            while True:
                m = p.hear()
                if m["type"] == "counter" and m["data"]["id"] == self.id:
                    self.seen[p].append(m["data"]["value"])
                elif m["type"] == "error" and UNSURE in m["data"]:
                    self.unsure[p] += 1
                elif m["type"] == "error":
                    self.errors[p] += 1
                else:
                    self.rest[p].append(m)
        except (Closed, Ended, OSError) as e:
            self.ends[p] = e

    def talk(self):
        while not self.over.wait(self.pace):
            for who, p in enumerate(self.people, 1):
                if p not in self.ends:
                    n = self.sent[p]
                    self.sent[p] += 1
                    try:
                        p.count(self.id, step(who, n))
                    except OSError:
                        pass            # its shard has just died

    def here(self):
        return [p for p in self.people if p not in self.ends]

    def more(self, n=100, timeout=20):
        """So many more steps seen by everybody who is there."""
        goals = {p: len(self.seen[p]) + n for p in self.seen
                 if p not in self.ends}
        wait.until(lambda: all(len(self.seen[p]) >= goal for p, goal
                               in goals.items() if p not in self.ends),
                   timeout, f"{n} more steps")
        assert self.here(), f"nobody is left: {self.ends}"

    def answered(self, p):
        """All that p did was counted, or an error told; both, if the error leaves it open."""
        left = self.sent[p] - self.counted(p) - self.errors[p]
        return 0 <= left <= self.unsure[p]

    def account(self, p):
        """For who looks for what is missing."""
        who = self.people.index(p) + 1
        seen = {n for w, n in split(self.seen[p]) if w == who}
        return (f"{who} sent {self.sent[p]}, counted {len(seen)}, errors "
                f"{self.errors[p]} + {self.unsure[p]}, seen {len(self.seen[p])}, not counted "
                f"{sorted(set(range(self.sent[p])) - seen)[:60]}, last "
                f"{self.seen[p][-1:]}, ended by {self.ends.get(p)!r}")

    def counted(self, p):
        who = self.people.index(p) + 1
        return sum(w == who for w, _ in split(self.seen[p]))

    def finish(self, gone=(), reset=False):
        """
        No more is counted; everything is checked.  Returns the value.  reset: who
        was cut off got the state, and did not see each step to it.
        """
        self.over.set()
        self.talker.join()
        here = [p for p in self.people if p not in gone]

        def done():
            return (reset or all(self.answered(p) for p in here)) and \
                len({(*self.seen[p][-1:],) for p in self.seen
                     if p not in self.ends}) == 1
        try:
            wait.until(done, 20)
        except AssertionError:
            raise AssertionError("\n".join(map(self.account, here))) from None
        finally:
            if reset:
                self.seen = {p: without_repeats(s) for p, s in self.seen.items()}
            whole = max((self.seen[p] for p in here), key=len)
            for p, seen in self.seen.items():
                (is_thinned if reset else is_part)(seen, whole)
        for p in here:
            assert reset or self.seen[p] == whole, "all see the same"
        orderly(split(whole))
        assert {self.people.index(p) for p in self.ends if p in self.people} \
            == {self.people.index(p) for p in gone}, "nobody else was dropped"
        return whole[-1]

    def close(self):
        self.over.set()
        self.talker.join()
        for p, t in self.threads.items():
            try:
                p.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            t.join()
            p.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
