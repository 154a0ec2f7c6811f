#!/usr/bin/python3
"""
slow.py [--moves N] [--owed BYTES]: a client that reads a byte each millisecond is owed
more than its kernel and ours take, and moves again and again while it reads; then it reads
the rest at once.  Its stream is that of one who has never moved.  KENNEL_BUILD is the build
to use.  Prints one JSON object.
"""
import argparse
import json
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from kit import kennel as kits                      # noqa: E402
from kit import wait                                # noqa: E402
from kit.look import Page                           # noqa: E402
from kit.rolling import roll                        # noqa: E402
from kit.ws import WebSocket                        # noqa: E402

KERNEL = 6 << 20        # bytes, more than a socket of each side takes unread
PIECE = 64 << 10


class Reader(threading.Thread):
    """A byte a millisecond, until it is told to go on faster."""

    def __init__(self, ws, data):
        super().__init__()
        self.ws, self.data, self.slowly = ws, data, True
        self.start()

    def run(self):
        due = time.monotonic()
        while self.slowly:
            self.data += self.ws.read(1)
            due += 0.001
            time.sleep(max(0, due - time.monotonic()))


def where(k):
    """Its shard; what the page says: a message to it is begun."""
    shard = wait.until(lambda: next(s for s in k.shards() if s["connections"]), 20)
    with Page(shard["pid"]) as page:
        wait.until(lambda: page.all()[0]["rest"] == "out", 20, "it is owed something")
    return shard["slot"]


def run(args, k):
    ws = WebSocket(k.address, "/echo")
    body = [random.randbytes(PIECE) for _ in range((KERNEL + args.owed) // PIECE)]
    for b in body:
        ws.send(b)
    want = b"".join(b"\x82\x7f" + len(b).to_bytes(8, "big") + b for b in body)
    data = bytearray()
    where(k)
    reader = Reader(ws, data)
    try:
        for _ in range(args.moves):
            roll(k, [where(k)])
    finally:
        reader.slowly = False
        reader.join()
    slowly = len(data)
    data += ws.read(len(want) - len(data))
    assert data == want, "another stream"
    ws.goodbye()
    totals = k.status()["totals"]
    assert totals["moved"] == args.moves, totals
    k.exact()
    return {"moves": args.moves, "read_slowly": slowly, "bytes": len(data),
            "load": os.getloadavg()}


def main():
    p = argparse.ArgumentParser(description=__doc__.split(":")[0])
    p.add_argument("--moves", type=int, default=100)
    p.add_argument("--owed", type=int, default=1 << 20)
    args = p.parse_args()
    random.seed(args.moves)
    k = kits.Kennel(shards=2, config="[worker]\nout_max = 32M\n")
    try:
        print(json.dumps(run(args, k)))
        k.stop()
    finally:
        if k in kits.LIVE:
            k.destroy()


if __name__ == "__main__":
    main()
