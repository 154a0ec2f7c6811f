"""Many upgrades leave nothing behind: descriptors, files without a name, memory."""
import os
import re

from kit import wait
from kit.mover import Crowd, Mover, routes

SHARD_UPGRADES, GATEWAY_UPGRADES = 30, 20
CONFIG = """
[gateway]
upgrade_hold = 1ms
drain = 2s

[worker]
ping_interval = 1h
"""


def descriptors(pid):
    """What a process has open, without numbers, counted."""
    found = {}
    for n in os.listdir(f"/proc/{pid}/fd"):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{n}")
        except OSError:
            continue
        name = re.sub(r"[0-9a-f]{4,}|\d+", "N", link)
        found[name] = found.get(name, 0) + 1
    return found


def anonymous(pid):
    """Mapped, and of memory or of a file without a name."""
    with open(f"/proc/{pid}/maps") as f:
        return sum("memfd:" in line or "(deleted)" in line for line in f)


def memory(pid):
    """KiB that are its own."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"RssAnon:\s+(\d+)", f.read()).group(1))


def shm():
    return {n for n in os.listdir("/dev/shm") if "kennel" in n}


def quiet(k, n):
    """Everything is settled: all shards ready, each connection covered."""
    wait.until(lambda: (s := k.status())["covered"] == n and s["moving"] == 0 and
               len(s["shards"]) == 2 and {x["state"] for x in s["shards"]} == {"ready"} and
               all(x["uptime_ms"] > 0 for x in s["shards"]), 30)


def settled(k, n, want):
    """The gateway has again what it had; what has just ended may take a moment."""
    quiet(k, n)
    try:
        wait.until(lambda: descriptors(k.pid) == want, 20)
    except AssertionError:
        assert descriptors(k.pid) == want


def test_nothing_is_left(start, installed):
    """20"""
    worker = installed.worker("mover.c")
    k = start(shards=2, max_shards=6, worker=worker, config=CONFIG + routes(60))
    people = Crowd([Mover(k, f"g{i % 3}", f"u{i}") for i in range(30)])
    for m in people.movers:
        m.topics = set()
    kept = shm()

    def upgrade(*args):
        k.ctl("upgrade", *args)
        people.check_open()

    # What grows once grows before it is measured.
    for _ in range(2):
        upgrade()
        upgrade("gateway")
    people.where()
    quiet(k, 30)
    gateway, shard = descriptors(k.pid), [descriptors(s["pid"]) for s in k.shards()]
    maps, rss = anonymous(k.pid), memory(k.pid)
    for i in range(SHARD_UPGRADES):
        upgrade()
    people.where()
    settled(k, 30, gateway)
    for i in range(GATEWAY_UPGRADES):
        upgrade("gateway")
    people.where()
    settled(k, 30, gateway)
    # By now each shard has lived through twenty gateways.
    for s in k.shards():
        assert sum(descriptors(s["pid"]).values()) <= max(sum(d.values()) for d in shard) + 1
    assert anonymous(k.pid) <= maps
    if not os.environ.get("KENNEL_SANITIZED"):
        assert memory(k.pid) < rss + 1024
    assert shm() == kept
    # Nor a file: one lock and one link a shard.
    names = os.listdir(k.run)
    assert sum(n.startswith("shard-") and n.endswith(".lock") for n in names) == 2, names
    for m in people.movers:
        m.say("c")
    people.settle()
    people.close()
    k.exact()
