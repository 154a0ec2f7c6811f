"""The README says what the product does: tables, examples, keys."""
import json
import os
import re

import pytest
from kit import docs
from kit.chat import Chat
from kit.kennel import TOP

README = docs.page("README.md")


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
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.M)) == \
        known - {label for symbol, _, label, _ in rows if symbol == "NONE"}


def test_every_documented_key_is_in_the_example_configuration():
    table = README.split("### Limits")[1].split("\n## ")[0]
    example = read("deploy", "kennel.ini")
    keys = re.findall(r"`(?:\[\w+\] )?([a-z_]+)`",
                      "\n".join(re.findall(r"^\| (.*?) \|", table, re.M)))
    assert len(keys) > 10
    for key in keys:
        assert re.search(rf"^[;# ]*{key} *=", example, re.M), key


def keys_of_the_example():
    """The keys that deploy/kennel.ini explains, in its order: before the routes
    each stands in a line `#key = value`, those of routes begin a paragraph."""
    settings, routes = read("deploy", "kennel.ini").split("\n# Routes.")
    keys = [k for k in re.findall(r"^#?(?:     )?([a-z_.]+) = ", settings, re.M)
            if k != "app.greeting"]             # of an application of one's own
    for names in re.findall(r"^# ([a-z_]+(?:, [a-z_]+)*)(?:  |$)", routes, re.M):
        keys += names.split(", ")
    return list(dict.fromkeys(keys))


def keys_of_the_code():
    """The keys that gatewayd reads from a configuration file."""
    keys = []
    for path, table in (("gatewayd/settings.c", "settings_rows[ROW_N]"),
                        ("gatewayd/settings.c", "worker_rows[]"),
                        ("gatewayd/inlet.c", "inlet_keys[]"),
                        ("gatewayd/inlet.c", "inlet_told[]"),
                        ("gatewayd/uplinks.c", "uplinks_keys[]"),
                        ("gatewayd/route.c", "route_keys[]"),
                        ("proto/policy.c", "policy_keys[]"),
                        ("shardd/events/app.c", "app_settings[]")):
        rows = read(path).split(table + " = {")[1].split("\n};")[0]
        found = re.findall(r'^\t(?:\[ROW_\w+\]\s*=\s*)?\{ "([a-z_.]+)"', rows, re.M)
        assert len(found) > 1, table
        keys += found
    return keys + re.findall(r'kennel_option\("(app\.[a-z_]+)"\)', "".join(
        read("shardd/events/" + f) for f in ("holder.c", "notices.c", "uplink.c")))


def test_every_key_is_in_the_example_configuration_and_no_other():
    assert set(keys_of_the_example()) == set(keys_of_the_code())


def number(text):
    """Of C, of bounded shifts and products."""
    assert re.fullmatch(r"[0-9 <*()]+", text), text
    return eval(text)


def defaults_of_the_code():
    """What each key that is a number, or yes or no, is where nobody says it; in ms, bytes,
    seconds (LIFETIME), or as it is."""
    settings, out = read("gatewayd/settings.c"), {}
    bounds = dict(re.findall(r"^\t\.(\w+) = (.+),$", read("proto/http_head.c")
                             .split("http_limits_default = {")[1].split("}")[0], re.M))
    fields = {field: bounds.get(value.removeprefix("http_limits_default."), value)
              for field, value in re.findall(r"^\ts->(\w+) = ([\w. <]+);", settings.split(
                  "\nsettings_init(")[1].split("\n}")[0], re.M)}
    for key, kind, field in re.findall(r'= \{ "(\w+)",\s*(\w+),\s*AT\((\w+)\)', settings):
        if kind in ("UINT", "SIZE", "DURATION", "YESNO") and field in fields:
            out[key] = kind, number(fields[field])
    options = dict(re.findall(r"^\t\.(\w+) = (.+),$", read("shardd/options.c")
                              .split("options_defaults = {")[1].split("\n};")[0], re.M))
    options |= {f"pact_{name}": n for name, n in re.findall(
        r"ROW\((\w+), (\d+)\)", read("shardd/apps/pact_names.c"))}
    options |= dict(re.findall(r'= \{ "(ape_\w+)", ([^}]+) \}', read("shardd/ape/bounds.c")))
    rows = settings.split("worker_rows[] = {")[1].split("\n};")[0]
    for key, option, kind in re.findall(r'\{ "(\w+)",\s*"(\w+)",\s*(\w+),', rows):
        if option in options:
            out[key] = kind, number(options[option])
    return out


