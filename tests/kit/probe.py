"""A client of tests/system/workers/probe.c."""
import json

from kit.ws import WebSocket

# Any path below /p/GROUP/ is the probe's; /none/ has no group.
CONFIG = """
[route probe]
path = /p/{group}/*
app = probe
group = path:group
uid = query:u const:anon
limit = %d
keep = User-Agent X-Kept

[route groupless]
path = /none/*
app = probe
group = none
uid = query:u const:anon
"""


class Probe(WebSocket):
    def __init__(self, kennel, group, uid="anon", path=None, **kw):
        super().__init__(kennel.address, path or f"/p/{group}/ws?u={uid}", **kw)
        self.uid = uid
        self.first = self.recv()

    def do(self, command):
        self.send(command)
        return self.recv()

    def who(self):
        return json.loads(self.do("who"))

    def ask(self, ms=1000):
        """The slots of a gossip."""
        self.send(f"ask {ms}")
        slots = []
        while True:
            m = self.recv()
            if m.startswith("end "):
                assert int(m[4:]) == len(slots)
                return slots
            slots.append(m)
