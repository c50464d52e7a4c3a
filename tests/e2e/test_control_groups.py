"""A control group for each service, where one is delegated to us: the pod in a group of its own, as systemd and
container engines give it. What needs the controllers of memory and pids is tried in the virtual machine."""
import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from pod import ROOT, UID, own_plan, wait_for


def unified_mount():
    """Where control groups of version 2 are mounted; mounted here when they are nowhere."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, point, kind = line.split()[:3]
        if kind == "cgroup2":
            return Path(point)
    point = Path(tempfile.mkdtemp(prefix="arizuko-cgroup2-"))
    subprocess.run(["mount", "-t", "cgroup2", "none", point], check=True)
    return point


class Group:
    """A group that is delegated to the pod's user: systemd does the same for Delegate=yes."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="arizuko-test-", dir=unified_mount()))
        for path in (self.path, self.path / "cgroup.procs", self.path / "cgroup.subtree_control",
                     self.path / "cgroup.threads"):
            os.chown(path, UID, UID)
        self.path.chmod(0o755)

    def part(self, name):
        return self.path / name

    def parts(self):
        return {each.name for each in self.path.iterdir() if each.is_dir()}

    def pids(self, name):
        """The processes of one part, as they are numbered outside of the pod."""
        return {int(pid) for pid in (self.part(name) / "cgroup.procs").read_text().split()}

    def make(self, name):
        """A part as the pod's user would make it: with every file in it his."""
        self.part(name).mkdir()
        for path in (self.part(name), *self.part(name).iterdir()):
            os.chown(path, UID, UID)

    def remove(self):
        def gone():
            for path in sorted(self.path.rglob("*"), key=lambda each: -len(each.parts)):
                if path.is_dir():
                    path.rmdir()
            self.path.rmdir()
            return True

        def look():
            try:
                return gone()
            except OSError:  # the last process is still on its way out
                return False
        wait_for("the group to be empty", look)


@pytest.fixture
def group():
    made = Group()
    yield made
    # The pods are gone by now (a_pod is asked for after it): what is left would be a leak.
    made.remove()


@pytest.fixture
def grouped(group, a_pod):
    """Makes pods that run in `group`."""
    def make(text, **options):
        return own_plan(a_pod, text, group=group.path, **options)
    return make


SLEEPER = """
[pod]
ready_when = ["a"]
[service.a]
command = ["{bin}/a"]
restart = { delay = "0s", budget = 0 }
stop = { timeout = "1s", leftovers = "1s" }
"""


def stays_up(pod, group, service, alone=True):
    """The service's run of now is the one of a hundred looks later, and it is in its group."""
    restarts = pod.service(service)["restarts"]
    first = pod.outer_pid_of(service)
    for _ in range(100):
        now = pod.service(service)
        assert now["state"] == "ready" and now["restarts"] == restarts, now
        pids = group.pids(service)
        assert pids == {first} if alone else first in pids


def test_each_service_runs_in_a_group_of_its_own_and_arizuko_init_in_another(group, grouped):
    pod = grouped(SLEEPER + """
[service.b]
command = ["{bin}/b"]
stop = { timeout = "1s", leftovers = "1s" }
""")
    pod.program("a", "#!/bin/sh\nsleep 1000 & exec sleep 1001\n")
    pod.program("b", "#!/bin/sh\nexec sleep 1002\n")
    pod.start().wait_ready()
    assert group.parts() == {"_arizuko-init", "a", "b"}
    assert group.pids("_arizuko-init") == {pod.pid1}
    assert group.pids("b") == {pod.outer_pid_of("b")}
    assert pod.outer_pid_of("a") in group.pids("a") and len(group.pids("a")) == 2
    assert pod.status()["control_groups"]["path"].endswith(group.path.name)
    assert pod.wait_logged("a control group for each service below")
    # The hybrid layout of many machines has the controllers elsewhere: what they count is then not known.
    usage = pod.service("a")["usage"]
    assert set(usage) == {"memory_bytes", "memory_peak_bytes", "memory_kills", "processes", "cpu_seconds"}
    assert usage["cpu_seconds"] is not None
    assert pod.metric('arizuko_init_service_cpu_seconds_total{service="a"}') is not None
    families = re.findall(r"^# TYPE (arizuko_init_service_(?:memory|processes|cpu)\S*)", pod.get("/metrics")[1], re.M)
    documented = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert len(families) == 6 and all(f"| `{family}` |" in documented for family in families)
    assert pod.stop() == 0
    assert group.parts() == {"_arizuko-init"}, "the services' groups are gone with them"


