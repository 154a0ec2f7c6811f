"""Where clients can come in: IPv4, IPv6, Unix, systemd's sockets."""
import fcntl
import os
import pwd
import socket
import stat

import pytest
from kit import wait
from kit.http import Http, request
from kit.ws import WebSocket


def served(address):
    with Http(address) as c:
        assert c.ask("GET", "/healthz").text == "ok\n"
    with WebSocket(address) as c:
        c.send("x")
        assert c.recv() == "x"


def has_v6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def test_several_at_once(start):
    listen = ["127.0.0.1:PORT", "unix:DIR/clients"]
    if has_v6():
        listen.append("[::1]:PORT")
    k = start(listen=listen)
    served(("127.0.0.1", k.port))
    served(k.dir + "/clients")
    if has_v6():
        served(("::1", k.port))
    assert k.term() == 0
    assert not os.path.exists(k.dir + "/clients")
    k.stop()


@pytest.mark.parametrize("form", ["PORT", ":PORT", "*:PORT", "localhost:PORT"])
def test_forms(start, form):
    k = start(listen=[form])
    served(("127.0.0.1", k.port))
    if has_v6() and form in ("PORT", ":PORT", "*:PORT"):
        served(("::1", k.port))


def test_unix_socket_has_mode_and_owner(start, tmp_path):
    """Said behind its path, in a flag or in the file; each on its own."""
    a, b, c = (str(tmp_path / n) for n in "abc")
    mine = os.getegid()
    start("--listen", f"unix:{a} mode=0660 group={mine}",
          listen=[f"unix:{c}"])
    for path in a, c:
        served(path)
    assert stat.S_IMODE(os.stat(a).st_mode) == 0o660
    start(listen=[], config=f"[gateway]\nlisten = unix:{b} mode=0666\n")
    served(b)
    assert stat.S_IMODE(os.stat(b).st_mode) == 0o666


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_unix_socket_of_somebody_else(start, tmp_path):
    """Whoever the gateway becomes."""
    os.chmod(tmp_path, 0o755)
    path = str(tmp_path / "s")
    start(listen=[f"unix:{path} mode=0600 owner=nobody group=1"])
    st = os.stat(path)
    assert (st.st_uid, st.st_gid) == (pwd.getpwnam("nobody").pw_uid, 1)
    assert stat.S_IMODE(st.st_mode) == 0o600
    served(path)


def test_unix_socket_that_cannot_be_given_away(start, tmp_path):
    k = start(listen=[f"unix:{tmp_path}/s mode=0999"], ready=False)
    assert k.process.wait(wait.limit(30)) == 2 and "octal" in k.log()
    k.destroy()
    k = start(listen=[f"unix:{tmp_path}/s owner=nobody-here"], ready=False)
    assert k.process.wait(wait.limit(30)) == 2 and "no user" in k.log()
    k.destroy()


@pytest.mark.parametrize("address, why", [
    ("127.0.0.1:TAKEN", "Address already in use; is another server running?"),
    ("203.0.113.9:8080", "this machine has no such address"),
    ("127.0.0.1:1", "ports below 1024 are root's"),
    ("unix:/proc/s", None)], ids=["taken", "not-here", "not-ours", "proc"])
def test_what_cannot_be_listened_on_says_what_to_do(start, address, why):
    """Ports of the system's are for root with its capability, here without."""
    launcher = ("setpriv", "--bounding-set", "-net_bind_service")
    with socket.create_server(("127.0.0.1", 0)) as s:
        address = address.replace("TAKEN", str(s.getsockname()[1]))
        k = start(listen=[address], ready=False,
                  launcher=launcher if os.geteuid() == 0 else ())
        assert k.process.wait(wait.limit(30)) == 1
    said = k.log()
    k.destroy()
    assert f"cannot listen on {address}: " in said
    assert why in said if why else "; " not in said.split(address)[1], said


