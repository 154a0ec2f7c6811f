"""A Redis that speaks TLS, and a password that is in a file."""
import socket
import subprocess

import pytest
from kit import kennel as kits
from kit import redis, wait
from kit.certs import Certs
from kit.chat import Chat

WORD = "t0psecret"


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    return Certs(tmp_path_factory.mktemp("certs"))


def up(k):
    return k.status()["redis"]["up"]


def listed(server, key, auth=()):
    with redis.Redis(server.path) as r:
        if auth:
            r("AUTH", *auth)
        return r.hash(key)


def ini(**keys):
    return "[gateway]\n" + "".join(f"redis_{k} = {v}\n" for k, v in keys.items())


def used(k, server, auth=()):
    """Gateway and shards both have what they need: clients are in the table."""
    wait.until(lambda: up(k), 20, "Redis is up")
    with Chat(k, "g", "a") as a, Chat(k, "g", "b") as b:
        for who in a, b:
            wait.until(lambda: listed(server, "kennel:client:g:" + who.name,
                                      auth) == {who.shard(): "1"}, 20)
    assert listed(server, "kennel:node:" + k.status()["node"], auth)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("clients", ["no", "yes"])
def test_tls(start, server, certs, host, clients):
    server.args = certs.server(server.port, clients=clients)
    server.start()
    keys = dict(ca_file=certs("ca"))
    if clients == "yes":
        keys.update(cert_file=certs("client"), key_file=certs("client", "key"))
    k = start(redis=f"rediss://{host}:{server.port}", config=ini(**keys),
              limit=1)
    used(k, server)
    server.stop()                       # and again
    wait.until(lambda: not up(k), 20, "Redis is away")
    server.start()
    used(k, server)


def test_much_over_tls(start, server, certs):
    """More than a record, in both directions, and two connections a shard."""
    server.args = certs.server(server.port)
    server.start()
    k = start(redis=f"rediss://127.0.0.1:{server.port}", limit=30,
              config=ini(ca_file=certs("ca")) + "[worker]\nwhisper_ask = 0\n")
    wait.until(lambda: up(k), 20)
    people = [Chat(k, "crowd", f"{i}" + "x" * 80) for i in range(60)]
    wait.until(lambda: len(redis_keys(server, "kennel:client:crowd:*")) == 60,
               30, "all are in the table")
    for p in people:
        p.close()
    wait.until(lambda: not redis_keys(server, "kennel:client:crowd:*"), 30)


def redis_keys(server, pattern):
    with redis.Redis(server.path) as r:
        return r.keys(pattern)


