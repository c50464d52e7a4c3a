"""N1 to N10: authd, routd and runed in one container, and what the other daemons do beside them."""
import json
import os

import pytest

from lines import ADAPTERS, TODAY
from pod import INIT, Pod, check, position, seconds_of, services_of, sets, wait_for

# Who has a key of its own; authd's is for what it asks routd.
KEYED = ("routd", "runed", "timed", "onbod", "dashd", "proxyd", "webd", *ADAPTERS)
SHARED = {"RUNED_RUN_TIMEOUT": "7m", "MAX_CONCURRENT_CONTAINERS": "3"}


@pytest.fixture(scope="module")
def plan():
    return services_of(check(plan=TODAY.plan))


@pytest.fixture(scope="module")
def pod():
    with Pod(line=TODAY, env={"ONBOARDING_ENABLED": "true", **SHARED}) as pod:
        yield pod.wait_ready()


def milliseconds(text):
    """Of a duration as `check` writes it."""
    for unit, factor in (("ms", 1), ("s", 1000), ("m", 60_000)):
        if text.endswith(unit):
            return int(text[:-len(unit)]) * factor
    raise AssertionError(text)


def inbound(pod, text="hello", jid="telegram:7"):
    return pod.post("/v1/rehearsal/inbound", {"text": text, "sender": "ada", "jid": jid}, 9001)


def sent(pod, port=9001):
    return pod.get("/v1/rehearsal/outbound", port)[1]


def test_N01_each_daemon_has_a_key_of_its_own_and_authd_knows_it_under_the_daemons_name(pod):
    entries = [entry.split("=") for entry in pod.environ("authd")["AUTHD_SERVICE_KEYS"].split(",")]
    held = {principal: key for principal, key in entries if key}
    assert len(held) == len([key for _, key in entries if key]), "a principal twice"
    running = [name for name in KEYED if pod.service(name)["state"] == "ready"]
    assert len(running) >= 9
    for name in running:
        assert held[f"service:{name}"] == pod.environ(name)["AUTHD_SERVICE_KEY"], name
    assert len(set(held.values())) == len(held), "of two with one key the last has it"


def test_N01_keys_that_nobody_gave_are_made_once_and_kept(a_pod):
    def keys(pod):
        return {name: pod.environ(name)["AUTHD_SERVICE_KEY"] for name in ("authd", "routd", "runed", "teled", "slakd", "webd")}

    pod = a_pod(line=TODAY, env={"AUTHD_KEY_SLAKD": "given"}).wait_ready()
    first = keys(pod)
    assert first.pop("slakd") == "given", "a real one wins"
    assert len(set(first.values())) == len(first) and all(len(bytes.fromhex(key)) == 32 for key in first.values())
    assert pod.stop() == 0
    for key in first.values():
        assert key not in pod.logged() + pod.errors()
    again = keys(pod.start().wait_ready())
    assert again.pop("slakd") == "given" and again == first


def test_N01_a_key_that_holds_the_lists_separator_blocks_authd_and_is_named(a_pod):
    pod = a_pod(line=TODAY, env={"AUTHD_KEY_TELED": "two,keys"})
    blocked = pod.wait_service("authd", "blocked")
    assert "AUTHD_KEY_TELED" in blocked["cause"] and "two,keys" not in json.dumps(pod.status())


def test_N01_doctor_names_two_daemons_with_one_key(pod):
    words = ["doctor", "--rehearse", "--json", "--plan", str(TODAY.plan), "--set", f"pod.data_dir={pod.data}"]

    def found(*keys):
        answer = pod.inside("env", *(f"{key}=one-for-both" for key in keys), str(INIT), *words).stdout
        assert "one-for-both" not in answer
        return [each["what"] for each in json.loads(answer)["findings"] if each["check"] == "joined-values"]

    assert found("AUTHD_KEY_TELED") == []
    (doubled,) = found("AUTHD_KEY_TELED", "AUTHD_KEY_SLAKD")
    assert "AUTHD_KEY_TELED" in doubled and "AUTHD_KEY_SLAKD" in doubled


