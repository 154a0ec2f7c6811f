"""What running shards allocate: kit/count_alloc.c, read from outside."""
import mmap
import os
import re
import shutil
import struct
import subprocess

from kit import kennel as kits
from kit import wait

LIBRARY = os.path.join(kits.BUILD, "tests", "kit", "count_alloc.so")
KINDS = "malloc", "calloc", "realloc", "memalign", "free"


class Allocs:
    """For Kennel(env=Allocs(directory).env)."""

    def __init__(self, directory):
        # The loader takes a space in a name for its end.
        library = shutil.copy(LIBRARY, directory)
        self.base = os.path.join(directory, "allocs")
        self.env = {"LD_PRELOAD": library, "COUNT_ALLOC": self.base}
        self.maps = {}

    def map(self, pid):
        if pid not in self.maps:
            with open(f"{self.base}.{pid}", "r+b") as f:
                self.maps[pid] = mmap.mmap(f.fileno(), 0)
        return self.maps[pid]

    def calls(self, pid):
        """Of each kind, so far."""
        return struct.unpack_from("5Q", self.map(pid))

    def trace(self, pid, n):
        """The next n calls are described in the log."""
        struct.pack_into("Q", self.map(pid), 5 * 8, n)

    def least(self, pids, run, rounds=8):
        """
        {kind: calls} of all pids together in that run() of several in which
        there were fewest; none is the last.  What happens by the clock
        (heart-beats) is in some of them only, unless they last for long; what
        each message costs, even one in a thousand of them, is in all.
        """
        found = []
        for _ in range(wait.limit(rounds)):
            before = [self.calls(p) for p in pids]
            run()
            after = [self.calls(p) for p in pids]
            found.append([sum(a[k] - b[k] for a, b in zip(after, before))
                          for k in range(len(KINDS))])
            if not any(found[-1]):
                break
        return dict(zip(KINDS, min(found, key=sum)))


def who(log):
    """Where the described calls came from, most frequent first."""
    counted = {}
    for text in log.split("count_alloc ")[1:]:
        kind, *lines = text.splitlines()
        found = map(re.compile(r"(\S+)\((\S*)\)\[0x").match, lines)
        frames = tuple(m.groups() for m in found if m)
        counted[kind, frames] = counted.get((kind, frames), 0) + 1
    names = symbols({f for _, frames in counted for f in frames})
    return [f"{n} {kind}: " + " < ".join(names[f] for f in frames)
            for (kind, frames), n in
            sorted(counted.items(), key=lambda x: -x[1])]


def symbols(frames):
    """{(path, "name+0x1" or "+0x1"): function}"""
    names = {f: f[1].split("+")[0] for f in frames}
    for path in {p for p, at in frames if at.startswith("+")}:
        static = [f for f in frames if f[0] == path and f[1].startswith("+")]
        p = subprocess.run(["addr2line", "-fe", path], text=True,
                           input="\n".join(at for _, at in static),
                           capture_output=True)
        for f, name in zip(static, p.stdout.split("\n")[::2]):
            names[f] = name if name != "??" else names[f]
    return names
