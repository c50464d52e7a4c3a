"""Nothing that others made may stop PID 1: FIFOs, links and the like in the place of every file that it opens."""
import json
import os
import pty
import signal
import subprocess

import pytest

from pod import INIT, UID, wait_for

SLEEPERS = """
[pod]
instance = "demo"
page = "off"
[env]
sources = ["environment", "dotenv:${pod.data_dir}/.env", "dir:${pod.data_dir}/keys"]
guarded = ["AUTH_SECRET"]
[service.main]
command = ["sleep", "infinity"]
take = ["AUTH_SECRET"]
"""


def sleepers(a_pod, more="", **options):
    pod = a_pod(start=False, rehearse=False, **options)
    pod.write_plan(SLEEPERS + more)
    return pod


def fifo(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path, 0o644)
    for each in (path.parent, path):
        os.chown(each, UID, UID)
    return path


def answers_and_stops(pod):
    """It still listens, reaps and hears SIGTERM."""
    assert pod.get("/livez")[0] == 200
    pid = pod.kill("main")
    wait_for("main to run again", lambda: (pod.service("main") or {}).get("pid") not in (None, pid))
    assert pod.stop(20) == 0


def test_a_fifo_among_the_drop_ins_of_a_running_instance_is_refused_and_does_not_stop_pid_1(a_pod):
    pod = sleepers(a_pod).start().wait_ready()
    seq = pod.last_seq()
    fifo(pod.out / "plan.toml.d" / "x.toml")
    pod.wait_logged("x.toml: is a FIFO, not a regular file")
    checked = pod.ctl("check", "--plan", str(pod.plan))
    assert checked.returncode == 78 and "x.toml: is a FIFO, not a regular file" in checked.stderr, checked
    assert pod.ctl("doctor", "--plan", str(pod.plan)).returncode == 78
    assert pod.ctl("reload").returncode == 1
    assert pod.last_seq() >= seq
    answers_and_stops(pod)


def test_a_fifo_in_the_place_of_the_plan_is_refused_by_check_and_run(a_pod):
    pod = sleepers(a_pod)
    fifo(pod.plan)
    done = subprocess.run([str(INIT), "check", "--plan", str(pod.plan)], capture_output=True, text=True, timeout=20)
    assert done.returncode == 78 and "is a FIFO, not a regular file" in done.stderr
    pod.start()
    assert pod.wait_exit(20) == 78
    assert "is a FIFO, not a regular file" in pod.errors()


@pytest.mark.parametrize("name", [".env", "keys/AUTH_SECRET"])
def test_a_fifo_in_the_place_of_a_source_leaves_the_running_values(a_pod, name):
    pod = sleepers(a_pod)
    pod.write(pod.data / name, "AUTH_SECRET=one\n" if name == ".env" else "one", 0o600)
    pod.start().wait_ready()
    fifo(pod.data / name)
    pod.wait_logged("is a FIFO, not a regular file")
    assert pod.environ("main")["AUTH_SECRET"] == "one"
    answers_and_stops(pod)


def test_fifos_in_the_place_of_what_arizuko_init_writes_do_not_stop_it(a_pod):
    pod = sleepers(a_pod, '[task.seed]\ncommand = ["true"]\ncreates = "${pod.data_dir}/seeded"\n'
                          '[service.main.ready]\nfile = "/"\n', env={"AUTH_SECRET": "one"})
    pod.start()
    pod.wait_state_event("seed", "done")
    state = pod.data / ".arizuko-init"
    for name in ("seed.begun", "guarded.json", "guarded.json.new"):
        fifo(state / name)
    fifo(pod.termination_log)
    seq = pod.last_seq()
    assert pod.ctl("restart", "seed").returncode == 0
    pod.wait_state_event("seed", "done", after=seq)
    for name in ("seed.begun", "guarded.json"):
        fifo(state / name)
    assert pod.get("/livez")[0] == 200
    pod.signal(signal.SIGTERM)
    assert pod.wait_exit(20) == 0
    # And the next boot.
    again = a_pod(pod.plan, rehearse=False, data=pod.data, env={"AUTH_SECRET": "one"})
    again.wait_state_event("seed", "done")
    assert again.get("/livez")[0] == 200
    assert "guarded.json: is a FIFO, not a regular file" in again.logged()


