"""scripts/check-shape, on small trees that are built wrongly on purpose."""
import json
import os
import re
import subprocess
import sys

import pytest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CHECK = os.path.join(TOP, "scripts", "check-shape")
pytestmark = pytest.mark.no_program

# A tree in which all is as it should be: path -> text.
GOOD = {
    "common/low.h": "int low_is(void);\n",
    "common/low.c": '#include "common/low.h"\nint\nlow_is(void)\n{\n'
                    "\treturn (1);\n}\n",
    "proto/mid.h": "int mid_is(void);\n",
    "proto/mid.c": '#include "common/low.h"\n#include "proto/mid_in.h"\n'
                   "int\nmid_is(void)\n{\n\treturn (low_is());\n}\n",
    "proto/mid_in.h": '#include "proto/mid.h"\n',
    "gatewayd/top.c": '#include "proto/mid.h"\nint top_is(void);\n'
                      "int\ntop_is(void)\n{\n\treturn (mid_is());\n}\n",
    "shardd/kennel.h": "int kennel_say(void);\n",
    "shardd/api/say.c": '#include "proto/mid.h"\n#include "shardd/kennel.h"\n'
                        "int\nkennel_say(void)\n{\n\treturn (mid_is());\n}\n",
    "shardd/apps/one.c": '#include "shardd/kennel.h"\nint one_is(void);\n'
                         "int\none_is(void)\n{\n\treturn (kennel_say());\n}\n",
}


def long_function(lines):
    return "int\nfar(void);\nint\nfar(void)\n{\n" + "\t(void)0;\n" * lines + \
        "\treturn (0);\n}\n"


# What is put over GOOD, and what must be said of it.
BAD = {
    "an include upwards": (
        {"common/low.c": '#include "proto/mid.h"\nint low_is(void);\n'
                         "int\nlow_is(void)\n{\n\treturn (1);\n}\n"},
        "common/low.c:1: common may not include proto/mid.h (proto)"),
    "a call upwards without an include": (
        {"common/low.c": "int low_is(void);\nint mid_is(void);\nint\n"
                         "low_is(void)\n{\n\treturn (mid_is());\n}\n"},
        "common/low.c: common may not use mid_is of proto/mid.c"),
    "a daemon that calls the other": (
        {"gatewayd/top.c": "int kennel_say(void);\nint top_is(void);\nint\n"
                           "top_is(void)\n{\n\treturn (kennel_say());\n}\n"},
        "gatewayd/top.c: gatewayd may not use kennel_say of shardd/api/say.c"),
    "an application that looks inside": (
        {"shardd/apps/one.c": '#include "proto/mid.h"\nint one_is(void);\nint\n'
                              "one_is(void)\n{\n\treturn (mid_is());\n}\n"},
        "shardd/apps/one.c:1: shardd/apps may not include proto/mid.h (proto)"),
    "an application that calls what is not its": (
        {"shardd/apps/one.c": "int mid_is(void);\nint one_is(void);\nint\n"
                              "one_is(void)\n{\n\treturn (mid_is());\n}\n"},
        "shardd/apps/one.c: shardd/apps may not use mid_is of proto/mid.c"),
    "two files that need each other": (
        {"proto/mid.c": "int mid_is(void);\nint other_is(void);\nint\n"
                        "mid_is(void)\n{\n\treturn (other_is());\n}\n",
         "proto/other.c": "int mid_is(void);\nint other_is(void);\nint\n"
                          "other_is(void)\n{\n\treturn (mid_is());\n}\n"},
        "a circle: proto/mid, proto/other"),
    "two headers that need each other": (
        {"proto/a.h": '#ifndef A\n#define A\n#include "proto/b.h"\n#endif\n',
         "proto/b.h": '#ifndef B\n#define B\n#include "proto/a.h"\n#endif\n'},
        "a circle: proto/a, proto/b"),
    "a folder that nobody knows": (
        {"shardd/attic/old.c": "int old_is(void);\nint\nold_is(void)\n{\n"
                               "\treturn (0);\n}\n",
         "common/low.c": "int low_is(void);\nint old_is(void);\nint\n"
                         "low_is(void)\n{\n\treturn (old_is());\n}\n"},
        "shardd/attic/old.c: its folder stands on no floor"),
    "a long file": (
        {"proto/mid.c": GOOD["proto/mid.c"] + "\n" * 700},
        "proto/mid.c: 707 lines, more than 700"),
    "a long function": (
        {"proto/far.c": long_function(100)},
        "proto/far.c:4: far() has 101 lines, more than 100"),
}


def shape(where, files, build=True):
    """Write the files, compile those that can be, and check: (status, output)."""
    commands = []
    for path, text in files.items():
        name = os.path.join(where, path)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "w") as f:
            f.write(text)
    os.makedirs(os.path.join(where, "build"))
    for path in files:
        if not build or not path.endswith(".c"):
            continue
        obj = path.replace("/", "_") + ".o"
        subprocess.run(["cc", "-I..", "-c", "../" + path, "-o", obj], check=True,
                       cwd=os.path.join(where, "build"), timeout=60)
        commands.append({"directory": os.path.join(where, "build"),
                         "file": "../" + path, "output": obj})
    with open(os.path.join(where, "build/compile_commands.json"), "w") as f:
        json.dump(commands, f)
    r = subprocess.run([sys.executable, CHECK, os.path.join(where, "build"),
                        where], capture_output=True, text=True, timeout=60)
    return r.returncode, r.stdout + r.stderr


def without_exceptions(tmp_path, monkeypatch, exceptions="{}"):
    """The program with other exceptions than those of this tree."""
    with open(CHECK) as f:
        text = f.read()
    text, n = re.subn(r"^EXCEPTIONS = \{.*?^\}$", "EXCEPTIONS = " + exceptions,
                      text, flags=re.S | re.M)
    assert n == 1
    own = tmp_path / "check-shape"
    own.write_text(text)
    monkeypatch.setitem(globals(), "CHECK", str(own))


def test_a_tree_in_shape_passes(tmp_path, monkeypatch):
    without_exceptions(tmp_path, monkeypatch)
    status, out = shape(str(tmp_path / "t"), GOOD)
    assert (status, "0 violations" in out) == (0, True), out


@pytest.mark.parametrize("what", BAD)
def test_a_violation_is_named_and_fails(tmp_path, monkeypatch, what):
    without_exceptions(tmp_path, monkeypatch)
    files, said = BAD[what]
    status, out = shape(str(tmp_path / "t"), {**GOOD, **files})
    assert status == 1
    assert "check-shape: " + said in out.splitlines(), out


def test_an_exception_with_a_reason_lets_it_be(tmp_path, monkeypatch):
    without_exceptions(tmp_path, monkeypatch, '{("function", "proto/far.c:far"):'
                       ' "a table that reads straight down"}')
    status, out = shape(str(tmp_path / "t"),
                        {**GOOD, "proto/far.c": long_function(100)})
    assert status == 0, out


def test_an_exception_that_nothing_needs_is_a_violation(tmp_path, monkeypatch):
    without_exceptions(tmp_path, monkeypatch,
                       '{("file", "proto/gone.c"): "was long once"}')
    status, out = shape(str(tmp_path / "t"), GOOD)
    assert status == 1
    assert "file proto/gone.c: an exception that nothing needs" in out


def test_without_objects_nothing_is_said_to_be_good(tmp_path, monkeypatch):
    without_exceptions(tmp_path, monkeypatch)
    status, out = shape(str(tmp_path / "t"), GOOD, build=False)
    assert status == 1
    assert "no objects" in out
