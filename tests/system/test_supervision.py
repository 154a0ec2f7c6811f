"""What dies comes back; what hangs is killed; nobody else notices."""
import functools
import os
import signal
import subprocess
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import Chat, barrier, crowd, said, settle
from kit.http import get
from kit.ws import WebSocket, handshake


@pytest.fixture
def start(start):
    """Connections end with their shards: it is the others that are looked at here."""
    return functools.partial(start, cover=False)


def by_shard(k, people):
    """{pid of shard: [people]}"""
    pids = {s["address"]: s["pid"] for s in k.shards()}
    out = {}
    for p in people:
        out.setdefault(pids[p.shard()], []).append(p)
    settle(*people)
    return out


def test_killed_shard_is_replaced_and_others_go_on(start):
    k = start(shards=3)
    people = crowd(k, "g", "abcdef")
    at = by_shard(k, people)
    assert len(at) == 3
    dead = k.shard(1)
    k.kill_shard(pid=dead["pid"])
    begin = time.monotonic()
    gone = at.pop(dead["pid"])
    rest = [p for ps in at.values() for p in ps]
    for p in gone:
        assert p.end() == 1006
    wait.until(lambda: (s := k.shard(1))["state"] == "ready" and s["pid"] != dead["pid"], 10)
    assert time.monotonic() - begin < wait.limit(2)
    new = k.shard(1)
    assert new["incarnation"] != dead["incarnation"]
    assert new["restarts"] == dead["restarts"] + 1
    rest[0].say("still here")
    for heard in barrier(*rest):
        assert said(heard) == ["still here"]
    assert sorted(rest[0].users()["list"]) == sorted(p.name for p in rest)
    back = [Chat(k, "g", p.name) for p in gone]
    settle(*rest, *back)
    back[0].say(f"/w {rest[0].name} hi")
    assert rest[0].next(type="user:msg")["text"] == "hi"
    k.exact()
    for p in (*rest, *back):
        p.close()


def test_the_dead_are_announced(start):
    """Whose shard died has left: the others hear it or see it in the list."""
    k = start(shards=3)
    people = crowd(k, "g", "abcdef")
    at = by_shard(k, people)
    pid, gone = sorted(at.items())[0]
    rest = [p for p in people if p not in gone]
    k.kill_shard(pid=pid)
    wait.until(lambda: sorted(rest[0].users()["list"]) ==
               sorted(p.name for p in rest))
    for p in people:
        p.close()


def worker_script(k_dir, body):
    path = os.path.join(k_dir, "worker")
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + body)
    os.chmod(path, 0o755)
    return path


