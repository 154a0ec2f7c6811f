"""
The chat room: joining, leaving, messages.  Everything runs three times: whispers
that ask the neighbours, whispers that look up, and without Redis.
"""
import json
import time

import pytest
from kit import wait, ws
from kit.chat import Chat, barrier, crowd, room, said, settle, shards
from kit.ws import BINARY, TEXT


def of(messages, kind, who=None):
    """Those of a type (and from somebody)."""
    return [m for m in messages if m["type"] == kind and
            who in (None, m.get("from"))]


@pytest.fixture
def five(lobby):
    """a b | c d | e, in three replicas; quiet."""
    people = crowd(lobby, room(), "abcde")
    assert sorted(lobby.group(people[0].group)) == [1, 2, 2]
    yield people
    for p in people:
        p.close()


# ---- joining and leaving ----

def test_join_goes_to_others_once(lobby):
    """14, 15: each newcomer, also the first of a new replica."""
    g, here = room(), []
    for name in "abcde":
        new = Chat(lobby, g, name)
        heard = barrier(new, *here)
        assert of(heard[0], "user:join") == []
        for messages in heard[1:]:
            joins = of(messages, "user:join")
            assert [m["from"] for m in joins] == [name]
            assert abs(joins[0]["time"] - time.time() * 1000) < 60000
        here.append(new)
    for p in here:
        p.close()


def test_second_device_hears_and_announces_its_join(lobby):
    """14, 17: onopen's broadcast reaches other sockets of the same uid."""
    g = room()
    a1, b = crowd(lobby, g, "ab")
    a2 = Chat(lobby, g, "a")
    heard = barrier(a2, a1, b)
    assert [len(of(m, "user:join", "a")) for m in heard] == [0, 1, 1]
    for p in a1, a2, b:
        p.close()


def test_connected_goes_to_everyone(five):
    """The answer to req:connected is heard by all, the sender too."""
    a = five[0]
    a.tell(type="req:connected", user="x", uid="e")
    for heard in barrier(a, *five[1:]):
        m, = of(heard, "user:connected")
        assert m["from"] == "a" and isinstance(m["time"], int)


def test_list_has_all_once_and_goes_to_the_asker(lobby, five):
    """16"""
    again = Chat(lobby, five[0].group, "a")
    settle(again, *five)
    for asker in five[0], five[4]:
        answer = asker.users()
        assert sorted(answer["list"]) == list("abcde")
        assert isinstance(answer["time"], int)
        others = [p for p in (*five, again) if p is not asker]
        for heard in barrier(asker, *others):
            assert of(heard, "user:list") == []
    again.close()


def test_newcomer_is_in_the_list_of_who_heard_of_it(lobby):
    """16, "do, then tell": whoever has heard of a join finds it in the list."""
    g, here = room(), []
    for i in range(9):
        name = f"n{i}"
        new = Chat(lobby, g, name)
        for p in here:
            p.next(type="user:join", **{"from": name})
            p.tell(type="req:user:list")
        for p in here:
            assert name in p.next(type="user:list")["list"]
        here.append(new)
    for p in here:
        p.close()


@pytest.mark.one_node("fills the places of replicas in their order")
def test_two_devices_leave_with_the_last(lobby):
    """17: on one replica and on two."""
    g = room()
    a1, w1, a2, w2 = crowd(lobby, g, ["a", "w1", "a", "w2"])
    where = shards(a1, w1, a2, w2)
    assert where[0] == where[1] != where[2] == where[3]
    a1.goodbye()
    lobby.wait_group(g, [1, 2])
    assert "a" in w1.users()["list"] and "a" in w2.users()["list"]
    a3 = Chat(lobby, g, "a")            # where there is room: beside w1
    settle(a2, a3, w1, w2)
    a2.reset()
    lobby.wait_group(g, [2, 1])
    assert "a" in w1.users()["list"] and "a" in w2.users()["list"]
    for heard in barrier(a3, w1, w2):
        assert of(heard, "user:exit") == []
    a3.goodbye()
    for w in w1, w2:
        before, _ = w.until(type="user:exit", **{"from": "a"})
        assert of(before, "user:exit") == []
        assert "a" not in w.users()["list"]
    for heard in settle(w1, w2).values():
        assert of(heard, "user:exit") == []
    w1.close(), w2.close()


def leave_goodbye(c):
    c.goodbye()


def leave_unanswered(c):
    """A close frame, and away."""
    c.write(ws.close_frame(1001))
    c.close()


