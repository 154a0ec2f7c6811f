"""What the gateway gives up, and what its workers never have."""
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import Chat, crowd, said, settle
from kit.http import Http, get

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def status(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f
                    if ":\t" in line)


def powerless(pid, caps=0):
    s = status(pid)
    assert s["NoNewPrivs"] == "1"
    for name in "CapInh", "CapAmb":
        assert int(s[name], 16) == 0, name
    for name in "CapPrm", "CapEff":
        assert int(s[name], 16) & ~caps == 0, (name, s[name])
    if os.geteuid() == 0:
        assert int(s["CapBnd"], 16) & ~caps == 0, s["CapBnd"]


def started(k):
    """Pids of the shards and of the private Redis."""
    with k.redis() as r:
        info = r("INFO", "server")
    return [s["pid"] for s in k.shards()], \
        int(info.split("process_id:")[1].split()[0])


READ_SEARCH = 1 << 2


def test_workers_have_no_capability(start):
    k = start(shards=2)
    shards, redis = started(k)
    for pid in (*shards, redis):
        powerless(pid, READ_SEARCH if os.geteuid() == 0 else 0)
    assert all(status(pid)["Seccomp"] == "2" for pid in shards)
    assert status(k.pid)["Seccomp"] == status("self")["Seccomp"]


@root
def test_user_is_dropped_to_for_good(start):
    k = start(shards=2, user="nobody")
    want = pwd.getpwnam("nobody")
    uids, gids = ["\t".join([str(n)] * 4) for n in
                  (want.pw_uid, want.pw_gid)]
    shards, redis = started(k)
    for pid in (k.pid, redis, *shards):
        s = status(pid)
        assert (s["Uid"], s["Gid"]) == (uids, gids)
        assert set(map(int, s["Groups"].split())) == \
            set(os.getgrouplist("nobody", want.pw_gid))
        assert int(s["CapPrm"], 16) == int(s["CapEff"], 16) == 0
    for pid in (redis, *shards):
        powerless(pid)
    for path in k.run, k.state:
        assert os.stat(path).st_uid == want.pw_uid
        assert os.stat(path).st_mode & 0o777 == 0o700
        for name in os.listdir(path):
            assert os.stat(f"{path}/{name}").st_uid == want.pw_uid, name
    # The user may not look at it, nor who has taken over a process of his.
    if "KENNEL_SANITIZED" not in os.environ:
        for pid in (k.pid, *shards):
            assert os.stat(f"/proc/{pid}/fd").st_uid == 0
    people = crowd(k, "g", "abc")
    people[0].say("hello")
    for p in people:
        assert p.next(type="user:msg")["text"] == "hello"
    # Killing, starting, finding again: all as that user.
    k.kill_shard(1)
    wait.until(lambda: (s := k.shard(1))["state"] == "ready" and
               s["pid"] not in shards, 15)
    k.kill_gateway()
    k.start()
    assert len(k.shards()) == 2
    k.exact()
    for p in people:
        p.close()


@root
def test_low_port_and_unix_socket_are_bound_before(start, tmp_path):
    os.chmod(tmp_path, 0o755)
    path = tmp_path / "sock"
    k = start("--listen", "127.0.0.1:991", user="nobody",
              listen=("127.0.0.1:PORT", f"unix:{path}"))
    assert os.stat(path).st_uid == pwd.getpwnam("nobody").pw_uid
    for address in ("127.0.0.1", 991), str(path):
        with Http(address) as c:
            assert c.ask(path="/healthz").status == 200


@root
def test_reload_after_the_drop(start):
    k = start(user="nobody", config="[route x]\npath = /healthz\napp = front\n")
    os.chmod(k.config, 0o600)
    k.process.send_signal(signal.SIGHUP)
    assert "restart" in k.wait_log(r"configuration not changed.*")[0]
    assert get(k, "/healthz").status == 200
    with open(k.config, "w") as f:
        f.write("[route x]\npath = /info\napp = front\n")
    os.chmod(k.config, 0o644)
    k.process.send_signal(signal.SIGHUP)
    wait.until(lambda: get(k, "/healthz").status == 404)


