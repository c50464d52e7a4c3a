"""What a child sees, and that no value is ever shown."""
import json
import os
import time

import pytest

from lines import ADAPTERS, LINES, TODAY
from pod import Pod, check, own_plan, services_of, wait_for



def taken(service):
    """What a service takes and needs, as pairs: its own name, and the key that gives the value."""
    return [[each.strip() for each in (entry.split("=") * 2)[:2]] for entry in service["take"] + service["need"]]


# Every value that a stock plan can hand on, marked; and what a cluster injects.
KEYS = sorted({key for line in LINES for each in check(plan=line.plan)["services"] for _, key in taken(each)} - {
    "HOST_DATA_DIR", "CONNECTORS_TOML", "ONBOARDING_ENABLED", "LOG_LEVEL", "MEDIA_MAX_FILE_BYTES",
    "MEDIA_ENABLED", "EMAIL_IMAP_PORT", "EMAIL_SMTP_PORT", "CRACKBOX_ADMIN_API", "EGRESS_NETWORK_PREFIX",
    "EGRESS_CRACKBOX"})
VALUES = {key: f"MARKED-{key.lower().replace('_', '-')}-4711" for key in KEYS}
POD = {
    "API_PORT": "tcp://10.0.0.1:80", "DASH_PORT": "tcp://10.0.0.2:80", "DATABASE": "/nowhere/MARKED-database-4711",
    "DB_PATH": "/nowhere/MARKED-db-path", "LISTEN_ADDR": "127.0.0.1:1", "LISTEN_URL": "http://127.0.0.1:1",
    "CHANNEL_NAME": "MARKED-channel-4711", "DATA_DIR": "/nowhere", "ROUTER_URL": "http://127.0.0.1:1",
    "ARIZUKO_DEV": "certainly", "KUBERNETES_SERVICE_HOST": "10.0.0.3", "SOMETHING_SECRET": "MARKED-something-4711",
    "HOME": "/nowhere", "PROXYD_LISTEN": "1", "WEBD_LISTEN": "127.0.0.1:1", "TZ": "Europe/Berlin",
    "ASSISTANT_NAME": "ari",
}


def services(line):
    """All daemons of a stock plan: every one is on here."""
    return [*line.first[1:], "timed", "dashd", "proxyd", "webd", "onbod", *ADAPTERS]


@pytest.fixture(scope="module")
def pod(line):
    with Pod(line=line, env={**POD, **VALUES, "ONBOARDING_ENABLED": "true"}) as pod:
        yield pod.wait_ready()


def test_all_daemons_run_in_a_hostile_environment(pod, line):
    assert {s["name"] for s in pod.status()["services"] if s["state"] == "ready"} == set(services(line))


def test_a_daemon_sees_its_scope_and_nothing_else(pod, line):
    plan = check(plan=line.plan)
    for service in services(line):
        of = services_of(plan)[service]
        allowed = set(plan["env"]["common"]) | {name for name, _ in taken(of)} | set(of["env"]) | {
            "PATH", "ARIZUKO_INIT_SERVICE"}
        seen = pod.environ(service)
        assert set(seen) - allowed == set(), service
        for name, key in taken(of):
            if key in VALUES and name not in of["env"]:
                assert seen.get(name) == VALUES[key], f"{service} is not given {key}"
        for key, value in of["env"].items():
            if value and isinstance(value, str) and "${" not in value:
                assert seen[key] == value.replace("/srv/data/arizuko_demo", str(pod.data)), service
        assert seen["TZ"] == "Europe/Berlin" and seen["ASSISTANT_NAME"] == "ari"


def test_the_pods_own_variables_leak_to_nobody(pod, line):
    foreign = {value for key, value in POD.items() if key not in ("TZ", "ASSISTANT_NAME")}
    for service in services(line):
        for key, value in pod.environ(service).items():
            if (service, key) in (("gated", "KUBERNETES_SERVICE_HOST"), ("runed", "KUBERNETES_SERVICE_HOST")):
                continue  # for the docker command that it calls (docs/reference/agents.md)
            assert value not in foreign, f"{service} got {key}"
            assert key not in ("ARIZUKO_DEV", "SOMETHING_SECRET", "KUBERNETES_SERVICE_HOST")


def test_a_daemons_token_reaches_only_who_takes_it(pod, line):
    plan = services_of(check(plan=line.plan))
    seen = {service: pod.environ(service).values() for service in services(line)}
    for key in ("SLACK_SIGNING_SECRET", "DISCORD_BOT_TOKEN", "EMAIL_PASSWORD", "TELEGRAM_BOT_TOKEN",
                "CLAUDE_CODE_OAUTH_TOKEN", "AUTH_SECRET", "CHANNEL_SECRET", "GITHUB_CLIENT_SECRET", "SECRETS_KEY"):
        have = {service for service in seen if VALUES[key] in seen[service]}
        assert have == {service for service in seen if key in dict(map(reversed, taken(plan[service])))}, key
    for service in seen if line is TODAY else ():
        others = [value for key, value in VALUES.items() if key == f"AUTHD_KEY_{service.upper()}"]
        have = {each for each in seen if any(value in others for value in seen[each])}
        assert have == {service}, f"{service}'s key, and authd has it in its list alone"


