"""A shard dies: whoever is left in its groups hears who went with it, once."""
import functools
import os
import signal
import subprocess

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import Chat, crowd, room, settle
from kit.ws import WebSocket


@pytest.fixture
def start(start):
    """Connections end with their shards: it is the others that are looked at here."""
    return functools.partial(start, cover=False)


def exits(messages):
    return sorted(m["from"] for m in messages if m["type"] == "user:exit")


def pids(k, group):
    """The pid of each replica's shard, oldest first."""
    at = {s["address"]: s["pid"] for s in k.shards()}
    return [at[r["shard"]] for r in k.replicas(group)]


def wait_exits(people, names):
    """Everybody hears of exactly these, in whatever order."""
    heard = {p: [] for p in people}
    for p in people:
        while len(exits(heard[p])) < len(names):
            heard[p].append(p.hear())
    for p, more in settle(*people).items():
        assert exits(heard[p] + more) == sorted(names), p.name


@pytest.mark.parametrize("redis", ["auto", "none"])
def test_all_that_are_left_hear_of_all_that_are_lost(start, redis):
    k = start(shards=3, redis=redis)
    g = room()
    people = crowd(k, g, "abcdef")
    a, b, c, d, e, f = people
    k.kill_shard(pid=pids(k, g)[1])
    rest = [a, b, e, f]
    wait_exits(rest, "cd")
    for p in rest:
        assert sorted(p.users()["list"]) == list("abef")
    k.exact()
    # They come back, and leave as everybody does.
    c = Chat(k, g, "c")
    settle(*rest, c)
    c.goodbye()
    wait_exits(rest, "c")
    for p in people:
        p.close()


def test_who_is_elsewhere_too_is_not_lost(start):
    """And is, with the last; one who left before is not lost again."""
    k = start(shards=3)
    g = room()
    a, x1, x2, b, x3, c = crowd(k, g, ["a", "x", "x", "b", "x", "c"])
    assert k.group(g) == [2, 2, 2]
    first, second, third = pids(k, g)
    b.goodbye()
    wait_exits([a, x1, x3, c, x2], "b")
    k.kill_shard(pid=second)
    wait.until(lambda: len(k.replicas(g)) == 2, 10)
    for heard in settle(a, c, x1, x3).values():
        assert exits(heard) == []
    x1.goodbye()
    k.wait_group(g, [1, 2])
    assert [exits(h) for h in settle(a, c, x3).values()] == [[], [], []]
    k.kill_shard(pid=third)
    wait_exits([a], "xc")
    assert a.users()["list"] == ["a"]
    k.exact()
    for p in a, x2, x3, c:
        p.close()


def test_who_came_back_before_the_loss_was_noticed_is_not_lost(start):
    """The gateway finds a connection elsewhere when it hears of the death."""
    k = start(shards=3)
    g = room()
    a, b, c, d = crowd(k, g, "abcd")
    pid = pids(k, g)[1]
    os.kill(pid, signal.SIGSTOP)        # it serves nobody, and is not dead yet
    wait.until(lambda: Chat(k, room(), "z").goodbye(), 10)
    back = Chat(k, g, "c")              # where there is room
    settle(a, b, back)
    k.kill_shard(pid=pid)
    wait_exits([a, b, back], "d")
    assert sorted(a.users()["list"]) == list("abc")
    k.exact()
    for p in a, b, c, d, back:
        p.close()


def test_many_with_long_names(start):
    """More than one packet, and more than are named at once."""
    k = start(shards=2, limit=1100, config=kits.SILENT)
    g = room()
    tail = "x" * 200
    names = [f"{i}{tail}" for i in range(1100)]
    flock = []
    for n in names:
        flock.append(WebSocket(k.address, f"/lobby/{g}/ws?u={n}"))
    stays = Chat(k, g, "stays")
    k.wait_group(g, [1100, 1])
    k.kill_shard(pid=pids(k, g)[0])
    wait_exits([stays], names)
    assert stays.users()["list"] == ["stays"]
    k.exact()
    for p in (*flock, stays):
        p.close()


