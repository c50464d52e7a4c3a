"""AUTH_SECRET is never changed unasked: not in a running instance, and not over a new start of the pod (T16)."""
import json

import pytest

from pod import fill, own_plan, wait_for
from secret_volume import FIRST, outcome, pids, pod_with_secret, rotating_pod

SECOND = FIRST | {"AUTH_SECRET": "auth-two"}


@pytest.fixture
def rotating(a_pod):
    return rotating_pod(a_pod)


def start_again(a_pod, pod, values, env=None):
    """Ends the pod and starts another one on its data, with these values."""
    assert pod.stop() == 0
    return pod_with_secret(a_pod, values, data=pod.data, env=env, line=pod.line)


def is_blocked(pod, gate="gated"):
    wait_for(f"{gate} to be blocked", lambda: (pod.service(gate) or {}).get("state") == "blocked")
    return pod


def test_a_held_value_is_taken_when_the_operator_accepts_it(a_pod, line):
    rotating, key, gate = rotating_pod(a_pod, line=line), line.guarded, line.gate
    rotating.secret.write(line.secrets | {key: "auth-two"})
    wait_for("the value to be held back", lambda: rotating.secrets()["held"])
    assert rotating.metric("arizuko_init_guarded_keys_held") == 1
    shown = rotating.ctl("secrets").stdout
    assert f"held back: {key} (changed by generation" in shown
    fingerprint = next(k["fingerprint"] for k in rotating.secrets()["keys"] if k["name"] == key)
    before = pids(rotating)
    accepted = rotating.ctl("secrets", "accept", key)
    assert accepted.returncode == 0, accepted.stderr
    rotation = outcome(rotating, rotating.secrets()["rotation"]["generation"])
    assert rotation["outcome"] == "applied" and set(line.guards) <= set(rotation["services"])
    assert rotating.environ(gate)[key] == "auth-two"
    assert before[gate] != pids(rotating)[gate]
    page = rotating.secrets()
    assert page["held"] == []
    assert next(k["fingerprint"] for k in page["keys"] if k["name"] == key) != fingerprint
    assert rotating.ctl("secrets", "accept", key).returncode == 1, "nothing is held back any more"


def test_what_cannot_be_accepted_is_said(rotating):
    done = rotating.ctl("secrets", "accept", "SLACK_BOT_TOKEN")
    assert done.returncode == 1 and "SLACK_BOT_TOKEN is not held back; nothing is" in done.stderr
    done = rotating.ctl("secrets", "accept", "NOBODY_TAKES_ME")
    assert done.returncode == 1 and "no service takes a key NOBODY_TAKES_ME" in done.stderr
    done = rotating.ctl("secrets", "retry")
    assert done.returncode == 1 and "nothing is held back that could be tried again" in done.stderr
    done = rotating.ctl("secrets", "accept", "AUTH_SECRET")
    assert done.returncode == 1 and "AUTH_SECRET is not held back; nothing is" in done.stderr
    assert rotating.ctl("secrets", "accept").returncode == 64


def test_a_value_that_changed_between_two_pods_blocks_the_gate_until_it_is_accepted(a_pod, line):
    key, gate, second = line.guarded, line.gate, line.secrets | {line.guarded: "auth-two"}
    again = start_again(a_pod, rotating_pod(a_pod, line=line), second)
    is_blocked(again, gate)
    why = again.ctl("why", gate).stdout
    assert f"{key} was changed since the last run, and nobody has accepted it" in why
    assert again.get("/readyz")[0] == 503 and again.get("/livez")[0] == 200
    event = next(e for e in again.events() if f"{key} is not what it was" in e["cause"])
    assert f"arizuko-init secrets accept {key}" in event["cause"]
    assert again.ctl("secrets", "accept", key).returncode == 0
    again.wait_ready()
    assert again.environ(gate)[key] == "auth-two"
    # And it is remembered: the next start asks no more.
    third = start_again(a_pod, again, second).wait_ready()
    assert third.secrets()["held"] == []


def test_a_start_that_waits_for_the_operator_is_not_killed_by_a_startup_probe_and_keeps_its_reason(a_pod, rotating):
    again = is_blocked(start_again(a_pod, rotating, SECOND))
    def answers():
        status, said = again.get("/startupz")
        return said if status == 200 else None
    said = wait_for("/startupz to say that the start is over as far as it goes", answers)
    assert "AUTH_SECRET was changed since the last run" in said
    assert again.get("/readyz")[0] == 503
    found = json.loads(again.ctl("doctor", "--rehearse", "--json", "--plan", str(again.plan), *again.options, "--set",
                                 f"pod.data_dir={again.data}").stdout)
    finding = next(f for f in found["findings"] if f["check"] == "guarded-keys")
    assert finding["severity"] == "error" and "the pod is never ready" in finding["what"]
    # What ended it does not matter: the last words are those of the start.
    assert again.stop() == 0
    reason = again.termination()["reason"]
    assert reason.startswith("stopped as asked (SIGTERM); it never became ready: ")
    assert "AUTH_SECRET was changed since the last run, and nobody has accepted it" in reason


