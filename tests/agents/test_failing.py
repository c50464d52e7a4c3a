"""Turns that fail again and again, and storms of commands: few processes, few turns, and everybody can see it (T40)."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from agents import DOCKER, IMAGE, Bench, wait_for
from test_whole_turns import Gated

NONE = {"CONTAINER_BACKEND": "none"}
WAITS = "import sys, time\nsys.stdin.read()\nprint('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(60)"
FAILS = "import sys\nsys.stdin.read()\nprint('[ant] bad key', file=sys.stderr, flush=True)\nsys.exit(7)"


@pytest.fixture
def here(tmp_path):
    """here(code=...): a bench whose data directory is where gated sees it, so that the command keeps its ledger."""
    directory, made = Path(tempfile.mkdtemp(prefix="brake-")), []

    def make(**options):
        bench = Bench(directory / f"bench-{len(made)}", mount_path=str(directory / f"bench-{len(made)}" / "volume"), **options)
        bench.env.update(DATA_DIR=str(bench.data), HOST_DATA_DIR=str(bench.data))
        made.append(bench)
        return bench

    yield make
    for bench in made:
        bench.close()
    shutil.rmtree(directory, ignore_errors=True)


def run_words(bench, name="arizuko-Andy-main-1", group="main"):
    return ["run", "-i", "--rm", "--name", name, "-v", f"{bench.data}/groups/{group}:/home/node", IMAGE]


def run(bench, *arguments, **options):
    return bench.command(*run_words(bench, *arguments), input="{}", **options)


def start(bench, *arguments, env=None):
    process = subprocess.Popen([DOCKER, *run_words(bench, *arguments)], env={**bench.env, **(env or {})},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    bench.running.append(process)
    return process


def path_of(bench):
    return bench.data / ".arizuko-init" / "agents.json"


def ledger(bench):
    return {"groups": [], "runs": [], **(json.loads(path_of(bench).read_text()) if path_of(bench).exists() else {})}


def failing(bench, group="main"):
    return next((each for each in ledger(bench)["groups"] if each["group"] == group), None)


def hold(bench, group="main", reason="held by the test"):
    """As if `group` had failed for long: its next run waits for a minute."""
    path_of(bench).parent.mkdir(exist_ok=True)
    now = int(datetime.now().timestamp() * 1000)
    path_of(bench).write_text(json.dumps({"backend": "none", "groups": [{
        "group": group, "failures": 12, "since": now, "last": now, "not_before": now + 60_000, "reason": reason}]}))


def waiting(bench, name="arizuko-Andy-main-1"):
    return wait_for("a run that waits", lambda: next((each for each in ledger(bench)["runs"]
                                                      if (each["name"], each["stage"]) == (name, "waiting")), None))


# -- The loop -------------------------------------------------------------------------------------------------

def test_T40_a_local_chat_whose_turns_fail_at_once_is_slowed_down_and_the_ledger_says_why():
    directory = Path(tempfile.mkdtemp(prefix="gated-"))
    bench = Bench(directory / "bench", mount_path=str(directory / "bench" / "volume"))
    bench.env.update(NONE)
    gated = Gated(bench, directory)
    try:
        subprocess.run(["/usr/bin/python3", "-c", "import sqlite3, sys\n"
                        "with sqlite3.connect(sys.argv[1]) as db: db.execute(\"INSERT INTO messages (id, chat_jid, sender, "
                        "content, source) VALUES ('1', 'main', 'timed', 'rehearse', 'timed')\")",
                        str(bench.data / "store/messages.db")], check=True)
        wait_for("four failed turns", lambda: gated.text().count('"msg":"agent failed"') >= 4, 40)
        times = [datetime.fromisoformat(json.loads(line)["time"][:26]).timestamp()
                 for line in gated.text().splitlines() if '"msg":"agent failed"' in line]
        for nth, least in enumerate((1, 2, 4)):
            assert times[nth + 1] - times[nth] > least * 0.8  # gated notices each end a little later
        seen = failing(bench)
        assert seen["failures"] >= 4 and "CONTAINER_BACKEND is none" in seen["reason"]
        assert seen["not_before"] - seen["last"] >= 8000 and ledger(bench)["backend"] == "none"
    finally:
        gated.close()
        bench.close()
        shutil.rmtree(directory, ignore_errors=True)


def test_T40_an_agent_that_fails_and_one_that_does_not_start_count_alike(here):
    bench = here(code=FAILS)
    assert run(bench).returncode == 7
    assert failing(bench)["reason"] == "the agent ended with exit code 7"
    bench.server.faults.add("status", "/jobs", method="POST", times=1, status=403)
    done = run(bench)
    assert done.returncode == 125 and failing(bench)["failures"] == 2 and "403" in failing(bench)["reason"]


def test_T40_the_next_docker_command_is_watched_too(here, tmp_path):
    bench = here()
    other = tmp_path / "bin"
    other.mkdir()
    (other / "docker").write_text('#!/bin/sh\n[ "$1" = run ] && { cat; echo "daemon is down" >&2; exit 125; }\nexit 0\n')
    (other / "docker").chmod(0o755)
    env = {"CONTAINER_BACKEND": "docker", "PATH": f"{other}:/usr/bin:/bin"}
    done = run(bench, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (125, "{}", "daemon is down\n")
    assert failing(bench)["reason"] == "docker run failed with exit code 125"


def test_T40_a_turn_that_goes_well_lets_all_that_wait_go_at_once(here):
    bench = here(code="import sys\nsys.stdin.read()")
    hold(bench)
    held = start(bench)
    waiting(bench)
    path_of(bench).write_text("{}")  # as another turn's success writes it
    assert held.wait(20) == 0 and failing(bench) is None


def test_T40_one_group_that_fails_does_not_hold_another(here):
    bench = here()
    hold(bench)
    assert run(bench, "arizuko-Andy-other-1", "other").returncode == 0
    assert failing(bench)["failures"] == 12


@pytest.mark.parametrize("spoil", ["remove", "garbage", "fifo", "link", "directory"])
def test_T40_a_ledger_that_somebody_spoilt_holds_nobody(here, spoil, tmp_path):
    bench = here(code=FAILS)
    hold(bench)
    path_of(bench).unlink()
    if spoil == "garbage":
        path_of(bench).write_bytes(b"\0{[" * 100_000)
    if spoil == "fifo":
        os.mkfifo(path_of(bench))
    if spoil == "link":
        (tmp_path / "elsewhere").write_text("{}")
        path_of(bench).symlink_to(tmp_path / "elsewhere")
    if spoil == "directory":
        path_of(bench).mkdir()
        return assert_held(bench, 7)
    assert run(bench).returncode == 7 and failing(bench)["failures"] == 1
    if spoil == "link":
        assert (tmp_path / "elsewhere").read_text() == "{}"


def waits_for_a_signal(pid):
    return "sigtimedwait" in Path(f"/proc/{pid}/wchan").read_text()


def assert_held(bench, code):
    """Nothing can be written, so the failing run itself takes the time: it has told, and has not ended."""
    agent = start(bench)
    wait_for("its Job is made and gone", lambda: bench.server.asked("DELETE", "/jobs/") and not bench.jobs())
    wait_for("it holds itself: it waits for a signal or the end of its time", lambda: waits_for_a_signal(agent.pid))
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(20) == code


def test_T40_where_nothing_can_be_written_the_failing_run_is_held_itself(here):
    bench = here(code=FAILS)
    (bench.data / ".arizuko-init" / "agents.lock").mkdir(parents=True)
    assert_held(bench, 7)


# -- Storms ---------------------------------------------------------------------------------------------------

def test_a_run_that_waits_is_steered_and_stopped_without_any_job(here):
    bench = here()
    hold(bench)
    held = start(bench)
    waiting(bench)
    done = bench.command("kill", "--signal=SIGUSR1", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "arizuko-Andy-main-1\n", "")
    assert held.poll() is None
    done = bench.command("stop", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout) == (0, "arizuko-Andy-main-1\n") and held.wait(10) == 143
    assert ledger(bench)["runs"] == [] and bench.server.asked("POST", "/jobs$") == []


def test_a_ledger_cannot_have_anybody_else_told_to_end(here):
    bench = here()
    hold(bench)
    bystander = subprocess.Popen(["/bin/sleep", "60"])
    bench.running.append(bystander)
    bystander.stdout = bystander.stderr = open(os.devnull)
    born = int(Path(f"/proc/{bystander.pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    path_of(bench).write_text(json.dumps({"runs": [
        {"name": "arizuko-Andy-main-1", "group": "main", "pid": bystander.pid, "born": born, "stage": "waiting"}]}))
    done = bench.command("stop", "arizuko-Andy-main-1")
    assert done.returncode == 1 and "No such container" in done.stderr and bystander.poll() is None


def test_a_storm_of_runs_is_no_more_than_twice_what_gated_may_start_and_the_rest_waits(here):
    bench = here(code=WAITS)
    runs = [start(bench, f"arizuko-Andy-main-{number}", env={"MAX_CONCURRENT_CONTAINERS": "2"}) for number in range(8)]
    wait_for("all are known", lambda: len(ledger(bench)["runs"]) == 8)
    wait_for("four agents", lambda: len(bench.jobs()) == 4)
    stages = sorted(each["stage"] for each in ledger(bench)["runs"])
    assert stages == ["running"] * 4 + ["waiting"] * 4
    for each in [each["name"] for each in ledger(bench)["runs"] if each["stage"] == "waiting"]:
        assert bench.command("kill", "--signal=SIGUSR1", each).returncode == 0
    assert len(bench.jobs()) == 4 and all(each.poll() is None for each in runs)


def test_an_agent_that_is_yet_to_start_is_steered_by_its_input_alone(here):
    bench = here()
    bench.cluster.troubles[IMAGE] = "pull-hangs"
    start(bench)
    bench.pod("Pending")
    done = bench.command("kill", "--signal=SIGUSR1", "arizuko-Andy-main-1")
    assert (done.returncode, done.stdout) == (0, "arizuko-Andy-main-1\n")
    assert bench.server.asked("GET", "/exec") == []


def test_a_run_whose_caller_is_gone_while_it_waits_starts_no_agent(here):
    bench = here()
    hold(bench)
    caller = subprocess.Popen(["/bin/sh", "-c", '"$@" & wait', "sh", str(DOCKER), *run_words(bench)], env=bench.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    pid = waiting(bench)["pid"]
    caller.kill()
    caller.wait()
    wait_for("it has ended", lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text())
    assert bench.server.asked("POST", "/jobs$") == []


# -- Left behind ----------------------------------------------------------------------------------------------

DEAF = ("import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nsys.stdin.read()\n"
        "print('[ant] up', file=sys.stderr, flush=True)\ntime.sleep(600)")


def leave_behind(bench, count):
    for number in range(count):
        start(bench, f"arizuko-Andy-main-{number}", env={"MAX_CONCURRENT_CONTAINERS": "50"})
    wait_for("all run", lambda: sum(b"[ant] up" in each.log for each in list(bench.cluster.processes.values())) == count)
    for process in bench.running:
        process.kill()
        process.wait()


def test_agents_that_were_left_behind_are_told_to_end_all_at_the_first_stop(here):
    bench = here(code=DEAF)
    bench.cluster.grace_limit = 2
    leave_behind(bench, 6)
    assert bench.command("stop", "arizuko-Andy-main-0").returncode == 0
    deletions = bench.server.asked("DELETE", "/jobs/")
    assert len({path for _, path, *_ in deletions}) == 6, "not only the one that was named"
    for number in range(1, 6):
        assert bench.command("stop", f"arizuko-Andy-main-{number}").returncode in (0, 1)
    assert bench.jobs() == [] and len(bench.cluster.store.items["pods"]) == 1


def test_a_stop_of_a_living_turn_or_of_one_left_behind_leaves_other_living_turns_alone(here):
    bench = here(code=WAITS)
    leave_behind(bench, 2)
    alive = start(bench, "arizuko-Andy-main-alive")
    assert alive.stderr.readline() == "[ant] up\n"
    assert bench.command("stop", "arizuko-Andy-main-0").returncode == 0
    assert alive.poll() is None
    assert [job["metadata"]["annotations"]["arizuko-init/container-name"] for job in bench.jobs()] == ["arizuko-Andy-main-alive"]


def test_ps_sees_an_agent_whose_job_is_gone_while_its_pod_is_ending_and_stop_waits_for_it(here):
    bench = here(code=DEAF)
    bench.cluster.grace_limit = 3
    leave_behind(bench, 1)
    bench.cluster.delete_job(bench.jobs()[0]["metadata"]["name"], "Background")
    assert bench.jobs() == []
    ps = ["ps", "--filter=name=arizuko-Andy-", "--format", "{{.Names}}", f"--filter=ancestor={IMAGE}"]
    assert bench.command(*ps).stdout == "arizuko-Andy-main-0\n"
    done = bench.command("stop", "arizuko-Andy-main-0")
    assert (done.returncode, done.stdout) == (0, "arizuko-Andy-main-0\n")
    assert len(bench.cluster.store.items["pods"]) == 1 and bench.command(*ps).stdout == ""


def test_an_image_that_is_on_the_node_is_used_as_docker_run_does(here):
    bench = here()
    assert run(bench).returncode == 0
    assert b'"imagePullPolicy":"IfNotPresent"' in bench.server.asked("POST", "/jobs$")[0][3]


def test_what_to_look_at_when_no_pod_was_made_is_still_there_when_the_job_is_not(here):
    bench = here()
    bench.cluster.troubles[IMAGE] = "no-pod"
    done = run(bench, env={"ARIZUKO_AGENTS": json.dumps({"schedule_within_seconds": 1})})
    assert done.returncode == 125 and bench.jobs() == []
    assert "see `kubectl get events --field-selector involvedObject.name=arizuko-andy-main-1-" in done.stderr
