"""T1 to T7, T11, T21, T26, T37: gated as the gate, and what hangs on it (contract.md, section 16)."""
import json
import os
import signal
import socket
import threading

import pytest

from lines import ADAPTERS
from pod import Pod, check, own_plan, position, seconds_of, services_of, sets, states_of, wait_for


@pytest.fixture(scope="module")
def booted():
    """A pod of the stock plan with everything on, gated slow between its health and its log line."""
    with Pod(start=False, env={"ONBOARDING_ENABLED": "true"}) as pod:
        pod.fault("gated", "slow-boot 700")
        pod.start().wait_ready()
        yield pod


def answer_200(listener, body=b'{"status":"ok"} ok'):
    """Whoever connects gets 200: the wrong daemon."""
    def serve():
        while True:
            try:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
                                       % (len(body), body))
            except OSError:
                return
    threading.Thread(target=serve, daemon=True).start()


def test_T01_a_health_answer_from_anothers_socket_does_not_open_the_gate(a_pod):
    pod = a_pod(start=False, options=sets(service__gated__ready__within="2s", service__gated__restart__budget=1))
    pod.fault("arizuko", "slow-boot 400")  # time to take the port before gated can
    pod.start()
    wait_for("PID 1", lambda: pod.get("/livez")[0] == 200)
    with pod.listen(9080) as listener:
        answer_200(listener)
        pod.wait_event(lambda e: e["service"] == "gated" and 'log "arizuko running" holds' in e["cause"])
        assert pod.get("/health", 9080)[0] == 200, "the impostor is to answer"
        assert any("held by" in each for each in pod.service("gated")["waiting_for"])
        assert pod.service("teled")["state"] == "waiting"
        assert pod.wait_exit() == 69
        listener.shutdown(socket.SHUT_RDWR)


def test_T01_gated_is_not_where_timed_is():
    services = services_of(check())
    assert services["timed"]["port"] == 8080
    assert services["gated"]["port"] != 8080 and services["gated"]["env"]["API_PORT"] == str(services["gated"]["port"])
    (http,) = [c for c in services["gated"]["ready"] if c["type"] == "http"]
    assert http["listener"] == "own" and "status" in http["contains"]


def test_T02_adapters_wait_for_gateds_log_line_and_not_for_its_health_alone(booted):
    events = booted.events()
    health = next(i for i, e in enumerate(events) if e["service"] == "gated" and "/health" in e["cause"] and
                  e["cause"].endswith("holds"))
    line = next(i for i, e in enumerate(events) if e["service"] == "gated" and
                e["cause"] == 'log "arizuko running" holds')
    assert seconds_of(events[line]) - seconds_of(events[health]) > 0.5, "slow-boot is to keep them apart"
    for adapter in ("teled", "slakd", "webd"):
        assert position(events, adapter, "starting") > line


SOCKET_GATE = sets(service__gated__ready__socket__wait="250ms") + [
    "--set", 'service.gated.ready.socket.path="${pod.data_dir}/ipc/gated.sock"']


def test_T03_the_stock_plan_waits_for_no_socket_and_its_first_start_warns_of_nothing_at_gated(a_pod):
    assert [each["type"] for each in services_of(check())["gated"]["ready"]] == ["http", "log"]
    pod = a_pod().wait_ready()
    assert not [e for e in pod.events() if e["service"] == "gated" and e["cause"].startswith("dropped")]


def test_T03_a_socket_that_never_comes_delays_the_gate_by_its_wait_and_is_dropped_with_a_warning(a_pod):
    pod = a_pod(options=SOCKET_GATE).wait_ready()
    events = pod.events()
    spawned = next(e for e in events if e["service"] == "gated" and e["event"] == "spawned")
    dropped = next(e for e in events if e["service"] == "gated" and e["cause"].startswith("dropped"))
    assert seconds_of(dropped) - seconds_of(spawned) >= 0.24, "the plan gives it 250 ms"
    assert events.index(dropped) + 1 == position(events, "gated", "ready"), "nothing else is waited for then"
    assert '"level":"WARN"' in pod.wait_logged("gated: dropped")