def test_no_value_is_shown_anywhere(pod, line):
    """Last of this module: restarts, refusals and an end, then all that the run has ever said."""
    seq = pod.last_seq()
    pod.kill(line.gate)
    pod.wait_state_event("onbod", "ready", seq)
    pod.ctl("restart", "--wait", "10", "emaid")
    pod.fault("teled", "exit-at-boot 1")
    pod.kill("teled")
    pod.wait_service("teled", "backoff")
    pod.signal(1)  # SIGHUP
    pod.wait_event(lambda e: e["event"] == "plan", "the reload", after=seq)
    shown = [done.stdout + done.stderr for words in (
        ("status",), ("status", "--json"), ("why",), ("why", "teled"), ("why", "--json"), ("events",),
        ("events", "--json"), ("logs", "--lines", "100000"), ("logs", "--json", "--lines", "100000"),
        ("restart", "teled"), ("restart", "nothing"), ("reload",)) for done in [pod.ctl(*words)]]
    shown += [pod.get(path)[1] for path in ("/livez", "/readyz", "/startupz", "/health", "/metrics", "/nothing")]
    shown.append(pod.get("/", 9091)[1])
    shown.append(pod.termination_log.read_text())
    assert pod.stop() == 0
    shown += [pod.logged(), pod.errors(), pod.termination_log.read_text()]
    text = "\n".join(shown)
    assert len(text) > 50_000
    leaked = [key for key, value in {**VALUES, **POD}.items() if value.startswith("MARKED") and value in text]
    assert leaked == []
    assert "MARKED" not in text
    # Nor in an argument list, which every process may read: that of ours is the test's own.
    assert "MARKED" not in " ".join(pod.options)


def test_a_refused_value_is_named_and_not_shown(a_pod):
    pod = a_pod(start=False)
    pod.write(pod.data / ".env", 'GOOD=1\nBAD KEY=MARKED-one\nBROKEN="MARKED-two\n', 0o600)
    pod.start()
    wait_for("a word about it", lambda: ".env" in pod.errors() + pod.logged())
    assert "MARKED" not in pod.errors() + pod.logged() + pod.termination_log.read_text()


def test_a_secret_file_that_others_may_read_is_reported(a_pod):
    pod = a_pod(start=False)
    pod.write(pod.data / ".env", "CHANNEL_SECRET=MARKED-x\n", 0o644)
    pod.start().wait_ready()
    line = pod.wait_logged("/.env")
    assert json.loads(line)["level"] == "WARN" and "MARKED" not in line


def test_later_sources_win_and_a_directory_is_read_as_the_kubelet_lays_it_out(a_pod):
    pod = own_plan(a_pod, '''[env]
sources = ["dotenv:{data}/.env", "environment", "dir:{data}/secrets"]
[service.a]
command = ["sleep", "1000"]
take = ["ONE", "TWO", "THREE", "FOUR"]
''', env={"ONE": "environment", "TWO": "environment"})
    pod.write(pod.data / ".env", "export ONE=dotenv\r\nTHREE='dot # env' # comment\r\n", 0o600)
    generation = pod.data / "secrets" / "..2026_11_22"
    pod.write(generation / "TWO", "mounted\n")
    pod.write(generation / "FOUR", "four")
    (pod.data / "secrets" / "..data").symlink_to("..2026_11_22")
    for key in ("TWO", "FOUR"):
        (pod.data / "secrets" / key).symlink_to(f"..data/{key}")
    pod.start().wait_service("a", "ready")
    seen = pod.environ("a")
    assert seen["ONE"] == "environment" and seen["THREE"] == "dot # env"
    assert seen["TWO"].rstrip("\n") == "mounted" and seen["FOUR"] == "four"
    assert set(seen) == {"ONE", "TWO", "THREE", "FOUR", "PATH", "ARIZUKO_INIT_SERVICE"}


def test_descriptors_of_pid_1_reach_no_child(pod_of_one):
    descriptors = os.listdir(f"/proc/{pod_of_one.outer_pid_of('a')}/fd")
    assert sorted(descriptors) == ["0", "1", "2"]


@pytest.fixture
def pod_of_one(a_pod):
    pod = own_plan(a_pod, '[service.a]\ncommand = ["sleep", "1000"]\n')
    pod.start().wait_service("a", "ready")
    return pod


@pytest.mark.timing
def test_an_idle_pid_1_does_not_wake_up(pod_of_one):
    """Two seconds are measured, not waited for anything: nothing is due in them."""

    def switches():
        with open(f"/proc/{pod_of_one.pid1}/status") as status:
            return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)

    pod_of_one.get("/livez")
    wait_for("the last connection to be forgotten", lambda: _settled(switches))
    before = switches()
    time.sleep(2)
    assert switches() - before <= 2


def _settled(switches):
    before = switches()
    time.sleep(0.2)
    return switches() == before


@pytest.mark.timing
def test_the_stock_plans_looks_cost_a_few_wakeups_a_second(a_pod):
    pod = a_pod().wait_ready()

    def switches():
        with open(f"/proc/{pod.pid1}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("voluntary_ctxt"))

    before = switches()
    time.sleep(2)
    assert switches() - before < 40, "all looks are 10 s apart or more"
