"""Waiting for a condition: the only way in which a test lets time pass."""
import os
import time

# Sanitized programs are slower; a deadline is only ever a limit.
SLOW = 3 if os.environ.get("KENNEL_SANITIZED") else 1


def until(condition, timeout=10, what=None):
    """Returns the first true value of condition(); fails after timeout."""
    end = time.monotonic() + timeout * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(
                f"not within {timeout * SLOW} s: {what or condition}")
        time.sleep(0.005)
