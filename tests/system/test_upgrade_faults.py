"""
Programs that are no worker, or a bad one, in an upgrade: nobody is closed, no word is lost,
the same shards serve as before, and kennelctl and the log say why.
"""
import os
import shutil
import signal
import subprocess
import time

import pytest
from kit import wait
from kit.kennel import SHARDD, STOPAT
from kit.mover import Crowd, Mover, routes

CONFIG = """
[gateway]
upgrade_hold = 10m
drain = 2s
watchdog = 3s
move_rate = %d
"""


@pytest.fixture(scope="module")
def mover(installed):
    return installed.worker("mover.c")


def script(where, name, text):
    path = os.path.join(where, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o755)
    return path


class People:
    """In three groups, and alone; they talk while something happens."""

    def __init__(self, k, groups=36, alone=6):
        self.k = k
        self.crowd = Crowd([Mover(k, f"g{i % 3}", f"u{i}") for i in range(groups)] +
                           [Mover(k, "", f"alone{i}") for i in range(alone)])
        for m in self.crowd.movers:
            m.topics = set()
        self.grouped = self.crowd.movers[:groups]
        self.shards = {s["pid"] for s in k.shards()}
        self.places = self.where()
        self.asked, self.waited = {}, {}

    def where(self):
        return {m: shard for m, (_, shard) in self.crowd.where().items()}

    def echo(self):
        """Each asks, and asks again when it is answered: how long it has waited, at most."""
        now = time.monotonic()
        for m in self.crowd.movers:
            if m not in self.asked or "e ?" in m.own:
                self.asked[m] = now
                m.own.clear()
                m.command("e ?")
            self.waited[m] = max(self.waited.get(m, 0), now - self.asked[m])

    def until_over(self, *phases, talk=True, echo=False):
        """Until the upgrade is over, or in one of these phases."""
        end = time.monotonic() + wait.limit(60)
        while True:
            for m in self.grouped[::5] if talk else []:
                m.say("c")
            if echo:
                self.echo()
            self.crowd.breathe()
            u = self.k.status()["upgrade"]
            if u["phase"] in ("none", *phases):
                return u
            assert time.monotonic() < end, u

    def as_before(self, moved=False):
        """All are there, in the same shards; who has not `moved` meanwhile, in the same one."""
        self.where()                            # each is at home again, and answers
        for m in self.grouped:
            m.say("c")
        self.crowd.settle()
        assert {s["pid"] for s in self.k.shards()} == self.shards
        assert moved or self.where() == self.places
        assert not any(self.k.status()["totals"]["gone"].values())
        self.k.exact()

    def close(self):
        self.crowd.close()


def begin(k, *args):
    p = k.ctl(*args, "--no-wait", check=False)
    assert p.returncode == 0, p.stderr


def said(k, u, why):
    """The reason is in kennelctl's words and in the log."""
    assert not u["ok"] and why in u["result"], u
    assert u["result"] in k.log()
    assert f"goes back: {u['result']}" in k.log()


def elf(where, name):
    """A program of another machine, and one whose library is missing."""
    path = os.path.join(where, name)
    if name == "other-machine":
        with open(SHARDD, "rb") as f:
            data = bytearray(f.read(4096))
        data[18] = 0xb7 if data[18] != 0xb7 else 0x3e
        with open(path, "wb") as f:
            f.write(data)
        os.chmod(path, 0o755)
        return path
    for file, text in (("l.c", "int nolib(void) { return (0); }\n"),
                       ("m.c", "int nolib(void);\nint main(void) { return (nolib()); }\n")):
        with open(os.path.join(where, file), "w") as f:
            f.write(text)
    for cmd in (["cc", "-shared", "-fPIC", "-o", "libnolib.so", "l.c"],
                ["cc", "-o", name, "m.c", "-L.", "-lnolib"]):
        subprocess.run(cmd, cwd=where, check=True, timeout=wait.limit(60))
    os.unlink(os.path.join(where, "libnolib.so"))
    return path


