"""What is counted, and that totals never fall; Prometheus itself reads it."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import urllib.parse

import pytest
from kit import wait
from kit.chat import Chat, crowd
from kit.http import Http, get
from kit.kennel import SILENT, TOP, Ports
from kit.metrics import ask, metrics, value
from kit.pact import Pact, room
from kit.ws import PING, TEXT, WebSocket, frame, handshake, key

OBSERVE = os.path.join(TOP, "deploy", "observe")
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
needs_prometheus = pytest.mark.skipif(
    not (PROMETHEUS and PROMTOOL),
    reason="prometheus is not installed; scripts/deps test installs it")


def until(k, n, name, **labels):
    """A metric gets to n; those that shards write every 2 s, too."""
    wait.until(lambda: value(k, name, **labels) == n, 15, f"{name} {labels} is {n}")


def test_messages_and_bytes_are_those_of_the_application(start):
    k = start(shards=2)
    with WebSocket(k.address, "/echo") as c:
        before = metrics(k)
        for _ in range(10):
            c.send("x" * 100)
            assert c.recv() == "x" * 100
        for name, n in (("messages_received", 10), ("messages_sent", 10),
                        ("message_received_bytes", 1000),
                        ("message_sent_bytes", 1000)):
            name = f"kennel_{name}_total"
            assert value(k, name, app="echo") - \
                before[name][(("app", "echo"),)] == n, name
        c.send_frame(PING, b"x")            # a pong is no message
        c.send("y"), c.recv()
        assert value(k, "kennel_messages_sent_total", app="echo") == 11
    assert value(k, "kennel_websockets_opened_total", app="echo") == 1
    assert value(k, "kennel_websockets_opened_total", app="chat") == 0


def test_a_broadcast_is_sent_once_to_each(start):
    k = start(shards=2)
    people = crowd(k, "g", "abcd")              # two in each shard
    sent = value(k, "kennel_messages_sent_total", app="chat")
    people[0].say("hello")
    for p in people[1:]:
        p.next(type="user:msg", text="hello")
    wait.until(lambda: value(k, "kennel_messages_sent_total", app="chat")
               >= sent + 3)
    until(k, 4, "kennel_websockets_opened_total", app="chat")
    assert [value(k, "kennel_shard_connections", shard=s)
            for s in "01"] == [2, 2]
    assert [value(k, "kennel_shard_replicas", shard=s) for s in "01"] == [1, 1]
    until(k, 1, "kennel_shard_links", shard="0")
    assert value(k, "kennel_places") == 4 and value(k, "kennel_groups") == 1
    for p in people:
        p.close()


def test_connections_from_accepted_to_closed(start):
    k = start(shards=1)
    get(k, "/healthz"), get(k, "/nowhere")
    with Chat(k, "g", "a") as a:
        a.goodbye()
    wait.until(lambda: k.places() == 0)
    m = metrics(k)
    assert m["kennel_connections_accepted_total"][()] == 3
    assert m["kennel_requests_total"][()] == 3
    assert m["kennel_connections_refused_total"][(("reason", "no-route"),)] \
        == 1
    assert sum(m["kennel_connections_refused_total"].values()) == 1
    assert m["kennel_handover_duration_seconds_count"][()] == 2
    assert 0 < m["kennel_handover_duration_seconds_sum"][()] < 20
    assert m["kennel_connections_closed_total"][(("why", "client"),)] == 1
    t = k.status()["totals"]
    for why, n in t["gone"].items():
        assert m["kennel_connections_closed_total"][(("why", why),)] == n
    assert m["kennel_app_requests_total"][(("app", "chat"),)] == 1


@pytest.mark.parametrize("reason,config,status", [
    ("address", "per_address = 1", 503), ("full", "capacity = 1", 503),
    ("handshakes", "handshakes_max = 1", 503),
    ("accept-rate", "accept_rate = 1", 503),
    ("slow-head", "head_timeout = 200ms", 408)])
def test_refusals_have_their_reason(start, reason, config, status):
    k = start(shards=1, max_shards=1, config=f"[gateway]\n{config}\n")
    if reason == "full":
        with WebSocket(k.address, "/echo"):
            with Http(k.address) as c:
                c.write(handshake("/echo", key()))
                assert c.response().status == status
    else:
        first = Http(k.address)
        first.write(b"GET /")
        if reason == "slow-head":
            assert first.response().status == status
        else:               # at once: another one is let in a second later
            with Http(k.address) as c:
                assert c.response().status == status
        first.close()
    assert value(k, "kennel_connections_refused_total", reason=reason) == 1
    assert value(k, "kennel_connections_refused_total") == 1


def test_malformed_and_forbidden(start):
    k = start()
    for text in b"nonsense\r\n\r\n", b"GET / HTTP/9.1\r\nHost: x\r\n\r\n":
        with Http(k.address) as c:
            c.write(text)
            assert c.response().status in (400, 505)
    assert value(k, "kennel_connections_refused_total",
                 reason="malformed") == 2


def test_slow_clients_and_what_waits_for_them(start):
    """An echo that nobody reads."""
    k = start(shards=1, config="[worker]\nout_max = 64k\n")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(k.address)
    with WebSocket(sock, "/echo") as c:
        rest = memoryview(frame(TEXT, "x" * 60000) * 300)
        c.sock.setblocking(False)

        def waits():
            nonlocal rest
            try:
                while rest:
                    rest = rest[c.sock.send(rest):]
            except BlockingIOError:
                pass            # it is not read for now, or not any more
            return value(k, "kennel_shard_queued_bytes") > 64 << 10
        wait.until(waits, 20)
        until(k, 1, "kennel_shard_clients_behind", mark="low")
        until(k, 1, "kennel_shard_clients_behind", mark="high")
    until(k, 0, "kennel_shard_queued_bytes")
    until(k, 0, "kennel_shard_clients_behind")


@pytest.mark.parametrize("policy", ["drop-new", "drop-old"])
def test_what_slow_clients_miss(start, policy):
    k = start(shards=1, limit=100, config=f"""
