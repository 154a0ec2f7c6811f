"""The admin listener: who is asked, who may ask, and what never waits."""
import json
import os
import re
import socket
import stat
import subprocess
import time

import pytest
from kit import wait
from kit.chat import Chat
from kit.http import Http, get, request
from kit.kennel import GATEWAYD, Ports
from kit.metrics import admin, ask
from kit.wire import Closed, Wire

PATHS = "/healthz", "/readyz", "/status", "/metrics"


def test_a_socket_in_the_run_directory_by_default(start):
    k = start()
    assert stat.S_IMODE(os.stat(admin(k)).st_mode) == 0o600
    assert ask(k, "/healthz").text == "ok\n"
    assert ask(k, "/readyz").text == "ready\n"
    status = json.loads(ask(k, "/status").text)
    assert status["pid"] == k.pid
    assert set(status) == set(k.status())
    r = ask(k, "/metrics")
    assert r["Content-Type"].startswith("text/plain; version=0.0.4")


def test_a_port_alone_is_of_this_machine_only(start):
    port = Ports.take()
    k = start("--admin", port)
    assert ask(k, "/readyz", address=("127.0.0.1", port)).status == 200
    for s in (socket.AF_INET, "127.0.0.2"), (socket.AF_INET6, "::1"):
        with socket.socket(s[0]) as c, pytest.raises(OSError):
            c.connect((s[1], port))
    assert not os.path.exists(admin(k))


def test_a_socket_elsewhere_for_a_group(start, tmp_path):
    path = str(tmp_path / "a.sock")
    k = start("--admin", f"unix:{path} mode=0660")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert ask(k, "/healthz", address=path).status == 200
    k.stop()
    assert not os.path.exists(path)


def test_none_listens_nowhere(start):
    k = start(config="[gateway]\nadmin = none\n")
    assert not os.path.exists(admin(k))
    assert k.ctl("ready") == "ready\n"


def test_nothing_of_it_where_clients_connect(start):
    k = start()
    for path in "/readyz", "/status", "/metrics":
        assert "kennel_ready" not in get(k, path).text
        assert "uptime_ms" not in get(k, path).text
    # "/healthz" is a route of the built-in configuration.


@pytest.mark.parametrize("text", ["nonsense", "1.2.3.4.5:1", "70000",
                                  "unix:", "unix:/x mode=9"])
def test_an_address_that_is_none_is_refused(text, tmp_path):
    p = subprocess.run([GATEWAYD, "--check", "--admin", text],
                       capture_output=True, text=True, timeout=30)
    assert p.returncode == 1
    assert re.search(rf"admin .*{re.escape(text)}: \w", p.stderr), p.stderr


def test_an_address_in_use_ends_the_start(start):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        k = start("--admin", port, ready=False)
        assert k.process.wait(30) == 1
        k.wait_log(rf"cannot listen on 127.0.0.1:{port} for the "
                   "administrator: .*--admin")
        assert not os.path.exists(f"{k.run}/control.sock")
        k.destroy()


