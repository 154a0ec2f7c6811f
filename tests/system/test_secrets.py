"""Passwords, keys and tokens: where they are not to be seen."""
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from kit import kennel as kits
from kit import pact, wait
from kit.chat import Chat
from kit.http import get
from kit.probe import Probe
from kit.ws import Refused, WebSocket

WORD = "t0psecret"


def seen(k):
    """Where the word is to be seen: processes, logs, what is said of them."""
    places = {"log": k.log(), "json": k.ctl("status", "--json"),
              "status": k.ctl("status")}
    for pid in k.pids():
        for name in "cmdline", "environ":
            try:
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    places[f"{name} of {pid}"] = f.read().decode(
                        errors="replace")
            except PermissionError:
                pass
    return [p for p, text in places.items() if WORD in text]


GIVEN = {
    "flag": lambda at: (dict(redis=f"redis://:{WORD}@{at}"), {}),
    "flag=": lambda at: (dict(redis=None), {}),
    "file": lambda at: (dict(redis=None, config="[gateway]\nredis = "
                             f"redis://:{WORD}@{at}\n"), {}),
    "environment": lambda at: (dict(redis=f"redis://{at}/1"),
                               {"KENNEL_REDIS_PASSWORD": WORD}),
}


@pytest.mark.parametrize("how", GIVEN)
def test_the_password_of_redis_is_not_to_be_seen(start, server, how):
    server.args = ["--requirepass", WORD]
    server.start()
    at = f"127.0.0.1:{server.port}"
    kw, env = GIVEN[how](at)
    args = [f"--redis=redis://:{WORD}@{at}"] if how == "flag=" else []
    k = start("--log-level", "debug", *args, env=env, **kw)
    wait.until(lambda: k.status()["redis"]["up"], 10, "Redis is up")
    assert k.status()["redis"]["url"].startswith(f"redis://***@{at}")
    assert seen(k) == []


def test_a_server_that_repeats_the_password_is_not_quoted(start, server):
    server.args = ["--rename-command", "AUTH", "X"]
    server.start()
    k = start("--log-level", "debug",
              redis=f"redis://:{WORD}@127.0.0.1:{server.port}")
    k.wait_log("AUTH is refused")
    assert seen(k) == []


@pytest.mark.parametrize("args", [
    ("--redis", f"redis://:{WORD}@host:x"), (f"--redis=http://:{WORD}@host",),
    (f"redis://:{WORD}@host",), (f"--rediss=redis://:{WORD}@host",),
    ("--redis", f"redis://:{WORD}/@host")])
def test_mistakes_do_not_repeat_it(args):
    p = subprocess.run([kits.GATEWAYD, *args], capture_output=True, text=True,
                       timeout=wait.limit(30))
    assert p.returncode == 2
    assert "***@host" in p.stderr
    assert WORD not in p.stdout + p.stderr


def test_nor_does_a_file_with_a_mistake(tmp_path):
    ini = tmp_path / "kennel.ini"
    ini.write_text(f"[gateway]\nredis = redis://:{WORD}@host:x\n")
    p = subprocess.run([kits.GATEWAYD, "--config", ini], capture_output=True,
                       text=True, timeout=wait.limit(30))
    assert p.returncode == 1
    assert "redis" in p.stderr and WORD not in p.stdout + p.stderr


def test_the_signing_key_is_in_no_environment(start):
    k = start(shards=2, env={"KENNEL_SIGNING_KEY": WORD})
    assert seen(k) == []
    # Nor in those of shards that come later, which know the key.
    old = k.kill_shard(0)
    wait.until(lambda: k.shard(0)["pid"] != old and
               k.shard(0)["state"] == "ready", 15, "another shard")
    assert seen(k) == []
    with pact.Pact(k, "r") as p:
        p.authenticate(WORD, int(time.time() * 1000))


def test_a_signing_key_that_is_too_long_is_refused():
    p = subprocess.run([kits.GATEWAYD, "--check"], capture_output=True,
                       text=True, timeout=wait.limit(30),
                       env={**os.environ, "KENNEL_SIGNING_KEY": "x" * 4097})
    assert p.returncode == 1 and "4096" in p.stderr


# ---- what clients know ----

TOKENS = """
[route tokens]
path = /lobby/{group}/ws
app = chat
group = path:group
uid = bearer query:u
"""