def test_crash_loop_is_slowed_down(start, tmp_path):
    """Restarts grow rarer; when the worker is right again, so is all."""
    broken = tmp_path / "broken"
    starts = tmp_path / "starts"
    worker = worker_script(tmp_path, f"""echo x >> '{starts}'
[ -e '{broken}' ] && exit 1
exec '{kits.SHARDD}' "$@"
""")
    k = start(shards=2, worker=worker, deaths=True)
    broken.touch()
    begin = starts.stat().st_size // 2
    for s in k.shards():
        k.kill_shard(pid=s["pid"])
    wait.until(lambda: starts.stat().st_size // 2 >= begin + 6, 20)
    first = time.monotonic()
    assert get(k, "/healthz").status == 503
    wait.until(lambda: starts.stat().st_size // 2 >= begin + 12 or
               time.monotonic() - first > 2, 20)
    assert starts.stat().st_size // 2 < begin + 40
    assert k.process.poll() is None
    broken.unlink()
    # The question above had one more started, which may be right by now, too.
    wait.until(lambda: len(k.shards()) >= 2, 60)
    assert get(k, "/healthz").status == 200


def test_worker_that_is_none(start):
    """A worker that never says hello: gatewayd does not hang or spin."""
    k = start(shards=2, worker="/bin/false", ready=False, deaths=True)
    wait.until(lambda: k.process.poll() is not None or
               os.path.exists(k.run + "/control.sock"), 15)
    if k.process.poll() is None:
        wait.until(lambda: k.ctl("status", check=False).returncode == 0, 15)
        assert get(k, "/healthz").status == 503
    else:
        assert k.process.returncode == 1
        assert "false" in k.log()
        k.destroy()


def test_watchdog_kills_what_hangs(start):
    k = start(shards=3, config="[gateway]\nwatchdog = 1s\n")
    people = crowd(k, "g", "abcdef")
    at = by_shard(k, people)
    hung, gone = sorted(at.items())[1]
    rest = [p for p in people if p not in gone]
    k.kill_shard(pid=hung, signo=signal.SIGSTOP)
    # Nobody waits for it meanwhile.
    rest[0].say("go on")
    for p in rest:
        assert p.next(type="user:msg")["text"] == "go on"
    wait.until(lambda: not kits.alive(hung), 15)
    for p in gone:
        assert p.end() == 1006
    wait.until(lambda: len(k.shards()) == 3, 15)
    settle(*rest)
    k.wait_group("g", [2, 2])
    k.exact()
    for p in rest:
        p.close()


def visits(k, n, timeout):
    """Newcomers at once: who they are when each has had its echo."""
    cs = [WebSocket(k.address, open=False) for _ in range(n)]
    for c in cs:
        c.write(handshake("/echo", c.key))
    end = time.monotonic() + wait.limit(timeout)
    for c in cs:
        c.sock.settimeout(max(0.1, end - time.monotonic()))
        c.opened()
        c.sock.settimeout(wait.limit(30))
        c.send("x")
        assert c.recv() == "x"
    return cs


def test_newcomers_do_not_wait_for_a_hung_shard(start):
    """They are placed afresh, long before the watchdog; one owner each."""
    k = start(shards=2, redis="none", config="[gateway]\nwatchdog = 60s\n")
    hung = k.shard(0)["pid"]
    os.kill(hung, signal.SIGSTOP)
    cs = visits(k, 60, 15)
    assert k.shard(0)["connections"] == 0
    assert k.shard(1)["connections"] == 60
    os.kill(hung, signal.SIGCONT)
    wait.until(lambda: k.status()["handing_over"] == 0)
    more = visits(k, 4, 20)
    for c in cs + more:                 # nobody else answers or closes
        c.send("again")
        assert c.recv() == "again"
    k.wait_places(64)
    assert k.status()["totals"]["second_release"] == 0
    assert k.status()["totals"]["refused"] == 0
    k.exact()
    for c in cs + more:
        c.close()
    k.wait_places(0)


def test_more_newcomers_than_a_hung_shard_has_room_for(start):
    """What still waits in the channel goes nowhere when the shard wakes up."""
    k = start(shards=2, redis="none", config="[gateway]\nwatchdog = 60s\n")
    hung = k.shard(0)["pid"]
    os.kill(hung, signal.SIGSTOP)
    pad = "/echo?" + "x" * 3000         # 3 KiB each in its channel
    cs = [WebSocket(k.address, open=False) for _ in range(400)]
    for c in cs:
        c.write(handshake(pad, c.key))
    for c in cs:
        c.sock.settimeout(wait.limit(20))
        c.opened()
    assert k.shard(0)["connections"] == 0
    os.kill(hung, signal.SIGCONT)
    more = visits(k, 4, 20)
    for c in cs + more:
        c.send("again")
        assert c.recv() == "again"
    k.wait_places(404)
    k.exact()
    for c in cs + more:
        c.close()


def test_short_pause_is_no_hang(start):
    """Stopped for less than the watchdog: everything arrives, in order."""
    k = start(shards=2, max_shards=2)
    a, b, c = crowd(k, "g", "abc")
    assert a.shard() != c.shard()
    settle(a, b, c)
    pid = by_shard(k, [c]).popitem()[0]
    os.kill(pid, signal.SIGSTOP)
    for i in range(200):
        a.say(str(i))
    assert barrier(a, b)[1] != []
    os.kill(pid, signal.SIGCONT)
    assert said(c.until(type="barrier")[0]) == [str(i) for i in range(200)]
    for p in a, b, c:
        p.close()


def test_gateway_dies_and_another_takes_over(start):
    k = start(shards=3)
    people = crowd(k, "g", "abcde")
    pids = {s["pid"] for s in k.shards()}
    addresses = {s["address"] for s in k.shards()}
    with k.redis() as r:
        redis_id = r("INFO", "server").split("run_id:")[1][:40]
    k.kill_gateway()
    # Those who are connected go on, across shards.
    people[0].say("no gateway")
    for p in people:
        assert p.next(type="user:msg")["text"] == "no gateway"
    people[1].goodbye()
    k.start()
    assert {s["pid"] for s in k.shards()} == pids
    assert {s["address"] for s in k.shards()} == addresses
    with k.redis() as r:
        assert r("INFO", "server").split("run_id:")[1][:40] == redis_id
    rest = people[:1] + people[2:]
    assert k.group("g") == [1, 2, 1]
    k.exact()
    new = [Chat(k, "g", n) for n in "fgh"]
    assert sorted(k.group("g")) in ([2, 2, 2, 1], [1, 2, 2, 2])
    everyone = rest + new
    settle(*everyone)
    new[2].say("hello")
    for p in everyone:
        assert p.next(type="user:msg")["text"] == "hello"
    assert sorted(rest[0].users()["list"]) == list("acdefgh")
    k.kill_shard(0)
    wait.until(lambda: len([s for s in k.shards() if s["slot"] < 3]) == 3, 15)
    for p in everyone:
        p.close()
    k.wait_places(0)
    k.exact()


def test_shards_without_a_gateway_leave_after_a_while(start):
    """[gateway] orphan: until then they serve, then all is given back."""
    k = start(shards=2, redis="none", config="[gateway]\norphan = 2s\n")
    a, b = crowd(k, "g", "ab")
    pids = [s["pid"] for s in k.shards()]
    begin = time.monotonic()
    k.kill_gateway()
    a.say("no gateway")
    for p in a, b:
        assert p.next(type="user:msg")["text"] == "no gateway"
    for p in a, b:
        assert p.end() == 1001
    assert time.monotonic() - begin >= 2
    wait.until(lambda: not any(kits.alive(p) for p in pids), 15)
    assert "no gateway for 2000 ms, leaving" in k.log()
    a.close(), b.close()
    k.start()
    k.wait_places(0)


def test_shard_dies_while_there_is_no_gateway(start):
    k = start(shards=3)
    people = crowd(k, "g", "abcde")
    at = by_shard(k, people)
    pid, gone = sorted(at.items())[0]
    rest = [p for p in people if p not in gone]
    k.kill_gateway()
    k.kill_shard(pid=pid)
    for p in gone:
        assert p.end() == 1006
    rest[0].say("we are here")
    for p in rest:
        assert p.next(type="user:msg")["text"] == "we are here"
    k.start()
    wait.until(lambda: len(k.shards()) == 3, 15)
    assert sum(k.group("g")) == len(rest)
    wait.until(lambda: sorted(rest[0].users()["list"]) ==
               sorted(p.name for p in rest))
    with k.redis() as r:
        wait.until(lambda: len(r.keys("kennel:client:g:*")) == len(rest), 5)
    k.exact()
    for p in rest:
        p.close()


def test_hung_shard_does_not_stop_a_take_over(start):
    """A new gateway goes on without it, and kills it by the watchdog."""
    k = start(shards=2, config="[gateway]\nwatchdog = 8s\n")
    a, b, c = crowd(k, "g", "abc")
    pid = by_shard(k, [c]).popitem()[0]
    k.kill_gateway()
    k.kill_shard(pid=pid, signo=signal.SIGSTOP)
    k.start()
    assert [s["state"] for s in k.status()["shards"]
            if s["pid"] == pid] == ["silent"]
    settle(a, b)
    wait.until(lambda: not kits.alive(pid), 30)
    k.wait_log("it did not say hello in time")
    wait.until(lambda: len(k.shards()) == 2, 15)
    # Its neighbours hear that it is gone, though nobody knew its name.
    wait.until(lambda: sorted(a.users()["list"]) == ["a", "b"], 15)
    assert len([f for f in os.listdir(k.run) if f.startswith("link-")]) == 2
    with k.redis() as r:
        wait.until(lambda: len(r.keys("kennel:client:g:*")) == 2, 15)
    assert k.group("g") == [2]
    settle(a, b)
    for p in a, b, c:
        p.close()


def test_slow_shard_has_the_time_of_the_watchdog_at_a_take_over(start):
    """Stopped for longer than a new gateway waits: nobody loses anything."""
    k = start(shards=2, config="[gateway]\nwatchdog = 60s\n")
    a, b, c = crowd(k, "g", "abc")
    pid = by_shard(k, [c]).popitem()[0]
    k.kill_gateway()
    os.kill(pid, signal.SIGSTOP)
    k.start()
    time.sleep(1)                       # 3 s and more in all
    os.kill(pid, signal.SIGCONT)
    wait.until(lambda: len(k.shards()) == 2, 30)
    assert pid in [s["pid"] for s in k.shards()]
    assert k.group("g") == [2, 1]
    settle(a, b, c)
    c.say("here")
    for p in a, b, c:
        assert p.next(type="user:msg")["text"] == "here"
    k.exact()
    for p in a, b, c:
        p.close()


def test_the_watchdog_is_exact(start):
    """A shard that is stopped is killed after its time, and a tenth of it."""
    k = start(shards=2, config="[gateway]\nwatchdog = 4s\n")
    pid = k.shard(0)["pid"]
    begin = time.monotonic()
    k.kill_shard(pid=pid, signo=signal.SIGSTOP)
    wait.until(lambda: not kits.alive(pid), 15)
    assert 4 <= time.monotonic() - begin < 4.4 + wait.limit(1)
    wait.until(lambda: len(k.shards()) == 2, 15)


def test_gateway_dies_again_and_again(start):
    k = start(shards=2)
    people = crowd(k, "g", "abc")
    for i in range(4):
        k.kill_gateway()
        k.start()
        people.append(Chat(k, "g", f"n{i}"))
        settle(*people)
        k.wait_places(len(people))
    k.exact()
    for p in people:
        p.close()


def test_one_gateway_a_run_directory(start):
    k = start(shards=1)
    other = [f"127.0.0.1:{kits.Ports.take()}" if x == f"127.0.0.1:{k.port}"
             else x for x in k.command()]
    p = subprocess.run(other, capture_output=True, text=True,
                       timeout=wait.limit(30), env=k.env)
    assert p.returncode == 1
    assert str(k.pid) in p.stderr or k.run in p.stderr
    assert len(k.shards()) == 1


def test_shards_on_demand(start):
    k = start(shards=1, max_shards=3, limit=1)
    assert len(k.shards()) == 1
    a = Chat(k, "g", "a")
    b = Chat(k, "g", "b")
    assert len(k.shards()) == 2
    c = Chat(k, "g", "c")
    assert len(k.shards()) == 3
    settle(a, b, c)
    # Another group uses the same shards.
    others = [Chat(k, "h", n) for n in "abc"]
    assert k.group("h") == [1, 1, 1]
    for p in (a, b, c, *others):
        p.close()


def test_http_starts_no_shard(start):
    k = start(shards=1, max_shards=3, limit=1)
    a = Chat(k, "g", "a")
    for _ in range(10):
        assert get(k, "/lobby/g/broadcast?u=x").text == "DONE"
    assert len(k.status()["shards"]) == 1
    a.close()


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM,
                                   signal.SIGSEGV])