def test_two_shards_at_once(start):
    k = start(shards=3)
    g = room()
    people = crowd(k, g, "abcdef")
    gone = pids(k, g)[:2]
    for pid in gone:
        k.kill_shard(pid=pid)
    wait_exits(people[4:], "abcd")
    k.exact()
    for p in people:
        p.close()


def test_when_the_gateway_dies_too_the_list_is_to_be_asked_for(start):
    k = start(shards=3, redis="none")
    g = room()
    people = crowd(k, g, "abcdef")
    a, b, c, d, e, f = people
    gone = pids(k, g)[1]
    k.kill_gateway()
    k.kill_shard(pid=gone)
    wait.until(lambda: not kits.alive(gone), 10)
    k.start()
    for p in a, b, e, f:
        before, _ = p.until(type="user:lost")
        assert exits(before) == []
        assert sorted(p.users()["list"]) == list("abef")
    for heard in settle(a, b, e, f).values():
        assert [m for m in heard if m["type"] == "user:lost"] == []
    k.exact()
    for p in people:
        p.close()


# ---- the callback ----

WORKER = r"""
#include <stdio.h>
#include <string.h>
#include <kennel.h>

static void
receive(struct kennel_request *q)
{
	kennel_connect(q);
}

static void
onlost(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_uid *uids, size_t n, int flags)
{
	char	 text[256];
	int	 len = snprintf(text, sizeof(text), "lost %016llx %d",
		    (unsigned long long)neighbour, flags);

	for (size_t i = 0; i < n; i++)
		len += snprintf(text + len, sizeof(text) - (size_t)len, " %.*s",
		    (int)uids[i].len, uids[i].data);
	kennel_replica_emit(r, text, (size_t)len, 0);
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = {
		.receive = receive, .onlost = onlost,
	};

	return (kennel_worker_main(argc, argv, &app, 1));
}
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory):
    path = tmp_path_factory.mktemp("worker")
    (path / "w.c").write_text(WORKER)
    sanitize = ["-fsanitize=address,undefined"] if wait.SANITIZED else []
    lib = os.path.join(kits.BUILD, "shardd")
    subprocess.run(
        ["clang" if sanitize else "cc", *sanitize, "-o", path / "w",
         path / "w.c", "-I", os.path.join(kits.TOP, "shardd"), "-L", lib,
         f"-Wl,-rpath,{lib}", "-lkennel"], check=True)
    return str(path / "w")


ROUTE = """[route room]
path = /{group}
app = main
group = path:group
uid = query:u
"""


def ids(k, g):
    return [r["id"] for r in k.replicas(g)]


def test_a_neighbour_is_lost_once_with_whom_it_had(start, worker):
    k = start(shards=3, worker=worker, config=ROUTE, limit=2)
    g = room()
    a, b, c, d, e = [WebSocket(k.address, f"/{g}?u={n}")
                     for n in "abbcd"]          # a b | b c | d
    k.wait_group(g, [2, 2, 1])
    second, gone = ids(k, g)[1], pids(k, g)[1]
    k.kill_shard(pid=gone)
    for s in a, b, e:
        assert s.recv() == f"lost {int(second, 16):016x} 0 c"
    third, gone = ids(k, g)[1], pids(k, g)[1]
    k.kill_shard(pid=gone)
    for s in a, b:                      # the next thing that it hears
        assert s.recv() == f"lost {int(third, 16):016x} 0 d"
    k.exact()
    for s in a, b, c, d, e:
        s.close()


def test_without_a_gateway_nobody_knows_who_was_lost(start, worker):
    k = start(shards=2, worker=worker, config=ROUTE, limit=1)
    g = room()
    a, b = [WebSocket(k.address, f"/{g}?u={n}") for n in "ab"]
    k.wait_group(g, [1, 1])
    second, gone = ids(k, g)[1], pids(k, g)[1]
    k.kill_gateway()
    k.kill_shard(pid=gone)
    wait.until(lambda: not kits.alive(gone), 10)
    k.start()
    assert a.recv() == f"lost {int(second, 16):016x} 2"
    k.wait_group(g, [1])
    k.exact()
    for s in a, b:
        s.close()
