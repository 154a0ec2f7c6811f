"""Thousands of connections that end in every way: the counts stay exact."""
import random
import threading

import pytest
from kit import wait, ws
from kit.chat import Chat
from kit.http import Http, request
from kit.wire import Closed
from kit.ws import Ended, Refused, WebSocket


def http_once(k, dice):
    with Http(k.address) as c:
        c.ask("GET", "/healthz", [("Connection", "close")])


def http_kept(k, dice):
    c = Http(k.address)
    for _ in range(dice.randrange(1, 4)):
        c.ask("GET", dice.choice(["/healthz", "/lobby/h/emit?u=a", "/nowhere",
                                  f"/lobby/{dice.randrange(9)}/broadcast"]))
    dice.choice([c.close, c.reset])()


def http_unread(k, dice):
    c = Http(k.address)
    c.write(request("GET", f"/lobby/{dice.randrange(9)}/broadcast?u=x") * 3)
    dice.choice([c.close, c.reset])()


def half_a_head(k, dice):
    c = Http(k.address)
    c.write(b"GET / HTTP/1.1\r\nHost"[:dice.randrange(0, 20)])
    dice.choice([c.close, c.reset, lambda: (c.half_close(), c.close())])()


def half_a_body(k, dice):
    c = Http(k.address)
    c.write(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx")
    dice.choice([c.close, c.reset])()


def refused(k, dice):
    with Http(k.address) as c:
        c.write(ws.handshake(f"/lobby/{dice.randrange(9)}/ws?u=a", "bad"))
        c.response()


def unread_upgrade(k, dice):
    c = Http(k.address)
    c.write(ws.handshake(f"/lobby/{dice.randrange(9)}/ws?u=x", ws.key()))
    dice.choice([c.close, c.reset])()


def chat(k, dice):
    c = Chat(k, str(dice.randrange(9)), f"u{dice.randrange(30)}")
    if dice.random() < 0.5:
        c.say("hello")
    dice.choice([c.goodbye, c.close, c.reset,
                 lambda: (c.send_frame(3), c.close()),
                 lambda: (c.half_close(), c.close()),
                 lambda: (c.write(ws.close_frame(1000)), c.reset())])()


def echo(k, dice):
    c = WebSocket(k.address, behind=ws.frame(1, "early"))
    dice.choice([c.goodbye, c.close, c.reset])()


KINDS = [http_once, http_kept, http_unread, half_a_head, half_a_body, refused,
         unread_upgrade, chat, chat, chat, echo]


def churn(k, seed, n):
    """n connections of random kinds; what a dying shard does is fine."""
    dice = random.Random(seed)
    for _ in range(n):
        try:
            dice.choice(KINDS)(k, dice)
        except (Closed, Ended, Refused, ConnectionError):
            pass


def churn_all(k, n, threads=8, meanwhile=lambda: None):
    ts = [threading.Thread(target=churn, args=(k, seed, n // threads))
          for seed in range(threads)]
    for t in ts:
        t.start()
    meanwhile()
    for t in ts:
        t.join()


def nothing_left(k):
    wait.until(lambda: k.places() == 0, 20,
               "no places")
    s = k.status()
    assert s["groups"] == []
    assert s["handing_over"] == 0
    wait.until(lambda: k.status()["handshakes"] + k.status()["home"] == 0, 20)
    assert all(x["connections"] == 0 and x["replicas"] == 0
               for x in k.status()["shards"])
    k.exact()
    assert "second release" not in k.log()
    with k.redis() as r:
        def kept():
            return [x for x in r.keys() if x.split(":")[1] in
                    ("client", "group") or x.endswith(":clients")]
        wait.until(lambda: kept() == [], 10, "no keys")


@pytest.fixture
def kennel(start):
    return start(shards=4, max_shards=12, limit=5)


def test_churn(kennel):
    """Every way to end; who stays is counted exactly, then nobody."""
    stay = [Chat(kennel, f"stay{i % 3}", f"s{i}") for i in range(24)]
    churn_all(kennel, 2400)
    wait.until(lambda: kennel.places() == 24, 20)
    for i in range(3):
        assert sum(kennel.group(f"stay{i}")) == 8
    kennel.exact()
    assert sum(s["connections"] for s in kennel.shards()) == 24
    for c in stay:
        c.say("still here")
        assert c.next(type="user:msg", **{"from": c.name})
        c.close()
    nothing_left(kennel)


def test_churn_while_shards_die(kennel):
    """Now shards are killed all the time."""
    done = threading.Event()

    def killer():
        for i in range(6):
            mark = kennel.status()["totals"]["accepted"] + 100
            wait.until(lambda: done.is_set() or
                       kennel.status()["totals"]["accepted"] > mark, 30)
            ready = kennel.shards()
            if ready:
                try:
                    kennel.kill_shard(pid=ready[i % len(ready)]["pid"])
                except ProcessLookupError:
                    pass
    t = threading.Thread(target=killer)
    t.start()
    churn_all(kennel, 1600)
    done.set()
    t.join()
    wait.until(lambda: len(kennel.shards()) >= 4, 30, "four shards ready")
    nothing_left(kennel)
    with Chat(kennel, "after", "a") as c:
        assert c.users()["list"] == ["a"]


def test_churn_while_the_gateway_dies(kennel):
    """Who stays is counted by the next gateway, too."""
    stay = [Chat(kennel, f"stay{i % 3}", f"s{i}") for i in range(12)]
    churn_all(kennel, 400)
    churn_all(kennel, 400, meanwhile=kennel.kill_gateway)
    kennel.start()
    wait.until(lambda: kennel.places() == 12, 20,
               "12 places")
    kennel.exact()
    churn_all(kennel, 400)
    wait.until(lambda: kennel.places() == 12, 20)
    for c in stay:
        c.say("still here")
        assert c.next(type="user:msg", **{"from": c.name})
        c.close()
    nothing_left(kennel)
