"""The gateway has connections moved: emptied, evened out, upgraded."""
import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import threading
import time

import pytest
from kit import nodes, redis, wait
from kit.chat import Chat, crowd, settle
from kit.kennel import SHARDD, SILENT
from kit.stopat import StopAt
from kit.wire import Closed
from kit.ws import Ended, WebSocket

FAST = "[gateway]\nupgrade_hold = 100ms\ndrain = 5s\n"


def copy(where, name="shardd"):
    path = os.path.join(where, name)
    shutil.copy(SHARDD, path + ".new")
    os.rename(path + ".new", path)
    return path


def connections(k):
    return {s["slot"]: s["connections"] for s in k.shards()}


def test_drain_moves_everybody(start):
    """24"""
    k = start(shards=3, limit=6)
    people = crowd(k, "room", "abcdefghij")
    slot = max(connections(k), key=lambda s: connections(k)[s])
    n = connections(k)[slot]
    assert n > 0
    k.ctl("drain", str(slot))
    settle(*people)
    assert sum(connections(k).values()) == 10
    t = k.status()["totals"]
    assert t["moved"] == n, t
    k.exact()
    for p in people:
        p.close()


def test_upgrade_moves_everybody(start, tmp_path):
    """22"""
    k = start(shards=2, limit=20, worker=copy(tmp_path), config=FAST)
    people = crowd(k, "room", "abcdefghij")
    old = {s["pid"] for s in k.shards()}
    for _ in range(3):
        copy(tmp_path)
        k.ctl("upgrade")
        u = k.status()["upgrade"]
        assert (u["ok"], u["moved"], u["skipped"]) == (True, 10, 0), u
        settle(*people)
        k.exact()
    assert not {s["pid"] for s in k.shards()} & old
    for p in people:
        p.close()


def test_who_finds_no_room_elsewhere_is_closed(start):
    """21: As before there were moves: 1012, after who could has moved."""
    k = start(shards=2, max_shards=2, limit=3, config="[gateway]\ndrain = 2s\n")
    people = crowd(k, "room", "abcde")          # 3 and 2: one can move
    p = k.ctl("drain", "0", "--json")
    assert json.loads(p.splitlines()[-1])["done"]
    wait.until(lambda: sum(connections(k).values()) == 3, 10)
    k.exact()


def test_rebalance_fills_a_shard_that_is_new(start, tmp_path):
    """24"""
    k = start(shards=2, limit=500, config=SILENT)
    people = [Chat(k, f"room{i % 10}", f"u{i}") for i in range(60)]
    k.ctl("drain", "1")
    k.ctl("restart", "1")
    wait.until(lambda: connections(k).get(1) == 0, 20)
    assert connections(k)[0] == 60
    n = json.loads(k.ctl("rebalance", "--json").splitlines()[-1])["moving"]
    assert n > 20
    wait.until(lambda: abs(connections(k)[0] - connections(k)[1]) <= 8, 30)
    assert sum(connections(k).values()) == 60
    for i in range(10):
        settle(*people[i::10])
    k.exact()
    for p in people:
        p.close()


def test_evening_out_by_itself(start):
    """24"""
    k = start(shards=2, limit=500, config="[gateway]\nbalance = yes\n" + SILENT)
    people = [WebSocket(k.address, f"/lobby/g{i % 40}/ws?u=u{i}")
              for i in range(200)]
    k.ctl("drain", "1")
    k.ctl("restart", "1")
    wait.until(lambda: connections(k).get(1) == 0, 20)
    wait.until(lambda: connections(k)[1] >= 60 and
               k.status()["moving"] == 0, 60)
    assert sum(connections(k).values()) == 200
    k.exact()
    for p in people:
        p.close()


