"""Lists whose length clients decide: what one answer has of them is bounded."""
from kit import wait
from kit.chat import Chat, room
from kit.kennel import SILENT

ROUTES = """
[route big]
path = /lobby/{group}/ws
app = chat
group = path:group
uid = query:u
limit = 400
"""


def test_user_list_has_those_that_fit_and_counts_the_others(start):
    k = start(config=ROUTES + SILENT, shards=2)
    g = room()
    people = [Chat(k, g, f"{i:03}" + "n" * 245) for i in range(600)]
    asker = people[-1]
    for p in people[-2:]:
        got = p.users()
        assert 400 <= len(got["list"]) < 600
        assert len(set(got["list"])) == len(got["list"]) == len(got["shards"])
        assert len(got["list"]) + got["more"] == 600
    for p in people[5:-1]:
        p.close()
    wait.until(lambda: len(asker.users()["list"]) == 6, 30, "they have left")
    assert "more" not in asker.users()
    for p in (*people[:5], asker):
        p.close()
