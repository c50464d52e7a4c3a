"""Restarts: what comes back, what comes back with it, and what must be gone before."""
import os
import signal

import pytest

from lines import GATED, TODAY
from pod import position, seconds_of, sets, states_of, wait_for

APART = {"timed", "dashd", "proxyd"}  # after the gate, and nothing that it would forget


def test_kill_9_of_the_gate_brings_it_back_and_then_exactly_what_is_bound_to_it(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    gate = line.gate
    below = {each for each in line.first if each not in ("seed", gate)}
    seq = pod.last_seq()
    old = {s["name"]: s["pid"] for s in pod.status()["services"]}
    pod.kill(gate)
    for service in line.bound:
        pod.wait_event(lambda e: e["service"] == service and e["event"] == "spawned", f"{service} again", after=seq)
    pod.wait_ready()
    events = pod.events(seq)
    again = position(events, gate, "ready")
    for service in line.bound:
        spawned = [i for i, e in enumerate(events) if e["service"] == service and e["event"] == "spawned"]
        assert len(spawned) == 1, f"{service} was started {len(spawned)} times"
        assert spawned[0] > again, f"{service} started before {gate} was ready again"
    now = {s["name"]: (s["pid"], s["restarts"]) for s in pod.status()["services"]}
    for service in APART | below:
        assert now[service] == (old[service], 0), f"{service} was restarted, though nothing is bound"
    for service in line.bound | {gate}:
        assert now[service][0] != old[service] and now[service][1] == 1
    cause = next(e["cause"] for e in events if e["service"] == "teled" and e["to"] == "stopping")
    assert gate in cause, "the restart's cause does not name the gate"


def test_a_message_reaches_the_gates_database_and_does_again_after_kill_9_of_the_gate(a_pod, line):
    # With its values from outside, for the made-up CHANNEL_SECRET gives way to the seed's .env.
    pod = a_pod(line=line, env={"CHANNEL_SECRET": "the-channel-secret"} if line is GATED else {}).wait_ready()

    def send(text):
        return pod.post("/v1/rehearsal/inbound", {"text": text, "sender": "ada", "jid": "telegram:7"}, 9001)

    assert send("one")[0] == 200
    stored = pod.rows("SELECT chat_jid, sender, content, source FROM messages")
    assert ("telegram:7", "ada", "one", "telegram") in stored
    seq = pod.last_seq()
    pod.kill(line.gate)
    pod.wait_event(lambda e: e["service"] == "teled" and e["event"] == "spawned", "teled again", after=seq)
    pod.wait_ready()
    # Out first: nothing came in since, so nothing but the restart can have registered the channels anew (T6).
    assert line.channels(pod) == {"telegram", "slack", "web"}
    assert pod.post("/v1/outbound", {"jid": "telegram:7", "text": "back"}, 9080, line.bearer(pod))[0] == 200
    assert "back" in pod.get("/v1/rehearsal/outbound", 9001)[1]
    assert send("two")[0] == 200
    assert pod.rows("SELECT content FROM messages WHERE content = 'two'") == [("two",)]


@pytest.mark.parametrize("below", ["authd", "runed"])
def test_what_todays_gate_stands_on_comes_back_alone_and_messages_flow_meanwhile(a_pod, below):
    pod = a_pod(line=TODAY, options=sets(**{f"service__{below}__restart__stable": "10ms"})).wait_ready()
    send = lambda text: pod.post("/v1/rehearsal/inbound", {"text": text, "jid": "telegram:7"}, 9001)[0]
    assert send("before") == 200
    pod.fault(below, "slow-boot 500")
    seq = pod.last_seq()
    pod.kill(below)
    pod.wait_state_event(below, "starting", seq)
    assert send("meanwhile") == 200
    pod.wait_state_event(below, "ready", seq)
    assert send("after") == 200
    assert {e["service"] for e in pod.events(seq) if e["event"] in ("exited", "spawned")} == {below}
    assert TODAY.channels(pod) == {"telegram", "slack", "web"}


def test_a_killed_adapter_comes_back_alone(a_pod):
    pod = a_pod().wait_ready()
    seq = pod.last_seq()
    pod.kill("teled")
    pod.wait_state_event("teled", "ready", seq)
    spawned = [e["service"] for e in pod.events(seq) if e["event"] == "spawned"]
    assert spawned == ["teled"]
    assert pod.metric('arizuko_init_service_exits_total{service="teled",code="SIGKILL"}') == 1
    assert pod.metric('arizuko_init_service_restarts_total{service="teled"}') == 1


def test_a_service_that_was_stable_is_restarted_at_once_and_then_with_growing_back_off(a_pod):
    pod = a_pod(options=sets(service__dashd__restart__stable="1ms", service__dashd__restart__delay="200ms",
                             service__dashd__restart__factor=2.0, service__dashd__restart__jitter=0.0)).wait_ready()
    pod.fault("dashd", "crash-at-boot")
    seq = pod.last_seq()
    pod.kill("dashd")
    pod.wait_event(lambda e: e["service"] == "dashd" and e["to"] == "backoff", "a back-off", after=seq)

    def three_restarts():
        """From each end to the next process, the events of dashd."""
        found = []
        for event in pod.events(seq):
            if event["service"] == "dashd" and event["event"] == "exited":
                found.append([event])
            elif event["service"] == "dashd" and found:
                found[-1].append(event)
        whole = [each for each in found if each[-1]["event"] == "spawned"]
        return whole[:3] if len(whole) >= 3 else None

    at_once, first, second = wait_for("three restarts", three_restarts)
    assert [e["to"] for e in at_once[1:-1]] == ["waiting", "starting"], "a stable service does not back off"
    for restart, least in ((first, 0.195), (second, 0.395)):  # events carry whole milliseconds
        assert [e["to"] for e in restart[1:-1]] == ["backoff", "waiting", "starting"]
        assert seconds_of(restart[-1]) - seconds_of(restart[0]) >= least


def test_timed_on_8080_does_not_pass_for_gated_and_status_says_who_holds_it(a_pod):
    # The trap's own arrangement: gated at its default port, timed there first, and any body will do.
    pod = a_pod(options=sets(
        pod__grace="60s", service__gated__port=8080, service__timed__port=8081, service__timed__after=["seed"],
        service__timed__ready__http__url="http://127.0.0.1:8080/health", service__gated__after=["timed"],
        service__gated__ready__http__contains="ok", service__gated__ready__within="1500ms",
        service__gated__restart__budget=2, service__gated__restart__delay="50ms"))
    # Every condition but the one that another's listener answers for.
    pod.wait_event(lambda e: e["service"] == "gated" and 'log "arizuko running" holds' in e["cause"])
    assert pod.get("/health", 8080) == (200, "ok"), "timed is to answer here"

    def held():
        gated = pod.service("gated")
        return gated if any("timed" in each for each in gated["waiting_for"]) else None

    gated = wait_for("status to name the holder of the port", held, 3)
    assert gated["state"] == "starting"
    assert f"held by timed (pid {pod.service('timed')['pid']})" in " ".join(gated["waiting_for"])
    assert "timed" in pod.ctl("why", "gated").stdout
    assert pod.service("teled")["state"] == "waiting"
    assert pod.wait_exit() == 69
    reason = pod.termination()["reason"]
    assert "held by timed" in reason, reason


# --- runaways

def leftover(pod):
    return [pid for pid, name in pod.processes().items()
            if b"runaway" in open(f"/proc/{pid}/cmdline", "rb").read()]


def runaway_is_gone_before_the_next_run(a_pod, fault):
    pod = a_pod(options=sets(service__dashd__restart__stable="10ms", service__dashd__restart__delay="10ms",
                             service__dashd__stop__leftovers="700ms")).wait_ready()
    pod.fault("dashd", fault)
    (runaway,) = wait_for("the runaway", lambda: leftover(pod))
    seq = pod.last_seq()
    pod.fault("dashd", "")
    pod.kill("dashd")
    pod.wait_event(lambda e: e["service"] == "dashd" and e["event"] == "spawned", "dashd again", after=seq)
    assert not os.path.exists(f"/proc/{runaway}") or leftover(pod) == [], "started beside its last run's leftover"
    events = [e for e in pod.events(seq) if e["service"] == "dashd"]
    ended = next(e for e in events if e["event"] == "exited")
    spawned = next(e for e in events if e["event"] == "spawned")
    # It takes no SIGTERM: the next run had to wait for what the plan gives leftovers.
    assert seconds_of(spawned) - seconds_of(ended) >= 0.65
    killed = next(e for e in events if e["event"] == "signal" and "SIGKILL" in e["cause"])
    assert ended["seq"] < killed["seq"] < spawned["seq"]
    pod.wait_ready()
    assert pod.metric("arizuko_init_orphans_reaped_total") >= 1
    # No other service was touched.
    assert {e["service"] for e in pod.events(seq) if e["event"] == "spawned"} == {"dashd"}


def test_a_runaway_in_a_session_of_its_own_is_gone_before_the_next_run(a_pod):
    runaway_is_gone_before_the_next_run(a_pod, "flee")


def test_a_runaway_with_a_clean_environment_is_gone_before_the_next_run(a_pod):
    runaway_is_gone_before_the_next_run(a_pod, "flee-clean-env")


def test_a_thousand_orphans_are_reaped_and_counted(a_pod):
    pod = a_pod().wait_ready()
    before = pod.metric("arizuko_init_orphans_reaped_total")
    pod.fault("teled", "orphans 1000")
    wait_for("1000 orphans in /metrics", lambda: pod.metric("arizuko_init_orphans_reaped_total") - before >= 1000)
    wait_for("no zombie left", lambda: not pod.zombies(), 5)
    assert pod.service("teled")["restarts"] == 0
    assert pod.ctl("status").returncode == 0
    # Only what ended was taken: no main process's exit was eaten.
    seq = pod.last_seq()
    pod.kill("teled")
    pod.wait_state_event("teled", "ready", seq)


def test_an_unhealthy_gated_is_restarted_by_its_liveness(a_pod):
    pod = a_pod(options=sets(service__gated__live__http__every="50ms", service__gated__live__http__timeout="200ms",
                             service__gated__live__http__failures=2)).wait_ready()
    seq = pod.last_seq()
    old = pod.service("gated")["pid"]
    pod.fault("gated", "hang-health")
    pod.wait_event(lambda e: e["service"] == "gated" and e["to"] == "stopping", "gated to be stopped", after=seq)
    pod.fault("gated", "")
    pod.wait_state_event("gated", "ready", seq)
    pod.wait_ready()
    assert pod.service("gated")["pid"] != old
    stopping = next(e for e in pod.events(seq) if e["service"] == "gated" and e["to"] == "stopping")
    assert "/health" in stopping["cause"]


def test_gated_down_for_long_leaves_the_adapters_waiting_and_not_crashing(a_pod):
    pod = a_pod().wait_ready()
    pod.fault("gated", "hang-at-boot")
    seq = pod.last_seq()
    pod.kill("gated")
    pod.wait_state_event("gated", "starting", seq)
    pod.kill("teled", signal.SIGKILL)
    waiting = pod.wait_service("teled", "waiting")
    assert any("gated" in each for each in waiting["waiting_for"])
    assert pod.get("/readyz")[0] == 503 and pod.get("/livez")[0] == 200
    assert "gated" in pod.get("/readyz")[1]
    assert pod.metric('arizuko_init_service_failures{service="teled"}') == 0
    pod.fault("gated", "")
    pod.kill("gated")
    pod.wait_ready()
    assert states_of(pod.events(seq), "teled")[-2:] == ["starting", "ready"]
