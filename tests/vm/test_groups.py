"""A control group for each service, with the controllers of memory and pids: what only a machine with one hierarchy shows."""
import json
import os
from pathlib import Path

import pytest

import page
from machine import PROGRAM, alive, type_in, wait_for
from pod import seconds_of

# A plan of the test's own in place of the page's: daemons that do what no stand-in does.
OWN_PLAN = Path("/etc/arizuko/own.toml")
OWN = f"""\
[Service]
ExecStart=
ExecStart={PROGRAM} run --plan {OWN_PLAN}
"""
HEAD = """
[pod]
data_dir = "${HOST_DATA_DIR}"
ready_when = ["a"]
[service.a]
restart = { delay = "0s", budget = 0 }
stop = { timeout = "1s", leftovers = "1s" }
"""


def python(text):
    """A command of a plan that runs this program."""
    return f"command = {json.dumps(['/usr/bin/python3', '-S', '-c', text])}\n"


def own(instance, text):
    OWN_PLAN.write_text(HEAD + text)
    instance.prepare()
    instance.override(OWN)
    return instance


@pytest.fixture
def limited(instance):
    """The rehearsed instance with limits, running."""
    instance.plan_drop_in('[service.teled]\nmemory_high = "48Mi"\nmemory_max = "64Mi"\npids_max = 50\n')
    return instance.prepare().start().wait_ready()


def limit(instance, service, file):
    return (instance.group / service / file).read_text().strip()


def test_every_service_is_in_a_group_of_its_own_below_the_unit(running):
    groups = running.groups()
    assert groups["."] == []
    assert groups["_arizuko-init"] == [running.main_pid]
    up = {each["name"]: each["pid"] for each in running.status()["services"] if each["pid"]}
    assert len(up) > 5
    for name, pid in up.items():
        assert pid in groups[name], name
    facts = running.status()["control_groups"]
    assert facts["controllers"] == ["memory", "pids"] and facts["why_not"] is None
    assert str(running.group).endswith(facts["path"])
    assert "a control group for each service below" in running.journal()


def test_what_a_service_uses_is_shown(running):
    usage = running.service("gated")["usage"]
    assert 64 << 10 < usage["memory_bytes"] < 200 << 20 and usage["memory_kills"] == 0
    assert usage["processes"] >= 1 and usage["cpu_seconds"] > 0
    text = running.ctl("status").stdout
    assert "MEMORY" in text and "TASKS" in text
    metrics = running.get("/metrics")[1]
    assert 'arizuko_init_service_memory_bytes{service="gated"} ' in metrics
    assert 'arizuko_init_service_memory_kills_total{service="gated"} 0' in metrics


def test_limits_are_set_and_a_changed_one_restarts_its_service_alone(limited):
    assert limit(limited, "teled", "memory.high") == str(48 << 20)
    assert limit(limited, "teled", "memory.max") == str(64 << 20)
    assert limit(limited, "teled", "pids.max") == "50"
    assert limit(limited, "gated", "memory.max") == "max"
    before = {each["name"]: each["pid"] for each in limited.status()["services"] if each["pid"]}
    limited.plan_drop_in('[service.teled]\nmemory_max = "96Mi"\n')
    limited.systemctl("reload")
    wait_for("a new teled", lambda: limited.pid_of("teled") != before["teled"])
    limited.wait_ready()
    assert limit(limited, "teled", "memory.max") == str(96 << 20)
    assert limit(limited, "teled", "memory.high") == limit(limited, "teled", "pids.max") == "max"
    after = {each["name"]: each["pid"] for each in limited.status()["services"] if each["pid"]}
    assert {name for name in before if before[name] != after[name]} == {"teled"}


def test_a_service_above_its_memory_max_is_killed_says_why_and_comes_back(instance):
    instance.plan_drop_in('[service.teled]\nmemory_max = "64Mi"\n')
    instance.prepare().start().wait_ready()
    before = instance.pid_of("teled")
    instance.fault("teled", "grow 300")
    ended = wait_for("the end of teled", lambda: next(
        (e for e in instance.events() if e["service"] == "teled" and e["event"] == "exited"), None))
    assert "was OOM-killed (SIGKILL)" in ended["cause"]
    instance.wait_service("teled", "ready")
    assert instance.pid_of("teled") != before and instance.pid_of("teled") in instance.groups()["teled"]
    assert instance.service("teled")["usage"]["memory_kills"] == 1
    assert "OOM-killed" in "".join(instance.warnings())
    assert instance.service("gated")["restarts"] == 0, "it alone bears it"


