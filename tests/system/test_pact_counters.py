"""
Pact: counters add as JavaScript does, and print as it does.  Numbers are those
of the checklist in the specification.
"""
import random
import struct

import pytest
from kit.pact import (ABSENT, Pact, crowd, leave, message, number, quiet, room,
                      settle)
from kit.ws import TEXT, frame

INFINITE = 1.7976931348623157e308


def js(x):
    """A double as JavaScript prints it: ECMA-262, Number::toString."""
    if x == 0:
        return "0"
    sign, text = ("-", repr(-x)) if x < 0 else ("", repr(float(x)))
    mantissa, _, e = text.partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    n = int(e or 0) + len(whole)
    if whole == "0":
        n -= len(part) - len(part.lstrip("0")) + 1
    digits = digits.rstrip("0")
    k = len(digits)
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    e = f"e{'+' if n > 0 else '-'}{abs(n - 1)}"
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + e


def test_js_itself():
    for x, text in ((1.0, "1"), (-17.5, "-17.5"), (1e21, "1e+21"),
                    (1e20, "100000000000000000000"), (0.000001, "0.000001"),
                    (1e-7, "1e-7"), (17.75 - 15.14, "2.6099999999999994"),
                    (123e-20, "1.23e-18"), (5e-324, "5e-324"), (120.0, "120"),
                    (1.5e300, "1.5e+300"), (0.1, "0.1"), (100.25, "100.25"),
                    (12345678901234567890.0, "12345678901234567000"),
                    (INFINITE, "1.7976931348623157e+308")):
        assert js(x) == text


@pytest.fixture
def pair(pact):
    """One who counts, and one who listens to all counters."""
    a, b = crowd(pact, room(), 2)
    b.subscribe("counter")
    yield a, b
    leave(a, b)


def test_values_are_numbers(pair):
    """25"""
    a, b = pair
    for id, value, text in (("x", 1, "1"), ("x", 1, "2"), ("y", 0.5, "0.5"),
                            ("x", -2, "0"), ("x", -1, "-1"),
                            ("y", 0.5, "1"), ("z", 1.0, "1"),
                            ("m", -0.0, "0")):
        a.count(id, value)
        assert b.expect("counter", {"id": id, "value": float(text)})
        assert number(b.raw) == text


def test_double_arithmetic_and_shortest_printing(pair):
    """26"""
    a, b = pair
    a.count("x", 17.75)
    a.count("x", -15.14)
    b.expect("counter")
    b.expect("counter")
    assert number(b.raw) == "2.6099999999999994"
    a.count("y", 0.1)
    a.count("y", 0.2)
    b.expect("counter")
    b.expect("counter")
    assert number(b.raw) == "0.30000000000000004"


@pytest.mark.parametrize("sent,text", [
    ("1e21", "1e+21"), ("1e20", "100000000000000000000"), ("1e-7", "1e-7"),
    ("0.000001", "0.000001"), ("5e-324", "5e-324"), ("-0", "0"), ("-0.0", "0"),
    ("1.7976931348623157e308", "1.7976931348623157e+308"), ("1E3", "1000"),
    ("2.2250738585072014e-308", "2.2250738585072014e-308"), ("1e-400", "0"),
    ("9007199254740993", "9007199254740992"), ("0.10", "0.1"),
    ("9223372036854775807", "9223372036854776000"),
    ("-9223372036854775809", "-9223372036854776000"),
    ("123456789012345678901234567890", "1.2345678901234568e+29"),
    ("1" * 309, "1.1111111111111112e+308"), ("0.1e1", "1"),
    ("0." + "1" * 400, "0.1111111111111111"), ("4.35", "4.35")])
def test_numbers_as_sent(pair, sent, text):
    """26: what JavaScript's JSON.parse reads, and how it prints it."""
    a, b = pair
    a.send('{"type":"counter","data":{"id":"x","value":%s}}' % sent)
    b.expect("counter")
    assert number(b.raw) == text
    m, = a.subscribe("counter:x")
    assert (m["type"], m["data"]["id"]) == ("counter", "x")
    assert float(m["data"]["value"]) == float(text)


def test_any_double_is_printed_shortest(pair):
    """26: random bits, and random sums of cents."""
    a, b = pair
    rnd = random.Random(4711)
    doubles = []
    while len(doubles) < 300:
        x, = struct.unpack("d", rnd.randbytes(8))
        if x == x and abs(x) < INFINITE:
            doubles.append(x)
    doubles += [x * 10.0 ** rnd.randint(-9, 24) for x in
                (rnd.random() for _ in range(300))]
    for i, x in enumerate(doubles):
        a.count(f"d{i % 900}", x)
    for x in doubles:
        b.expect("counter")
        assert number(b.raw) == js(x)
    total = 0.0
    steps = [rnd.randint(-10000, 10000) / 100 for _ in range(300)]
    for x in steps:
        a.count("sum", x)
    for x in steps:
        total += x
        b.expect("counter")
        assert number(b.raw) == js(total)


