"""The tests of the bare host run inside the machine of scripts/vm: anywhere else they would change the host."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import machine  # noqa: E402


def pytest_sessionstart(session):
    if "arizuko.answer=" not in Path("/proc/cmdline").read_text():
        pytest.exit("these tests install on the machine that they run on: scripts/vm boots one for them", returncode=1)


def pytest_runtest_logstart(nodeid):
    with open("/dev/console", "w") as console:  # where scripts/vm looks when the machine does not come to an end
        print(f"arizuko-test: {nodeid}", file=console)


def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if exitstatus == 0 and not reporter.stats.get("passed"):
        session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED  # all of them skipped is none


@pytest.fixture(scope="session")
def installed():
    """The machine after section Install of docs/how-to/bare-host.md."""
    machine.install()


@pytest.fixture
def instance(installed):
    """The instance that the page installs, not yet prepared; gone when the test is. There is only one: a test with this
    comes after those of its file that look at the `running` one."""
    made = machine.Instance()
    if made.data.exists():
        made.remove()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def running(installed):
    """An instance that runs, for the tests of a file that only look at it."""
    made = machine.Instance().prepare().start().wait_ready()
    yield made
    made.remove()
