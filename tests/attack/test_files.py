"""What daemons can put in the way of PID 1 on disk, and what it may have been started with."""
import contextlib
import os
import signal

import pytest

from attack import TWO, operator_is_answered, restarts_at_once, runs_or_says_why, two
from pod import UID, own_plan

DROP_IN = '[service.other]\ncommand = ["sleep", "3600"]\n'


def fifo(pod, path):
    """A FIFO of the daemons' user that nobody ever writes to."""
    os.mkfifo(path, 0o666)
    os.chown(path, UID, UID)


def all_is_well(pod):
    assert pod.get("/livez", timeout=5)[0] == 200
    operator_is_answered(pod)
    restarts_at_once(pod)


def test_a_fifo_among_the_drop_ins_of_a_running_instance_does_not_stop_pid_1(a_pod):
    pod = two(a_pod)
    drop_ins = pod.plan.with_name(pod.plan.name + ".d")
    drop_ins.mkdir()
    os.chown(drop_ins, UID, UID)
    fifo(pod, drop_ins / "x.toml")
    pod.write(drop_ins / "y.toml", DROP_IN)
    pod.ctl("reload")
    all_is_well(pod)
    assert pod.stop() == 0


def test_a_fifo_among_the_drop_ins_is_refused_by_the_start_and_by_check(a_pod):
    pod = own_plan(a_pod, TWO)
    drop_ins = pod.plan.with_name(pod.plan.name + ".d")
    drop_ins.mkdir()
    fifo(pod, drop_ins / "x.toml")
    assert pod.start().wait_exit(10) == 78
    assert "x.toml" in pod.errors()


TASK = TWO + """
[task.once]
command = ["true"]
creates = "{data}/made"
"""


@pytest.mark.parametrize("name", ["once.begun", "lock", "guarded.json"])
def test_a_fifo_in_the_state_directory_neither_stops_pid_1_nor_its_end(a_pod, name):
    pod = two(a_pod, TASK)
    path = pod.data / ".arizuko-init" / name
    path.unlink(missing_ok=True)
    fifo(pod, path)
    pod.ctl("restart", "once")
    pod.ctl("reload")
    all_is_well(pod)
    assert pod.stop() == 0


def test_a_fifo_in_place_of_the_daemons_directory_is_not_waited_for(a_pod):
    pod = two(a_pod)
    (pod.data / ".arizuko-init" / "cwd").rmdir()
    fifo(pod, pod.data / ".arizuko-init" / "cwd")
    pod.kill("steady")
    assert pod.get("/livez", timeout=5)[0] == 200
    operator_is_answered(pod)
    assert pod.stop() == 0


@pytest.mark.parametrize("name", ["once.begun", "lock", "guarded.json"])
def test_a_fifo_in_the_state_directory_does_not_stop_the_next_start(a_pod, name):
    pod = two(a_pod, TASK)
    assert pod.stop() == 0
    path = pod.data / ".arizuko-init" / name
    path.unlink(missing_ok=True)
    fifo(pod, path)
    pod.start()
    if runs_or_says_why(pod, ".arizuko-init"):
        assert pod.stop() == 0


def test_a_fifo_in_place_of_a_mounted_value_is_not_waited_for(a_pod):
    pod = own_plan(a_pod, TWO + '\n[env]\nsources = ["environment", "dir:{data}/secrets"]\n')
    secrets = pod.data / "secrets"
    pod.write(secrets / "NAME", "value")
    pod.start().wait_service("steady", "ready")
    (secrets / "NAME").unlink()
    fifo(pod, secrets / "NAME")
    pod.ctl("reload")
    all_is_well(pod)


def test_links_in_the_state_directory_lead_nowhere(a_pod):
    pod = two(a_pod, TASK)
    victim = pod.write(pod.out / "victim", "precious")
    assert pod.stop() == 0
    state = pod.data / ".arizuko-init"
    for name in ("once.begun", "guarded.json"):
        (state / name).unlink(missing_ok=True)
        (state / name).symlink_to(victim)
    pod.start()
    runs_or_says_why(pod, ".arizuko-init")
    with contextlib.suppress(AssertionError, ProcessLookupError):  # a task that cannot be marked may end the run
        pod.ctl("restart", "once")
        pod.signal(signal.SIGTERM)
    pod.wait_exit()
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_closed_descriptors_at_the_start_spoil_no_file_and_no_loop(a_pod, closed):
    pod = own_plan(a_pod, TWO)
    # Popen places its three after before_exec has run, so a shell between closes them.
    shuts = " ".join(f"{number}<&-" if number == 0 else f"{number}>&-" for number in closed)
    pod.setup = f"exec setpriv --reuid 1000 --regid 1000 --clear-groups --no-new-privs \"$@\" {shuts}"
    pod.start().wait_service("steady", "ready")
    all_is_well(pod)
    lock = (pod.data / ".arizuko-init" / "lock").read_text()
    assert "steady" not in lock and len(lock) < 100, lock
    for number in (0, 1, 2):
        assert os.readlink(f"/proc/{pod.pid1}/fd/{number}") != str(pod.data / ".arizuko-init" / "lock")
        assert "anon_inode" not in os.readlink(f"/proc/{pod.pid1}/fd/{number}")
    assert pod.stop() == 0
