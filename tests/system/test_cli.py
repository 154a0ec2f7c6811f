"""The command line: help, version, --check, and the usual mistakes."""
import os
import re
import resource
import socket
import subprocess
import tempfile

import pytest
from kit import kennel as kits
from kit import wait


def gatewayd(*args, **kw):
    return subprocess.run([kits.GATEWAYD, *args], capture_output=True,
                          text=True, timeout=wait.limit(30), **kw)


def check(*args, **kw):
    if "--worker" not in args:
        args = ("--worker", kits.SHARDD, *args)
    return gatewayd("--check", *args, **kw)


def ini(tmp_path, text):
    path = tmp_path / "k.ini"
    path.write_text(text)
    return str(path)


def test_help():
    for flag in "--help", "-h":
        p = gatewayd(flag)
        assert (p.returncode, p.stderr) == (0, "")
        assert p.stdout.startswith("Usage: gatewayd")
        for option in ("--worker", "--listen", "--limit", "--shards",
                       "--max-shards", "--run-dir", "--state-dir", "--redis",
                       "--config", "--check"):
            assert option in p.stdout


def test_version():
    p = gatewayd("--version")
    assert (p.returncode, p.stderr) == (0, "")
    assert "kennel" in p.stdout and p.stdout.count("\n") == 1


def test_check_without_a_file():
    p = check()
    assert (p.returncode, p.stdout) == (0, "configuration ok\n"), p.stderr


def test_check_of_the_documented_file():
    p = check("--config", os.path.join(kits.TOP, "deploy", "kennel.ini"))
    assert (p.returncode, p.stdout) == (0, "configuration ok\n"), p.stderr


def test_documented_file_with_every_line_active(tmp_path):
    """Every "#key = value" of deploy/kennel.ini is right."""
    with open(os.path.join(kits.TOP, "deploy", "kennel.ini")) as f:
        text = "".join(line[1:] if line[:1] == "#" and line[1:2] not in " \t\n"
                       else line for line in f)
    pages = tmp_path / "pages"
    pages.mkdir()
    text = text.replace("/usr/share/kennel/pages", str(pages)) \
        .replace("worker = shardd", f"worker = {kits.SHARDD}")
    # So many descriptors are not allowed everywhere, and who says a number must have them.
    text, n = re.subn(r"^(handshakes_max|home_max) = 10000$", r"\1 = 1000", text, flags=re.M)
    assert n == 2
    p = gatewayd("--check", "--config", ini(tmp_path, text))
    assert (p.returncode, p.stdout) == (0, "configuration ok\n"), p.stderr


def test_check_tells_all_errors_at_once(tmp_path):
    """Each with its line; the keys of an unknown section are not held against it."""
    path = ini(tmp_path, "[gateway]\nlisten = 127.0.0.1:1 ; here\nnokey = 1\n"
               "limit = x # y\n[rout x]\na = 1\n[route /a]\napp = chat # chat\n"
               "nokey = 2\n")
    p = gatewayd("--check", "--config", path)
    assert p.returncode != 0 and p.stdout == ""
    assert re.findall(r":(\d+): ", p.stderr) == ["3", "4", "5", "9"], p.stderr


def test_check_knows_the_applications_of_the_worker(tmp_path):
    """`app = chta` was a 503 at run time."""
    path = ini(tmp_path, "[route a]\npath = /a\napp = chta\n[route b]\n"
               "path = /b\napp = chat\n[route c]\npath = /c\napp = nix\n")
    p = check("--config", path)
    assert p.returncode == 1 and p.stdout == "", p.stderr
    assert re.findall(r"\[route (\w)\] app = (\w+): .*chat", p.stderr) == \
        [("a", "chta"), ("c", "nix")]


def test_check_asks_a_worker_that_can_say(tmp_path):
    p = subprocess.run([kits.SHARDD, "--apps"], capture_output=True, text=True,
                       timeout=wait.limit(30))
    assert p.returncode == 0
    assert {"chat", "pact", "echo"} <= set(p.stdout.split())
    mine = tmp_path / "mine"
    path = ini(tmp_path, "[route a]\npath = /a\napp = game\n")
    for script, status in ("echo game", 0), ("echo gam", 1), ("exit 2", 0), \
            ("echo 'usage: mine'", 0), ("yes", 0), ("exec cat /dev/zero", 0):
        mine.write_text(f"#!/bin/sh\n{script}\n")
        mine.chmod(0o755)
        p = check("--worker", str(mine), "--config", path)
        assert p.returncode == status, (script, p.stderr)