SEES_THE_KEY = """
[pod]
instance = "demo"
ready_when = ["main"]
[env]
guarded = ["AUTH_SECRET"]
[service.main]
command = ["/bin/sleep", "1000"]
take = ["AUTH_SECRET"]
"""


def test_fingerprints_that_a_full_volume_refused_are_written_by_themselves_and_accept_tells_the_truth(
        a_pod, a_volume):
    data = a_volume("4m")

    def start(value, full=False):
        pod = own_plan(a_pod, SEES_THE_KEY, data=data, env={"AUTH_SECRET": value})
        if full:
            fill(data / "filler")
        return pod.start()

    first = start("auth-one").wait_ready()
    assert first.stop() == 0
    second = start("auth-two", full=True)
    is_blocked_service(second)
    accepted = second.ctl("secrets", "accept", "AUTH_SECRET")
    assert accepted.returncode == 0
    assert "is accepted for this run, but that cannot be written down" in accepted.stdout
    assert "No space left on device" in accepted.stdout
    second.wait_ready()
    refused = second.wait_event(lambda e: "could not be written down" in e["cause"])
    assert refused["event"] == "warning" and "auth-two" not in refused["cause"]
    (data / "filler").unlink()
    second.wait_event(lambda e: "is written down now" in e["cause"])
    assert second.stop() == 0
    third = start("auth-two").wait_ready()
    assert third.secrets()["held"] == []


def is_blocked_service(pod):
    wait_for("main to be blocked", lambda: (pod.service("main") or {}).get("state") == "blocked")


def test_a_deleted_fingerprint_is_put_back_at_the_end_of_the_run(a_pod, rotating):
    (rotating.data / ".arizuko-init" / "guarded.json").unlink()
    is_blocked(start_again(a_pod, rotating, SECOND))


def test_data_without_fingerprints_is_said_and_not_passed_over(a_pod, rotating):
    assert rotating.stop() == 0
    (rotating.data / ".arizuko-init" / "guarded.json").unlink()
    again = pod_with_secret(a_pod, SECOND, data=rotating.data).wait_ready()
    event = next(e for e in again.events() if "no fingerprint of AUTH_SECRET" in e["cause"])
    assert event["event"] == "warning"


def test_the_old_value_put_back_lets_gated_start(a_pod, rotating):
    again = start_again(a_pod, rotating, SECOND)
    is_blocked(again)
    again.secret.write(FIRST)
    again.wait_ready()
    assert again.environ("gated")["AUTH_SECRET"] == "auth-one"


def test_a_variable_accepts_one_change(a_pod, rotating):
    accept = {"ARIZUKO_ACCEPT_GUARDED": "AUTH_SECRET"}
    again = start_again(a_pod, rotating, SECOND, env=accept).wait_ready()
    assert again.environ("gated")["AUTH_SECRET"] == "auth-two"
    third = start_again(a_pod, again, FIRST | {"AUTH_SECRET": "auth-three"}, env=accept)
    is_blocked(third)
    assert "has accepted a change of it already" in third.logged()


def test_no_value_of_it_is_in_the_data_directory(a_pod, rotating):
    again = start_again(a_pod, rotating, SECOND)
    is_blocked(again)
    state = again.data / ".arizuko-init"
    assert (state / "guarded.json").stat().st_mode & 0o777 == 0o600
    for path in (path for path in state.rglob("*") if path.is_file()):
        text = path.read_bytes()
        assert b"auth-one" not in text and b"auth-two" not in text, path
    everything = again.logged() + json.dumps(again.events()) + again.get("/metrics")[1] + json.dumps(again.secrets())
    assert "auth-one" not in everything and "auth-two" not in everything


def test_a_damaged_memory_of_it_asks_rather_than_loses(a_pod, rotating):
    assert rotating.stop() == 0
    (rotating.data / ".arizuko-init" / "guarded.json").write_text("{")
    again = is_blocked(pod_with_secret(a_pod, data=rotating.data))
    assert "guarded.json is damaged" in again.logged()