def test_a_token_is_shown_to_nobody(start):
    """Not in lists, in what others read, in Redis' keys, in the log."""
    name = "sha256-" + hashlib.sha256(WORD.encode()).hexdigest()
    k = start("--log-level", "debug", shards=2, config=TOKENS)
    with Chat(k, "t", "bob") as bob, Chat(k, "t", name, query="", fields=[
            ("Authorization", f"Bearer {WORD}")]) as alice:
        alice.say("hello")
        heard = bob.next(type="user:msg")
        assert (heard["from"], heard["text"]) == (name, "hello")
        assert sorted(bob.users()["list"]) == sorted(["bob", name])
        with k.redis() as r:
            keys = r.keys()
            assert f"kennel:client:t:{name}" in keys
            assert WORD not in repr(keys)
        assert seen(k) == []
        # To know her name is not to be her.
        with pytest.raises(Refused) as e:
            WebSocket(k.address, f"/lobby/t/ws?u={name}")
        assert e.value.response.status == 400


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_echo_keeps_credentials_for_itself(start, method):
    k = start(shards=1)
    r = get(k, "/echo", method=method, fields=[
        ("Cookie", f"a={WORD}"), ("cookie", f"b={WORD}"),
        ("Authorization", f"Bearer {WORD}"), ("X-Api-Key", WORD),
        ("Proxy-Authorization", WORD), ("X-Auth-Token", WORD),
        ("Cookie2", WORD), ("X-Csrf-Token", WORD),      # and those of proxies
        ("X-Forwarded-Access-Token", WORD), ("X-Amzn-Oidc-Data", WORD),
        ("Cf-Access-Jwt-Assertion", WORD), ("X-Amz-Security-Token", WORD),
        ("X-Other", "seen")])
    assert r.status == 200 and WORD not in repr(r)
    assert method == "HEAD" or "X-Other: seen" in r.text


KEEP = """
[gateway]
keep_max = 1000
[worker]
%s
[route probe]
path = /p/{group}/*
app = probe
group = path:group
keep = CF-IPCity X-Town User-Agent
"""


@pytest.mark.parametrize("trusted", [False, True])
def test_what_only_proxies_know_is_kept_from_them(start, installed, trusted):
    k = start(shards=1, worker=installed.worker("probe.c"), config=KEEP % (
        "trusted_proxies = 127.0.0.1\n" * trusted +
        "pact_details = town=X-Town"))
    with Probe(k, "g", fields=[("CF-IPCity", "Bern"), ("X-Town", "Thun"),
                               ("User-Agent", "me")]) as p:
        assert p.do("keep User-Agent") == "me"
        assert p.do("keep CF-IPCity") == ("Bern" if trusted else "(none)")
        assert p.do("keep X-Town") == ("Thun" if trusted else "(none)")
    # What is kept is bounded, what is not may be as long as a head may be.
    for field, bad in ("User-Agent", True), ("CF-IPCity", trusted):
        fields = [(field, "x" * 1000)]
        if bad:
            with pytest.raises(Refused) as e:
                Probe(k, "g", fields=fields)
            assert e.value.response.status == 431
        else:
            Probe(k, "g", fields=fields).close()


# ---- scripts/run ----

class Script:
    """scripts/run in a tree of its own, where nothing is built or started."""

    def __init__(self, top):
        self.top = top
        for name in "scripts", "build/gatewayd", "bin":
            os.makedirs(f"{top}/{name}")
        shutil.copy(f"{kits.TOP}/scripts/run", f"{top}/scripts/run")
        open(f"{top}/build/build.ninja", "w").close()
        self.write("scripts/deps", "")
        self.write("bin/ninja", "")
        self.write("build/gatewayd/gatewayd",
                   'for a; do echo "arg $a"; done\n')

    def write(self, name, text):
        with open(f"{self.top}/{name}", "w") as f:
            f.write("#!/bin/sh\n" + text)
        os.chmod(f"{self.top}/{name}", 0o755)

    def run(self, *args, **env):
        p = subprocess.run(
            [f"{self.top}/scripts/run", *args], capture_output=True, text=True,
            timeout=wait.limit(30), env={**os.environ, **env, "PATH":
                             f"{self.top}/bin:{os.environ['PATH']}"})
        assert p.returncode == 0, p.stderr
        said, _, given = p.stdout.partition("arg ")
        return said, given.replace("arg ", "").split("\n")


def test_the_script_does_not_print_it(tmp_path):
    said, given = Script(tmp_path).run(
        "--redis", f"redis://me:{WORD}@host:1/2")
    assert f"redis://me:{WORD}@host:1/2" in given
    assert "host" in said and WORD not in said


def test_where_the_sockets_are_cannot_be_foretold(tmp_path):
    """A tree whose path is too long for sockets in it."""
    deep = tmp_path / ("d" * 90)
    deep.mkdir()
    script = Script(deep)
    dirs = []
    for _ in range(2):
        said, given = script.run()
        dirs.append(given[given.index("--run-dir") + 1])
        assert dirs[-1] in said
    run = dirs[0]
    try:
        assert dirs == [run] * 2
        assert os.stat(run).st_mode & 0o777 == 0o700
        assert os.listdir(run) == []
        # One that somebody else has put there is not taken.
        os.rmdir(run)
        os.symlink(tmp_path, run)
        said, given = script.run()
        dirs.append(given[given.index("--run-dir") + 1])
        assert dirs[-1] != run
        os.unlink(run)
    finally:
        for d in set(dirs):
            if os.path.isdir(d) and not os.path.islink(d):
                os.rmdir(d)