def test_T03_a_stale_socket_is_removed_before_the_start(a_pod):
    pod = a_pod(options=SOCKET_GATE).wait_ready()
    pod.stop()
    stale = pod.data / "ipc" / "gated.sock"
    stale.parent.mkdir(exist_ok=True)
    os.chown(stale.parent, 1000, 1000)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(stale))
    pod.start().wait_ready()
    assert not stale.exists()


def test_T04_gated_without_docker_ends_the_pod_with_its_reason_and_not_in_an_endless_loop(a_pod):
    pod = a_pod(start=False, options=sets(
        service__gated__env__REHEARSAL_DOCKER="1", service__gated__restart__budget=3,
        service__gated__restart__delay="10ms", service__gated__restart__max_delay="20ms"))
    pod.options += ["--set", f"pod.path={pod.out}"]  # no docker there
    assert pod.start().wait_exit() == 75
    message = pod.termination()
    assert "gated has failed" in message["reason"] and "3 failures" in message["reason"]
    assert any("docker" in line for line in message["last_lines"]), message
    assert not [e for e in pod.logged().splitlines() if '"service":"teled"' in e], "something started behind it"


def test_T04_docker_settings_reach_gated():
    assert {"DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG"} <= set(
        services_of(check())["gated"]["take"])


def test_T05_an_adapter_that_dies_while_gated_is_down_is_not_counted_and_comes_back_with_gated(a_pod):
    # A budget of one: a single failure that counts would be the end of it.
    pod = a_pod(options=sets(service__teled__restart__budget=1)).wait_ready()
    seq = pod.last_seq()
    pod.fault("gated", "hang-at-boot")
    pod.kill("gated")
    pod.wait_state_event("gated", "starting", seq)
    pod.kill("teled")
    pod.wait_service("teled", "waiting")
    assert pod.metric('arizuko_init_service_failures{service="teled"}') == 0
    # Not started into the void either.
    assert not [e for e in pod.events(seq) if e["service"] == "teled" and e["event"] == "spawned"]
    pod.fault("gated", "")
    pod.kill("gated")
    pod.wait_service("teled", "ready")


def test_T06_after_a_gated_restart_every_registrant_is_restarted_once_when_gated_is_ready(a_pod):
    tokens = {"DISCORD_BOT_TOKEN": "x", "MASTODON_ACCESS_TOKEN": "x", "EMAIL_PASSWORD": "x", "BLUESKY_PASSWORD": "x",
              "REDDIT_PASSWORD": "x", "LINKEDIN_CLIENT_SECRET": "x", "LINKEDIN_ACCESS_TOKEN": "x",
              "ONBOARDING_ENABLED": "true"}
    pod = a_pod(env=tokens).wait_ready()
    seq = pod.last_seq()
    pod.kill("gated")
    registrants = [*ADAPTERS, "webd", "onbod"]
    for service in registrants:
        pod.wait_event(lambda e: e["service"] == service and e["event"] == "spawned", f"{service} again", after=seq)
    pod.wait_ready()
    events = pod.events(seq)
    again = position(events, "gated", "ready")
    for service in registrants:
        spawned = [i for i, e in enumerate(events) if e["service"] == service and e["event"] == "spawned"]
        assert len(spawned) == 1 and spawned[0] > again, service
    assert {e["service"] for e in events if e["event"] == "spawned"} == {"gated", *registrants}


def test_T06_whoever_registers_is_bound_to_the_gate(line):
    services = services_of(check(plan=line.plan))
    for service in line.registrants:
        assert services[service]["bound_to"] == [line.gate]


