"""T12 to T15, T25, T33, T38, T39: the data directory, the seed, and programs that do not start."""
import json
import os
import sqlite3
import time

import pytest

from pod import BUILD, INIT, STOCK_PLAN, check, own_plan, services_of, sets, wait_for


def test_T12_the_seed_does_not_run_again_on_a_seeded_data_directory(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    # What a second `arizuko create` would reset.
    with sqlite3.connect(pod.data / line.database) as database:
        database.execute("UPDATE groups SET product = 'mine' WHERE folder = 'main'")
    pod.stop()
    pod.start().wait_ready()
    assert pod.rows("SELECT product FROM groups WHERE folder = 'main'") == [("mine",)]
    assert not [e for e in pod.events() if e["service"] == "seed" and e["event"] == "spawned"]


def test_T13_a_seed_that_exits_0_without_its_groups_fails_the_run_with_73(a_pod):
    pod = a_pod(start=False, rehearse=False, env={"CHANNEL_SECRET": "c"})
    pod.program("arizuko", f'#!/bin/sh\nmkdir -p {pod.data}/store\n: > {pod.data}/store/messages.db\necho created\n')
    pod.options += ["--set", f"pod.path={pod.bin_dir}:/usr/bin:/bin"] + sets(task__seed__within="1s")
    assert pod.start().wait_exit() == 73
    reason = pod.termination()["reason"]
    assert "groups/main/.claude" in reason, reason
    # The database is there by now: the next start must not take it for seeded.
    pod.termination_log.write_text("")
    assert pod.start().wait_exit() == 73


def test_T13_database_and_groups_are_asked_for_in_one_place(line):
    seed = services_of(check(plan=line.plan))["seed"]
    assert seed["env"]["DATA_DIR"] == "/srv/data/arizuko_demo"
    assert seed["env"]["ARIZUKO_DATA_DIR"] == "/srv/data"
    made = [*line.databases, "groups/main/.claude"]
    assert sorted(seed["verify"]) == sorted(f"/srv/data/arizuko_demo/{each}" for each in made)
    assert seed["creates"] == f"/srv/data/arizuko_demo/{line.database}"


def test_T14_api_port_in_the_instances_dotenv_does_not_reach_gated(a_pod):
    pod = a_pod(env={"CHANNEL_SECRET": "the-real-one"}).wait_ready()
    assert "API_PORT=8080" in (pod.data / ".env").read_text(), "the seed is to write one"
    assert pod.environ("gated")["API_PORT"] == "9080"
    assert pod.get("/health", 9080)[1].startswith('{"status":"ok"')
    for service in ("gated", "proxyd", "webd"):
        assert pod.environ(service)["CHANNEL_SECRET"] == "the-real-one"
        cwd = os.readlink(f"/proc/{pod.outer_pid_of(service)}/cwd")
        assert os.listdir(cwd) == [], f"{service} finds something in {cwd}"


def test_T15_seed_and_daemons_run_under_one_uid(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    uids = {open(f"/proc/{pid}/status").read().split("Uid:\t")[1].split("\n")[0] for pid in pod.processes()}
    assert uids == {"1000\t1000\t1000\t1000"}
    for path in (*line.databases, ".env", "groups/main"):
        assert (pod.data / path).stat().st_uid == 1000, path
    assert {s["user"] for s in check(plan=line.plan)["services"]} == {None}


def test_T15_a_data_directory_that_cannot_be_written_ends_the_run_with_77(a_pod):
    pod = a_pod(start=False)
    os.chown(pod.data, 0, 0)
    assert pod.start().wait_exit() == 77
    reason = pod.termination()["reason"]
    assert "uid 1000" in reason and str(pod.data) in reason and "0:0" in reason


# Waits no longer for the lock than it must.
IMPATIENT = """
[pod]
instance = "demo"
ready_when = []
grace = "1s"
[service.main]
command = ["/bin/sleep", "1000"]
stop = { timeout = "500ms", leftovers = "100ms" }
"""


def test_T25_a_second_instance_on_one_data_directory_ends_with_77_and_names_the_first(a_pod):
    first = a_pod().wait_ready()
    children = set(first.processes())
    second = own_plan(a_pod, IMPATIENT, data=first.data).start()
    assert second.wait_exit(20) == 77
    assert "pid 1 on host" in second.termination()["reason"]
    assert set(first.processes()) == children and "main" not in second.logged()


def test_T25_the_lock_dies_with_its_holder(a_pod):
    first = a_pod().wait_ready()
    os.kill(first.pid1, 9)
    first.process.wait(10)
    assert first.start().wait_ready()


def test_T38_a_plan_whose_socket_path_is_longer_than_107_bytes_is_refused():
    data = "/srv/data/" + "x" * 85
    problems = check("--set", f"pod.data_dir={data}", "--set", 'service.gated.ready.socket="${pod.data_dir}/ipc/gated.sock"',
                     code=78)["problems"]
    assert any("107" in p["what"] and "socket" in p["key"] for p in problems), problems
    check("--set", f"pod.data_dir={data[:-20]}")


def test_T39_a_program_whose_loader_is_missing_fails_with_the_stage_and_the_path_named(a_pod):
    pod = own_plan(a_pod, '''[service.gated]
command = ["{bin}/gated"]
essential = true
restart = { budget = 2, delay = "10ms" }
''')
    program = pod.program("gated", "")
    # A glibc program on a musl base: the file is there, what it names as its interpreter is not.
    with open("/bin/true", "rb") as source:
        elf = source.read()
    at = elf.index(b"/lib64/ld-linux") if b"/lib64/ld-linux" in elf else elf.index(b"/lib/ld-linux")
    program.write_bytes(elf[:at] + b"/no" + elf[at + 3:])
    assert pod.start().wait_exit() == 75
    reason = pod.termination()["reason"]
    assert "executing" in reason and str(program) in reason and "ENOENT" in reason, reason
    assert "loader" in reason or "interpreter" in reason, "it looks as if the file were missing"
    wait_for("it in the log, too", lambda: "executing" in pod.logged())


@pytest.mark.parametrize("name", ["my bot", "telegram"])
def test_T33_doctor_names_an_assistant_name_that_does_harm(a_pod, name):
    pod = a_pod(env={"ASSISTANT_NAME": "ari"}).wait_ready()
    words = ["doctor", "--rehearse", "--json", "--plan", str(STOCK_PLAN), "--set", f"pod.data_dir={pod.data}"]
    quiet = json.loads(pod.inside("env", "ASSISTANT_NAME=ari", str(INIT), *words).stdout)
    loud = json.loads(pod.inside("env", f"ASSISTANT_NAME={name}", str(INIT), *words).stdout)
    of = lambda answer: [each for each in answer["findings"] if each["check"] == "assistant-name"]
    assert of(quiet) == [] and len(of(loud)) == 1, (quiet, loud)


def test_T40_agents_that_are_off_or_failing_are_said_by_status_why_page_and_metrics(a_pod):
    pod = a_pod(start=False, env={"CONTAINER_BACKEND": "none"}, options=sets(service__gated__env__REHEARSAL_DOCKER="1"))
    pod.bin_dir.mkdir()
    (pod.bin_dir / "docker").symlink_to(BUILD / "arizuko-docker")
    pod.options += ["--set", f'service.gated.env.PATH="{pod.bin_dir}:/usr/bin:/bin"']
    pod.start().wait_ready()
    off = "Agents are off for"
    assert off in pod.ctl("status").stdout and off in pod.ctl("why").stdout and off in pod.get("/", 9091)[1]
    assert pod.metric("arizuko_init_agents_off") == 1
    now = int(time.time() * 1000)
    pod.write(pod.data / ".arizuko-init" / "agents.json", json.dumps({"backend": "kubernetes", "groups": [
        {"group": "main", "failures": 9, "since": now - 120_000, "last": now, "reason": "403 \x1b[31mForbidden"}]}))
    failing = "Agents of group main have failed 9 times in a row for 2 min"
    assert failing in pod.ctl("status").stdout and failing in pod.ctl("why").stdout and failing in pod.get("/", 9091)[1]
    assert "\x1b" not in pod.ctl("why").stdout
    assert pod.metric('arizuko_init_agents_failures{group="main"}') == 9 and pod.metric("arizuko_init_agents_off") == 0
