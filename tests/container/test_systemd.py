"""The package on a machine with systemd: it starts, is watched, and ends."""
import re

import pytest
from kit import machine as machines
from kit import wait
from kit.chat import Chat
from kit.containers import served
from kit.http import get


@pytest.fixture(scope="module")
def machine(debs):
    m = machines.Machine(debs)
    try:
        m.run("DEBIAN_FRONTEND=noninteractive dpkg -i /debs/libkennel0_*.deb "
              "/debs/libkennel-dev_*.deb /debs/kennel_*.deb "
              "/debs/kennel-doc_*.deb")
        yield m
    finally:
        m.remove()


@pytest.fixture
def kennel(machine):
    """Running, with the unit as it comes."""
    machine.override("")
    machine.run("systemctl reset-failed; systemctl start kennel.socket "
                "kennel.service")
    machine.wait_active()
    wait.until(lambda: served(machine.front()), 60)
    return machine


def people(kennel, group="g", names=("ann", "bob", "cat")):
    """Three are more than fit into one shard."""
    out = [Chat(kennel.front(), group, n) for n in names]
    assert len({p.shard() for p in (out[0], out[-1])}) == 2
    return out


def talk(*chatters):
    for i, a in enumerate(chatters):
        text = f"{i} still here"
        a.say(text)
        for b in chatters:
            b.next(type="user:msg", text=text)


def shard_pids(kennel):
    return sorted(s["pid"] for s in kennel.status()["shards"])


def test_the_package_starts_it(kennel):
    """Unit and socket enabled and active; the library is found."""
    for unit in "kennel.service", "kennel.socket":
        assert kennel.run(f"systemctl is-enabled {unit}") == "enabled"
        assert kennel.show("ActiveState", unit) == "active"
    assert kennel.show("User") == "kennel"
    assert kennel.run("stat -c '%U %a' /var/lib/kennel /run/kennel") == \
        "kennel 700\nkennel 700"
    assert "libkennel.so.0" in kennel.run("ldconfig -p")
    assert get(kennel.front(), "/lobby/x").status == 200
    a, b, c = people(kennel)
    talk(a, b, c)
    for p in a, b, c:
        p.close()
    seen = kennel.status()
    assert seen["redis"]["mode"] == "auto" and seen["redis"]["up"]
    assert not re.search(r" warn ", kennel.journal()), kennel.journal()


def test_the_journal_has_fields(kennel):
    """log_format = journald: an entry is found by what it is about."""
    command = kennel.run("systemctl show -P ExecStart kennel.service")
    command = re.search(r"argv\[\]=(.*?) ;", command).group(1)
    kennel.override(f"ExecStart=\nExecStart={command} --log-format journald")
    kennel.run("systemctl restart kennel.service")
    kennel.wait_active()
    pid = shard_pids(kennel)[0]
    kennel.run(f"kill -9 {pid}")
    wait.until(lambda: kennel.run(
        f"journalctl -o cat -p warning KENNEL_PID={pid}"), 60)
    entry, = kennel.run(f"journalctl -o verbose -p warning KENNEL_PID={pid} | "
                        "grep -c ' KENNEL_SLOT='").split()
    assert int(entry) >= 1
    assert kennel.run("journalctl -o cat SYSLOG_IDENTIFIER=shardd/0")
    kennel.override("")
    kennel.run("systemctl restart kennel.service")
    kennel.wait_active()


def test_a_worker_is_built_with_the_packages_alone(kennel):
    kennel.run("cd /tmp && cc -Wall -Werror -o counter "
               "/usr/share/doc/kennel/examples/worker/counter.c "
               "$(pkg-config --cflags --libs kennel) && ./counter --help "
               ">/dev/null 2>&1; test -x counter && ldd counter | "
               "grep -q /libkennel.so.0")


@pytest.mark.parametrize("unit", ["kennel.service", "kennel@alpha.service"])
def test_it_is_closed(kennel, unit):
    """systemd's own judgement: 2.0 or better."""
    kennel.run(f"systemd-analyze security --threshold=20 {unit}")
    kennel.run(f"systemd-analyze verify --man=no {unit}")


def test_the_status_counts(kennel):
    a = Chat(kennel.front(), "s", "ann")
    wait.until(lambda: re.fullmatch(
        r"1 connection in 1 group, 2 of 2 shards ready, Redis up",
        kennel.show("StatusText")), 20, kennel.show("StatusText"))
    a.close()
    wait.until(lambda: kennel.show("StatusText").startswith("0 connections"),
               20)


def test_reload_takes_what_is_right_only(kennel):
    """A broken file: systemctl says so, and nothing has changed."""
    pid = kennel.pid()
    ini = kennel.run("cat /etc/kennel/kennel.ini") + "\n"
    try:
        kennel.write("/etc/kennel/kennel.ini", ini + "[gateway]\nlimit = 1\n")
        kennel.run("systemctl reload kennel")
        wait.until(lambda: "configuration read again" in kennel.journal(), 20)
        kennel.wait_active()
        a = Chat(kennel.front(), "r", "ann")
        b = Chat(kennel.front(), "r", "bob")
        assert a.shard() != b.shard()
        kennel.write("/etc/kennel/kennel.ini", "[gateway]\nlimit = many\n")
        assert kennel.try_run("systemctl reload kennel").returncode != 0
        assert "limit" in kennel.journal().split("configuration read again")[1]
        talk(a, b)
        for p in a, b:
            p.close()
    finally:
        kennel.write("/etc/kennel/kennel.ini", ini)
        kennel.run("systemctl reload kennel")
    assert kennel.pid() == pid
    assert kennel.show("ActiveState") == "active"


