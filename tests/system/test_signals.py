"""Signals that mean nothing end nobody; nothing is left where nobody is."""
import glob
import os
import signal
import subprocess

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import crowd, settle
from kit.http import get

HARMLESS = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM,
            signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR,
            signal.SIGPIPE, signal.SIGXFSZ, signal.SIGRTMIN, signal.SIGRTMAX]


def test_they_do_not_end_the_gateway_or_a_shard(start):
    k = start(shards=2, redis="none")
    a, b = crowd(k, "g", "ab")
    pids = [k.pid] + [s["pid"] for s in k.shards()]
    for signo in HARMLESS:
        for pid in pids:
            # That one is an upgrade.
            if (pid, signo) != (k.pid, signal.SIGUSR2):
                os.kill(pid, signo)
    k.wait_log("signal=USR1")
    settle(a, b)
    assert get(k, "/healthz").status == 200
    assert [k.pid] + [s["pid"] for s in k.shards()] == pids
    for p in a, b:
        p.close()


def test_hup_to_an_orphaned_group_with_a_stopped_member(start):
    """The kernel sends HUP and CONT when the gateway of a stopped shard dies."""
    k = start(shards=2, redis="none")
    a, b, c = crowd(k, "g", "abc")
    pid = next(s["pid"] for s in k.shards() if s["address"] == c.shard())
    os.kill(pid, signal.SIGSTOP)
    wait.until(lambda: kits.state(pid) == "T")
    k.kill_gateway()
    settle(a, b, c)
    k.start()
    assert pid in [s["pid"] for s in k.shards()]
    for p in a, b, c:
        p.close()


def locks(k):
    return sorted(os.path.basename(p)
                  for p in glob.glob(k.run + "/shard-*.lock"))


def test_locks_are_those_of_shards_that_live(start):
    k = start(shards=2, max_shards=4, limit=1, redis="none",
              config="[gateway]\nidle_shard = 500ms\n")
    people = crowd(k, "g", "abc")
    assert locks(k) == [f"shard-{i}.lock" for i in range(3)]
    for p in people:
        p.close()
    wait.until(lambda: locks(k) == ["shard-0.lock", "shard-1.lock"], 20)
    k.kill_gateway()
    pids = k.pids()
    k.kill_shard(pid=pids[0])
    os.kill(pids[1], signal.SIGTERM)
    wait.until(lambda: not k.pids())
    assert len(locks(k)) == 1           # of the one that was killed
    k.options["shards"] = k.options["max_shards"] = 1
    k.start()
    assert locks(k) == ["shard-0.lock"]
    assert k.term() == 0
    assert locks(k) == []


def test_a_private_redis_ends_with_the_last_orphan(start):
    """Not before, and it keeps what it has."""
    k = start(shards=2)
    with k.redis() as r:
        r("SET", "kennel:store:g:x", "kept")
        redis_pid = int(r("INFO", "server").split("process_id:")[1].split()[0])
    shards = [s["pid"] for s in k.shards()]
    k.kill_gateway()
    os.kill(shards[0], signal.SIGTERM)
    wait.until(lambda: not kits.alive(shards[0]), 20)
    assert kits.alive(redis_pid)
    os.kill(shards[1], signal.SIGTERM)
    wait.until(lambda: not kits.alive(shards[1]), 20)
    wait.until(lambda: not kits.alive(redis_pid), 20)
    assert locks(k) == []
    k.start()
    with k.redis() as r:
        assert r("GET", "kennel:store:g:x") == "kept"


def test_both_last_orphans_at_once(start):
    k = start(shards=2)
    with k.redis() as r:
        redis_pid = int(r("INFO", "server").split("process_id:")[1].split()[0])
    shards = [s["pid"] for s in k.shards()]
    k.kill_gateway()
    for pid in shards:
        os.kill(pid, signal.SIGTERM)
    wait.until(lambda: not kits.alive(redis_pid), 20)
    k.destroy()


def test_a_redis_of_somebody_else_stays(start):
    """Also one in a gateway's own directory, while another gateway is there."""
    k = start(shards=1)
    pid = k.shard(0)["pid"]
    with k.redis() as r:
        redis_pid = int(r("INFO", "server").split("process_id:")[1].split()[0])
        os.kill(pid, signal.SIGTERM)
        wait.until(lambda: k.shard(0)["pid"] != pid and len(k.shards()) == 1)
        assert r("PING") == "PONG"
    assert kits.alive(redis_pid)


# Grandchildren of a process that was asked to run something end as children of
# whoever is process 1.
ORPHANS = "for i in 1 2 3 4 5; do (sleep 0.1 &); done"


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


def test_orphans_are_reaped_by_process_1(start):
    if os.geteuid() != 0:
        pytest.skip("only root makes a process 1")
    k = start(shards=2, redis="none",
              launcher=("unshare", "--pid", "--fork", "--mount-proc",
                        "--kill-child"), ready=False)
    wait.until(lambda: k.ready() or k.process.poll() is not None, 20)
    one, = children(k.process.pid)
    shards = children(one)
    assert len(shards) == 2
    subprocess.run(["nsenter", "-t", str(one), "-p", "-m", "sh", "-c", ORPHANS],
                   check=True, timeout=wait.limit(30))
    wait.until(lambda: children(one) == shards)
    assert get(k, "/healthz").status == 200
    # How its own have ended is known all the same.
    k.kill_shard(pid=shards[0])
    k.wait_log(r"died signal=9")
    os.kill(one, signal.SIGTERM)
    wait.until(lambda: k.process.poll() is not None, 30)
    k.destroy()


NO_PIDFD = """
import ctypes, os, sys
lib = ctypes.CDLL("libseccomp.so.2")
lib.seccomp_init.restype = ctypes.c_void_p
f = ctypes.c_void_p(lib.seccomp_init(0x7fff0000))
call = lib.seccomp_syscall_resolve_name(sys.argv[1].encode())
assert lib.seccomp_rule_add(f, 0x00050000 | int(sys.argv[2]), call, 0) == 0
assert lib.seccomp_load(f) == 0
os.execv(sys.argv[3], sys.argv[3:])
"""


@pytest.mark.parametrize("call,error,sentence", [
    ("pidfd_open", 1, "Operation not permitted"),
    ("pidfd_open", 38, "Function not implemented"),
    ("pidfd_send_signal", 1, "Operation not permitted")])
def test_where_processes_cannot_be_watched_it_says_so(start, call, error,
                                                      sentence):
    k = start(shards=1, redis="none", ready=False,
              launcher=("/usr/bin/python3", "-c", NO_PIDFD, call, str(error)))
    assert k.process.wait(wait.limit(20)) == 1
    assert "pidfd_open" in k.log() and sentence in k.log()
    assert "Linux 5.3" in k.log()
    k.destroy()