[worker]
out_max = 64k

[route room]
path = /lobby/{{GROUP}}/ws
app = chat
group = path:GROUP
uid = query:u
slow = {policy}
""")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(k.address)
    with WebSocket(sock, "/lobby/g/ws?u=slow"), Chat(k, "g", "loud") as loud:
        def dropped():
            for _ in range(50):
                loud.say("x" * 4000)
            loud.users()
            return value(k, "kennel_messages_dropped_total", policy=policy)
        wait.until(dropped, 60)
        other = {"drop-new": "drop-old", "drop-old": "drop-new"}[policy]
        assert value(k, "kennel_messages_dropped_total", policy=other) == 0


def test_steps_lookups_and_redis(start):
    k = start(shards=2)
    wait.until(lambda: value(k, "kennel_shard_listed", shard="0") == 1 and
               value(k, "kennel_shard_redis_up", shard="0") == 1)
    with Pact(k, room()) as p:
        for _ in range(5):
            p.count("n")
    wait.until(lambda: value(k, "kennel_steps_total", result="done") >= 5)
    m = metrics(k)
    assert m["kennel_step_duration_seconds_count"][()] == \
        m["kennel_steps_total"][(("result", "done"),)]
    assert m["kennel_redis_commands_total"][(("result", "ok"),)] > 0
    assert m["kennel_redis_command_duration_seconds_sum"][()] > 0
    assert m["kennel_redis_up"][()] == 1


def test_totals_never_fall(start):
    """Shards die, also while they work; what they have counted stays."""
    k = start(shards=2, cover=False)
    seen = {}

    def check():
        for name, values in metrics(k).items():
            if not re.search(r"_(total|bucket|count|sum)$", name) or \
                    name.startswith("kennel_process_"):
                continue
            for labels, v in values.items():
                assert v >= seen.get((name, labels), 0), (name, labels)
                seen[name, labels] = v

    for n in range(1, 5):
        with WebSocket(k.address, "/echo") as c:
            for _ in range(20):
                c.send("x")
                c.recv()
            check()
            assert value(k, "kennel_messages_received_total",
                         app="echo") == 20 * n
            slot = next(s["slot"] for s in k.shards()
                        if s["connections"] == 1)
            pid = k.kill_shard(slot)
        wait.until(lambda: len(k.shards()) == 2 and
                   k.shard(slot)["pid"] != pid, 20)
        check()
        assert value(k, "kennel_messages_received_total",
                     app="echo") == 20 * n
    assert value(k, "kennel_shard_restarts_total") == 4
    assert value(k, "kennel_connections_closed_total", why="shard-died") == 4


def test_a_new_gateway_counts_from_its_start(start):
    """All of its totals, so that none is a jump that never was."""
    k = start(shards=1)
    c = WebSocket(k.address, "/echo")
    for _ in range(7):
        c.send("x")
        c.recv()
    assert value(k, "kennel_messages_received_total", app="echo") == 7
    k.kill_gateway()
    k.start()
    wait.until(lambda: len(k.shards()) == 1)
    assert value(k, "kennel_messages_received_total", app="echo") == 0
    c.send("x")
    c.recv()
    assert value(k, "kennel_messages_received_total", app="echo") == 1
    c.close()


def test_the_watchdogs_kills(start):
    k = start(shards=2, deaths=True, config="[gateway]\nwatchdog = 1s\n")
    pid = k.shard(0)["pid"]
    os.kill(pid, signal.SIGSTOP)
    until(k, 1, "kennel_watchdog_kills_total")
    wait.until(lambda: len(k.shards()) == 2, 20)


def test_processes_and_their_limits(start):
    k = start(shards=2)
    m = metrics(k)
    names = {"gateway", "shard/0", "shard/1", "redis"}
    for name in "resident_memory_bytes", "cpu_seconds_total", "max_fds":
        values = m["kennel_process_" + name]
        assert {ls[0][1] for ls in values} == names, name
    assert m["kennel_process_resident_memory_bytes"][
        (("process", "gateway"),)] > 1 << 20
    fds = m["kennel_process_open_fds"][(("process", "gateway"),)]
    assert 10 < fds < 200
    crowd_ = [Http(k.address) for _ in range(20)]
    wait.until(lambda: value(k, "kennel_process_open_fds",
                             process="gateway") >= fds + 20)
    for c in crowd_:
        c.close()
    assert m["kennel_memory_limit_bytes"][()] > 1 << 26
    assert m["kennel_build_info"] == {(("version", k.status()["version"]),): 1}


def test_without_redis_none_is_away(start):
    k = start(redis="none")
    assert "kennel_redis_up" not in metrics(k)
    assert ask(k, "/readyz").status == 200


def test_names_of_groups_and_people_are_in_no_metric(start):
    k = start()
    with Chat(k, "secretroom", "secretuser"):
        assert "secret" not in ask(k, "/metrics").text


def phases(k):
    """Those that are 1."""
    return [dict(labels)["phase"] for labels, n in metrics(k)["kennel_upgrade_phase"].items()
            if n == 1]


def upgraded(k):
    """Connections of the upgrade, by state; how many upgrades have ended, by result."""
    m = metrics(k)
    return [{labels[0][1]: n for labels, n in m[name].items()} for name in
            ("kennel_upgrade_connections", "kennel_upgrades_total")]


def test_an_upgrade_is_counted(start):
    """Its phase, its connections, its program, when, and how each has ended."""
    k = start(shards=2, limit=100, deaths=True,
              config="[gateway]\nupgrade_hold = 10m\nmove_rate = 5\ndrain = 1s\n" + SILENT)
    people = crowd(k, "g", [f"u{i}" for i in range(10)]) + \
        crowd(k, "h", [f"u{i}" for i in range(10)])
    never = upgraded(k)
    assert phases(k) == ["none"] and not any(never[0].values()) and not any(never[1].values())
    for name in "generation", "percent", "start_time_seconds", "end_time_seconds":
        assert value(k, f"kennel_upgrade_{name}") == 0
    k.ctl("canary", "30%")
    began = value(k, "kennel_upgrade_start_time_seconds")
    assert began >= value(k, "kennel_start_time_seconds") - 1
    assert phases(k) == ["holding"]
    assert value(k, "kennel_upgrade_generation") == 2
    assert value(k, "kennel_upgrade_percent") == 30
    assert upgraded(k)[0] == {"moved": 6, "skipped": 0, "failed": 0, "left": 0}
    generations = sorted(metrics(k)["kennel_shard_generation"].values())
    assert generations == [1, 1, 2]
    k.ctl("upgrade", "--no-wait")

    def amid():
        n = upgraded(k)[0]
        return phases(k) == ["moving"] and 6 < n["moved"] < 20 and 0 < n["left"] < 14
    wait.until(amid, 20)
    wait.until(lambda: phases(k) == ["holding"], 20)
    assert upgraded(k)[0]["moved"] == 20 and value(k, "kennel_upgrade_percent") == 100
    assert value(k, "kennel_upgrade_end_time_seconds") == 0
    k.ctl("back")
    assert upgraded(k)[1] == {"done": 0, "back": 1, "failed": 0} and phases(k) == ["none"]
    ended = value(k, "kennel_upgrade_end_time_seconds")
    assert began <= ended <= began + 600
    assert k.ctl("upgrade", "/bin/false", check=False).returncode == 1
    assert upgraded(k)[1] == {"done": 0, "back": 1, "failed": 1}
    assert value(k, "kennel_upgrade_end_time_seconds") >= ended
    k.ctl("upgrade", "--no-wait")
    wait.until(lambda: phases(k) == ["holding"], 20)
    k.ctl("commit")
    assert upgraded(k)[1] == {"done": 1, "back": 1, "failed": 1}
    for p in people:
        p.close()


@pytest.mark.parametrize("cover", [True, False])
def test_who_is_covered_and_who_is_not(start, cover):
    k = start(shards=1, limit=100, cover=cover)
    with Http(k.address) as c:                  # plain HTTP is neither
        assert c.ask("GET", "/lobby/x").status == 200
        people = crowd(k, "g", "abc")
        until(k, 3 * cover, "kennel_connections_covered")
        until(k, 3 * (not cover), "kennel_connections_uncovered")
        assert (value(k, "kennel_connections_covered_max") > 0) == cover
    for p in people:
        p.close()
    until(k, 0, "kennel_connections_uncovered")


# ---- documents ----

def families():
    """All names in the sources' tables."""
    found = set()
    for path in ("gatewayd", "metrics.c"), ("proto", "counters.c"):
        with open(os.path.join(TOP, *path)) as f:
            found |= set(re.findall(r'\{ "(kennel_\w+)"', f.read()))
    return found


