"""deploy/docker-compose.yml: one command, and two people chat over TLS."""
import json
import os
import re
import shutil
import ssl

import pytest
import yaml
from kit import containers, wait
from kit.chat import Chat
from kit.kennel import TOP, Ports
from kit.pact import Pact

DEPLOY = os.path.join(TOP, "deploy")


def test_the_file_is_what_the_specification_says():
    """Compose's own schema (compose_spec.json) and reader, with no engine."""
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (scripts/deps container)")
    for profile in (), ("--profile", "observe"):
        out = containers.run("docker-compose", *profile, "config",
                             cwd=DEPLOY, env=os.environ).stdout
        for service in "kennel", "redis", "proxy":
            assert re.search(rf"^  {service}:$", out, re.M)
    # What it leaves open: each service is closed, and built here.
    with open(os.path.join(DEPLOY, "docker-compose.yml")) as f:
        services = yaml.safe_load(f)["services"]
    for name, s in services.items():
        assert s["read_only"] and s["cap_drop"] == ["ALL"], name
        assert s["security_opt"] == ["no-new-privileges:true"], name
        context = os.path.join(DEPLOY, s["build"]["context"])
        if not s.get("profiles"):
            assert os.path.exists(os.path.join(
                context, s["build"]["dockerfile"])), name
    assert [n for n, s in services.items() if s.get("ports") and
            not s.get("profiles")] == ["proxy"]
    with open(os.path.join(DEPLOY, ".env")) as f:
        given = re.findall(r"^(KENNEL_\w+)=", f.read(), re.M)
    assert given == ["KENNEL_HOST", "KENNEL_PORT", "KENNEL_LIMIT"]


class Stack:
    """The file, brought up as an operator does who has edited .env."""

    def __init__(self, directory):
        self.name = f"kennel-test-{os.getpid()}"
        self.dir = os.path.join(directory, "deploy")
        shutil.copytree(DEPLOY, self.dir)
        self.port = Ports.take()
        env = os.path.join(self.dir, ".env")
        text = open(env).read()
        for key, value in (("HOST", "kennel.example"), ("PORT", self.port),
                           ("LIMIT", 1)):
            text, n = re.subn(rf"^KENNEL_{key}=.*$", f"KENNEL_{key}={value}",
                              text, flags=re.M)
            assert n == 1, key
        with open(env, "w") as f:
            f.write(text + f"KENNEL_IMAGE={containers.IMAGE}\n")
        # Debian 12's podman-compose knows no profiles, and would start all.
        file = os.path.join(self.dir, "docker-compose.yml")
        with open(file) as f:
            whole = yaml.safe_load(f)
        whole["services"] = {n: s for n, s in whole["services"].items()
                             if not s.get("profiles")}
        with open(file, "w") as f:
            yaml.safe_dump(whole, f)
        self.front = containers.Front("127.0.0.1", self.port, tls=True)

    def compose(self, *args):
        return containers.run("podman-compose", "-p", self.name, *args,
                              cwd=self.dir, timeout=300)

    def up(self):
        self.compose("up", "-d")
        self.wait()

    def wait(self):
        wait.until(lambda: containers.served(self.front), 90,
                   "served; " + self.logs())

    def container(self, service):
        return f"{self.name}_{service}_1"

    def shell(self, service, script, **kw):
        return containers.shell(self.container(service), script, **kw)

    def logs(self):
        return "".join(f"{s}:\n{containers.logs(self.container(s))[-2000:]}"
                       for s in ("kennel", "redis", "proxy"))

    def status(self):
        return json.loads(self.shell(
            "kennel", "kennelctl status --run-dir /run/kennel --json"))

    def redis(self, *args):
        return self.shell("redis", "REDISCLI_AUTH=$(cat "
                          "/run/kennel-secrets/redis-password) redis-cli " +
                          " ".join(args)).split("\n")

    def presence(self):
        """{key: addresses} of all clients in Redis."""
        return {k: self.redis("HKEYS", k) for k in
                self.redis("--scan", "--pattern", "'kennel:client:*'") if k}

    def remove(self):
        containers.run("podman-compose", "-p", self.name, "down", "-v", "-t",
                       "0", cwd=self.dir, check=False)
        for s in "state", "redis", "secrets", "tls", "prometheus":
            containers.run("podman", "volume", "rm", "-f",
                           f"{self.name}_{s}", check=False)


@pytest.fixture(scope="module")
def stack(image, tmp_path_factory):
    containers.build(image + "-proxy", "-f", "deploy/proxy/Dockerfile",
                     "deploy")
    s = Stack(str(tmp_path_factory.mktemp("stack")))
    try:
        s.up()
        yield s
    finally:
        s.remove()


def come(client, *args, **kw):
    """Somebody who comes again until there is room."""
    def once():
        try:
            return client(*args, **kw)
        except Exception:       # refused or cut off, as browsers see it
            return None
    return wait.until(once, 60)


def counted(stack, room, id):
    """What a newcomer to the room is told of a counter."""
    with come(Pact, stack.front, room=room) as p:
        p.tell("subscribe", "counter:" + id)
        return p.until("counter", lambda d: d["id"] == id)[1]["value"]