def test_check_tells_mistakes_of_all_kinds_at_once(tmp_path):
    path = ini(tmp_path, "[gateway]\nlimit = x\nline_max = 64k\n"
               "head_max = 32k\n")
    p = check("--worker", "/etc/passwd", "--user", "nobody-of-that-name",
              "--shards", "5", "--max-shards", "3", "--config", path)
    assert p.returncode == 1 and p.stdout == ""
    for word in ("limit", "line_max", "max-shards", "/etc/passwd",
                 "nobody-of-that-name"):
        assert word in p.stderr, word
    assert p.stderr.count("gatewayd: ") == 5, p.stderr


def test_check_warns_of_what_will_not_work(tmp_path):
    path = ini(tmp_path, "[route a]\npath = /a\napp = chat\nlimit = 5000000\n"
               "keep = X-Forwarded-For User-Agent\n")
    limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    p = check("--config", path, preexec_fn=limit)
    assert (p.returncode, p.stdout) == (0, "configuration ok\n"), p.stderr
    assert re.search(r"warning: \[route a\] limit = 5000000: .*3840", p.stderr)
    assert re.search(r"warning: \[route a\] keep = X-Forwarded-For: without "
                     r"trusted_proxies", p.stderr)
    assert "User-Agent" not in p.stderr
    with open(path, "a") as f:
        f.write("[worker]\ntrusted_proxies = 127.0.0.1\n")
    assert "keep" not in check("--config", path).stderr


@pytest.mark.parametrize("args", [
    ["--nonsense"], ["-x"], ["argument"], ["--listen"], ["--listen", ""],
    ["--listen", "host:port"], ["--listen", "99999"], ["--listen", "1.2.3:80"],
    ["--listen", "unix:"], ["--listen", "unix:" + "x" * 120],
    ["--shards", "0"], ["--shards", "x"], ["--shards", "-1"],
    ["--shards", "1x"], ["--shards", "100000"], ["--max-shards", "0"],
    ["--limit", "0"], ["--limit", "-5"], ["--limit", "99999999999999999999"],
    ["--redis", "http://x"], ["--redis", "redis://"], ["--redis", "unix:"],
    ["--redis", "redis://h:port"], ["--redis", ""], ["--redis", "nome"],
    ["--node", "a b"], ["--node", ""], ["--node", "a/b"], ["--run-dir", ""],
    ["--log-level", "loud"], ["--check", "--shards"]], ids=lambda a: " ".join(
        a)[:40])
def test_wrong_usage_is_2_and_a_sentence(args):
    p = gatewayd(*args)
    assert p.returncode == 2, (p.returncode, p.stderr)
    assert p.stdout == "" and p.stderr.count("\n") == 1
    assert p.stderr.startswith("gatewayd: ")


@pytest.mark.parametrize("args,words", [
    (["--worker", "/nonexistent/w"], ["/nonexistent/w"]),
    (["--worker", "/etc/passwd"], ["/etc/passwd", "executable"]),
    (["--worker", "/tmp"], ["/tmp", "directory"]),
    (["--worker", "no-such-worker"], ["no-such-worker", "--worker"]),
    (["--config", "/nonexistent/k.ini"], ["/nonexistent/k.ini"]),
    (["--shards", "5", "--max-shards", "3"], ["--max-shards"]),
    (["--run-dir", "/tmp/" + "r" * 100], ["--run-dir"])],
    ids=lambda a: str(a[0])[:20])
def test_wrong_configuration_is_1_and_says_what(args, words):
    p = check(*args)
    assert p.returncode == 1, (p.returncode, p.stderr)
    assert p.stdout == "" and p.stderr.count("\n") == 1
    for w in words:
        assert w in p.stderr


ROUTE = "[route r]\npath = /x\napp = chat\n"


@pytest.mark.parametrize("text,line,word", [
    ("[gateway]\nshard = 3\n", 2, "shard"),
    ("[gateway]\nshards = x\n", 2, "shards"),
    ("[gateway]\nmax_shards = x\n", 2, "max_shards"),
    ("[gateway]\nmax_shards = 0\n", 2, "max_shards"),
    ("[gateway]\n\n# c\nlimit = 0\n", 4, "limit"),
    ("[gateway]\nlisten = nowhere:x\n", 2, "listen"),
    ("[gateway]\nhead_timeout = 5 parsecs\n", 2, "head_timeout"),
    ("[gateway]\nline_max = -1\n", 2, "line_max"),
    ("[gateway]\nredis = gopher://x\n", 2, "redis"),
    ("[gateway]\nlog_level = loud\n", 2, "log_level"),
    ("[gateway]\nno equals sign\n", 2, ""),
    ("[worker]\nunknown = 1\n", 2, "unknown"),
    ("[worker]\nmessage_max = huge\n", 2, "message_max"),
    ("[worker]\npages = /nonexistent\n", 2, "pages"),
    ("[nonsense]\nx = 1\n", 1, "nonsense"),
    ("shards = 2\n", 1, ""),
    (ROUTE + "colour = red\n", 4, "colour"),
    (ROUTE + "group = elsewhere:x\n", 4, "group"),
    (ROUTE + "limit = many\n", 4, "limit"),
    ("[route r]\npath = x\napp = chat\n", 2, "path"),
    ("[route r]\npath = /{a\napp = chat\n", 2, "path"),
    (ROUTE + "group = path:none\n", 4, "")], ids=range(22))
