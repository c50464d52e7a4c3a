"""The rehearsal's gated, and today's routd with runed, run rehearsal agents as Jobs, with the docker command first in PATH."""
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import pytest
from agents import BUILD, DOCKER, IMAGE, Bench, wait_for

REHEARSAL = BUILD / "arizuko-rehearsal"


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


class Channel:
    """An adapter's side: registered with gated, and told what is sent out."""

    def __init__(self):
        self.sent = []
        channel = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                channel.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"


class Router:
    """What the tests ask of either line: a chat that is answered, and the daemon that calls docker, which can be killed."""
    line = ""

    def __init__(self, bench, tmp_path):
        bench.cluster.images[IMAGE] = [str(REHEARSAL), "agent"]
        self.bench, self.port, self.log = bench, free_port(), tmp_path / "log"
        bin_directory = tmp_path / "bin"
        bin_directory.mkdir(exist_ok=True)
        if not (bin_directory / "docker").exists():
            (bin_directory / "docker").symlink_to(DOCKER)
        self.env = {**bench.env, "PATH": f"{bin_directory}:/usr/bin:/bin", "DATA_DIR": str(bench.data),
                    "HOST_DATA_DIR": str(bench.data), "ASSISTANT_NAME": "Andy", "CONTAINER_IMAGE": IMAGE,
                    "REHEARSAL_DOCKER": "1", "REHEARSAL_AGENTS": "1"}
        self.channel = Channel()
        self.others = []
        self.prepare()
        self.start()
        self.token = self.call("/v1/channels/register", {"name": "telegram", "url": self.channel.url,
                                                         "jid_prefixes": ["telegram:"]}, self.bearer())["token"]

    def run(self, daemon, says, **env):
        """A daemon that has said that it runs."""
        before = self.text().count(says)
        with open(self.log, "ab") as log:
            process = subprocess.Popen([REHEARSAL, daemon], env={**self.env, **env}, stdout=log, stderr=log,
                                       start_new_session=True)
        wait_for(says, lambda: self.text().count(says) > before or process.poll() is not None)
        self.process = process  # the last one that was started
        assert process.poll() is None, self.text()
        return process

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def call(self, path, body, bearer):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {bearer}"})
        return json.loads(connection.getresponse().read())

    def say(self, text, chat=7):
        assert self.call("/v1/messages", {"id": os.urandom(4).hex(), "chat_jid": f"telegram:{chat}", "sender": "ada",
                                          "content": text, "timestamp": "2026-01-01T00:00:00Z"}, self.token)["ok"]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        for process in (self.process, *self.others):
            try:
                os.killpg(process.pid, signal.SIGKILL)  # its docker commands too
            except ProcessLookupError:
                pass
            process.wait()
        self.channel.http.shutdown()
        self.channel.http.server_close()


class Gated(Router):
    """gated as the stock plan starts it, on the bench's volume."""
    line = "gated"

    def prepare(self):
        self.env |= {"API_PORT": str(self.port), "CHANNEL_SECRET": "secret"}

    def start(self):
        self.run("gated", "arizuko running")
        if hasattr(self, "token"):  # it has forgotten everybody
            self.token = self.call("/v1/channels/register", {"name": "telegram", "url": self.channel.url,
                                                             "jid_prefixes": ["telegram:"]}, self.bearer())["token"]

    def bearer(self):
        return "secret"


class Today(Router):
    """authd, routd and runed; runed is the one that calls docker, and that is killed."""
    line = "runed"

    def prepare(self):
        self.env |= {"APP_SRC_DIR": str(self.bench.volume / "nowhere"), "ONBOARDING_ENABLED": "false"}
        subprocess.run([REHEARSAL, "arizuko", "create", "demo"], check=True, capture_output=True,
                       env={**self.env, "ARIZUKO_DATA_DIR": str(self.bench.volume)})
        authd, self.runed = free_port(), free_port()
        self.env |= {"AUTHD_URL": f"http://127.0.0.1:{authd}", "RUNED_URL": f"http://127.0.0.1:{self.runed}"}
        self.authd = authd
        keys = ",".join(f"service:{each}={each}-key" for each in ("routd", "runed", "timed"))
        self.others.append(self.run("authd", "authd running", LISTEN_ADDR=f"127.0.0.1:{authd}", AUTHD_SERVICE_KEYS=keys))
        self.others.append(self.run("routd", "routd running", LISTEN_ADDR=f"127.0.0.1:{self.port}",
                                    AUTHD_SERVICE_KEY="routd-key"))

    def start(self):
        self.run("runed", "runed running", LISTEN_ADDR=f"127.0.0.1:{self.runed}", AUTHD_SERVICE_KEY="runed-key")

    def bearer(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.authd, timeout=10)
        connection.request("POST", "/v1/service/token", json.dumps({"principal": "service:timed", "key": "timed-key"}))
        return json.loads(connection.getresponse().read())["token"]


