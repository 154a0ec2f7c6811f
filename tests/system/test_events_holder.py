"""The holder of the uplinks: it is there from the start, without any client, another
process takes over when it ends, and the configuration may change while it runs.  And what
it stands on: groups that are there always."""
import os
import re
import signal
import subprocess

import pytest
from kit import kennel as kits
from kit import wait
from kit.fasttcp import Events
from kit.hosts import BROADCAST, Host, several


@pytest.fixture
def peers():
    with several() as make:
        yield make


def linked(peer, name="k1"):
    """Its one link, which has been announced."""
    def once():
        with peer.lock:
            links = list(peer.links)
        return links[0] if len(links) == 1 and \
            (name, peer.name, links[0].id) in peer.known else None
    return wait.until(once, 30, f"{peer.name} is linked")


def holder(k):
    """The slot whose process was the last one that began to hold."""
    return int(re.findall(r"shardd/(\d+)\[\d+\] events host=\S+ is held by this process\n",
                          k.log())[-1])


def reload(k, text, pattern):
    """Another configuration, and what the log says of it."""
    with open(k.config, "w") as f:
        f.write(text)
    mark = len(k.log())
    k.process.send_signal(signal.SIGHUP)
    k.wait_log(pattern, 30, mark)


def config(k):
    with open(k.config) as f:
        return f.read()


@pytest.mark.parametrize("shards", (1, 3))
def test_a_cluster_without_clients_is_a_host(start, tmp_path, peers, shards):
    """And its peers, which meet nowhere else, reach each other over it."""
    h2, h3 = peers("h2"), peers("h3")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),), (h3.listen(),)], shards=shards)
    l2, l3 = linked(h2), linked(h3)
    h2.announce(l2)
    h3.announce(l3)
    wait.until(lambda: any("h3" in key[:2] and "h2" not in key[:2] for key in list(h2.known)) and
               ("h2", "k1", l2.id) in h3.known)
    l2.say(BROADCAST, {"event": "m", "except": []}, ["h3"], 2)
    assert h3.taken()[0][1] == {"event": "m", "except": []}
    assert k.kennel.places() == 0 and k.kennel.group("events") == [0]
    k.kennel.exact()


def test_its_process_dies_and_another_takes_over(start, tmp_path, peers):
    h2 = peers("h2")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),)], shards=2, deaths=True)
    for _ in range(3):
        old = linked(h2)
        k.kennel.kill_shard(holder(k.kennel))
        wait.until(lambda old=old: old not in h2.links, 30)
    link = linked(h2)
    with k.client() as a:
        link.say(BROADCAST, {"event": "m", "data": "x", "except": []}, ["k1"], 2)
        assert a.message() == ("m", b"x")
    wait.until(lambda: len(k.kennel.group("events")) == 1)
    k.kennel.exact()


def test_its_process_leaves_and_another_takes_over(start, tmp_path, peers):
    h2 = peers("h2")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),)], shards=2)
    old = linked(h2)
    k.kennel.ctl("restart", str(holder(k.kennel)))
    wait.until(lambda: old not in h2.links, 30)
    linked(h2)
    k.kennel.exact()


def test_the_gateway_dies_and_the_links_stay(start, tmp_path, peers):
    h2 = peers("h2")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),)], shards=2, limit=1)
    link = linked(h2)
    h2.announce(link)
    k.kennel.kill_gateway()
    k.kennel.start()
    assert k.kennel.group("events") == [0]
    with k.client() as a:
        link.say(BROADCAST, {"event": "m", "data": "x", "except": []}, ["k1"], 2)
        assert a.message() == ("m", b"x")
    wait.until(lambda: k.kennel.group("events") == [0])
    # Who comes in another process is younger, and does not become the holder.
    for _ in range(3):
        k.kennel.kill_gateway()
        k.kennel.start()
        with k.client() as a, k.client() as b:
            a.all("m", "x")
            assert b.message() == ("m", b"x")
            while h2.taken()[0][1]["data"] != "x":
                pass
            assert k.kennel.group("events") == [1, 1]
        wait.until(lambda: k.kennel.group("events") == [0])
    assert h2.links == [link]
    k.kennel.exact()


