"""What is written for users: the README, the pages about workers, their examples."""
import os
import re

from .kennel import TOP

PAGES = ("README.md", "shardd/README.md")


def page(path):
    with open(os.path.join(TOP, path)) as f:
        return f.read()


def text():
    """All pages, one after another."""
    return "\n".join(page(p) for p in PAGES)


def chapter(title):
    """What stands under this title, up to the next of its level or a higher one."""
    marks, rest = re.search(rf"^(##+) {re.escape(title)}\n(.*)", text(),
                            re.M | re.S).groups()
    return re.split(rf"^#{{1,{len(marks)}}} ", rest, flags=re.M)[0]


def blocks(text, language="c"):
    return re.findall(rf"```{language}\n(.*?)```", text, re.S)


def example(word, without=None):
    """The one program among the examples that has this word."""
    found = [c for c in blocks(text())
             if word in c and not (without and without in c)]
    assert len(found) == 1, word
    return found[0]


def first():
    """The worker that a reader of the README sees first."""
    return blocks(page("README.md"))[0]


def counter():
    """The first of shardd's pages: a state."""
    return blocks(page("shardd/README.md"))[0]
