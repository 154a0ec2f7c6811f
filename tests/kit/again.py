#!/usr/bin/python3
"""
Tests that failed, once more, alone: those that then pass are unsteady.

	pytest -p kit.again --failures FILE
		adds what failed to FILE, a line of JSON a test.
	kit/again.py tap FILE LOG
		adds what failed in LOG, which is what node said (TAP), to FILE.
	kit/again.py run FILE N TOTAL
		does each test in FILE once more, one at a time, if they are N at most (1/N:
		one in N of TOTAL, rounded up) and none of them NEVER; says what their first
		failure said, all of it, and at the end which were unsteady.  The last line
		is how many they are; 0 unless all passed.

A line has: id; argv, cwd and env, which do that test alone; passed, a pattern that
argv's output has if the test passed; text, what the failure said.
"""
import json
import os
import re
import subprocess
import sys

# What no second try makes good: a crash, unless the kit says that the test meant it
# (Kennel.said), what a sanitizer found, what was left behind.
NEVER = re.compile(
    r"ERROR: \w+Sanitizer|runtime error: |faults in the log|gatewayd ended|"
    r"all processes gone|socket files left|processes left behind|sanitizer_reports|"
    r"worker '\w+' crashed|Fatal Python error|"
    r"\bpid=\d+ (?:died|left)[a-z ]* signal=(?:4|6|7|8|11)\b(?! \(meant\))")
# What tests go by, beside what this process has.
ENV = ("KENNEL_BUILD", "KENNEL_SANITIZED", "KENNEL_NODES", "ASAN_OPTIONS", "UBSAN_OPTIONS")
TIMEOUT = 1200


def add(path, rows):
    env = {k: os.environ[k] for k in ENV if k in os.environ}
    # In one go: parts that run at the same time have one file.
    with open(path, "ab", buffering=0) as f:
        f.write("".join(json.dumps({**row, "env": env}) + "\n" for row in rows).encode())


def load(path):
    """The tests; one that failed more than once (in its teardown, too) is one."""
    rows = {}
    if os.path.exists(path):
        for line in open(path):
            row = json.loads(line)
            key = json.dumps([row["cwd"], row["argv"], row["env"]])
            if key in rows:
                rows[key]["text"] += "\n" + row["text"]
            else:
                rows[key] = row
    return list(rows.values())


# ---- pytest ----

def pytest_addoption(parser):
    parser.addoption("--failures", help="where to say which tests failed")


def pytest_configure(config):
    # What the workers of xdist say, this process says again.
    if config.option.failures and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Failures(config))


class Failures:
    def __init__(self, config):
        self.path = config.option.failures
        self.cwd = str(config.rootpath)

    def pytest_runtest_logreport(self, report):
        if not report.failed:
            return
        said = [report.longreprtext]
        said += [f"---- {name} ----\n{text}" for name, text in report.sections]
        add(self.path, [{
            "id": f"{report.nodeid} ({report.when})", "cwd": self.cwd,
            "argv": [sys.executable, "-m", "pytest", "-q", "-rs", report.nodeid],
            "passed": r"^1 passed", "text": "\n".join(said)}])


# ---- node ----

def tap(text):
    """(name, file, text) of what failed; a suite does not fail besides its tests."""
    lines = text.split("\n")
    for n, line in enumerate(lines):
        m = re.match(r"( *)not ok \d+ - (.*)$", line)
        if not m:
            continue
        end = next((i for i in range(n, len(lines)) if lines[i] == m[1] + "  ..."),
                   len(lines) - 1)
        said = "\n".join(lines[n:end + 1])
        where = re.search(r"^ *location: '(.*):\d+:\d+'$", said, re.M)
        if where and "failureType: 'subtestsFailed'" not in said:
            yield re.sub(r"\\([\\#])", r"\1", m[2]), where[1], said


def node_row(name, file, said):
    """A file that fails itself, in what is done before or after all, is done whole."""
    pattern = re.sub(r"([][.*+?^${}()|\\/])", r"\\\1", name)
    only = [] if name == file else ["--test-name-pattern", f"^{pattern}$"]
    return {"id": f"{os.path.basename(file)}: {name}", "cwd": os.getcwd(),
            "argv": ["node", "--test", "--test-reporter=tap", *only, file],
            "passed": r"^# pass [1-9][0-9]*\n(?:#.*\n)*?# fail 0$", "text": said}


# ---- once more ----

def passes(row):
    print(f"\nonce more: {row['id']}", flush=True)
    env = {k: v for k, v in os.environ.items() if k not in ENV}
    try:
        p = subprocess.run(row["argv"], cwd=row["cwd"], env={**env, **row["env"]},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           errors="replace", timeout=TIMEOUT)
        status, said = p.returncode, p.stdout
    except subprocess.TimeoutExpired as e:
        status, said = "none", (e.stdout or b"").decode(errors="replace")
    if status == 0 and re.search(row["passed"], said, re.M):
        return True
    print(f"{said}\nand failed, status {status}: {row['id']}", flush=True)
    return False


def bound(most, total):
    """How many are tried again: most, which may be a share of all tests."""
    one, _, of = most.partition("/")
    return -(-int(one) * total // int(of)) if of else int(one)


def run(path, most):
    """How many were unsteady."""
    rows = load(path)
    never = [row["id"] for row in rows if NEVER.search(row["text"])]
    if len(rows) > most or never:
        print(f"tests that failed: {len(rows)}" + (", and of these there is no second try: " +
                                             ", ".join(never) if never else
                                             f", more than the {most} that are tried again"))
        return 0
    if not all([passes(row) for row in rows]):
        return 0
    for row in rows:
        print(f"\nUNSTEADY, a fault to be mended: {row['id']} failed, and passed alone.  "
              f"It said:\n{row['text']}")
    print("\nunsteady:")
    for row in rows:
        print(f"    {row['id']}")
    return len(rows)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "tap":
        add(sys.argv[2], [node_row(*one) for one in
                          tap(open(sys.argv[3], errors="replace").read())])
    elif len(sys.argv) == 5 and sys.argv[1] == "run":
        print(run(sys.argv[2], bound(sys.argv[3], int(sys.argv[4]))))
    else:
        sys.exit(__doc__)
