"""The way down: order, patience, and nothing left behind."""
import json
import os
import re
import signal
from datetime import datetime
from pathlib import Path

from pod import own_plan, sets, wait_for

class Followed:
    """What the pod's log says while it stops: the control socket is gone by then."""

    def __init__(self, pod):
        self.lines = [json.loads(line) for line in pod.logged().splitlines()]

    def when(self, service, text):
        found = [line for line in self.lines
                 if line["service"] == "arizuko-init" and line["msg"].startswith(f"{service}: ") and
                 text in line["msg"]]
        assert found, f"nothing of {service} with {text!r}"
        return self.lines.index(found[-1])

    def seconds_between(self, one, other):
        """By arizuko-init's own clock, between two lines."""
        at = [datetime.fromisoformat(self.lines[each]["time"][:26]) for each in (one, other)]
        return (at[1] - at[0]).total_seconds()


def stop_by(pod, number, seconds=60):
    """The exit code after a signal; `seconds`: the longest that the test bears."""
    pod.signal(number)
    return pod.wait_exit(seconds)


def test_sigterm_stops_in_reverse_order_and_ends_with_0_as_soon_as_the_last_is_gone(a_pod, line):
    pod = a_pod(line=line, env={"ONBOARDING_ENABLED": "true"}).wait_ready()
    running = set(pod.processes())
    assert pod.stop() == 0
    log = Followed(pod)
    for first, then in line.stops_before:
        assert log.when(first, "it exited") < log.when(then, "it exited"), f"{then} ended before {first}"
    assert not [pid for pid in running if os.path.exists(f"/proc/{pid}")], "a process outlived PID 1"
    assert pod.termination() == {"exit_code": 0, "state": "ended", "reason": "stopped as asked (SIGTERM)"}
    # Each said goodbye: none was killed.
    for service in (*line.first[1:], "timed", "teled", "webd"):
        assert "code 0" in log.lines[log.when(service, "it exited")]["msg"]
    # And nothing is waited for behind the last of them.
    last = line.first[1]
    behind = log.lines[log.when(last, "it exited") + 1:]
    assert [each["msg"].split(": ")[0] for each in behind] == [last, "ended with exit code 0"]
    assert pod.errors() == ""


