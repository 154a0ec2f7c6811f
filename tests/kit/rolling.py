"""Shards are replaced while a test talks."""
import os
import shutil
import subprocess
import threading

from kit import kennel, wait


def roll(k, slots):
    """Each of these shards is emptied, one after another, and another one started."""
    for slot in slots:
        done = k.ctl("restart", str(slot), check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def one_sided(k):
    """All connections are in shard 0, and shard 1 is there, and empty."""
    k.ctl("drain", "1")
    k.ctl("restart", "1")


class Work(threading.Thread):
    """Something that happens while the test talks."""

    def __init__(self):
        super().__init__()
        self.error = None
        self.start()

    def run(self):
        try:
            self.work()
        except AssertionError as e:
            self.error = e

    def end(self):
        self.join()
        if self.error:
            raise self.error


class Rolling(Work):
    """These shards are replaced, one after another."""

    def __init__(self, k, slots):
        self.kennel, self.slots = k, slots
        super().__init__()

    def work(self):
        roll(self.kennel, self.slots)


class Upgrade(Work):
    """All shards, in one go."""

    def __init__(self, k):
        self.kennel = k
        super().__init__()

    def work(self):
        # Longer than kennelctl may take by the kit.
        done = subprocess.run([kennel.KENNELCTL, "upgrade", "--run-dir", self.kennel.run],
                              capture_output=True, text=True, timeout=1200)
        assert done.returncode == 0, done.stdout + done.stderr
        status = self.kennel.status()["upgrade"]
        assert status["ok"] and status["skipped"] == 0, status


class Evening(Work):
    """Connections are to be evened out, until so many have stayed."""

    def __init__(self, k, n):
        self.kennel, self.n = k, n
        super().__init__()

    def work(self):
        self.kennel.ctl("rebalance")
        wait.until(lambda: self.kennel.status()["totals"]["stayed"] >= self.n, 20)


def lag(tmp, worker=None, ms=20):
    """The environment in which shards stand still before they send a connection away."""
    # The loader takes a space in a name for its end.
    library = shutil.copy(kennel.LAG, tmp)
    return {"LD_PRELOAD": library, "LAG_MS": str(ms),
            "LAG_COMM": os.path.basename(worker or "shardd")[:15]}