def test_mistakes_in_the_file_name_file_line_and_key(tmp_path, text, line,
                                                     word):
    path = ini(tmp_path, text)
    p = check("--config", path)
    assert p.returncode == 1, (p.returncode, p.stderr, p.stdout)
    assert p.stdout == "" and p.stderr.count("\n") == 1
    assert path in p.stderr and word in p.stderr
    assert f"{line}" in p.stderr.replace(path, ""), p.stderr


@pytest.mark.parametrize("text", [ROUTE.replace("path = /x\n", ""),
                                  ROUTE.replace("app = chat\n", "")])
def test_incomplete_routes(tmp_path, text):
    p = check("--config", ini(tmp_path, text))
    assert p.returncode == 1
    assert "r" in p.stderr and p.stderr.count("\n") == 1


def test_flags_win_over_the_file(start):
    k = start(shards=1, config="[gateway]\nshards = 3\nlisten = 1\n")
    assert len(k.shards()) == 1
    k2 = start(shards=None, config="[gateway]\nshards = 3\n")
    assert len(k2.shards()) == 3


def test_descriptor_limit_too_low():
    def low():
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
    p = check("--limit", "1000", preexec_fn=low)
    assert p.returncode == 1
    assert "descriptors" in p.stderr and p.stderr.count("\n") == 1


def test_port_in_use(start):
    k = start(shards=1)
    other = start(listen=(f"127.0.0.1:{k.port}",), shards=1, ready=False)
    assert other.process.wait(30) == 1
    assert str(k.port) in other.log() and "in use" in other.log()
    other.stop_status = 1
    other.destroy()
    k.exact()


def test_address_that_is_not_ours(start):
    k = start(listen=("192.0.2.1:8080",), shards=1, ready=False)
    assert k.process.wait(30) == 1
    assert "192.0.2.1" in k.log()
    k.destroy()


def test_run_directory_open_to_others(start):
    """Ours alone, or not at all.  (A directory of pytest's has too long a path.)"""
    with tempfile.TemporaryDirectory(prefix="kennel-run.") as run:
        os.chmod(run, 0o777)
        k = start(run=run, shards=1, ready=False)
        assert k.process.wait(30) == 1
        assert run in k.log() and "must belong to the user" in k.log()
        k.destroy()


def test_redis_that_is_not_there(start):
    """A wrong URL is a clear message; clients are served all the same."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    k = start(redis=f"redis://127.0.0.1:{port}", shards=1)
    k.wait_log("redis")
    assert k.status()["redis"]["up"] is False


def test_worker_that_is_none(start):
    """A program without kennel_worker_main(): the log asks for it, by name."""
    k = start(worker="/bin/true", redis="none", shards=1, deaths=True)
    k.wait_log(r"warn .* no shard came up: .* /bin/true .*kennel_worker_main\(\)")


def test_application_that_is_none(start):
    """A route to an application that the worker does not have: 503, and its name."""
    k = start(redis="none", shards=1,
              config="[route a]\npath = /a\napp = no-such-app\n")
    with socket.create_connection(("127.0.0.1", k.port), wait.limit(30)) as s:
        s.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert s.recv(64).startswith(b"HTTP/1.1 503 ")
    k.wait_log(r" app=no-such-app refused: no such application")


def test_kennelctl_usage(start):
    def ctl(*args):
        return subprocess.run([kits.KENNELCTL, *args], capture_output=True,
                              text=True, timeout=wait.limit(30))
    for args in [], ["nonsense"], ["status", "--nonsense"], ["status", "x"]:
        assert ctl(*args).returncode == 2, args
    p = ctl("status", "--run-dir", "/nonexistent")
    assert p.returncode == 1 and "/nonexistent" in p.stderr
    assert ctl("--help").returncode == 0
    assert ctl("--version").returncode == 0


def test_shardd_by_hand_says_what_it_is():
    p = subprocess.run([kits.SHARDD], capture_output=True, text=True,
                       timeout=wait.limit(30))
    assert p.returncode != 0
    assert "gatewayd" in p.stderr