def test_adapters_sign_off_at_the_gate_while_it_still_answers(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    assert pod.stop() == 0
    for channel in ("telegram", "slack", "web"):
        assert f'"channel deregistered","name":"{channel}"' in pod.logged()


def test_sigint_stops_like_sigterm(a_pod):
    pod = a_pod().wait_ready()
    assert stop_by(pod, signal.SIGINT) == 0
    assert "SIGINT" in pod.termination()["reason"]


def test_a_daemon_that_ignores_sigterm_is_killed_after_its_time_and_the_run_ends_with_0(a_pod):
    pod = a_pod(options=sets(service__teled__stop__timeout="800ms")).wait_ready()
    pod.fault_now(9001, "ignore-term")
    assert pod.stop() == 0
    log = Followed(pod)
    killed = log.when("teled", "SIGKILL to its main process")
    assert log.seconds_between(log.when("teled", "ready -> stopping"), killed) >= 0.8
    # gated stops after its adapters, so it had to wait for this one.
    assert log.when("teled", "SIGKILL") < log.when("gated", "it exited")


def test_the_run_ends_within_its_grace_whatever_the_daemons_do(a_pod):
    # The sum of the stop times must fit the grace (the plan's check), so: all of it used, by two that follow
    # each other, and one of them forgets even its leftovers.
    pod = own_plan(a_pod, '''[pod]
grace = "3s"
[service.a]
command = ["{bin}/deaf"]
ready.log = "deaf"
stop = { timeout = "900ms", leftovers = "300ms" }
[service.b]
command = ["{bin}/deaf"]
after = ["a"]
ready.log = "deaf"
stop = { timeout = "900ms", leftovers = "300ms" }
''')
    pod.program("deaf", "#!/bin/sh\ntrap '' TERM\n(setsid sh -c 'trap \"\" TERM; sleep 1000' &)\n"
                        "echo deaf\nwhile :; do sleep 1000; done\n")
    pod.start().wait_ready()
    running = set(pod.processes())
    assert len(running) >= 6
    assert pod.stop() == 0
    assert not [pid for pid in running if os.path.exists(f"/proc/{pid}")]
    # Each was killed by its own deadline, one after the other, and then what it left: nothing waited for the grace's end.
    log = Followed(pod)
    deadlines = [log.when(service, text) for service in ("b", "a")
                 for text in ("SIGKILL to its main process", "SIGKILL to what its last run left")]
    assert deadlines == sorted(deadlines)
    assert all("did not end within" in log.lines[each]["msg"] for each in (deadlines[0], deadlines[2]))
    assert log.seconds_between(deadlines[0], deadlines[1]) >= 0.3


def test_a_second_sigterm_shortens_the_stop(a_pod):
    pod = a_pod(options=sets(pod__grace="60s", service__teled__stop__timeout="30s")).wait_ready()
    pod.fault_now(9001, "ignore-term")
    pod.signal(signal.SIGTERM)
    wait_for("the others to be gone", lambda: len(pod.processes()) == 2)  # gated waits for teled
    assert pod.stop(seconds=20) == 0, "teled alone has 30 s, unless they are shortened"
    assert "stopping faster" in pod.logged()


def test_a_stopped_process_dies_too(a_pod):
    pod = a_pod().wait_ready()
    pid = pod.outer_pid_of("teled")
    os.kill(pid, signal.SIGSTOP)
    wait_for("teled to be stopped", lambda: open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "T")
    assert pod.stop() == 0
    assert "SIGKILL to its main process" not in pod.logged(), "SIGTERM without SIGCONT: only SIGKILL ended it"


def test_leftovers_of_a_stopping_daemon_do_not_survive_the_run(a_pod):
    pod = a_pod().wait_ready()
    pod.fault("teled", "flee-clean-env")
    runaway = wait_for("the runaway", lambda: [
        pid for pid in pod.processes() if b"runaway" in open(f"/proc/{pid}/cmdline", "rb").read()])[0]
    assert pod.stop() == 0
    assert not os.path.exists(f"/proc/{runaway}")


def test_sigterm_while_booting_stops_what_was_started(a_pod):
    pod = a_pod(start=False)
    pod.fault("gated", "hang-at-boot")
    pod.start().wait_service("gated", "starting")
    assert pod.stop() == 0
    assert "SIGKILL" not in pod.logged(), "what is still booting ends by SIGTERM"
    assert "teled" not in {line["service"] for line in Followed(pod).lines}, "an adapter was started while stopping"


def test_sigterm_while_seeding_ends_the_run_and_the_next_one_seeds(a_pod):
    pod = a_pod(start=False)
    pod.fault("arizuko", "hang-at-boot")
    pod.start().wait_logged("rehearsal of arizuko create")
    assert pod.stop() == 0
    pod.fault("arizuko", "")
    pod.start().wait_ready()
    assert [e for e in pod.events() if e["service"] == "seed" and e["event"] == "spawned"]


def test_readiness_is_withdrawn_and_liveness_kept_while_stopping(a_pod):
    pod = a_pod(options=sets(service__teled__stop__timeout="3s")).wait_ready()
    pod.fault_now(9001, "ignore-term")
    pod.signal(signal.SIGTERM)
    status, text = wait_for("readyz to say no", lambda: (lambda a: a if a[0] == 503 else None)(pod.get("/readyz")), 3)
    assert "stopping" in text
    assert pod.get("/livez")[0] == 200
    assert pod.status()["state"] == "stopping"
    assert pod.termination()["state"] == "stopping"
    done = pod.ctl("restart", "dashd")
    assert done.returncode == 1 and "stopping" in done.stderr
    assert pod.wait_exit() == 0


def test_other_signals_do_not_end_pid_1(a_pod):
    pod = a_pod().wait_ready()
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGPIPE, signal.SIGQUIT, signal.SIGWINCH):
        pod.signal(number)
    assert pod.get("/livez")[0] == 200
    assert pod.ctl("status").returncode == 0
    # The kernel spares PID 1 what it has no handler for; on a bare host nothing but the mask does.
    status = Path(f"/proc/{pod.pid1}/status").read_text()
    blocked = int(re.search(r"SigBlk:\s*(\w+)", status)[1], 16)
    assert all(blocked >> (number - 1) & 1 for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGQUIT))
    heard = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD, signal.SIGSEGV, signal.SIGTSTP)
    assert not any(blocked >> (number - 1) & 1 for number in heard)