@pytest.fixture
def make():
    directory = Path(tempfile.mkdtemp(prefix="gated-"))  # short: the path of a socket has 107 bytes
    made = []

    def router(kind):
        # arizuko's pod has the volume where its daemons see it here
        bench = Bench(directory / "bench", mount_path=str(directory / "bench" / "volume"), line=kind.line)
        made.append(kind(bench, directory))
        return made[-1]

    yield router
    for each in made:
        each.close()
        each.bench.close()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def gated(make):
    return make(Gated)


@pytest.fixture(params=[Gated, Today], ids=lambda kind: kind.line)
def router(make, request):
    return make(request.param)


def test_a_message_is_answered_by_an_agent_over_the_socket_of_its_group(router):
    router.say("hello")
    wait_for("the answer", lambda: router.channel.sent)
    assert router.channel.sent == [{"chat_jid": "telegram:7", "content": "you said: hello"}]
    wait_for("the turn is over", lambda: "agent done" in router.text())
    assert router.bench.jobs() == [] and not (router.bench.data / "ipc/main/gated.sock").exists()


MOUNTS = {"gated": {"/home/node": "groups/main", "/workspace/ipc": "ipc/main"},
          "runed": {"/home/node": "groups/main", "/opt/arizuko": "app-src", "/var/lib/share": "groups/main/share",
                    "/run/ipc": "ipc/main"}}


def test_a_turns_job_mounts_what_its_line_promises_to_agents(router):
    router.say("hello")
    wait_for("the answer", lambda: router.channel.sent)
    container = json.loads(router.bench.server.asked("POST", "/jobs$")[-1][3])["spec"]["template"]["spec"]["containers"][0]
    mounts = {each["mountPath"]: each.get("subPath") for each in container["volumeMounts"]}
    assert mounts.pop("/dev/shm") is None
    assert mounts == {path: f"arizuko_demo/{below}" for path, below in MOUNTS[router.line].items()}


def test_an_agent_that_fails_is_gateds_error_with_the_last_of_its_output(gated):
    gated.say("fail 3")
    wait_for("the error", lambda: "agent failed" in gated.text())
    assert "exit status 3: [ant] rehearsal of an agent" in gated.text()
    wait_for("the chat is told", lambda: gated.channel.sent)
    assert gated.channel.sent == [{"chat_jid": "telegram:7", "content": "Failed: agent error"}]


def test_an_agent_that_fails_is_one_errored_turn_of_routds_and_nobody_is_told(make):
    today = make(Today)
    today.say("fail 3")
    wait_for("the error", lambda: "agent failed" in today.text())
    assert "exit status 3: [ant] rehearsal of an agent" in today.text()
    ledger = today.bench.data / ".arizuko-init" / "agents.json"
    wait_for("the failure is known", lambda: '"failures":1' in ledger.read_text())
    assert [(each["group"], each["reason"]) for each in json.loads(ledger.read_text())["groups"]] == [
        ("main", "the agent ended with exit code 3")]
    today.say("hello", 8)
    wait_for("the next answer", lambda: today.channel.sent)
    assert today.channel.sent == [{"chat_jid": "telegram:8", "content": "you said: hello"}]
    assert today.text().count("agent failed") == 1
    wait_for("the failure is forgotten", lambda: json.loads(ledger.read_text())["groups"] == [])


def test_two_turns_of_one_group_at_one_time_share_its_socket_and_both_are_answered(gated):
    gated.say("pause", 1)
    wait_for("the first agent has its request", lambda: any(
        b"turn for main" in process.log for process in list(gated.bench.cluster.processes.values())))
    gated.say("hello", 2)
    wait_for("the second answer", lambda: gated.channel.sent)
    assert gated.channel.sent == [{"chat_jid": "telegram:2", "content": "you said: hello"}]
    gated.say("go on", 1)  # steered into the first agent, by a file and SIGUSR1
    wait_for("the first answer", lambda: len(gated.channel.sent) == 2)
    assert gated.channel.sent[1] == {"chat_jid": "telegram:1", "content": "you said: pause"}
    assert len(list((gated.bench.data / "ipc/main/input").iterdir())) == 1


def test_the_boot_ends_what_a_killed_caller_of_docker_left_behind(router):
    for chat in range(3):
        router.say("wait", chat)
        wait_for("an agent that has its request", lambda: sum(
            b"turn for main" in process.log for process in list(router.bench.cluster.processes.values())) == 1 + chat)
    router.kill()
    os.killpg(router.process.pid, signal.SIGKILL)  # and the docker commands below it, as the end of PID 1 does
    assert len(router.bench.jobs()) == 3
    router.start()
    assert router.text().count("stopped orphaned container") == 3
    assert router.bench.jobs() == [] and len(router.bench.cluster.store.items["pods"]) == 1
    router.say("hello again", 9)
    wait_for("the answer", lambda: any(each["content"] == "you said: hello again" for each in router.channel.sent))


def test_the_caller_of_docker_does_not_start_when_the_api_server_refuses_it(router):
    router.kill()
    router.bench.server.tokens = {"another"}
    with pytest.raises(AssertionError, match="docker is not running"):
        router.start()
    assert router.process.returncode == 1 and "401" in router.text()
