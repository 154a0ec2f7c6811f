#!/usr/bin/python3
"""
moving.py [--clients N] [--group N] [--limit N] [--rounds N] [--shards N] [--lookup]
[--kills N] [--least PERCENT] [--within MS] [--rate N]: clients in groups say, whisper,
publish and count, with numbers that are checked, while all shards are upgraded, round
after round; before every N-th round (--kills) a shard is killed.  Upgrades: nobody is
closed, nothing is lost, doubled, or comes in another order.  Deaths: so many of who was at
rest go on (--least), and all of them are answered again so soon (--within; 0: whenever).
--lookup: whispers by lookup, however few shards there are.  KENNEL_BUILD is the build to
use.  Prints one JSON object.
"""
import argparse
import json
import os
import random
import resource
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import kennel as kits                      # noqa: E402
from kit import library, wait                       # noqa: E402
from kit.mover import Crowd, Mover, routes          # noqa: E402
from kit.rolling import Upgrade                        # noqa: E402

CONFIG = """
[gateway]
upgrade_hold = 100ms
drain = 30s
accept_rate = none
per_address = none
move_rate = %d
"""


class Run:
    def __init__(self, args):
        self.args = args
        self.lib = library.Installed()
        config = CONFIG % args.rate + routes(args.limit)
        if args.lookup:
            config += "[worker]\nwhisper_ask = 0\n"
        self.kennel = kits.Kennel(shards=args.shards, max_shards=2 * args.shards + 1,
                                  worker=self.lib.worker("mover.c"), deaths=True,
                                  config=config)
        self.people = Crowd()
        self.groups, self.steps = {}, {}
        self.killed = self.lost = self.said = 0
        self.back_ms = []
        for i in range(args.clients):
            self.come(f"g{i // args.group}", f"u{i}")

    def come(self, group, uid):
        m = self.people.add(Mover(self.kennel, group, uid))
        m.topics = {"n", random.choice("ab")}
        for topic in m.topics:
            m.command(f"+ {topic}")
        self.groups.setdefault(group, []).append(m)

    def talk(self):
        for m in random.sample(self.people.movers, min(64, len(self.people.movers))):
            kind = random.choice("ccCwwpiI")
            if kind in "iI":
                m.command(kind)
                self.steps[m.group] = self.steps.get(m.group, 0) + 1
            elif kind == "w":
                m.say("w", random.choice([o.uid for o in self.groups[m.group]
                                          if o is not m]))
            else:
                m.say(kind, random.choice("ab") if kind == "p" else None)

    def settle(self):
        """All has come, once and in order; then nothing was said."""
        people = self.people
        people.settle(30 + len(people.movers) / 20)
        for group, n in self.steps.items():
            for m in self.groups[group]:
                people.until(lambda: len(m.counts) >= n, 60, "counts")
                assert len(m.counts) == n and m.counts == list(range(
                    m.counts[0], m.counts[0] + n)), m.uid
        self.steps.clear()
        for m in people.movers:
            self.said += len(m.said)
            m.said.clear(), m.heard.clear(), m.counts.clear(), m.own.clear()

    def kill(self):
        """A shard dies while all are at rest; who is gone comes again."""
        people = self.people
        people.where()
        slot = random.choice([s["slot"] for s in self.kennel.shards()])
        had = self.kennel.shard(slot)["connections"]
        self.kennel.kill_shard(slot)
        begin = time.monotonic()
        for m in people.movers:
            m.command("e back")
        while [m for m in people.movers if not m.own and not m.closed]:
            assert time.monotonic() < begin + wait.limit(30), "no word came back"
            people.turn(0.02)
        self.back_ms.append(round(1000 * (time.monotonic() - begin)))
        gone = [m for m in people.movers if m.closed]
        self.killed += had
        self.lost += len(gone)
        for m in gone:
            people.remove(m)
            self.groups[m.group].remove(m)
        wait.until(lambda: len(self.kennel.shards()) >= self.args.shards, 60)
        for m in gone:
            self.come(m.group, m.uid)
        for m in people.movers:
            m.own.clear()
        people.where()
        for m in people.movers:
            m.heard.clear(), m.counts.clear(), m.own.clear()

    def rounds(self):
        for n in range(self.args.rounds):
            if self.args.kills and n % self.args.kills == self.args.kills - 1:
                self.kill()
            upgrade = Upgrade(self.kennel)
            while upgrade.is_alive():
                self.talk()
                self.people.turn(0.005)
                self.people.check_open()
            upgrade.end()
            self.settle()
            self.kennel.exact()
            print(f"round {n + 1}: moved {self.totals()['moved']}, said {self.said}, "
                  f"lost by deaths {self.lost} of {self.killed}", file=sys.stderr)
        if self.killed:
            assert 100 * (self.killed - self.lost) >= self.args.least * self.killed, \
                f"{self.lost} of {self.killed} were lost"
            assert self.args.within == 0 or \
                max(self.back_ms) <= wait.limit(self.args.within), \
                f"answered after {self.back_ms} ms"

    def totals(self):
        return self.kennel.status()["totals"]

    def result(self):
        t = self.totals()
        return {"clients": self.args.clients, "rounds": self.args.rounds,
                "said": self.said, "moved": t["moved"], "stayed": t["stayed"],
                "pause_us": t["pause_us"], "killed": self.killed, "lost": self.lost,
                "back_ms": self.back_ms, "load": os.getloadavg()}

    def end(self):
        self.people.close()
        self.kennel.stop()
        self.kennel.destroy()
        self.lib.remove()


def main():
    p = argparse.ArgumentParser(description=__doc__.split(":")[0])
    p.add_argument("--clients", type=int, default=2000)
    p.add_argument("--rounds", type=int, default=100)
    p.add_argument("--shards", type=int, default=4)
    p.add_argument("--group", type=int, default=24)
    p.add_argument("--limit", type=int, default=12)
    p.add_argument("--lookup", action="store_true")
    p.add_argument("--within", type=int, default=0)
    p.add_argument("--kills", type=int, default=0)
    p.add_argument("--least", type=float, default=99)
    p.add_argument("--rate", type=int, default=500)
    args = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    random.seed(args.clients)
    run = Run(args)
    try:
        run.rounds()
        print(json.dumps(run.result()))
    finally:
        run.end()


if __name__ == "__main__":
    main()
