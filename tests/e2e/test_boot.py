"""From the first process to an open pod: order, the gate, seeding, and what refuses a run."""
import json
import os
import signal
import stat

import pytest

from lines import GATED, TODAY
from pod import UID, Pod, check, own_plan, position, sets, states_of, wait_for

CORE = GATED.core


def test_everything_of_the_stock_plan_comes_up_in_order(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    events = pod.events()
    for before, service in zip(line.first, line.first[1:]):
        there = position(events, before, "done" if before == "seed" else "ready")
        assert there < position(events, service, "starting"), f"{service} starts before {before} is there"
    gate = position(events, line.gate, "ready")
    for service in line.core:
        assert gate < position(events, service, "starting"), f"{service} starts before {line.gate} is ready"
    spawns = [e["service"] for e in events if e["event"] == "spawned"]
    count = len(line.first)
    assert spawns[:count] == list(line.first) and sorted(spawns[count:]) == sorted(line.core)
    up = {*line.first[1:], *line.core}
    for service in up:
        assert states_of(events, service) == ["starting", "ready"]
    state = {s["name"]: s["state"] for s in pod.status()["services"]}
    assert {name for name, its in state.items() if its == "ready"} == up
    assert {state[name] for name in state if name not in ("seed", *up)} == {"off"}
    assert state["seed"] == "done"
    # Side by side: one that waited for another would be spawned after that one was ready.
    for group in line.together:
        spawned = [i for i, e in enumerate(events) if e["event"] == "spawned" and e["service"] in group]
        assert len(spawned) == len(group)
        assert max(spawned) < min(position(events, service, "ready") for service in group)


def test_seq_of_events_has_no_gap(a_pod):
    events = a_pod().wait_ready().events()
    assert [e["seq"] for e in events] == list(range(1, len(events) + 1))


def test_the_supervisor_is_pid_1_without_any_privilege(a_pod):
    pod = a_pod().wait_ready()
    lines = dict(line.split(":\t", 1) for line in open(f"/proc/{pod.pid1}/status").read().splitlines() if ":\t" in line)
    assert lines["NSpid"].split()[-1] == "1"
    assert set(lines["Uid"].split()) == {"1000"}
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
    assert lines["NoNewPrivs"] == "1"
    assert pod.inside("sh", "-c", "echo x > /var/tmp/x").returncode != 0, "the root is not read-only in this test"


def test_nothing_is_written_but_below_the_data_directory(a_pod, line):
    """The read-only root would refuse it; whatever can be written beside the volume stays empty."""
    pod = a_pod(line=line).wait_ready()
    assert pod.stop() == 0
    assert sorted(p.name for p in pod.out.iterdir()) == ["termination-log"]
    assert [p.name for p in (pod.base / "data").iterdir()] == ["arizuko_demo"]
    assert pod.errors() == ""


def of(service, **keys):
    """--set options for keys of one service."""
    return sets(**{f"service__{service}__{key}": value for key, value in keys.items()})


def test_a_gate_that_hangs_ends_the_run_with_69(a_pod, line):
    pod = a_pod(line=line, start=False, options=of(line.gate, ready__within="600ms", restart__budget=2, restart__delay="10ms"))
    pod.fault(line.gate, "hang-at-boot")
    assert pod.start().wait_exit() == 69
    message = pod.termination()
    assert message["exit_code"] == 69 and message["state"] == "ended"
    assert "the gate never opened" in message["reason"] and line.gate in message["reason"]
    assert line.hangs_on in message["reason"], "it does not say which condition was missing"
    assert line.gate in pod.errors()
    spawned = {json.loads(each)["service"] for each in pod.logged().splitlines()} - {"arizuko-init"}
    assert spawned == set(line.first), "something started behind a closed gate"


@pytest.mark.parametrize("line, service", [(GATED, "gated"), (TODAY, "routd"), (TODAY, "runed"), (TODAY, "authd")],
                         ids=lambda each: getattr(each, "name", each))
def test_an_essential_crash_loop_ends_the_run_with_75(a_pod, line, service):
    pod = a_pod(line=line, options=of(service, restart__budget=3, restart__delay="10ms", restart__max_delay="20ms")).wait_ready()
    pod.fault(service, "exit-at-boot 9")
    pod.kill(service)
    assert pod.wait_exit() == 75
    message = pod.termination()
    assert message["exit_code"] == 75
    assert f"{service} has failed" in message["reason"] and "code 9" in message["reason"]
    assert any(service in each for each in message["last_lines"]), "its last words are not in the message"
    assert len(pod.termination_log.read_bytes()) <= 4096


def test_a_service_that_is_not_essential_fails_alone(a_pod):
    pod = a_pod(options=sets(service__dashd__restart__budget=3, service__dashd__restart__delay="10ms",
                             service__dashd__restart__max_delay="20ms")).wait_ready()
    pod.fault("dashd", "crash-at-boot")
    pod.kill("dashd")
    failed = pod.wait_service("dashd", "failed")
    assert "SIGABRT" in failed["cause"] or "signal 6" in failed["cause"]
    assert pod.get("/readyz")[0] == 200
    assert pod.ctl("status").returncode == 1
    assert pod.service("gated")["restarts"] == 0
    # An operator's start is a new chance.
    pod.fault("dashd", "")
    assert pod.ctl("start", "--wait", "20", "dashd").returncode == 0
    assert pod.service("dashd")["state"] == "ready"


# --- seeding

def test_a_seed_that_fails_ends_the_run_with_73_and_its_last_words(a_pod):
    pod = a_pod(start=False)
    pod.fault("arizuko", "exit-at-boot 4")
    assert pod.start().wait_exit() == 73
    message = pod.termination()
    assert message["exit_code"] == 73
    assert "seed" in message["reason"] and "code 4" in message["reason"]
    assert any("exit-at-boot" in line for line in message["last_lines"])
    assert "gated" not in {json.loads(line)["service"] for line in pod.logged().splitlines()}


def test_a_second_boot_does_not_seed_again(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    before = (pod.data / ".env").read_text()
    pod.stop()
    pod.start().wait_ready()
    events = pod.events()
    assert not [e for e in events if e["service"] == "seed" and e["event"] == "spawned"]
    assert states_of(events, "seed")[-1] == "done"
    assert (pod.data / ".env").read_text() == before


def test_a_seed_cut_short_by_kill_9_of_pid_1_runs_again(a_pod, line):
    """The database is there by then: `creates` alone would take a half seeded directory for a good one."""
    pod = a_pod(line=line, start=False, options=sets(pod__path="/usr/bin:/bin"))
    pod.fault("arizuko", "hang-at-boot")
    pod.start().wait_event(lambda e: e["service"] == "seed" and e["event"] == "spawned")
    pod.wait_logged("rehearsal of arizuko create")
    database = pod.data / line.database
    assert not database.exists()
    os.kill(pod.pid1, signal.SIGKILL)
    pod.process.wait(10)
    # As far as a real one could have come.
    database.parent.parent.mkdir(exist_ok=True)
    os.chown(database.parent.parent, UID, UID)
    pod.write(database, "")
    pod.fault("arizuko", "")
    pod.start().wait_ready()
    assert [e for e in pod.events() if e["service"] == "seed" and e["event"] == "spawned"], "it did not seed again"
    assert pod.rows("SELECT folder FROM groups") == [("main",)]
    pod.wait_logged("cut short")


def test_a_seed_that_hangs_ends_the_run(a_pod):
    pod = a_pod(start=False, options=sets(task__seed__within="500ms"))
    pod.fault("arizuko", "hang-at-boot")
    assert pod.start().wait_exit() == 73
    assert "seed" in pod.termination()["reason"]


# --- what refuses a run

# Waits no longer for the lock than it must.
IMPATIENT = """
[pod]
instance = "demo"
ready_when = ["main"]
grace = "1s"
[service.main]
command = ["/bin/sleep", "1000"]
stop = { timeout = "500ms", leftovers = "100ms" }
"""


def test_two_instances_on_one_data_directory_the_second_ends_with_77_and_names_the_holder(a_pod):
    first = a_pod().wait_ready()
    second = own_plan(a_pod, IMPATIENT, data=first.data).start()
    assert second.wait_exit(20) == 77
    message = second.termination()
    assert message["exit_code"] == 77
    assert str(first.data) in message["reason"] and "pid 1 on host" in message["reason"]
    assert message["reason"] in second.errors()
    assert "has not ended within 6.0 s" in message["reason"]
    assert "main" not in second.logged(), "it started something before it had the lock"
    assert first.ctl("status").returncode == 0
    first.stop()
    assert second.start().wait_ready(), "the lock outlived its holder"


def test_a_wrong_plan_is_refused_with_all_its_errors_and_78(a_pod):
    pod = a_pod(start=False)
    pod.write_plan('[pod]\ninstanc = "x"\n[service.a]\ncommand = "not a list"\nport = 7\n'
                   '[service.b]\ncommand = ["b"]\nport = 7\nafter = ["c"]\n')
    assert pod.start().wait_exit() == 78
    errors = pod.errors()
    for what in ("plan.toml:2:", "instance", "plan.toml:4:", "plan.toml:8:", "port"):
        assert what in errors, f"{what} is not in:\n{errors}"
    assert pod.logged() == ""


def real_pod(a_pod, **options):
    """The stock plan without --rehearse: its commands are found by name on pod.path, as in the image."""
    pod = a_pod(start=False, rehearse=False, **options)
    for name in ("arizuko", "gated", *CORE):
        pod.program(name)
    pod.options += ["--set", f"pod.path={pod.bin_dir}:/usr/bin:/bin"]
    return pod


def test_a_missing_channel_secret_ends_the_run_with_78_naming_service_and_key(a_pod):
    pod = real_pod(a_pod)
    pod.options += sets(env__generated=False)
    assert pod.start().wait_exit() == 78
    reason = pod.termination()["reason"]
    assert "CHANNEL_SECRET (for seed, gated, " in reason and reason.count("CHANNEL_SECRET") == 1, "said once, not once a service"
    assert not (pod.data / "store").exists(), "something was started"


def test_without_rehearse_the_programs_of_the_path_run_and_only_what_lacks_a_value_is_blocked(a_pod):
    pod = real_pod(a_pod, env={"CHANNEL_SECRET": "c", "TELEGRAM_BOT_TOKEN": "t", "SLACK_BOT_TOKEN": "s"})
    pod.options += sets(env__generated__PROXYD_HMAC_SECRET=False)
    pod.start()
    for service in ("gated", "timed", "dashd", "proxyd", "teled"):
        pod.wait_service(service, "ready")
    blocked = {s["name"]: s["cause"] for s in pod.status()["services"] if s["state"] == "blocked"}
    assert set(blocked) == {"webd", "slakd"}
    assert pod.service("onbod")["state"] == "off" and pod.service("discd")["state"] == "off"
    assert "PROXYD_HMAC_SECRET" in blocked["webd"] and "SLACK_SIGNING_SECRET" in blocked["slakd"]
    assert pod.ctl("status").returncode == 1, "a blocked service is not well"
    assert pod.get("/readyz")[0] == 200
    assert "SLACK_SIGNING_SECRET" in pod.ctl("why", "slakd").stdout


def test_a_program_that_is_not_there_fails_with_its_name_and_the_stage(a_pod):
    pod = real_pod(a_pod, env={"CHANNEL_SECRET": "c"})
    (pod.bin_dir / "gated").unlink()
    pod.options += sets(service__gated__restart__budget=2, service__gated__restart__delay="10ms")
    assert pod.start().wait_exit() == 75
    reason = pod.termination()["reason"]
    assert "finding the program" in reason and f"gated in PATH /usr/local/lib/arizuko-init/bin:{pod.bin_dir}:" in reason, reason


def test_a_taken_probe_address_ends_the_run_with_78(a_pod):
    pod = a_pod(start=False)
    pod.write_plan('[service.a]\ncommand = ["sleep", "1000"]\n')
    pod.options += sets(pod__probes="127.0.0.1:1", pod__page="off")  # a port that needs a capability
    assert pod.start().wait_exit() == 78
    assert "127.0.0.1:1" in pod.errors() and "pod.probes" in pod.errors()


# --- probes while booting

def test_probes_tell_the_way_up(a_pod):
    pod = a_pod(start=False)
    pod.fault("gated", "slow-boot 1500")
    pod.start()
    pod.wait_service("gated", "starting")
    assert pod.get("/livez") == (200, "ok\n")
    for path in ("/startupz", "/readyz"):
        status, text = pod.get(path)
        assert status == 503 and "gated" in text, (path, status, text)
    assert pod.get("/health")[0] == 200 and json.loads(pod.get("/health")[1])["ready"] is False
    assert pod.metric("arizuko_init_pod_ready") == 0
    assert pod.termination()["state"] == "booting", "what would survive a SIGKILL now"
    pod.wait_ready()
    for path in ("/livez", "/startupz", "/readyz"):
        assert pod.get(path) == (200, "ok\n")
    assert pod.metric("arizuko_init_pod_ready") == 1
    assert pod.get("/nothing")[0] == 404
    assert pod.get("/readyz", method="POST")[0] == 405


def test_the_data_directory_keeps_the_files_of_the_documentation(a_pod):
    pod = a_pod().wait_ready()
    own = pod.data / ".arizuko-init"
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert "pid 1\n" in (own / "lock").read_text()
    assert list((own / "cwd").iterdir()) == []
    assert not (own / "seed.begun").exists(), "the seed is still marked as cut short"


def test_check_and_run_agree_on_the_plan(line):
    names = [each["name"] for each in check(plan=line.plan)["services"]]
    with Pod(line=line) as pod:
        wait_for("an answer", pod.status)
        assert [each["name"] for each in pod.status()["services"]] == names
