"""Today's arizuko in rehearsal: runed runs routd's agents as Jobs, with the docker command first in its PATH, unchanged."""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from agents import DOCKER, IMAGE, Bench, wait_for
from test_gated import REHEARSAL, Channel, free_port

KEYS = {name: f"key-of-{name}" for name in ("routd", "runed", "teled")}


class Today:
    """authd, runed and routd as the stock plan starts them, on the bench's volume."""

    def __init__(self, bench, directory):
        bench.cluster.images[IMAGE] = [str(REHEARSAL), "agent"]
        self.bench, self.directory, self.processes = bench, directory, {}
        self.ports = {name: free_port() for name in ("authd", "runed", "routd")}
        self.source = directory / "source"
        (self.source / "ant/skills/hello").mkdir(parents=True)
        (self.source / "ant/skills/hello/SKILL.md").write_text("# a skill\n")
        programs = directory / "bin"
        programs.mkdir()
        (programs / "docker").symlink_to(DOCKER)
        self.env = {**bench.env, "PATH": f"{programs}:/usr/bin:/bin", "REHEARSAL_LINE": "today",
                    "DATA_DIR": str(bench.data), "HOST_DATA_DIR": str(bench.data), "ASSISTANT_NAME": "Andy",
                    "CONTAINER_IMAGE": IMAGE, "ARIZUKO_DATA_DIR": str(bench.volume), "APP_SRC_DIR": str(self.source),
                    "AUTHD_URL": self.url("authd"), "RUNED_URL": self.url("runed"), "REHEARSAL_DOCKER": "1",
                    "REHEARSAL_AGENTS": "1", "RUNED_SHUTDOWN_GRACE": "1s", "ONBOARDING_ENABLED": "false"}
        self.env["HOST_APP_DIR"] = str(self.source)
        subprocess.run([REHEARSAL, "arizuko", "create", "demo"], env=self.env, check=True, capture_output=True, timeout=30)
        self.start("authd", AUTHD_SERVICE_KEYS=",".join(f"service:{name}={key}" for name, key in KEYS.items()))
        self.start("runed", AUTHD_SERVICE_KEY=KEYS["runed"])
        self.start("routd", AUTHD_SERVICE_KEY=KEYS["routd"])
        self.channel = Channel()
        token = self.call("authd", "/v1/service/token", {"principal": "service:teled", "key": KEYS["teled"]})["token"]
        self.sender = self.call("routd", "/v1/channels/register", {"name": "telegram", "url": self.channel.url,
                                                                   "jid_prefixes": ["telegram:"]}, token)["token"]

    def url(self, name):
        return f"http://127.0.0.1:{self.ports[name]}"

    def start(self, name, **more):
        with open(self.directory / f"{name}.log", "ab") as log:
            process = subprocess.Popen([REHEARSAL, name], stdout=log, stderr=log, start_new_session=True,
                                       env={**self.env, "LISTEN_ADDR": f"127.0.0.1:{self.ports[name]}", **more})
        self.processes[name] = process
        wait_for(f"{name} serves", lambda: process.poll() is not None or self.serves(name))
        assert process.poll() is None, self.text(name)

    def serves(self, name):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=10)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def text(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def call(self, name, path, body, bearer=""):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=10)
        connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {bearer}"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status < 300, answer
        return answer

    def say(self, text, chat=7):
        self.call("routd", "/v1/messages", {"id": os.urandom(4).hex(), "chat_jid": f"telegram:{chat}", "sender": "ada",
                                            "content": text, "timestamp": "2026-01-01T00:00:00Z"}, self.sender)

    def close(self):
        for process in self.processes.values():
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
        self.channel.http.shutdown()
        self.channel.http.server_close()


@pytest.fixture
def today():
    directory = Path(tempfile.mkdtemp(prefix="today-"))  # short: the path of a socket has 107 bytes
    # arizuko's pod has the volume where runed sees it here
    bench = Bench(directory / "bench", mount_path=str(directory / "bench" / "volume"))
    bench.env["DATA_DIR"] = str(bench.data)
    each = Today(bench, directory)
    yield each
    each.close()
    bench.close()
    shutil.rmtree(directory, ignore_errors=True)


def job_mounts(bench):
    """Of the last Job: path in the agent -> subPath."""
    container = json.loads(bench.server.asked("POST", "/jobs$")[-1][3])["spec"]["template"]["spec"]["containers"][0]
    return {each["mountPath"]: each.get("subPath") for each in container["volumeMounts"]}


def test_a_message_is_answered_by_a_job_over_routds_socket_and_a_failed_turn_is_one(today):
    today.say("hello")
    wait_for("the answer", lambda: today.channel.sent)
    assert today.channel.sent == [{"chat_jid": "telegram:7", "content": "you said: hello"}]
    assert job_mounts(today.bench) == {
        "/home/node": "arizuko_demo/groups/main", "/opt/arizuko": "arizuko_demo/app-src",
        "/var/lib/share": "arizuko_demo/groups/main/share", "/run/ipc": "arizuko_demo/ipc/main", "/dev/shm": None}
    wait_for("the Job is gone", lambda: today.bench.jobs() == [])

    # Today's router does not answer a failure by the next turn, as gated's local chat did: the ledger has one (T40).
    today.say("fail 3")
    path = today.bench.data / ".arizuko-init" / "agents.json"
    wait_for("the failure is known", lambda: '"failures":1' in path.read_text())
    failed = json.loads(path.read_text())["groups"]
    assert [(each["group"], each["failures"], each["reason"]) for each in failed] == [
        ("main", 1, "the agent ended with exit code 3")]
    today.say("hello again")
    wait_for("the next answer", lambda: {"chat_jid": "telegram:7", "content": "you said: hello again"} in today.channel.sent)
    wait_for("the failure is forgotten", lambda: json.loads(path.read_text())["groups"] == [])


def test_runeds_boot_ends_what_a_killed_runed_left_behind(today):
    today.say("wait")
    wait_for("an agent that has its request", lambda: any(
        b"turn for main" in process.log for process in list(today.bench.cluster.processes.values())))
    os.killpg(today.processes["runed"].pid, signal.SIGKILL)  # and the docker commands below it
    today.processes["runed"].wait()
    assert len(today.bench.jobs()) == 1
    today.start("runed", AUTHD_SERVICE_KEY=KEYS["runed"])
    assert "stopped orphaned container" in today.text("runed") and today.bench.jobs() == []
