"""SIGHUP: what counts at once, and what is named because it does not."""
import os
import signal

import pytest
from kit import wait
from kit.http import get
from kit.wire import Wire
from kit.ws import Ended, Refused, WebSocket

BASE = """
[gateway]
%s
[worker]
%s
[route echo]
path = /echo
app = echo
%s
"""


def reload(k, gateway="", worker="", route="", more="", good=True):
    with open(k.config, "w") as f:
        f.write(BASE % (gateway, worker, route) + more)
    mark = len(k.log())
    k.process.send_signal(signal.SIGHUP)
    k.wait_log(r"configuration read again" if good else
               r"configuration not changed", mark=mark)
    return k, mark


def start_with(start, gateway="", worker="", route="", **kw):
    return start(shards=2, config=BASE % (gateway, worker, route), **kw)


def flood(p, n=40):
    """How many of n messages come back before the close, and its code."""
    try:
        for i in range(n):
            p.send(str(i))
    except OSError:
        pass
    got = 0
    while True:
        try:
            opcode, _, payload = p.recv_frame()
        except Exception:
            return got, 1006
        if opcode == 8:
            return got, int.from_bytes(payload[:2], "big")
        got += 1
        if got == n:
            return got, None


def everywhere(k):
    """How a flood of two newcomers ends, who are in a shard each."""
    with WebSocket(k.address) as a, WebSocket(k.address) as b:
        return [flood(p)[1] for p in (a, b)]


def test_rates_count_for_connections_that_are_there(start):
    """A second route's connection stays as free as it was."""
    k = start_with(start)
    a, b = WebSocket(k.address), WebSocket(k.address)
    assert flood(a) == (40, None)
    reload(k, route="message_rate = 1\nmessage_burst = 5")
    # Both shards have heard of it when what was said to them is through.
    wait.until(lambda: everywhere(k) == [1008, 1008], 10, "the new rate")
    got, code = flood(a)
    assert code == 1008 and got <= 5
    # And back: a connection that was measured is free again.
    c = WebSocket(k.address)
    c.send("x")
    assert c.recv() == "x"
    reload(k)
    wait.until(lambda: everywhere(k) == [None, None], 10, "no rate")
    assert flood(c) == (40, None)
    got, code = flood(b)
    assert (got, code) == (40, None)
    for p in b, c:
        p.goodbye()


def test_byte_rates_and_new_routes(start):
    k = start_with(start)
    a = WebSocket(k.address)
    reload(k, route="byte_rate = 100", more="[route new]\npath = /new\n"
           "app = echo\nmessage_rate = 1\nmessage_burst = 3\n")
    with WebSocket(k.address, "/new") as p:
        assert flood(p) == (3, 1008)

    def ended():
        """Its shard may be the later one to hear of it."""
        try:
            a.send("x" * 5000)
            a.recv()
        except Ended as e:
            return e.code
    assert wait.until(ended) == 1008
    # Shards that start later know it as well.
    pid = k.kill_shard(0)
    wait.until(lambda: len(k.shards()) == 2 and k.shard(0)["pid"] != pid, 20,
               "another shard")
    for _ in range(4):
        with WebSocket(k.address, "/new") as p:
            assert flood(p) == (3, 1008)


def test_limits_of_the_gateway_count_at_once(start):
    k = start_with(start)
    assert get(k, "/echo?" + "x" * 3000).status == 200
    reload(k, gateway="line_max = 1k\nper_address = 2")
    assert get(k, "/echo?" + "x" * 3000).status == 414
    # Who was there before has gone.
    wait.until(lambda: (s := k.status())["handshakes"] + s["home"] + s["places"] == 0)
    held = [Wire(k.address) for _ in range(2)]
    with pytest.raises(Refused) as e:
        WebSocket(k.address)
    assert e.value.response.status == 503
    for c in held:
        c.close()
    wait.until(lambda: k.status()["handshakes"] == 0)
    reload(k)
    assert get(k, "/echo?" + "x" * 3000).status == 200


def test_what_counts_after_a_restart_is_named(start):
    k = start_with(start, gateway="backlog = 100\nwatchdog = 30s",
                   worker="deflate = no\napp.greeting = hello")
    k, mark = reload(k, gateway="backlog = 200\nwatchdog = 30s\nseccomp = no",
                     worker="message_max = 1k\nrequest_timeout = 7s\n"
                     "app.greeting = bye", route="message_rate = 100")
    line = k.wait_log(r"changed, but counts after a restart: (.*)\n",
                      mark=mark).group(1)
    assert sorted(line.split(", ")) == [
        "[gateway] backlog", "[gateway] seccomp", "[worker] app.greeting",
        "[worker] deflate", "[worker] message_max",
        "[worker] request_timeout"]
    # As before: nothing is left to name.
    k, mark = reload(k, gateway="backlog = 100\nwatchdog = 30000ms",
                     worker="deflate = no\napp.greeting = hello")
    assert "after a restart" not in k.log(mark)
    # A flag's word was the last one; the file may say what it likes.
    k, mark = reload(k, gateway="backlog = 100\nwatchdog = 30s\nshards = 7\n"
                     "node = other",
                     worker="deflate = no\napp.greeting = hello")
    line = k.wait_log(r"changed, but counts after a restart: (.*)\n",
                      mark=mark).group(1)
    assert line == "[gateway] node"


def test_a_listener_that_has_changed_is_named(start, tmp_path):
    """And goes on as it was."""
    section = "[listener %s]\naddress = unix:%s/%s\n"
    proxy = "proxy_protocol = yes\nproxy_trusted = unix\n"
    a, b = (section % (n, tmp_path, n) for n in "ab")
    k = start(shards=1, config=BASE % ("", "", "") + a + b)
    for more, named in ((b + a, None), (a + b + proxy, "[listener b]"),
                        (a, "[listener b]"),
                        (a + section % ("b", tmp_path, "x"), "[listener b]"),
                        (a + b + section % ("c", tmp_path, "c"),
                         "[listener c]")):
        _, mark = reload(k, more=more)
        if named is None:
            assert "after a restart" not in k.log(mark)
        else:
            line = k.wait_log(r"changed, but counts after a restart: (.*)\n",
                              mark=mark).group(1)
            assert line == named
        with WebSocket(str(tmp_path / "b")) as c:
            c.send("x")
            assert c.recv() == "x"
    _, mark = reload(k, more=a + "proxy_protocol = yes\n", good=False)
    assert "proxy_trusted" in k.log(mark)


def test_a_mistake_changes_nothing(start):
    k = start_with(start)
    reload(k, gateway="line_max = 64k\nhead_max = 1k", good=False)
    reload(k, more="[route x]\npath = /x\n", good=False)
    assert get(k, "/x").status == 404
    assert get(k, "/echo?" + "x" * 3000).status == 200


def test_a_pipe_is_not_read_again(start):
    """It is empty, which would mean the default routes, or waits for a writer."""
    k = start_with(start)
    os.unlink(k.config)
    os.mkfifo(k.config)
    mark = len(k.log())
    k.process.send_signal(signal.SIGHUP)
    k.wait_log("configuration not changed: .*no regular file", mark=mark)
    assert get(k, "/echo").status == 200
    assert get(k, "/healthz").status == 404         # a default route
