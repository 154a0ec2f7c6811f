"""What clients send is nobody's business: none of it is in a log at info."""
import itertools

import pytest
from kit import wait
from kit.chat import Chat, settle
from kit.http import Http, get
from kit.wire import Closed, Wire
from kit.ws import BINARY, TEXT, Refused, WebSocket, close_frame, frame

serial = itertools.count(1)
told = []


def secret():
    """A word that nothing else contains."""
    told.append(f"zqx{next(serial)}secret")
    return told[-1]


def fields():
    return [("Cookie", f"session={secret()}; {secret()}=1"),
            ("Authorization", "Bearer " + secret()),
            ("User-Agent", secret()), ("Referer", "https://" + secret()),
            ("Origin", "https://" + secret()), ("X-" + secret(), secret()),
            ("X-Forwarded-For", secret())]


def chat(k):
    g = secret()
    a = Chat(k, g, secret(), fields=fields())
    others = [Chat(k, g, secret(), fields=fields()) for _ in range(3)]
    settle(a, *others)
    a.say(secret())
    a.say(f"/w {others[2].name} {secret()}")
    a.say(f"/w {secret()} {secret()}")
    a.say(f"/g {secret()}")
    a.tell(type=secret(), text=secret())
    a.send(secret())                    # no JSON
    settle(a, *others)
    a.goodbye(4000, secret().encode())
    others[0].reset()
    others[1].goodbye(1000, secret().encode())
    others[2].close()


def http(k):
    get(k, f"/lobby/{secret()}/broadcast?u={secret()}&x={secret()}",
        method="POST", body=secret().encode(), fields=fields())
    get(k, f"/lobby/{secret()}/whisper?target={secret()}&u={secret()}")
    get(k, f"/lobby/{secret()}?{secret()}", fields=fields())
    get(k, f"/{secret()}/{secret()}?{secret()}", fields=fields())
    get(k, f"/pages/{secret()}", fields=fields())
    get(k, "/echo", method="POST", body=secret().encode())
    with Http(k.address) as c:
        for _ in range(3):
            c.ask(path=f"/healthz?{secret()}", fields=fields())


def broken(k):
    for data in (f"{secret()}\r\n\r\n", f"GET /{secret()} {secret()}\r\n\r\n",
                 f"{secret()} / HTTP/1.1\r\nHost: {secret()}\r\n\r\n",
                 f"GET / HTTP/1.1\r\nHost: x\r\n{secret()} : {secret()}\r\n\r\n",
                 f"GET /{secret()}{'x' * 9000} HTTP/1.1\r\n\r\n",
                 f"POST /echo HTTP/1.1\r\nHost: {secret()}\r\n"
                 f"Transfer-Encoding: {secret()}\r\n\r\n",
                 f"POST /echo HTTP/1.1\r\nHost: x\r\n"
                 f"Transfer-Encoding: chunked\r\n\r\n{secret()}\r\n"):
        with Wire(k.address) as c:
            c.write(data.encode())
            c.half_close()
            try:
                c.read_all()
            except Closed:
                pass
    with pytest.raises(Refused):
        WebSocket(k.address, "/echo", version=secret())
    for data in (frame(TEXT, secret().encode() + b"\xff"),
                 frame(BINARY, secret(), mask=None),
                 frame(3, secret()), frame(TEXT, secret(), rsv=4),
                 close_frame(1004, secret().encode()),
                 close_frame(1000, secret().encode() + b"\xff")):
        with WebSocket(k.address, "/echo", fields=fields()) as c:
            c.write(data)
            c.end()
    with WebSocket(k.address, "/echo?" + secret()) as c:
        c.send(secret())
        c.recv()
        c.send_frame(9, secret())
        c.goodbye(1000, secret().encode())


@pytest.mark.parametrize("mode", [dict(), dict(redis="none"), dict(
    config="[worker]\nwhisper_ask = 0\n")], ids=["ask", "none", "lookup"])
def test_nothing_of_a_client_is_logged_at_info(start, mode):
    k = start(shards=2, max_shards=3, **mode)
    told.clear()
    for part in chat, http, broken:
        part(k)
    # Amid a crash, a take-over and full shards, too.
    stay = [Chat(k, secret(), secret(), fields=fields()) for _ in range(4)]
    full = [Chat(k, stay[0].group, secret()) for _ in range(5)]
    with pytest.raises(Refused):
        Chat(k, stay[0].group, secret(), fields=fields())
    k.kill_shard(0)
    wait.until(lambda: len(k.shards()) >= 2, 10)
    k.kill_gateway()
    k.start()
    chat(k)
    for p in (*stay, *full):
        p.close()
    assert k.term() == 0
    text = k.log()
    assert len(told) > 100
    assert [s for s in told if s in text] == []
