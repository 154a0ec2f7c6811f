#!/usr/bin/python3
"""
idle.py [--clients N] [--shards N] [--grouped] [--rate N]: so many connections that say
nothing are upgraded in one go, and what that costs is measured; then nobody may have been
closed, or told anything, and all are served.  --grouped: in chat's rooms of 100, not for
themselves; --rate: moves a second, at most.  KENNEL_BUILD is the build to use.  Prints
one JSON object.
"""
import argparse
import json
import multiprocessing
import os
import resource
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import kennel as kits                      # noqa: E402
from kit import wait                                # noqa: E402
from kit.rolling import Upgrade                     # noqa: E402
from kit.ws import PING, frame, handshake, key      # noqa: E402

EACH = 15000                    # connections of a process of clients, or of a shard
ROOM = 100
NO_PORT = 24                    # IP_BIND_ADDRESS_NO_PORT: one is chosen by connect(2)
CONFIG = """
[gateway]
upgrade_hold = 100ms
drain = 10m
accept_rate = none
per_address = none
move_rate = %d
[worker]
ping_interval = 1h
"""


class Clients:
    """A process with n WebSockets of an address of their own, told what to do."""

    def __init__(self, address, number, n, grouped):
        self.pipe, theirs = multiprocessing.Pipe()
        self.process = multiprocessing.get_context("fork").Process(
            target=self.run, args=(theirs, address, number, n, grouped), daemon=True)
        self.process.start()
        theirs.close()

    def run(self, pipe, address, number, n, grouped):
        self.pipe.close()
        people = []
        for i in range(n):
            at = number * EACH + i
            s = socket.socket()
            s.setsockopt(socket.IPPROTO_IP, NO_PORT, 1)
            s.bind((f"127.0.{1 + number}.1", 0))
            s.settimeout(wait.limit(60))
            s.connect(address)
            path = f"/lobby/g{at // ROOM}/ws?u=u{at}" if grouped else "/echo"
            s.sendall(handshake(path, key()))
            people.append(s)
            if i % 50 == 49 or i == n - 1:
                for s in people[i // 50 * 50:]:
                    head = b""
                    while b"\r\n\r\n" not in head:
                        piece = s.recv(4096)
                        assert piece, head
                        head += piece
                    assert head.startswith(b"HTTP/1.1 101"), head
        pipe.send(len(people))
        for do in iter(pipe.recv, None):
            pipe.send(getattr(self, do)(people))

    def hear(self, people):
        """What has come to them meanwhile: how many were told something, or closed."""
        told = closed = 0
        for s in people:
            s.setblocking(False)
            try:
                while piece := s.recv(65536):
                    told += len(piece) > 0
                closed += 1
            except BlockingIOError:
                pass
            except OSError:
                closed += 1
        return told, closed

    def served(self, people):
        """How many get an answer."""
        n = 0
        for begin in range(0, len(people), 100):
            for s in people[begin:begin + 100]:
                s.settimeout(wait.limit(30))
                s.sendall(frame(PING, b"x"))
            for s in people[begin:begin + 100]:
                n += s.recv(100) == b"\x8a\x01x"
        return n

    def ask(self, do):
        self.pipe.send(do)

    def answer(self):
        return self.pipe.recv()

    def end(self):
        self.pipe.send(None)
        self.process.join()


class Spent:
    """Seconds of CPU of the gateway, its shards and those that have ended; of Redis."""

    def __init__(self, k):
        status = k.status()
        gateway = self.times(k.pid)
        self.gateway = sum(gateway[:2])
        self.shards = sum(gateway[2:]) + sum(sum(self.times(s["pid"])[:2])
                                             for s in status["shards"] if s["pid"])
        redis = [p for p in k.pids() if self.name(p).startswith("redis")]
        self.redis = sum(sum(self.times(p)[:2]) for p in redis)

    @staticmethod
    def name(pid):
        with open(f"/proc/{pid}/comm") as f:
            return f.read()

    @staticmethod
    def times(pid):
        """Its own, user and system, and those of its children that have ended."""
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(") ", 1)[1].split()
        return [int(t) / os.sysconf("SC_CLK_TCK") for t in fields[11:15]]


def memory(k):
    """Bytes of the shards, what they share counted once among them."""
    total = 0
    for s in k.shards():
        with open(f"/proc/{s['pid']}/smaps_rollup") as f:
            total += sum(int(line.split()[1]) for line in f
                         if line.startswith("Pss:")) * 1024
    return total


def measure(k, args, crowd):
    empty = memory(k)
    for i in range(0, args.clients, EACH):
        crowd.append(Clients(k.address, i // EACH, min(EACH, args.clients - i),
                             args.grouped))
    begin = time.monotonic()
    assert sum(c.answer() for c in crowd) == args.clients
    opened = time.monotonic() - begin
    # What was said while they came is read.
    wait.until(lambda: k.status()["handing_over"] == 0, 60)
    ask(crowd, "served" if not args.grouped else "hear")
    status = k.status()
    covered, each = status["covered"], (memory(k) - empty) / args.clients
    begin, before = time.monotonic(), Spent(k)
    Upgrade(k).end()
    moving = time.monotonic() - begin
    wait.until(lambda: sum(s["pid"] > 0 for s in k.status()["shards"]) ==
               args.shards, 120)         # the old ones have ended, and are counted
    after, t = Spent(k), k.status()["totals"]
    heard = ask(crowd, "hear")
    closed = sum(c for _, c in heard)
    used = [getattr(after, who) - getattr(before, who)
            for who in ("gateway", "shards", "redis")]
    result = {
        "clients": args.clients, "shards": args.shards, "grouped": args.grouped,
        "opened_s": round(opened, 1), "upgrade_s": round(moving, 1),
        "cpu_s": round(sum(used), 2), "cpu_us_each": round(
            1e6 * sum(used) / args.clients, 1),
        **dict(zip(("gateway_s", "shards_s", "redis_s"), (round(u, 2) for u in used))),
        "moved": t["moved"], "stayed": t["stayed"], "closed": closed,
        "told": sum(n for n, _ in heard), "covered": covered,
        "covered_after": k.status()["covered"], "bytes_each": round(each),
        "pause_us": t["pause_us"], "load": os.getloadavg()}
    print(json.dumps(result), flush=True)
    assert t["moved"] == args.clients and t["stayed"] == closed == 0
    if not args.grouped:
        assert result["told"] == 0
        assert sum(ask(crowd, "served")) == args.clients
    k.exact()


def ask(crowd, do):
    for c in crowd:
        c.ask(do)
    return [c.answer() for c in crowd]


def main():
    p = argparse.ArgumentParser(description=__doc__.split(":")[0])
    p.add_argument("--clients", type=int, default=200000)
    p.add_argument("--shards", type=int, default=0)
    p.add_argument("--rate", type=int, default=100000)
    p.add_argument("--grouped", action="store_true")
    args = p.parse_args()
    args.shards = args.shards or max(2, -(-args.clients // EACH))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    routes = kits.default_routes()
    k = kits.Kennel(shards=args.shards, max_shards=2 * args.shards + 1, limit=ROOM,
                    config=CONFIG % args.rate + routes[routes.index("[route "):])
    crowd = []
    try:
        measure(k, args, crowd)
        for c in crowd:
            c.end()
        k.stop()
    finally:
        k.destroy()


if __name__ == "__main__":
    main()
