"""
What is said in a room of several nodes: one message for all shards there.  A number says
what was said in it before, so that who lacks something notices, and nobody else does.
"""
import pytest
from kit import metrics, redis, wait
from kit.chat import Chat, settle


@pytest.fixture
def pair(start, server, tmp_path):
    """Two nodes of two shards each; the second does not hear what is LOST."""
    server.start()
    path = str(tmp_path / "lossy")
    relay = redis.Lossy(server.path, path, b"LOST")
    nodes = [start("--node", name, redis=f"unix:{at}", limit=2)
             for name, at in (("one", server.path), ("two", path))]
    yield *nodes, relay
    relay.close()


def missed(k):
    return metrics.value(k, "kennel_bus_lost_total")


def people_of(one, two):
    """Two in each shard of both; all are met."""
    people = [Chat((one, two)[i % 2], "g", f"u{i}") for i in range(8)]
    for k in one, two:
        wait.until(lambda: k.group("g") == [2, 2])
    settle(*people)
    return people


def test_what_is_for_others_is_no_gap_in_a_room(pair):
    """22: Whispers to some, and words for all in turns: nobody misses anything."""
    one, two, relay = pair
    people = people_of(one, two)
    for n in range(20):
        for p, q in zip(people, people[3:] + people[:3]):
            p.say(f"/w {q.name} one {n}")
            p.say(f"all {n}")
            p.say(f"/w {q.name} more {n}")
    for p, heard in settle(*people).items():
        for q in people:
            texts = [m["text"] for m in heard
                     if m["type"] == "user:msg" and m["from"] == q.name]
            assert [t for t in texts if t.startswith("all")] == [f"all {n}" for n in range(20)]
    assert relay.lost == 0 and missed(one) == missed(two) == 0
    for k in one, two:
        assert "lost with a link" not in k.log()
    for p in people:
        p.close()


def test_a_word_that_is_lost_in_a_room_is_seen_by_the_next(pair):
    """20: Each replica that did not hear it notices, once; the words after it come."""
    one, two, relay = pair
    people = people_of(one, two)
    said = {p: [] for p in people}
    for word in "before", "LOST", "after", "behind":    # in frames of their own
        people[0].say(word)
        for p in people[::2]:
            said[p].append(p.next(type="user:msg", **{"from": "u0"})["text"])
    for p, heard in said.items():
        while heard[-1:] != ["behind"]:
            heard.append(p.next(type="user:msg", **{"from": "u0"})["text"])
        all_of_it = ["before", "LOST", "after", "behind"]
        assert heard == (all_of_it if p in people[::2] else
                         [t for t in all_of_it if t != "LOST"])
    assert relay.lost == 2              # one for each shard
    wait.until(lambda: missed(two) == 2, 30)
    assert missed(one) == 0
    wait.until(lambda: two.log().count("lost with a link") == 2)
    for p in people:
        p.close()