def test_words_stay_in_order_through_ten_upgrades(start, tmp_path):
    """9"""
    k = start(shards=2, limit=20, worker=copy(tmp_path), config=FAST)
    people = crowd(k, "room", "abcdef")
    stop, sent = threading.Event(), [0] * len(people)

    def talk(i):
        while not stop.is_set():
            people[i].say(f"{i}:{sent[i]}")
            sent[i] += 1
            time.sleep(0.005)
    threads = [threading.Thread(target=talk, args=(i,))
               for i in range(len(people))]
    heard = [[] for _ in people]

    def listen(i):
        while True:
            m = people[i].hear()
            if m["type"] == "user:msg":
                if m["text"] == "the end":
                    return
                heard[i].append(m["text"])
    listeners = [threading.Thread(target=listen, args=(i,), daemon=True)
                 for i in range(len(people))]
    for t in threads + listeners:
        t.start()
    try:
        for _ in range(10):
            copy(tmp_path)
            k.ctl("upgrade")
            u = k.status()["upgrade"]
            assert (u["ok"], u["moved"]) == (True, 6), u
    finally:
        stop.set()
        for t in threads:
            t.join()
    time.sleep(0.5)
    people[0].say("the end")
    for t in listeners:
        t.join(wait.limit(20))
        assert not t.is_alive()
    for i, h in enumerate(heard):
        for j in range(len(people)):
            mine = [int(x.split(":")[1]) for x in h if x.startswith(f"{j}:")]
            assert mine == list(range(sent[j])), (i, j, len(mine), sent[j])
    k.exact()
    for p in people:
        p.close()


# ---- who dies amid of it ----

SLOW = "[gateway]\nupgrade_hold = 10m\ndrain = 2s\nmove_rate = 20\n" + SILENT


def alive(p):
    """Is it still connected, and does the room hear it?"""
    try:
        p.users()
        return True
    except (Ended, Closed, OSError):
        return False


def amid(k, n=120):
    """n people in rooms of 12, of whom some are on their way to another shard."""
    people = [Chat(k, f"room{i // 12}", f"u{i}") for i in range(n)]
    before = {p: p.shard() for p in people}
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["moved"] > 15, 30)
    return people, before


def half_empty(k, generation):
    """A shard of that generation, from which, or to which, some of its clients have moved."""
    return wait.until(lambda: next((s for s in k.shards() if s["generation"] == generation
                                    and 0 < s["connections"] < 60), None), 30)


def survivors(k, people):
    left = [p for p in people if alive(p)]
    wait.until(lambda: k.places() == len(left) and k.status()["moving"] == 0,
               20)
    k.exact()
    for i in range(10):
        settle(*[p for p in left if p.group == f"room{i}"])
    return left


# SIGABRT: a sanitizer takes a SIGSEGV for a fault of ours.
@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGABRT])
def test_the_old_shard_dies(start, signo):
    """13"""
    k = start(shards=2, limit=20, config=SLOW)
    people, before = amid(k)
    old = half_empty(k, 1)
    k.kill_shard(old["slot"], signo=signo)
    n = k.status()["upgrade"]["moved"]
    left = survivors(k, people)
    # The others serve on, and so do those that had moved.
    assert len(left) >= 60 + min(n, 15)
    k.ctl("back", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "none", 60)
    settle(*[p for p in left if p.group == "room0"])


def test_the_new_shard_dies(start):
    """13"""
    k = start(shards=2, limit=20, config=SLOW)
    people, before = amid(k)
    new = next(s for s in k.shards() if s["generation"] == 2)
    k.kill_shard(new["slot"])
    k.deaths = True
    wait.until(lambda: k.status()["upgrade"]["phase"] == "none", 60)
    assert "died" in k.status()["upgrade"]["result"]
    left = survivors(k, people)
    assert len(left) >= 60
    assert {s["generation"] for s in k.shards()} == {1}


def test_the_gateway_dies(start):
    """13: The shards go on; what was on its way is in one of them."""
    k = start(shards=2, limit=20, config=SLOW)
    people, before = amid(k)
    k.kill_gateway()
    k.start()
    assert survivors(k, people) == people
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["moved"] > 15, 30)
    k.ctl("back", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "none", 60)
    assert survivors(k, people) == people


def program(pid):
    """The file that a process runs."""
    return os.stat(f"/proc/{pid}/exe").st_ino


