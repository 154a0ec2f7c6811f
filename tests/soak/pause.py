#!/usr/bin/python3
"""
pause.py [--clients N] [--probes N] [--rounds N] [--rate N] [--alone]: how long a move
holds a client up.  All shards are upgraded, round after round, at so many moves a second;
probes, some of the clients, say a word each millisecond and want it back.  Their longest
silence of each round is compared with that of a time in which nobody moves, and with what
the gateway says of its moves.  --alone: connections of no group.  KENNEL_BUILD is the
build to use.  Prints one JSON object.
"""
import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import kennel as kits                      # noqa: E402
from kit import library, wait                       # noqa: E402
from kit.mover import Crowd, Mover, routes          # noqa: E402

PACE = 0.001                    # between an answer and the next word
GROUP, LIMIT = 24, 12           # clients of a group, of it in one shard
CONFIG = """
[gateway]
upgrade_hold = 100ms
drain = 10m
accept_rate = none
per_address = none
move_rate = %d
"""


class Clock:
    """Seconds, but for those in which we did not run: no server can help that."""

    def __init__(self):
        self.now, self.last = 0.0, time.monotonic()

    def tick(self):
        now = time.monotonic()
        self.now += min(now - self.last, PACE)
        self.last = now
        return self.now


class Probe:
    def __init__(self, mover):
        self.mover = mover

    def begin(self, now):
        self.longest, self.last, self.due = 0, now, now + PACE

    def look(self, now):
        """An answer has come, or the next word is due."""
        m = self.mover
        if m.own:
            self.longest = max(self.longest, now - self.last)
            self.last, self.due = now, now + PACE
            m.own.clear()
        elif self.due is not None and now >= self.due:
            self.due = None
            m.command("e x")

    def rest(self):
        """Nothing of it is on its way."""
        return self.due is not None


def silence(people, probes, going):
    """The longest one of each probe while that goes on, in ms."""
    clock = Clock()
    for p in probes:
        p.begin(clock.now)
    while going() or not all(p.rest() for p in probes):
        people.turn(PACE / 2)
        now = clock.tick()
        for p in probes:
            p.look(now)
    people.check_open()
    return [1000 * p.longest for p in probes]


def figures(ms):
    cut = statistics.quantiles(ms, n=100)
    return {"p50": round(cut[49], 2), "p99": round(cut[98], 2), "max": round(max(ms), 2)}


def measure(k, args, rest):
    def client(i):
        return Mover(k, "" if args.alone else f"g{i // GROUP}", f"u{i}")
    every = max(1, args.clients // args.probes)
    people = Crowd()
    for i in range(args.clients):
        if i % every == 0 and len(people.movers) < args.probes:
            people.add(client(i))
        else:
            rest.append(client(i))      # which says nothing, and is told nothing
    probes = [Probe(m) for m in people.movers]
    moving, still, took = [], [], []
    gc.disable()
    for _ in range(args.rounds):
        begin = time.monotonic()
        # No thread of ours: who waits for the interpreter hears late.
        upgrade = subprocess.Popen([kits.KENNELCTL, "upgrade", "--run-dir", k.run],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        moving += silence(people, probes, lambda: upgrade.poll() is None)
        assert upgrade.returncode == 0
        took.append(time.monotonic() - begin)
        end = time.monotonic() + took[-1]
        still += silence(people, probes, lambda: time.monotonic() < end)
    t = k.status()["totals"]
    people.close()
    assert t["moved"] == args.clients * args.rounds and t["stayed"] == 0, t
    return {"clients": args.clients, "probes": args.probes, "rounds": args.rounds,
            "alone": args.alone, "moved": t["moved"],
            "moves_s": round(t["moved"] / sum(took)),
            "silence_ms": figures(moving), "silence_at_rest_ms": figures(still),
            "pause_us": t["pause_us"], "load": os.getloadavg()}


def main():
    p = argparse.ArgumentParser(description=__doc__.split(":")[0])
    p.add_argument("--clients", type=int, default=2000)
    p.add_argument("--probes", type=int, default=16)
    p.add_argument("--rounds", type=int, default=20)
    p.add_argument("--rate", type=int, default=500)
    p.add_argument("--alone", action="store_true")
    args = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    lib = library.Installed()
    k = kits.Kennel(shards=2, max_shards=5, worker=lib.worker("mover.c"),
                    config=CONFIG % args.rate + routes(max(LIMIT, args.clients)
                                                       if args.alone else LIMIT))
    rest = []
    try:
        print(json.dumps(measure(k, args, rest)))
        for m in rest:
            m.sock.close()
        wait.until(lambda: k.places() == 0, 30)
        k.stop()
    finally:
        k.destroy()
        lib.remove()


if __name__ == "__main__":
    main()
