"""The rest of T8 to T36: names, directories, values, health, logs and signals of the daemons."""
import json
import re
import os
import signal

import pytest

from lines import ADAPTERS, GATED
from pod import Pod, check, own_plan, services_of, sets, wait_for

POD = {"API_PORT": "tcp://10.0.0.1:80", "DASH_PORT": "tcp://10.0.0.2:80", "DATABASE": "/nowhere", "DB_PATH": "/nowhere",
       "LISTEN_ADDR": "127.0.0.1:1", "DATA_DIR": "/nowhere", "CHANNEL_NAME": "other", "ARIZUKO_DEV": "true",
       "TZ": "Europe/Berlin", "WHISPER_BASE_URL": ""}


@pytest.fixture(scope="module")
def pod(line):
    """The stock plan in a pod full of other people's variables."""
    with Pod(env=POD, line=line) as pod:
        yield pod.wait_ready()


@pytest.fixture(scope="module")
def plan(line):
    return services_of(check(plan=line.plan))


def test_T08_the_stock_plan_gives_every_adapter_a_channel_name_of_its_own(plan):
    names = [plan[adapter]["env"]["CHANNEL_NAME"] for adapter in ADAPTERS]
    assert len(set(names)) == len(ADAPTERS)


def test_T08_two_adapters_of_one_channel_name_are_warned_of(line):
    (warning,) = check(*sets(service__discd__env__CHANNEL_NAME="telegram"), plan=line.plan)["warnings"]
    assert "service.discd.env.CHANNEL_NAME" in warning and "already the CHANNEL_NAME of teled" in warning


def test_T09_no_two_adapters_of_the_stock_plan_share_a_directory_for_files_of_one_name(plan, line):
    # teled's only file bears the account's name.
    own = [plan[adapter]["env"]["DATA_DIR"] for adapter in ("teled", "emaid", "bskyd", "reditd", "linkd")]
    assert len(set(own)) == len(own)
    assert set(own[1:]) <= set(check(plan=line.plan)["pod"]["make_dirs"])


def test_T09_a_second_account_in_the_directory_of_the_first_is_warned_of_and_so_is_its_token(line):
    warnings = check(*sets(service__second__like="bskyd", service__second__port=9015,
                           service__second__env__CHANNEL_NAME="second", service__second__env__DATA_DIR="/srv/one",
                           service__bskyd__env__DATA_DIR="/srv/one"), plan=line.plan)["warnings"]
    assert any("service.second.env.DATA_DIR" in each and "already the DATA_DIR of bskyd" in each for each in warnings)
    assert any("service.second.need: BLUESKY_PASSWORD" in each and "two of one account" in each for each in warnings)


def test_T10_the_stock_plans_routes_name_each_daemons_own_address(plan):
    routes = json.loads(plan["proxyd"]["env"]["PROXYD_ROUTES_JSON"])
    urls = {f"http://127.0.0.1:{each['port']}": name for name, each in plan.items() if each["port"]}
    to = {route["path"]: urls[route["backend"]] for route in routes}
    assert to["/dash/"] == "dashd" and to["/chat/"] == "webd" and to["/onboard"] == "onbod" and to["/slack/"] == "slakd"
    slack = next(route for route in routes if route["path"] == "/slack/")
    assert "X-Slack-Signature" in slack["preserve_headers"]


def test_T10_a_request_reaches_its_daemon_through_proxyd(pod):
    assert pod.get("/chat/x", 8095)[0] != 502 and pod.get("/slack/events", 8095)[0] != 502


def test_T16_the_key_that_encrypts_the_database_is_guarded(plan, line):
    assert check(plan=line.plan)["env"]["guarded"] == [line.guarded]
    takers = {name for name, service in plan.items() if line.guarded in service["take"] + service["need"]}
    assert takers == set(line.guards)


def test_T18_arizuko_dev_reaches_no_daemon(pod, plan, line):
    for name, service in plan.items():
        assert "ARIZUKO_DEV" not in service["take"] + service["need"] + list(service["env"])
    for service in line.daemons:
        assert "ARIZUKO_DEV" not in pod.environ(service)


def test_T19_the_pods_own_variables_reach_no_child(pod, line):
    for service in line.daemons:
        values = pod.environ(service).values()
        assert not [value for value in values if value.startswith("tcp://")], service
    assert pod.environ(line.gate).get("API_PORT") == ("9080" if line is GATED else None)
    assert pod.environ("dashd")["DASH_PORT"] == "9082"


# Who is given DATABASE, DB_PATH (both name the database of messages) and LISTEN_ADDR.
GIVEN = {"gated": ({"timed"}, {"slakd"}, {"teled", "slakd"}),
         "routd": (set(), {"dashd", "slakd"}, {"authd", "runed", "routd", "teled", "slakd"})}


