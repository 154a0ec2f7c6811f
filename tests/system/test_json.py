"""
What JSON.stringify() writes gets through chat and rooms, or is answered: numbers
beyond 64 bits, halves of surrogate pairs, NULs.
"""
import json

import pytest
from kit.chat import Chat
from kit.chat import room as lobby_room
from kit.pact import KEY, Pact, room, settle
from test_pact_admin import now

BIG = "[18446744073709552000,9223372036854775808,-9223372036854775809,1e21]"
# As sent, and as it arrives.
HALVES = [(r'"41 \ud83d"', "41 \ufffd"), (r'"\ude00\ud83d"', "\ufffd\ufffd"),
          (r'"\ud83d\ude00\udc00"', "\U0001f600\ufffd"),
          (r'"\\ud83d"', "\\ud83d"), (r'"a\u0000b"', "a\0b")]
REFUSED = [r'{"a\u0000b":1}', "[1e999]"]


def floats(numbers):
    """As JavaScript has them."""
    return [float(n) for n in numbers]


@pytest.fixture(scope="module")
def both(start_shared):
    return start_shared(shards=2, limit=2, env={"KENNEL_SIGNING_KEY": KEY})


@pytest.fixture
def talkers(both):
    g = lobby_room()
    a, b = Chat(both, g, "a"), Chat(both, g, "b")
    a.next(type="user:join")
    yield a, b
    a.close()
    b.close()


@pytest.fixture
def pair(both):
    g = room()
    a, b = Pact(both, g), Pact(both, g)
    for p in a, b:
        p.subscribe("chat")
    yield a, b
    a.close()
    b.close()


@pytest.mark.parametrize("signed", ["", ',"uid":"x"'], ids=["", "uid"])
def test_chat_passes_large_numbers_on(talkers, signed):
    a, b = talkers
    a.send(f'{{"type":"draw","t":{BIG}{signed}}}')
    m = b.next(type="draw")
    assert m["uid"] == "a" and floats(m["t"]) == floats(json.loads(BIG))


def test_chat_says_what_comes_with_a_large_number(talkers):
    a, b = talkers
    a.send(f'{{"type":"msg","text":"41","id":{BIG}}}')
    assert b.next(type="user:msg")["text"] == "41"


@pytest.mark.parametrize("sent,come", HALVES)
def test_chat_carries_any_string(talkers, sent, come):
    a, b = talkers
    a.send(f'{{"type":"msg","text":{sent}}}')
    assert b.next(type="user:msg")["text"] == come
    a.send(f'{{"type":"draw","s":{sent}}}')
    assert b.next(type="draw")["s"] == come
    a.send(f'{{"type":"draw","s":{sent},"uid":5}}')
    m = b.next(type="draw")
    assert m["s"] == come and m["uid"] == "a"


@pytest.mark.parametrize("text", REFUSED)
def test_chat_tells_what_it_cannot_carry(talkers, text):
    a, b = talkers
    a.send(f'{{"type":"draw","x":{text}}}')
    m = a.next(type="error")
    assert m["text"]
    a.send("[" * 3000 + "]" * 3000)
    assert "nested" in a.next(type="error")["text"]
    a.say("on")
    assert b.hear()["text"] == "on"


def test_a_type_is_not_cut_at_a_nul(talkers):
    a, b = talkers
    a.tell(type="msg\0x", text="41")
    assert b.hear() == {"type": "msg\0x", "text": "41", "uid": "a"}


def test_rooms_carry_large_numbers(pair):
    a, b = pair
    a.send(f'{{"type":"chat","data":{BIG}}}')
    assert floats(b.expect("chat")["message"]) == floats(json.loads(BIG))


@pytest.mark.parametrize("sent,come", HALVES)
def test_rooms_carry_any_string(pair, sent, come):
    a, b = pair
    a.send(f'{{"type":"chat","data":{sent}}}')
    assert b.expect("chat")["message"] == come
    a.send(f'{{"type":"login","data":{{"name":{sent}}}}}')
    assert a.until("profile")[1]["properties"] == {"name": come}
    a.send(f'{{"type":"poll","data":{{"id":{sent},"answer":{sent}}}}}')
    b.tell("subscribe", f"poll:{come}")
    settle(a)
    b.tell("subscribe", f"poll:{come}")
    assert b.until("poll")[1]["id"] == come


@pytest.mark.parametrize("text", REFUSED)
def test_rooms_tell_what_they_cannot_carry(pair, text):
    a, b = pair
    a.send(f'{{"type":"chat","data":{text}}}')
    assert a.error()
    a.tell("chat", "on")
    assert b.expect("chat")["message"] == "on"


def test_config_is_not_cut_at_a_nul(both, pair):
    a = pair[0]
    a.authenticate(KEY, now())
    a.tell("config", "50% of\0it %00")
    for p in pair:
        assert p.expect("config") == "50% of\0it %00"
    with Pact(both, a.room) as c:
        assert c.config == "50% of\0it %00"


def test_relay_of_a_type_with_a_nul(pair):
    a, b = pair
    a.authenticate(KEY, now())
    a.tell("relay", "x\0y")
    settle(a, b)
    b.tell("x", 1)
    b.tell("x\0y", 2)
    got = a.expect("relay:x\0y")
    assert got["type"] == "x\0y" and got["data"] == 2