def test_a_restarted_service_is_in_its_group_again(group, grouped):
    pod = grouped(SLEEPER)
    pod.program("a", "#!/bin/sh\nexec sleep 1000\n")
    pod.start().wait_ready()
    before = pod.outer_pid_of("a")
    after = pod.last_seq()
    pod.kill("a")
    pod.wait_state_event("a", "ready", after)
    assert pod.outer_pid_of("a") != before
    assert group.pids("a") == {pod.outer_pid_of("a")}


def test_what_shed_session_limits_and_environment_is_still_known_by_its_group(group, grouped):
    """setsid, an empty environment and another soft limit: no mark is left but the group."""
    pod = grouped(SLEEPER)
    pod.program("a", "#!/bin/sh\n"
                     "env -i /usr/bin/setsid /usr/bin/prlimit --rttime=1000000000: /bin/sleep 1000 &\n"
                     "exec sleep 1001\n")
    pod.start().wait_ready()
    wait_for("the fugitive", lambda: len(group.pids("a")) == 2)
    main = pod.outer_pid_of("a")
    (fugitive,) = group.pids("a") - {main}
    wait_for("the fugitive to have changed its limit", lambda: "1000000000" in next(
        line for line in Path(f"/proc/{fugitive}/limits").read_text().splitlines() if "realtime timeout" in line))
    after = pod.last_seq()
    pod.kill("a")
    ended = pod.wait_event(lambda e: e["service"] == "a" and e["event"] == "exited", after=after)
    assert "sleep (pid " in ended["cause"], ended
    pod.wait_state_event("a", "ready", after)
    assert not Path(f"/proc/{fugitive}").exists(), "it is gone before the next run begins"


def test_leftovers_that_fork_for_their_lives_are_killed_in_one_stroke(group, grouped):
    """A chain of processes of which each makes the next and ends: a walk over /proc runs after it."""
    pod = grouped(SLEEPER)
    pod.program("runner", "#!/usr/bin/python3 -S\n"
                          "import os, time\n"
                          "end = time.monotonic() + 60\n"
                          "while time.monotonic() < end:\n"
                          "    if os.fork(): os._exit(0)\n")
    pod.program("a", f"#!/bin/sh\n{pod.bin_dir}/runner &\nexec sleep 1001\n")
    pod.start().wait_ready()
    after = pod.last_seq()
    pod.kill("a")
    pod.wait_state_event("a", "ready", after, seconds=10)
    stays_up(pod, group, "a", alone=False)  # the new run has a runner, too
    assert pod.stop() == 0


def test_what_an_earlier_arizuko_init_left_in_a_group_is_killed_before_the_service_starts(group, grouped):
    group.make("a")
    left = subprocess.Popen(["sleep", "1000"], preexec_fn=lambda: (
        (group.part("a") / "cgroup.procs").write_text("0"), os.setuid(UID)))
    pod = grouped(SLEEPER)
    pod.program("a", "#!/bin/sh\nexec sleep 1000\n")
    try:
        pod.start().wait_ready()
        assert left.wait(5) == -signal.SIGKILL
        failed = pod.wait_event(lambda e: e["service"] == "a" and e["event"] == "spawn-failed")
        assert "emptying the control group" in failed["cause"]
        assert "processes of an earlier arizuko-init were in it" in failed["cause"]
        stays_up(pod, group, "a")
    finally:
        left.kill()
        left.wait()


