"""An instance that runs under systemd: as whom, in which control group, and what it may not do."""
import grp
import json
import os
import pwd
import re
import stat
import subprocess

import pytest

from machine import PATIENCE, PROGRAM, alive, facts_of, run, wait_for


def within(instance, *command, user="arizuko"):
    """A command in the mounts of the unit, with its user and without a capability; `user` root: with all of them."""
    drop = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all",
            "--inh-caps=-all"] if user != "root" else []
    return subprocess.run(["nsenter", f"--target={instance.main_pid}", "--mount", *drop, *command], capture_output=True,
                          text=True, timeout=60 * PATIENCE)


def test_every_process_runs_as_arizuko_without_any_capability_or_a_way_to_new_ones(running):
    user = pwd.getpwnam("arizuko")
    docker = grp.getgrnam("docker").gr_gid
    pids = running.processes()
    assert len(pids) > 5 and running.main_pid in pids
    for pid in pids:
        facts = facts_of(pid)
        assert set(facts["Uid"].split()) == {str(user.pw_uid)}, facts["Name"]
        assert set(facts["Gid"].split()) == {str(user.pw_gid)}, facts["Name"]
        assert set(map(int, facts["Groups"].split())) == {user.pw_gid, docker}, facts["Name"]
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(facts[kind], 16) == 0, (facts["Name"], kind)
        assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", facts["Name"]


def test_the_journal_has_what_every_daemon_says_with_how_grave_it_is(running):
    entries = [json.loads(line) for line in running.journal("_SYSTEMD_INVOCATION_ID=" + running.show("InvocationID"),
                                                            output="json").splitlines()]
    said = [each for each in entries if each.get("SYSLOG_IDENTIFIER") == "arizuko-demo"]
    services = {each["name"] for each in running.status()["services"] if each["state"] == "ready"}
    assert services <= {each["MESSAGE"].split(":")[0] for each in said}
    running_line = next(each for each in said if "gated: INFO arizuko running" in each["MESSAGE"])
    assert running_line["PRIORITY"] == "6"
    warning = next(each for each in said if "this is a rehearsal" in each["MESSAGE"])
    assert warning["PRIORITY"] == "4" and warning["MESSAGE"].startswith("arizuko-init: this is a rehearsal")


def test_reload_reads_plan_and_values_again(running):
    assert "reload: asked for" not in running.journal()
    running.systemctl("reload")
    assert running.show("ActiveState") == "active"
    wait_for("the reload in the journal", lambda: "reload: asked for" in running.journal())


def test_the_control_socket_answers_root_and_its_own_user_and_nobody_else(running):
    assert running.ctl("status").returncode == 0
    assert running.ctl("status", user="arizuko").returncode == 0
    assert stat.S_ISSOCK(os.stat(running.control).st_mode)
    for stranger in ("nobody", "admin"):
        done = running.ctl("status", user=stranger)
        assert done.returncode == 2 and not done.stdout, (stranger, done)


def test_the_control_group_is_delegated_with_memory_and_pids_in_one_hierarchy(running):
    group = running.group
    assert str(group) == ("/sys/fs/cgroup/system.slice/system-arizuko\\x2dinit.slice/arizuko-init@demo.service")
    assert {"memory", "pids"} <= set((group / "cgroup.controllers").read_text().split())
    for path in (group, group / "cgroup.procs", group / "cgroup.subtree_control"):
        assert path.stat().st_uid == pwd.getpwnam("arizuko").pw_uid, path
    assert "/sys/fs/cgroup cgroup2" in open("/proc/mounts").read()
    made = group / "made-by-the-instance"
    done = within(running, "mkdir", str(made))
    assert done.returncode == 0, done.stderr
    assert (made / "cgroup.kill").exists() and within(running, "rmdir", str(made)).returncode == 0


def test_systemd_finds_its_exposure_low(running, capsys):
    done = run("systemd-analyze", "security", "--no-pager", "--threshold=20", running.unit, code=None)
    score = re.search(r"Overall exposure level for .*?: ([\d.]+) \w+", done.stdout)
    with capsys.disabled():
        print(f"\nsystemd-analyze security of the loaded unit: {score.group(1)}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", ["/etc/x", "/usr/local/bin/x", "/var/lib/x", "/srv/data/x", "/srv/x", "/home/x",
                                  "/proc/sys/kernel/core_pattern"])
def test_what_is_not_its_data_cannot_be_written_even_by_root(running, path):
    write = ["sh", "-c", 'was=$(cat "$1" 2>/dev/null); echo "$was" >"$1"', "sh", path]
    there = os.path.exists(path)
    run(*write)  # outside of the unit it can
    if not there:
        os.unlink(path)
    done = within(running, *write, user="root")
    assert done.returncode != 0 and "Read-only file system" in done.stderr, done


def test_its_data_directory_can_be_written_and_its_tmp_is_its_own(running):
    mark = running.data / "mark"
    assert within(running, "touch", str(mark)).returncode == 0
    assert mark.stat().st_uid == pwd.getpwnam("arizuko").pw_uid
    assert within(running, "touch", "/tmp/mark").returncode == 0 and not os.path.exists("/tmp/mark")


def test_it_sees_no_device_and_no_process_of_others(running):
    disk = re.search(r"\broot=/dev/(\S+)", open("/proc/cmdline").read()).group(1)
    assert {"kmsg", disk} <= set(os.listdir("/dev"))
    devices = within(running, "ls", "/dev").stdout.split()
    assert "null" in devices and not {"kmsg", disk} & set(devices)
    pids = {int(name) for name in within(running, "ls", "/proc").stdout.split() if name.isdigit()}
    assert running.main_pid in pids and 1 not in pids


def test_the_probe_port_answers(running):
    assert running.get("/readyz")[0] == running.get("/livez")[0] == running.get("/startupz")[0] == 200
    assert run(PROGRAM, "healthcheck", "--plan", "/etc/arizuko/arizuko.toml").stdout.startswith("yes")


def test_a_saved_change_of_env_restarts_what_takes_the_value_and_nothing_else(running):
    before = {each["name"]: each["pid"] for each in running.status()["services"] if each["pid"]}
    running.change_values(TELEGRAM_BOT_TOKEN="4711:new")
    wait_for("a new teled", lambda: running.pid_of("teled") != before["teled"], 30)
    running.wait_ready()
    after = {each["name"]: each["pid"] for each in running.status()["services"] if each["pid"]}
    takes = {"teled", "proxyd"}  # etc/arizuko.toml: teled logs in with it, proxyd signs in by it
    assert {name for name in before if before[name] != after[name]} == takes
    assert not any(alive(before[name]) for name in takes)