def test_T07_two_services_on_one_port_are_refused():
    problems = check("--set", "service.teled.port=9008", code=78)["problems"]
    (problem,) = problems
    assert "9008 is already the port of teled" in problem["what"] and problem["key"] == "service.slakd.port"


def test_T07_an_adapter_whose_port_another_holds_is_never_ready_and_status_says_so(a_pod):
    # teled is told to listen elsewhere than the plan says: it runs, and slakd answers for it.
    pod = a_pod(options=sets(service__teled__env__LISTEN_ADDR="127.0.0.1:9501",
                             service__teled__ready__http__url="http://127.0.0.1:9008/health",
                             service__teled__ready__within="800ms"))
    held = wait_for("the holder to be named", lambda: pod.get("/livez")[0] == 200 and [
        each for each in pod.service("teled")["waiting_for"] if "held by" in each], 10)
    assert f":9008 is held by slakd (pid {pod.service('slakd')['pid']})" in held[0]
    assert pod.get("/health", 9008)[0] == 200, "slakd is to answer"
    wait_for("teled to run elsewhere", lambda: pod.get("/health", 9501)[0] == 200, 3)
    pod.wait_event(lambda e: e["service"] == "teled" and "not ready within" in e["cause"])
    assert "ready" not in states_of(pod.events(), "teled")
    assert pod.service("slakd")["restarts"] == 0


def test_T07_where_an_adapter_listens_and_where_it_says_so_is_one_port(line):
    services = services_of(check(plan=line.plan))
    for adapter in ADAPTERS:
        env, port = services[adapter]["env"], services[adapter]["port"]
        assert env["LISTEN_ADDR"] == f"127.0.0.1:{port}" and env["LISTEN_URL"] == f"http://127.0.0.1:{port}"
    ports = [s["port"] for s in services.values() if s["port"]]
    assert len(set(ports)) == len(ports)


def test_T07_a_listener_that_names_the_port_of_another_is_warned_of(line):
    (warning,) = check(*sets(service__discd__env__LISTEN_URL="http://127.0.0.1:9001"), plan=line.plan)["warnings"]
    assert "service.discd.env.LISTEN_URL" in warning and "names the port of teled" in warning


def test_T11_onbod_starts_after_the_last_adapter_had_its_chance_and_stops_before_the_first(a_pod):
    pod = a_pod(start=False, env={"ONBOARDING_ENABLED": "true"}, options=sets(
        service__teled__ready__within="700ms", service__teled__stop__timeout="300ms"))
    pod.fault("teled", "login-hang")
    pod.start().wait_service("onbod", "ready")
    events = pod.events()
    start = position(events, "onbod", "starting")
    assert position(events, "slakd", "ready") < start and position(events, "webd", "ready") < start
    assert position(events, "teled", "backoff") < start, "teled had not had its chance yet"
    pod.stop()
    lines = pod.logged().splitlines()
    ended = {service: max(i for i, line in enumerate(lines) if f"{service}: it exited" in line)
             for service in ("onbod", "slakd", "webd", "gated")}
    assert min(ended, key=ended.get) == "onbod"


def test_T11_onbod_comes_after_every_adapter_of_the_plan():
    onbod = services_of(check())["onbod"]
    assert set(onbod["after_tried"]) == {*ADAPTERS, "webd"} and onbod["bound_to"] == ["gated"]


def test_T21_what_gated_left_behind_is_gone_before_gated_starts_again(a_pod):
    pod = a_pod(options=sets(service__gated__restart__stable="10ms")).wait_ready()
    pod.fault("gated", "flee")
    (child,) = wait_for("the child", lambda: [
        pid for pid in pod.processes() if b"runaway" in open(f"/proc/{pid}/cmdline", "rb").read()])
    seq = pod.last_seq()
    pod.fault("gated", "")
    pod.kill("gated")
    spawned = pod.wait_event(lambda e: e["service"] == "gated" and e["event"] == "spawned", after=seq)
    assert child not in pod.processes()
    exited = next(e for e in pod.events(seq) if e["service"] == "gated" and e["event"] == "exited")
    assert "leaving" in exited["cause"]
    assert seconds_of(spawned) - seconds_of(exited) >= 0.95, "the plan gives leftovers a second"
    pod.wait_ready()