def leave_cut(c):
    """End of file without a close frame."""
    c.close()


def leave_half(c):
    c.half_close()
    c.end()


def leave_reset(c):
    c.reset()


def leave_wrong(c):
    """Breaks the protocol."""
    c.send_frame(TEXT, "x", mask=None)
    assert c.end() == 1002
    c.close()


@pytest.mark.parametrize("leave", [
    leave_goodbye, leave_unanswered, leave_cut, leave_half, leave_reset,
    leave_wrong])
def test_exit_reaches_all_others_once(lobby, leave):
    """18, 19"""
    g = room()
    a, b, c, d = crowd(lobby, g, "abcd")
    leave(a)
    for p in b, c, d:
        before, m = p.until(type="user:exit")
        assert (before, m["from"]) == ([], "a")
        assert abs(m["time"] - time.time() * 1000) < 60000
    for heard in settle(b, c, d).values():
        assert of(heard, "user:exit") == []
    assert sorted(b.users()["list"]) == ["b", "c", "d"]
    for p in b, c, d:
        p.close()


# ---- whispers ----

def whispered(five, sender, target, text="psst", command="/w"):
    """{person: [messages]} after one whisper."""
    sender.say(f"{command} {target} {text}")
    others = [p for p in five if p is not sender]
    return dict(zip((sender, *others), barrier(sender, *others)))


@pytest.mark.parametrize("command", ["/w", "/msg"])
@pytest.mark.parametrize("target", ["b", "d", "e"])
def test_whisper_reaches_target_and_sender_once(five, command, target):
    """20, 21"""
    a = five[0]
    heard = whispered(five, a, target, "hello  you", command)
    for p in five:
        msgs = of(heard[p], "user:msg")
        if p is a or p.name == target:
            assert len(msgs) == 1, p.name
            m = msgs[0]
            assert (m["from"], m["to"], m["meta"], m["text"]) == \
                ("a", target, "whisper", "hello  you")
            assert isinstance(m["time"], int)
        else:
            assert msgs == [], p.name


def test_whisper_reaches_the_target_before_the_echo(five):
    """21: when the sender has its copy, the target has it, if it reads."""
    a, e = five[0], five[4]
    for i in range(50):
        a.say(f"/w e {i}")
        assert a.next(type="user:msg")["text"] == str(i)
        e.sock.settimeout(wait.limit(0.5))          # it is there already
        assert e.hear()["text"] == str(i)
        e.sock.settimeout(wait.limit(10))


@pytest.mark.parametrize("space", [" ", "\t", "\n", "\r\n", "  \t ", "\u00a0",
                                   "\u2003", "\u3000", "\ufeff"])
def test_white_space_of_any_kind(five, space):
    """22"""
    a, d = five[0], five[3]
    a.say(f"{space}/w{space}d{space}x y{space}")
    for p in a, d:
        m = p.next(type="user:msg")
        assert (m["to"], m["text"]) == ("d", "x y")
    a.say(f"/g{space}z")
    assert a.next(type="user:msg")["meta"] == "group"


@pytest.mark.parametrize("text", [
    "/w", "/w b", "/w  b ", "/msg", "/msg b", "/g", "/g  ", "/group", "/a",
    "/all", "/gnome", "/wb c", "/W b c", "/unknown x", "x /w b c", "//g x"])
def test_incomplete_commands_are_plain_text(five, text):
    """23"""
    a = five[0]
    a.say(text)
    for heard in barrier(a, *five[1:]):
        m, = of(heard, "user:msg")
        assert m["text"] == text.strip()
        assert "meta" not in m and "to" not in m


def test_whisper_to_oneself_is_one_copy(lobby, five):
    """24: also not for one's other devices."""
    a = five[0]
    again = Chat(lobby, a.group, "a")
    settle(again, *five)
    heard = whispered([*five, again], a, "a")
    assert [said(heard[p]) for p in (*five, again)] == \
        [["psst"], [], [], [], [], []]
    again.close()


@pytest.mark.parametrize("nobody", ["nobody", "ünbekannt", "%41", "a:b", "*"])
def test_whisper_to_nobody_is_the_echo_only(five, nobody):
    """24"""
    a = five[0]
    heard = whispered(five, a, nobody)
    assert [said(heard[p]) for p in five] == [["psst"], [], [], [], []]


