"""What an application's process does besides serving: its begin and end, descriptors
of its own, other threads, lines in the log."""
import os
import re

import pytest
from kit import wait
from kit.docs import example
from kit.http import get
from kit.ws import WebSocket

CONFIG = """
[route loop]
path = /loop
app = one
group = const:g
uid = query:u
"""


@pytest.fixture
def loop(start, installed):
    def run(config="", **kw):
        k = start(shards=1, worker=installed.worker("loop.c"),
                  config=CONFIG + "[worker]\nwork_threads = 2\nwork_queue = 3\n"
                  + config, **kw)
        return k
    return run


def lines(k):
    """What applications have logged, without the process that says it."""
    return re.findall(r" (warn|info|debug) \S+ app (.*)", k.log())


def test_a_descriptor_is_watched(loop):
    k = loop()
    with WebSocket(k.address, "/loop?u=a") as p:
        for order, answers in (
                ("watch", []), ("wrong", ["wrong 0"]),
                ("put", {"put 1", "read 65"}),
                ("write", ["write 2"]),             # and then for nothing
                ("put", ["put 1"]),
                ("read", ["read 65"]),
                ("both", ["write 2"]),
                ("read", []),
                ("hang up", ["end 1"])):
            p.send(order)
            got = [p.recv() for _ in answers]
            assert got == list(answers) or set(got) == answers, order
        p.goodbye()


def test_other_threads_work_and_the_loop_goes_on(loop):
    """Two work, three wait, the sixth is refused; the client is served meanwhile."""
    k = loop()
    with WebSocket(k.address, "/loop?u=a") as p:
        for _ in range(6):
            p.send("wait")
        assert p.recv() == "full 11"
        p.send("level")
        assert p.recv() == "level 1"
        for n in range(5):
            p.send("put")                   # lets one go
            assert {p.recv(), p.recv()} == {"put 1", "done 0"}, n
        p.goodbye()


def test_the_process_has_a_begin_and_an_end(loop):
    k = loop()
    with WebSocket(k.address, "/loop?u=a") as p:
        p.send("nap")
        assert p.recv() == "done 0"
        p.goodbye()
    assert k.term() == 0
    assert [text for _, text in lines(k)] == [
        "launch app=one", "launch app=two", "nap err=0", "closed", "stopped",
        "exit app=two work=-1 errno=125", "exit app=one work=-1 errno=125"]


def test_what_has_begun_is_waited_for_at_the_end_and_the_rest_is_dropped(loop):
    """Also with the gateway's own time to leave used up."""
    k = loop("[gateway]\ndrain = 1s\n")
    with WebSocket(k.address, "/loop?u=a") as p:
        for _ in range(5):
            p.send("nap")
        p.send("level")
        while p.recv() != "level 1":
            pass
        assert k.term() == 0
    said = [text for _, text in lines(k)]
    naps = [text for text in said if text.startswith("nap")]
    assert len(naps) == 5
    assert naps[:2] == ["nap err=0"] * 2
    assert set(naps[2:]) <= {"nap err=0", "nap err=125"}
    assert said[-1] == "exit app=one work=-1 errno=125"


def test_a_job_that_hangs_does_not_keep_the_process(loop):
    k = loop(deaths=True)
    with WebSocket(k.address, "/loop?u=a") as p:
        p.send("wait")
        p.send("level")
        assert p.recv() == "level 1"
        p.goodbye()
    k.term()
    assert "work: jobs=1 have not returned in 5000 ms" in k.log()
    assert not [text for _, text in lines(k) if text.startswith("exit")]


def test_an_application_that_does_not_begin(loop):
    """The log says which, and the gateway tries again, at a growing distance."""
    k = loop("app.refuse = two\n", ready=False, deaths=True)
    wait.until(lambda: k.log().count("app=two does not begin: onlaunch failed")
               >= 3, 30, "three attempts")
    assert "no shard came up" in k.log()
    assert "launch app=two" in k.log() and "exit app=" not in k.log()


def test_lines_have_a_level(loop):
    k = loop()
    with WebSocket(k.address, "/loop?u=a") as p:
        def logged(level):
            p.send("level")
            assert p.recv() == f"level {level}"
            before = len(lines(k))
            p.send("log")
            p.send("level")
            p.recv()
            return [line for line in lines(k)[before:] if "at=" in line[1]]
        warn = [("warn", "at=-1"), ("warn", "at=0")]
        debug = [("debug", "at=2"), ("debug", "at=3")]
        assert logged(1) == warn + [("info", "at=1")]
        k.ctl("log-level", "debug")
        assert logged(2) == warn + [("info", "at=1")] + debug
        k.ctl("log-level", "warn")
        assert logged(0) == warn
        p.goodbye()


def test_the_example_of_the_readme(start, installed, tmp_path):
    """Whoever is connected hears what is appended to a file; by HTTP, the number of
    its lines."""
    path = tmp_path / "journal"
    path.write_text("one\ntwo\n")
    os.chmod(tmp_path, 0o755)
    k = start(shards=2, limit=1, worker=installed.worker(example("kennel_work(")),
              config=f"[worker]\napp.follow = {path}\n")
    assert get(k, "/").text == "2 lines\n"
    with WebSocket(k.address, "/g?u=a") as a, WebSocket(k.address, "/g?u=b") as b:
        with open(path, "a") as f:
            f.write("three\n")
        assert a.recv() == b.recv() == b"three\n"
        assert get(k, "/").text == "3 lines\n"
        a.goodbye()
        b.goodbye()
    assert k.term() == 0
