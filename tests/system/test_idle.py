"""Clients that went away without a word are found by pings."""
from kit import wait
from kit.ws import CLOSE, PING, PONG, WebSocket


def test_who_answers_no_ping_is_closed(start):
    """Two misses: 1001, idle; who answers stays."""
    k = start(shards=1, config="[worker]\nping_interval = 1s\n")
    silent, alive = WebSocket(k.address), WebSocket(k.address)
    for _ in range(4):
        opcode, _, data = alive.recv_frame()
        assert opcode == PING
        alive.send_frame(PONG, data)
    heard = [silent.recv_frame() for _ in range(3)]
    assert [opcode for opcode, _, _ in heard] == [PING, PING, CLOSE]
    assert int.from_bytes(heard[2][2][:2], "big") == 1001
    alive.send("still here")
    assert alive.recv() == "still here"
    wait.until(lambda: k.status()["totals"]["gone"].get("idle") == 1)
    silent.close()
    alive.close()
