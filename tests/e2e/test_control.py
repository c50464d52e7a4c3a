"""Operators' commands: names, exit codes and shapes that scripts rely on (docs/reference/cli.md)."""
import json
import re
import subprocess
import threading

import pytest

from pod import INIT, Pod, ROOT, seconds_of, wait_for

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


@pytest.fixture(scope="module")
def pod():
    """One for all tests that leave every service ready behind them."""
    with Pod() as pod:
        yield pod.wait_ready()


def test_status_json_has_the_documented_shape(pod):
    done = pod.ctl("status", "--json")
    assert done.returncode == 0 and done.stderr == ""
    status = json.loads(done.stdout)
    assert list(status) == ["instance", "state", "generation", "held", "control_groups", "services"]
    assert status["instance"] == "demo" and status["state"] == "running" and isinstance(status["generation"], int)
    for service in status["services"]:
        assert list(service) == ["name", "kind", "group", "state", "pid", "since", "restarts", "port", "waiting_for",
                                 "cause", "usage"]
        assert service["kind"] in ("service", "task")
        assert TIME.match(service["since"])
        assert isinstance(service["waiting_for"], list) and isinstance(service["restarts"], int)
        assert (service["pid"] is None) == (service["state"] in ("off", "done", "blocked"))
    assert {s["name"]: s["kind"] for s in status["services"]}["seed"] == "task"
    assert {s["name"]: s["port"] for s in status["services"]}["gated"] == 9080


def test_status_for_people_shows_every_service(pod):
    text = pod.ctl("status").stdout
    for service in pod.status()["services"]:
        assert re.search(rf"^{service['name']}\s+{service['state']}\b", text, re.M), text


def test_status_exits_1_while_something_is_not_ready(pod):
    assert pod.ctl("stop", "dashd", "--wait", "10").returncode == 0
    assert pod.ctl("status").returncode == 0, "what was switched off is as it should be"
    pod.fault("dashd", "hang-at-boot")
    assert pod.ctl("start", "dashd").returncode == 0
    pod.wait_service("dashd", "starting")
    assert pod.ctl("status").returncode == 1
    assert pod.ctl("status", "--json").returncode == 1
    pod.fault("dashd", "")
    assert pod.ctl("restart", "dashd", "--wait", "10").returncode == 0
    assert pod.ctl("status").returncode == 0


def test_stop_start_restart_of_one_service_leave_the_others_alone(pod):
    others = {s["name"]: s["pid"] for s in pod.status()["services"] if s["name"] != "teled"}
    assert pod.ctl("stop", "--wait", "10", "teled").returncode == 0
    assert pod.service("teled")["state"] == "off" and pod.service("teled")["pid"] is None
    assert pod.ctl("start", "--wait", "10", "teled").returncode == 0
    pid = pod.service("teled")["pid"]
    assert pod.ctl("restart", "--wait", "10", "teled").returncode == 0
    assert pod.service("teled")["state"] == "ready" and pod.service("teled")["pid"] != pid
    assert {s["name"]: s["pid"] for s in pod.status()["services"] if s["name"] != "teled"} == others


def test_a_service_that_was_stopped_stays_off_when_its_gate_restarts(pod):
    assert pod.ctl("stop", "--wait", "10", "slakd").returncode == 0
    seq = pod.last_seq()
    assert pod.ctl("restart", "--wait", "20", "gated").returncode == 0
    pod.wait_state_event("teled", "ready", seq)
    pod.wait_ready()
    assert pod.service("slakd")["state"] == "off"
    assert pod.ctl("start", "--wait", "10", "slakd").returncode == 0


def test_a_planned_restart_of_gated_stops_what_is_bound_first(pod):
    seq = pod.last_seq()
    assert pod.ctl("restart", "gated").returncode == 0
    pod.wait_state_event("gated", "ready", seq)
    bound = ["onbod", "slakd", "teled", "webd"]
    for service in bound:
        pod.wait_state_event(service, "ready", seq)
    events = pod.events(seq)
    exits = [e["service"] for e in events if e["event"] == "exited"]
    assert sorted(exits[:-1]) == bound and exits[-1] == "gated"
    spawns = [e["service"] for e in events if e["event"] == "spawned"]
    assert spawns[0] == "gated" and sorted(spawns[1:]) == bound
    assert "operator (uid 1000)" in next(e["cause"] for e in events if e["service"] == "gated")


def test_command_json(pod):
    done = pod.ctl("restart", "--json", "dashd")
    assert done.returncode == 0
    assert list(json.loads(done.stdout)) == ["accepted", "message"] and json.loads(done.stdout)["accepted"] is True
    pod.wait_ready()


