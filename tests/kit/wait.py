"""Waiting for a condition: the only way in which a test lets time pass."""
import os
import select
import time

SANITIZED = bool(os.environ.get("KENNEL_SANITIZED"))
# What a condition raises that looks at something which is not there, or not whole, yet.
# A connection that ends, and an assertion within, are none of these: they fail at once.
NOT_YET = (LookupError, ValueError, TypeError, AttributeError, StopIteration,
           ProcessLookupError, FileNotFoundError)


def slowness():
    """
    By what all deadlines grow: a sanitized program is slower, and so is a
    machine that has other work.  KENNEL_SLOW says how much (scripts/test
    --loaded: 4); without it, as many times as processes wait for a processor
    now, up to 4.  Looked up each time: a run makes its own load, after it began.
    The kernel tells of that only later, so pytest's workers (xdist) count at once.
    """
    given = os.environ.get("KENNEL_SLOW")
    load = max(os.getloadavg()[0], int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))
    busy = int(given) if given else min(4, int(load / len(os.sched_getaffinity(0))))
    return max(1, busy) * (3 if SANITIZED else 1)


def limit(seconds):
    """A deadline of so many seconds, as it is here and now; only for what hangs."""
    return seconds * slowness()


def ready(sock, what=select.POLLIN, seconds=0):
    """
    Which of these it is ready for, or has ended, within so many seconds; 0: none.  What
    select() says is an error where a process has more than 1024 descriptors.
    """
    poll = select.poll()
    poll.register(sock, what)
    return sum(events for _, events in poll.poll(seconds * 1000))


def until(condition, timeout=10, what=None):
    """
    Returns the first true value of condition(); fails after timeout.  What condition
    looks at may not be there yet: the list is empty, the key missing, the process gone
    (NOT_YET).  That is as good as false; if it is so to the end, the failure tells it.
    To look costs time that others need: what takes long is looked at more seldom.
    what: a text for the failure, or a function that is called for one then.
    """
    begin = time.monotonic()
    while True:
        why = None
        try:
            value = condition()
            if value:
                return value
        except NOT_YET as e:
            value, why = False, e
        passed = time.monotonic() - begin
        if passed > timeout and passed > limit(timeout):
            say = what() if callable(what) else what or condition
            raise AssertionError(
                f"not within {passed:.1f} s: {say}, "
                f"the last time {repr(value if why is None else why)[:1000]}") from why
        time.sleep(min(0.005 + passed / 50, 0.015))


def reach(count, goal, stall=15, what=None):
    """count() comes to goal, however long that takes, as long as it grows: it fails when
    nothing was added for so long, not only after the time of all."""
    while (n := count()) < goal:
        until(lambda n=n: count() > n, stall, what or f"more than {n} of {goal}")