def test_whisper_reaches_all_devices_everywhere(lobby):
    """25: beside the sender too."""
    g = room()
    t1, s, t2, o, t3 = people = crowd(lobby, g, ["t", "s", "t", "o", "t"])
    assert sorted(lobby.group(g)) == [1, 2, 2]
    for sender in s, o:
        heard = whispered(people, sender, "t")
        for p in people:
            n = 1 if p.name == "t" or p is sender else 0
            assert said(heard[p]) == ["psst"] * n
    for p in people:
        p.close()


def test_whisper_follows_who_moves(lobby):
    """21, 25: leaves one replica, comes back in another, again and again."""
    g = room()
    a, b = crowd(lobby, g, "ab")
    fill = []
    for i in range(6):
        t = Chat(lobby, g, "t")
        a.say(f"/w t {i}")
        assert t.next(type="user:msg")["text"] == str(i)
        assert a.next(type="user:msg")["text"] == str(i)
        t.goodbye() if i % 2 else t.reset()
        b.next(type="user:exit", **{"from": "t"})
        a.say(f"/w t gone {i}")
        assert a.next(type="user:msg")["text"] == f"gone {i}"
        fill.append(Chat(lobby, g, f"f{i}"))
    for p in (a, b, *fill):
        p.close()


# ---- to all, to some ----

def test_broadcast_reaches_the_senders_devices_everywhere(lobby):
    """26"""
    g = room()
    people = crowd(lobby, g, ["a", "b", "a", "c", "a"])
    assert sorted(lobby.group(g)) == [1, 2, 2]
    people[0].say("hi")
    for heard in barrier(*people):
        assert said(heard) == ["hi"]
    for p in people:
        p.close()


@pytest.mark.parametrize("text,want", [
    ("hello all", "hello all"), ("/a one", "one"), ("/all two  x", "two  x"),
    ("  padded  ", "padded"), ("\n/a\tz\n", "z")])
def test_plain_messages_reach_everyone_once(five, text, want):
    """27"""
    c = five[2]
    c.say(text)
    for heard in barrier(c, *(p for p in five if p is not c)):
        m, = of(heard, "user:msg")
        assert (m["from"], m["text"]) == ("c", want)
        assert "meta" not in m and "to" not in m


@pytest.mark.one_node("names who shares a replica")
@pytest.mark.parametrize("command", ["/g", "/group"])
def test_group_message_stays_in_one_replica(five, command):
    """27"""
    for sender, here in (0, "ab"), (3, "cd"), (4, "e"):
        s = five[sender]
        s.say(f"{command} only here")
        others = [p for p in five if p is not s]
        for p, heard in zip((s, *others), barrier(s, *others)):
            msgs = of(heard, "user:msg")
            assert len(msgs) == (p.name in here), p.name
            for m in msgs:
                assert (m["from"], m["text"], m["meta"]) == \
                    (s.name, "only here", "group") and "to" not in m


def test_200_messages_arrive_in_order(five):
    """28: all of them sent before any is read."""
    a = five[0]
    a.write(b"".join(ws.frame(TEXT, json.dumps(
        {"type": "msg", "text": f"{i}"})) for i in range(200)))
    for heard in barrier(a, *five[1:]):
        assert said(heard) == [str(i) for i in range(200)]


def test_unknown_types_go_to_everyone_signed(five):
    """Whatever uid the client claims, its own wins."""
    b = five[1]
    b.tell(type="dance", step=1, uid="a")
    b.tell(type="dance", step=2.5, deep={"x": [None, True, "ü"]})
    b.tell(step=3)
    for heard in barrier(b, *(p for p in five if p is not b)):
        assert [m["step"] for m in heard] == [1, 2.5, 3]
        assert all(m["uid"] == "b" for m in heard)
        assert heard[1]["deep"] == {"x": [None, True, "ü"]}


@pytest.mark.parametrize("text", [
    "", " ", "null", "1", "-1.5e3", '"x"', "true", "[]", '[{"type":"msg"}]',
    "{", "}", '{"type":', "{'type':'msg'}", '{"type":"msg"}',
    '{"type":"msg","text":1}', '{"type":"msg","text":null}',
    '{"type":"msg","text":{}}', "\0", "[" * 100000, '{"a":' * 5000,
    "NaN", "{}x", "\\ud800"], ids=range(23))
def test_malformed_messages_are_ignored(five, text):
    """34"""
    c = five[2]
    c.send(text)
    others = [p for p in five if p is not c]
    for heard in barrier(c, *others):
        assert heard == []
    assert sorted(c.users()["list"]) == list("abcde")


