"""Shards are replaced while a test talks."""
import threading


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
