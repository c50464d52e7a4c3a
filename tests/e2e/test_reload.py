"""SIGHUP and `reload`: the plan and the values anew, and nothing restarted that is not affected."""
import json
import signal

import pytest

from pod import STOCK_PLAN, own_plan, wait_for

BASE = ["gated", "timed", "dashd", "webd", "proxyd", "teled", "slakd"]


def with_own_plan(a_pod, **options):
    """The stock plan as a file of the pod, with room for drop-ins; every value the rehearsal needs is given."""
    pod = a_pod(start=False, **options)
    pod.write_plan(STOCK_PLAN.read_text())
    return pod


def drop_in(pod, name, text):
    pod.write(pod.out / "plan.toml.d" / name, text)


# A second dashboard.
EXTRA = """[service.extra]
command = ["dashd"]
port = 9500
after = ["gated"]
make_dirs = ["${pod.data_dir}/files-of/${self.name}"]
env.DASH_PORT = "9500"
env.DATA_DIR = "${pod.data_dir}"
ready.http = "${extra.url}/health"
"""


def pids(pod):
    return {s["name"]: s["pid"] for s in pod.status()["services"] if s["pid"]}


def restarted_by(pod, act):
    """Which services run as another process, once `act` has had its effect."""
    before, seq = pids(pod), pod.last_seq()
    act()
    # The values are taken in the same turn of the loop, so what they stop is no longer ready then.
    pod.wait_event(lambda e: e["event"] == "plan", "the plan to be taken", after=seq)
    pod.wait_ready()
    # One service after the other: between two of them everything may be ready.
    wait_for("no rotation in the middle of its restarts", lambda: not (rotation := pod.secrets()["rotation"])
             or rotation["outcome"] or rotation["phase"] == "observing")
    after = pids(pod)
    return {name for name in before | after if before.get(name) != after.get(name)}


def test_sighup_adds_a_service_of_a_changed_plan_and_restarts_nothing(a_pod):
    pod = with_own_plan(a_pod).start().wait_ready()

    def told(change):  # the plan's own watch may be faster than the signal
        change()
        pod.signal(signal.SIGHUP)

    assert restarted_by(pod, lambda: told(lambda: drop_in(pod, "extra.toml", EXTRA))) == {"extra"}
    assert pod.service("extra")["port"] == 9500
    assert (pod.data / "files-of" / "extra").is_dir(), "what a service of the new plan wants made"
    # And away again.
    assert restarted_by(pod, lambda: told((pod.out / "plan.toml.d" / "extra.toml").unlink)) == {"extra"}
    assert pod.service("extra") is None or pod.service("extra")["state"] == "off"


def test_reload_restarts_exactly_the_service_whose_definition_changed(a_pod):
    pod = with_own_plan(a_pod).start().wait_ready()
    drop_in(pod, "dashd.toml", "[service.dashd]\nport = 9182\n")

    def reload():
        done = pod.ctl("reload", "--json")
        assert done.returncode == 0 and json.loads(done.stdout)["accepted"] is True

    # proxyd's routes name dashd's port: it is affected, too.
    assert restarted_by(pod, reload) == {"dashd", "proxyd"}
    assert pod.get("/health", 9182)[0] == 200


def with_own_values(a_pod):
    """An own plan that reads the operator's values from own.env: a bare host's /etc/arizuko/<instance>.env."""
    pod = with_own_plan(a_pod)
    drop_in(pod, "values.toml", f'''[env]
sources = [
  {{ source = "dotenv:{pod.data}/.env", only = ["ASSISTANT_NAME", "CONTAINER_IMAGE", "API_PORT", "CHANNEL_SECRET"] }},
  "environment", "dotenv:{pod.data}/own.env",
]
''')
    return pod


def test_a_line_in_the_dotenv_of_the_data_directory_reaches_nobody_and_is_said(a_pod):
    pod = with_own_values(a_pod).start().wait_ready()
    text = (pod.data / ".env").read_text()
    pod.write(pod.data / ".env", text + "DOCKER_HOST=tcp://elsewhere:2375\n", 0o600)
    line = pod.wait_logged("ignored: DOCKER_HOST")
    assert json.loads(line)["level"] == "WARN"
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == set()
    assert "DOCKER_HOST" not in pod.environ("gated")


