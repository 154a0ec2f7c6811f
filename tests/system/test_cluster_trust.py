"""Who may publish in Redis is not believed for that: a key is, where there is one."""
import os
import shutil
import subprocess

import pytest
from kit import kennel as kits
from kit import metrics, redis, wait
from kit.chat import Chat, settle
from kit.ear import Ear

KEY = "0123456789abcdef0123"


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    return path


@pytest.fixture
def url(server):
    server.start()
    return f"unix:{server.path}"


def node(start, name, url, key=None, **kw):
    config = f"[gateway]\ncluster_key_file = {key}\n" if key else ""
    return start("--node", name, redis=url, config=config, limit=2, **kw)


def bad(*nodes):
    return sum(metrics.value(k, "kennel_bus_bad_total") for k in nodes)


@pytest.mark.parametrize("keyed", [True, False])
def test_forged_garbled_and_repeated_messages_are_dropped(start, url, server,
                                                          key, keyed):
    """47"""
    pair = [node(start, n, url, key if keyed else None, faults="bus dropped")
            for n in ("one", "two")]
    ear = Ear(server)
    people = [Chat(pair[i % 2], "g", f"u{i}") for i in range(8)]
    settle(*people)
    people[0].say("said once")
    for p in people:
        p.next(type="user:msg", text="said once")
    wait.until(lambda: any(b"said once" in m for _, m in ear.heard), 10)
    frames = list(ear.heard)
    ear.close()
    with redis.Redis(server.path) as r:
        # All of it again, but HELLO, which says nothing new: what was said in the
        # room, what was said to one, and how far all was.
        for kind in b"\x03", b"\x02", b"\x04":
            before = bad(*pair)
            again = [f for f in frames if f[1][2:3] == kind]
            for channel, m in again:
                r("PUBLISH", channel, m)
            if kind != b"\x04":
                assert again
                wait.until(lambda n=before + len(again): bad(*pair) >= n, 20,
                           "each message is counted")
        for channel, m in frames[:40]:
            r("PUBLISH", channel, m[:len(m) // 2])
            r("PUBLISH", channel, b"")
            if keyed:                   # as somebody who has read them all
                r("PUBLISH", channel, m.replace(b"said once", b"said evil"))
                r("PUBLISH", channel, m[:-32])
                r("PUBLISH", channel, m[:40] + b"\xff" * 8 + m[48:])
    wait.until(lambda: bad(*pair) > len(frames), 20, "they are counted")
    for p in people:
        p.say("after " + p.name)
    for p in people:
        left = {"after " + o.name for o in people}
        while left:
            m = p.next(type="user:msg")
            assert m["text"] not in ("said once", "said evil")
            left.discard(m["text"])
    for p in people:
        p.close()


def test_a_node_with_another_key_is_not_heard(start, url, key, tmp_path):
    """47"""
    other = tmp_path / "other"
    other.write_text("another key, long enough\n")
    one, two = node(start, "one", url, key), node(start, "two", url, other)
    a, b = Chat(one, "g", "a"), Chat(two, "g", "b")
    one.wait_log("warn .*bus dropped=1 error=.a message without the cluster", 20)
    a.say("x")
    b.say("y")
    assert a.next(type="user:msg")["text"] == "x"
    assert b.next(type="user:msg")["text"] == "y"
    a.close()
    b.close()


def test_without_a_key_a_node_stays_alone_where_others_could_speak():
    """46: Said at the start; a Redis on this machine needs none."""
    k = kits.Kennel("--node", "one", redis="redis://192.0.2.1:6379",
                    ready=False)
    k.wait_log("warn .*node=one is alone: others could speak for nodes in this "
               "Redis.*give all nodes the same cluster_key_file", 20)
    k.destroy()


@pytest.mark.parametrize("text", ["short", ""])
def test_a_key_that_is_none_is_refused(url, key, text):
    """46"""
    key.write_text(text)
    k = kits.Kennel(redis=url, ready=False,
                    config=f"[gateway]\ncluster_key_file = {key}\n")
    assert k.process.wait(wait.limit(20)) != 0
    assert "cluster_key_file" in k.log()
    k.destroy()


def test_a_node_that_leaves_is_not_ready_first(start, url):
    """42: The balancer sees it before anybody is refused or closed."""
    k = start("--node", "one", redis=url,
              config="[gateway]\nleave_pause = 3s\n")
    a = Chat(k, "g", "a")
    k.process.terminate()
    wait.until(lambda: metrics.ask(k, "/readyz").status == 503, 3)
    b = Chat(k, "g", "b")               # is still taken
    b.say("hello")
    a.next(type="user:msg", text="hello")
    assert k.process.wait(wait.limit(30)) == 0
    k.check_gone()
    k.remove()


def test_the_files_of_deploy_cluster_are_right(tmp_path):
    """43: Two nodes, each with the file; the proxy knows both."""
    yaml = pytest.importorskip("yaml")
    there = os.path.join(kits.TOP, "deploy", "cluster")
    with open(os.path.join(there, "docker-compose.yml")) as f:
        services = yaml.safe_load(f)["services"]
    assert sorted(services) == ["one", "proxy", "redis", "two"]
    for s in services.values():
        assert s["read_only"] and s["cap_drop"] == ["ALL"]
    with open(os.path.join(there, "kennel.ini")) as f:
        text = f.read().replace("/run/kennel-secrets", str(tmp_path))
    (tmp_path / "cluster-key").write_text(KEY)
    (tmp_path / "kennel.ini").write_text(text)
    p = subprocess.run([kits.GATEWAYD, "--config", str(tmp_path / "kennel.ini"),
                        "--redis", "redis://redis:6379/0", "--run-dir",
                        "/tmp/kennel-none", "--worker", kits.SHARDD,
                        "--check"], capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    if shutil.which("haproxy"):
        p = subprocess.run(["haproxy", "-c", "-f",
                            os.path.join(there, "haproxy.cfg")],
                           capture_output=True, text=True)
        assert "unknown keyword" not in p.stderr + p.stdout, p.stderr