UNITS = {"DURATION": {"ms": 1, "s": 1000, "m": 60000, "min": 60000},
         "LIFETIME": {"d": 86400, "day": 86400},
         "SIZE": {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}}


def as_code(kind, text):
    """A value as a user writes it, as defaults_of_the_code() has it; None: no number."""
    if kind == "YESNO":
        return {"no": 0, "yes": 1}.get(text)
    m = re.fullmatch(r"(\d+) ?([a-zA-Z]*)", text)
    unit = m and {"": 1, **UNITS.get(kind, {})}.get(m[2])
    return None if unit is None else int(m[1]) * unit


# What is measured where nothing is said.
MEASURED = {"unfinished_max"}


def test_the_example_configuration_shows_the_defaults():
    code = defaults_of_the_code()
    shown = re.findall(r"^#(\w+) = (.+)$",
                       read("deploy", "kennel.ini").split("\n# Routes.")[0], re.M)
    told = [(key, text) for key, text in shown if key in code and key not in MEASURED]
    told = list(dict(told).items())             # [listener events], before, has its own
    assert len(told) > 50
    assert [(key, text, code[key]) for key, text in told
            if as_code(code[key][0], text) != code[key][1]] == []


def test_the_table_of_limits_shows_the_defaults():
    code, wrong, n = defaults_of_the_code(), [], 0
    table = README.split("### Limits")[1].split("\n| `[route] limit`")[0]
    for names, texts in re.findall(r"^\| (.+?) \| (.+?) \|", table, re.M):
        keys = re.findall(r"`(?:\[\w+\] )?(\w+)`", names)
        texts = texts.split(", ")
        for key, text in zip(keys, texts * len(keys) if len(texts) == 1 else texts):
            if key in code and key not in MEASURED:
                n += 1
                if as_code(code[key][0], text) != code[key][1]:
                    wrong.append((key, text, code[key]))
    assert n > 40 and wrong == []


def keys_of_the_manual():
    """The keys of the manual's chapter about the configuration file."""
    chapter = read("deploy", "man", "gatewayd.8") \
        .split(".Sh CONFIGURATION FILE")[1].split("\n.Sh ")[0]
    return {key for line in re.findall(r"^\.It Cm (.*)$", chapter, re.M)
            for key in line.split(" , ")}


def test_every_key_of_the_example_configuration_is_explained():
    manual = keys_of_the_manual()
    for key in keys_of_the_example():
        assert key in manual or re.search(rf"`(?:\[\w+\] )?{key}[` ]", README), key


def test_every_key_of_the_manual_is_in_the_example_configuration():
    manual = keys_of_the_manual()
    assert len(manual) > 50
    assert manual <= set(keys_of_the_example())


def test_every_flag_is_in_help_and_manual():
    source = read("gatewayd", "configuration.c")
    flags = re.findall(r'^\t\t\{ "([a-z-]+)",\s*\w+_argument', source, re.M)
    assert len(flags) > 10
    for flag in flags:
        assert re.search(rf"--{flag}[ ,\\]", source), flag
        assert re.search(rf"^\.(?:It|Op|Fl) .*-{flag}\b",
                         read("deploy", "man", "gatewayd.8"), re.M), flag


def members(j, name=""):
    """Names in JSON, but for those of reasons, which other tables have."""
    if isinstance(j, list):
        for e in j:
            yield from members(e, name)
    elif isinstance(j, dict) and name not in ("refusals", "gone"):
        for key, value in j.items():
            yield key
            yield from members(value, key)


