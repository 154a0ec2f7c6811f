"""Pages of other sites are kept out of a route that names its origins."""
import pytest
from kit.chat import Chat
from kit.http import Http, get
from kit.ws import Refused

CONFIG = """
[route lobby]
path = /lobby/{group}/ws /lobby/{group}/broadcast
app = chat
group = path:group
uid = query:u const:anon
origin = self https://a.example

[route front]
path = /healthz
app = front
"""


@pytest.fixture(scope="module")
def kennel(start_shared):
    return start_shared(config=CONFIG)


@pytest.mark.parametrize("origin", [None, "https://a.example",
                                    "https://A.EXAMPLE", "http://kennel"])
def test_listed_origins_are_let_in(kennel, origin):
    fields = [("Origin", origin)] if origin else []
    with Chat(kennel, "g", "a", fields=fields) as a:
        a.users()


@pytest.mark.parametrize("origin", ["https://evil.example", "null",
                                    "http://a.example", "https://a.example:8",
                                    "https://a.example.evil", "http://kennel:1"])
def test_others_are_403(kennel, origin):
    fields = [("Origin", origin)]
    with pytest.raises(Refused) as e:
        Chat(kennel, "g", "a", fields=fields)
    assert e.value.response.status == 403
    assert get(kennel, "/lobby/g/broadcast", fields=fields).status == 403
    assert get(kennel, "/healthz", fields=fields).status == 200
    kennel.wait_places(0)


def test_each_request_of_a_connection_is_checked(kennel):
    with Http(kennel.address) as c:
        assert c.ask(path="/healthz").status == 200
        r = c.ask(path="/lobby/g/broadcast",
                  fields=[("Origin", "https://evil.example")])
        assert r.status == 403