def test_binary_frames_harm_nobody(five):
    """35"""
    c = five[2]
    for data in b"", b"\xff\xfe", json.dumps(
            {"type": "msg", "text": "x"}).encode(), bytes(100000):
        c.send(data)
    for heard in barrier(c, *(p for p in five if p is not c)):
        assert heard == []


def test_fragments_are_joined_and_pings_answered_between(five):
    """35"""
    c = five[2]
    data = json.dumps({"type": "msg", "text": "in pieces ✂"},
                      ensure_ascii=False).encode()
    c.send_frame(TEXT, data[:1], fin=False)
    for i in range(1, len(data) - 1):
        c.send_frame(ws.PING, b"p%d" % i)
        c.send_frame(0, data[i:i + 1], fin=False)
    c.send_frame(0, data[-1:], fin=True)
    for i in range(1, len(data) - 1):
        assert c.recv_frame() == (ws.PONG, True, b"p%d" % i)
    for heard in barrier(c, *(p for p in five if p is not c)):
        assert said(heard) == ["in pieces ✂"]


def test_every_unicode_character_arrives(five):
    """35: in texts, in blocks of 60 kB and more."""
    a, e = five[0], five[4]
    every = "".join(map(chr, [*range(1, 0xd800), *range(0xe000, 0x110000)]))
    for i in range(0, len(every), 20000):
        part = "<" + every[i:i + 20000] + ">"
        a.say(part)
        for p in a, e:
            assert p.next(type="user:msg")["text"] == part


def test_60_kb_of_text(five):
    """35"""
    a = five[0]
    for text in "x" * 60000, "é" * 30000, "🐕" * 15000:
        a.say(text)
        for heard in barrier(a, *five[1:]):
            assert said(heard) == [text]


@pytest.mark.parametrize("name", [
    "Žofie", "名前", "🐕🐕", "a b", "<b>x</b>", "a&b#c%d", "a:b", "%3A", "*",
    '"', "\\", "a/b", "../x", "\u202eback", "x" * 400, "null", "__proto__",
    "anon\n", "tab\there"], ids=range(19))
def test_names_arrive_unchanged(lobby, name):
    """35"""
    g = room()
    x, b, c = people = crowd(lobby, g, [name, "b", "c"])
    assert sorted(c.users()["list"]) == sorted([name, "b", "c"])
    if not any(ch.isspace() for ch in name):
        c.say(f"/w {name} hello")
        assert x.next(type="user:msg")["to"] == name
        assert c.next(type="user:msg")["to"] == name
    x.goodbye()
    assert b.next(type="user:exit")["from"] == name
    assert c.next(type="user:exit")["from"] == name
    for p in people[1:]:
        p.close()


def test_binary_is_never_sent(five):
    """Everything from the server is text."""
    a = five[0]
    a.tell(type="req:connected")
    assert a.recv_frame()[0] == TEXT != BINARY


# ---- groups ----

def test_groups_never_hear_each_other(lobby):
    """51: same names, same shards, every verb."""
    g1, g2 = room(), room()
    one = crowd(lobby, g1, "abc")
    two = crowd(lobby, g2, "abc")
    a = one[0]
    for text in "plain", "/a all", "/g here", "/w b x", "/w c y", "/w a z":
        a.say(text)
    a.tell(type="req:connected")
    a.tell(type="something")
    late = Chat(lobby, g1, "d")
    settle(late, *one)
    late.goodbye()
    one[1].next(type="user:exit")
    for heard in settle(*two).values():
        assert [m for m in heard if m["type"] != "barrier"] == []
    assert sorted(two[0].users()["list"]) == list("abc")
    for p in one + two:
        p.close()


@pytest.mark.parametrize("name", ["a%20b", "%C3%BC", "x:y", "a%2Fb", "%25",
                                  "UP", "up", "x" * 300, "~$~", "a.b", "-"],
                         ids=range(11))
def test_any_group_name(lobby, name):
    """51: as the path says it, decoded or not, one room."""
    with Chat(lobby, name, "a") as a, Chat(lobby, name, "b") as b, \
            Chat(lobby, name, "c") as c:
        assert sorted(c.users()["list"]) == ["a", "b", "c"]
        a.say("/w c x")
        assert c.next(type="user:msg")["text"] == "x"
        b.goodbye()