def test_two_chat_over_tls_in_two_shards(stack):
    s = stack.front.address
    der = s.getpeercert(binary_form=True)
    s.close()
    pem = containers.run("openssl", "x509", "-noout", "-subject", "-ext",
                         "subjectAltName", "-in", "/dev/stdin",
                         check=False).stdout if not der else \
        ssl.DER_cert_to_PEM_cert(der)
    assert "BEGIN CERTIFICATE" in pem
    with Chat(stack.front, "tls", "ann") as a, \
            Chat(stack.front, "tls", "bob") as b:
        assert a.shard() != b.shard()
        a.say("hello")
        assert b.next(type="user:msg")["text"] == "hello"
        b.say("good evening")
        assert a.next(type="user:msg", text="good evening")
        assert stack.status()["redis"]["mode"] == "url"
        assert set(stack.presence()) == {"kennel:client:tls:ann",
                                         "kennel:client:tls:bob"}


def test_the_password_stands_in_its_file_and_nowhere_else(stack):
    file = "/run/kennel-secrets/redis-password"
    secret = stack.shell("redis", f"cat {file}")
    assert re.fullmatch("[0-9a-f]{64}", secret)
    assert stack.shell("redis", f"stat -c %a {file}") == "600"
    # It is asked for.
    assert "NOAUTH" in stack.shell("kennel", "redis-cli -h redis keys '*' 2>&1")
    for service in "kennel", "redis", "proxy":
        name = stack.container(service)
        assert secret not in json.dumps(containers.inspect(name)), service
        assert secret not in containers.logs(name), service
        assert secret not in stack.shell(
            service, "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ "
            "2>/dev/null | tr '\\0' '\\n'; :"), service
    for image in containers.IMAGE, containers.IMAGE + "-proxy":
        assert "redis-password" not in containers.podman(
            "run", "--rm", "--network=none", "--entrypoint", "ls", image,
            "-R", "/run")
    assert stack.shell("proxy", "ls /run/kennel-secrets 2>/dev/null; :") == ""


def test_the_health_of_all_is_told(stack):
    for service in "kennel", "redis":
        containers.podman("healthcheck", "run", stack.container(service))


def test_a_killed_shard_takes_nobody_along(stack):
    with Chat(stack.front, "killed", "ann") as a, \
            Chat(stack.front, "killed", "bob") as b:
        at = a.shard()
        pid = next(s["pid"] for s in stack.status()["shards"]
                   if s["address"] == at)
        stack.shell("kennel", f"kill -9 {pid}")
        wait.until(lambda: stack.status()["totals"]["survived"] > 0, 20,
                   "its connections go on")
        assert a.shard() != at
        a.say("still there?")
        assert b.next(type="user:msg", text="still there?")
    wait.until(lambda: not stack.presence(), 20, "nobody is in Redis")


def test_stop_and_start_loses_nothing_that_lasts(stack):
    name = stack.status()["node"]
    with Pact(stack.front, room="kept") as p:
        p.count("visits", 41)
        p.barrier()
    assert counted(stack, "kept", "visits") == 41
    with Chat(stack.front, "stopped", "ann") as a:
        mark = len(containers.logs(stack.container("kennel")))
        stack.compose("stop", "-t", "30", "kennel")
        assert a.end() in (1001, 1006)
        # It went in order: its people are not in Redis any more.
        assert "left" in containers.logs(stack.container("kennel"))[mark:]
        assert containers.state(stack.container("kennel"))["ExitCode"] == 0
        assert not stack.presence()
    stack.compose("stop", "-t", "30")
    stack.compose("start")
    stack.wait()
    assert stack.status()["node"] == name
    assert counted(stack, "kept", "visits") == 41


def test_a_new_image_keeps_what_lasts_and_sweeps_the_dead(stack):
    """The containers are killed, removed and made again."""
    name = stack.status()["node"]
    secret = stack.shell("redis", "cat /run/kennel-secrets/redis-password")
    host = stack.shell("kennel", "cat /etc/hostname")
    with Pact(stack.front, room="rolled") as p:
        p.count("visits", 7)
        p.barrier()
    a = Chat(stack.front, "dead", "ann")
    dead = a.shard()
    assert stack.presence() == {"kennel:client:dead:ann": [dead]}
    for service in "kennel", "redis":
        containers.podman("kill", stack.container(service))
    containers.podman("rm", "-f", "-t", "0", stack.container("kennel"))
    containers.podman("rm", "-f", "-t", "0", stack.container("redis"))
    stack.compose("up", "-d")
    a.close()
    stack.wait()
    assert stack.shell("kennel", "cat /etc/hostname") != host
    assert stack.status()["node"] == name
    assert secret == stack.shell("redis",
                                 "cat /run/kennel-secrets/redis-password")
    with come(Chat, stack.front, "dead", "bob") as b:
        assert "ann" not in json.dumps(b.users())
        wait.until(lambda: list(stack.presence()) ==
                   ["kennel:client:dead:bob"], 40,
                   f"ann is swept: {stack.presence()}")
        assert dead not in stack.redis("SMEMBERS", "kennel:shards")
    assert counted(stack, "rolled", "visits") == 7
    assert counted(stack, "kept", "visits") == 41


def test_it_ends_in_order(stack):
    stack.compose("stop", "-t", "30")
    for service in "kennel", "redis":
        state = containers.state(stack.container(service))
        assert state["ExitCode"] == 0, (service, state)