def test_errors_are_named(start):
    k = start()
    assert ask(k, "/").status == 404
    assert "/metrics" in ask(k, "/").text
    assert ask(k, "/metrics?x=1").status == 200
    r = ask(k, "/metrics", "POST", body=b"x" * 1000)
    assert (r.status, r["Allow"]) == (405, "GET, HEAD")
    with Http(admin(k)) as c:
        c.write(request("HEAD", "/metrics"))
        r = c.response(head_only=True)
        assert r.status == 200 and int(r["Content-Length"]) > 1000
        with pytest.raises(Closed):
            c.read(1)
    with Wire(admin(k)) as c:
        c.write(b"\x16\x03\x01\x00nonsense\r\n\r\n")
        assert c.read_until(b"\r\n").startswith(b"HTTP/1.1 400 ")
    with Wire(admin(k)) as c:
        c.write(b"GET /" + b"x" * 10000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        assert c.read_until(b"\r\n").startswith(b"HTTP/1.1 414 ")
    assert ask(k, "/healthz").status == 200


def test_the_idle_and_the_slow_keep_nobody_out(start):
    """As many as there may be, who say nothing, are gone after their time."""
    k = start()
    idle = [Wire(admin(k)) for _ in range(16)]
    with Wire(admin(k)) as more:
        assert b" 503 " in more.read_until(b"\r\n")
    assert get(k, "/healthz").status == 200
    began = time.monotonic()
    for c in idle:
        c.sock.settimeout(wait.limit(30))
        assert c.sock.recv(1) == b""
        c.close()
    assert time.monotonic() - began > 5
    assert ask(k, "/healthz").status == 200


def test_who_does_not_read_is_dropped(start):
    k = start()
    with Wire(admin(k)) as c:
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        c.write(request(path="/metrics"))
        wait.until(lambda: ask(k, "/healthz").status == 200)
    assert ask(k, "/metrics").status == 200


def test_a_head_may_come_a_byte_at_a_time(start):
    k = start()
    with Http(admin(k)) as c:
        text = request(path="/readyz")
        c.write(text, range(1, len(text)))
        assert c.response().text == "ready\n"


# ---- ready ----

def not_ready(k):
    r = ask(k, "/readyz")
    return r.status == 503 and r.text


def test_not_ready_without_a_shard(start):
    k = start(worker="/bin/false", ready=False, shards=1)
    assert wait.until(lambda: ask(k, "/healthz")).status == 200
    assert "no shard is ready\n" in wait.until(lambda: not_ready(k))
    p = wait.until(lambda: (p := k.ctl("ready", check=False)).stdout and p)
    assert (p.returncode, p.stdout) == (1, "not ready\n")
    assert "kennelctl: no shard is ready" in p.stderr
    p = k.ctl("ready", "--json", check=False)
    assert p.returncode == 1
    assert "no shard is ready" in json.loads(p.stdout)["missing"]
    k.destroy()


def test_not_ready_when_all_is_full(start):
    k = start(shards=1, max_shards=1, config="[gateway]\ncapacity = 2\n")
    a, b = Chat(k, "g", "a"), Chat(k, "g", "b")
    assert wait.until(lambda: not_ready(k)) == "all shards are full\n"
    b.goodbye()
    wait.until(lambda: ask(k, "/readyz").status == 200)
    a.close()


def test_not_ready_while_it_leaves(start):
    k = start("--limit", "10", config="[gateway]\ndrain = 5s\n")
    with Chat(k, "g", "a"):
        k.process.terminate()
        assert "it is leaving\n" in wait.until(lambda: not_ready(k))
        assert ask(k, "/healthz").status == 200
    k.process.wait(wait.limit(30))
    k.stop()


def test_redis_counts_only_where_it_is_demanded(start, server):
    url = f"unix:{server.start().path}"
    k = start(redis=url)
    strict = start(redis=url, config="[gateway]\n"
                   "ready_redis = yes\nnode = strict\n")
    wait.until(lambda: ask(strict, "/readyz").status == 200)
    server.stop()
    assert wait.until(lambda: not_ready(strict)) == "Redis is away\n"
    assert ask(k, "/readyz").status == 200
    server.start()
    wait.until(lambda: ask(strict, "/readyz").status == 200, 20)


def test_the_next_gateway_has_it_too(start):
    k = start()
    k.kill_gateway()
    assert os.path.exists(admin(k))
    k.start()
    assert ask(k, "/readyz").status == 200


def test_kennelctl_ready_is_strict(start):
    k = start()
    assert json.loads(k.ctl("ready", "--json")) == {"ready": True,
                                                    "missing": []}
    assert k.ctl("ready", "--check", check=False).returncode == 2
    assert k.ctl("ready", "now", check=False).returncode == 2
    k.stop()
    p = subprocess.run([GATEWAYD.replace("gatewayd/gatewayd",
                        "gatewayd/kennelctl"), "ready", "--run-dir", k.run],
                       capture_output=True, text=True, timeout=30)
    assert p.returncode == 1 and "no gatewayd answers" in p.stderr