def test_T20_names_that_mean_something_else_to_each_daemon_come_from_the_plan_alone(pod, line):
    database = f"{pod.data}/{line.database}"
    seen = {service: pod.environ(service) for service in line.daemons}

    def given(key):
        return {service: its[key] for service, its in seen.items() if key in its}

    of_database, of_path, of_address = GIVEN[line.name]
    assert given("DATABASE") == dict.fromkeys(of_database, database)
    assert given("DB_PATH") == dict.fromkeys(of_path, database)
    assert set(given("LISTEN_ADDR")) == of_address
    # LISTEN_ADDR in the pod does not change where a daemon listens.
    assert pod.get("/health", 9001)[0] == 200 and pod.get("/health", 1)[0] == 0


def test_T23_an_adapter_that_ignores_term_is_killed_after_its_time_and_the_stop_stays_within_grace(a_pod):
    pod = a_pod(start=False, options=sets(service__teled__stop__timeout="700ms"))
    pod.fault("teled", "login-hang")
    pod.start().wait_service("teled", "starting")
    pod.wait_service("slakd", "ready")
    pod.wait_logged("channel registered")
    wait_for("teled to be registered", lambda: '"name":"telegram"' in pod.logged())
    assert pod.stop(20) == 0
    assert re.search(r"teled: SIGKILL to its main process: it did not end within (7|8|9)\d\d ms of SIGTERM", pod.logged())


def test_T23_an_adapter_stuck_in_its_login_is_started_again(a_pod):
    pod = a_pod(start=False, options=sets(service__teled__ready__within="400ms", service__teled__stop__timeout="200ms",
                                          service__teled__restart__delay="10ms"))
    pod.fault("teled", "login-hang")
    pod.start().wait_event(lambda e: e["service"] == "teled" and "not ready within" in e["cause"])
    pod.fault("teled", "")
    pod.wait_service("teled", "ready")


def test_T23_the_stock_plan_gives_every_adapter_time_to_drain_and_fits_the_grace(plan, line):
    for adapter in ADAPTERS:
        # teled's last 5 s are a long poll whose offset is in a file: nothing that a kill loses.
        assert plan[adapter]["stop"]["timeout"] == ("2s" if adapter == "teled" else "16s")
    check("--set", "pod.grace=30s", plan=line.plan, code=78)


def test_T24_an_adapter_that_answers_503_is_unready_is_not_restarted_and_leaves_the_pod_ready(a_pod):
    pod = a_pod(options=sets(service__teled__ready__http__every="30ms")).wait_ready()
    pid = pod.service("teled")["pid"]
    pod.fault("teled", "health-503")
    unready = pod.wait_service("teled", "unready")
    assert "503" in unready["cause"] + " ".join(unready["waiting_for"])
    assert pod.get("/readyz")[0] == 200 and pod.get("/livez")[0] == 200
    assert pod.ctl("status").returncode == 1
    pod.fault("teled", "")
    assert pod.wait_service("teled", "ready")["pid"] == pid
    assert pod.service("teled")["restarts"] == 0


def test_T24_no_adapter_is_asked_whether_it_lives_or_keeps_the_pod_from_being_ready(plan, line):
    for adapter in ADAPTERS:
        # Nobody asks it itself; and gated is asked about it only while it is ready (T41).
        assert all(c["of"] == "gated" and c["while"] == "ready" for c in plan[adapter]["live"]), plan[adapter]["live"]
        assert not plan[adapter]["essential"]
    assert check(plan=line.plan)["pod"]["ready_when"] == list(line.ready_when)


def test_T27_tz_reaches_every_daemon(pod, line):
    for service in line.daemons:
        assert pod.environ(service)["TZ"] == "Europe/Berlin"


def test_T28_a_line_of_10_mib_is_cut_and_marked_and_holds_up_nobody(a_pod):
    pod = own_plan(a_pod, '''[service.talks]
command = ["{bin}/talks"]
[service.other]
command = ["{bin}/other"]
''')
    pod.program("talks", "#!/bin/sh\nhead -c 10485760 /dev/zero | tr '\\0' x\necho\n"
                         "echo 'text among json'\nexec sleep 1000\n")
    pod.program("other", "#!/bin/sh\ni=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done; exec sleep 1000\n")
    pod.start()
    pod.wait_logged("text among json")
    pod.wait_logged("line 49")
    lines = [json.loads(line) for line in pod.logged().splitlines()]
    (cut,) = [line for line in lines if line.get("cut")]
    assert cut["service"] == "talks" and len(cut["msg"]) <= 65536
    assert [line["msg"] for line in lines if line["service"] == "other"] == [f"line {i}" for i in range(50)]


