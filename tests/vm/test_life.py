"""Start, stop, failure and repair, as systemd sees and does them."""
import os
import re
import signal
import time

import page
from machine import DAEMONS, PATIENCE, alive, run, type_in, wait_for


def test_start_returns_when_the_instance_is_ready_and_status_says_what_it_waits_for(instance):
    instance.prepare()
    instance.fault("gated", "slow-boot 4000")
    start = instance.starting()
    gated = instance.pid_of("gated")
    os.kill(gated, signal.SIGSTOP)  # so that it takes as long as the looks below
    waits = instance.wait_show("StatusText", lambda text: "waits for" in text and "gated" in text)
    shown = run("systemctl", "status", "--no-pager", instance.unit, code=3).stdout
    assert start.poll() is None, f"start returned before the gate was open: {waits}"
    assert "activating (start)" in shown and re.search(r'Status: ".*gated', shown), shown
    assert instance.get("/readyz")[0] == 503
    os.kill(gated, signal.SIGCONT)
    assert start.wait(60 * PATIENCE) == 0
    assert instance.get("/readyz")[0] == 200
    assert instance.show("ActiveState", "SubState") == {"ActiveState": "active", "SubState": "running"}
    instance.wait_ready()
    instance.wait_show("StatusText", lambda text: text and "gated" not in text)


def test_stop_ends_it_in_order_within_the_grace_and_leaves_no_process(instance):
    instance.prepare(ONBOARDING_ENABLED="true").start().wait_ready()
    instance.systemctl("enable")  # so that systemd keeps what it knows of it when it is down
    pids, group = instance.processes(), instance.group
    began = time.monotonic()
    instance.systemctl("stop")
    assert time.monotonic() - began < 40
    assert instance.show("ActiveState", "Result", "ExecMainCode", "ExecMainStatus") == {
        "ActiveState": "inactive", "Result": "success", "ExecMainCode": "1", "ExecMainStatus": "0"}
    assert not any(alive(pid) for pid in pids)
    assert not group.exists()
    assert run("pgrep", "--euid", "arizuko", code=None).stdout == ""
    ends = [name for name in re.findall(r"^arizuko-init: (\w+): stopping -> off", instance.journal(), re.M)]
    assert set(ends) >= {"onbod", "teled", "webd", "proxyd", "gated"}, instance.journal()[-3000:]
    assert ends.index("onbod") < ends.index("teled") < ends.index("gated") and ends[-1] == "gated"


def test_a_missing_value_fails_the_unit_for_good_and_status_shows_the_reason(instance):
    instance.prepare()
    instance.plan_drop_in("[env.generated]\nCHANNEL_SECRET = false\n")
    instance.override(DAEMONS)
    assert instance.systemctl("start", code=None).returncode == 1
    assert instance.show("ActiveState", "Result", "ExecMainStatus", "NRestarts") == {
        "ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78", "NRestarts": "0"}
    shown = type_in(page.command("Run", "sudo systemctl status")).stdout
    assert "status=78" in shown and "CHANNEL_SECRET" in shown, shown


def test_a_dead_essential_service_is_started_again_and_comes_back(instance):
    instance.prepare()
    instance.plan_drop_in('[service.gated.restart]\ndelay = "100ms"\nbudget = 1\n')
    instance.start()
    first = instance.main_pid
    instance.fault("gated", "crash-at-boot")
    os.kill(instance.pid_of("gated"), signal.SIGKILL)
    instance.wait_show("NRestarts", lambda count: int(count) >= 1)
    instance.fault("gated", "")
    instance.wait_show("SubState", lambda state: state == "running")
    instance.wait_ready()
    assert instance.main_pid != first
    assert "status=75" in instance.journal("_PID=1")


def test_killed_it_comes_back_only_after_the_last_process_of_its_former_self_is_gone(instance):
    instance.prepare()
    instance.start().wait_ready()
    instance.fault("gated", "flee")
    wait_for("a process that fled", lambda: len(instance.processes()) > len(
        [each for each in instance.status()["services"] if each["pid"]]) + 1)
    first, old = instance.main_pid, instance.processes()
    os.kill(first, signal.SIGKILL)
    instance.wait_show("MainPID", lambda pid: pid not in ("0", str(first)))
    assert not any(alive(pid) for pid in old)
    instance.wait_show("ActiveState", lambda state: state == "active")
    instance.wait_ready()
    assert instance.show("NRestarts") == "1"
    assert instance.main_pid not in old and not set(old) & set(instance.processes())


def test_five_ends_within_ten_minutes_and_it_stays_down_until_the_failure_is_reset(instance):
    instance.prepare().start()
    for restarts in range(1, 5):
        os.kill(instance.main_pid, signal.SIGKILL)
        instance.wait_show("NRestarts", lambda count: int(count) == restarts)
        instance.wait_show("MainPID", lambda pid: pid != "0")
    os.kill(instance.main_pid, signal.SIGKILL)
    instance.wait_show("ActiveState", lambda state: state == "failed")
    assert "Start request repeated too quickly" in instance.journal("_PID=1")
    assert instance.systemctl("start", code=None).returncode == 1
    instance.systemctl("reset-failed")
    instance.start()


def test_a_hang_is_noticed_by_the_watchdog_and_ended(instance):
    instance.prepare()
    instance.override("[Service]\nWatchdogSec=10s\n")
    instance.start().wait_ready()
    first = instance.main_pid
    os.kill(first, signal.SIGSTOP)
    instance.wait_show("MainPID", lambda pid: pid not in ("0", str(first)))
    instance.wait_show("ActiveState", lambda state: state == "active")
    instance.wait_ready()
    assert instance.show("NRestarts") == "1"
    assert "Watchdog timeout (limit 10s)!" in instance.journal("_PID=1")
