"""Who goes on after its shard's death hears nothing again that it had heard there."""
import os
import re
import signal

import pytest
from kit import nodes, wait
from kit.mover import routes
from kit.ws import Ended, WebSocket
from test_moves_gateway import Behind

# What z says of each kind, and what a hears of it, who has subscribed to t and n.
PAD = "." * 220
SAID = {"c 1": "c z 1", "w a 2": "w z 2", "p t 3": "p z 3", "i": "n 1"}


@pytest.fixture(scope="module")
def mover(installed):
    return installed.worker("mover.c")


def client(k, uid):
    ws = WebSocket(k.address, f"/m/g/ws?u={uid}")
    for topic in ("t", "n"):
        ws.send(f"+ {topic}")
        assert ws.recv() == f"+ {topic}"
    return ws


def until(ws, want):
    """What it hears before that."""
    heard = []
    while (text := ws.recv()) != want:
        heard.append(text)
    return heard


def place(k, ws):
    """Its slot there."""
    ws.send("q 0")
    slot = int(re.search(r"/(\d+)#[0-9a-f]+$", ws.recv())[1])
    return next(s for s in k.shards() if s["slot"] == slot)


def survived(k):
    return k.status()["totals"]["survived"]


@pytest.fixture
def pair(start, url, server, tmp_path, mover):
    """Two nodes; the first hears Redis through a relay."""
    relay = Behind(server.path, str(tmp_path / "relay"))
    kw = {"worker": mover}
    two = start("--node", "two", redis=url, shards=1, config=routes(), **kw)
    z = client(two, "z")                        # decides
    one = start("--node", "one", redis=f"unix:{tmp_path}/relay", shards=2,
                max_shards=2, config=routes(2), **kw)
    nodes.met(one, two)
    yield one, two, z, relay
    relay.close()


def apart(one, z):
    """a, and b in another shard; all hear each other."""
    a, gone, b = (client(one, u) for u in ("a", "gone", "b"))
    gone.close()
    wait.until(lambda: one.places() == 2)
    for s, who in (a, "a"), (b, "b"), (z, "z"):
        s.send("C 0")
        until(s, "C 0")
        for o in {a, b, z} - {s}:
            assert until(o, f"c {who} 0") == []
    return a, b


def hears_all(a, z):
    for word, text in SAID.items():
        z.send(word)
        assert until(a, text) == [], text


def test_what_another_node_said_does_not_come_twice(pair):
    """a hears it in a shard that dies, and goes on where Redis brings it later."""
    one, two, z, relay = pair
    a, b = apart(one, z)
    old, new = place(one, a), place(one, b)
    assert old["pid"] != new["pid"]
    relay.pid = new["pid"]
    hears_all(a, z)
    one.kill_shard(pid=old["pid"])
    wait.until(lambda: survived(one) == 1, 20)
    for _ in range(20):                         # it could be open by now
        assert place(one, b)["pid"] == new["pid"]
    relay.free.set()
    # Nothing of before, and all from the moment on when it is served again.
    a.send("e here")
    assert until(a, "e here") == []
    for text in "c z 1", "p z 3", "n 1":
        until(b, text)
    hears_more(a, z, b)
    one.exact()
    for p in a, b, z:
        p.close()


def hears_more(a, z, b):
    """Each new word once."""
    for word, text in ("c 5", "c z 5"), ("w a 6", "w z 6"), ("p t 7", "p z 7"), ("i", "n 2"):
        z.send(word)
        assert until(a, text) == [], text
    b.send("c 8")
    assert until(a, "c b 8") == []


def test_who_cannot_know_is_closed(pair):
    """Redis says nothing for so long that nobody can tell: it is told, and nothing comes twice."""
    one, two, z, relay = pair
    a, b = apart(one, z)
    old, new = place(one, a), place(one, b)
    relay.pid = new["pid"]
    hears_all(a, z)
    one.kill_shard(pid=old["pid"])
    with pytest.raises(Ended) as e:
        a.recv()
    assert e.value.code == 1013
    relay.free.set()
    until(b, "c z 1")
    for p in b, z:
        p.close()


@pytest.mark.parametrize("redis", ["auto", "none"])
def test_what_another_shard_said_does_not_come_twice(start, mover, redis):
    """The shard where a goes on was stopped, and has megabytes still to hear."""
    k = start(shards=3, max_shards=3, worker=mover, redis=redis, config=routes(2) +
              "[gateway]\nwatchdog = 60s\n")
    z, fill, a, gone, b = (client(k, u) for u in ("z", "fill", "a", "gone", "b"))
    gone.close()
    wait.until(lambda: k.places() == 4)
    at = [place(k, p)["pid"] for p in (z, a, b)]
    assert len(set(at)) == 3
    k.stop_shard(pid=at[2])
    z.send("i")
    assert until(a, "n 1") == []
    for i in range(6000):                       # more than there is room for on the way
        z.send(f"p t {i}{PAD}")
        if i % 500 == 499:
            for p in a, fill, z:
                until(p, f"p z {i}{PAD}")
    k.kill_shard(pid=at[1])
    os.kill(at[2], signal.SIGCONT)
    a.send("e here")
    assert until(a, "e here") == []
    z.send("p t last")
    assert until(a, "p z last") == []
    until(b, "p z last")
    assert survived(k) == 1
    k.exact()
    for p in z, fill, a, b:
        p.close()


def test_a_neighbour_that_hangs_is_not_waited_for_long(start, mover):
    """It may be ended much later."""
    k = start(shards=3, max_shards=3, worker=mover, config=routes(2) +
              "[gateway]\nwatchdog = 60s\n")
    z, fill, a, gone, b = (client(k, u) for u in ("z", "fill", "a", "gone", "b"))
    gone.close()
    wait.until(lambda: k.places() == 4)
    at = [place(k, p)["pid"] for p in (z, a, b)]
    k.stop_shard(pid=at[0])
    k.kill_shard(pid=at[1])
    a.send("e here")
    assert until(a, "e here") == []
    b.send("c 1")
    assert until(a, "c b 1") == []
    os.kill(at[0], signal.SIGCONT)
    z.send("c 2")
    assert until(a, "c z 2") == []
    for p in z, fill, a, b:
        p.close()