def test_T29_the_looks_at_health_leave_no_line_in_the_log(a_pod):
    webd = 'service.webd.live.http={ url = "http://127.0.0.1:9081/health", every = "30ms" }'
    pod = a_pod(options=["--set", webd] + sets(service__dashd__live__http__every="30ms", service__dashd__drop=[])).wait_ready()
    # dashd without its drop list shows that there are such lines, and that the looks go on.
    wait_for("twenty looks", lambda: sum('"path":"/health"' in line and '"dashd"' in line
                                         for line in pod.logged().splitlines()) >= 20)
    lines = [json.loads(line) for line in pod.logged().splitlines()]
    assert {line["service"] for line in lines if line.get("path") == "/health"} == {"dashd"}
    # Another path is no noise.
    pod.get("/chat/x", 9081)
    wait_for("webd's line", lambda: any('"path":"/chat/x"' in line and '"webd"' in line
                                        for line in pod.logged().splitlines()))


def test_T29_a_ready_daemon_is_looked_at_every_10_seconds_at_most(plan):
    for service in plan.values():
        for condition in service["ready"] + service["live"]:
            assert condition["every"] in ("10s", "20s", "30s"), (service["name"], condition)
    for name in ("webd", "dashd", "proxyd"):
        assert plan[name]["drop"] == ['"path":"/health"']


def test_T30_proxyd_stays_ready_whatever_its_health_answers(a_pod):
    pod = a_pod(options=sets(service__proxyd__ready__every="20ms",
                             service__teled__ready__http__every="20ms")).wait_ready()
    (pod.data / "web").mkdir(exist_ok=True)
    pod.write(pod.data / "web" / "vhosts.json", '{"*": "other"}')
    # The static pages are to answer now, and they are not there.
    wait_for("a wrong answer from proxyd", lambda: pod.get("/health", 8095)[0] != 200)
    pod.fault("teled", "health-503")
    pod.fault("proxyd", "health-503")
    pod.wait_service("teled", "unready")  # as many looks later
    assert pod.service("proxyd")["state"] == "ready"
    assert pod.get("/readyz")[0] == 200
    assert [c["type"] for c in services_of(check())["proxyd"]["ready"]] == ["tcp"]


def test_T31_an_unset_whisper_base_url_never_points_to_a_port_of_the_plan(pod, plan, line):
    url = pod.environ(line.gate)["WHISPER_BASE_URL"]
    assert url.startswith("http://127.0.0.1:")
    port = int(url.rsplit(":", 1)[1])
    assert port not in {service["port"] for service in plan.values()} | {9090, 9091}
    assert pod.get("/", port)[0] == 0, "somebody listens there"


def test_T34_a_service_without_a_needed_value_is_blocked_and_not_restarted(a_pod):
    pod = a_pod(start=False, rehearse=False, env={"CHANNEL_SECRET": "c", "SLACK_BOT_TOKEN": "s"})
    for name in ("arizuko", "gated", "timed", "dashd", "proxyd", "webd", "slakd"):
        pod.program(name)
    sources = json.dumps(["environment", f"dotenv:{pod.data}/own.env"])
    pod.options += ["--set", f"pod.path={pod.bin_dir}:/usr/bin:/bin", "--set", f"env.sources={sources}"]
    pod.start()
    for service in ("gated", "timed", "dashd", "proxyd"):
        pod.wait_service(service, "ready")
    slakd = pod.service("slakd")
    assert slakd["state"] == "blocked" and "SLACK_SIGNING_SECRET" in slakd["cause"]
    assert slakd["restarts"] == 0
    assert pod.service("onbod")["state"] == "off", "T35: unset"
    events = [e for e in pod.events() if e["service"] == "slakd"]
    assert [e["to"] for e in events] == ["blocked"], "said more than once"
    # The value heals it, without an operator's start.
    pod.write(pod.data / "own.env", "SLACK_SIGNING_SECRET=x\n", 0o600)
    pod.signal(signal.SIGHUP)
    pod.wait_service("slakd", "ready")


@pytest.mark.parametrize("value, state", [("true", "ready"), ("false", "off"), ("0", "off"), ("1", "off")])
def test_T35_onbod_runs_with_true_only(a_pod, value, state):
    pod = a_pod(env={"ONBOARDING_ENABLED": value}).wait_ready()
    onbod = pod.service("onbod")
    assert onbod["state"] == state
    assert onbod["restarts"] == 0 and (state == "ready" or "ONBOARDING_ENABLED" in onbod["cause"])


def test_T36_a_child_starts_with_no_signal_blocked_or_ignored(a_pod):
    def spoil():
        """PID 1 itself inherits the worst."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD])
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGWINCH, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)

    pod = own_plan(a_pod, '[service.a]\ncommand = ["sleep", "1000"]\n', before_exec=spoil)
    pod.start().wait_service("a", "ready")
    status = pod.proc("a", "status").decode()
    masks = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines()
             if line.startswith(("SigBlk", "SigIgn", "SigCgt"))}
    assert masks == {"SigBlk": 0, "SigIgn": 0, "SigCgt": 0}
    # And PID 1 still hears of its children's end and of the wish to stop.
    os.kill(pod.outer_pid_of("a"), signal.SIGKILL)
    pod.wait_event(lambda e: e["service"] == "a" and e["event"] == "exited")
    assert pod.stop(10) == 0
