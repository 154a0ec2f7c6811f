"""
What a protocol's users must find, line by line (tests/checklists), and which tests prove
it.  A test claims lines by the numbers that its docstring or its first comment (in C: that
before it) begins with: `21 to 25, 29: ...`.  Run as a program, this shows each line with its
tests.
"""
import ast
import glob
import os
import re
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LISTS = os.path.join(TESTS, "checklists")
CLAIM = re.compile(r"\s*(\d+(?:(?:, | to )\d+)*)(?=\s*$|[:.] |[:.]$)", re.M)
# A test of JavaScript: its title, then the comment with which its body may begin.
SCRIPT = re.compile(r"""\b(?:test|run|one)\((["'`])(.*?)\1,[^\n]*\n(?:\s*/\*(.*?)\*/)?""",
                    re.S)
# A test of C's check, and the comment right before it.
CHECK = re.compile(r"(?:/\*((?:(?!\*/).)*)\*/\n)?START_TEST\((\w+)\)", re.S)


def numbers(text):
    """Those with which this text begins."""
    found = CLAIM.match(text or "")
    out = []
    for part in found[1].split(", ") if found else []:
        first, _, last = part.partition(" to ")
        out += range(int(first), int(last or first) + 1)
    return out


def tests(path):
    """Each test of a file, and the text that may have numbers."""
    with open(path) as f:
        source = f.read()
    if path.endswith(".py"):
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef) and \
                    node.name.startswith("test_"):
                yield node.name, ast.get_docstring(node)
    elif path.endswith(".c"):
        for comment, name in CHECK.findall(source):
            yield name, comment
    else:
        for _, title, comment in SCRIPT.findall(source):
            yield title, comment


class Checklist:
    def __init__(self, path, top=TESTS):
        self.lines, self.claims = {}, {}
        with open(path) as f:
            text = f.read()
        for n, line in re.findall(r"^(\d+)\. (.+)$", text, re.M):
            assert int(n) == len(self.lines) + 1, f"{path}: {n}"
            self.lines[int(n)] = line
        for pattern in re.search(r"^in: (.+)$", text, re.M)[1].split():
            files = sorted(glob.glob(os.path.join(top, pattern)))
            assert files, f"{path}: no file is {pattern}"
            for file in files:
                for name, said in tests(file):
                    for n in numbers(said):
                        self.claims.setdefault(n, []).append(
                            f"{os.path.relpath(file, top)}: {name}")

    def unproven(self):
        """Lines without a test."""
        return [n for n in self.lines if n not in self.claims]

    def unknown(self):
        """What tests claim that is no line."""
        return {n: t for n, t in self.claims.items() if n not in self.lines}


def main():
    for name in sys.argv[1:] or sorted(os.listdir(LISTS)):
        c = Checklist(os.path.join(LISTS, name))
        for n, line in c.lines.items():
            print(f"{n}. {line}")
            for t in c.claims.get(n, ["no test"]):
                print(f"\t{t}")


if __name__ == "__main__":
    main()
