"""Somebody who speaks Pact: a page with its socket."""
import hashlib
import itertools
import json
from urllib.parse import quote, urlencode

from kit.http import get
from kit.ws import TEXT, WebSocket, frame

serial = itertools.count(1)
ABSENT = object()       # data that is not sent, or did not come
KEY = "deadbeef"        # that signs for admins
MARK = "settle/"        # is in what settle() and barrier() send


def room():
    """One of its own for each test."""
    return f"room{next(serial)}"


def room_id(name):
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def cookie_name(name):
    return room_id(name) + "_session"


def sign(name, ts, key):
    """What authenticate wants."""
    return hashlib.sha256(f"{name}{ts}{key}".encode()).hexdigest()


def message(type, data=ABSENT):
    """A message as text."""
    m = {"type": type}
    if data is not ABSENT:
        m["data"] = data
    return json.dumps(m)


def parse(text, **kw):
    """Strict JSON: no name twice, no NaN, no Infinity."""
    def once(pairs):
        assert len(dict(pairs)) == len(pairs), f"a name twice: {text}"
        return dict(pairs)

    def never(word):
        raise AssertionError(f"{word} is not JSON: {text}")
    return json.loads(text, object_pairs_hook=once, parse_constant=never, **kw)


def number(text):
    """The digits of data.value as they were sent."""
    return parse(text, parse_int=str, parse_float=str)["data"]["value"]


def marking(m):
    """Comes of a settle() or a barrier(), or is a relay's copy of such."""
    data = m.get("data")
    if m["type"].startswith("relay:") and isinstance(data, dict):
        data = data.get("data")
    if isinstance(data, dict) and m["type"] != "profile":
        data = data.get("id")
    return isinstance(data, str) and MARK in data


def ask(kennel, what, name):
    """/details or /users of a room."""
    r = get(kennel, f"/{what}?" + urlencode({"room": name}))
    assert r.status == 200, r
    assert r["Content-Type"].split(";")[0] == "application/json", r
    return parse(r.text)


def details(kennel, name):
    return ask(kennel, "details", name)


def users(kennel, name):
    return ask(kennel, "users", name)["users"]


class Pact(WebSocket):
    """
    room None: no such parameter; session: in the query; cookie: a session in
    the room's cookie; headers: (name, value) more.  behind: messages that are
    sent together with the request.  greet False: config and profile are left
    to be read.
    """

    def __init__(self, kennel, room=None, session=None, cookie=None,
                 headers=(), behind=(), greet=True, **kw):
        self.kennel = kennel
        query = {k: v for k, v in (("room", room), ("session", session))
                 if v is not None}
        fields = list(headers)
        if cookie is not None:
            fields.append(("Cookie", cookie_name(room or "default") + "=" +
                           quote(cookie, safe="")))
        self.room = room or "default"
        self.raw = None
        self.config = self.profile = None
        super().__init__(
            kennel.address, "/websocket" + ("?" + urlencode(query)
                                            if query else ""),
            fields=fields, behind=b"".join(frame(TEXT, m) for m in behind),
            **kw)
        if greet:
            self.greeted()

    def greeted(self):
        """config and profile come first, in this order."""
        self.config = self.expect("config")
        self.profile = self.expect("profile")

    @property
    def id(self):
        return self.profile["id"]

    @property
    def suffix(self):
        return self.profile["suffix"]

    # ---- out ----

    def tell(self, type, data=ABSENT):
        self.send(message(type, data))

    def count(self, id, value=1):
        self.tell("counter", {"id": id, "value": value})

    def vote(self, id, answer, kind="poll"):
        self.tell(kind, {"id": id, "answer": answer})

    # ---- in ----

    def hear(self, marks=False):
        """
        The next message.  Pings of the server are passed over, and so is,
        without marks, what settle() made.
        """
        while True:
            self.raw = self.recv()
            assert isinstance(self.raw, str), "binary frames break clients"
            m = parse(self.raw)
            assert isinstance(m["type"], str) and set(m) <= {"type", "data"}, m
            if m["type"] == "ping":
                assert set(m) == {"type", "data"}
                continue
            if marks or not marking(m):
                return m

    def until(self, type, data=ABSENT):
        """
        (what comes before, data) of the first message of this type, and with
        this data, if it is given; data may be a function that says whether.
        """
        before = []
        while True:
            m = self.hear()
            got = m.get("data", ABSENT)
            if m["type"] == type and (
                    data is ABSENT or got == data or
                    (callable(data) and data(got))):
                return before, got
            before.append(m)

    def expect(self, type, data=ABSENT):
        """The data of the next message, which must be this one."""
        m = self.hear()
        assert m["type"] == type, m
        got = m.get("data", ABSENT)
        if data is not ABSENT:
            assert got == data, m
        return got

    def error(self):
        """An error is next; its text."""
        text = self.expect("error")
        assert isinstance(text, str) and text
        return text

    # ---- both ----

    def barrier(self):
        """
        What comes until the profile that is asked for here: everything this
        socket sent before has been read.  See settle() for what others do.
        """
        self.tell("profile", MARK)
        before, self.profile = self.until("profile")
        return before

    def login(self, *data):
        """The profile that answers."""
        self.tell("login", *data)
        self.profile = self.expect("profile")
        return self.profile

    def subscribe(self, *topics):
        """What came at once."""
        for t in topics:
            self.tell("subscribe", t)
        return settle(self)[self]

    def unsubscribe(self, *topics):
        for t in topics:
            self.tell("unsubscribe", t)
        assert self.barrier() == []

    def authenticate(self, key, ts):
        """Becomes admin."""
        self.tell("authenticate", {"ts": ts, "key": sign(self.room, ts, key)})
        self.profile = self.expect("profile")
        assert self.profile["role"] == "admin"


def settle(*people):
    """
    Each counts, and all wait for all of it, so that nothing which these sent
    through the room's one order is still on its way.  Chat need not go through
    it: whose chat others must not hear should be the room's first socket, as
    its process decides the order.  Returns what each one heard: {person:
    [messages]}.  Leaves a counter.
    """
    name = f"{MARK}{next(serial)}"
    heard = {p: [] for p in people}
    for p in people:
        p.tell("subscribe", f"counter:{name}")
    for p in people:
        heard[p] += p.barrier()
    for p in people:
        p.count(name)
    for p in people:
        m = None
        while m != {"type": "counter",
                    "data": {"id": name, "value": len(people)}}:
            m = p.hear(marks=True)
            if not marking(m):
                heard[p].append(m)
        p.tell("unsubscribe", f"counter:{name}")
    for p in people:
        heard[p] += p.barrier()
    return heard


def quiet(*people):
    """None of them has heard, or is about to hear, anything."""
    for heard in settle(*people).values():
        assert heard == []


def crowd(kennel, name, n, **kw):
    """n people in a room, with sessions of their own."""
    return [Pact(kennel, name, **kw) for _ in range(n)]


def leave(*people):
    for p in people:
        p.close()