def test_every_member_that_kennelctl_prints_is_in_its_manual(start):
    page = read("deploy", "man", "kennelctl.1")
    words = set(re.findall(r"[a-z_0-9]+", "\n".join(
        re.findall(r"^\.(?:It |Pq )?Li (.*)", page, re.M))))
    k = start()
    with Chat(k, "g", "ann"):
        k.ctl("drain", "1")                     # so that `moves` has a row
        for command in (["status", "--check"], ["shards"], ["groups"], ["check"], ["ready"],
                        ["cluster"], ["who", "ann"], ["place", "g", "x"], ["reload"],
                        ["log-level", "info"]):
            said = set(members(json.loads(k.ctl(*command, "--json"))))
            assert said and said <= words, (command, said - words)
        for command in ["restart", "1"], ["rebalance"], ["upgrade", "gateway"]:
            lines = k.ctl(*command, "--json").splitlines()
            said = set(members(json.loads(lines[-1])))
            assert "exit" in said and said <= words, (command, said - words)


def test_every_call_of_the_library_is_listed():
    """Each function of kennel.h is in a table for users or in kennel(3), and
    these name no other."""
    header = re.sub(r"/\*.*?\*/|^typedef.*?;", "", read("shardd", "kennel.h"),
                    flags=re.S | re.M)
    calls = set(re.findall(r"\b(kennel_\w+)\(", header))
    manual = set(re.findall(r"\bFn (kennel_\w+)", read("deploy", "man", "kennel.3")))
    tables = "\n".join(re.findall(r"^\|.*\|$", docs.text(), re.M))
    named = set(re.findall(r"`(kennel_\w+)`", tables))
    assert len(calls) > 50
    assert calls <= manual | named, calls - manual - named
    assert manual | named <= calls, (manual | named) - calls


def test_every_call_for_fast_tcp_is_listed():
    """The same of kennel-events.h, in kennel-events(3)."""
    header = re.sub(r"/\*.*?\*/|^typedef.*?;", "", read("shardd", "kennel-events.h"),
                    flags=re.S | re.M)
    calls = set(re.findall(r"\b(events_\w+)\(", header))
    manual = set(re.findall(r"\bFn (events_\w+)",
                            read("deploy", "man", "kennel-events.3")))
    assert len(calls) > 30
    assert calls == manual, calls ^ manual


def test_every_call_of_kennel_ape_is_listed():
    header = re.sub(r"/\*.*?\*/|^typedef.*?;", "",
                    read("shardd", "kennel-ape.h") +
                    read("shardd", "kennel-forest.h"), flags=re.S | re.M)
    calls = {c for c in re.findall(r"\b(ape_\w+)\(", header)
             if not re.match(r"ape_(on\w+|receive)$", c)}
    chapter = README.split("## Functions that browsers call")[1] \
        .split("\n## ")[0]
    tables = "\n".join(re.findall(r"^\|.*\|$", chapter, re.M))
    named = set(re.findall(r"`(ape_\w+)`", tables))
    assert len(calls) > 40
    assert calls == named
    pages = {p: set(re.findall(r"\bFn (ape_\w+)", read("deploy", "man", p)))
             for p in ("kennel-ape.3", "kennel-forest.3")}
    forest = set(re.findall(r"\b(ape_\w+)\(", read("shardd",
                                                   "kennel-forest.h")))
    assert pages["kennel-ape.3"] == (calls - forest) | {"ape_receive"}
    assert pages["kennel-forest.3"] == forest


def test_every_dependency_is_explained():
    found = set(re.findall(r"dependency\('([\w+-]+)'", read("meson.build")))
    names = {"libevent_core": "libevent", "msgpack": "msgpack-c",
             "libcrypto": "libcrypto", "zlib": "zlib",
             "libseccomp": "libseccomp", "threads": None}
    for name in found:
        name = names.get(name, name)
        assert name is None or re.search(rf"^\| {name}\b", README, re.M), name


@pytest.mark.parametrize("page", docs.PAGES)
def test_what_is_linked_exists(page):
    """Files, and chapters of this page and others."""
    links = re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", docs.page(page))
    assert len(links) > 10
    for path, anchor in links:
        to = os.path.normpath(os.path.join(os.path.dirname(page), path)) \
            if path else page
        assert os.path.exists(os.path.join(TOP, to)), path
        assert not anchor or anchor in chapters(to), (path, anchor)


def chapters(page):
    return {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
            for title in re.findall(r"^##+ (.*)$", docs.page(page), re.M)}


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
