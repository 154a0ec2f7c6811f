"""What failed is tried once more, alone (scripts/test --again): kit/again.py."""
import os
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
    p = subprocess.run([sys.executable, again.__file__, "run", failures, str(most)], env=env,
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return p.stdout, int(p.stdout.split("\n")[-2])


@pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["one", "xdist"])
def test_what_passes_alone_is_unsteady(made_up, more):
    said, unsteady = made_up("unsteady or good", 2, *more)
    assert unsteady == 2
    for name in "test_unsteady[a b]", "test_unsteady[c[d]]":
        assert f"UNSTEADY, a fault to be mended: test_made_up.py::{name} (call)" in said
    assert said.count("what it said") >= 2


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
    ("crash", 3, "there is no second try: test_made_up.py::test_crash (call)"),
])
def test_what_is_not_tried_again(made_up, names, most, why):
    said, unsteady = made_up(names, most)
    assert unsteady == 0 and why in said and "once more" not in said


def test_one_that_is_skipped_then_has_not_passed(made_up):
    assert made_up("gone", 3)[1] == 0


def test_nothing_failed(made_up):
    assert made_up("good", 3)[1] == 0


def said_by(what):
    with pytest.raises(AssertionError) as e:
        what()
    return str(e.value)


def test_what_the_kit_finds_is_never_forgiven(monkeypatch):
    """Its own words, so that neither is changed without the other."""
    def has(**kw):
        return types.SimpleNamespace(**{
            "faults": None, "deaths": False, "dying": set(), "run": "/nowhere",
            "pids": lambda: [], "sanitizer_reports": lambda: "", **kw})
    monkeypatch.setattr("kit.wait.limit", lambda seconds: 0)
    for text in (
            said_by(lambda: Kennel.check_faults(has(
                log=lambda: "2026 warn gatewayd[1] shard slot=0 pid=7 died signal=11 lost=0"))),
            said_by(lambda: Kennel.check_gone(has(pids=lambda: [7]))),
            said_by(lambda: Kennel.stop(has(process=types.SimpleNamespace(poll=lambda: 1),
                                            log=lambda: ""))),
            "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x1",
            "==1==ERROR: LeakSanitizer: detected memory leaks",
            "../x.c:1:2: runtime error: signed integer overflow",
            "worker 'gw1' crashed while running 'test_x.py::test_y'"):
        assert again.NEVER.search(text), text
    assert not again.NEVER.search("AssertionError: not within 10.0 s: log line /gone/\n"
                                  "gatewayd[1] shard slot=0 pid=7 died signal=9 lost=0")


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