# ---- the table of the specification ----

DEFAULT_ONE = [ABSENT, None, False, 0, "", -0.0, 0.0]


@pytest.mark.parametrize("data", DEFAULT_ONE, ids=range(len(DEFAULT_ONE)))
def test_without_data_default_counts_one(pair, data):
    """27, 29"""
    a, b = pair
    for i in 1, 2:
        a.tell("counter", data)
        b.expect("counter", {"id": "default", "value": i})
    a.count("default", 5)
    b.expect("counter", {"id": "default", "value": 7})


@pytest.mark.parametrize("data", [
    {"value": 5}, {"id": "", "value": 5}, {"id": None, "value": 5},
    {"value": "5", "other": 1}], ids=range(4))
def test_without_id_it_is_default(pair, data):
    """27, 29"""
    a, b = pair
    for i in 5, 10:
        a.tell("counter", data)
        b.expect("counter", {"id": "default", "value": i})


NUMERIC = [
    ("5", 5), (" 2.5 ", 2.5), ("", 0), (" ", 0), ("\t\r\n ", 0), ("-3", -3),
    ("+3", 3), ("1e3", 1000), ("1E-2", 0.01), (".5", 0.5), ("5.", 5),
    ("-.5", -0.5), ("007", 7), ("\u00a05\ufeff", 5), ("\u20285\u3000", 5),
    ("0x10", 16), ("0XfF", 255), ("0b11", 3), ("0o17", 15), ("-0", 0),
    ("123456789012345678901234567890", 123456789012345678901234567890.0),
    ("1e-400", 0), ("0" * 400 + "1", 1), ("1" + "0" * 300, 1e300)]


@pytest.mark.parametrize("value,want", NUMERIC, ids=range(len(NUMERIC)))
def test_numeric_strings_are_numbers(pair, value, want):
    """27"""
    a, b = pair
    a.count("x", value)
    b.expect("counter", {"id": "x", "value": want})
    assert number(b.raw) == js(float(want))


@pytest.mark.parametrize("value,want", [
    (None, 0), (False, 0), ([], 0), (True, 1)], ids=range(4))
def test_values_that_are_taken_for_numbers(pair, value, want):
    """27: the counter is made, and told."""
    a, b = pair
    for i in 1, 2:
        a.count("x", value)
        b.expect("counter", {"id": "x", "value": i * want})
        assert number(b.raw) == str(i * want)


NOT_NUMBERS = [
    {}, {"a": 1}, [1, 2], "x", "5px", "1 2", "1,5", "1_000", "--1", "+", "-",
    ".", "e5", "1e", "1e+", "0x", "0xg", "-0x10", "+0x10", "0x1p3", "0x1.8",
    "nan", "NaN", "inf", "infinity", "INFINITY", "٣", "1\0", "\0", "0b2", "0b",
    "0o8", "1n", "1f", "true", "null", "[]", ["x"], [[1, 2]]]


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=range(len(NOT_NUMBERS)))
def test_what_is_no_number_is_ignored(pair, value):
    """27: and nothing is made."""
    a, b = pair
    a.count("x", value)
    quiet(a, b)
    assert a.subscribe("counter:x") == []
    a.count("x", 2)
    a.expect("counter", {"id": "x", "value": 2})
    a.count("x", value)
    quiet(a)
    assert a.subscribe("counter:x") == [
        {"type": "counter", "data": {"id": "x", "value": 2}}]


@pytest.mark.parametrize("data", [
    {"id": "x"}, {}, {"id": ""}, "x", "5", " ", 5, -1, 0.5, True, [], [5],
    {"id": "x", "Value": 1}], ids=range(13))
def test_without_a_value_it_is_ignored(pair, data):
    """27"""
    a, b = pair
    a.tell("counter", data)
    quiet(a, b)
    for id in "x", "default", "5":
        assert a.subscribe(f"counter:{id}") == []


@pytest.mark.parametrize("step", [
    INFINITE, 1e292, "1e308", "1.7976931348623157e308"], ids=range(4))