def test_why_is_one_sentence_with_the_chain_of_causes(pod):
    assert pod.ctl("stop", "--wait", "20", "gated").returncode == 0
    waiting = pod.wait_service("teled", "waiting")
    assert any("gated" in each for each in waiting["waiting_for"])
    done = pod.ctl("why", "teled")
    assert done.returncode == 0
    sentence = done.stdout.strip()
    assert "\n" not in sentence
    assert "teled" in sentence and "gated" in sentence and "operator (uid 1000)" in sentence, sentence
    as_json = json.loads(pod.ctl("why", "--json", "teled").stdout)
    assert list(as_json) == ["service", "why"] and as_json["service"] == "teled"
    assert json.loads(pod.ctl("why", "--json").stdout)["service"] is None
    assert pod.ctl("start", "--wait", "20", "gated").returncode == 0
    pod.wait_ready()


def test_unknown_names_exit_1_and_name_the_nearest(pod):
    for words in (("why", "telde"), ("restart", "telde"), ("logs", "telde")):
        done = pod.ctl(*words)
        assert done.returncode == 1 and "teled" in done.stderr, (words, done)


def test_usage_errors_exit_64(pod):
    for words in (("status", "--nonsense"), ("restart",), ("nonsense",), ("logs", "--lines", "many")):
        assert pod.ctl(*words).returncode == 64, words


def test_nobody_answers_is_2(pod):
    for words in (("status",), ("why",), ("events",), ("logs",), ("restart", "gated"), ("reload",)):
        done = pod.ctl(*words, "--control", "@not-there")
        assert done.returncode == 2 and done.stderr, words
    # Without a path nothing is found outside of the pod's network namespace either.
    done = subprocess.run(["unshare", "--net", str(INIT), "status"], capture_output=True, text=True)
    assert done.returncode == 2


def test_events_json_has_the_documented_shape(pod):
    lines = pod.ctl("events", "--json").stdout.splitlines()
    for line in lines:
        event = json.loads(line)
        assert list(event) == ["seq", "time", "service", "event", "code", "from", "to", "why", "cause"]
        assert TIME.match(event["time"]) and isinstance(event["seq"], int) and event["cause"]
        assert (event["to"] is None) == (event["event"] != "state")
    after = json.loads(lines[-3])["seq"]
    assert [e["seq"] for e in pod.events(after)] == [after + 1, after + 2]


