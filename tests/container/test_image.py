"""The image: small, closed, and all of Kennel works in it."""
import json
import os
import re
import shutil

from kit import containers, wait
from kit.chat import Chat
from kit.kennel import TOP
from kit.ws import WebSocket

# All that can be taken away.
CLOSED = ("--read-only", "--cap-drop", "ALL", "--security-opt",
          "no-new-privileges")


def front(id):
    f = containers.Front(containers.address(id), 8080)
    wait.until(lambda: containers.served(f), 60,
               "served:\n" + containers.logs(id)[-2000:])
    return f


def status(id):
    return json.loads(containers.podman("exec", id, "kennelctl", "status",
                                        "--run-dir", "/run/kennel", "--json"))


def processes(id):
    """{pid: (parent, state, name)} in the container, without ps."""
    out = containers.shell(id, "cat /proc/[0-9]*/stat 2>/dev/null || :")
    rows = re.findall(r"^(\d+) \((.*)\) (\S) (\d+) ", out, re.M)
    return {int(p): (int(pp), s, n) for p, n, s, pp in rows}


def test_it_is_small_and_nothing_of_the_build_is_left(image):
    size = int(containers.inspect(image)["Size"])
    base = int(containers.inspect(containers.BASE)["Size"])
    assert size - base < 120_000_000, (size, base)
    left = containers.podman(
        "run", "--rm", "--network=none", "--entrypoint", "sh", image, "-c",
        "ls -d /src /out /usr/include/kennel.h /var/lib/apt/lists/* "
        "/usr/bin/gcc /usr/bin/meson /usr/share/doc/kennel 2>/dev/null; "
        "ls /usr/share/kennel/pages; id -u; dpkg -l | grep -c -- -dev; :")
    files = left.split()
    assert not [f for f in files if f.startswith("/")], left
    assert "chat.html" in files
    assert files[-2:] == ["10001", "0"]


def test_it_says_what_a_runtime_wants_to_know(image):
    image = containers.inspect(image)
    c = image["Config"]
    assert c["User"] == "kennel"
    assert c["StopSignal"] in ("SIGTERM", "15")
    assert set(c["Volumes"]) == {"/var/lib/kennel", "/run/kennel"}
    assert image["Healthcheck"]["Test"][:2] == ["CMD", "kennelctl"]
    assert "8080/tcp" in c["ExposedPorts"]
    # No secret has a place in it.
    assert "PASSWORD" not in json.dumps(c)


def test_podman_run_alone_is_a_chat(image, start):
    """Closed as it can be, with a Redis of its own; and it ends in order."""
    id = start(*CLOSED, image, "--shards", "2")
    f = front(id)
    with Chat(f, "g", "ann") as a, Chat(f, "g", "bob") as b:
        c = Chat(f, "g", "cat")         # a third one: in the other shard
        assert len({x.shard() for x in (a, c)}) == 2
        a.say("hello")
        assert b.next(type="user:msg")["text"] == "hello"
        assert c.next(type="user:msg")["text"] == "hello"
        c.close()
    seen = status(id)
    assert seen["redis"] == {**seen["redis"], "mode": "auto", "up": True}
    assert seen["pid"] == 1
    # /proc says of each process: not root, no capability, no new privileges.
    out = containers.shell(id, "cat /proc/1/status")
    assert re.search(r"^Uid:\s+10001\s+10001\s+10001\s+10001$", out, re.M)
    for name in "CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb":
        assert re.search(rf"^{name}:\s+0{{16}}$", out, re.M), out
    assert re.search(r"^NoNewPrivs:\s+1$", out, re.M)
    assert containers.run("podman", "exec", id, "touch", "/x",
                          check=False).returncode != 0
    containers.podman("healthcheck", "run", id)
    containers.podman("stop", "-t", "60", id)
    assert containers.state(id)["ExitCode"] == 0, containers.logs(id)
    assert "left" in containers.logs(id).splitlines()[-1]


def test_process_1_reaps_what_is_orphaned(image, start):
    id = start(*CLOSED, image)
    front(id)
    # Three children whose parent ends before them, which ends at once then.
    containers.shell(id, "(sleep 1 & sleep 1 & sleep 1 &) ; :")
    wait.until(lambda: any(n == "sleep" and pp == 1 for pp, _, n in
                           processes(id).values()) or
               not any(n == "sleep" for _, _, n in processes(id).values()))
    wait.until(lambda: not [n for _, s, n in processes(id).values()
                            if s == "Z" or n == "sleep"], 20,
               f"no zombie: {processes(id)}")
    assert status(id)["pid"] == 1


