"""The chat room without WebSocket: events, and messages by POST."""
import json

import pytest
from kit import nodes
from kit.chat import Chat, room
from kit.http import Http
from kit.stream import Events


@pytest.fixture(scope="module", params=("one", "nodes"))
def kennel(request, start_shared, site):
    """On two nodes what is said by POST comes to another one than its sender's stream."""
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, max_shards=4)
    return start_shared(shards=3, max_shards=6)


class Reader(Events):
    """A user who hears by events and says by POST."""

    def __init__(self, k, group, name):
        super().__init__(k.address, f"/lobby/{group}/events?u={name}",
                         fields=[("Accept", "text/event-stream")])
        self.k, self.group, self.name = k, group, name

    def post(self, body):
        with Http(self.k.address) as c:
            return c.ask("POST", f"/lobby/{self.group}/say?u={self.name}",
                         body=body)

    def say(self, text):
        r = self.post(json.dumps({"type": "msg", "text": text}).encode())
        assert r.status == 204, r

    def heard(self, text):
        """The message with this text; what came before it."""
        before = []
        while True:
            name, data = self.event()
            assert name == "message"
            m = json.loads(data)
            if m.get("text") == text:
                return m, before
            before.append(m)


def users(r):
    r = r.post(b'{"type":"req:user:list"}')
    assert (r.status, r["Content-Type"]) == (200, "application/json")
    return json.loads(r.text)


def test_both_kinds_are_one_room(kennel):
    g = room()
    ann, bob = Reader(kennel, g, "ann"), Reader(kennel, g, "bob")
    eve = Chat(kennel, g, "eve")
    assert kennel.group(g) == [2, 1]
    for name in "ann", "bob":
        heard = users(ann)
        assert sorted(heard["list"]) == ["ann", "bob", "eve"]
        assert set(heard["shards"]) == {"ann", "bob", "eve"}
    ann.say("hello\nall")
    for r in ann, bob:
        m, _ = r.heard("hello\nall")
        assert (m["from"], m["type"]) == ("ann", "user:msg")
    bob.say("/w ann psst")
    for r in ann, bob:
        m, _ = r.heard("psst")
        assert (m["meta"], m["to"]) == ("whisper", "ann")
    ann.say("/w ann to myself")
    ann.say("/g near")
    ann.say("last")
    m, before = ann.heard("last")
    assert [b["text"] for b in before].count("to myself") == 1
    assert [b["text"] for b in before].count("near") == 1
    bob.half_close()
    while True:
        m = eve.hear()
        if m["type"] == "user:exit":
            assert m["from"] == "bob"
            break
        assert m.get("meta") != "whisper"
    ann.close()
    eve.goodbye()


@pytest.mark.parametrize("body,status", [
    (b"", 400), (b"{", 400), (b"[]", 400), (b'{"type":1}', 400),
    (b'{"type":"msg"}', 400), (b'{"type":"msg","text":1}', 400),
    (b'{"type":"other"}', 400), (b'\xff', 400),
    (b'{"type":"msg\\u0000","text":"x"}', 400),
    (b'{"type":"msg","text":"' + b"x" * (128 << 10) + b'"}', 413),
    (b"[" * 3000, 400), (b'{"type":"req:connected"}', 204),
])
def test_what_is_no_message(kennel, body, status):
    with Reader(kennel, room(), "ann") as ann:
        assert ann.post(body).status == status
        ann.say("still here")
        ann.heard("still here")


def test_names_are_text(kennel):
    with Http(kennel.address) as c:
        assert c.ask("GET", "/lobby/x/events?u=%ff").status == 400
        assert c.ask("POST", "/lobby/x/say?u=%ff", body=b"{}").status == 400
        assert c.ask("GET", "/lobby/x/say?u=a").status == 404
