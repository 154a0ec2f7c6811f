"""The gateway keeps a copy of the descriptor of each open connection, and of no other."""
import os

from kit import sockdiag, wait
from kit.chat import crowd, settle
from kit.http import Http, get
from kit.kennel import Ports
from kit.mover import routes
from kit.raw import Raw
from kit.sockdiag import ESTABLISHED
from kit.stream import Stream
from kit.ws import WebSocket


def covered(k):
    return k.status()["covered"]


def wait_covered(k, n, timeout=20):
    wait.until(lambda: covered(k) == n, timeout, f"{n} covered")


def sockets(pid):
    """Inodes of the sockets that a process has open: how often each."""
    found = {}
    for n in os.listdir(f"/proc/{pid}/fd"):
        try:
            name = os.readlink(f"/proc/{pid}/fd/{n}")
        except OSError:
            continue
        if name.startswith("socket:"):
            found[name] = found.get(name, 0) + 1
    return found


def shared(k):
    """How many sockets of clients the gateway and a shard both have."""
    ours = set(sockets(k.pid))
    clients = {f"socket:[{row.inode}]" for row in sockdiag.sockets(ESTABLISHED, port=k.port)}
    return sum(len(clients & ours & set(sockets(s["pid"]))) for s in k.shards())


def test_open_connections_are_covered_until_they_end(start):
    k = start(shards=2, limit=100)
    before = len(os.listdir(f"/proc/{k.pid}/fd"))
    people = crowd(k, "room", "abcdef")
    wait_covered(k, 6)
    assert shared(k) == 6
    http = Http(k.address)
    assert http.ask("GET", "/healthz").status == 200
    assert covered(k) == 6
    http.close()
    people[0].close()
    people[1].goodbye()
    wait_covered(k, 4)
    assert shared(k) == 4
    settle(*people[2:])
    k.exact()
    for p in people[2:]:
        p.close()
    wait_covered(k, 0)
    wait.until(lambda: len(os.listdir(f"/proc/{k.pid}/fd")) <= before, 20)
    text = get(k, "/healthz")
    assert text.status == 200


def test_who_moves_stays_covered(start):
    k = start(shards=3, limit=6)
    people = crowd(k, "room", "abcdefgh")
    wait_covered(k, 8)
    k.ctl("drain", "0")
    settle(*people)
    assert covered(k) == 8 and shared(k) == 8
    k.exact()
    for p in people:
        p.close()
    wait_covered(k, 0)


def test_a_gateway_gets_the_copies_back(start):
    """Killed, or another program in its place: shards lend what they serve."""
    k = start(shards=2)
    people = [WebSocket(k.address, f"/lobby/g{i % 7}/ws?u=u{i}")
              for i in range(300)]
    wait_covered(k, 300)
    k.kill_gateway()
    k.start()
    wait_covered(k, 300)
    assert shared(k) == 300
    k.ctl("upgrade", "gateway")
    wait_covered(k, 300)
    assert shared(k) == 300
    # A shard keeps none of the copies that it made.
    for s in k.shards():
        assert max(sockets(s["pid"]).values()) == 1
    k.exact()
    for p in people:
        p.close()
    wait_covered(k, 0)


def test_a_stream_is_covered(start, mover):
    """It was plain HTTP when the gateway gave it away."""
    k = start(shards=1, worker=mover, config=routes())
    s = Stream(k.address, "/m/g/stream?u=ann")
    wait_covered(k, 1)
    assert shared(k) == 1
    k.kill_gateway()
    k.start()
    wait_covered(k, 1)
    s.close()
    wait_covered(k, 0)


LINES = """
[listener lines]
address = 127.0.0.1:%d
app = raw
group = const:lines
"""


def test_raw_connections_are_covered(start, installed):
    port = Ports.take()
    k = start(shards=1, worker=installed.worker("raw.c"), config=LINES % port)
    with Raw(("127.0.0.1", port)) as a, Raw(("127.0.0.1", port)):
        wait_covered(k, 2)
        k.kill_gateway()
        k.start()
        wait_covered(k, 2)
        a.end()
    wait_covered(k, 0)


def test_none_where_none_is_wanted(start):
    k = start(shards=1, config="[gateway]\ncover = no\n")
    people = crowd(k, "room", "ab")
    assert covered(k) == 0 and shared(k) == 0
    k.kill_gateway()
    k.start()
    settle(*people)
    assert covered(k) == 0 and shared(k) == 0
    assert "2 connections would end with their shard, as none is covered" in k.ctl("status")
    for p in people:
        p.close()
    wait.until(lambda: k.status()["uncovered"] == 0, 10)
    assert "would end" not in k.ctl("status")


def test_as_many_as_descriptors_are_left(start):
    """The others are served, and not covered."""
    k = start(shards=1, max_shards=2, limit=100, launcher=("prlimit", "--nofile=400:400"),
              config="[gateway]\nhandshakes_max = 40\nhome_max = 40\n"
              "waiting_max = 20\nlinger_max = 20\n")
    people = crowd(k, "room", [f"u{i}" for i in range(20)])
    assert covered(k) == k.status()["covers_max"] == 400 - 256 - 8 - 120
    assert k.places() == 20 and k.status()["uncovered"] == 4
    settle(*people)
    for command in "status", "shards":
        assert "\n4 connections would end with their shard, as the gateway had no descriptors " \
            "left to cover them: raise its limit" in k.ctl(command)
    # With more room all are, and nobody is closed for that.
    with open(k.config) as f:
        text = f.read()
    with open(k.config, "w") as f:
        f.write(text.replace("home_max = 40", "home_max = 30"))
    k.ctl("upgrade", "gateway")
    wait_covered(k, 20)
    assert k.status()["uncovered"] == 0
    assert "would end" not in k.ctl("status") + k.ctl("shards")
    settle(*people)
    k.exact()
    for p in people:
        p.close()
    wait_covered(k, 0)
