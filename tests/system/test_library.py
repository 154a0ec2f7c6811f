"""What the tests' workers are compiled with: kit/library.py, shared by processes."""
import os
import shutil
import subprocess
import sys

import pytest
from kit import library, wait
from kit.kennel import TOP

SOURCE = "int main(void) { return (0); }\n"
# Says which program it has.
SHARING = """
import sys
from kit import library
print(library.Installed(sys.argv[1]).worker(sys.argv[2]))
"""


@pytest.fixture
def counted(tmp_path):
    """counted(): the calls of meson and of compilers by those who have PATH from here."""
    calls = tmp_path / "calls"
    calls.write_text("")
    for name in "meson", "cc", "clang":
        shim = tmp_path / name
        shim.write_text(f'#!/bin/sh\necho {name} >>"{calls}"\nexec {shutil.which(name)} "$@"\n')
        shim.chmod(0o755)
    return lambda: sorted(calls.read_text().split())


def test_processes_that_share_do_each_thing_once(tmp_path, counted):
    env = {**os.environ, "PYTHONPATH": os.path.join(TOP, "tests"),
           "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    shared = tmp_path / "shared"
    shared.mkdir()
    people = [subprocess.Popen([sys.executable, "-c", SHARING, shared, SOURCE], env=env,
                               stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [p.communicate(timeout=wait.limit(60))[0].strip() for p in people]
    assert [p.returncode for p in people] == [0] * 4
    assert len(set(said)) == 1 and subprocess.run(said[0], timeout=wait.limit(10)).returncode == 0
    assert counted() == ["clang" if wait.SANITIZED else "cc", "meson"]


def test_what_does_not_compile_says_so_each_time_and_is_in_nobodys_way(installed):
    for _ in range(2):
        with pytest.raises(AssertionError, match="undeclared"):
            installed.worker("int main(void) { return (nothing); }\n")
    other = installed.worker(SOURCE.replace("0", "3"))
    assert subprocess.run(other, timeout=wait.limit(10)).returncode == 3
    assert installed.worker(SOURCE) != other


def test_without_a_directory_it_has_its_own():
    lib = library.Installed()
    assert os.path.exists(lib.worker(SOURCE))
    lib.remove()
    assert not os.path.exists(lib.dir)