def test_T21_gated_may_be_slow_to_boot():
    assert services_of(check())["gated"]["within"] == "3m"


def test_T22_stopping_gated_sends_no_term_to_its_children(a_pod):
    pod = own_plan(a_pod, '''[service.gated]
command = ["{bin}/gated"]
ready.log = "agent runs"
stop = { timeout = "5s", leftovers = "300ms" }
''')
    # The agent: in gated's own process group, and tells whatever reaches it.
    pod.program("agent", '#!/bin/sh\nfor s in TERM INT HUP QUIT; do trap "echo got $s >> {d}/signals" $s; done\n'
                         'echo agent runs\nwhile :; do sleep 0.05; done\n'.replace("{d}", str(pod.data)))
    pod.program("gated", f'#!/bin/sh\n{pod.bin_dir}/agent &\ntrap "exit 0" TERM\nwhile :; do sleep 0.05; done\n')
    pod.start().wait_ready()
    agent = next(pid for pid in pod.processes() if b"/agent" in open(f"/proc/{pid}/cmdline", "rb").read())
    assert pod.ctl("stop", "--wait", "10", "gated").returncode == 0
    assert agent not in pod.processes()
    assert not (pod.data / "signals").exists(), (pod.data / "signals").read_text()
    assert any("SIGKILL to what its last run left" in e["cause"] for e in pod.events())


def test_T26_nothing_but_gated_runs_before_gated_is_ready(booted):
    events = booted.events()
    ready = position(events, "gated", "ready")
    assert [e["service"] for e in events[:ready] if e["event"] == "spawned"] == ["seed", "gated"]
    assert {e["service"] for e in events[ready:] if e["event"] == "spawned"} >= {"timed", "dashd", "onbod", "proxyd"}
    services = services_of(check())
    for name, service in services.items():
        if name not in ("seed", "gated"):
            assert "gated" in service["after"] + service["bound_to"], f"{name} may start beside gated"


def test_T37_a_killed_gate_is_started_again_at_once(a_pod, line):
    gate = line.gate
    pod = a_pod(line=line, options=sets(**{f"service__{gate}__restart__stable": "10ms"})).wait_ready()
    seq = pod.last_seq()
    pod.kill(gate)
    pod.wait_state_event("teled", "ready", seq)
    events = pod.events(seq)
    exited = next(e for e in events if e["service"] == gate and e["event"] == "exited")
    spawned = next(e for e in events if e["service"] == gate and e["event"] == "spawned")
    between = [e["to"] for e in events if exited["seq"] < e["seq"] < spawned["seq"] and e["service"] == gate]
    assert between == ["waiting", "starting"], "there is no back-off"
    # Nothing is stopped before gated is there again: its messages would be lost for longer.
    stopped = [i for i, e in enumerate(events) if e["to"] == "stopping" and e["service"] != gate]
    assert min(stopped) > position(events, gate, "ready")


def test_T37_before_a_planned_restart_of_the_gate_the_adapters_sign_off_at_it(a_pod, line):
    pod = a_pod(line=line).wait_ready()
    seq = pod.last_seq()
    assert pod.ctl("restart", line.gate).returncode == 0
    pod.wait_state_event("teled", "ready", seq)
    pod.wait_state_event("webd", "ready", seq)
    events = pod.events(seq)
    told = next(i for i, e in enumerate(events) if e["service"] == line.gate and e["event"] == "signal")
    for name in ("teled", "slakd", "webd"):
        gone = next(i for i, e in enumerate(events) if e["service"] == name and e["event"] == "exited")
        assert gone < told, f"{name} was still there when the gate was told to stop"
        assert states_of(events, name).count("starting") == 1, f"{name} is to be restarted once"
    assert "starting" not in states_of(events, "timed"), "timed is not bound to gated"