def test_limits_without_their_controller_are_told_and_the_service_runs(group, grouped):
    available = (group.path / "cgroup.controllers").read_text().split()
    pod = grouped(SLEEPER.replace("[service.a]", '[service.a]\nmemory_max = "64Mi"\npids_max = 50'))
    pod.program("a", "#!/bin/sh\nexec sleep 1000\n")
    pod.start().wait_ready()
    given = [each for each in ("memory", "pids") if each in available]
    assert pod.status()["control_groups"]["controllers"] == given
    missing = [text for name, text in (("memory", "memory_max 64Mi"), ("pids", "pids_max 50")) if name not in given]
    if missing:
        line = pod.wait_logged("without effect")
        assert f"a: {', '.join(missing)} without effect: of the controllers " in line
    else:
        assert (group.part("a") / "memory.max").read_text() == f"{64 << 20}\n"
        assert (group.part("a") / "pids.max").read_text() == "50\n"


def test_a_group_that_others_are_in_is_left_alone(group, grouped):
    other = subprocess.Popen(["sleep", "1000"],
                             preexec_fn=lambda: (group.path / "cgroup.procs").write_text("0"))
    pod = grouped(SLEEPER.replace("[service.a]", '[service.a]\nmemory_max = "64Mi"'))
    pod.program("a", "#!/bin/sh\nexec sleep 1000\n")
    try:
        pod.start().wait_ready()
        facts = pod.status()["control_groups"]
        assert facts["path"] is None and facts["controllers"] == []
        assert "other processes are in " in facts["why_not"]
        assert pod.service("a")["usage"] is None
        assert group.parts() == set()
        assert "a: memory_max 64Mi without effect: other processes are in " in pod.wait_logged("without effect")
        assert pod.stop() == 0
    finally:
        other.kill()
        other.wait()


def test_a_group_of_somebody_else_is_left_alone(group, grouped):
    for path in (group.path, group.path / "cgroup.procs"):
        os.chown(path, 0, 0)
    pod = grouped(SLEEPER)
    pod.program("a", "#!/bin/sh\nexec sleep 1000\n")
    pod.start().wait_ready()
    why = pod.status()["control_groups"]["why_not"]
    assert f"is not delegated to uid {UID}" in why and "Delegate=yes" in why


def test_root_takes_over_no_group_that_was_not_delegated(group):
    """Root can write to every group: systemd's mark says which is given away."""
    doctor = ["/usr/bin/python3", "-c", "import os, sys\n"
              "open(sys.argv[1] + '/cgroup.procs', 'w').write('0')\n"
              "os.execv(sys.argv[2], sys.argv[2:])"]

    def look():
        from pod import INIT, STOCK_PLAN
        done = subprocess.run([*doctor, str(group.path), str(INIT), "doctor", "--plan", str(STOCK_PLAN), "--rehearse",
                               "--set", "service.gated.memory_max=512Mi", "--set", "pod.data_dir=/tmp/arizuko_none"],
                              capture_output=True, text=True, timeout=30)
        return done.stdout

    assert "is not delegated to uid 0" in look()
    os.setxattr(group.path, "trusted.delegate", b"1")
    text = look()
    assert "is not delegated" not in text


def test_the_plan_can_switch_them_off(group, grouped):
    pod = grouped(SLEEPER.replace("[pod]", '[pod]\ncontrol_groups = "off"'))
    pod.program("a", "#!/bin/sh\nexec sleep 1000\n")
    pod.start().wait_ready()
    assert pod.status()["control_groups"]["why_not"] == "the plan switches control groups off (pod.control_groups)"
    assert group.parts() == set()


def test_the_stock_plan_runs_in_groups_as_without(group, a_pod):
    with a_pod(group=group.path) as pod:
        pod.wait_ready()
        assert {"_arizuko-init", "gated", "timed", "teled", "proxyd"} <= group.parts()
        assert pod.stop() == 0
        assert group.parts() == {"_arizuko-init"}