def test_uplinks_change_while_it_runs(start, tmp_path, peers):
    """One goes, one comes, one stays as it is; then all go."""
    h2, h3, h4 = peers("h2"), peers("h3"), peers("h4")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),), (h3.listen(),)], shards=2)
    l2, l3 = linked(h2), linked(h3)
    at = h4.listen()
    was = config(k.kennel)
    text = was.replace(f"127.0.0.1:{h2.server.getsockname()[1]}",
                       f"127.0.0.1:{at[1]}")
    assert text != was
    reload(k.kennel, text, "taken: the uplinks\n")
    linked(h4)
    wait.until(lambda: l2 not in h2.links, 30)
    wait.until(lambda: ("k1", "h4", h4.links[0].id) in h3.known)
    assert h3.links == [l3]
    reload(k.kennel, re.sub(r"\[uplink (?s:.)*", "", text), "taken: the uplinks\n")
    wait.until(lambda: not h3.links and not h4.links, 30)
    wait.until(lambda: k.kennel.group("events") == [], 30)
    reload(k.kennel, was, "taken: the uplinks\n")
    linked(h2)
    linked(h3)


def test_another_name_needs_a_restart(start, tmp_path, peers):
    h2 = peers("h2")
    k = Host(start, tmp_path / "k", "k1", [(h2.listen(),)], shards=2, deaths=True)
    link = linked(h2)
    reload(k.kennel, config(k.kennel).replace("app.host = k1", "app.host = k9"),
           r"counts after a restart: \[worker\] app.host\n")
    # Nor has a process another name that begins from now on.
    k.kennel.kill_shard(holder(k.kennel))
    wait.until(lambda: link not in h2.links, 30)
    linked(h2)
    with k.client() as a:
        assert a.id.startswith("k1/")
    assert not any("k9" in key[:2] for key in list(h2.known))


# ---- groups that are there always ----

def test_a_group_is_there_if_its_listener_says_so(start):
    e = Events(start, shards=2, more="always = yes\n", deaths=True)
    k = e.kennel
    wait.until(lambda: k.group("events") == [0])
    first, = k.replicas("events")
    with e.client() as a:
        assert k.group("events") == [1] and a.barrier() == []
    wait.until(lambda: k.group("events") == [0])
    assert k.replicas("events")[0]["id"] == first["id"]
    k.kill_shard(int(first["shard"].split("/")[1].split("#")[0]))
    wait.until(lambda: k.group("events") == [0] and
               k.replicas("events")[0]["id"] != first["id"], 30)
    k.exact()
    text = config(k)
    reload(k, text.replace("always = yes", "always = no"), r"taken: \[listener events\]\n")
    wait.until(lambda: k.group("events") == [])
    with e.client() as a:
        assert k.group("events") == [1] and a.barrier() == []
    reload(k, text, r"taken: \[listener events\]\n")
    wait.until(lambda: k.group("events") == [0])
    k.exact()


def test_there_is_one_of_them(start):
    """Though clients come and go in all processes."""
    e = Events(start, shards=3, limit=1, more="always = yes\n")
    k = e.kennel
    wait.until(lambda: k.group("events") == [0])
    first, = k.replicas("events")
    them = e.clients(3)
    assert k.group("events") == [1, 1, 1]
    for a in them:
        a.close()
    wait.until(lambda: k.group("events") == [0])
    assert k.replicas("events")[0]["id"] == first["id"]
    k.exact()


def test_without_uplinks_nothing_is_there_unasked(start, tmp_path):
    h = Host(start, tmp_path / "k", "k1", shards=2)
    with h.client() as a:
        assert a.barrier() == []
    wait.until(lambda: h.kennel.group("events") == [])


@pytest.mark.parametrize("text, why", (
    ("[listener x]\naddress = 5\nalways = yes\n", 'needs the key "app"'),
    ("[listener x]\naddress = 5\napp = events\ngroup = uuid\nalways = yes\n",
     "needs a group that has a name"),
    ("[listener x]\naddress = 5\napp = events\ngroup = const:g\nalways = 7\n", "always"),
))
def test_what_cannot_be_always_there_is_said(tmp_path, text, why):
    (tmp_path / "k.ini").write_text(text)
    r = subprocess.run([kits.GATEWAYD, "--check", "--config", str(tmp_path / "k.ini"),
                        "--run-dir", str(tmp_path)], capture_output=True, text=True)
    assert r.returncode != 0 and why in r.stderr + r.stdout


def test_a_process_that_hangs_has_it_no_more(start):
    e = Events(start, shards=2, more="always = yes\n", config="[gateway]\nwatchdog = 24s\n")
    k = e.kennel
    wait.until(lambda: k.group("events") == [0])
    first, = k.replicas("events")
    pid = k.stop_shard(int(first["shard"].split("/")[1].split("#")[0]))
    wait.until(lambda: k.group("events") == [0] and
               k.replicas("events")[0]["id"] != first["id"], 30)
    os.kill(pid, signal.SIGCONT)
    with e.client() as a:
        assert a.barrier() == []
    wait.until(lambda: k.group("events") == [0])
    k.exact()
