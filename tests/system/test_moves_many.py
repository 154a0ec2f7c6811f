"""Thousands of moves leave nothing behind."""
import os
import re

from kit import wait
from kit.kennel import SILENT, default_routes
from kit.rolling import Upgrade
from kit.ws import WebSocket

CLIENTS = 100 if wait.SANITIZED else 500
ROUNDS = 4 if wait.SANITIZED else 20
CONFIG = "[gateway]\nupgrade_hold = 100ms\ndrain = 30s\nmove_rate = 100000\n" + \
    SILENT


def descriptors(k):
    return len(os.listdir(f"/proc/{k.pid}/fd"))


def memory(k):
    """KiB of the gateway, which lives on."""
    with open(f"/proc/{k.pid}/status") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])


def test_ten_thousand_moves_leave_nothing_behind(start):
    """20: Descriptors, memory and what is in Redis are as they were; nobody was closed."""
    k = start(shards=2, max_shards=5, limit=50, config=CONFIG + default_routes())
    people = [WebSocket(k.address, f"/lobby/g{i % 10}/ws?u=u{i}")
              for i in range(CLIENTS)]
    Upgrade(k).end()
    wait.until(lambda: len(k.shards()) == 2 and k.status()["handshakes"] == 0, 60)
    had, keys, bytes_ = descriptors(k), len(k.redis().keys()), memory(k)
    for _ in range(ROUNDS):
        Upgrade(k).end()
    t = k.status()["totals"]
    assert (t["moved"], t["stayed"]) == (CLIENTS * (ROUNDS + 1), 0)
    wait.until(lambda: k.status()["covered"] == k.places() == CLIENTS, 30)
    wait.until(lambda: abs(descriptors(k) - had) <= 4, 30)
    wait.until(lambda: abs(len(k.redis().keys()) - keys) <= 2, 30)
    # Sanitized, what is freed stays for a while.
    assert wait.SANITIZED or memory(k) < bytes_ * 1.2 + 2000
    for p in people:
        p.close()
    k.wait_places(0, 60)
    k.exact()