def test_N01_an_adapter_is_called_by_its_daemons_name(plan):
    for adapter in ADAPTERS:
        assert plan[adapter]["env"]["AUTHD_SERVICE_NAME"] == adapter


def test_N02_onbod_is_up_before_the_first_adapter_begins_and_a_strangers_first_message_reaches_it(pod):
    events = pod.events()
    ready = position(events, "onbod", "ready")
    for adapter in ("teled", "slakd"):
        assert ready < position(events, adapter, "starting")
    assert inbound(pod)[0] == 200
    pod.wait_logged("onboarding queued")
    assert "insert onboarding failed" not in pod.logged() and "Couldn't register" not in sent(pod)


def test_N02_every_adapter_comes_after_onbod_and_onbod_after_none(plan):
    for adapter in ADAPTERS:
        assert plan[adapter]["after_tried"] == ["onbod"]
    onbod = plan["onbod"]
    assert onbod["after"] == onbod["bound_to"] == ["routd"] and onbod["after_tried"] == []


def test_N02_without_onboarding_a_stranger_is_not_turned_away(a_pod):
    pod = a_pod(line=TODAY, env={"ONBOARDING_ENABLED": "false"}).wait_ready()
    assert pod.service("onbod")["state"] == "off" and inbound(pod)[0] == 200
    # Sent behind what routd would have told the stranger.
    assert pod.post("/v1/outbound", {"jid": "telegram:7", "text": "bye"}, 9080, TODAY.bearer(pod))[0] == 200
    assert "bye" in sent(pod) and "Couldn't register" not in sent(pod)
    assert "onboarding failed" not in pod.logged()
    assert pod.environ("routd")["ONBOARDING_ENABLED"] == "false"


def test_N02_an_unset_onboarding_is_said_to_be_off_to_routd(plan):
    assert plan["routd"]["env"]["ONBOARDING_ENABLED"] == "${ONBOARDING_ENABLED:-false}"


def test_N03_the_header_that_timed_believes_does_not_get_through_proxyd(pod, plan):
    believed = {"X-User-Groups": '["**"]'}
    assert pod.get("/dash/timed/", 8080)[0] == 403
    assert pod.get("/dash/timed/", 8080, headers=believed)[0] == 200, "the trap: so no other pod may reach this port"
    assert pod.get("/dash/timed/", 8095, headers=believed)[0] in (302, 404)
    routes = json.loads(plan["proxyd"]["env"]["PROXYD_ROUTES_JSON"])
    assert next(route for route in routes if route["path"] == "/dash/timed/")["auth"] == "user"


def test_N04_runed_gives_its_runs_less_time_at_a_stop_than_it_has_itself(plan):
    grace = milliseconds(plan["runed"]["env"]["RUNED_SHUTDOWN_GRACE"])
    assert 0 < grace < milliseconds(plan["runed"]["stop"]["timeout"])


def test_N05_runed_may_take_long_to_listen_and_routd_waits_for_it(a_pod, plan):
    assert plan["runed"]["within"] == "3m"
    pod = a_pod(line=TODAY, start=False, options=sets(service__runed__env__REHEARSAL_DOCKER="1"))
    pod.program("docker", "#!/bin/sh\nsleep 0.7\n")
    pod.options += ["--set", f'service.runed.env.PATH="{pod.bin_dir}:/usr/bin:/bin"']
    pod.start().wait_ready()
    events = pod.events()
    spawned = next(e for e in events if e["service"] == "runed" and e["event"] == "spawned")
    routd = next(e for e in events if e["service"] == "routd" and e["event"] == "spawned")
    assert seconds_of(routd) - seconds_of(spawned) > 1.3, "docker info, then docker ps"


