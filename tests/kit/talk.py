"""People who talk and listen until finish(), each in a thread of its own."""
import socket
import threading
import time

from kit import wait
from kit.wire import Closed
from kit.ws import Ended, WebSocket

# So many in each replica.
ROUTE = """
[route talk]
path = /t/{group}/ws
app = talk
group = path:group
uid = query:u uuid
limit = %d
"""
# For Voices: the worker tells its clients what it is told.
TELL = "[worker]\napp.tell = yes\n"
VOICES = TELL + ROUTE


class Voice(WebSocket):
    """Somebody whose worker is talk.c: hears also that something was missed, or lost."""
    tells = True

    def __init__(self, kennel, group, name):
        self.name = name
        super().__init__(kennel.address, f"/t/{group}/ws?u={name}")

    def say(self, text):
        self.send(text)

    def hear(self):
        text = self.recv()
        return {"type": "told" if text.startswith("!") else "user:msg", "text": text}


class Talk:
    """
    Each says "name n", n = 0, 1, ...; something may break meanwhile.  Whatever
    that is, nobody hears anything twice or in another order; and no Voice lacks
    anything without having been told, before it heard what came later.
    """

    def __init__(self, people, pace=0.05, size=0):
        self.people = list(people)
        self.pace, self.pad = pace, " " * size
        self.sent = {p: 0 for p in people}
        self.heard = {p: {o.name: [] for o in people} for p in people}
        self.told = {p: [] for p in people}     # {name: how much was heard} each time
        self.ends = {}                  # person: how it ended
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self.listen, args=(p,),
                                         daemon=True) for p in people]
        self.talker = threading.Thread(target=self.talk, daemon=True)
        for t in (*self.threads, self.talker):
            t.start()

    def listen(self, p):
        p.sock.settimeout(wait.limit(60))  # others may be silent for long: waits end elsewhere
        try:
            while True:
                m = p.hear()
                if m["type"] == "user:msg" and "#" in m["text"]:
                    name, n = m["text"].split("#")
                    self.heard[p][name].append(int(n))
                elif m["type"] == "told":
                    self.told[p].append({o: len(h) for o, h in self.heard[p].items()})
        except (Closed, Ended, OSError) as e:
            self.ends[p] = e

    def talk(self):
        while not self.over.wait(self.pace):
            for p in self.people:
                if p in self.ends:
                    continue
                n = self.sent[p]
                self.sent[p] += 1
                try:
                    p.say(f"{p.name}#{n}{self.pad}")
                except OSError:
                    pass

    def hears(self, p, o):
        """How much p has heard of o."""
        return len(self.heard[p][o.name])

    def more(self, pairs, n=20, timeout=60):
        """Each of these has heard so much more of the other.  How long it took."""
        begin = time.monotonic()
        goals = {(p, o): self.hears(p, o) + n for p, o in pairs}
        wait.until(lambda: all(self.hears(p, o) >= goal for (p, o), goal in
                               goals.items()), timeout, f"{n} more heard")
        return time.monotonic() - begin

    def back(self, pairs, timeout=90):
        """Each of these has heard something that the other said after now; after how long."""
        begin = time.monotonic()
        goals = {(p, o): self.sent[o] for p, o in pairs}
        wait.until(lambda: all(self.heard[p][o.name][-1:] >= [goal] for (p, o), goal in
                               goals.items()), timeout, "all are heard again")
        return time.monotonic() - begin

    def untold(self, p, o):
        """What p lacks of o without a word: (the last heard before, the next)."""
        heard = self.heard[p][o]
        told = {t[o] for t in self.told[p]}
        return [(heard[i - 1], n) for i, n in enumerate(heard) if i > 0 and
                n != heard[i - 1] + 1 and i not in told]

    def all(self, people=None):
        people = people or self.people
        return [(p, o) for p in people for o in people]

    def finish(self, whole, gone=()):
        """No more is said.  whole: pairs between whom nothing may be missing."""
        self.over.set()
        self.talker.join()
        for p, o in whole:
            wait.until(lambda: self.heard[p][o.name][-1:] ==
                       [self.sent[o] - 1], 60, "the last is heard")
        for p in self.people:
            for o, heard in self.heard[p].items():
                assert heard == sorted(set(heard)), f"{p.name} of {o}"
                if getattr(p, "tells", False):
                    assert self.untold(p, o) == [], f"{p.name} lacks of {o}"
        for p, o in whole:
            heard = self.heard[p][o.name]
            lost = set(range(self.sent[o])) - set(heard)
            assert not lost, f"{p.name} lacks of {o.name}: {sorted(lost)[:50]}"
        assert set(self.ends) == set(gone), "nobody else was dropped"

    def lacks(self, p, o):
        """How many p has not heard of o, between the first and the last that it has heard."""
        heard = self.heard[p][o.name]
        return heard[-1] + 1 - heard[0] - len(set(heard)) if heard else 0

    def close(self):
        self.over.set()
        self.talker.join()
        for p in self.people:
            try:
                p.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for t in self.threads:
            t.join()
        for p in self.people:
            p.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
