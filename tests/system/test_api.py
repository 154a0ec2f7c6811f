"""libkennel as others use it: installed, linked, launched."""
import json
import os
import re
import subprocess

import pytest
from kit import kennel as kits
from kit import docs, wait, ws
from kit.chat import room
from kit.http import Http, get
from kit.probe import CONFIG, Probe
from kit.wire import Closed
from kit.ws import Refused, WebSocket


@pytest.fixture(scope="module")
def kennel(start_shared, installed):
    return start_shared(shards=3, worker=installed.worker("probe.c"),
                        config=CONFIG % 2 + "[worker]\nx-colour = blue\n"
                        "message_max = 100k\n")


# ---- installed ----

def test_everything_is_installed(installed):
    for name in ("gatewayd", "shardd", "kennelctl", "kennel.h", "kennel.pc",
                 "libkennel.a", "libkennel.so", "gatewayd.8", "kennelctl.1",
                 "chat.html", "front.html"):
        path = installed.find(name)
        assert os.path.getsize(path) > 0
    assert not [f for _, _, files in os.walk(installed.root) for f in files
                if f.startswith(("test_", "killat", "count_alloc"))]


def test_installed_gatewayd_finds_its_worker_and_pages(start, installed):
    """--help needs nothing; --check finds shardd beside it."""
    p = subprocess.run([installed.find("gatewayd"), "--check"],
                       capture_output=True, text=True, timeout=wait.limit(30))
    assert (p.returncode, p.stdout) == (0, "configuration ok\n"), p.stderr


def test_first_example_of_the_readme(start, installed):
    """Complete: it compiles without a warning, and does what is said."""
    k = start(shards=3, limit=1, worker=installed.worker(docs.first()))
    a, b, c = (WebSocket(k.address, f"/g?u={u}") for u in "abc")
    assert k.group("g") == [1, 1, 1]
    a.send("hello")
    b.send(b"\0binary\xff")
    for p in a, b, c:
        assert sorted([p.recv(), p.recv()], key=str) == \
            sorted(["hello", b"\0binary\xff"], key=str)
    for p in a, b, c:
        p.goodbye()


def test_second_example_of_the_readme(start, installed):
    """It counts, in one order, on three shards, and over a restart."""
    k = start(shards=3, limit=1, worker=installed.worker(docs.counter()))
    people = [WebSocket(k.address, f"/g/any?u={u}") for u in "abc"]
    assert [p.recv() for p in people] == ["0"] * 3
    for i in range(20):
        for p in people:
            p.send("!")
    want = [str(n) for n in range(1, 61)]
    assert [[p.recv() for _ in want] for p in people] == [want] * 3
    for p in people:
        p.goodbye()
    assert k.term() == 0
    k.start()
    with WebSocket(k.address, "/g?u=d") as p:
        assert p.recv() == "60"


PATHS = ["/", "/g", "/g/", "/g/h", "//", "/lobby/x", "/lobby/x/ws",
         "/websocket?room=x", "/echo", "/info", "/healthz", "/pages/a.js"]


@pytest.mark.parametrize("example", [docs.first, docs.counter])
@pytest.mark.parametrize("ours", [False, True])
def test_examples_of_the_readme_on_every_default_route(start, installed,
                                                       example, ours):
    """With the routes that an own worker gets, and with those of shardd's
    applications, where some have no group: they serve, and no shard dies."""
    config = ""
    if ours:
        config = re.sub(r"(?m)^app = .*", "app = main",
                        kits.default_routes())
        config = re.sub(r"(?m)^limit = .*\n", "", config)  # one application now
    k = start(shards=1, worker=installed.worker(example()),
              config=config)
    pid = k.shard(0)["pid"]
    for path in PATHS:
        if ours and get(k, path).status == 404:
            continue
        assert get(k, path).status == 426
        with WebSocket(k.address, path) as p:
            p.send("hello")
            p.send_frame(ws.PING, b"x")
            while (got := p.recv_frame())[0] != ws.PONG:
                assert got[0] == ws.TEXT
    assert k.shard(0)["pid"] == pid


def test_default_routes_of_an_own_worker_are_printed(start, installed):
    k = start(shards=1, worker=installed.worker(docs.first()))
    assert re.search(r' default route=group path="/{group} /{group}/\*" '
                     r'app=main group="path:group" uid="query:u uuid"\n',
                     k.log())
    assert re.search(r' default route=rest path="/\*" app=main '
                     r'group="const:main" uid="query:u uuid"\n', k.log())
    with WebSocket(k.address, "/a/b/c") as a, WebSocket(k.address, "/") as b:
        assert (k.group("a"), k.group("main")) == ([1], [1])
        a.goodbye()
        b.goodbye()


