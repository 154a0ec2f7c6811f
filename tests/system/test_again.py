"""What failed is tried once more, alone (scripts/test --again): kit/again.py."""
import os
import re
import subprocess
import sys
import types

import pytest
from kit import again
from kit.kennel import TOP, Kennel

MADE_UP = '''
import os, pytest
BESIDE = os.environ.get("BESIDE")

def test_good():
    pass

@pytest.mark.parametrize("n", ["a b", "c[d]"])
def test_unsteady(n):
    assert not BESIDE, "what it said"

@pytest.fixture
def thing():
    yield
    assert not BESIDE, "when it was over"

def test_at_its_end(thing):
    assert not BESIDE

def test_bad():
    assert False, "bad as ever"

def test_crash():
    assert not BESIDE, "faults in the log: it died"

def test_gone():
    if not BESIDE:
        pytest.skip("not this time")
    assert False
'''


@pytest.fixture
def made_up(tmp_path):
    """made_up(names, most): a run in which these fail, and what again.py says of it."""
    (tmp_path / "test_made_up.py").write_text(MADE_UP)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    failures = tmp_path / "failures"
    env = {**os.environ, "PYTHONPATH": os.path.join(TOP, "tests")}

    def do(names, most, *more):
        p = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "kit.again",
                            "--failures", failures, "-k", names, *more, "."], cwd=tmp_path,
                           env={**env, "BESIDE": "1"}, capture_output=True, text=True)
        assert p.returncode in (0, 1), p.stdout + p.stderr
        return again_run(failures, most, env)
    return do


def again_run(failures, most, env=os.environ):
    p = subprocess.run([sys.executable, again.__file__, "run", failures, str(most), "19"],
                       env=env, capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout, int(p.stdout.split("\n")[-2])


@pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["one", "xdist"])
def test_what_passes_alone_is_unsteady(made_up, more):
    said, unsteady = made_up("unsteady or good", 2, *more)
    assert unsteady == 2
    for name in "test_unsteady[a b]", "test_unsteady[c[d]]":
        assert f"UNSTEADY, a fault to be mended: test_made_up.py::{name} (call)" in said
    assert said.count("what it said") >= 2
    # And once more, where whoever reads the end finds them.
    assert re.search(r"\nunsteady:\n( +test_made_up.py::test_unsteady.* \(call\)\n){2}2\n$", said)


def test_one_that_fails_at_its_end_too_is_one(made_up):
    said, unsteady = made_up("at_its_end", 1)
    assert unsteady == 1 and "when it was over" in said and "assert not '1'" in said


def test_what_fails_again_is_no_unsteady_test(made_up):
    """And nor are those that failed beside it."""
    said, unsteady = made_up("unsteady or bad", 3)
    assert unsteady == 0 and "UNSTEADY" not in said
    assert said.count("bad as ever") >= 1 and "and failed, status 1" in said


@pytest.mark.parametrize("names, most, why", [
    ("unsteady", 1, "tests that failed: 2, more than the 1 that are tried again"),
    ("unsteady", "1/19", "tests that failed: 2, more than the 1 that are tried again"),
    ("crash", 3, "there is no second try: test_made_up.py::test_crash (call)"),
])
def test_what_is_not_tried_again(made_up, names, most, why):
    said, unsteady = made_up(names, most)
    assert unsteady == 0 and why in said and "once more" not in said


@pytest.mark.parametrize("most, total, bound", [
    ("3", 0, 3), ("3", 10**6, 3), ("1/2000", 0, 0), ("1/2000", 1, 1), ("1/2000", 2000, 1),
    ("1/2000", 2001, 2), ("1/2000", 19490, 10), ("3/2000", 2000, 3)])
def test_how_many_are_tried_again(most, total, bound):
    """A share grows with the suite, and is rounded up."""
    assert again.bound(most, total) == bound


def test_a_share_is_tried_again(made_up):
    assert made_up("unsteady or good", "1/18")[1] == 2


def test_one_that_is_skipped_then_has_not_passed(made_up):
    assert made_up("gone", 3)[1] == 0


def test_nothing_failed(made_up):
    assert made_up("good", 3)[1] == 0


def said_by(what):
    with pytest.raises(AssertionError) as e:
        what()
    return str(e.value)


@pytest.fixture
def kennel(monkeypatch):
    """kennel(log, ...): the kit's, of which only that is there."""
    def make(log="", **kw):
        k = Kennel.__new__(Kennel)
        vars(k).update({"faults": None, "deaths": False, "dying": set(), "dir": "/nowhere",
                        "run": "/nowhere", "log": lambda: log, "pids": lambda: [], **kw})
        return k
    monkeypatch.setattr("kit.wait.limit", lambda seconds: 0)
    return make


def test_what_the_kit_finds_is_never_forgiven(kennel):
    """Its own words, so that neither is changed without the other."""
    for text in (
            said_by(kennel("2026 warn gatewayd[1] shard slot=0 pid=7 died signal=9 lost=0")
                    .check_faults),
            said_by(kennel(pids=lambda: [7]).check_gone),
            said_by(kennel(process=types.SimpleNamespace(poll=lambda: 1)).stop),
            "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
            "==1==ERROR: LeakSanitizer: detected memory leaks",
            "../x.c:1:2: runtime error: signed integer overflow",
            "worker 'gw1' crashed while running 'test_x.py::test_y'"):
        assert again.NEVER.search(text), text
    assert not again.NEVER.search("AssertionError: not within 10.0 s: log line /gone/\n"
                                  "gatewayd[1] shard slot=0 pid=7 died signal=9 lost=0")


