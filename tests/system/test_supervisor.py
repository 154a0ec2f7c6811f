"""What systemd hears of a gateway, and the name that a gateway gives itself."""
import os
import re
import signal

import pytest
from kit import redis, wait
from kit.chat import Chat
from kit.kennel import state
from kit.supervisor import Supervisor


@pytest.fixture
def supervisor(tmp_path):
    s = Supervisor(tmp_path / "n")
    yield s
    s.socket.close()


def test_the_supervisor_hears_of_all_turns(start, supervisor):
    """Readiness, live counts, a reload, the watchdog's beat, the end."""
    k = start(env={"NOTIFY_SOCKET": supervisor.path,
                   "WATCHDOG_USEC": "1000000"})
    supervisor.wait("READY=1")
    with Chat(k, "g", "a"):
        supervisor.wait("STATUS=1 connection in 1 group, 2 of 2 shards ready, "
                        "Redis up")
        supervisor.wait("WATCHDOG=1")
        supervisor.wait("WATCHDOG=1")
        os.kill(k.pid, signal.SIGHUP)
        supervisor.wait("RELOADING=1")
        supervisor.wait("READY=1")
    assert k.term() == 0
    supervisor.wait("STOPPING=1")
    supervisor.wait(r"EXTEND_TIMEOUT_USEC=\d{8}")
    k.stop()


def test_a_gateway_that_hangs_does_not_beat(start, supervisor):
    k = start(env={"NOTIFY_SOCKET": supervisor.path,
                   "WATCHDOG_USEC": "300000"})
    supervisor.wait("WATCHDOG=1")
    os.kill(k.pid, signal.SIGSTOP)
    wait.until(lambda: state(k.pid) == "T")
    supervisor.hear()
    supervisor.heard.clear()
    with pytest.raises(AssertionError):
        supervisor.wait("WATCHDOG=1", 1)
    os.kill(k.pid, signal.SIGCONT)
    supervisor.wait("WATCHDOG=1")


def test_a_node_keeps_the_name_that_it_gave_itself(start, server):
    """Another host name, the same state directory: the same node."""
    server.start()
    url = f"unix:{server.path}"
    k = start(redis=url)
    name = k.status()["node"]
    assert re.fullmatch(r"[\w.-]+-[b-z]{4}", name)
    assert f"node={name}, a name that was made for this gateway and is kept " \
        f"in {k.state}/node" in k.log()
    mark = len(k.log())
    k.kill_gateway()
    k.start()
    assert k.status()["node"] == name
    assert "was made" not in k.log()[mark:]
    # With the same state directory at the same time: not the same name.
    two = start("--state-dir", k.state, redis=url)
    other = two.status()["node"]
    assert other != name
    assert re.search(rf"warn .*node={other} until this gateway ends: another "
                     rf"one has the name in {k.state}/node", two.log())
    with redis.Redis(server.path) as r:
        assert {n for n in r.keys("kennel:node:*")} == \
            {f"kennel:node:{name}", f"kennel:node:{other}"}
    two.stop()