NULLS = """
[route nulls]
path = /nulls /page
app = nulls
[route deaf]
path = /deaf
app = deaf
group = const:g
"""


def test_every_call_takes_null(start, installed):
    k = start(shards=1, worker=installed.worker("nulls.c"), config=NULLS)
    assert get(k, "/nulls").text == "ok"
    assert get(k, "/page").status == 404
    with WebSocket(k.address, "/nulls") as p:
        p.send("x")
        assert p.recv() == "ok"


def prototypes():
    """Of each function of kennel.h its result, name and the types of its arguments."""
    with open(os.path.join(kits.TOP, "shardd", "kennel.h")) as f:
        header = re.sub(r"/\*.*?\*/|^#.*?$|^typedef.*?;", "", f.read(),
                        flags=re.S | re.M)
    for result, name, args in re.findall(
            r"^([\w \t*]+?)\s*\b(kennel_\w+)\(([^;]*?)\)(?:\s*__attr[^;]*)?;",
            header, re.M):
        yield result.strip(), name, [] if args == "void" else \
            [re.sub(r"\s+", " ", a.strip()) for a in args.split(",")]


def nothing(arg):
    """What is given for an argument: no object, and else what is no mistake."""
    if arg == "...":
        return None
    if arg.startswith("const char *const *"):
        return "names"
    if re.match(r"const char \*", arg) and not arg.startswith("const char **"):
        return '"x"'
    if "*" in arg or "_cb" in arg:
        return "NULL"
    return "1000"


# Objects that there may be none of.
OBJECTS = re.compile(r"(const )?struct kennel_(request|socket|replica|answer|step|"
                     r"timer|watch) \*")
# They need none, or say what is not so by 0.
NO_OBJECT = {"kennel_worker_main", "kennel_watch", "kennel_work"}


def test_every_call_about_something_takes_null_for_it(start, installed):
    """One line for each function of the header, whoever adds it: no crash; what can
    fail says ENOTCONN, what gives something gives nothing."""
    lines, n = [], 0
    for result, name, args in prototypes():
        if name in NO_OBJECT or not args or not OBJECTS.match(args[0]):
            continue
        call = f"{name}({', '.join(filter(None, map(nothing, args)))})"
        n += 1
        if result == "void":
            lines.append(f"\t{call};")
        elif "char *" in result:
            lines.append(f"\ttext(\"{name}\", {call});")
        elif "*" in result:
            lines.append(f"\tpointer(\"{name}\", {call});")
        elif result == "int" and "replica" in args[0]:
            lines.append(f"\terrno = 0; failed(\"{name}\", {call});")
        else:
            lines.append(f"\terrno = 0; number(\"{name}\", (long long){call});")
    assert n > 80
    k = start(shards=1, worker=installed.worker(NULLS_C % "\n".join(lines)))
    assert get(k, "/").text == "ok"


NULLS_C = """
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <kennel.h>

static char wrong[4096];
static const char *const names[] = { "a", NULL };

static void
is(const char *name, int right)
{
	if (!right && strlen(wrong) < sizeof(wrong) - 100)
		strcat(strcat(wrong, name), " ");
}

static void
text(const char *name, const char *got)
{
	is(name, got == NULL || *got == '\\0');
}

static void
pointer(const char *name, const void *got)
{
	is(name, got == NULL);
}

static void
failed(const char *name, int got)
{
	is(name, got == -1 && errno == ENOTCONN);
}

static void
number(const char *name, long long got)
{
	is(name, got == 0 || (got == -1 && errno == ENOTCONN));
}

static void
receive(struct kennel_request *q)
{
%s
	kennel_respond(q, 200, NULL, wrong[0] == '\\0' ? "ok" : wrong,
	    wrong[0] == '\\0' ? 2 : strlen(wrong));
}

int
main(int argc, char **argv)
{
	static const struct kennel_app app = { .receive = receive };

	(void)text, (void)pointer, (void)failed, (void)number, (void)names;
	return (kennel_worker_main(argc, argv, &app, 1));
}
"""


def test_an_application_without_receive_answers_404(start, installed):
    k = start(shards=1, worker=installed.worker("nulls.c"), config=NULLS)
    pid = k.shard(0)["pid"]
    assert get(k, "/deaf").status == 404
    with pytest.raises(Refused) as e:
        WebSocket(k.address, "/deaf")
    assert e.value.response.status == 404
    assert k.shard(0)["pid"] == pid