def died(pid, how):
    return f"2026 warn gatewayd[1] shard slot=0 pid={pid} {how} lost=0\n"


def forms(text):
    """As it is, and as a list of errors has it."""
    return text, repr([text])


# How a shard's process ends: by a crash, and otherwise.
CRASHES = [f"died signal={n}" for n in (4, 6, 7, 8, 11)] + [
    "left signal=11", "died before it said hello signal=6"]
ENDS = ["died signal=9", "died status=1", "left status=0", "died before it said hello status=127"]
OTHER = "2026 info gatewayd[1] something else\n" * 300


@pytest.mark.parametrize("how", CRASHES)
def test_a_crash_is_forgiven_only_if_the_test_meant_it(kennel, how):
    """Also one long before the end of the log; and one that was meant excuses no other one."""
    signo = int(how.split("=")[1])
    for deaths in False, True, {9}, {signo}:
        for dying in set(), {7}, {8}:
            k = kennel(died(7, how), deaths=deaths, dying=dying)
            meant = deaths == {signo} or 7 in dying
            for text in forms(k.said(6000)):
                assert (again.NEVER.search(text) is None) == meant, text
            if meant:
                k.check_faults()
            else:
                assert "faults in the log" in said_by(k.check_faults)
    for log in (died(8, how) + OTHER, died(7, how) + died(8, how), died(8, how) + died(7, how),
                died(8, how) + died(7, how) + OTHER):
        for n in 100, 6000, 10**6:
            for text in forms(kennel(log, dying={7}).said(n)):
                assert again.NEVER.search(text), (n, text)
    for cut in range(len(died(8, how)) + 2):
        assert again.NEVER.search(kennel(OTHER + died(8, how) + OTHER)
                                  .said(len(OTHER) + cut)), cut


@pytest.mark.parametrize("how", ENDS)
def test_who_ends_otherwise_has_not_crashed(kennel, how):
    for deaths in True, {9}:
        k = kennel(died(7, how), deaths=deaths)
        k.check_faults()
        assert k.said(6000) == died(7, how)
        assert not again.NEVER.search(k.said(6000))


def test_the_log_of_a_failure_says_what_was_meant(tmp_path):
    """A real kennel, two real deaths by the same signal, of which only one was meant."""
    tests = """
import os, signal, pytest
from kit.kennel import Kennel, SHARDD
from kit import wait

@pytest.mark.parametrize("other", [False, True])
def test_it(start, other):
    k = start(shards=2, redis="none", deaths=True)
    k.kill_shard(0, signo=signal.SIGABRT)
    if other:
        os.kill(k.shard(1)["pid"], signal.SIGABRT)
    wait.until(lambda: k.log().count("died signal=6") == 1 + other, 20)
    assert False, "too late"

def test_two(start):
    first, second = start(shards=1, redis="none"), start(shards=1, redis="none")
    first.stop = lambda: 1 / 0
    os.kill(second.shard(0)["pid"], signal.SIGABRT)
    second.wait_log("died signal=6", 20)
"""
    (tmp_path / "test_made_up.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    conftest = os.path.join(TOP, "tests", "system", "conftest.py")
    os.symlink(conftest, tmp_path / "conftest.py")
    failures = tmp_path / "failures"
    p = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "kit.again", "--failures",
                        failures, "."], cwd=tmp_path, capture_output=True, text=True,
                       env={**os.environ, "PYTHONPATH": os.path.join(TOP, "tests")})
    assert p.returncode == 1 and "2 failed, 1 passed, 2 errors" in p.stdout, p.stdout + p.stderr
    one, other, two = again.load(failures)
    assert "[False]" in one["id"] and "died signal=6 (meant) lost=" in one["text"]
    assert not again.NEVER.search(one["text"])
    assert again.NEVER.search(other["text"]) and "faults in the log" in other["text"]
    # The end of each kennel is told, whole.
    assert "ZeroDivisionError" in two["text"] and "faults in the log" in two["text"]
    assert again.NEVER.search(two["text"])


NODE = '''
import { test, describe, after } from "node:test";
import assert from "node:assert/strict";
const beside = process.env.BESIDE;
test("good", () => {});
test("of (some) # \\\\ kind?", () => { assert.ok(!beside, "what it said"); });
describe("several", () => {
	test("within", () => { assert.ok(!beside); });
	test("good, too", () => {});
});
'''


def test_of_node_too(tmp_path):
    (tmp_path / "a.test.mjs").write_text(NODE)
    (tmp_path / "b.test.mjs").write_text(
        'import { test, after } from "node:test";\ntest("fine", () => {});\n'
        'after(() => { if (process.env.BESIDE) throw new Error("after all"); });\n')
    env = {k: v for k, v in os.environ.items() if k != "NODE_TEST_CONTEXT"}
    p = subprocess.run(["node", "--test", "--test-reporter=tap", tmp_path], cwd=tmp_path,
                       env={**env, "BESIDE": "1"}, capture_output=True, text=True)
    assert "# fail 3\n" in p.stdout, p.stdout
    (tmp_path / "tap").write_text(p.stdout)
    subprocess.run([sys.executable, again.__file__, "tap", tmp_path / "failures",
                    tmp_path / "tap"], check=True)
    said, unsteady = again_run(tmp_path / "failures", 3, env)
    assert unsteady == 3, said
    for name in "a.test.mjs: of (some) # \\ kind?", "a.test.mjs: within", "b.test.mjs":
        assert f"once more: {name}" in said
    assert "what it said" in said and "after all" in said
