"""An application decides who its clients are: everybody goes by that."""
import re

import pytest
from kit import wait
from kit.docs import example
from kit.http import get
from kit.ws import Refused, WebSocket, handshake

CONFIG = """
[route become]
path = /g /later /plain
app = main
group = const:g
uid = query:u
limit = 2
[route counts]
path = /counts
app = main
"""


@pytest.fixture
def become(start, installed):
    def run(more="", **kw):
        return start(worker=installed.worker("become.c"), config=CONFIG + more,
                     **kw)
    return run


class Client(WebSocket):
    def __init__(self, k, query, path="/g"):
        super().__init__(k.address, f"{path}?{query}")
        self.slot, self.uid, self.data = re.fullmatch(
            r"slot (\d+) uid (\S+) data (\S+)", self.recv()).groups()


def test_who_the_application_says_it_is(become):
    """In whispers from another shard, in the gateway's books, in Redis."""
    k = become(shards=3)
    a, b = Client(k, "u=a"), Client(k, "u=b&as=bob")
    c = Client(k, "u=c")
    assert (a.uid, b.uid, c.uid) == ("a", "bob", "c")
    assert a.slot == b.slot != c.slot
    c.send("b:nobody")
    c.send("bob:hello")
    assert b.recv() == "hello"
    b.send("all")
    assert {a.recv(), c.recv()} == {"all"}
    with k.redis() as r:
        assert sorted(r.keys("kennel:client:*")) == \
            [f"kennel:client:g:{u}" for u in ("a", "bob", "c")]
    assert "bob" in k.ctl("who", "bob")
    assert k.ctl("who", "b", check=False).returncode == 3
    k.exact()
    for p in a, b, c:
        p.goodbye()


def test_newcomers_are_led_where_that_uid_is(become):
    k = become(shards=2)
    a = Client(k, "u=a")
    b = Client(k, "u=b&as=bob")         # the first shard is full
    c = Client(k, "u=c")
    assert a.slot == b.slot != c.slot
    a.goodbye()
    k.wait_group("g", [1, 1])
    d = Client(k, "u=c&as=bob")         # sits beside c, as bob
    assert d.slot == c.slot
    c.goodbye()
    k.wait_group("g", [1, 1])
    # bob was placed last there; whoever comes as c is anybody.
    e = Client(k, "u=bob")
    assert e.slot == d.slot
    k.exact()
    for p in b, d, e:
        p.goodbye()


def test_the_last_of_a_uid_is_told_by_its_name(become):
    k = become(shards=2)
    a = Client(k, "u=a")
    b, c = Client(k, "u=x&as=bob"), Client(k, "u=y&as=bob")
    b.goodbye()
    assert a.recv() == "bob left, last=0, "
    c.goodbye()
    assert a.recv() == "bob left, last=1, "
    a.goodbye()


def test_a_new_gateway_counts_it_for_the_right_uid(become):
    k = become(shards=2)
    a = Client(k, "u=a")
    b, c = Client(k, "u=x&as=bob"), Client(k, "u=y&as=bob")
    assert c.slot != b.slot
    k.kill_gateway()
    k.start()
    k.wait_places(3)
    d = Client(k, "u=bob")
    assert d.slot == c.slot             # there is room where bob is
    d.goodbye()
    assert a.recv() == "bob left, last=0, "
    b.goodbye()
    assert a.recv() == "bob left, last=0, "
    c.goodbye()
    assert a.recv() == "bob left, last=1, "
    k.exact()
    a.goodbye()


def test_a_new_gateway_counts_one_that_is_not_connected_yet(become):
    """Its handshake has come, and the application has not decided: it has a place of
    its own, like a WebSocket, also in the books of the next gateway."""
    k = become(shards=1)
    p = WebSocket(k.address, "/later", open=False)
    p.write(handshake("/later?u=x&as=bob&with=data&long=1", p.key))
    wait.until(lambda: k.places() == 1, 20, "it has come")
    wait.until(lambda: get(k, "/counts").text.startswith("given=1"), 20,
               "the application has it")
    k.kill_gateway()
    k.start()
    p.opened()
    assert " uid bob data data" in p.recv()
    assert k.ctl("who", "bob", check=False).returncode == 0
    k.exact()
    a = Client(k, "u=bob")
    p.goodbye()
    assert a.recv() == "bob left, last=0, "
    a.goodbye()


def test_who_was_lost_with_a_shard_has_that_name(become):
    k = become(shards=2)
    a, b = Client(k, "u=a"), Client(k, "u=b")
    c = Client(k, "u=c&as=carl")
    assert c.slot != a.slot
    k.kill_shard(int(c.slot))
    assert a.recv() == b.recv() == "lost carl"
    k.exact()
    for p in a, b:
        p.goodbye()


def test_uids_that_are_none(become):
    k = become(shards=1)
    for uid in "", 513 * "x":
        with pytest.raises(Refused) as e:
            WebSocket(k.address, f"/g?u=a&as={uid}")
        assert e.value.response.status == 403
    long = 512 * "x"
    p = Client(k, f"u=a&as={long}")
    assert p.uid == long
    p.goodbye()


def test_it_may_be_decided_later(become):
    k = become(shards=1)
    p = Client(k, "u=a&as=zoe&with=data", path="/later")
    assert (p.uid, p.data) == ("zoe", "data")
    p.goodbye()
    assert get(k, "/counts").text == "given=1 dropped=0 held=0"


def test_data_reaches_its_socket_or_is_dropped(become):
    k = become(shards=1, more="[worker]\nrequest_timeout = 1s\n")
    p = Client(k, "u=a&with=data")
    assert p.data == "data"
    # A plain answer, a request that is no handshake, an onopen that refuses.
    assert get(k, "/plain?u=a&with=1").status == 200
    assert get(k, "/g?u=a&with=2").status == 426
    assert get(k, "/g?u=a&with=3", method="OPTIONS").status == 204
    with pytest.raises(Refused):
        WebSocket(k.address, "/g?u=a&with=refuse")
    # It was refused meanwhile.
    with pytest.raises(Refused) as e:
        WebSocket(k.address, "/later?u=a&as=b&with=4&long=1")
    assert e.value.response.status == 503
    assert get(k, "/counts").text == "given=6 dropped=5 held=1"
    p.goodbye()
    wait.until(lambda: get(k, "/counts").text == "given=6 dropped=5 held=0", 10,
               "all is freed")


def test_the_example_of_the_readme(start, installed):
    k = start(shards=2, limit=1, worker=installed.worker(
        example("kennel_request_become(")), config="[worker]\napp.secret = s3\n")
    with pytest.raises(Refused) as e:
        WebSocket(k.address, "/g?token=ann:wrong")
    assert e.value.response.status == 403
    ann = WebSocket(k.address, "/g?token=ann:s3")
    bob = WebSocket(k.address, "/g?token=bob:s3")
    assert (ann.recv(), bob.recv()) == ("you are ann, 0 said",
                                        "you are bob, 0 said")
    ann.send("hello")
    assert bob.recv() == "ann (1): hello"
    ann.send("again")
    assert bob.recv() == "ann (2): again"
    ann.goodbye()
    bob.goodbye()