def test_header_compiles_alone_and_as_cpp(installed, tmp_path):
    for name, cc, std in ("h.c", "cc", "c11"), ("h.c", "cc", "c99"), \
            ("h.cc", "c++", "c++11"):
        f = tmp_path / name
        f.write_text("#include <kennel.h>\nint x = KENNEL_API;\n")
        installed.run(cc, f"-std={std}", "-Wall", "-Wextra", "-pedantic",
                      "-Werror", "-c", "-o", "/dev/null", str(f),
                      *[x for x in installed.flags() if x.startswith("-I")])


def test_only_kennel_names_are_exported(installed):
    out = installed.run("nm", "-D", "--defined-only",
                        installed.find("libkennel.so"))
    names = [line.split()[-1].split("@")[0] for line in out.splitlines()]
    if os.environ.get("KENNEL_SANITIZED"):
        names = [n for n in names if not n.startswith("__")]
    ours = ("kennel_", "ape_", "events_", "forest_")
    assert [n for n in names if not n.startswith(ours)] == []
    assert "kennel_worker_main" in names


# ---- a socket's life ----

def lines(k, c, mark):
    """What the probe logged about this socket."""
    ident = c.who()["id"]
    return ident, lambda: re.findall(
        rf"probe (\S+) id={ident}\b(.*)", k.log(mark))


ENDS = [
    ("close", dict(code="1000", label="client"),
     lambda c: c.goodbye(1000, b"bye")),
    ("close", dict(code="4321", label="client"), lambda c: c.goodbye(4321)),
    ("close", dict(code="1005", label="client"),
     lambda c: (c.write(ws.frame(8)), c.end())),
    ("error", dict(code="1006", label="reset"), lambda c: c.close()),
    ("error", dict(code="1006", label="reset"), lambda c: c.reset()),
    ("error", dict(code="1002", label="protocol"),
     lambda c: (c.send_frame(3), c.end())),
    ("error", dict(code="1007", label="utf8"),
     lambda c: (c.send_frame(1, b"\xff"), c.end())),
    ("error", dict(code="1009", label="too-big"),
     lambda c: (c.send_frame(2, b"", length=200000), c.end())),
    ("close", dict(code="4005", label="app"),
     lambda c: (c.send("close 4005 enough"), c.end())),
]


@pytest.mark.parametrize("how,want,end", ENDS, ids=range(len(ENDS)))
def test_exactly_one_end_after_the_last_message(kennel, how, want, end):
    """onclose or onerror, once, with code, label and `last`."""
    k, mark = kennel, len(kennel.log())
    c = Probe(k, room(), "a")
    _, seen = lines(k, c, mark)
    end(c)
    wait.until(lambda: any(x[0] in ("close", "error") for x in seen()), 10)
    k.wait_places(0)
    words = [x[0] for x in seen()]
    assert words[0] == "open" and words[-1] == how
    assert [w for w in words if w in ("close", "error")] == [how]
    for key, value in want.items():
        assert f" {key}={value} " in seen()[-1][1] + " "
    assert seen()[-1][1].endswith(" last=1 unsure=0")
    c.close()


def test_last_is_the_last_in_the_group(kennel):
    k, g, mark = kennel, room(), len(kennel.log())
    cs = [Probe(k, g, "a") for _ in range(5)]           # three replicas
    seen = [lines(k, c, mark)[1] for c in cs]
    for c, s in zip(cs, seen):
        c.goodbye()
        wait.until(lambda: s()[-1][0] == "close", 10)
    assert [f"last={int(i == 4)}" in s()[-1][1]
            for i, s in enumerate(seen)] == [True] * 5


def test_without_onerror_there_is_onclose(start, installed):
    k = start(config=CONFIG % 2, worker=installed.worker("probe.c"),
              env={"PROBE_NO_ONERROR": "1"})
    c = Probe(k, "g")
    c.reset()
    k.wait_log(r"probe close id=\S+ code=1006 label=reset")
    assert "probe error" not in k.log()


def test_onopen_may_refuse(kennel):
    """400, the place comes back, and no end is told of it."""
    mark, g = len(kennel.log()), room()
    with pytest.raises(Refused) as e:
        Probe(kennel, g, "refused")
    assert e.value.response.status == 400
    kennel.wait_group(g, [])
    assert not re.search(r"probe (close|error)", kennel.log(mark))


def test_onstart_may_refuse(kennel):
    with pytest.raises(Refused) as e:
        Probe(kennel, "refused")
    assert e.value.response.status == 503
    kennel.wait_group("refused", [])


def test_replicas_start_and_stop(kennel):
    g, mark = room(), len(kennel.log())
    cs = [Probe(kennel, g, f"u{i}") for i in range(5)]
    assert kennel.log(mark).count(f"probe start group={g}") == 3
    for c in cs:
        c.close()
    wait.until(lambda: kennel.log(mark).count(f"probe stop group={g}") == 3)


