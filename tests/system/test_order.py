"""One order for each pair of sender and receiver, whatever the verbs."""
import threading

import pytest
from kit.chat import Chat, barrier, crowd, room, said, settle
from kit.probe import CONFIG, Probe
from kit.ws import TEXT, frame


@pytest.fixture(scope="module", params=["ask", "lookup"])
def kennel(request, start_shared):
    config = "[worker]\nwhisper_ask = 0\n" if request.param == "lookup" else ""
    return start_shared(shards=4, config=config)


def test_mixed_verbs_under_load_keep_their_order(kennel):
    """Eight people over four shards, all at once: to all, to one, in place."""
    g, n = room(), 150
    names = [f"p{i}" for i in range(8)]
    people = crowd(kennel, g, names)
    assert kennel.group(g) == [2, 2, 2, 2]
    heard = {}

    def listen(p):
        """Until everybody's last word."""
        got, ends = [], 0
        while ends < len(people):
            m = p.hear()
            if m["type"] == "user:msg":
                got.append((m["from"], int(m["text"]), m.get("meta")))
            elif m["type"] == "end":
                ends += 1
        heard[p.name] = got

    def talk(i):
        p = people[i]
        for k in range(n):
            target = names[(i + k) % 8]
            p.say([f"{k}", f"/w {target} {k}", f"/g {k}",
                   f"/a {k}"][k % 4])
        p.tell(type="end")
    threads = [threading.Thread(target=listen, args=(p,)) for p in people] + \
        [threading.Thread(target=talk, args=(i,)) for i in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i, p in enumerate(people):
        for j, sender in enumerate(names):
            got = [x[1] for x in heard[p.name] if x[0] == sender]
            want = []
            for k in range(n):
                target = names[(j + k) % 8]
                if k % 4 == 1:
                    mine = target == p.name or sender == p.name
                elif k % 4 == 2:
                    mine = i // 2 == j // 2
                else:
                    mine = True
                if mine:
                    want.append(k)
            assert got == want, f"{sender} to {p.name}"
    for p in people:
        p.close()


def test_do_then_tell(kennel):
    """Whatever one has heard of, one can ask for, on whatever shard."""
    g = room()
    people = crowd(kennel, g, "abcdef")
    for i in range(30):
        a, z = people[i % 6], people[(i + 3) % 6]
        newcomer = Chat(kennel, g, f"x{i}")
        newcomer.say(f"/w {a.name} I am here")
        assert a.next(type="user:msg")["text"] == "I am here"
        a.say(f"/w {z.name} go and see")
        assert z.next(type="user:msg", **{"from": a.name})
        assert f"x{i}" in z.users()["list"]
        z.say(f"/w x{i} I see you")
        assert newcomer.next(type="user:msg",
                             **{"from": z.name})["text"] == "I see you"
        newcomer.goodbye()
        z.next(type="user:exit", **{"from": f"x{i}"})
        z.say(f"/w {a.name} it left")
        a.next(type="user:msg", text="it left")
        assert f"x{i}" not in a.users()["list"]
        settle(*people)
    for p in people:
        p.close()


def test_newcomers_words_follow_its_join(kennel):
    """Everybody hears the join first, then the rest; at once and in order."""
    g, here = room(), []
    for i in range(8):
        new = Chat(kennel, g, f"n{i}", behind=b"".join(
            frame(TEXT, '{"type":"msg","text":"%s"}' % w)
            for w in ("one", "/g two", "three")))
        heard = barrier(new, *here)
        for p, messages in zip(here, heard[1:]):
            kinds = [(m["type"], m.get("text")) for m in messages
                     if m.get("from") == f"n{i}"]
            want = [("user:join", None), ("user:msg", "one"),
                    ("user:msg", "two"), ("user:msg", "three")]
            if p not in here[-1:] or i % 2 == 0:
                want = [w for w in want if w[1] != "two"]
            assert kinds == want, (p.name, i)
        here.append(new)
    for p in here:
        p.close()


def test_a_burst_from_one_callback(start, installed):
    """300 calls of three verbs, none waiting for the other."""
    k = start(shards=3, config=CONFIG % 2, worker=installed.worker("probe.c"))
    a, b, c, d, t = (Probe(k, "g", u) for u in "abcdt")
    a.send("burst 300 t")
    sees = {b: lambda i: i % 3 != 1, c: lambda i: i % 3 == 0,
            d: lambda i: i % 3 == 0, t: lambda i: i % 3 != 2}
    for p, of in sees.items():
        got = []
        while not got or got[-1] != "burst":
            got.append(p.recv())
        assert got[:-1] == [str(i) for i in range(300) if of(i)], p.uid
    assert a.recv() == "done 0"
    for p in a, b, c, d, t:
        p.close()


def test_order_holds_while_people_come_and_go(kennel):
    g = room()
    a, b = crowd(kennel, g, "ab")
    stop = threading.Event()

    def coming_and_going():
        i = 0
        while not stop.is_set():
            p = Chat(kennel, g, f"v{i % 5}")
            p.say("visiting")
            p.goodbye() if i % 2 else p.reset()
            i += 1
    t = threading.Thread(target=coming_and_going)
    t.start()
    try:
        c = Chat(kennel, g, "c")
        for i in range(300):
            a.say(f"/w c {i}" if i % 2 else str(i))
        a.tell(type="end")
        mine = [m for m in c.until(type="end")[0] if m.get("from") == "a"]
        assert said(mine) == [str(i) for i in range(300)]
    finally:
        stop.set()
        t.join()
    for p in a, b, c:
        p.close()