# gated looks every 100 ms and forgets after three; arizuko-init looks as often.
FORGETFUL_GATE = sets(
    service__gated__env__REHEARSAL_HEALTH_MS="100", service__teled__ready__http__every="100ms",
    service__teled__live__http__every="100ms", service__teled__env__CHANNEL_NAME="telegram-main")


def channels(pod):
    """Whom gated knows."""
    secret = pod.environ("gated")["CHANNEL_SECRET"]
    status, text = pod.get("/v1/channels", 9080, headers={"Authorization": f"Bearer {secret}"})
    assert status == 200, (status, text)
    return {each["name"] for each in json.loads(text)["channels"]}


def test_T41_an_adapter_that_gated_has_forgotten_is_started_again_when_its_platform_is_back(a_pod):
    pod = a_pod(options=FORGETFUL_GATE).wait_ready()
    pod.wait_service("teled", "ready")
    assert "telegram-main" in channels(pod), "the plan asks for the name that the adapter has"
    first = pod.service("teled")
    seq = pod.last_seq()
    pod.fault("teled", "health-503")  # its platform is away
    pod.wait_state_event("teled", "unready", seq)
    pod.wait_logged("channel auto-deregistered")
    wait_for("gated to forget it", lambda: "telegram-main" not in channels(pod))
    # Unknown and not ready: nobody asks, nobody restarts it.
    for _ in range(20):
        assert pod.service("teled")["restarts"] == first["restarts"]
    pod.fault("teled", "")
    stopping = pod.wait_event(lambda e: e["service"] == "teled" and e["to"] == "stopping", "teled to be restarted", after=seq)
    assert "/v1/channels of gated" in stopping["cause"] and "lacks" in stopping["cause"], stopping
    pod.wait_event(lambda e: e["service"] == "teled" and e["to"] == "ready" and e["seq"] > stopping["seq"], "teled ready")
    assert "telegram-main" in channels(pod)
    restarted = {e["service"] for e in pod.events(seq) if e["event"] == "spawned"}
    assert restarted == {"teled"}, "nobody else"
    secret = pod.environ("gated")["CHANNEL_SECRET"]
    for shown in (pod.logged(), json.dumps(pod.events()), json.dumps(pod.status()), pod.ctl("why", "teled").stdout):
        assert secret not in shown


def test_T41_what_gated_does_not_answer_restarts_nobody(a_pod):
    pod = a_pod(options=FORGETFUL_GATE + sets(service__teled__live__http__headers__Authorization="Bearer wrong")).wait_ready()
    pod.wait_service("teled", "ready")
    seq = pod.last_seq()
    said = pod.wait_logged("teled: http http://127.0.0.1:9080/v1/channels of gated")
    assert "cannot tell: status 401" in said and "nothing follows from that" in said
    os.kill(pod.outer_pid_of("gated"), signal.SIGSTOP)  # and silence
    for _ in range(20):
        assert pod.service("teled")["state"] == "ready"
    os.kill(pod.outer_pid_of("gated"), signal.SIGCONT)
    assert not [e for e in pod.events(seq) if e["event"] == "spawned"]
    assert pod.logged().count("cannot tell: status 401") == 1, "once"


def test_T41_every_registrant_is_looked_up_in_gateds_registry():
    services = services_of(check())
    for name in (*ADAPTERS, "webd"):
        (asks,) = [c for c in services[name]["live"] if c.get("of") == "gated"]
        assert asks["while"] == "ready" and asks["url"].endswith("/v1/channels") and asks["headers"] == ["Authorization"]
        name_there = "web" if name == "webd" else "${CHANNEL_NAME}"
        assert asks["contains"] == f'"name":"{name_there}"'
        assert services[name]["restart"]["stable"] == "10m"