def test_any_death_of_a_shard_is_answered(start, signo):
    if signo == signal.SIGSEGV and os.environ.get("KENNEL_SANITIZED"):
        pytest.skip("a sanitizer takes it for a fault of ours")
    k = start(shards=2)
    with Chat(k, "g", "a") as a:
        pid = by_shard(k, [a]).popitem()[0]
        k.kill_shard(pid=pid, signo=signo)
        assert a.end() in (1001, 1006)
    wait.until(lambda: not kits.alive(pid), 15)
    wait.until(lambda: len(k.shards()) == 2, 15)
    k.wait_places(0)
    k.exact()


def policies(k):
    """{name of a process: how it is scheduled}"""
    found = {}
    for pid in kits.processes(k.dir):
        with open(f"/proc/{pid}/comm") as f:
            found[f.read().strip()] = os.sched_getscheduler(pid)
    return found


def test_a_newcomer_does_not_interrupt_who_serves(start):
    """The gateway lets others go on; they are scheduled as ever."""
    assert policies(start(shards=2, redis="auto")) == {
        "gatewayd": os.SCHED_BATCH, "shardd": os.SCHED_OTHER,
        "redis-server": os.SCHED_OTHER}


def test_a_policy_that_somebody_chose_stays(start):
    def choose(policy):
        os.sched_setscheduler(0, policy, os.sched_param(0))

    choose(os.SCHED_IDLE)
    try:
        k = start(shards=1, redis="none")
    finally:
        try:
            choose(os.SCHED_OTHER)
        except PermissionError:
            pytest.skip("who is SCHED_IDLE may not come back here")
    assert policies(k) == {"gatewayd": os.SCHED_IDLE,
                           "shardd": os.SCHED_IDLE}