@pytest.mark.parametrize("what", ["run", "state"])
def test_a_directory_that_is_a_link_is_refused(request, what):
    top = tempfile.mkdtemp(prefix="link.")      # short: it would hold sockets
    request.addfinalizer(lambda: shutil.rmtree(top))
    files = ["control.sock", "link-0-0123456789abcdef.sock", "redis.sock"]
    os.mkdir(f"{top}/theirs", 0o700)
    for name in files:
        with open(f"{top}/theirs/{name}", "w") as f:
            f.write("precious")
    os.symlink(f"{top}/theirs", f"{top}/link")
    for path in f"{top}/link", f"{top}/link/":
        dirs = {"run": f"{top}/run", "state": f"{top}/state", what: path}
        p = subprocess.run(
            [kits.GATEWAYD, "--run-dir", dirs["run"], "--state-dir",
             dirs["state"], "--listen", f"127.0.0.1:{kits.Ports.take()}"],
            capture_output=True, text=True, timeout=wait.limit(30))
        assert p.returncode == 1
        assert "symbolic link" in p.stderr and path in p.stderr
    assert sorted(os.listdir(f"{top}/theirs")) == files


# ---- where a forest is ----

FORESTS = {
    "redis": f"redis://user:{WORD}@127.0.0.1:1/0",
    "redis query": f"redis://127.0.0.1:1/0?password={WORD}",
    "postgres": f"postgresql://kennel:{WORD}@127.0.0.1:1/forest",
    "postgres query": f"postgresql://kennel@127.0.0.1:1/forest?password={WORD}",
    # What libpq says of these quotes them.
    "bad bracket": f"postgresql://kennel:{WORD}@[::1/forest",
    "bad query": f"postgresql://kennel:{WORD}@127.0.0.1/forest?nonsense=1",
    "bad port": f"postgresql://kennel:{WORD}@127.0.0.1:x/forest",
    "bad percent": f"postgresql://kennel:{WORD}%zz@127.0.0.1/forest",
    "bad separator": f"postgresql://127.0.0.1/forest?password={WORD}={WORD}",
    "a space": f"postgresql://kennel:a {WORD}@127.0.0.1/forest",
}


@pytest.mark.parametrize("name", FORESTS)
def test_the_password_of_a_forest_is_not_to_be_seen(start, tmp_path, name):
    """Nor by --check, whether the server answers or not, while it is reloaded."""
    config = f"[ape]\nnamespace = wood\nforest = {FORESTS[name]}\n"
    ini = tmp_path / "kennel.ini"
    ini.write_text(config)
    p = subprocess.run([kits.GATEWAYD, "--check", "--config", str(ini)],
                       capture_output=True, text=True, timeout=wait.limit(30))
    assert WORD not in p.stdout + p.stderr
    if p.returncode != 0:
        assert "ape" in p.stderr or "forest" in p.stderr
        return
    k = start("--log-level", "debug", config=config, shards=1)
    if name.startswith(("postgres", "bad", "a ")):
        k.wait_log("forest postgres away why=")
    mark = len(k.log())
    with open(k.config, "a") as f:
        f.write(f"\n[worker]\nape_server_id = {WORD[:2]}x\n")
    os.kill(k.pid, signal.SIGHUP)
    k.wait_log("signal=HUP|config", mark=mark)
    assert seen(k) == []


@pytest.mark.parametrize("value", [
    f"http://user:{WORD}@host", f"redis://user:{WORD}@host:x",
    f"redis://user:{WORD}@host/x", f"redis://h?pass={WORD}"])
def test_nor_where_it_is_wrong(tmp_path, value):
    ini = tmp_path / "kennel.ini"
    for text in f"[ape]\nforest = {value}\n", f"[worker]\nape_forest = {value}\n":
        ini.write_text(text)
        p = subprocess.run([kits.GATEWAYD, "--check", "--config", str(ini)],
                           capture_output=True, text=True,
                           timeout=wait.limit(30))
        assert p.returncode == 1 and "forest" in p.stderr
        assert WORD not in p.stdout + p.stderr


def test_the_key_of_files_is_not_to_be_seen(start, tmp_path):
    os.chmod(tmp_path, 0o711)
    (tmp_path / "key").write_text(f"{WORD} and more than that\n")
    k = start("--log-level", "debug", "--admin", kits.Ports.take(), shards=1,
              config=f"[ape]\nkey_file = {tmp_path}/key\n")
    get(k, "/api/ape/ping")
    assert seen(k) == []
    for text, why in (("short\n", "shorter than 16"), (None, "is not a file")):
        (tmp_path / "key").unlink()
        if text is not None:
            (tmp_path / "key").write_text(text)
        ini = tmp_path / "kennel.ini"
        ini.write_text(f"[ape]\nkey_file = {tmp_path}/key\n")
        p = subprocess.run([kits.GATEWAYD, "--check", "--config", str(ini)],
                           capture_output=True, text=True,
                           timeout=wait.limit(30))
        assert p.returncode == 1 and why in p.stderr and "key_file" in p.stderr
