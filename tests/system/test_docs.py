"""The README says what the product does: tables, examples, keys."""
import os
import re

from kit.kennel import TOP

README = open(os.path.join(TOP, "README.md")).read()


def read(*path):
    with open(os.path.join(TOP, *path)) as f:
        return f.read()


def test_close_reasons_are_the_table():
    rows = re.findall(r'X\((\w+),\s*(\d+),\s*"([^"]+)",\s*\w+,\s*\w+,[\s\\]*'
                      r'"([^"]+)"\)', read("proto", "close_why.h"))
    assert len(rows) > 10
    for symbol, code, label, sentence in rows:
        if symbol != "NONE":
            assert f"| `{label}` | {code} | {sentence} |" in README
    known = {label for _, _, label, _ in rows}
    table = README.split("### Why a connection ended")[1].split("\n\n")[1]
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.M)) <= known


def test_every_documented_key_is_in_the_example_configuration():
    table = README.split("### Limits")[1].split("\n## ")[0]
    example = read("deploy", "kennel.ini")
    keys = re.findall(r"`(?:\[\w+\] )?([a-z_]+)`",
                      "\n".join(re.findall(r"^\| (.*?) \|", table, re.M)))
    assert len(keys) > 10
    for key in keys:
        assert re.search(rf"^[;# ]*{key} *=", example, re.M), key


def test_every_dependency_is_explained():
    found = set(re.findall(r"dependency\('([\w+-]+)'", read("meson.build")))
    names = {"libevent_core": "libevent", "msgpack": "msgpack-c",
             "libcrypto": "libcrypto", "zlib": "zlib",
             "libseccomp": "libseccomp", "threads": None}
    for name in found:
        name = names.get(name, name)
        assert name is None or re.search(rf"^\| {name}\b", README, re.M), name


def test_paths_that_are_named_exist():
    for path in re.findall(r"\]\(([\w./-]+)\)", README):
        assert os.path.exists(os.path.join(TOP, path)), path


def test_the_way_of_a_message_is_there():
    """Each function that CONTRIBUTING.md names stands in the file that it names."""
    text = read("CONTRIBUTING.md")
    named = re.findall(r"`(\w+)` \(`([\w/]+\.c)`\)", text)
    assert len(named) > 15
    for function, path in named:
        assert re.search(rf"^{function}\(", read(path), re.M), (function, path)
    for path in re.findall(r"`((?:common|proto|shardd|gatewayd)/[\w/]*(?:\.[chi]\w*)?)`",
                           text):
        assert "NAME" in path or \
            os.path.exists(os.path.join(TOP, path)) or \
            os.path.exists(os.path.join(TOP, path + ".h")), path
