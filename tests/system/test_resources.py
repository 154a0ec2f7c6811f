"""Something runs out: who comes is refused, who is there notices nothing."""
import os
import pathlib
import resource
import subprocess
import tempfile
import threading
import time

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import Chat, crowd, settle
from kit.http import Http, get, request
from kit.wire import Closed
from kit.ws import Ended, Refused


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def leave(pid, spare):
    """So many more descriptors; returns a function that takes it back."""
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # The limit is on the number, and the numbers may have holes.
    used = {int(fd) for fd in os.listdir(f"/proc/{pid}/fd")}
    top = next(n for n in range(max(used) + 2 + spare)
               if len(set(range(n)) - used) == spare)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (top, old[1]))
    return lambda: resource.prlimit(pid, resource.RLIMIT_NOFILE, old)


def still_talk(people):
    people[0].say("still here")
    for p in people:
        assert p.next(type="user:msg")["text"] == "still here"


def test_gateway_without_descriptors(start):
    """Some are told 503, the others wait; then all goes on."""
    k = start(shards=2)
    people = crowd(k, "g", "abc")
    restore = leave(k.pid, 6)
    slow = [Http(k.address) for _ in range(6)]
    for c in slow:
        c.write(b"GET /healthz HTTP/1.1\r\n")
    wait.until(lambda: "out of descriptors" in k.log(), 10)
    more = [Http(k.address) for _ in range(20)]
    for c in more:
        c.write(request(path="/healthz"))
    told = more[0].response()           # the reserve was for the first
    while told.status == 200:
        told = more.pop(1).response()
    assert told.status == 503 and told["Retry-After"]
    still_talk(people)
    restore()
    begin = time.monotonic()
    with Http(k.address) as c:
        assert c.ask(path="/healthz").status in (200, 503)
    print(f"accepting again: {time.monotonic() - begin:.3f} s")
    for c in slow:
        c.write(b"Host: kennel\r\n\r\n")
    for c in slow:
        try:
            assert c.response().status in (200, 503)
        except Closed as e:
            assert e.reset, "who is refused before it has asked"
    for c in more[1:]:
        assert c.response().status in (200, 503)
    wait.until(lambda: get(k, "/healthz").status == 200, 5)
    for c in (*slow, *more):
        c.close()
    wait.until(lambda: k.status()["home"] == 0, 20)
    k.wait_places(3)
    k.exact()
    before = descriptors(k.pid)
    for _ in range(50):
        assert get(k, "/healthz").status == 200
    wait.until(lambda: descriptors(k.pid) <= before)
    settle(*people)
    for p in people:
        p.close()


@pytest.mark.parametrize("which", ["one", "all"])
def test_shard_without_descriptors(start, which):
    """A descriptor that it cannot take is not lost: elsewhere, or 503."""
    k = start(shards=2, max_shards=2, limit=1000)
    people = crowd(k, "g", "abc")
    pids = [s["pid"] for s in k.shards()]
    restore = [leave(pid, 5) for pid in pids[:1 if which == "one" else 2]]
    opened, refused, other = [], [], []

    def arrive(i):
        try:
            opened.append(Chat(k, f"room{i}", "x"))
        except Refused as e:
            refused.append(e.response.status)
        except (Closed, Ended, OSError) as e:
            other.append(e)
    threads = [threading.Thread(target=arrive, args=(i,)) for i in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"{which}: {len(opened)} opened, {len(refused)} refused")
    assert other == []
    assert set(refused) <= {503}
    assert len(opened) >= 2
    assert bool(refused) == (which == "all")    # the other has room
    still_talk(people)
    for give in restore:
        give()
    wait.until(lambda: get(k, "/healthz").status == 200, 10)
    with Chat(k, "late", "x") as c:
        settle(c)
        k.wait_places(len(opened) + 4)
    assert [s["pid"] for s in k.shards()] == pids
    for p in opened:
        settle(p)
    k.exact()
    for p in (*opened, *people):
        p.close()
    k.wait_places(0)
    k.exact()


def test_limit_that_is_too_low_at_the_start(start):
    k = start(launcher=("prlimit", "--nofile=200:200"), ready=False)
    assert k.process.wait(wait.limit(30)) == 1
    text = k.log()
    assert "file descriptors" in text and "200" in text and "ulimit" in text
    assert text.count("\n") == 1
    k.destroy()


@pytest.fixture
def tiny():
    """tiny(options): a directory on a small file system of its own."""
    mounted = []

    def mount(name, options):
        # Not in tmp_path: it is to hold sockets, whose paths are short.
        path = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}."))
        p = subprocess.run(["mount", "-t", "tmpfs", "-o",
                            f"mode=0700,{options}", "tmpfs", str(path)],
                           capture_output=True, text=True)
        if p.returncode != 0:
            path.rmdir()
            pytest.skip("mount is not allowed: " + p.stderr.strip())
        mounted.append(path)
        return path
    yield mount
    for path in mounted:
        subprocess.run(["umount", "-l", str(path)], check=True)
        path.rmdir()


def fill(directory, empty=False):
    """Until nothing more goes in; returns what to remove."""
    made = []
    try:
        for i in range(100000):
            made.append(directory / f"fill{i}")
            with open(made[-1], "wb") as f:
                f.write(b"" if empty else b"x" * 4096)
    except OSError:
        return [p for p in made if p.exists()]
    raise AssertionError("it is not full")


def clients(k):
    try:
        with k.redis() as r:
            return {c.split(":")[-1] for c in r.keys("kennel:client:g:*")}
    except (OSError, RuntimeError):
        return None


def test_full_disk_under_redis(tiny, start):
    """Redis gives up; nobody is dropped, and the table comes back."""
    state = tiny("state", "size=1m")
    k = start("--state-dir", str(state), shards=2)
    people = crowd(k, "g", "abc")
    wait.until(lambda: clients(k) == set("abc"))
    filler = fill(state)
    late = [Chat(k, "g", f"late{i}") for i in range(30)]
    k.wait_log("redisd pid=[0-9]+ ended", 20)
    settle(*people)
    people[0].say("/w c psst")
    for p in people[0], people[2]:
        assert p.next(type="user:msg")["text"] == "psst"
    still_talk(people)
    for p in filler:
        p.unlink()
    begin = time.monotonic()
    want = {"a", "b", "c", *(p.name for p in late)}
    wait.until(lambda: clients(k) == want, 30)
    print(f"table whole again: {time.monotonic() - begin:.3f} s")
    k.exact()
    for p in (*late, *people):
        p.close()
    wait.until(lambda: clients(k) == set(), 10)


def test_full_run_directory(tiny, start):
    """A shard that dies comes back when there is room for its files."""
    run = tiny("run", "size=1m,nr_inodes=64")
    k = start(shards=2, run=str(run), cover=False)
    people = crowd(k, "g", "abc")
    filler = fill(run, empty=True)
    pid = k.shard(0)["pid"]
    rest = [p for p in people if p.shard().split("/")[1][0] != "0"]
    settle(*people)
    k.kill_shard(pid=pid)
    wait.until(lambda: not kits.alive(pid))
    settle(*rest)
    still_talk(rest)
    for p in filler:
        p.unlink()
    begin = time.monotonic()
    wait.until(lambda: len([s for s in k.shards() if s["pid"] != pid]) == 2, 30)
    print(f"slot ready: {time.monotonic() - begin:.3f} s")
    k.wait_places(len(rest))
    k.exact()
    for p in people:
        p.close()
