"""The kit's way to wait: what a condition may look at, and what is told when it fails."""
import json
import os
import time

import pytest
from kit import wait


@pytest.mark.parametrize("look", [
    lambda: [][0], lambda: {}["k"], lambda: next(iter(())), lambda: [x for x, in [()]],
    lambda: int(""), lambda: None.group(1), lambda: json.loads("null")["k"], lambda: open("/proc/0/stat"),
    lambda: os.kill(0x7fffffff, 0),
], ids=["list", "key", "next", "unpacked", "text", "match", "answer", "file", "process"])
def test_what_is_not_there_yet_is_waited_for(look):
    turns = iter(range(5))
    assert wait.until(lambda: next(turns) == 3 and "there" or look()) == "there"


def test_what_is_never_there_is_told(monkeypatch):
    monkeypatch.setenv("KENNEL_SLOW", "1")
    with pytest.raises(AssertionError) as e:
        wait.until(lambda: [][0], 0.05, "there is one")
    assert "there is one" in str(e.value) and "list index out of range" in str(e.value)
    assert isinstance(e.value.__cause__, IndexError)


def test_what_it_was_the_last_time_is_told(monkeypatch):
    monkeypatch.setenv("KENNEL_SLOW", "1")
    raised = iter([KeyError("early")])

    def look():
        for e in raised:
            raise e
        return ""
    with pytest.raises(AssertionError) as e:
        wait.until(look, 0.05)
    assert "the last time ''" in str(e.value) and e.value.__cause__ is None


def test_a_failure_tells_what_there_was_at_the_end():
    there = []
    with pytest.raises(AssertionError, match=r"s: \[1.*\], the last time None"):
        wait.until(lambda: there.append(1), 0.05, lambda: there)


@pytest.mark.parametrize("fault", [ConnectionResetError("reset"), AssertionError("wrong"),
                                   TimeoutError("timed out")])
def test_a_fault_fails_at_once(fault):
    began = time.monotonic()

    def look():
        raise fault
    with pytest.raises(type(fault)):
        wait.until(look, 60)
    assert time.monotonic() - began < 30