def test_every_metric_is_in_the_manual():
    with open(os.path.join(TOP, "deploy", "man", "kennel-metrics.7")) as f:
        manual = set(re.findall(r"^\.It (kennel_\w+)", f.read(), re.M))
    assert len(manual) > 30
    assert manual == families()


def test_every_reason_is_in_the_manual():
    with open(os.path.join(TOP, "gatewayd", "refusal.h")) as f:
        labels = re.findall(r'X\(\w+,\s*"([a-z-]+)"', f.read())
    with open(os.path.join(TOP, "deploy", "man", "kennel-metrics.7")) as f:
        manual = f.read()
    assert len(labels) > 10
    for label in labels:
        assert re.search(rf"^\.It {label}$", manual, re.M), label


def expressions():
    """What the dashboard and the rules ask."""
    with open(os.path.join(OBSERVE, "dashboard.json")) as f:
        for panel in json.load(f)["panels"]:
            for t in panel.get("targets", ()):
                yield t["expr"]
    with open(os.path.join(OBSERVE, "alerts.yml")) as f:
        for e in re.findall(r"expr: (.*(?:\n {10,}.*)*)", f.read()):
            yield re.sub(r"^>-", "", e).replace("\n", " ")


def test_the_picture_has_what_the_dashboard_has():
    """scripts/draw-dashboard draws it, each panel and row in its order."""
    with open(os.path.join(OBSERVE, "dashboard.json")) as f:
        titles = [p["title"] for p in json.load(f)["panels"]]
    with open(os.path.join(OBSERVE, "dashboard.svg")) as f:
        drawn = re.findall(r'class="[tr]">([^<]*)<', f.read())
    assert drawn == titles, "scripts/draw-dashboard draws it anew"