def test_process_1_becomes_another_gateway(image, start):
    """It is executed in its place: the container goes on, and so do its clients."""
    id = start(*CLOSED, image, "--shards", "2")
    f = front(id)
    with Chat(f, "g", "ann") as a:
        for _ in range(3):
            started = status(id)["started"]
            containers.shell(id, "kennelctl upgrade gateway")
            assert status(id)["started"] != started and status(id)["pid"] == 1
            assert a.users()
        containers.shell(id, "kennelctl upgrade --no-wait")
        wait.until(lambda: status(id)["upgrade"]["phase"] == "holding", 60)
        containers.shell(id, "kennelctl commit")
        assert status(id)["upgrade"]["ok"] and a.users()
    containers.podman("healthcheck", "run", id)
    assert containers.state(id)["Running"]


def test_a_shard_that_is_killed_is_replaced(image, start):
    id = start(*CLOSED, image, "--shards", "2")
    f = front(id)
    pid = status(id)["shards"][0]["pid"]
    containers.shell(id, f"kill -9 {pid}")
    wait.until(lambda: {s["state"] for s in status(id)["shards"]} ==
               {"ready"} and pid not in {s["pid"] for s in
                                         status(id)["shards"]}, 30)
    with Chat(f, "g", "ann") as a:
        assert a.users()
    containers.podman("healthcheck", "run", id)


def test_what_hangs_is_unhealthy(image, start):
    id = start(*CLOSED, image)
    front(id)
    containers.podman("healthcheck", "run", id)
    # Not from inside, where nobody can stop process 1.
    os.kill(containers.state(id)["Pid"], 19)
    p = containers.run("podman", "healthcheck", "run", id, check=False)
    os.kill(containers.state(id)["Pid"], 18)
    assert p.returncode != 0


def test_a_node_that_is_made_again_is_the_same(image, start, podman):
    """Another host name, a killed container: the same name and state."""
    volume = f"kennel-test-{os.getpid()}"
    podman("volume", "create", volume)
    try:
        one = start(*CLOSED, "-v", f"{volume}:/var/lib/kennel", image)
        front(one)
        name = status(one)["node"]
        assert name.startswith(containers.inspect(one)["Config"]["Hostname"])
        podman("kill", one)
        two = start(*CLOSED, "-v", f"{volume}:/var/lib/kennel", image)
        front(two)
        assert status(two)["node"] == name
        assert not name.startswith(
            containers.inspect(two)["Config"]["Hostname"])
        podman("kill", two)
    finally:
        containers.run("podman", "rm", "-f", "-t", "0", one, two, check=False)
        podman("volume", "rm", "-f", volume)


def test_a_worker_of_ones_own_is_one_line(image, start, directory):
    """deploy/examples/worker: built on the image, and it counts."""
    at = os.path.join(directory, "worker")
    shutil.copytree(os.path.join(TOP, "deploy", "examples", "worker"), at)
    file = os.path.join(at, "Dockerfile")
    text = open(file).read()
    assert len(re.findall(r"^(?:COPY|CMD) ", text.split("FROM kennel\n")[1],
                          re.M)) == 2
    with open(file, "w") as f:
        f.write(re.sub(r"^FROM kennel", f"FROM {image}", text, flags=re.M))
    mine = containers.build(containers.IMAGE + "-counter", at)
    id = start(*CLOSED, mine)
    f = containers.Front(containers.address(id), 8080)
    wait.until(lambda: " ready " in containers.logs(id), 60)
    with WebSocket(f.address, path="/kitchen?u=ann") as a:
        assert a.recv() == "0"
        a.send("x")
        assert a.recv() == "1"
        # Who decides is killed: the count is not lost.
        for s in status(id)["shards"]:
            if s["replicas"]:
                containers.shell(id, f"kill -9 {s['pid']}")

    def again():
        try:
            with WebSocket(f.address, path="/kitchen?u=bob") as b:
                return b.recv()
        except Exception:       # refused, or cut off: it is starting
            return None
    assert wait.until(again, 30) == "1"
