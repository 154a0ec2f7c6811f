"""A shard dies: whoever is left in its groups hears who went with it, once."""
import os
import subprocess

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import room
from kit.ws import WebSocket


def pids(k, group):
    """The pid of each replica's shard, oldest first."""
    at = {s["address"]: s["pid"] for s in k.shards()}
    return [at[r["shard"]] for r in k.replicas(group)]


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
    sanitize = ["-fsanitize=address,undefined"] if wait.SLOW > 1 else []
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