def test_dashboard_has_what_moves():
    """Each metric of upgrades and moves is in a panel or a rule."""
    asked = " ".join(expressions())
    for name in families():
        if re.match(r"kennel_(upgrade_(phase|connections)$|upgrades_|connections_(moved|stayed|"
                    r"covered|uncovered)|shard_generation)", name) and name != \
                "kennel_connections_covered_max":
            assert re.search(rf"\b{name}\b", asked), name


def test_dashboard_and_rules_ask_for_what_there_is():
    there = families()
    asked = set()
    for e in expressions():
        asked |= {re.sub(r"_bucket$", "", n)
                  for n in re.findall(r"kennel_\w+", e)}
    assert asked <= there
    assert len(asked) > 25


# ---- Prometheus ----

@needs_prometheus
def test_promtool_finds_nothing_wrong_with_the_metrics(start):
    k = start()
    with Chat(k, "g", "a"):
        p = subprocess.run([PROMTOOL, "check", "metrics"], text=True,
                           input=ask(k, "/metrics").text, timeout=60,
                           capture_output=True)
    assert (p.returncode, p.stdout + p.stderr) == (0, "")


@needs_prometheus
@pytest.mark.parametrize("what", [
    ["check", "rules", "alerts.yml"], ["check", "config", "prometheus.yml"],
    ["test", "rules", "alerts.test.yml"]])
