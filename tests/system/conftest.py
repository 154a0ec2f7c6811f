"""Fixtures, a deadline for every test, and the logs of those that fail."""
import faulthandler
import os
import shutil
import signal
import tempfile
import types

import pytest
from kit import kennel as kits
from kit import nodes
from kit import pact as pacts
from kit import redis, wait

# Whoever started this in the background of a shell has it ignore SIGINT, and all that it
# starts would do so, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

DEADLINE = 90
no_params = types.SimpleNamespace(params={})


def pytest_configure(config):
    """What is compiled for one worker of xdist's is so for all: they begin later."""
    if not hasattr(config, "workerinput"):
        config.installed = os.environ["KENNEL_INSTALLED"] = tempfile.mkdtemp(prefix="installed.")


def pytest_unconfigure(config):
    if hasattr(config, "installed"):
        shutil.rmtree(config.installed, ignore_errors=True)


@pytest.fixture
def start():
    """start(...) is Kennel(...), stopped cleanly when the test is over."""
    started = []

    def starter(*args, **kw):
        k = kits.Kennel(*args, **kw)
        started.append(k)
        return k
    yield starter
    finish(started)


@pytest.fixture(scope="module")
def site():
    """site() is where two nodes stand (kit/nodes.py), for a whole file."""
    made = []

    def make():
        made.append(nodes.Site())
        return made[-1]
    yield make
    for s in made:
        s.remove()


@pytest.fixture(scope="module")
def start_shared(site):
    """As start, for a whole file; sites are there longer."""
    started = []

    def starter(*args, **kw):
        k = kits.Kennel(*args, **kw)
        started.append(k)
        return k
    yield starter
    finish(started)


def finish(started):
    errors = []
    for k in started:
        if k not in kits.LIVE:
            continue
        try:
            k.stop()
            continue
        except (AssertionError, OSError, ValueError) as e:
            errors.append(str(e))
        except Exception as e:          # a TimeoutExpired, above all
            errors.append(repr(e) + "\n" + k.said(3000))
        try:
            k.destroy()
        except (AssertionError, OSError) as e:
            errors.append(str(e))
    # All of it: pytest would cut what it compares.
    if errors:
        raise AssertionError("\n".join(errors))


# Files of which one alone takes as long as many others: first, the longest of all before the
# others, that no worker is left alone with one at the end.
LONG = ("upgrade_waits", "slow", "moves_matrix", "moves_hostile", "proxies", "levelling", "progress",
        "cluster_faults", "upgrade_faults", "authority", "crash_survival", "cluster_met", "limits",
        "ape_stream", "events_moving", "events_kennels", "sentinel", "retreat", "ape_moving",
        "nodes", "cluster_state", "cluster_writes", "moves_gateway", "moving", "cluster",
        "redis_tls", "ape_postgres", "events_flow", "links", "pact_chat", "cluster_bus", "soak",
        "cluster_clocks", "cell", "allocations", "poison", "supervision", "metrics")


def left_out(item):
    """Of one node, with clients on two; of no program of ours, once more with sanitizers."""
    return (item.get_closest_marker("one_node") and
            "nodes" in getattr(item, "callspec", no_params).params.values()) or \
        (item.get_closest_marker("no_program") and wait.SANITIZED)


def pytest_collection_modifyitems(config, items):
    """Some are not run; the long files begin."""
    rank = {f"test_{name}.py": n for n, name in enumerate(LONG)}
    out = [i for i in items if left_out(i)]
    config.hook.pytest_deselected(items=out)
    items[:] = sorted((i for i in items if i not in out),
                      key=lambda i: rank.get(i.path.name, len(LONG)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def late(*_):
        faulthandler.dump_traceback()
        pytest.fail(f"{item.name} took too long")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(wait.limit(DEADLINE))
    yield
    signal.alarm(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for k in kits.LIVE:
            report.sections.append((f"log of {k.dir}", k.said(6000)))
            r = k.sanitizer_reports()
            if r:
                report.sections.append(("sanitizer", r[:8000]))


# The chat room in each way that a whisper can find its target.
MODES = {
    "ask": dict(),
    "lookup": dict(config="[worker]\nwhisper_ask = 0\n"),
    "none": dict(redis="none"),
}


@pytest.fixture(scope="module", params=[*MODES, "nodes"])
def lobby(request, start_shared, site):
    """One kennel with the default rooms, two to a replica; or two nodes."""
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=4)
    return start_shared(shards=4, max_shards=6, **MODES[request.param])


# Pact's rooms in one process, each socket in another one, without Redis, and on
# two nodes, each socket in another process.
ROOMS = {
    "one": dict(),
    "many": dict(shards=6, max_shards=8, limit=1),
    "none": dict(shards=3, max_shards=8, limit=1, redis="none"),
    "nodes": dict(shards=2, max_shards=6, limit=1),
}


@pytest.fixture(scope="module", params=ROOMS)
def pact(request, start_shared, site):
    """One kennel with Pact's rooms; its tests keep to rooms of their own."""
    kw = dict(env={"KENNEL_SIGNING_KEY": pacts.KEY}, **ROOMS[request.param])
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), **kw)
    return start_shared(**kw)


# api-ape in one process, with two clients in each of four, and of two nodes' each.
APES = {
    "one": dict(shards=1),
    "four": dict(shards=4, max_shards=6, limit=2),
    "nodes": dict(shards=2, max_shards=4, limit=2, admin=True),
}


@pytest.fixture(scope="module", params=APES)
def ape(request, start_shared, site):
    """One kennel, or two nodes, that serve api-ape."""
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), **APES["nodes"])
    return start_shared(**APES[request.param])


@pytest.fixture
def server():
    """A Redis of one's own, to be started by the test."""
    s = redis.Server(kits.Ports.take())
    yield s
    s.remove()


@pytest.fixture
def url(server):
    """Of that Redis, which runs: for several nodes."""
    server.start()
    return f"unix:{server.path}"


@pytest.fixture(scope="session")
def installed():
    """The library, installed and found by pkg-config only."""
    from kit import library
    return library.Installed(os.environ["KENNEL_INSTALLED"])


@pytest.fixture(scope="session")
def mover(installed):
    """The worker of clients that move (kit/mover.py)."""
    return installed.worker("mover.c")


@pytest.fixture(scope="session")
def survivor(installed):
    """The worker whose clients live on when it dies."""
    return installed.worker("survivor.c")
