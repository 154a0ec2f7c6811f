"""Who may publish in Redis is not believed for that: a key is, where there is one."""
import os
import re
import shutil
import subprocess

import pytest
from kit import kennel as kits
from kit import metrics, redis, wait
from kit.chat import Chat, again, settle
from kit.ear import DATA, ROOM, Ear

KEY = "0123456789abcdef0123"


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    path.chmod(0o644)
    tmp_path.chmod(0o755)
    return path


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


@pytest.fixture
def recorded(start, url, server, key):
    """Two nodes, each with people in two shards; what one has said in the room, and to one."""
    pair = [node(start, n, url, key, faults="bus dropped") for n in ("one", "two")]
    people = [Chat(pair[i % 2], "g", f"u{i}") for i in range(8)]
    settle(*people)
    with Ear(server) as ear:
        people[0].say("old word")
        for p in people:
            p.next(type="user:msg", text="old word")
        people[0].say("/w u1 old whisper")
        people[1].next(type="user:msg", text="old whisper")
        wait.until(lambda: all(any(word in f for _, f in ear.of("one", kind)) for kind, word in
                               ((ROOM, b"old word"), (DATA, b"old whisper"))), 20)
        frames = {kind: ear.of("one", kind) for kind in (ROOM, DATA)}
    settle(*people)
    return pair, people, frames


def none_is_heard(people):
    """Nothing old; and all are heard afterwards."""
    for p in people:
        p.say("new " + p.name)
    for p in people:
        left = {"new " + o.name for o in people}
        while left:
            m = p.next(type="user:msg")
            assert "old" not in m["text"]
            left.discard(m["text"])
        p.close()


def say_again(server, frames, channel=None):
    """How many heard that."""
    with redis.Redis(server.path) as r:
        return sum(r("PUBLISH", channel or c, f) for c, f in frames)


def test_what_was_said_before_two_met_afresh_is_dropped(recorded, server):
    """47: Its session is over, its position behind."""
    pair, people, frames = recorded
    with redis.Redis(server.path) as r:
        r("CLIENT", "KILL", "TYPE", "pubsub")
    for k in pair:
        k.wait_log("bus redis=away", 20)
    again(*people)
    for kind in ROOM, DATA:
        before = bad(pair[1])
        heard = say_again(server, frames[kind])
        assert heard >= 1
        wait.until(lambda n=before + heard: bad(pair[1]) >= n, 20)
    none_is_heard(people)


def test_what_was_said_to_a_former_shard_is_dropped(recorded, server):
    """47: The room is the same, and has been heard up to there; the shard's channel is not."""
    pair, people, frames = recorded
    pair[1].kill_all()
    pair[1].start()
    people[1::2] = [Chat(pair[1], "g", f"v{i}") for i in range(4)]
    again(*people)
    before = bad(pair[1])
    heard = say_again(server, frames[ROOM])
    assert heard >= 1
    wait.until(lambda: bad(pair[1]) >= before + heard, 20)
    assert say_again(server, frames[DATA]) == 0
    before = bad(pair[1])
    for s in pair[1].shards():
        assert say_again(server, frames[DATA], "kennel:bus:0:shard:" + s["address"])
    wait.until(lambda: bad(pair[1]) >= before + 2 * len(frames[DATA]), 20)
    none_is_heard(people)


def test_what_a_former_shard_has_said_is_dropped(recorded, server):
    """47: Nobody answers for it, so that nobody is kept for it either."""
    pair, people, frames = recorded
    pair[0].kill_all()
    pair[1].wait_log("node=one is dead", 40)
    pair[0].start()
    people[0::2] = [Chat(pair[0], "g", f"v{i}") for i in range(4)]
    again(*people)
    # Its node has said so, too: whoever dies later is looked for no more.
    wait.until(lambda: len(set(re.findall(r"slot=\d+ incarnation=(\w+) is dead",
                                          pair[1].log()))) == 2, 20)
    before = bad(pair[1])
    assert say_again(server, frames[ROOM]) >= 1
    assert say_again(server, frames[DATA]) >= 1
    pair[1].wait_log("link slot=.* node=one is refused: nobody answers", 30)
    wait.until(lambda: bad(pair[1]) > before, 20)
    none_is_heard(people)


def test_what_was_said_on_another_channel_is_dropped(recorded, server):
    """47: With the right key, but not for there."""
    pair, people, frames = recorded
    with redis.Redis(server.path) as r:
        channels = r("PUBSUB", "CHANNELS", "kennel:bus:*two*")
    for kind in ROOM, DATA:
        channel, f = frames[kind][-1]
        others = [c for c in channels if c != channel]
        assert others
        for c in others:
            before = bad(pair[1])
            heard = say_again(server, [(c, f)])
            assert heard >= 1
            wait.until(lambda n=before + heard: bad(pair[1]) >= n, 20)
    none_is_heard(people)


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


@pytest.mark.parametrize("how", ["upgraded", "killed"])
def test_gateways_come_and_go(start, url, key, how):
    """47: Each says the key again to shards that have it: they know each other as before."""
    pair = [node(start, n, url, key) for n in ("one", "two")]
    people = [Chat(pair[i % 2], "g", f"u{i}") for i in range(4)]
    again(*people, timeout=20)
    for k in pair * 3:
        if how == "upgraded":
            k.ctl("upgrade", "gateway")
        else:
            k.kill_gateway()
            k.start()
        wait.until(lambda k=k: len(k.shards()) == 2, 30)
        again(*people, timeout=20)
    assert bad(*pair) == 0
    for p in people:
        p.close()