def test_what_onopen_sends_is_first(kennel):
    c = Probe(kennel, room())
    assert c.first == "opened"
    assert c.handshake["X-Probe"] == "here"
    c.close()


def test_who_and_where(kennel):
    g = room()
    a, b = Probe(kennel, g, "a"), Probe(kennel, g, "b")
    w, v = a.who(), b.who()
    assert w["replica"] == v["replica"] and w["count"] == v["count"] == 2
    assert w["pid"] == v["pid"] and w["id"] != v["id"]
    s = next(s for s in kennel.shards() if s["pid"] == w["pid"])
    assert (w["address"], w["slot"]) == (s["address"], s["slot"])
    host, port = a.sock.getsockname()
    assert w["peer"] == f"{host}:{port}"
    a.close(), b.close()


def test_without_a_group(kennel):
    with Probe(kennel, None, path="/none/ws") as c:
        assert c.who()["replica"] is None
        assert c.do("hello") == "hello"


def test_kept_headers_and_options(kennel):
    with Probe(kennel, room(), fields=[("X-Kept", "yes"), ("X-Lost", "no"),
                                       ("User-Agent", "tests/1")]) as c:
        assert c.do("keep X-Kept") == "yes"
        assert c.do("keep user-agent") == "tests/1"
        assert c.do("keep X-Lost") == "(none)"
        assert c.do("option x-colour") == "blue"
        assert c.do("option x-nothing") == "(none)"


def test_timers(kennel):
    with Probe(kennel, room()) as c:
        c.send("tick 20 5")
        assert [c.recv() for _ in range(5)] == ["tick"] * 5
        assert c.do("next") == "next"


@pytest.mark.parametrize("size", [0, 1, 100000, 300000])
def test_send(kennel, size):
    with Probe(kennel, room()) as c:
        c.send(f"big {size}")
        assert c.recv() == b"x" * size
        assert c.recv() == "big 0"


def test_text_that_is_no_utf8_is_not_sent(kennel):
    with Probe(kennel, room()) as c:
        c.send("bad")
        assert c.do("next") == "next"


@pytest.mark.parametrize("code", [1000, 3000, 4000, 4999])
def test_close_by_the_application(kennel, code):
    with Probe(kennel, room()) as c:
        c.send(f"close {code} because")
        with pytest.raises(ws.Ended) as e:
            c.recv()
        assert (e.value.code, e.value.reason) == (code, b"because")
        c.write(ws.close_frame(code))
        assert c.ended()


# ---- HTTP ----

def test_answered_later(kennel):
    with Http(kennel.address) as c:
        assert c.ask("GET", f"/p/{room()}/later").text == "later"
        assert c.ask("GET", f"/p/{room()}/x").status == 200


def test_client_that_leaves_before_the_answer(kennel):
    for _ in range(5):
        c = Http(kennel.address)
        c.write(b"GET /p/gone/later HTTP/1.1\r\nHost: x\r\n\r\n")
        c.reset()
    kennel.wait_places(0)
    assert get(kennel, "/p/gone/later").text == "later"


def test_request_as_the_application_sees_it(kennel):
    r = get(kennel, "/p/g/x%20y?u=me&q=a%20b%2Bc", "POST", body=b"body!")
    assert r.text == "POST /p/g/x%20y q=a b+c uid=me body=body!"


def test_204_has_no_body(kennel):
    with Http(kennel.address) as c:
        r = c.ask("GET", "/p/g/204")
        assert r.status == 204 and r["Content-Length"] is None
        assert c.ask("GET", "/p/g/x").status == 200


def test_header_fields_cannot_be_split(kennel):
    r = get(kennel, "/p/g/header")
    assert r.text == "0 -1 -1"
    assert r["X-Good"] == "yes" and r["X-Split"] is None


def test_application_that_dies_in_a_request(kennel):
    """No answer; the next one gets one."""
    before = {s["pid"] for s in kennel.shards()}
    with Http(kennel.address) as c:
        with pytest.raises((Closed, ConnectionError)):
            c.ask("GET", "/p/g/exit")
    wait.until(lambda: len(kennel.shards()) == 3 and
               before != {s["pid"] for s in kennel.shards()}, 15)
    dead, = before - {s["pid"] for s in kennel.shards()}
    kennel.dies(dead)
    assert get(kennel, "/p/g/x").status == 200


def test_broken_pages_directory_is_404(start, tmp_path):
    k = start(config=f"[worker]\npages = {tmp_path}\n")
    assert get(k, "/").status == 404
    (tmp_path / "front.html").write_text("mine")
    assert get(k, "/").text == "mine"
    assert json.loads(get(k, "/info").text)["name"] == "kennel"