def test_a_step_out_of_range_is_refused(pair, step):
    """Either way; the counter stays, and goes on."""
    a, b = pair
    for sign in 1, -1:
        id = f"x{sign}"
        a.count(id, sign * INFINITE)
        b.expect("counter", {"id": id, "value": sign * INFINITE})
        a.count(id, step if sign > 0 else -float(step))
        heard = settle(a, b)
        assert heard[b] == []
        assert all(m["type"] == "error" for m in heard[a])
        a.count(id, -sign * INFINITE)
        b.expect("counter", {"id": id, "value": 0})


@pytest.mark.parametrize("value", [
    '"Infinity"', '"-Infinity"', '"+Infinity"', '"1e400"', "1e400", "-1e400",
    '"%s"' % ("9" * 400), "9" * 400], ids=range(8))
def test_an_infinite_step_is_refused(pair, value):
    """Nothing is made."""
    a, b = pair
    a.send('{"type":"counter","data":{"id":"x","value":%s}}' % value)
    heard = settle(a, b)
    assert heard[b] == []
    assert all(m["type"] == "error" for m in heard[a])
    assert a.subscribe("counter:x") == []
    a.count("x", 1)
    a.expect("counter", {"id": "x", "value": 1})


# ---- who hears of it ----

def test_sender_hears_it_only_if_it_subscribes(pair):
    """30, 19"""
    a, b = pair
    a.count("x")
    quiet(a)
    a.subscribe("counter:y")
    a.count("x")
    a.count("y")
    a.expect("counter", {"id": "y", "value": 1})
    quiet(a)
    for want in (("x", 1), ("x", 2), ("y", 1)):
        b.expect("counter", dict(zip(("id", "value"), want)))
    quiet(b)


def test_subscribers_of_others_hear_nothing(pair, pact):
    a, b = pair
    c = Pact(pact, a.room)
    c.subscribe("counter:y", "counter:X", "counter:x ", "counter:x:", "poll:x",
                "counte:x", "chat")
    for _ in range(3):
        a.count("x")
    heard = settle(a, b, c)
    assert len(heard[b]) == 3 and heard[c] == heard[a] == []
    c.close()


IDS = ["a:b", ":", "::", ":a", "a:", "counter:x", "a b", " ", " x ", '"', "'",
       "\\", "/", "ü", "u\u0308", "名前", "🐕", "\u202e", "\n", "\t", "\x7f",
       "\u2028", "<b>", "%41", "a%3Ab", "{x}", "*", "?", "[a]", "0", "-1", "1e3",
       "null", "default", "$", "a,b", "#", "x" * 256]


@pytest.mark.parametrize("id", IDS, ids=range(len(IDS)))
def test_any_id(pair, id):
    """36: told to who subscribed to it, before and after."""
    a, b = pair
    assert a.subscribe(f"counter:{id}") == []
    a.count("other", 1)
    a.count(id, 2)
    a.count("another", 1)
    heard = settle(a, b)
    want = {"type": "counter", "data": {"id": id, "value": 2}}
    assert [m for m in heard[b] if m["data"]["id"] == id] == [want]
    assert heard[a] == [want]
    assert a.subscribe(f"counter:{id}") == [want]
    a.unsubscribe(f"counter:{id}")
    a.count(id, 1)
    heard = settle(a, b)
    assert heard[a] == []
    assert heard[b] == [
        {"type": "counter", "data": {"id": id, "value": 3}}]


def test_ids_differ_in_every_byte(pair):
    """36: none is folded, trimmed or normalised into another."""
    a, b = pair
    for n, id in enumerate(IDS, 1):
        a.count(id, n)
    for n, id in enumerate(IDS, 1):
        b.expect("counter", {"id": id, "value": n})


def test_counters_and_polls_do_not_mix(pair):
    a, b = pair
    b.subscribe("poll", "ephemeralPoll")
    a.count("x", 3)
    a.vote("x", "3")
    assert settle(a, b)[b] == [
        {"type": "counter", "data": {"id": "x", "value": 3}},
        {"type": "poll", "data": {"id": "x", "stats": {"3": 1}}}]


def test_counting_stays_when_all_have_left(start):
    """§9: nobody was there in between."""
    k = start()
    for n in range(3):
        a = Pact(k, "r")
        want = [{"type": "counter", "data": {"id": "x", "value": n}}]
        assert a.subscribe("counter:x") == (want if n else [])
        a.count("x")
        a.expect("counter", {"id": "x", "value": n + 1})
        a.goodbye()


def test_a_burst_is_counted_exactly(pair):
    """28: 1000 steps, sent at once."""
    a, b = pair
    a.write(b"".join(frame(TEXT, message(
        "counter", {"id": "x", "value": 1})) for _ in range(1000)))
    for i in range(1000):
        b.expect("counter", {"id": "x", "value": i + 1})
    quiet(a, b)
