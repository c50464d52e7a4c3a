"""Rehearsal gated runs rehearsal agents as Jobs, with the docker command first in its PATH, unchanged."""
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


class Gated:
    """gated as the stock plan starts it, on the bench's volume."""

    def __init__(self, bench, tmp_path):
        bench.cluster.images[IMAGE] = [str(REHEARSAL), "agent"]
        self.bench, self.port, self.log = bench, free_port(), tmp_path / "gated.log"
        bin_directory = tmp_path / "bin"
        bin_directory.mkdir(exist_ok=True)
        if not (bin_directory / "docker").exists():
            (bin_directory / "docker").symlink_to(DOCKER)
        self.env = {**bench.env, "PATH": f"{bin_directory}:/usr/bin:/bin", "DATA_DIR": str(bench.data),
                    "HOST_DATA_DIR": str(bench.data), "API_PORT": str(self.port), "CHANNEL_SECRET": "secret",
                    "ASSISTANT_NAME": "Andy", "CONTAINER_IMAGE": IMAGE, "REHEARSAL_DOCKER": "1", "REHEARSAL_AGENTS": "1"}
        self.channel = Channel()
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([REHEARSAL, "gated"], env=self.env, stdout=log, stderr=log,
                                            start_new_session=True)
        lines = self.text().count("arizuko running")
        wait_for("gated runs", lambda: self.text().count("arizuko running") > lines or self.process.poll() is not None)
        assert self.process.poll() is None, self.text()
        self.token = self.call("/v1/channels/register", {"name": "telegram", "url": self.channel.url,
                                                         "jid_prefixes": ["telegram:"]}, "secret")["token"]

    def text(self):
        return self.log.read_text(errors="replace")

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
        try:
            os.killpg(self.process.pid, signal.SIGKILL)  # its docker commands too
        except ProcessLookupError:
            pass
        self.process.wait()
        self.channel.http.shutdown()
        self.channel.http.server_close()


@pytest.fixture
def gated():
    directory = Path(tempfile.mkdtemp(prefix="gated-"))  # short: the path of a socket has 107 bytes
    # arizuko's pod has the volume where gated sees it here
    bench = Bench(directory / "bench", mount_path=str(directory / "bench" / "volume"))
    each = Gated(bench, directory)
    yield each
    each.close()
    bench.close()
    shutil.rmtree(directory, ignore_errors=True)


def test_a_message_is_answered_by_an_agent_over_the_socket_of_its_group(gated):
    gated.say("hello")
    wait_for("the answer", lambda: gated.channel.sent)
    assert gated.channel.sent == [{"chat_jid": "telegram:7", "content": "you said: hello"}]
    wait_for("the turn is over", lambda: "agent done" in gated.text())
    assert gated.bench.jobs() == [] and not (gated.bench.data / "ipc/main/gated.sock").exists()


def test_an_agent_that_fails_is_gateds_error_with_the_last_of_its_output(gated):
    gated.say("fail 3")
    wait_for("the error", lambda: "agent failed" in gated.text())
    assert "exit status 3: [ant] rehearsal of an agent" in gated.text()
    wait_for("the chat is told", lambda: gated.channel.sent)
    assert gated.channel.sent == [{"chat_jid": "telegram:7", "content": "Failed: agent error"}]


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


def test_gateds_boot_ends_what_a_killed_gated_left_behind(gated):
    for chat in range(3):
        gated.say("wait", chat)
        wait_for("an agent that has its request", lambda: sum(
            b"turn for main" in process.log for process in list(gated.bench.cluster.processes.values())) == 1 + chat)
    gated.kill()
    os.killpg(gated.process.pid, signal.SIGKILL)  # and the docker commands below it, as the end of PID 1 does
    assert len(gated.bench.jobs()) == 3
    gated.start()
    assert gated.text().count("stopped orphaned container") == 3
    assert gated.bench.jobs() == [] and len(gated.bench.cluster.store.items["pods"]) == 1
    gated.say("hello again")
    wait_for("the answer", lambda: gated.channel.sent)


def test_gated_does_not_start_when_the_api_server_refuses_it(gated):
    gated.kill()
    gated.bench.server.tokens = {"another"}
    with pytest.raises(AssertionError, match="docker is not running"):
        gated.start()
    assert gated.process.returncode == 1 and "401" in gated.text()
