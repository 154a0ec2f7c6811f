"""Debian's packages in a bare container: installed, upgraded, purged."""
import os
import re

import pytest
from kit import containers, machine, wait
from kit.http import get
from kit.chat import Chat

# Of the packages that these tests install, by name.
OURS = "kennel libkennel0 libkennel-dev kennel-doc"


def later(debs, out):
    """The same packages as the next version."""
    for deb in sorted(os.listdir(debs)):
        if deb.endswith(".deb") and "dbgsym" not in deb:
            tree = os.path.join(out, deb[:-4])
            containers.run("dpkg-deb", "-R", os.path.join(debs, deb), tree)
            control = os.path.join(tree, "DEBIAN", "control")
            text = open(control).read()
            with open(control, "w") as f:
                f.write(re.sub(r"0kennel1\b", "0kennel2", text))
            containers.run("dpkg-deb", "-b", tree, os.path.join(
                out, deb.replace("0kennel1", "0kennel2")))
    return out


@pytest.fixture
def bare(podman, debs, directory, start):
    """A machine without systemd at work: what dpkg alone does."""
    later(debs, directory)
    return start("-v", f"{debs}:/debs:ro", "-v", f"{directory}:/later:ro",
                 "--network=none", machine.image(), "sleep", "infinity")


DPKG = "DEBIAN_FRONTEND=noninteractive dpkg"


def install(id, where):
    containers.shell(id, f"{DPKG} -i " + " ".join(
        f"{where}/{p}_*.deb" for p in OURS.split()))


def test_install_upgrade_and_purge(bare):
    install(bare, "/debs")
    assert containers.shell(bare, "id -un kennel") == "kennel"
    assert containers.shell(bare, "getent passwd kennel").endswith(
        ":/var/lib/kennel:/usr/sbin/nologin")
    containers.shell(bare, "gatewayd --config /etc/kennel/kennel.ini --check")
    for page in "gatewayd.8", "kennelctl.1", "kennel.3", "shardd.8":
        containers.shell(bare, f"dpkg -S /usr/share/man/man{page[-1]}/"
                               f"{page}.gz")
    assert "kennel.ini" in containers.shell(
        bare, "dpkg-query -f '${Conffiles}' -W kennel")
    # Both the administrator's line and what was kept outlive an upgrade.
    containers.shell(bare, "echo '# mine' >>/etc/kennel/kennel.ini; "
                           "mkdir -p -m 700 /var/lib/kennel; "
                           "echo mine >/var/lib/kennel/node")
    install(bare, "/later")
    assert "0kennel2" in containers.shell(
        bare, "dpkg-query -f '${Version}' -W kennel")
    assert "# mine" in containers.shell(bare, "cat /etc/kennel/kennel.ini")
    assert containers.shell(bare, "cat /var/lib/kennel/node") == "mine"
    containers.shell(bare, f"{DPKG} -r {OURS}")
    assert "# mine" in containers.shell(bare, "cat /etc/kennel/kennel.ini")
    containers.shell(bare, f"{DPKG} -P {OURS}")
    left = containers.shell(
        bare, "find / -xdev \\( -path /proc -o -path /sys -o -path /debs -o "
        "-path /later -o -path /var/lib/dpkg -o -path /var/log \\) -prune -o "
        "\\( -name '*kennel*' -o -name gatewayd -o -name shardd \\) -print")
    assert left == ""
    assert "0 not fully" in containers.shell(
        bare, "dpkg --audit; echo 0 not fully")


@pytest.fixture
def booted(debs, directory):
    later(debs, directory)
    m = machine.Machine(debs, directory)
    yield m
    m.remove()


def test_an_upgrade_under_systemd(booted, debs):
    """The new version serves, in the place of the old one, and nobody is disconnected."""
    m = booted
    install(m.id, "/debs")
    m.wait_active()
    before = m.status()
    pid, restarts = m.pid(), m.show("NRestarts")
    a, b, c = (Chat(m.front(), "g", n) for n in ("ann", "bob", "cat"))
    install(m.id, "/later")
    wait.until(lambda: m.status()["upgrade"]["phase"] == "holding" or
               m.status()["upgrade"]["ok"], 60)
    m.run("kennelctl commit")
    after = m.status()
    assert after["node"] == before["node"] and after["started"] != before["started"]
    assert not {s["pid"] for s in after["shards"]} & {s["pid"] for s in before["shards"]}
    assert {s["generation"] for s in after["shards"]} != {s["generation"] for s in before["shards"]}
    assert "executes program=/usr/bin/gatewayd" in m.journal()
    assert (m.pid(), m.show("NRestarts")) == (pid, restarts)
    a.say("still here")
    for p in a, b, c:
        p.next(type="user:msg", text="still here")
        p.close()
    assert get(m.front(), "/healthz").status == 200
    # A configuration that the new one does not take: all goes on, and dpkg says so.
    m.run("echo 'nonsense = 1' >>/etc/kennel/kennel.ini")
    said = m.run(f"{DPKG} -i /later/kennel_*.deb 2>&1")
    assert "goes on with the old programs" in said, said
    assert m.status()["started"] == after["started"]
    assert m.show("ActiveState") == "active"
    for unit in "kennel.service", "kennel.socket":
        assert m.show("ActiveState", unit) == "active"
    m.run(f"{DPKG} -P {OURS}")
    for unit in "kennel.service", "kennel.socket":
        assert m.show("ActiveState", unit) == "inactive"
        assert m.show("LoadState", unit) in ("not-found", "masked")
    assert m.pids() == set()
    assert m.run("find /var/lib/kennel /run/kennel /etc/kennel "
                 "/etc/systemd -name '*kennel*' 2>/dev/null; :") == ""


def test_meson_install_is_found(image, podman):
    """From source below /usr/local: loader, compiler and man find all of it."""
    script = """set -e
cd /src
meson setup /tmp/b -Dtests=false >/dev/null
meson install -C /tmp/b --quiet >/dev/null
rm -rf /usr/include/kennel.h /usr/lib/libkennel* /usr/lib/pkgconfig/kennel.pc
cc -o /tmp/counter /usr/local/share/doc/kennel/examples/worker/counter.c \\
    $(pkg-config --cflags --libs kennel)
ldd /tmp/counter | grep /usr/local/
ls /usr/local/share/doc/kennel/README.md /usr/local/share/man/man3/kennel.3 \\
    /usr/local/lib/systemd/system/kennel.service
grep ExecStart=/usr/local/bin/gatewayd \\
    /usr/local/lib/systemd/system/kennel.service
"""
    podman("run", "--rm", "--network=none", image + "-dev", "sh", "-c", script,
           timeout=400)
