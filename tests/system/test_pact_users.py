"""
Pact: who is there, in pages; responses that nobody reads.
"""
import json
import os
import socket
from urllib.parse import urlencode

import pytest
from kit import nodes
from kit.http import get
from kit.pact import Pact, leave, room, users

SANITIZED = "KENNEL_SANITIZED" in os.environ
ROW = {"pad": "x" * 400}


@pytest.fixture(scope="module", params=("one", "nodes"))
def paged(request, start_shared, site):
    """Pages of 2000 bytes; three processes of up to 8 sockets, or two nodes of two."""
    kw = dict(config="[worker]\npact_page = 2000\n", limit=8)
    if request.param == "nodes":
        return nodes.Nodes(start_shared, site(), shards=2, **kw)
    return start_shared(shards=3, **kw)


def page(kennel, g, after=None):
    query = {"room": g} | ({"after": after} if after else {})
    r = get(kennel, "/users?" + urlencode(query))
    assert r.status == 200, r
    assert len(r.text) < 2000 + 600
    return json.loads(r.text)


def walk(kennel, g, between=lambda: None):
    """All pages' users, and how many pages there were."""
    found, n, after = [], 0, None
    while True:
        got = page(kennel, g, after)
        found += got["users"]
        n += 1
        if "next" not in got:
            return found, n
        assert got["users"], "a page has somebody"
        assert n < 100
        after = got["next"]
        between()


def test_pages_have_everybody_once(paged):
    g = room()
    people = [Pact(paged, g) for _ in range(20)]
    assert sorted(paged.group(g)) in ([4, 8, 8], [2, 2, 8, 8])
    for p in people:
        p.login(ROW)
    found, n = walk(paged, g)
    assert sorted(u["suffix"] for u in found) == list(range(1, 21))
    assert all(set(u) == {"suffix", "properties", "lastCommunication"}
               for u in found)
    assert n >= 20 * 400 // 2000
    leave(*people)


def test_who_stays_is_in_the_pages_whoever_leaves(paged):
    g = room()
    people = [Pact(paged, g) for _ in range(18)]
    for p in people:
        p.login(ROW)
    going = people[::3]
    stay = [p for p in people if p not in going]

    def between():
        if going:
            going.pop().goodbye()
    found, _ = walk(paged, g, between)
    suffixes = [u["suffix"] for u in found]
    assert len(set(suffixes)) == len(suffixes)
    assert {p.suffix for p in stay} <= set(suffixes)
    leave(*stay)
    leave(*going)


@pytest.mark.parametrize("after", ["", "0", "x" * 33, "0" * 33, "-" * 33,
                                   "0" * 16 + "-" + "g" * 16, "\0" * 33,
                                   "0" * 16 + "-" + "0" * 17])
def test_after_is_a_place(paged, after):
    r = get(paged, "/users?" + urlencode({"room": room(), "after": after}))
    assert r.status == 400 and "next" in r.text


def test_a_place_behind_all_is_an_empty_page(paged):
    g = room()
    with Pact(paged, g):
        got = page(paged, g, "f" * 16 + "-" + "f" * 16)
        assert got["users"] == [] and "next" not in got


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(li for li in f if li.startswith("VmRSS")).split()[1])


def test_answers_that_nobody_reads_do_not_pile_up(start):
    """Requests behind one another wait until what is owed went out."""
    k = start(shards=1)
    g = room()
    people = [Pact(k, g) for _ in range(40)]
    for p in people:
        p.login({"pad": "x" * 15000})
    pid = k.status()["shards"][0]["pid"]
    get(k, f"/users?room={g}")
    before = rss(pid)
    ask = f"GET /users?room={g} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    hoarders = []
    for _ in range(20):
        s = socket.create_connection(k.address)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.sendall(ask * 200)
        hoarders.append(s)
    # 20 times 200 answers of 256 KiB were a gigabyte.
    for _ in range(50):
        assert len(users(k, g)) >= 17
    # A sanitizer keeps what was freed for a while.
    assert rss(pid) - before < (512 if SANITIZED else 64) << 10
    for s in hoarders:
        s.close()
    leave(*people)