def follow(pod, *words):
    command = ["nsenter", "-t", str(pod.pid1), "-p", "-m", "-n", "setpriv", "--reuid=1000", "--regid=1000",
               "--clear-groups", str(INIT), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def read_until(stream, wanted, seconds=15):
    """Lines until one that `wanted` takes; fails when it does not come in time."""
    found = []
    thread = threading.Thread(target=lambda: found.append(next((l for l in stream if wanted(l)), None)), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found and found[0], "the line did not come"
    return found[0]


def test_events_follow_shows_what_happens_as_it_happens(pod):
    last = pod.last_seq()
    follower = follow(pod, "events", "--json", "--follow", "--after", str(last - 1))
    try:
        read_until(follower.stdout, lambda line: json.loads(line)["seq"] == last)
        old = pod.kill("dashd")
        line = read_until(follower.stdout, lambda line: json.loads(line)["event"] == "exited" and
                          json.loads(line)["service"] == "dashd")
        assert "SIGKILL" in line or "signal 9" in line
        read_until(follower.stdout, lambda line: json.loads(line)["to"] == "ready")
        assert pod.service("dashd")["pid"] != old
    finally:
        follower.kill()
        follower.wait()


def test_logs_of_one_service_and_its_last_lines(pod):
    pod.fault_now(9001, "flood 5 10")
    wait_for("five lines", lambda: pod.ctl("logs", "teled").stdout.count("flood") >= 5)
    lines = [json.loads(l) for l in pod.ctl("logs", "--json", "--lines", "3", "teled").stdout.splitlines()]
    assert len(lines) == 3
    for line in lines:
        assert list(line) == ["seq", "time", "service", "stream", "text"]
        assert line["service"] == "teled" and line["stream"] in ("stdout", "stderr") and TIME.match(line["time"])
    assert len(pod.ctl("logs", "--lines", "2").stdout.splitlines()) == 2
    follower = follow(pod, "logs", "--follow", "--json", "--lines", "1", "teled")
    try:
        read_until(follower.stdout, lambda line: True)  # it is there, and all that comes now is new
        pod.fault_now(9008, "flood 1 10")
        pod.fault_now(9001, "flood 1 10")
        assert json.loads(read_until(follower.stdout, lambda line: "flood" in line))["service"] == "teled"
    finally:
        follower.kill()
        follower.wait()


def test_another_uid_is_refused_by_the_control_socket(pod):
    for words in (("status",), ("restart", "gated"), ("logs",), ("events",), ("reload",)):
        done = pod.ctl(*words, "--control", "@arizuko-init/demo", uid=1001)
        assert done.returncode in (1, 2) and "uid" in done.stderr, (words, done)

    def as_1001():
        """Not by our own client, which refuses by itself."""
        code = ("import contextlib,os,socket;os.setgid(1001);os.setuid(1001);s=socket.socket(socket.AF_UNIX);"
                "s.connect('\\0arizuko-init/demo')\n"
                "with contextlib.suppress(BrokenPipeError):\n"  # it is closed at once: the answer is there
                " s.sendall(b'POST /v1/services/gated/stop HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 0\\r\\n\\r\\n')\n"
                "print(s.recv(4096).decode())")
        return pod.inside("python3", "-I", "-c", code, uid=0)

    done = as_1001()
    assert done.stdout.startswith("HTTP/1.1 403"), done
    assert pod.service("gated")["state"] == "ready"


def test_root_may_ask(pod):
    assert pod.ctl("status", uid=0).returncode == 0


def test_the_control_socket_is_abstract_where_no_directory_is_writable(pod):
    assert "control @arizuko-init/demo" in pod.logged()
    listening = pod.inside("cat", "/proc/net/unix").stdout
    assert "@arizuko-init/demo" in listening


def test_a_control_socket_that_was_asked_for_is_a_file(a_pod):
    pod = a_pod(start=False)
    path = pod.out / "control.sock"
    pod.options += ["--control", str(path)]
    pod.start()
    wait_for("the socket", path.exists)
    assert wait_for("an answer", lambda: pod.ctl("status", "--json", "--control", str(path)).returncode in (0, 1))
    assert pod.inside("env", f"ARIZUKO_INIT_CONTROL={path}", str(INIT), "why").returncode == 0
    # Nobody else can even connect to it.
    assert pod.ctl("status", "--control", str(path), uid=1001).returncode in (1, 2)
    pod.stop()
    assert not path.exists(), "a stale socket stays behind"


def test_since_of_what_waits_is_not_before_the_run(a_pod):
    pod = a_pod(start=False)
    pod.fault("gated", "hang-at-boot")
    pod.start().wait_service("gated", "starting")
    begun = seconds_of(pod.events()[0])
    # A line of history is written a little after what it tells of.
    assert [s["name"] for s in pod.status()["services"] if seconds_of({"time": s["since"]}) < begun - 1] == []


def test_the_page_shows_every_service_and_only_on_loopback(pod):
    status, text = pod.get("/", 9091)
    assert status == 200 and "<html" in text.lower()
    for service in pod.status()["services"]:
        assert service["name"] in text
    held = pod.inside("cat", "/proc/net/tcp").stdout
    assert f"0100007F:{9091:04X}" in held and f"00000000:{9091:04X}" not in held


def test_slow_and_broken_clients_do_not_hold_up_the_probes(pod):
    """Ninety connections that send half a request: more than the limit of 64."""
    held = [pod.connect(9090) for _ in range(90)]
    try:
        for connection in held:
            try:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost")
            except OSError:
                pass  # it made room for a new one
        assert pod.get("/livez", timeout=5)[0] == 200
        assert pod.get("/readyz", timeout=5)[0] == 200
    finally:
        for connection in held:
            connection.close()
    with pod.connect(9090) as connection:
        connection.sendall(b"\0\xff garbage\r\n\r\n")
        connection.recv(64)
    assert pod.get("/livez")[0] == 200


def test_metrics_are_valid_prometheus_text(pod):
    status, text = pod.get("/metrics")
    assert status == 200 and text.endswith("\n")
    typed, seen = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed
            typed[name] = kind
        elif not line.startswith("#"):
            assert re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? -?[0-9.e+]+', line), line
            key = line.rsplit(" ", 1)[0]
            assert key not in seen and key.split("{")[0] in typed
            seen.add(key)
    documented = set(re.findall(r"^\| `([a-z_]+)`", (ROOT / "docs" / "reference" / "metrics.md").read_text(), re.M))
    # Those are there where the services have control groups only: test_control_groups.py.
    of_groups = {name for name in documented if re.search(r"_service_(memory|processes|cpu)", name)}
    # And those once gated has asked the docker command of arizuko-init: tests/agents.
    of_agents = {name for name in documented if name.startswith("arizuko_init_agents_")}
    assert len(of_groups) == 6 and len(of_agents) == 2
    assert documented - of_groups - of_agents == set(typed) - of_agents, "docs/reference/metrics.md and /metrics differ"