def test_another_gateway_in_its_place(kennel):
    """The main process stays the one that systemd knows, and is watched and reloaded as before."""
    kennel.override("WatchdogSec=3s")
    kennel.run("systemctl restart kennel.service")
    kennel.wait_active()
    a, b, c = people(kennel, "u")
    pid, restarts, shards = kennel.pid(), kennel.show("NRestarts"), shard_pids(kennel)
    for _ in range(3):
        started = kennel.status()["started"]
        kennel.run("kennelctl upgrade gateway")
        kennel.wait_active()
        assert kennel.status()["started"] != started
        talk(a, b, c)
        kennel.run("systemctl reload kennel")
        kennel.wait_active()
    # Longer than the watchdog waits for a beat.
    beats = kennel.show("WatchdogTimestampMonotonic")
    wait.until(lambda: int(kennel.show("WatchdogTimestampMonotonic")) >
               int(beats) + 4000000, 30)
    assert (kennel.pid(), kennel.show("NRestarts")) == (pid, restarts)
    assert kennel.pid() == kennel.status()["pid"] and shard_pids(kennel) == shards
    assert kennel.show("StatusText").startswith("3 connections")
    with Chat(kennel.front(), "u", "dan") as d:         # by systemd's socket
        assert d.users()
    talk(a, b, c)
    for p in a, b, c:
        p.close()
    kennel.override("")


def test_a_killed_gateway_takes_nobody_along(kennel):
    """The shards go on, and the next gateway finds them."""
    a, b, c = people(kennel, "k")
    before, pid = shard_pids(kennel), kennel.pid()
    kennel.run(f"kill -9 {pid}")
    talk(a, b, c)
    # Whoever comes now waits for the socket, which systemd holds.
    d = Chat(kennel.front(), "k", "dan")
    kennel.wait_active()
    assert kennel.pid() not in (0, pid)
    assert set(before) <= set(shard_pids(kennel))
    talk(a, b, c, d)
    for p in a, b, c, d:
        p.close()


def test_a_gateway_that_hangs_is_started_again(kennel):
    """The watchdog; and its shards go on all the time."""
    kennel.override("WatchdogSec=3s")
    kennel.run("systemctl restart kennel.service")
    kennel.wait_active()
    a, b, c = people(kennel, "w")
    before, pid = shard_pids(kennel), kennel.pid()
    kennel.run(f"kill -STOP {pid}")
    talk(a, b, c)
    wait.until(lambda: kennel.pid() not in (0, pid), 60)
    kennel.wait_active()
    assert "Watchdog timeout" in kennel.journal()
    assert set(before) <= set(shard_pids(kennel))
    talk(a, b, c)
    for p in a, b, c:
        p.close()


def test_a_killed_shard_is_replaced_and_nothing_restarts(kennel):
    restarts, pid = kennel.show("NRestarts"), kennel.pid()
    victim = shard_pids(kennel)[0]
    kennel.run(f"kill -9 {victim}")
    wait.until(lambda: len(kennel.status()["shards"]) == 2 and
               all(s["state"] == "ready" for s in kennel.status()["shards"])
               and victim not in shard_pids(kennel), 30)
    assert (kennel.show("NRestarts"), kennel.pid()) == (restarts, pid)


def test_the_socket_starts_it(kennel):
    kennel.run("systemctl stop kennel.service 2>/dev/null")
    assert kennel.show("ActiveState") == "inactive"
    assert kennel.show("ActiveState", "kennel.socket") == "active"
    with Chat(kennel.front(), "a", "ann") as a:
        assert a.users()
    assert kennel.show("ActiveState") == "active"


def test_stop_under_load_is_in_order(kennel):
    """Everybody is told, nothing is left, and it is no failure."""
    crowd = [Chat(kennel.front(), f"l{i}", f"u{i}") for i in range(40)]
    for p in crowd:
        for i in range(50):
            p.say("x" * 500)
    kennel.run("systemctl stop kennel.socket kennel.service")
    codes = {p.end() for p in crowd}
    assert codes <= {1001}, codes
    assert kennel.show("ActiveState") == "inactive"
    assert kennel.show("Result") == "success"
    assert kennel.pids() == set()
    assert kennel.try_run("test -e /run/kennel").returncode != 0


def test_what_hangs_at_the_end_leaves_nothing(kennel):
    """The gateway does not hear that it is to end: its shards go with it."""
    kennel.override("TimeoutStopSec=2s\nKillSignal=SIGUSR1")
    assert len(kennel.pids()) > 2
    kennel.run("systemctl stop kennel.socket kennel.service")
    assert kennel.show("Result") == "timeout"
    wait.until(lambda: kennel.pids() == set(), 20, str(kennel.pids()))


def test_several_on_one_machine(kennel):
    for name, port in ("alpha", 8081), ("beta", 8082):
        kennel.write(f"/etc/kennel/{name}.ini",
                     f"[gateway]\nlisten = {port}\n")
        kennel.run(f"systemctl start kennel@{name}")
        kennel.wait_active(f"kennel@{name}.service")
    nodes = {kennel.status(f"/run/kennel{suffix}")["node"]
             for suffix in ("", "-alpha", "-beta")}
    assert len(nodes) == 3
    for port in 8081, 8082:
        with Chat(kennel.front(port), "g", "ann") as a:
            assert a.users()
    kennel.run("systemctl stop kennel@alpha kennel@beta")
    assert kennel.pids("kennel@") == set()