def test_stale_unix_socket_is_replaced(start, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    start(listen=[f"unix:{path}"])
    served(path)


def test_unix_socket_that_answers_is_not_taken(start, tmp_path):
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        k = start(listen=[f"unix:{path}"], ready=False)
        assert k.process.wait(wait.limit(30)) == 1
        assert path in k.log()
        k.destroy()
    assert os.path.exists(path)


def test_file_that_is_no_socket_is_left_alone(start, tmp_path):
    path = tmp_path / "s"
    path.write_text("precious")
    k = start(listen=[f"unix:{path}"], ready=False)
    assert k.process.wait(wait.limit(30)) == 1
    k.destroy()
    assert path.read_text() == "precious"


def test_systemd_sockets(start, tmp_path):
    """Descriptors from 3 on are listened on, instead of --listen's."""
    tcp = socket.create_server(("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "u"))
    unix.listen()
    a, b = (fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 50) for s in (tcp, unix))
    k = start(listen=(), fds=(a, b), launcher=[
        "/bin/bash", "-c", 'LISTEN_FDS=2 LISTEN_PID=$$ exec "$0" "$@" '
        f"3<&{a} 4<&{b} {a}<&- {b}<&-"])
    os.close(a), os.close(b)
    served(tcp.getsockname())
    served(str(tmp_path / "u"))
    assert k.term() == 0
    # systemd's socket file is not ours to remove.
    assert os.path.exists(tmp_path / "u")
    k.stop()
    tcp.close(), unix.close()


def test_a_socket_that_has_a_listeners_name_is_its(start, tmp_path):
    """FileDescriptorName=web: its keys count; what was not passed is made."""
    plain, web = (socket.create_server(("127.0.0.1", 0)) for _ in range(2))
    a, b = (fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 50) for s in (plain, web))
    k = start(listen=(), fds=(a, b), config=f"""
[listener web]
address = unix:{tmp_path}/web
proxy_protocol = yes
proxy_trusted = 127.0.0.1
[listener more]
address = unix:{tmp_path}/more
""", launcher=[
        "/bin/bash", "-c", "LISTEN_FDNAMES=other:web "
        'LISTEN_FDS=2 LISTEN_PID=$$ exec "$0" "$@" '
        f"3<&{a} 4<&{b} {a}<&- {b}<&-"])
    os.close(a), os.close(b)
    served(plain.getsockname())
    served(str(tmp_path / "more"))
    assert not os.path.exists(tmp_path / "web")
    with Http(web.getsockname()) as c:
        c.write(b"PROXY UNKNOWN\r\n" + request(path="/healthz"))
        assert c.response().text == "ok\n"
    with Http(web.getsockname()) as c:
        c.write(request(path="/healthz"))
        assert c.ended()
    plain.close(), web.close()


def test_workers_inherit_nothing_that_is_not_theirs(start):
    """No client, no lock of another.  The gateway's listening sockets are held for
    the next gateway: each once, as it was handed over, and for no program that a
    worker runs."""
    k = start(shards=2)
    with WebSocket(k.address) as c:
        c.send("x")
        c.recv()
        for s in k.shards():
            for fd in os.listdir(f"/proc/{s['pid']}/fd"):
                try:
                    what = os.readlink(f"/proc/{s['pid']}/fd/{fd}")
                except OSError:
                    continue
                assert "gateway" not in what or "log" in what
        listening = sockets(k.pid).keys() & listeners(k.port)
        assert listening
        for s in k.shards():
            for socket_ in listening:
                wait.until(lambda: sockets(s["pid"]).get(socket_))
                fd, = sockets(s["pid"])[socket_]
                assert closes_on_exec(s["pid"], fd)


def closes_on_exec(pid, fd):
    with open(f"/proc/{pid}/fdinfo/{fd}") as f:
        flags = next(x for x in f if x.startswith("flags:"))
    return int(flags.split()[1], 8) & os.O_CLOEXEC


def sockets(pid):
    """Descriptors of each socket, by its inode."""
    out = {}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            what = os.readlink(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue
        if what.startswith("socket:["):
            out.setdefault(what[8:-1], []).append(fd)
    return out


def listeners(port):
    out = set()
    for name in "tcp", "tcp6":
        with open(f"/proc/net/{name}") as f:
            for line in f.readlines()[1:]:
                w = line.split()
                if w[3] == "0A" and int(w[1].split(":")[1], 16) == port:
                    out.add(w[9])
    return out
