"""What the last run left, on a host without a pid namespace; who holds the data directory; a fault of arizuko-init."""
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from pod import INIT, STOCK_PLAN, UID, Pod, own_plan, wait_for

# A network of its own, and nothing else: SIGKILL of arizuko-init leaves its children alive, as on a bare host.
ENTRY = """
ip link set lo up
exec setpriv --reuid 1000 --regid 1000 --clear-groups --bounding-set -all --inh-caps -all --no-new-privs "$@"
"""

DAEMON = """
[pod]
instance = "demo"
probes = "127.0.0.1:9090"
page = "off"
ready_when = ["main"]
grace = "1s"
[service.main]
command = ["/bin/sh", "-c", '''echo $$ >> {data}/pids; setsid env -i /bin/sleep 1000 & exec sleep 1000''']
stop = { timeout = "300ms", leftovers = "300ms" }
"""


class Host:
    """arizuko-init as an ordinary process of uid 1000."""

    def __init__(self, base, plan, options=(), env=None):
        self.base, self.data, self.plan = base, base / "arizuko_demo", plan
        self.data.mkdir(exist_ok=True)
        self.log, self.termination_log = base / "log", base / "termination-log"
        self.termination_log.touch()
        for path in (base, self.data, self.termination_log):
            os.chown(path, UID, UID)
        self.options, self.env = list(options), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(env or {})}
        self.process = None

    def start(self):
        command = ["unshare", "--net", "sh", "-c", ENTRY, "host", str(INIT), "run", "--plan", str(self.plan),
                   "--log", "json", "--set", f"pod.data_dir={self.data}",
                   "--set", f"pod.termination_log={self.termination_log}",
                   "--control", f"@test-{os.path.basename(self.base)}", *self.options]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def logged(self):
        return self.log.read_text(errors="replace")

    def wait_logged(self, text, seconds=20):
        return wait_for(f"a log line with {text!r}",
                        lambda: next((l for l in self.logged().splitlines() if text in l), None), seconds)

    def pids(self):
        """The main processes so far, oldest first."""
        file = self.data / "pids"
        return [int(line) for line in file.read_text().split()] if file.exists() else []

    def reason(self):
        return json.loads(self.termination_log.read_text())

    def marked(self):
        """Living processes of this instance, in or below its data directory, with the mark of a run."""
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if rttime(pid) and is_alive(pid) and directory_of(pid).startswith(str(self.data))]


def directory_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return ""


def rttime(pid):
    try:
        line = next(l for l in Path(f"/proc/{pid}/limits").read_text().splitlines() if l.startswith("Max realtime timeout"))
    except (OSError, StopIteration):
        return None
    soft = line.split()[3]
    return int(soft) if soft != "unlimited" and int(soft) >> 56 == 0x41 else None


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.fixture
def host():
    made = []

    def make(plan, **options):
        base = Path(tempfile.mkdtemp(prefix="arizuko-host-"))
        if plan != STOCK_PLAN:
            (base / "plan.toml").write_text(plan.replace("{data}", str(base / "arizuko_demo")))
            plan = base / "plan.toml"
        made.append(Host(base, plan, **options))
        return made[-1]

    yield make
    for each in made:
        if each.process and each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        for pid in each.marked():
            os.kill(pid, signal.SIGKILL)


def left_behind(host):
    """Starts, and kills arizuko-init alone: the pid of the main process that lives on, and its mark."""
    host.start()
    main = wait_for("the daemon to run", host.pids)[0]
    mark = wait_for("its mark", lambda: rttime(main))
    host.process.kill()
    host.process.wait()
    assert is_alive(main), "the bare host takes the daemon along: this test shows nothing"
    return main, mark


def test_what_the_last_run_left_is_named_and_ended_before_the_first_child(host):
    instance = host(DAEMON)
    old, mark = left_behind(instance)
    others = [pid for pid in instance.marked() if rttime(pid) == mark and pid != old]
    assert others, "the child in a session of its own, without an environment, bears the mark"
    instance.start()
    said = json.loads(instance.wait_logged("an earlier run of this data directory died and left"))
    assert f"(pid {old})" in said["msg"] and said["level"] == "WARN"
    new = wait_for("the second daemon", lambda: instance.pids()[1:])[0]
    assert not is_alive(old) and not any(map(is_alive, others)), "the second daemon started beside the first"
    instance.wait_logged("what an earlier run had left has ended after")
    assert is_alive(new)
    instance.process.terminate()
    assert instance.process.wait(20) == 0


def test_what_may_not_be_ended_refuses_the_start_and_says_whose_it_is(host):
    instance = host(DAEMON)
    old, mark = left_behind(instance)
    foreign = subprocess.Popen(["prlimit", f"--rttime={mark}:unlimited", "sleep", "1000"])
    try:
        wait_for("the foreign process to bear the mark", lambda: rttime(foreign.pid) == mark)
        instance.start()
        assert instance.process.wait(20) == 77
        reason = instance.reason()
        assert reason["exit_code"] == 77
        assert f"we may not end them: sleep (pid {foreign.pid})" in reason["reason"]
        assert is_alive(old), "nothing is ended where not everything can be"
    finally:
        foreign.kill()
        foreign.wait()


def test_a_second_one_does_not_start_beside_a_living_one_whose_lock_file_a_daemon_deleted(host):
    instance = host(DAEMON)
    instance.start()
    first = wait_for("the daemon to run", instance.pids)
    living = instance.process
    (instance.data / ".arizuko-init" / "lock").unlink()
    try:
        instance.start()
        assert instance.process.wait(30) == 77
        assert f"in use by arizuko-init (pid {living.pid})" in instance.reason()["reason"]
        assert instance.pids() == first
    finally:
        living.terminate()
        assert living.wait(20) == 0


