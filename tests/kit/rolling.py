"""Shards are replaced while a test talks."""
import os
import random
import signal
import threading
import time


def roll(k, slots):
    """Each of these shards is emptied, one after another, and another one started."""
    for slot in slots:
        done = k.ctl("restart", str(slot), check=False)
        assert done.returncode == 0, done.stdout + done.stderr


class Rolling(threading.Thread):
    """The same, while the test talks."""

    def __init__(self, k, slots):
        super().__init__()
        self.kennel, self.slots, self.error = k, slots, None
        self.start()

    def run(self):
        try:
            roll(self.kennel, self.slots)
        except AssertionError as e:
            self.error = e

    def end(self):
        self.join()
        if self.error:
            raise self.error


class Stutter(threading.Thread):
    """
    Shards stand still for a moment, one after another, so that what is on its way to
    them meets what moves.
    """

    def __init__(self, k, ms=30):
        super().__init__()
        self.kennel, self.seconds, self.ending = k, ms / 1000, False
        self.start()

    def run(self):
        while not self.ending:
            pids = [s["pid"] for s in self.kennel.shards() if s["pid"]]
            for pid in random.sample(pids, len(pids)):
                self.pause(pid)

    def pause(self, pid):
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            return
        time.sleep(self.seconds * random.random())
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return
        time.sleep(self.seconds * random.random())

    def end(self):
        self.ending = True
        self.join()
