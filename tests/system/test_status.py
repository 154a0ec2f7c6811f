"""kennelctl status: for people and for programs."""
import json
import os
import re
import signal
import threading
import time

from kit import wait, ws
from kit.chat import Chat, crowd
from kit.http import Http, get
from kit.kennel import SILENT

TOP = {"version", "node", "pid", "started", "uptime_ms", "leaving", "redis",
       "shards", "groups", "handshakes", "home", "handing_over", "places",
       "moving", "totals"}
SHARD = {"address", "slot", "incarnation", "pid", "state", "connections",
         "replicas", "uptime_ms", "restarts", "generation", "expected"}


def test_json_has_what_is_documented(start):
    k = start("--node", "beta", shards=3)
    people = crowd(k, "room%20one", "abc")
    s = k.status()
    assert TOP <= set(s)
    assert (s["node"], s["pid"], s["leaving"]) == ("beta", k.pid, False)
    assert abs(s["started"] - time.time() * 1000) < 60000
    assert s["redis"]["mode"] == "auto" and s["redis"]["up"] is True
    assert [x["slot"] for x in s["shards"]] == [0, 1, 2]
    for x in s["shards"]:
        assert SHARD <= set(x)
        assert re.fullmatch(r"beta/%d#[0-9a-f]{16}" % x["slot"], x["address"])
        assert x["address"].endswith(str(x["incarnation"])) or \
            int(x["address"].split("#")[1], 16) == x["incarnation"]
    g, = s["groups"]
    assert (g["group"], g["app"], g["limit"]) == ("room one", "chat", 2)
    assert sorted(r["connections"] for r in g["replicas"]) == [1, 2]
    assert all({"id", "shard", "connections", "over"} <= set(r)
               for r in g["replicas"])
    assert {r["shard"] for r in g["replicas"]} <= \
        {x["address"] for x in s["shards"]}
    assert s["places"] == 3
    for p in people:
        p.close()


def test_totals_add_up(start):
    k = start(shards=2)
    for _ in range(3):
        get(k, "/healthz")
    get(k, "/nowhere")
    with Chat(k, "g", "a") as a:
        a.goodbye()
    wait.until(lambda: k.places() == 0)
    t = k.status()["totals"]
    assert t["accepted"] == 5
    assert t["requests"] >= 5
    assert t["handed"] == 4
    assert t["refused"] == 1
    assert t["gone"]["client"] + t["home"] >= 3


def test_handshakes_and_home(start):
    k = start(shards=1)
    slow, idle = Http(k.address), Http(k.address)
    slow.write(b"GET /")
    idle.ask("GET", "/healthz")
    wait.until(lambda: (k.status()["handshakes"], k.status()["home"]) == (1, 1))
    slow.close(), idle.close()
    wait.until(lambda: (k.status()["handshakes"], k.status()["home"]) == (0, 0))


def test_human_form_is_aligned(start):
    k = start(shards=2)
    people = crowd(k, "g", "abc")
    text = k.ctl("status")
    for s in k.shards():
        assert s["address"] in text or str(s["pid"]) in text
    assert "g" in text and "ready" in text
    rows = [l for l in text.split("\n") if "ready" in l]
    assert len(rows) == 2
    assert len({l.index("ready") for l in rows}) == 1
    for p in people:
        p.close()


def test_names_do_not_reach_the_terminal_raw(start):
    """Groups are named by clients: no escape sequence of theirs works."""
    k = start(shards=1)
    with Chat(k, "%1b%5b2Jx%0ay", "a"):
        assert k.places() == 1
        text = k.ctl("status")
        assert "\x1b" not in text
        assert "2Jx\ny" not in text
        assert k.status()["groups"][0]["group"] == "\x1b[2Jx\ny"


def test_group_that_is_no_utf8(start):
    """JSON stays JSON."""
    k = start(shards=1)
    try:
        c = Chat(k, "%ff%fe", "a")
    except ws.Refused as e:
        assert e.response.status == 400
        return
    json.loads(k.ctl("status", "--json"))
    k.ctl("status")
    c.close()


