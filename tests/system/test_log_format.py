"""The log: its formats, and who speaks in it."""
import json
import re
import shutil
import subprocess

import pytest
from kit import kennel as kits
from kit import wait
from kit.chat import Chat


def test_json_is_an_object_a_line(start):
    k = start("--log-format", "json", shards=2)
    with Chat(k, "g", "a"):
        pass
    k.ctl("log-level", "debug")
    rows = [json.loads(line) for line in k.log().splitlines()]
    assert {r["process"] for r in rows} == {"gatewayd", "shardd/0", "shardd/1"}
    for r in rows:
        assert set(r) == {"time", "level", "process", "pid", "message",
                          "fields"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                            r["time"])
    ready, = [r for r in rows if r["message"].startswith("ready node=")]
    assert ready["fields"]["shards"] == "2"


def test_journald_has_priorities_and_no_time(start):
    k = start("--log-format", "journald", shards=1)
    pid, = [s["pid"] for s in k.shards()]
    k.kill_shard(slot=0)
    k.wait_log(r"<4>gatewayd\[\d+\] shard slot=0 pid=%d died" % pid)
    lines = k.log().splitlines()
    assert all(re.match(r"<[467]>[a-z]+(/\d)?\[\d+\] ", x) for x in lines)
    assert any(x.startswith("<6>shardd/0[") for x in lines)


def test_a_worker_of_ones_own_is_called_as_its_program(start, tmp_path):
    mine = tmp_path / "my-game"
    shutil.copy(kits.SHARDD, mine)
    k = start("--worker", str(mine), shards=1)
    k.ctl("log-level", "debug")
    k.ctl("restart", "0")
    assert re.search(r"info my-game/0\[\d+\] draining", k.log())
    assert "shardd/" not in k.log()


def test_who_is_no_worker_is_asked_about_after_three_tries(start, tmp_path):
    k = start("--worker", "/bin/true", shards=1, ready=False,
              deaths=True)
    k.wait_log(r"warn .*worker=/bin/true did not get ready in 3 tries "
               r"\(the last ended with status=0\): is it a Kennel worker")
    tries = len(re.findall(r" died", k.log()))
    wait.until(lambda: len(re.findall(r" died", k.log())) > tries + 1)
    assert len(re.findall("is it a Kennel worker", k.log())) == 1


@pytest.mark.parametrize("value", ["xml", ""])
def test_no_such_format(value):
    p = subprocess.run([kits.GATEWAYD, "--log-format", value],
                       capture_output=True, text=True, timeout=wait.limit(30))
    assert p.returncode == 2 and "journald" in p.stderr
