"""The unit file: what systemd says about it, and that an instance bears what it forbids."""
import json
import os
import re
import signal
import subprocess

import pytest

from pod import INIT, ROOT, STOCK_PLAN, check, services_of, wait_for

UNIT = ROOT / "etc" / "systemd" / "arizuko-init@.service"
SYSUSERS = ROOT / "etc" / "sysusers.d" / "arizuko-init.conf"


def directives():
    """Name -> values in order, of all sections."""
    found = {}
    for line in UNIT.read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def one(name):
    values = directives()[name]
    assert len(values) == 1, f"{name} stands there {len(values)} times"
    return values[0]


def seconds(span):
    number, unit = re.fullmatch(r"(\d+)(s|min|m)", span).groups()
    return int(number) * {"s": 1, "min": 60, "m": 60}[unit]


@pytest.fixture
def installed(tmp_path):
    """The unit with the program where it was built, for systemd looks whether it is there."""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/usr/local/bin/arizuko-init", str(INIT)))
    return copy


def analyze(*words):
    return subprocess.run(["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, timeout=60)


def test_systemd_finds_nothing_wrong_with_it(installed):
    done = analyze("verify", "--man=no", "--recursive-errors=no", str(installed))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_would_find_a_mistake_in_it(installed):
    installed.write_text(installed.read_text().replace("KillMode=mixed", "KillMode=mixd"))
    assert "mixd" in analyze("verify", "--man=no", "--recursive-errors=no", str(installed)).stderr


def test_its_exposure_is_low(installed, capsys):
    done = analyze("security", "--offline=true", "--threshold=20", str(installed))
    score = re.search(r"Overall exposure level for .*?: ([\d.]+) \w+", done.stdout)
    with capsys.disabled():
        print(f"\nsystemd-analyze security: {score.group(1)}")
    assert done.returncode == 0, done.stdout


def test_the_user_is_the_one_that_sysusers_makes(tmp_path):
    (tmp_path / "etc").mkdir()
    done = subprocess.run(["systemd-sysusers", f"--root={tmp_path}", str(SYSUSERS)], capture_output=True, text=True,
                          timeout=30)
    assert done.returncode == 0, done.stderr
    name, _, uid, *_ = (tmp_path / "etc/passwd").read_text().splitlines()[0].split(":")
    assert name == one("User") == one("Group") and int(uid) != 0


def test_the_instances_name_chooses_its_data_directory_and_only_that_is_writable():
    instance = "acme"
    environment = dict(each.replace("%i", instance).split("=", 1) for each in directives()["Environment"])
    done = subprocess.run([INIT, "check", "--json", "--plan", STOCK_PLAN], capture_output=True, text=True, timeout=30,
                          env={"PATH": "/usr/bin:/bin", **environment})
    pod = json.loads(done.stdout)["pod"]
    assert pod["instance"] == instance
    assert pod["data_dir"] == one("ReadWritePaths").replace("%i", instance)
    assert one("ExecStartPre").replace("%i", instance).endswith(f" {pod['data_dir']}")
    assert one("ExecStart") == "/usr/local/bin/arizuko-init run", "which plan fits, run finds out"


@pytest.mark.parametrize("file, chain", [(STOCK_PLAN, ["seed", "gated", "proxyd"]),
                                         (STOCK_PLAN.with_name("arizuko-routd.toml"),
                                          ["seed", "authd", "runed", "routd", "proxyd"])], ids=lambda each: str(each)[-18:])
def test_systemd_waits_longer_than_the_plan_does(file, chain):
    plan = check(plan=file)
    services = services_of(plan)
    assert seconds(one("TimeoutStopSec")) >= seconds(plan["pod"]["grace"]) + 5
    assert seconds(one("TimeoutStartSec")) > sum(seconds(services[name]["within"]) for name in chain)


def test_exit_codes_that_do_not_heal_by_themselves_are_not_tried_again():
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / "docs" / "reference" / "cli.md").read_text().split("## check")[0], re.M)
    meaning = {int(code): text for code, text in rows}
    prevented = {int(code) for code in one("RestartPreventExitStatus").split()}
    assert prevented == {64, 77, 78} <= meaning.keys()
    assert {69, 70, 73, 75} == meaning.keys() - prevented - {0}
    assert one("Restart") == "on-failure"


def test_a_signal_goes_to_arizuko_init_alone_and_what_is_left_is_killed():
    assert one("KillMode") == "mixed"


def filtered(name):
    """The system calls of a filter set, with the sets in it."""
    found, open_sets = set(), [name]
    while open_sets:
        for line in analyze("syscall-filter", open_sets.pop()).stdout.splitlines()[1:]:
            word = line.strip()
            if word.startswith("@"):
                open_sets.append(word)
            elif word and not word.startswith("#"):
                found.add(word)
    return found


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    """Every system call of a whole rehearsed life: start, ready, one service restarted, stop."""
    base = tmp_path_factory.mktemp("traced")
    control, trace = base / "control.sock", base / "trace"
    process = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh",
         "strace", "-f", "-qq", "-s", "0", "-o", trace, INIT, "run", "--plan", STOCK_PLAN, "--rehearse", "--log", "json",
         "--control", control, "--set", f"pod.data_dir={base}/data/arizuko_demo"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})

    def ctl(*words):
        return subprocess.run([INIT, *words, "--control", control], capture_output=True, timeout=60).returncode
    try:
        wait_for("the traced instance to be ready", lambda: ctl("status") == 0, 60)
        assert ctl("restart", "teled", "--wait", "30") == 0
        tracee = int(open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()[0])
        os.kill(tracee, signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    return trace.read_text()


def test_a_whole_life_needs_no_system_call_that_the_unit_forbids(traced):
    needed = set(re.findall(r"^\d+ +(\w+)\(", traced, re.M))
    assert {"execve", "wait4", "epoll_wait", "inotify_init1"} & needed, "the trace is of a real run"
    assert one("SystemCallFilter") == "@system-service"
    assert not needed - filtered("@system-service")


def test_a_whole_life_needs_no_address_family_that_the_unit_forbids(traced):
    needed = set(re.findall(r"\bsocket\((AF_\w+)", traced))
    assert "AF_INET" in needed and "AF_UNIX" in needed
    assert needed <= set(one("RestrictAddressFamilies").split())
