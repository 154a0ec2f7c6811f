"""
Who dies or hangs, at which step of a move: five rooms, in each of which one client leaves
shard A for shard B, where there are two; one is in shard D.  They talk all the while.
"""
import os
import re
import signal
import time

from kit import sockdiag, wait
from kit.kennel import alive
from kit.mover import Crowd, Mover, routes
from kit.sockdiag import CLOSE_WAIT, ESTABLISHED
from kit.stopat import StopAt

ROOMS = 5
SERVED = 3              # seconds in which each client is served or closed

# Of each step: who says what, when it is reached; and who may not have read it.
STEPS = {
    "expecting": ("A", "EXPECT", 1, None),
    "probe": ("A", "FENCE", 1, None),
    "fence": ("A", "FENCE", 2, None),
    "adopt": ("A", "ADOPT", 1, None),
    "adopted": ("B", "ADOPTED", 1, "A"),
    "moved": ("A", "MOVED", 1, None),
    "arrived": ("B", "ARRIVED", 1, None),
    "ended": ("A", "FERRY_END", 1, None),
}

CONFIG = """
[gateway]
drain = 10s
watchdog = %s
[worker]
ping_interval = 1h
"""


class Scene:
    def __init__(self, start, mover, tmp, watchdog, worker="", env=None):
        self.stopat = StopAt(tmp)
        self.k = start(shards=3, worker=mover, config=CONFIG % watchdog + worker + routes(3),
                       env=self.stopat.env | (env or {}))
        self.crowd = Crowd()
        for i in range(ROOMS * 9):      # a room after another, three in each shard
            self.crowd.add(Mover(self.k, f"g{i // 9}", f"u{i}"))
        self.home = self.where()
        self.furnish()
        self.pids = {name: self.k.shard(slot)["pid"] for slot, name in enumerate("ABD")}
        self.pids["G"] = self.k.pid
        self.token = 0
        talkers = [m for m in self.crowd.movers if m.talks]
        for m in talkers:
            m.topics = {m.group}
            m.command(f"+ {m.group}")
        self.crowd.until(lambda: all(m.own for m in talkers))
        n = len(self.crowd.movers)
        wait.until(lambda: self.k.status()["covered"] == n == self.k.places(), 10)

    def furnish(self):
        """Who stays: one of each room in A, two in B, one in D."""
        for name, n in ("A", 2), ("B", 1), ("D", 2):
            self.leave(name, n)

    def where(self):
        return {m: "ABD"[int(re.search(r"/(\d+)#", at)[1])]
                for m, (_, at) in self.crowd.where().items()}

    def leave(self, name, n):
        """n of the three of each room close whose shard is that."""
        for room in range(ROOMS):
            there = [m for m in self.crowd.movers
                     if m.group == f"g{room}" and self.home[m] == name]
            assert len(there) == 3, "the scene is another"
            for m in there[:n]:
                self.crowd.remove(m)
                del self.home[m]
        wait.until(lambda: self.k.places() == len(self.crowd.movers), 10)

    # ---- the step ----

    def run(self, step, who, signo):
        """Shard A is emptied until that happens; whoever was held goes on."""
        sender, message, nth, hold = STEPS[step]
        hold = hold if hold != who else None
        self.stopat.order(self.pids[sender], message, nth, signo, self.pids[who],
                          self.pids.get(hold, 0))
        # Longer than the watchdog waits, on whatever machine.
        self.k.ctl("drain", "0", "--within", "1m", "--no-wait")
        end = time.monotonic() + wait.limit(10)
        while not self.stopat.happened():
            assert time.monotonic() < end, "it did not happen"
            self.talk(0.01)
        if signo == signal.SIGKILL:
            wait.until(lambda: not alive(self.pids[who]), 5)
        if hold:
            os.kill(self.pids[hold], signal.SIGCONT)

    def open(self):
        return [m for m in self.crowd.movers if not m.closed]

    def talk(self, seconds):
        """Somebody says something."""
        people = [m for m in self.open() if m.talks]
        self.token += 1
        m = people[self.token % len(people)]
        others = [x for x in self.open() if x.group == m.group and x is not m]
        if self.token % 3 == 0 and others:
            m.say("w", others[self.token % len(others)].uid)
        elif self.token % 3 == 1:
            m.say("p", m.group)
        else:
            m.say("c")
        self.crowd.turn(seconds)

    # ---- what came of it ----

    def served(self, people, seconds=SERVED):
        """Each of them is answered from now on, or closed."""
        first = self.token + 1
        begin, asked = time.monotonic(), 0
        waiting = list(people)
        while waiting:
            now = time.monotonic()
            if now - asked > 0.2:
                asked = now
                self.token += 1
                for m in waiting:
                    m.command(f"e {self.token}")
            self.crowd.turn(0.02)
            waiting = [m for m in waiting if not m.closed and
                       not any(o.startswith("e ") and int(o[2:]) >= first for o in m.own)]
            assert now - begin < wait.limit(seconds), \
                f"not served: {[(m.uid, m.group, self.home[m]) for m in waiting]}"

    def forget_closed(self):
        gone = [m for m in self.crowd.movers if m.closed]
        for m in gone:
            self.crowd.movers.remove(m)
            m.sock.close()
        return gone

    def only_amid_a_message(self, touched):
        """
        Those of them are closed of whom a part of a message had been read or written
        (README, When a shard dies), as the log says; nobody else.
        """
        gone = self.forget_closed()
        amid = sum(int(n) for n in re.findall(r"amid-(?:in|out)=(\d+)", self.k.log()))
        assert len(gone) == amid and set(gone) <= set(touched), \
            [(m.uid, self.home[m], m.closed) for m in gone]

    def sequences(self, touched):
        """
        What each heard of each: all of it, in order; of and by those who were in a
        process that died, in order, once.
        """
        end = time.monotonic() + wait.limit(10)
        while (wrong := self.wrong(touched)) and time.monotonic() < end:
            self.crowd.turn(0.02)
        assert wrong == [], "\n".join(wrong)

    def wrong(self, touched):
        found = []
        groups = self.crowd.groups()
        for m in self.crowd.movers:
            want = self.crowd.wanted(m, groups[m.group])
            for sender in groups[m.group]:
                a, b = m.heard.get(sender.uid, []), want.get(sender.uid, [])
                if m in touched or sender in touched:
                    b = [x for x in b if x in set(a)]
                if a != b:
                    found.append(f"{m.uid}@{self.home[m]} of {sender.uid}@{self.home[sender]}: "
                                 f"{a[-20:]} for {b[-20:]}")
        return found

    def converse(self):
        """Everybody says something, and all hear it."""
        last = {}
        for m in self.crowd.movers:
            if not m.talks:
                continue
            m.say("c")
            last[m.uid] = m.said[-1][:2]
        groups = self.crowd.groups()
        self.crowd.until(lambda: all(m.heard[x.uid] and m.heard[x.uid][-1] == last[x.uid]
                                     for m in self.crowd.movers for x in groups[m.group]
                                     if x is not m and x.talks), what="the last word")

    def settled(self):
        """The books are exact, and nothing is left open."""
        n = len(self.crowd.movers)
        wait.until(lambda: (s := self.k.status())["moving"] == 0 and s["places"] == n and
                   s["covered"] == n, 15, f"{n} places, and none on its way")
        self.k.exact()
        assert self.k.status()["totals"]["second_release"] == 0
        wait.until(self.tidy, 10, "only what is needed is open")

    def tidy(self):
        """Each shard has its clients' sockets and one channel, the gateway theirs."""
        shards = [s for s in self.k.status()["shards"] if s["pid"] > 0]
        if any(sockets(s["pid"]) != (s["connections"], 1) for s in shards):
            return False
        return sockets(self.k.pid)[1] == len(shards)


def sockets(pid):
    """How many TCP connections, and how many packet channels, a process has open."""
    tcp = {str(row.inode) for row in sockdiag.sockets(ESTABLISHED, CLOSE_WAIT)}
    with open("/proc/net/unix") as f:
        rows = [line.split() for line in f.readlines()[1:]]
    packets = {r[6] for r in rows if r[4] == "0005" and r[3] != "00010000"}
    mine = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            to = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue
        if to.startswith("socket:["):
            mine.add(to[8:-1])
    return len(mine & tcp), len(mine & packets)
