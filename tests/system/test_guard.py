"""What a worker has of its own, what it may not see, what it may not say."""
import ctypes
import errno
import os

import pytest
from kit.http import get
from kit.ws import Ended, WebSocket

ROUTES = """
[route guard]
path = /g/*
app = guard
group = const:g
uid = query:u uuid
"""


class Guard(WebSocket):
    def __init__(self, kennel, uid="a", **kw):
        super().__init__(kennel.address, f"/g/ws?u={uid}", **kw)

    def do(self, command):
        self.send(command)
        return self.recv()


@pytest.fixture(scope="module")
def guard(installed):
    os.chmod(installed.dir, 0o755)      # other users run it, too
    return installed.worker("guard.c")


def test_files_of_the_application_stay_open(start, guard, tmp_path):
    audit = tmp_path / "audit"
    k = start(shards=1, worker=guard, config=ROUTES,
              env={"GUARD_AUDIT": str(audit)})
    others = [Guard(k, f"u{i}") for i in range(8)]
    with Guard(k) as a:
        assert a.do("audit seen") == "ok"
        assert audit.read_text() == "seen\n" * 3
        # Nobody else was told.
        for o in others:
            assert o.do("env NOBODY") == "(none)"
            o.close()


# ---- other processes ----

SANITIZED = pytest.mark.skipif(
    "KENNEL_SANITIZED" in os.environ,
    reason="processes of sanitized builds stay open to debuggers")
USERS = [None, pytest.param("nobody", marks=pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root"))]


def landlock():
    """The version of the kernel's landlock, 0 for none."""
    r = ctypes.CDLL(None).syscall(444, None, 0, 1)
    return max(r, 0)


def others(k, mine):
    """Pids of the gateway, of another shard, of the private Redis."""
    with k.redis() as r:
        redis = r("INFO", "server").split("process_id:")[1].split()[0]
    return {"gateway": k.pid, "redis": int(redis),
            "shard": next(s["pid"] for s in k.shards() if s["pid"] != mine)}


def pried(k):
    """What a client's shard may do to each of the others."""
    with Guard(k) as a:
        mine = k.replicas("g")[0]["shard"]
        mine = next(s["pid"] for s in k.shards() if s["address"] == mine)
        return {who: a.do(f"pry {pid}").split()
                for who, pid in others(k, mine).items()}


@pytest.mark.skipif(not landlock(), reason="this kernel has no landlock")
@pytest.mark.parametrize("user", USERS)
def test_filtered_workers_see_no_other_process(start, guard, user):
    k = start(shards=2, worker=guard, user=user,
              config="[gateway]\nseccomp = yes\n" + ROUTES)
    kill = [] if landlock() >= 6 else ["kill"]
    assert pried(k) == {"gateway": kill, "redis": kill, "shard": kill}


@SANITIZED
@pytest.mark.parametrize("user", USERS)
def test_without_a_filter_gateway_and_shards_are_closed(start, guard, user):
    k = start(shards=2, worker=guard, user=user,
              config="[gateway]\nseccomp = no\ncore = no\n" + ROUTES)
    p = pried(k)
    assert (p["gateway"], p["shard"]) == (["kill"], ["kill"])


@pytest.mark.parametrize("user", USERS)
def test_open_to_debuggers_when_asked_to(start, guard, user):
    k = start(shards=2, worker=guard, user=user,
              config="[gateway]\nseccomp = no\ncore = yes\n" + ROUTES)
    assert {"mem", "environ", "fd"} <= set(pried(k)["shard"])
    for pid in k.pid, *[s["pid"] for s in k.shards()]:
        with open(f"/proc/{pid}/limits") as f:
            soft, hard = next(line for line in f if "core file" in line
                              ).split()[4:6]
        assert soft == hard


# ---- what it says ----

@pytest.fixture(scope="module")
def kennel(start_shared, guard):
    return start_shared(shards=1, worker=guard, config=ROUTES)


@pytest.mark.parametrize("name", [
    "Content-Length", "content-length", "Transfer-Encoding", "Connection",
    "Upgrade", "Keep-Alive", "Proxy-Connection", "Trailer", "TE", "Date",
    "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions"])
def test_fields_that_are_the_servers_are_refused(kennel, name):
    r = get(kennel, f"/g/header?name={name}&value=5")
    assert (r.status, r.text) == (200, str(errno.EINVAL))
    assert [v for n, v in r.fields if n.lower() == name.lower()] != ["5"]


@pytest.mark.parametrize("value", ["a%0d%0aX-Evil:%201", "a%0ab", "a%0db",
                                   "%7f", "a%01"])
def test_values_with_control_characters_are_refused(kennel, value):
    r = get(kennel, f"/g/header?name=X-A&value={value}")
    assert (r.status, r.text) == (200, str(errno.EINVAL))
    assert r["X-A"] is r["X-Evil"] is None


def test_other_fields_are_sent(kennel):
    r = get(kennel, "/g/header?name=X-A&value=b%09c")
    assert (r.text, r["X-A"]) == ("0", "b\tc")


@pytest.mark.parametrize("code,reason", [
    *[(c, b"") for c in (-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999,
                         5000, 66536)],
    (1000, b"\xff"), (4000, b"\xed\xa0\x80"), (4000, b"cut \xc3"),
    (1000, b"x" * 124)])
def test_closing_with_what_no_client_may_read_is_refused(kennel, code, reason):
    with Guard(kennel) as a:
        assert a.do(f"close {code} {reason.hex()}") == str(errno.EINVAL)
        assert a.do("env NOBODY") == "(none)"       # it is open


@pytest.mark.parametrize("code,reason", [
    *[(c, b"") for c in (1000, 1003, 1007, 1014, 3000, 4999)],
    (4000, "grüße".encode()), (1000, b"x" * 123)])
def test_closing_with_what_is_allowed(kennel, code, reason):
    a = Guard(kennel)
    a.send(f"close {code} {reason.hex()}")
    with pytest.raises(Ended) as e:
        a.recv()
    assert e.value.code == code
    assert e.value.reason in (reason, reason.decode())
    a.close()


# ---- nothing at all ----

def test_no_body_at_all(start):
    k = start(shards=1, config="[worker]\nbody_max = 0\n[route e]\n"
              "path = /e\napp = echo\n")
    assert get(k, "/e", method="POST").status == 200
    assert get(k, "/e", method="POST", body=b"x").status == 413
    assert get(k, "/e").status == 200