def test_a_changed_dotenv_restarts_exactly_the_services_that_take_the_value(a_pod):
    pod = with_own_values(a_pod).start().wait_ready()
    dotenv = pod.data / "own.env"
    text = ""
    pod.write(dotenv, text + "TELEGRAM_BOT_TOKEN=first\n", 0o600)
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == {"teled", "proxyd"}
    assert pod.environ("teled")["TELEGRAM_BOT_TOKEN"] == "first"
    generation = pod.status()["generation"]
    # The same values: a generation, and no restart.
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == set()
    # A key that nobody takes.
    pod.write(dotenv, text + "TELEGRAM_BOT_TOKEN=first\nNOBODY_TAKES_ME=1\n", 0o600)
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == set()
    pod.write(dotenv, text + "TELEGRAM_BOT_TOKEN=second\n", 0o600)
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == {"teled", "proxyd"}
    assert pod.environ("teled")["TELEGRAM_BOT_TOKEN"] == "second"
    assert pod.status()["generation"] > generation


def test_a_new_token_switches_its_adapter_on(a_pod):
    pod = with_own_values(a_pod).start().wait_ready()
    assert pod.service("discd")["state"] == "off"
    pod.write(pod.data / "own.env", "DISCORD_BOT_TOKEN=x\n", 0o600)
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == {"discd"}
    assert pod.service("discd")["state"] == "ready"


@pytest.mark.parametrize("ask", ["reload", "SIGHUP"])
def test_a_wrong_plan_is_refused_whole_and_the_run_goes_on(a_pod, ask):
    pod = with_own_plan(a_pod).start().wait_ready()
    before = pids(pod)
    # The first half is right: nothing of it may be taken either.
    drop_in(pod, "a.toml", EXTRA)
    drop_in(pod, "b.toml", "[service.dashd]\nport = 9080\nprot = 1\n")
    if ask == "reload":
        done = pod.ctl("reload")
        assert done.returncode == 1
        assert "b.toml:2" in done.stderr and "b.toml:3" in done.stderr and "port" in done.stderr
    else:
        pod.signal(signal.SIGHUP)
    pod.wait_logged("the running plan stays")
    refused = pod.wait_event(lambda e: e["code"] == "plan-refused", "the refusal")
    assert refused["event"] == "plan" and "the old one stays: " in refused["cause"] and "b.toml:2" in refused["cause"]
    assert pids(pod) == before and pod.service("extra") is None
    assert pod.ctl("status").returncode == 0
    # The refusal is no state: a right plan is taken afterwards.
    drop_in(pod, "b.toml", "")
    assert restarted_by(pod, lambda: pod.signal(signal.SIGHUP)) == {"extra"}


def test_a_reload_that_moves_the_data_directory_is_refused(a_pod):
    pod = with_own_plan(a_pod).start().wait_ready()
    drop_in(pod, "a.toml", '[pod]\ninstance = "other"\n')
    done = pod.ctl("reload")
    assert done.returncode == 1 and "pod.instance" in done.stderr
    assert pod.status()["instance"] == "demo"


def test_reload_while_gated_is_down_does_not_start_anything_behind_the_gate(a_pod):
    pod = with_own_plan(a_pod)
    pod.fault("gated", "hang-at-boot")
    pod.start().wait_service("gated", "starting")
    drop_in(pod, "extra.toml", EXTRA)
    assert pod.ctl("reload").returncode == 0
    wait_for("the new service", lambda: pod.service("extra"))
    assert pod.service("extra")["state"] == "waiting"
    assert [e["service"] for e in pod.events() if e["event"] == "spawned"] == ["seed", "gated"]


def test_a_changed_plan_file_is_taken_by_itself_and_a_wrong_one_refused_whole(a_pod):
    text = '[service.sleeper]\ncommand = ["sleep", "1000"]\n'
    pod = own_plan(a_pod, text).start()
    pod.wait_service("sleeper", "ready")
    before = pod.service("sleeper")["pid"]
    pod.write_plan(text + '[service.second]\ncommand = ["sleep", "2000"]\n')
    pod.wait_service("second", "ready")
    assert pod.service("sleeper")["pid"] == before
    pod.write_plan(text + '[service.third]\ncomand = ["sleep", "3000"]\n')
    wait_for("the refusal", lambda: "reload (changed plan file) refused, the running plan stays" in pod.logged())
    assert "comand" in pod.logged() and pod.service("third") is None
    (pod.out / "plan.toml.d").mkdir()
    pod.write(pod.out / "plan.toml", text)
    pod.write(pod.out / "plan.toml.d" / "more.toml", '[service.fourth]\ncommand = ["sleep", "4000"]\n')
    pod.wait_service("fourth", "ready")
    assert pod.service("sleeper")["pid"] == before
