"""Waiting for a condition: the only way in which a test lets time pass."""
import os
import time

SANITIZED = bool(os.environ.get("KENNEL_SANITIZED"))


def slowness():
    """
    By what all deadlines grow: a sanitized program is slower, and so is a
    machine that has other work.  KENNEL_SLOW says how much (scripts/test
    --loaded: 4); without it, as many times as processes wait for a processor
    now, up to 4.  Looked up each time: a run makes its own load, after it began.
    """
    given = os.environ.get("KENNEL_SLOW")
    busy = int(given) if given else \
        min(4, int(os.getloadavg()[0] / len(os.sched_getaffinity(0))))
    return max(1, busy) * (3 if SANITIZED else 1)


def limit(seconds):
    """A deadline of so many seconds, as it is here and now; only for what hangs."""
    return seconds * slowness()


def until(condition, timeout=10, what=None):
    """Returns the first true value of condition(); fails after timeout."""
    begin = time.monotonic()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() - begin > limit(timeout):
            raise AssertionError(
                f"not within {time.monotonic() - begin:.1f} s: {what or condition}")
        time.sleep(0.005)
