"""A crowd over several shards: all hear what is said to all, once."""
import json
import os
import re
import subprocess

import pytest
from kit import wait
from kit.kennel import BUILD, TOP

BENCH = os.path.join(BUILD, "tests", "bench")


def load(k, *args):
    """The load generator fails by itself on whatever is not exactly right."""
    p = subprocess.run([f"{BENCH}/load", "--port", str(k.port), *args],
                       capture_output=True, text=True)
    assert p.returncode == 0, p.stderr
    return json.loads(p.stdout)


def config(limit):
    with open(os.path.join(TOP, "tests", "bench", "bench.ini")) as f:
        return re.sub("limit = .*", f"limit = {limit}", f.read())


@pytest.mark.parametrize("ask", (8, 0), ids=("asked", "looked-up"))
def test_a_crowd_hears_everything_once(start, ask):
    """2000 in four shards: one broadcast, and 1000 whispers."""
    k = start(shards=4, max_shards=4, worker=f"{BENCH}/bench_worker",
              config=config(500) + f"\n[worker]\nwhisper_ask = {ask}\n")
    r = load(k, "--mode", "crowd", "--path", "/crowd?u=%d", "--conns", "2000",
             "--processes", "3", "--messages", "1000", "--flight", "16")
    assert [(run["name"], run["done"]) for run in r["runs"]] == \
        [("broadcast", 1999), ("whisper", 1000)]
    assert k.status()["totals"]["handed"] == 2000
    k.wait_places(0, 20)
    k.exact()


def test_many_groups_keep_to_themselves(start):
    """Three hundred groups of three in two shards, all talking at once."""
    k = start(shards=2, worker=f"{BENCH}/bench_worker", config=config(2))
    r = load(k, "--mode", "fan", "--path", "/fan/%g?u=%d", "--conns", "900",
             "--groups", "300", "--messages", "10", "--flight", "4")
    assert r["runs"][0]["done"] == 300 * 10 * 2
    wait.until(lambda: k.status()["groups"] == [], 20)
    k.exact()