def test_N05_runed_without_docker_ends_the_pod_with_its_reason(a_pod):
    pod = a_pod(line=TODAY, start=False, options=sets(
        service__runed__env__REHEARSAL_DOCKER="1", service__runed__restart__budget=3,
        service__runed__restart__delay="10ms", service__runed__restart__max_delay="20ms"))
    pod.options += ["--set", f"pod.path={pod.out}"]  # no docker there
    assert pod.start().wait_exit() == 75
    message = pod.termination()
    assert "runed has failed" in message["reason"] and any("docker" in each for each in message["last_lines"])
    assert '"service":"routd"' not in pod.logged(), "something started behind it"


def test_N06_teleds_long_poll_holds_up_no_planned_restart_of_routd(plan):
    assert plan["teled"]["stop"]["timeout"] == "2s" and plan["teled"]["bound_to"] == ["routd"]


def test_N07_webd_is_restarted_before_routd_can_have_forgotten_it(plan):
    (look,) = plan["webd"]["live"]
    # routd forgets after three failed looks, 30 s apart: whatever it can notice is over 60 s long.
    longest = look["failures"] * (milliseconds(look["every"]) + milliseconds(look["timeout"]))
    assert longest <= 60_000, look


# routd looks every 200 ms and forgets after three; webd is looked at as much more often as the plan does it.
QUICK = sets(service__routd__env__REHEARSAL_HEALTH_MS="200", service__webd__live__http__every="66ms",
             service__webd__restart__delay="10ms",
             service__teled__env__REHEARSAL_HEARTBEAT_MS="1500", service__teled__ready__http__every="50ms")


def test_N07_who_was_silent_for_long_is_in_the_registry_again(a_pod):
    pod = a_pod(line=TODAY, options=QUICK).wait_ready()
    seq = pod.last_seq()
    pod.fault_now(9081, "health-503")  # until its next start
    pod.wait_state_event("webd", "ready", seq)
    wait_for("webd in the registry", lambda: "web" in TODAY.channels(pod))
    assert pod.service("webd")["restarts"] == 1
    # An adapter's platform is away for longer than routd bears: its heartbeat brings it back, without a restart.
    pod.fault("teled", "health-503")
    pod.wait_logged('"channel auto-deregistered","channel":"telegram"')
    pod.fault("teled", "")
    pod.wait_service("teled", "ready")
    wait_for("teled in the registry", lambda: "telegram" in TODAY.channels(pod))
    assert pod.service("teled")["restarts"] == 0


def test_N08_routd_and_runed_are_given_the_same_limits(pod, plan):
    for key, value in SHARED.items():
        assert {name for name, each in plan.items() if key in each["take"]} == {"routd", "runed"}
        assert pod.environ("routd")[key] == pod.environ("runed")[key] == value


def test_N09_the_instances_dotenv_is_in_nobodys_working_directory(pod):
    assert "SECRETS_KEY=" in (pod.data / ".env").read_text(), "the seed is to write one"
    for service in ("authd", "runed", "routd", "proxyd", "webd", "onbod"):
        cwd = os.readlink(f"/proc/{pod.outer_pid_of(service)}/cwd")
        assert os.listdir(cwd) == [], f"{service} finds something in {cwd}"
        assert "API_PORT" not in pod.environ(service)


def test_N10_a_slakd_that_ends_by_itself_again_and_again_is_never_given_up(a_pod, plan):
    assert plan["slakd"]["restart"]["budget"] == 0
    pod = a_pod(line=TODAY, options=sets(
        service__slakd__env__SLAKD_STALE_SECONDS="0", service__slakd__env__SLAKD_WATCHDOG_SECONDS="1",
        service__slakd__env__SLAKD_STALE_FAIL_LIMIT="1", service__slakd__restart__delay="10ms")).wait_ready()
    seq = pod.last_seq()
    pod.fault_now(9008, "auth-lost")
    exited = pod.wait_event(lambda e: e["service"] == "slakd" and e["event"] == "exited", after=seq)
    assert "code 1" in exited["cause"]
    pod.wait_state_event("slakd", "ready", exited["seq"])
    assert {e["service"] for e in pod.events(seq) if e["event"] == "exited"} == {"slakd"}