def test_a_child_that_is_OOM_killed_is_a_warning_and_no_restart(instance):
    own(instance, 'memory_max = "64Mi"\n' + python(
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    open('/proc/self/oom_score_adj', 'w').write('1000')\n"
        "    hog = bytearray(200 << 20)\n"
        "    for i in range(0, len(hog), 4096): hog[i] = 1\n"
        "while True: time.sleep(1000)\n")).start()
    line = wait_for("the warning", lambda: next((l for l in instance.warnings() if "the kernel OOM-killed" in l), None))
    assert "a: the kernel OOM-killed one of its processes (memory_max 64Mi)" in line
    assert instance.service("a")["state"] == "ready" and instance.service("a")["restarts"] == 0
    assert instance.service("a")["usage"]["memory_kills"] == 1


def test_a_service_at_its_pids_max_cannot_fork_and_others_can(instance):
    own(instance, "pids_max = 10\n" + python(
        "import os, time\n"
        "made = 1\n"
        "try:\n"
        "    while made < 100:\n"
        "        if os.fork() == 0: time.sleep(1000)\n"
        "        made += 1\n"
        "except BlockingIOError: pass\n"
        "print('had', made, flush=True)\n"
        "time.sleep(1000)\n") + """
[service.b]
after = ["a"]
command = ["/usr/bin/python3", "-S", "-c", "import os, time; print('forked', os.fork() >= 0, flush=True); time.sleep(1000)"]
stop = { timeout = "1s", leftovers = "1s" }
""").start()
    wait_for("ten processes and no more", lambda: "a: had 10" in instance.journal())
    assert instance.service("a")["usage"]["processes"] == 10
    wait_for("the other's fork", lambda: "b: forked True" in instance.journal())


# systemd's RestrictNamespaces= makes clone3 unknown: the child moves into its group by itself. Without it, it is born there.
@pytest.mark.parametrize("namespaces", ["yes", "no"])
def test_a_restarted_service_is_in_its_group_again_whichever_way_it_gets_there(instance, namespaces, capsys):
    instance.plan_drop_in('[service.dashd.restart]\ndelay = "0s"\n')
    instance.prepare()
    instance.override(f"[Service]\nRestrictNamespaces={namespaces}\n")
    instance.start().wait_ready()
    for _ in range(5):
        before = instance.pid_of("dashd")
        os.kill(before, 9)
        wait_for("a new dashd", lambda: instance.pid_of("dashd") != before)
        instance.wait_service("dashd", "ready")
        assert instance.pid_of("dashd") in instance.groups()["dashd"]
        assert not alive(before)
    mine = [event for event in instance.events() if event["service"] == "dashd"]
    at = {kind: [seconds_of(event) for event in mine if event["event"] == kind] for kind in ("exited", "spawned")}
    took = sorted(spawned - exited for exited, spawned in zip(at["exited"], at["spawned"][1:], strict=True))
    with capsys.disabled():
        print(f"\nfrom an end to the next process, RestrictNamespaces={namespaces}: {took[2] * 1000:.0f} ms")


def test_after_the_end_no_group_is_left_but_the_units(limited):
    group = limited.group
    assert (group / "teled").is_dir()
    limited.systemctl("stop")
    assert not (group / "teled").exists()


def test_doctor_knows_whether_the_limits_would_hold(limited):
    line = next(each for each in page.commands("Run") if "doctor" in each)
    assert "Delegate=yes" in line, "as the unit has it"
    limited.systemctl("stop")
    assert "control-groups" not in type_in(line).stdout
    undelegated = type_in(line.replace("-p Delegate=yes ", "")).stdout
    assert "memory_high 48Mi, memory_max 64Mi, pids_max 50 without effect: " in undelegated
    assert "is not delegated to uid " in undelegated

