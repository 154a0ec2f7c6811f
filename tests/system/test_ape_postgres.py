"""Servers that find each other by a PostgreSQL."""
import json
import re

import pytest
from kit import postgres, wait
from kit.ape import Ape

from test_ape_forest import config, gets, joined


@pytest.fixture(scope="module")
def store():
    s = postgres.Server().start()
    yield s
    s.remove()


@pytest.fixture
def pair(store, start):
    more = f"forest = {store.url}"
    return [joined(start(config=config(id.lower(), id, more=more), shards=2,
                         limit=2, faults="forest postgres away"))
            for id in ("ONE", "TWO")]


def envelope(message, target="", sender="PEER"):
    text = json.dumps({"targetServerId": target, "senderServerId": sender,
                       "message": message})
    return "SELECT pg_notify('wood_events', '%s')" % text.replace("'", "''")


def test_pushes_across_servers(pair, store):
    """In order, long ones among them; each once; to one; entries come and go."""
    one, two = pair
    a, b, c, d = Ape(one), Ape(one), Ape(two), Ape(two)
    ids = {p: p.id for p in (a, b, c, d)}
    sizes = [1, 7600, 7700, 7800, 7900, 8000, 9000, 3, 200000, 5, 20000, 7]
    for n in sizes:
        a.call("message", {"when<!D>": 1700000000000, "text": "é" + "x" * n})
    for p in b, c, d:
        for n in sizes:
            assert gets(p, "message") == {"data": {
                "when<!D>": 1700000000000, "text": "é" + "x" * n}}
    for p in c, d:
        assert a.call("sendto", {"to": ids[p], "type": "t", "data": [1]}) == {
            "sent": True}
        assert gets(p, "t") == {"data": [1]}
        assert p.heard() == []
    assert a.call("sendto", {"to": "0" * 20, "type": "t", "data": 1}) == {
        "sent": False}
    rows = "SELECT client_id, server_id FROM wood_clients ORDER BY 1"
    assert store.sql(rows) == sorted(f"{ids[p]}|{s}" for p, s in (
        (a, "ONE"), (b, "ONE"), (c, "TWO"), (d, "TWO")))
    c.close()
    wait.until(lambda: len(store.sql(rows)) == 3, 20, "its entry goes")
    assert a.call("sendto", {"to": ids[c], "type": "t", "data": 1}) == {
        "sent": False}
    for p in a, b, d:
        p.close()


def test_other_software(pair, store):
    """What it notifies is heard; garbage is harmless."""
    one, two = pair
    a, b = Ape(one), Ape(two)
    for text in "", "x", "{}", "[]", '{"a":', '{"senderServerId":"P"}', \
            '{"senderServerId":"P","message":{"type":1}}', "\"", "{\"a\\", \
            '{"senderServerId":"P","messageId":"999999"}', '{"a":]}', "{]":
        store.sql("SELECT pg_notify('wood_events', '%s')" % text)
    store.sql(envelope({"type": "no", "data": 1}, target="THREE"))
    store.sql(envelope({"type": "no", "data": 1}, target="ONE", sender="ONE"))
    store.sql(envelope({"type": "all", "data": {"a": [1], "b<!P>": ["data", "a"]}}))
    store.sql(envelope({"type": "you", "data": "}\\\"{", "destClientId": b.id},
                       target="TWO"))
    for p in a, b:
        assert gets(p, "all") == {"data": {"a": [1], "b<!P>": ["data", "a"]}}
    assert gets(b, "you") == {"data": "}\\\"{"}
    for p in a, b:
        assert p.heard() == []
        p.close()


def test_it_is_restarted(pair, store):
    one, two = pair
    a, a2, b = Ape(one), Ape(one), Ape(two)
    store.stop()
    for k in pair:
        k.wait_log("forest away")
    a.call("everyone", 2)
    for p in a, a2:
        assert gets(p, "everyone") == {"data": 2}
    assert a.call("sendto", {"to": b.id, "type": "x", "data": 1}) == {
        "sent": False}
    marks = [len(k.log()) for k in pair]
    store.start()
    for k, m in zip(pair, marks):
        wait.until(lambda: len(re.findall("forest joined", k.log(m))) >= 2, 30,
                   "back")
    assert wait.until(lambda: a.call("sendto", {
        "to": b.id, "type": "x", "data": 3}) == {"sent": True}, 20, "reached")
    assert gets(b, "x") == {"data": 3}
    a.call("message", 4)
    for p in a2, b:
        assert gets(p, "message") == {"data": 4}
    for p in a, a2, b:
        p.close()


def test_there_is_no_server(start):
    """It is said, once, and nobody waits for it."""
    k = start(config=config("five", "FIVE",
                            more="forest = postgresql:///x?host=/nowhere"), shards=1)
    k.wait_log("forest postgres away why=")
    a, b = Ape(k), Ape(k)
    a.call("message", 1)
    assert gets(b, "message") == {"data": 1}
    a.close(), b.close()


def test_what_the_dead_have_left_is_removed(pair, store, start):
    """By whoever is first; and nobody is reached there meanwhile."""
    one, two = pair
    a = Ape(one)
    store.sql("INSERT INTO wood_servers VALUES "
              "('DEAD', now() - interval '121 seconds'), "
              "('LATE', now() + interval '1 hour'); "
              "INSERT INTO wood_clients VALUES "
              "('DDDDDDDDDDDDDDDDDDDD', 'DEAD', now()), "
              "('LLLLLLLLLLLLLLLLLLLL', 'LATE', now()), "
              # Other software says nothing of being alive.
              "('PPPPPPPPPPPPPPPPPPPP', 'PEER', now() - interval '1 day')")

    def sent(to):
        return a.call("sendto", {"to": to * 20, "type": "t", "data": 1})["sent"]
    assert [sent(c) for c in "DLP"] == [False, True, True]
    joined(start(config=config("three", "THREE", more=f"forest = {store.url}"),
                 shards=1), 1)
    wait.until(lambda: store.sql("SELECT server_id FROM wood_clients WHERE "
                                 "server_id IN ('DEAD', 'LATE', 'PEER') ORDER "
                                 "BY 1") == ["LATE", "PEER"], 20, "they go")
    # Who lives says so, again and again.
    store.sql("UPDATE wood_servers SET updated_at = now() - interval '100 seconds'")
    wait.until(lambda: store.sql(
        "SELECT server_id FROM wood_servers WHERE updated_at > now() - interval "
        "'90 seconds' ORDER BY 1") == ["ONE", "THREE", "TWO"], 60, "all said so")
    a.close()


@pytest.mark.parametrize("drain, clients", [("0", 1), ("0", 40), ("300ms", 40)])
def test_who_is_stopped_takes_the_entries_along(store, start, drain, clients):
    """Also those of clients that are cut off in the last moment."""
    k = joined(start(config=f"[gateway]\ndrain = {drain}\n" + config(
        "six", "SIX", "gone", more=f"forest = {store.url}").replace(
            "[gateway]\n", ""), shards=2))
    people = [Ape(k) for _ in range(clients)]
    rows = "SELECT count(*) FROM gone_clients"
    wait.until(lambda: store.sql(rows) == [str(clients)], 20, "entries")
    k.process.terminate()
    k.process.wait(wait.limit(20))
    assert store.sql(rows) == ["0"]
    for p in people:
        p.close()