def test_thousand_groups(start):
    """More than a packet takes."""
    k = start(shards=2, config=SILENT)
    cs = [Chat(k, f"g{i}-" + "x" * 100, "a") for i in range(1000)]
    s = k.status()
    assert len(s["groups"]) == 1000
    assert {g["group"][:-101] for g in s["groups"]} == \
        {f"g{i}" for i in range(1000)}
    assert s["groups_left"] == 0
    k.exact()
    # Clients make them: of more than that, the others are counted.
    cs += [Chat(k, f"more{i}", "a") for i in range(5)]
    s = k.status()
    assert len(s["groups"]) == 1000 and s["groups_left"] == 5
    assert "\nand 5 groups more\n" in k.ctl("status")
    k.exact()
    for c in cs:
        c.close()
    wait.until(lambda: k.status()["groups"] == [], 20)


def test_asking_a_hundred_times_at_once(start):
    k = start(shards=1)
    answers = []
    ts = [threading.Thread(target=lambda: answers.append(k.status()["pid"]))
          for _ in range(40)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    assert answers == [k.pid] * 40


def checked(k):
    p = k.ctl("status", "--check", "--json", check=False)
    return p.returncode, json.loads(p.stdout), p.stderr


def test_check_asks_the_shards(start):
    """While one is silent, what it serves is unknown; also to a new gateway."""
    k = start(shards=2, redis="none", config="[gateway]\nwatchdog = 60s\n")
    cs = [ws.WebSocket(k.address) for _ in range(60)]
    code, s, _ = checked(k)
    assert (code, s["exact"], s["silent"], s["places"]) == (0, True, [], 60)
    pid = k.shard(1)["pid"]
    os.kill(pid, signal.SIGSTOP)
    code, s, err = checked(k)
    assert (code, s["exact"], s["silent"]) == (1, None, [1])
    assert "unknown" in err
    p = k.ctl("status", "--check", check=False)
    assert p.returncode == 1 and "unknown: silent are shards 1\n" in p.stdout
    os.kill(pid, signal.SIGCONT)
    k.exact()
    for c in cs:
        c.close()


def test_check_before_the_shards_have_said_hello(start):
    """A new gateway that has not heard of them knows nothing."""
    k = start(shards=2, redis="none")
    cs = [ws.WebSocket(k.address) for _ in range(60)]
    pids = [s["pid"] for s in k.shards()]
    k.kill_gateway()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    k.start(ready=False)
    wait.until(lambda: os.path.exists(k.run + "/control.sock") and
               k.ctl("status", check=False).returncode == 0)
    t = threading.Timer(0.5, lambda: [os.kill(p, signal.SIGCONT)
                                      for p in pids])
    t.start()
    code, s, _ = checked(k)     # asked when they could be, and then right
    assert (code, s["exact"], s["places"]) in ((0, True, 60), (1, None, 0))
    t.join()
    wait.until(k.ready, 20)
    if code == 0:
        k.exact()
    for c in cs:
        c.close()


def test_a_shard_that_miscounts_is_found(start):
    """Between a place and its parting everything agrees, however busy."""
    k = start(shards=3, redis="none")
    stop = threading.Event()

    def churn():
        while not stop.is_set():
            with ws.WebSocket(k.address) as c:
                c.send("x")
                c.recv()
            get(k, "/healthz")
    ts = [threading.Thread(target=churn) for _ in range(3)]
    for t in ts:
        t.start()
    for _ in range(30):
        k.exact()
    stop.set()
    for t in ts:
        t.join()
    assert "counts=wrong" not in k.log()


def test_who_is_refused_is_counted_by_reason_and_said(start):
    """A line a reason, however many they are."""
    k = start(config="[gateway]\nhandshakes_max = 1\n[route r]\npath = /\n"
              "app = front\ngroup = none\n")
    with Http(k.address):               # its head never comes
        wait.until(lambda: k.status()["handshakes"] == 1)
        for _ in range(5):
            assert get(k, "/").status == 503
    wait.until(lambda: k.status()["handshakes"] == 0)
    assert get(k, "/nothing/here").status == 404
    refusals = k.status()["totals"]["refusals"]
    assert refusals["handshakes"] == 5 and refusals["no-route"] == 1
    assert sum(refusals.values()) == k.status()["totals"]["refused"] == 6
    k.wait_log(r"warn .*refused why=handshakes n=\d status=503")
    k.wait_log(r"info .*refused why=no-route n=1 status=404")
    assert len(re.findall("why=handshakes", k.log())) <= 2