def refused(*args, **kw):
    p = subprocess.run([kits.GATEWAYD, "--worker", kits.SHARDD, *args],
                       capture_output=True, text=True,
                       timeout=wait.limit(30), **kw)
    assert p.returncode == 1, p.stderr
    assert p.stderr.count("\n") == 1
    return p.stderr


def test_mistakes_are_explained(request):
    assert "no such user" in refused("--check", "--user", "no-such-user")
    if os.geteuid() != 0:
        assert "only root" in refused("--check", "--user", "root")
        return
    assert "only root" in refused("--check", "--user", "root", user="nobody",
                                  group="nogroup")
    run = tempfile.mkdtemp(prefix="run.")   # short: it would hold sockets
    request.addfinalizer(lambda: shutil.rmtree(run))
    text = refused("--user", "nobody", "--run-dir", run, "--redis",
                   "none", "--listen", f"127.0.0.1:{kits.Ports.take()}")
    assert "chown" in text and run in text


SCRIPT = """#!/bin/sh
unshare -U true && echo unshared >> '{out}'
unshare -m true && echo unshared >> '{out}'
echo started >> '{out}'
exec '{shardd}' "$@"
"""


@pytest.mark.parametrize("seccomp,filtered", [("yes", True), ("no", False),
                                              (None, False)])
def test_other_workers_are_filtered_when_asked_to(start, tmp_path, seccomp,
                                                  filtered):
    out = tmp_path / "out"
    worker = tmp_path / "worker"
    worker.write_text(SCRIPT.format(out=out, shardd=kits.SHARDD))
    worker.chmod(0o755)
    config = f"[gateway]\nseccomp = {seccomp}\n" if seccomp else ""
    k = start(shards=1, worker=str(worker),
              config=config + kits.default_routes())
    pid = k.shard(0)["pid"]
    own = status("self")["Seccomp"]
    assert status(pid)["Seccomp"] == ("2" if filtered else own)
    assert "started" in out.read_text()
    if filtered:
        assert "unshared" not in out.read_text()
    with Chat(k, "g", "a") as a:
        a.say("x")
        assert said(settle(a)[a]) == ["x"]


def test_shardd_without_a_filter(start):
    k = start(shards=1, config="[gateway]\nseccomp = no\n")
    assert status(k.shard(0)["pid"])["Seccomp"] == status("self")["Seccomp"]


def state_of(k):
    """The directory that its Redis works in."""
    with k.redis() as r:
        return r("CONFIG", "GET", "dir")[1]


@pytest.mark.parametrize("mode", [0o2775, 0o777])
def test_volume_of_a_container(start, tmp_path, mode):
    """Open to a group or to all, and opened again at each mount: what lasts is
    in a closed directory in it."""
    volume = tmp_path / "volume"
    volume.mkdir()
    os.chmod(volume, mode)
    k = start("--state-dir", str(volume))
    own = str(volume / "kennel")
    assert state_of(k) == own
    assert stat.S_IMODE(os.stat(own).st_mode) & 0o777 == 0o700
    assert stat.S_IMODE(os.stat(volume).st_mode) == mode
    with k.redis() as r:
        r("SET", "kennel:store:g:x", "kept")
    assert k.term() == 0
    os.chmod(own, 0o2775)
    k.start()
    with k.redis() as r:
        assert r("GET", "kennel:store:g:x") == "kept"
    assert stat.S_IMODE(os.stat(own).st_mode) & 0o777 == 0o700


def test_volume_with_somebody_elses_directory(start, tmp_path):
    """A link, or a directory that is not ours, is not taken for it."""
    volume, other = tmp_path / "volume", tmp_path / "other"
    volume.mkdir()
    other.mkdir()
    os.chmod(other, 0o755)
    os.chmod(volume, 0o777)
    (volume / "kennel").symlink_to(other)
    k = start("--state-dir", str(volume), ready=False)
    assert k.process.wait(wait.limit(30)) == 1
    assert "state directory" in k.log()
    assert stat.S_IMODE(os.stat(other).st_mode) == 0o755
    k.destroy()
