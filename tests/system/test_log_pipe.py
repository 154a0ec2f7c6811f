"""Nobody reads stderr: everything goes on, and what is missing is said."""
import fcntl
import os
import re

import pytest
from kit import wait
from kit.chat import Chat, barrier
from kit.http import get


class Pipe:
    """A small one; its writing end is shared, and stays as it is."""

    def __init__(self):
        self.r, self.w = os.pipe()
        fcntl.fcntl(self.w, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.r, False)
        self.text = ""

    def fill(self):
        """By a description of our own: flags of the other are not ours."""
        w = os.open(f"/proc/self/fd/{self.w}", os.O_WRONLY | os.O_NONBLOCK)
        for size in 4096, 1:
            try:
                while True:
                    os.write(w, b"x" * size)
            except BlockingIOError:
                pass
        os.close(w)

    def read(self):
        try:
            self.text += os.read(self.r, 65536).decode()
        except BlockingIOError:
            pass
        return self.text

    def close(self):
        os.close(self.r)
        os.close(self.w)


@pytest.fixture
def pipe():
    p = Pipe()
    yield p
    p.close()


def healthy(k):
    try:
        return get(k, "/healthz").status == 200
    except OSError:
        return False


@pytest.mark.parametrize("level", ["info", "debug"])
def test_nobody_reads_the_log(start, pipe, level):
    k = start("--log-level", level, redis="none", ready=False, fds=(pipe.w,),
              cover=False,
              launcher=("bash", "-c",
                        f'exec "$@" 2>&{pipe.w} {pipe.w}>&-', "sh"))
    wait.until(lambda: pipe.read() and healthy(k), 30, "healthy")
    wait.until(lambda: pipe.read() and len(k.shards()) == 2, 30)
    flags = fcntl.fcntl(pipe.w, fcntl.F_GETFL)
    pipe.fill()
    people = [Chat(k, "g", n) for n in "abcd"]
    barrier(*people)
    for _ in range(3):          # a line of the gateway, and of its shards
        victim = k.kill_shard(0)
        wait.until(lambda: healthy(k) and len(k.shards()) == 2 and
                   k.shard(0)["pid"] not in (0, victim), 30, "another shard")
    with Chat(k, "h", "e") as a, Chat(k, "h", "f") as b:
        a.say("still")
        assert b.next(type="user:msg")["text"] == "still"
    assert fcntl.fcntl(pipe.w, fcntl.F_GETFL) == flags
    wait.until(lambda: re.search(r"warn gatewayd\[\d+\] log dropped=\d+ lines",
                                 pipe.read()), 20, "what was dropped")
    if level == "debug":        # shards say something for each client
        wait.until(lambda: re.search(r"warn shardd/\d\[\d+\] log dropped=\d+",
                                     pipe.read()), 20)
    for p in people:
        p.close()
    k.process.terminate()
    wait.until(lambda: pipe.read() and k.process.poll() is not None, 20)
    assert re.search(r"gatewayd\[\d+\] left", pipe.read())
