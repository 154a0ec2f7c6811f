"""Several nodes on one Redis: what works on one works across."""
import pytest
from kit import redis, wait
from kit.chat import Chat, barrier, crowd


@pytest.fixture
def url(server):
    server.start()
    return f"unix:{server.path}"


@pytest.fixture
def pair(start, url):
    return [start("--node", name, redis=url) for name in ("one", "two")]


def test_a_message_reaches_the_other_node(pair):
    a, b = Chat(pair[0], "g", "a"), Chat(pair[1], "g", "b")
    a.say("hello")
    assert b.next(type="user:msg")["text"] == "hello"
    b.say("there")
    assert a.next(type="user:msg")["text"] == "there"
    a.close()
    b.close()
