"""End-to-end and trap tests: they need root for namespaces, and the release build. Neither is ever skipped."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pod  # noqa: E402
from lines import LINES  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "timing: measures time, so it runs when nothing else does (scripts/test)")


def pytest_sessionstart(session):
    if os.geteuid() != 0:
        pytest.exit("these tests make namespaces: run them as root (scripts/test does, with sudo)", returncode=1)
    for program in (pod.INIT, pod.REHEARSAL):
        if not os.access(program, os.X_OK):
            pytest.exit(f"{program} is not there: cmake --preset release && cmake --build --preset release",
                        returncode=1)


@pytest.fixture(scope="session", params=LINES, ids=lambda each: each.name)
def line(request):
    """Each of the two lines: what is true of both stock plans."""
    return request.param


@pytest.fixture
def a_pod():
    """Makes pods as Pod() does; they are gone when the test is."""
    made = []

    def make(*arguments, **options):
        made.append(pod.Pod(*arguments, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def a_volume():
    """Makes data directories on volumes of their own, of a size that can be filled: `a_volume("4m")`."""
    made = []

    def make(size):
        base = Path(tempfile.mkdtemp(prefix="arizuko-volume-"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "tmpfs", base], check=True)
        made.append(base)
        data = base / "arizuko_demo"
        data.mkdir()
        os.chown(data, pod.UID, pod.UID)
        return data

    yield make
    for base in made:
        subprocess.run(["umount", "-l", base], check=True)
        base.rmdir()