@pytest.mark.parametrize("end", ["upgrade", "back"])
def test_the_next_gateway_knows_of_the_upgrade(start, tmp_path, end):
    """
    13: By the shards of two programs that it finds: it goes on, or everything is as it
    was, when the operator says so.
    """
    k = start(shards=2, limit=20, config=SLOW, worker=copy(tmp_path))
    old = {program(s["pid"]) for s in k.shards()}
    copy(tmp_path)
    people, before = amid(k)
    k.kill_gateway()
    k.start()
    u = wait.until(lambda: (u := k.status()["upgrade"])["phase"] ==
                   "interrupted" and u, 20)
    assert "kennelctl upgrade goes on" in u["result"] and not u["ok"]
    assert survivors(k, people) == people
    assert len({s["generation"] for s in k.shards()}) == 2
    for args in ("canary", "10%"), ("upgrade", "/bin/true"), ("commit",):
        p = k.ctl(*args, check=False)
        assert p.returncode == 1 and "interrupted" in p.stderr, (args, p.stderr)
    # What is no upgrade is not in the way of it.
    k.ctl("upgrade", "gateway")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "interrupted", 20)
    if end == "upgrade":
        k.ctl("upgrade", "--no-wait")
        wait.until(lambda: k.status()["upgrade"]["phase"] == "holding", 90)
        k.ctl("commit")
    else:
        k.ctl("back")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "none", 60)
    assert survivors(k, people) == people
    now = {program(s["pid"]) for s in k.shards()}
    assert len(k.shards()) >= 2 and len(now) == 1
    assert (now == old) == (end == "back")
    assert len({s["generation"] for s in k.shards()}) == 1
    # A shard that starts from now on is of that program, too.
    k.kill_shard(k.shards()[0]["slot"])
    wait.until(lambda: len(k.shards()) >= 2 and
               {program(s["pid"]) for s in k.shards()} == now, 30)
    assert survivors(k, people) == people


@pytest.mark.parametrize("who", ["old", "new"])
def test_a_shard_hangs(start, who):
    """13: SIGSTOP: nobody is lost by it, whichever it is."""
    k = start(shards=2, limit=20, config=SLOW)
    people, before = amid(k)
    wanted = 1 if who == "old" else 2
    s = half_empty(k, wanted)
    k.stop_shard(s["slot"])
    time.sleep(3)
    os.kill(s["pid"], signal.SIGCONT)
    assert survivors(k, people) == people
    k.ctl("back", "--no-wait")
    wait.until(lambda: k.status()["upgrade"]["phase"] == "none", 90)
    assert survivors(k, people) == people


class Behind(redis.Held):
    """Before a Redis: of what one process subscribes to, it hears nothing until then."""

    def __init__(self, target, path):
        self.pid = 0
        super().__init__(target, path, None)

    def carry(self, client, server, which):
        pid, = struct.unpack("i8x", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        threading.Thread(target=self.answer, daemon=True, args=(
            server, client, lambda data: pid == self.pid and b"message" in data)).start()
        with contextlib.suppress(OSError):      # it is closed
            self.pump(client, server)


def test_who_waits_to_be_taken_stays_where_the_next_gateway_hears_of_it(
        start, url, server, tmp_path):
    """
    13: Its new shard has heard less than the old one when another gateway comes.  The old one
    names it to that gateway, or the new one; if the new one took it between the two, none did,
    and the gateway had it closed.
    """
    path = str(tmp_path / "relay")
    relay = Behind(server.path, path)
    stopat = StopAt(tmp_path)
    one = start("--node", "one", redis=f"unix:{path}", shards=2, max_shards=2, limit=2,
                env=stopat.env)
    two = start("--node", "two", redis=url, shards=1)
    nodes.met(one, two)
    people = [Chat(k, "g", n) for k, n in ((one, "a"), (one, "gone"), (one, "b"), (two, "z"))]
    settle(*people)
    a, gone, b, z = people
    gone.close()
    settle(a, b, z)
    old, new = (one.shard(int(p.shard().rsplit("/", 1)[-1].split("#")[0])) for p in (a, b))
    assert old["pid"] != new["pid"]
    relay.pid = new["pid"]
    z.say("only the old one hears it")
    assert a.next(type="user:msg")["text"] == "only the old one hears it"
    # Sent, and not read yet; then there is no gateway, and the old one knows it.
    stopat.order(old["pid"], "ADOPT", 1, signal.SIGCONT, old["pid"], new["pid"])
    one.ctl("drain", str(old["slot"]), "--no-wait")
    wait.until(stopat.happened, 20)
    one.kill_gateway()
    one.wait_log(rf"\[{old['pid']}\] control lost")
    one.stop_shard(pid=old["pid"])
    one.start(ready=False)
    one.wait_log(rf"pid={new['pid']} state=silent", 20, mark=one.mark)
    os.kill(new["pid"], signal.SIGCONT)
    one.wait_log(rf"pid={new['pid']} state=starting", 20, mark=one.mark)
    relay.free.set()
    assert b.next(type="user:msg")["text"] == "only the old one hears it"
    os.kill(old["pid"], signal.SIGCONT)
    wait.until(one.ready, 30)
    settle(a, b, z)
    assert one.places() == 2
    one.exact()
    t = one.status()["totals"]
    assert not any(t["gone"].values()) and t["second_release"] == 0, t
    for p in a, b, z:
        p.close()
    relay.close()
