"""The kit's networks: what tests left that were killed is removed (kit/networks.py)."""
import os
import signal
import subprocess
import sys

import pytest
from kit import networks, wait
from kit.kennel import TOP, Ports

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="root makes networks")


class Maker:
    """Another process of tests, with a network of its own."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from kit.networks import Lan\n"
             "lan = Lan(2, here=True)\nprint(lan.id, flush=True)\ninput()\nlan.remove()"],
            env={**os.environ, "PYTHONPATH": os.path.join(TOP, "tests")}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.number = int(self.process.stdout.readline())

    def things(self):
        return sorted(name for n, _, name in networks.there() if n == self.number)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        networks.remove(self.number)
        self.process.stdin.close()
        self.process.stdout.close()


def test_the_networks_of_the_dead_are_removed_and_no_others():
    with Maker() as dead, Maker() as living:
        all_of_it = [[f"k{m.number}c1", f"k{m.number}c2", f"kt{m.number}n1",
                      f"kt{m.number}n2", f"ktb{m.number}"] for m in (dead, living)]
        assert [m.things() for m in (dead, living)] == all_of_it
        networks.sweep()
        assert [m.things() for m in (dead, living)] == all_of_it
        dead.kill()
        with networks.Lan(1) as ours:
            # Others may be at it, too.
            wait.until(lambda: networks.sweep() or dead.things() == [])
            assert living.things() == all_of_it[1]
            assert len([n for n, _, _ in networks.there() if n == ours.id]) == 3
            living.process.communicate("\n")
            assert living.things() == []        # it has removed them itself
        assert not [n for n, _, _ in networks.there() if n == ours.id]


def test_a_network_can_be_made_where_there_is_one_that_was_left(monkeypatch):
    """Its port is ours by now, so that nobody else removes it."""
    left = networks.Lan(2, here=True)
    monkeypatch.setattr(Ports, "take", lambda: Ports.BEGIN + left.id)

    def things():
        return sorted(name for n, _, name in networks.there() if n == left.id)
    assert len(things()) == 5
    with networks.Lan(1) as lan:
        assert things() == [f"k{left.id}c1", f"kt{left.id}n1", f"ktb{left.id}"]
        with lan.machines[0]:
            pass
    assert things() == []
