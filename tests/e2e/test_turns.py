"""A turn of the loop is bounded, whatever happens in it: the others get theirs."""
import signal

from pod import own_plan, wait_for

# What is read of all logs before somebody else is due; an answer of HTTP takes a few such turns.
LINES_A_TURN = 2048


def lines_between_two_answers(pod):
    """How many log lines were taken while one request was answered."""
    before = pod.metric("arizuko_init_log_lines_total")
    return pod.metric("arizuko_init_log_lines_total") - before


def flooding(a_pod, how_many=1):
    floods = "".join(f"""[service.floods{i}]
command = ["yes", ""]
drop = ["\\u0001"]
""" for i in range(how_many))
    pod = own_plan(a_pod, floods + """[service.quiet]
command = ["sleep", "1000"]
restart.delay = "0s"
""")
    pod.start().wait_service("quiet", "ready")
    wait_for("the flood", lambda: pod.metric("arizuko_init_log_lines_total") > 100_000)
    return pod


def test_who_writes_bare_newlines_does_not_hold_up_a_probe(a_pod):
    pod = flooding(a_pod)
    assert sorted(lines_between_two_answers(pod) for _ in range(9))[4] < 100 * LINES_A_TURN
    assert pod.get("/livez")[0] == 200


def test_eight_that_write_bare_newlines_hold_up_neither_a_probe_nor_a_neighbours_restart(a_pod):
    pod = flooding(a_pod, how_many=8)
    assert sorted(lines_between_two_answers(pod) for _ in range(9))[4] < 100 * LINES_A_TURN
    seq = pod.last_seq()
    before = pod.metric("arizuko_init_log_lines_total")
    pod.kill("quiet")
    pod.wait_event(lambda e: e["service"] == "quiet" and e["event"] == "spawned", "the restart", after=seq)
    assert pod.metric("arizuko_init_log_lines_total") - before < 200 * LINES_A_TURN
    assert pod.stop() == 0


def test_a_command_that_is_not_there_is_no_hot_loop_whatever_delay_and_budget_say(a_pod):
    pod = own_plan(a_pod, """[service.absent]
command = ["/nonexist"]
restart = { delay = "0s", budget = 0 }
[service.stays]
command = ["sleep", "1000"]
""")
    pod.start().wait_service("stays", "ready")
    pod.wait_event(lambda e: e["service"] == "absent" and e["event"] == "spawn-failed")
    assert pod.get("/livez")[0] == 200
    wait_for("the fifth try", lambda: len(tries(pod)) >= 5)
    # 0.1, 0.2, 0.4 s ...: between the first and the fifth lie 1.5 s, whatever the machine does.
    assert pod.service("absent")["state"] == "backoff"
    assert pod.stop() == 0


def tries(pod):
    return [e for e in pod.events() if e["service"] == "absent" and e["code"] == "spawn-failed"]


def test_a_service_that_ends_at_once_without_a_pause_and_for_ever_fills_no_log(a_pod):
    pod = own_plan(a_pod, """[service.quick]
command = ["true"]
restart = { delay = "0s", budget = 0 }
[service.stays]
command = ["sleep", "1000"]
""")
    pod.start().wait_service("stays", "ready")
    pod.wait_event(lambda e: e["service"] == "quick" and e["to"] == "backoff", "the first pause")
    assert pod.service("quick")["restarts"] >= 50  # so many are at once
    assert pod.get("/livez")[0] == 200
    assert pod.stop() == 0


# Ready by a line of its log, within a second and a half. It writes the line when it is told to, and says later.
READY_MEANWHILE = """[service.late]
command = ["{bin}/late"]
ready.log = "here I am"
ready.within = "1500ms"
restart.when = "never"
"""


def test_what_a_daemon_wrote_while_pid_1_was_stopped_is_read_before_its_time_is_judged(a_pod):
    pod = own_plan(a_pod, READY_MEANWHILE)
    told, late = pod.data / "told", pod.data / "late"
    pod.program("late", f"""#!/bin/sh
until [ -e {told} ]; do sleep 0.01; done
echo here I am
sleep 3
touch {late}
exec sleep 1000
""")
    pod.start()
    pod.wait_event(lambda e: e["service"] == "late" and e["event"] == "spawned")
    pod.signal(signal.SIGSTOP)
    told.touch()
    wait_for("its time to be over", late.exists)
    pod.signal(signal.SIGCONT)
    pod.wait_service("late", "ready")
    assert not [e for e in pod.events() if e["to"] == "stopping"]
    assert pod.stop() == 0


def test_what_ended_while_pid_1_was_stopped_is_not_killed_for_its_time(a_pod):
    pod = own_plan(a_pod, """[service.slow]
command = ["{bin}/slow"]
stop.timeout = "1500ms"
""")
    late = pod.data / "late"
    pod.program("slow", f"""#!/bin/sh
trap 'sleep 1; (sleep 2; touch {late}) & exit 0' TERM
echo up
while :; do sleep 0.01; done
""")
    pod.start().wait_service("slow", "ready")
    pod.wait_logged("up")
    seq = pod.last_seq()
    pod.ctl("restart", "slow")
    pod.wait_event(lambda e: e["code"] == "signal-sent", after=seq)
    pod.signal(signal.SIGSTOP)
    wait_for("its time to be over", late.exists)
    pod.signal(signal.SIGCONT)
    pod.wait_event(lambda e: e["code"] == "ended-well", "its end", after=seq)
    killed = [e for e in pod.events(seq) if e["code"] == "killed" and "main process" in e["cause"]]
    assert not killed, killed
