"""Somebody in the chat room."""
import itertools
import json
from urllib.parse import quote

from kit import wait
from kit.ws import WebSocket

serial = itertools.count(1)

# Rooms of two in each shard.
PAIRS = """
[route chat]
path = /lobby/{group}/ws
app = chat
group = path:group
uid = query:u
limit = 2
"""


def room():
    """A group of its own for each test."""
    return f"room{next(serial)}"


class Chat(WebSocket):
    def __init__(self, kennel, group, name, query=None, **kw):
        self.name = name
        self.group = group
        if query is None:
            query = "u=" + quote(name, safe="")
        super().__init__(kennel.address, f"/lobby/{group}/ws?{query}", **kw)

    def tell(self, **message):
        """A message as the page sends it."""
        self.send(json.dumps(message, ensure_ascii=False))

    def say(self, text):
        self.tell(type="msg", text=text)

    def hear(self):
        return json.loads(self.recv())

    def until(self, **want):
        """What comes before, and the first message that has all of want."""
        before = []
        while True:
            m = self.hear()
            if all(m.get(k) == v for k, v in want.items()):
                return before, m
            before.append(m)

    def next(self, **want):
        return self.until(**want)[1]

    def users(self):
        """The answer to req:user:list."""
        self.tell(type="req:user:list")
        return self.next(type="user:list")

    def shard(self):
        """The address of its shard; for one who is alone in its name."""
        self.tell(type="req:connected")
        return self.next(type="user:connected", **{"from": self.name})["shard"]


def barrier(sender, *others):
    """
    A message that everybody gets, sender too.  Returns what each one heard
    before it, in the order of the arguments: all that sender did is in there.
    """
    n = next(serial)
    sender.tell(type="barrier", n=n)
    return [c.until(type="barrier", n=n)[0] for c in (sender, *others)]


def said(messages):
    """The texts of chat messages among them."""
    return [m["text"] for m in messages if m["type"] == "user:msg"]


def settle(*everyone):
    """
    Each in turn sends a barrier, so that nothing is still on its way.  Returns
    what each one heard: {person: [messages]}.
    """
    heard = {p: [] for p in everyone}
    for p in everyone:
        order = [p] + [o for o in everyone if o is not p]
        for o, messages in zip(order, barrier(*order)):
            heard[o] += messages
    return heard


def shards(*people):
    """The address of each one's shard; also of several devices of one uid."""
    found = []
    for p in people:
        settle(*people)
        found.append(p.shard())
    settle(*people)
    return found


def meet(*people):
    """All hear each other, once.  (Of Voices, too.)"""
    for p in people:
        p.say("met " + p.name)
    for p in people:
        left = {"met " + o.name for o in people}
        while left:
            m = p.hear()
            if m["type"] == "user:msg":
                left.discard(m["text"])


def crowd(kennel, group, names):
    """These, one after the other, and quiet."""
    people = [Chat(kennel, group, n) for n in names]
    settle(*people)
    return people


def again(*people, timeout=40):
    """They hear each other again, sooner or later."""
    for p in people:
        seen = set()

        def heard():
            for o in people:
                o.say("again " + o.name)
            p.tell(type="barrier", n=-1)
            while True:
                m = p.hear()
                if m["type"] == "user:msg" and m["text"].startswith("again"):
                    seen.add(m["text"])
                if m["type"] == "barrier" and m["n"] == -1:
                    return seen >= {"again " + o.name for o in people}
        wait.until(heard, timeout, f"{p.name} hears all, not {seen}")
