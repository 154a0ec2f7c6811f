"""Programs to whom another time is told (Debian's faketime)."""
import glob

from kit import wait


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


def env(shift):
    """For a Kennel, whose gateway and shards read the wall clock so: "+7h"."""
    preload = {"LD_PRELOAD": library(), "FAKETIME": shift,
               "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_NO_CACHE": "1"}
    if wait.SANITIZED:
        # It wants to be the first library; and its allocator asks for the time with its lock
        # held, which the one that tells it allocates for.
        preload["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0:" \
                                  "allocator_release_to_os_interval_ms=-1"
    return preload