def program(where, name):
    if name == "cat":
        return "/bin/cat"
    if name in ("other-machine", "missing-library"):
        return elf(where, name)
    texts = {"exit": "#!/bin/sh\nexit 3\n", "empty": "", "noise": "\1\2\3\4" * 100,
             "no-interpreter": "#!/nowhere/sh\n", "hangs": "#!/bin/sh\nexec sleep 1000\n",
             "killed": "#!/bin/sh\nkill -SEGV $$\n"}
    return script(where, name, texts[name])


@pytest.mark.parametrize("name,why", [
    ("cat", "did not get ready (exit status 1)"),
    ("exit", "did not get ready (exit status 3)"),
    ("killed", "did not get ready (signal 11, Segmentation fault)"),
    ("missing-library", "exit status 127: is a library or an interpreter missing?"),
    ("other-machine", "cannot be started: Exec format error"),
    ("empty", "cannot be started: Exec format error"),
    ("noise", "cannot be started: Exec format error: it is no program for this machine, "
     "and no script that begins with #!"),
    ("no-interpreter", "cannot be started: No such file or directory: what its first line "
     "names (#!), or its loader, is not there"),
    ("hangs", "was not ready within 10 s")])
def test_what_does_not_start(start, tmp_path, mover, name, why):
    """15"""
    k = start(shards=2, worker=mover, config=CONFIG % 2000 + routes(60),
              deaths={signal.SIGSEGV} if name == "killed" else True)
    people = People(k, 12, 2)
    bad = program(str(tmp_path), name)
    begin(k, "upgrade", bad)
    said(k, people.until_over(), why)
    people.as_before()
    if "cannot be started" in why:
        assert f"worker={bad} did not start" in k.log()
    people.close()


def test_what_cannot_be_executed_is_not_begun(start, tmp_path, mover):
    k = start(shards=2, worker=mover, config=CONFIG % 2000 + routes(60))
    people = People(k, 12, 2)
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    for path, why in (plain, "Permission denied: gatewayd's user may not execute it (chmod +x?)"), \
            (tmp_path, "Is a directory"), ("/dev/null", "Permission denied: "):
        p = k.ctl("upgrade", str(path), check=False)
        assert p.returncode == 1 and f"{path}: {why}" in p.stderr
    p = k.ctl("upgrade", str(tmp_path / "none"), check=False)
    assert p.returncode == 2 and "there is no such program" in p.stderr
    assert k.status()["upgrade"]["phase"] == "none"
    people.as_before()
    people.close()


def test_usr2_with_a_bad_program_says_so_in_the_log(start, tmp_path, mover):
    worker = shutil.copy(mover, tmp_path / "mover")
    k = start(shards=2, worker=worker, config=CONFIG % 2000 + routes(60), deaths=True)
    people = People(k, 12, 2)
    shutil.copy("/bin/false", tmp_path / "new")
    os.rename(tmp_path / "new", worker)
    os.kill(k.pid, signal.SIGUSR2)
    k.wait_log("goes back: the new program did not get ready", 30)
    people.until_over()
    os.unlink(worker)
    os.kill(k.pid, signal.SIGUSR2)
    k.wait_log(f"{worker}: No such file or directory", 30)
    people.as_before()
    people.close()


@pytest.mark.parametrize("shards,args,rate", [
    (1, ["upgrade"], 2000), (2, ["upgrade"], 2000), (1, ["upgrade"], 25),
    (3, ["upgrade"], 25), (4, ["canary", "60%"], 25)])
@pytest.mark.parametrize("nth", [1, 10])
def test_a_new_one_that_dies_of_thaw(start, tmp_path, mover, nth, shards, args, rate):
    """
    15: Slowly, some have moved by then: those go on in old shards, and not in another new one.
    (Words that it had not sent yet are lost with a process.)
    """
    k = start(shards=shards, worker=mover, config=CONFIG % rate + routes(60),
              deaths={signal.SIGABRT})
    people = People(k)
    bad = script(tmp_path, "bad", f"#!/bin/sh\nMOVER_ABORT={nth} exec {mover} \"$@\"\n")
    begin(k, *args, bad)
    said(k, people.until_over(talk=nth == 1), "died (signal 6, Aborted)")
    people.as_before(moved=True)
    assert k.log().count("died signal=6") == 1
    people.close()