def test_a_fault_of_arizuko_init_takes_its_daemons_along_and_reports_where_the_plan_says(host):
    instance = host(STOCK_PLAN, options=["--rehearse"],
                    env={"CHANNEL_SECRET": "a-secret-to-be-washed",
                         "ARIZUKO_REHEARSE_OWN_FAULT": "no sense in a-secret-to-be-washed"})
    instance.start()
    seen = wait_for("daemons to run", instance.marked)
    assert instance.process.wait(60) == 70, instance.logged()[-2000:]
    assert not any(map(is_alive, seen)) and not instance.marked(), "a daemon lives on"
    report = instance.reason()
    assert report["exit_code"] == 70 and report["state"] == "ended"
    assert report["reason"] == "a fault of arizuko-init: no sense in [redacted:CHANNEL_SECRET]"
    assert "a-secret-to-be-washed" not in instance.logged()
    assert "please report it" in instance.logged()


def test_the_variable_of_a_rehearsed_fault_does_nothing_in_a_real_run(host):
    instance = host(DAEMON, env={"ARIZUKO_REHEARSE_OWN_FAULT": "x"}).start()
    wait_for("the daemon to run", instance.pids)
    instance.wait_logged("opened: everything that readiness asks for is ready")
    instance.process.terminate()
    assert instance.process.wait(20) == 0


SLOW_TO_STOP = """
[pod]
instance = "demo"
ready_when = ["main"]
grace = "20s"
[service.main]
command = ["/bin/sh", "-c", '''trap 'until [ -e {data}/go ]; do sleep 0.05; done; exit 0' TERM; echo up; while :; do sleep 0.05; done''']
ready.log = "up"
stop.timeout = "15s"
"""


def test_a_new_pod_waits_for_the_old_one_and_does_not_end_with_77(a_pod):
    old = own_plan(a_pod, SLOW_TO_STOP)
    old.start().wait_ready()
    old.signal(signal.SIGTERM)
    new = own_plan(a_pod, SLOW_TO_STOP, data=old.data)
    new.write_plan(SLOW_TO_STOP.replace("{data}", str(old.data)))
    new.start()
    def waits():
        status, said = new.get("/startupz")
        return (status, said) if "in use by arizuko-init" in said else None
    status, said = wait_for("the new pod to say what it waits for", waits)
    assert status == 503 and "Nothing is started yet" in said and "waiting up to 25 s for it to end" in said
    assert new.get("/livez")[0] == 200
    assert "in use by arizuko-init" in wait_for("its termination message", new.termination)["reason"]
    new.write(old.data / "go", "")
    assert old.wait_exit() == 0
    new.wait_ready()
    assert new.wait_event(lambda e: "is free after" in e["cause"])["event"] == "remark"


def test_a_pod_that_waits_for_the_old_one_can_be_stopped_and_says_what_it_waited_for(a_pod):
    old = own_plan(a_pod, SLOW_TO_STOP)
    old.start().wait_ready()
    new = own_plan(a_pod, SLOW_TO_STOP, data=old.data)
    new.start()
    new.wait_logged("the start waits: the data directory")
    new.signal(signal.SIGTERM)
    assert new.wait_exit(10) == 0
    assert new.termination()["reason"].startswith(
        "stopped as asked (SIGTERM); it never became ready: the data directory")
    old.write(old.data / "go", "")


def test_a_daemon_that_forks_away_is_told_to_stay_in_the_foreground(a_pod):
    pod = own_plan(a_pod, """
[pod]
instance = "demo"
ready_when = []
[service.main]
command = ["/bin/sh", "-c", "setsid sleep 1000 & exit 0"]
restart = { when = "on-failure" }
stop.leftovers = "200ms"
""")
    pod.start()
    said = pod.wait_event(lambda e: e["service"] == "main" and e["to"] == "backoff")["cause"]
    assert "it runs in the background: it exited with code 0 and left " in said
    assert "start it in the foreground" in said
    assert pod.service("main")["state"] != "done"


GROUPS = Path("/sys/fs/cgroup")


@pytest.fixture
def small_group():
    """A memory group as a node gives it to a container: of version 1 where the machine has that, else of version 2."""
    old = (GROUPS / "memory" / "memory.oom_control").exists()
    group = (GROUPS / "memory" if old else GROUPS) / f"arizuko-test-{os.getpid()}"
    if not old:
        assert "memory" in (GROUPS / "cgroup.controllers").read_text().split(), "no memory controller on this machine"
        (GROUPS / "cgroup.subtree_control").write_text("+memory")
    group.mkdir()
    (group / ("memory.limit_in_bytes" if old else "memory.max")).write_text(str(128 << 20))
    yield group
    wait_for("the group to be empty", lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_a_daemon_that_the_kernel_killed_alone_says_for_want_of_memory(small_group):
    with Pod(start=False, rehearse=False, group=small_group) as pod:
        pod.write_plan("""
[pod]
instance = "demo"
ready_when = []
[service.main]
command = ["/usr/bin/python3", "-c", "x = bytearray(400 << 20)"]
""")
        pod.start()
        event = pod.wait_event(lambda e: e["service"] == "main" and e["event"] == "exited")
        assert "was OOM-killed (SIGKILL)" in event["cause"]
        assert pod.stop() == 0
