"""What the tests in containers share: the images, and why there may be none."""
import faulthandler
import os
import shutil
import signal
import tempfile

import pytest
from kit import containers, wait
from kit.kennel import TOP

DEADLINE = 600


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    def late(*_):
        faulthandler.dump_traceback()
        pytest.fail(f"{item.name} took too long")
    signal.signal(signal.SIGALRM, late)
    signal.alarm(wait.limit(DEADLINE))
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def podman():
    """There are containers here."""
    try:
        containers.have()
    except containers.Cannot as why:
        pytest.skip(str(why))
    return containers.podman


@pytest.fixture(scope="session")
def image(podman):
    """The image as deploy/Dockerfile makes it; -dev is its other target."""
    file = "deploy/Dockerfile"
    containers.build(containers.IMAGE + "-dev", "-f", file, "--target",
                     "kennel-dev", ".")
    return containers.build(containers.IMAGE, "-f", file, ".")


@pytest.fixture(scope="session")
def debs(podman, tmp_path_factory):
    """A directory with the packages (KENNEL_DEBS: made before), lintian's clean."""
    if os.environ.get("KENNEL_DEBS"):
        return os.environ["KENNEL_DEBS"]
    out = tmp_path_factory.mktemp("debs")
    containers.run(os.path.join(TOP, "scripts", "package"), out, timeout=900,
                   env=os.environ)
    return str(out)


@pytest.fixture
def start(podman):
    """start(podman run's arguments) is a container's id."""
    started = []

    def starter(*args):
        started.append(containers.Container(*args))
        return started[-1].id
    yield starter
    for c in started:
        c.remove()


@pytest.fixture
def directory():
    d = tempfile.mkdtemp(prefix="container.")
    yield d
    shutil.rmtree(d, ignore_errors=True)


def pytest_report_header():
    return f"containers: {os.path.relpath(TOP)} in {containers.CACHE}"