# Where a program hangs that starts well; and how long its own clients wait at most: A
# takes back after 2 s, what it has adopted goes on when the watchdog (3 s) has ended it.
HANGS = {
    "before-expected": ("STOPAT_SELF='EXPECTED 1' STOPAT_BEFORE=1", 1),
    "in-thaw": ("MOVER_HANG=1", 3),
    "in-thaw-later": ("MOVER_HANG=10", 6),
    "before-adopted": ("STOPAT_SELF='ADOPTED 1' STOPAT_BEFORE=1", 3),
    "after-adopted": ("STOPAT_SELF='ADOPTED 1'", 6),
    "after-adopted-later": ("STOPAT_SELF='ADOPTED 10'", 6),
}


@pytest.mark.parametrize("how", [["upgrade"], ["canary", "60%"]], ids=["upgrade", "canary"])
@pytest.mark.parametrize("name", HANGS)
def test_a_new_one_that_hangs(start, tmp_path, mover, name, how):
    """The watchdog ends it, the upgrade goes back, and everybody is served meanwhile."""
    k = start(shards=2, worker=mover, config=CONFIG % 2000 + routes(60), deaths=True)
    people = People(k)
    text, longest = HANGS[name]
    if "STOPAT" in text:
        text += f" LD_PRELOAD={shutil.copy(STOPAT, tmp_path)}"
    bad = script(tmp_path, "bad", f"#!/bin/sh\n{text} exec {mover} \"$@\"\n")
    begin(k, *how, bad)
    began = time.monotonic()
    u = people.until_over(talk=False, echo=True)
    assert time.monotonic() - began < wait.limit(12)
    said(k, u, "does not answer" if "does not answer" in u["result"] else
         "died (signal 9, Killed)")
    assert max(people.waited.values()) < wait.limit(longest), sorted(people.waited.values())[-9:]
    people.as_before(moved=name not in ("before-expected", "before-adopted", "in-thaw"))
    people.close()


# Programs that start well, and want nobody.
UNWILLING = {
    "refuses": ("MOVER_REFUSE=1 exec MOVER \"$@\"", "its application did not take it"),
    "older": ("exec MOVER \"$@\" --wire 1", "its Kennel is of a release that cannot"),
    "another-worker": (f"exec {SHARDD} \"$@\"", "has no application \"mover\""),
}


@pytest.mark.parametrize("name", UNWILLING)
@pytest.mark.parametrize("how", [["upgrade"], ["canary", "50%"]], ids=["upgrade", "canary"])
@pytest.mark.parametrize("n", [6, 36])
def test_a_new_one_that_wants_nobody(start, tmp_path, mover, name, how, n):
    """15"""
    text, why = UNWILLING[name]
    k = start(shards=2, worker=mover, config=CONFIG % 2000 + routes(60), faults=".")
    people = People(k, n, 0)
    bad = script(tmp_path, "bad", "#!/bin/sh\n" + text.replace("MOVER ", mover + " ") + "\n")
    begin(k, *how, bad)
    said(k, people.until_over("holding"), why)
    people.as_before()
    people.close()


def test_a_canary_is_a_part_of_many(start, mover):
    """16: Of each shard's connections; then all, and all back."""
    k = start(shards=2, worker=mover, config=CONFIG % 2000 + routes(200))
    people = People(k, 90, 10)
    begin(k, "canary", "20%", mover)
    u = people.until_over("holding")
    assert u["phase"] == "holding" and 20 <= u["moved"] <= 22, u
    old = {s["pid"] for s in k.shards()}
    assert people.shards < old and len(old) == 3
    new = next(s for s in k.shards() if s["pid"] not in people.shards)
    assert new["connections"] == u["moved"]
    begin(k, "upgrade")
    wait.until(lambda: k.status()["upgrade"]["percent"] == 100, 20)
    u = people.until_over("holding")
    assert u["phase"] == "holding" and u["moved"] == 100, u
    assert all(s["connections"] == 0 for s in k.shards() if s["pid"] in people.shards)
    begin(k, "back")
    said(k, people.until_over(), "the operator wanted it back")
    people.as_before(moved=True)
    people.close()