FAULTS = {
    "stranger": (dict(ca_file="stranger"), {},
                 "certificate is not accepted: "),
    "elsewhere": (dict(ca_file="ca"), dict(name="elsewhere"),
                  "certificate is not accepted: IP address mismatch"),
    "machine's": ({}, {}, "certificate is not accepted: "),
    "no file": (dict(ca_file="none"), {},
                "CA file .*none.pem: No such file or directory"),
    "no certificate": (dict(ca_file="ca"), dict(clients="yes"),
                       "TLS: .*(certificate required|handshake failure)"),
    "no key": (dict(ca_file="ca", cert_file="client", key_file="none"), {},
               "key file .*none.pem: No such file or directory"),
    "other key": (dict(ca_file="ca", cert_file="client", key_file="ca"), {},
                  "key file .*ca.pem: "),
    "bare": (dict(ca_file="ca"), None, "does the server speak it here"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_said(start, server, certs, fault):
    """And nobody is dropped, or kept waiting, for it."""
    files, args, why = FAULTS[fault]
    if args is not None:
        server.args = certs.server(server.port, **args)
    server.start()
    k = start(redis=f"rediss://127.0.0.1:{server.port}", config=ini(
        **{key: certs(name) for key, name in files.items()}))
    k.wait_log(f'redis away why=".*{why}', timeout=20)
    assert not up(k)
    with Chat(k, "g", "a") as a, Chat(k, "g", "b") as b:
        a.say("hello")
        assert b.next(type="user:msg")["text"] == "hello"


def test_files_that_come_later(start, server, certs, tmp_path):
    """Each connection reads them: what is mended needs no restart."""
    tmp_path.chmod(0o755)
    server.args = certs.server(server.port)
    server.start()
    ca = tmp_path / "ca.pem"
    k = start(redis=f"rediss://127.0.0.1:{server.port}",
              config=ini(ca_file=ca))
    k.wait_log("redis away why=\"CA file")
    with open(certs("ca")) as f:
        ca.write_text(f.read())
    used(k, server)


def test_a_server_that_answers_something_else(start, certs):
    with socket.create_server(("127.0.0.1", 0)) as s:
        k = start(redis=f"rediss://127.0.0.1:{s.getsockname()[1]}",
                  config=ini(ca_file=certs("ca")), ready=False)
        s.settimeout(wait.limit(20))
        with s.accept()[0] as c:
            c.sendall(b"-ERR what is this?\r\n")
            k.wait_log('redis away why="TLS: the server does not speak TLS '
                       'here', timeout=20)
    wait.until(k.ready, 20)


def test_a_server_that_does_not_shake_hands(start, certs):
    """It is left when its time is over, and the way out is not blocked."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        k = start(redis=f"rediss://127.0.0.1:{port}",
                  config=ini(ca_file=certs("ca")))
        k.wait_log('redis away why="TLS has not come about in time', timeout=20)
        assert k.term() == 0


# ---- passwords ----

def seen(k):
    """Where the word is to be seen: processes, logs, what is said of them."""
    places = {"log": k.log(), "json": k.ctl("status", "--json"),
              "status": k.ctl("status")}
    for pid in k.pids():
        for name in "cmdline", "environ":
            with open(f"/proc/{pid}/{name}", "rb") as f:
                places[f"{name} of {pid}"] = f.read().decode(errors="replace")
    return [p for p, text in places.items() if WORD in text]


@pytest.mark.parametrize("how", ["flag", "file"])
@pytest.mark.parametrize("user", [None, "kennel"])
def test_a_password_in_a_file(start, server, tmp_path, how, user):
    """It may come later, and change; a user needs no more than README says."""
    tmp_path.chmod(0o755)
    path = tmp_path / "a & b"           # a name to be encoded
    auth = ("boss", "boss")
    server.args = ["--user", "boss", "on", ">boss", "~*", "&*", "+@all",
                   "--user", "kennel", "on", ">" + WORD, "~kennel:*",
                   "&kennel:*", "+@all", "-@admin", "-@dangerous",
                   "--user", "default", *(["off"] if user else
                   ["on", "resetpass", ">" + WORD, "~*", "&*", "+@all"])]
    server.start()
    keys = {} if how == "flag" else dict(password_file=path)
    if user:
        keys["user"] = user
    args = ["--redis-password-file", path] if how == "flag" else []
    k = start("--log-level", "debug", *args, config=ini(**keys) if keys else "",
              redis=f"redis://127.0.0.1:{server.port}")
    k.wait_log("redis away why=\"password file .*: No such file or directory")
    path.write_text("wrong\n")
    k.wait_log("WRONGPASS")
    path.write_text(WORD + "\n")
    used(k, server, auth)
    with redis.Redis(server.path) as r:
        r("AUTH", *auth)
        r("ACL", "SETUSER", user or "default", "resetpass", ">" + WORD + "2")
        mark = len(k.log())
        path.write_text(WORD + "2\n")
        r("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        r("CLIENT", "KILL", "TYPE", "pubsub")
    k.wait_log("redis up for=registry", mark=mark, timeout=20)
    used(k, server, auth)
    assert seen(k) == []


def test_the_environment_for_other_urls(start, server, certs):
    server.args = [*certs.server(server.port), "--requirepass", WORD]
    server.start()
    k = start("--log-level", "debug", redis=f"rediss://127.0.0.1:{server.port}",
              config=ini(ca_file=certs("ca")),
              env={"KENNEL_REDIS_PASSWORD": WORD})
    used(k, server, ("default", WORD))
    assert seen(k) == []


WRONG = {
    "auto": (["--redis-password-file", "/x"], "redis_password_file is for a "
             "Redis of yours"),
    "none": (["--redis", "none", "--redis-password-file", "/x"],
             "redis_password_file is for a Redis of yours"),
    "twice": (["--redis", "redis://:a@b", "--redis-password-file", "/x"],
              "there is a password and a password_file"),
    "no name": (["--redis", "sentinel://a:1,b"],
                "behind the Sentinels stands /NAME"),
    "port": (["--redis", "rediss://a:0"], "the port must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_go_together_is_refused(case):
    args, why = WRONG[case]
    done = subprocess.run([kits.GATEWAYD, "--check", *args],
                          capture_output=True, text=True)
    assert done.returncode != 0
    assert why in done.stderr


@pytest.mark.parametrize("key", ["ca_file", "cert_file"])
def test_tls_keys_need_tls(tmp_path, key):
    path = tmp_path / "kennel.ini"
    scheme = "redis" if key == "ca_file" else "rediss"
    path.write_text(f"[gateway]\nredis = {scheme}://a\nredis_{key} = /x\n")
    done = subprocess.run([kits.GATEWAYD, "--check", "--config", str(path)],
                          capture_output=True, text=True)
    assert done.returncode == 1
    assert key in done.stderr
