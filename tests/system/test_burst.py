"""A message to many sockets is written by one system call; nothing else differs."""
import glob
import os

import pytest
from kit import wait
from kit.ws import WebSocket

ECHO = """
[worker]
io_uring = %s
out_max = 64M
chat_message_max = 1M
[route all]
path = /all/ws
app = chat
group = const:all
uid = query:u const:anon
limit = 1000
"""


def rings(k):
    """Of the shard: descriptors that are io_uring's."""
    pid = k.shards()[0]["pid"]
    return [fd for fd in glob.glob(f"/proc/{pid}/fd/*")
            if "io_uring" in os.readlink(fd)]


def has_io_uring():
    """Does this kernel let us?  (A container may not.)"""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(425, 1, ctypes.create_string_buffer(120))
    if fd >= 0:
        os.close(fd)
    return fd >= 0


def crowd(k, n):
    """n of one replica, whose greetings of each other are read."""
    people = [WebSocket(k.address, f"/all/ws?u=u{i}") for i in range(n)]
    people[0].send('{"type":"mark"}')
    for p in people:
        while '"mark"' not in p.recv():
            pass
    return people


@pytest.mark.parametrize("on", ["yes", "no"])
def test_all_hear_all_in_order(start, on):
    k = start(shards=1, config=ECHO % on)
    people = crowd(k, 100)
    for i in range(20):
        people[i].send(f'{{"type":"n","i":{i}}}')
    heard = [[p.recv() for _ in range(20)] for p in people]
    for h in heard:
        assert h == heard[0]
    assert len(set(heard[0])) == 20
    if on == "no":
        assert rings(k) == []
    elif has_io_uring():
        assert len(rings(k)) == 1
    for p in people:
        p.close()


@pytest.mark.parametrize("n, used", [(3, 0), (6, 1)])
def test_a_small_group_is_enough(start, n, used):
    """From four sockets on it costs less than a system call for each."""
    if not has_io_uring():
        pytest.skip("this kernel does not let us")
    k = start(shards=1, config=ECHO % "yes")
    people = crowd(k, n)
    for i in range(20):
        people[0].send(f'{{"type":"n","i":{i}}}')
    for p in people:
        assert [p.recv() for _ in range(20)] == [
            f'{{"type":"n","i":{i},"uid":"u0"}}' for i in range(20)]
    assert len(rings(k)) == used
    for p in people:
        p.close()


@pytest.mark.parametrize("on", ["yes", "no"])
def test_who_reads_late_misses_nothing(start, on):
    """More than the kernel takes: the rest follows, whole and in order."""
    k = start(shards=1, config=ECHO % on)
    people = crowd(k, 40)
    pad = "x" * (1 << 18)
    for i in range(20):                 # 5 MiB for each
        people[0].send(f'{{"type":"n","i":{i},"pad":"{pad}"}}')
    want = [f'{{"type":"n","i":{i},"pad":"{pad}","uid":"u0"}}'
            for i in range(20)]
    for p in people:
        assert [p.recv() for _ in range(20)] == want
    for p in people:
        p.close()


def test_who_vanishes_amid_it_harms_nobody(start):
    k = start(shards=1, config=ECHO % "yes")
    people = crowd(k, 60)
    rest = people[::2]
    for i in range(10):
        rest[0].send(f'{{"type":"n","i":{i}}}')
        for p in people[1 + 6 * i:7 + 6 * i:2]:
            p.reset()
    for p in rest:
        heard = [p.recv() for _ in range(10)]
        while '"i":9' not in heard[-1]:
            heard.append(p.recv())
        assert [h for h in heard if '"type":"n"' in h] == [
            f'{{"type":"n","i":{i},"uid":"u0"}}' for i in range(10)]
    wait.until(lambda: k.status()["places"] == len(rest), 10)
    for p in rest:
        p.close()