def test_promtool_finds_nothing_wrong_with_the_rules(what):
    p = subprocess.run([PROMTOOL, *what], cwd=OBSERVE, timeout=60,
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stdout + p.stderr
    assert "SUCCESS" in p.stdout


@pytest.fixture
def prometheus(tmp_path):
    """Starts a Prometheus with our configuration; returns a function that asks."""
    running = []

    def starter(target):
        with open(os.path.join(OBSERVE, "prometheus.yml")) as f:
            config = f.read().replace("kennel:9100", target) \
                .replace("15s", "1s")
        (tmp_path / "prometheus.yml").write_text(config)
        shutil.copy(os.path.join(OBSERVE, "alerts.yml"), tmp_path)
        port = Ports.take()
        log = open(tmp_path / "log", "w")
        running.append(subprocess.Popen(
            [PROMETHEUS, f"--config.file={tmp_path}/prometheus.yml",
             f"--storage.tsdb.path={tmp_path}/data",
             f"--web.listen-address=127.0.0.1:{port}"],
            stdout=log, stderr=log))

        def api(path, **args):
            try:
                with Http(("127.0.0.1", port)) as c:
                    r = c.ask("GET", f"/api/v1/{path}?" +
                              urllib.parse.urlencode(args))
            except OSError:
                return None
            return json.loads(r.text)["data"] if r.status == 200 else None
        return api
    yield starter
    for p in running:
        p.terminate()
        p.wait(60)


@needs_prometheus
def test_prometheus_reads_it_and_the_dashboard_has_data(start, prometheus):
    port = Ports.take()
    k = start("--admin", port, shards=2, config="[gateway]\nupgrade_hold = 100ms\n")
    api = prometheus(f"127.0.0.1:{port}")

    def ask_for(e):
        e = e.replace("$__rate_interval", "10s").replace("$instance", ".*")
        return api("query", query=e)

    wait.until(lambda: (api("query", query="kennel_ready") or
                        {"result": ()})["result"], 60, "a scrape")
    rules = api("rules")["groups"][0]["rules"]
    assert len(rules) == 18
    people = crowd(k, "g", "abcd")

    def load():
        get(k, "/nowhere")
        people[0].say("hello")
        for p in people[1:]:
            p.next(type="user:msg", text="hello")
        with WebSocket(k.address, "/echo") as c:
            c.send("x")
            c.recv()
        found = ask_for("sum(rate(kennel_messages_sent_total[10s]))")["result"]
        return found and found[0]["value"][1] != "0"
    wait.until(load, 60, "messages in Prometheus")
    load()
    empty = []
    with open(os.path.join(OBSERVE, "dashboard.json")) as f:
        panels = json.load(f)["panels"]
    for panel in panels:
        for t in panel.get("targets", ()):
            answer = ask_for(t["expr"])
            assert answer is not None, t["expr"]
            if not answer["result"]:
                empty.append(panel["title"])
    assert empty == []
    k.ctl("upgrade")
    for e in ('kennel_upgrades_total{result="done"} == 1', 'kennel_upgrade_phase{phase="none"} == 1',
              "min(kennel_shard_generation) == 2", "kennel_connections_covered == 4",
              "sum(kennel_upgrade_connections) == 4", "kennel_upgrade_end_time_seconds > 0"):
        wait.until(lambda e=e: api("query", query=e)["result"], 60, e)
    down = api("query", query='ALERTS{alertname=~"KennelNotReady|KennelU.*"}')
    assert down["result"] == []
    for p in people:
        p.close()
