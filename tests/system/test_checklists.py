"""Every line of tests/checklists is proven by a test."""
import os

import pytest
from kit.checklist import LISTS, Checklist, numbers

pytestmark = pytest.mark.no_program


@pytest.mark.parametrize("name", sorted(os.listdir(LISTS)))
def test_every_line_has_a_test(name):
    c = Checklist(os.path.join(LISTS, name))
    assert len(c.lines) > 10
    assert {n: c.lines[n] for n in c.unproven()} == {}
    assert c.unknown() == {}


@pytest.mark.parametrize("text, found", [
    ("3: it does", [3]), ("3", [3]), ("3\n\nMore of it.", [3]), ("3.", [3]),
    ("1, 4 to 6, 9: by all ways", [1, 4, 5, 6, 9]), ("3 are there", []),
    ("It is 3", []), ("12.1: a client", []), (" 7, 8 ", [7, 8]), (None, [])])
def test_numbers_at_the_head_of_a_text(text, found):
    assert numbers(text) == found


def test_who_claims_what(tmp_path):
    """A line without a test and a number without a line are found."""
    (tmp_path / "list").write_text(
        "# Of this.\nin: test_*.py *.mjs *.c\n\nPart\n1. One.\n2. Two.\n3. Three.\n")
    (tmp_path / "test_a.py").write_text(
        'def test_one():\n    """1"""\n\n'
        'def other():\n    """2"""\n\n'
        'class Group:\n    def test_two(self):\n        """4: none"""\n')
    (tmp_path / "b.mjs").write_text(
        'test("a title", async () => {\n\t/* 1: again */\n\tcall(/* 2 */);\n});\n'
        'test("no claim", async () => {\n\tcall();\n\t/* 3 */\n});\n')
    (tmp_path / "c.c").write_text(
        "/*\n * 3: said\n * before.\n */\nSTART_TEST(three)\n{\n}\nEND_TEST\n\n"
        "/* 2: of something else */\nint two;\n\nSTART_TEST(none)\n{\n}\nEND_TEST\n")
    c = Checklist(tmp_path / "list", tmp_path)
    assert c.claims == {1: ["test_a.py: test_one", "b.mjs: a title"],
                        3: ["c.c: three"], 4: ["test_a.py: test_two"]}
    assert c.unproven() == [2] and list(c.unknown()) == [4]