def test_a_fifo_or_a_link_in_the_place_of_the_lock_is_named_and_the_run_refused(a_pod):
    pod = sleepers(a_pod)
    (pod.data / ".arizuko-init").mkdir(mode=0o700)
    os.chown(pod.data / ".arizuko-init", UID, UID)
    lock = fifo(pod.data / ".arizuko-init" / "lock")
    pod.start()
    assert pod.wait_exit(20) == 77
    assert "lock: it is a FIFO, not a regular file" in pod.errors()
    assert json.loads(pod.termination_log.read_text())["exit_code"] == 77
    lock.unlink()
    assert pod.start().wait_ready().stop() == 0


# --- What is inherited at the start

def test_started_with_its_outputs_closed_nothing_is_written_into_its_own_files(a_pod):
    def close_all():
        for number in (0, 1, 2):
            os.close(number)

    pod = sleepers(a_pod, before_exec=close_all).start().wait_ready()
    lock = (pod.data / ".arizuko-init" / "lock").read_text()
    assert lock.startswith("pid 1\n") and lock.count("\n") == 3, lock
    for number in (0, 1, 2):
        assert os.readlink(f"/proc/{pod.pid1}/fd/{number}") == "/dev/null"
    assert pod.stop() == 0


def test_blocked_signals_and_a_strange_umask_of_whoever_starts_it_change_nothing(a_pod):
    def spoil():
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))
        os.umask(0o077)

    pod = sleepers(a_pod, '[service.tight]\ncommand = ["sh", "-c", "touch ${pod.data_dir}/tight; exec sleep 99999"]\n'
                          'umask = "077"\n[service.usual]\n'
                          'command = ["sh", "-c", "touch ${pod.data_dir}/usual; exec sleep 99999"]\n',
                   before_exec=spoil).start().wait_ready()
    for name, mode in (("tight", 0o600), ("usual", 0o644)):
        path = pod.data / name
        wait_for(f"the file {name}", path.exists)
        assert path.stat().st_mode & 0o777 == mode
    answers_and_stops(pod)


class OnTerminal:
    """arizuko-init on a terminal of its own, on a bare host: not PID 1."""

    def __init__(self, pod):
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ.clear()
            os.environ["PATH"] = "/usr/bin:/bin"
            os.execv(INIT, [str(INIT), "run", "--plan", str(pod.plan), "--set", f"pod.data_dir={pod.data}",
                            "--set", f"pod.control={pod.out}/ctl.sock", "--set", "pod.probes=off",
                            "--log", "json"])
        os.set_blocking(self.terminal, False)
        self.pod, self.shown = pod, ""

    def output(self):
        """All that was written to the terminal so far."""
        try:
            while more := os.read(self.terminal, 65536):
                self.shown += more.decode(errors="replace")
        except BlockingIOError:
            pass
        return self.shown

    def ctl(self, *words):
        return subprocess.run([str(INIT), *words, "--control", f"{self.pod.out}/ctl.sock"], capture_output=True,
                              text=True, timeout=20)

    def wait_ready(self):
        wait_for("the instance to be ready", lambda: self.ctl("status").returncode == 0)
        return self

    def ended(self):
        """How it ended, as a text; nothing while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.pid = None
        return f"exit code {os.waitstatus_to_exitcode(status)}"

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            wait_for("the end of the run", self.ended)


@pytest.fixture
def on_terminal(a_pod):
    pod = sleepers(a_pod)
    made = OnTerminal(pod)
    yield made
    made.close()


def test_a_lost_terminal_ends_the_run_as_sigterm_would(on_terminal):
    on_terminal.wait_ready()
    os.close(on_terminal.terminal)
    assert wait_for("the end of the run", on_terminal.ended) == "exit code 0"


def test_a_sighup_while_the_terminal_is_there_reloads(on_terminal):
    on_terminal.wait_ready()
    os.kill(on_terminal.pid, signal.SIGHUP)
    wait_for("a reload", lambda: "signal SIGHUP" in on_terminal.output())
    assert on_terminal.ctl("status").returncode == 0
