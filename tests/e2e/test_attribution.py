"""Whose a socket, a message, a process is: yes, no, and "cannot tell", which is not no."""
import json
import os
import signal
import subprocess
import textwrap
from pathlib import Path

from pod import INIT, own_plan, wait_for

SENDER = """
import socket, os, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
s.connect("\\0" + os.environ["NOTIFY_SOCKET"][1:])
s.send({message})
"""


def notifying(a_pod, message, go="true"):
    """A service `a` whose short-lived child says `message`, once `go` is true."""
    pod = own_plan(a_pod, """
[service.a]
command = ["{bin}/a"]
ready = { notify = true, within = "20s" }
""")
    pod.program("say.py", SENDER.replace("{message}", message))
    pod.program("a", f"#!/bin/sh\nuntil {go}; do sleep 0.01; done\npython3 {pod.bin_dir}/say.py\n: >{pod.out}/said\n"
                     "exec sleep 1000\n")
    return pod


def test_ready_before_cr_lf_and_behind_a_long_status_is_read(a_pod):
    for message in ('b"READY=1\\r\\n"', 'b"STATUS=" + b"s" * 20000 + b"\\nREADY=1\\n"'):
        pod = notifying(a_pod, message).start()
        pod.wait_service("a", "ready")
        pod.close()


def test_ready_of_a_sender_that_is_gone_when_it_is_read_counts_for_its_run(a_pod):
    pod = notifying(a_pod, 'b"READY=1"', go='[ -e "$(dirname "$0")/../go" ]').start()
    pod.wait_event(lambda e: e["service"] == "a" and e["event"] == "spawned")
    pod.signal(signal.SIGSTOP)  # PID 1 reads nothing from now on
    wait_for("PID 1 to be stopped", lambda: "State:\tT" in Path(f"/proc/{pod.pid1}/status").read_text())
    pod.write(pod.out / "go", "")
    wait_for("the message to be sent, and its sender to be gone", lambda: (pod.out / "said").exists())
    pod.signal(signal.SIGCONT)
    pod.wait_service("a", "ready")


def test_what_comes_from_another_service_is_not_taken_and_is_said(a_pod):
    pod = own_plan(a_pod, """
[service.a]
command = ["{bin}/a"]
ready = { notify = true, within = "30s" }
[service.liar]
command = ["{bin}/liar"]
""")
    pod.program("say.py", SENDER.replace("{message}", 'b"READY=1"'))
    pod.program("a", f'#!/bin/sh\necho "$NOTIFY_SOCKET" >{pod.out}/address.new\nmv {pod.out}/address.new {pod.out}/address\n'
                     "exec sleep 1000\n")
    pod.program("liar", f"#!/bin/sh\nuntil [ -e {pod.out}/address ]; do sleep 0.01; done\n"
                        f"NOTIFY_SOCKET=$(cat {pod.out}/address) python3 {pod.bin_dir}/say.py &\nexec sleep 1000\n")
    pod.start()
    said = pod.wait_logged("a: a notification came to its address from")
    assert pod.service("a")["state"] == "starting"
    assert '"level":"WARN"' in said and "was not taken" in said


LISTENER = r"""
import socket, time
s = socket.create_server(("127.0.0.1", 7411))
while True:
    c, _ = s.accept()
    c.recv(4096)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    c.close()
"""


def as_root(tmp_path, plan, bounding):
    """arizuko-init as a root without the capabilities `bounding` in namespaces of its own."""
    (tmp_path / "data").mkdir()
    (tmp_path / "plan.toml").write_text(textwrap.dedent(plan).replace("{dir}", str(tmp_path)).replace("{listener}", json.dumps(LISTENER)))
    log = open(tmp_path / "log", "w")
    return subprocess.Popen(
        ["unshare", "--pid", "--fork", "--mount-proc", "--net", "--kill-child", "sh", "-c",
         'ip link set lo up; exec setpriv --bounding-set "$0" --inh-caps "$0" "$@"', bounding,
         str(INIT), "run", "--plan", str(tmp_path / "plan.toml"), "--log", "console", "--set", f"pod.data_dir={tmp_path}/data"],
        stdout=log, stderr=log, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


def end(process, tmp_path):
    child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in child:
        os.kill(int(pid), signal.SIGKILL)
    process.wait()


WITH_USER = """
    [pod]
    probes = "off"
    page = "off"
    control = "{dir}/control.sock"
    [service.a]
    command = ["python3", "-c", {listener}]
    cwd = "/"
    user = "1000:1000"
    ready = { http = "http://127.0.0.1:7411/", within = "20s" }
"""


def test_a_root_without_ptrace_sees_that_a_service_with_user_has_its_own_listener(tmp_path):
    """Docker's default set of capabilities: the descriptors of another user's process are not shown to root."""
    process = as_root(tmp_path, WITH_USER, "-sys_ptrace,-sys_admin")
    try:
        wait_for("a to be ready", lambda: "a: starting -> ready" in (tmp_path / "log").read_text())
        assert "cannot be told" not in (tmp_path / "log").read_text()
    finally:
        end(process, tmp_path)


def test_a_listener_that_is_another_services_is_still_named_there(tmp_path):
    plan = WITH_USER + """
    [service.b]
    command = ["sleep", "1000"]
    cwd = "/"
    user = "1000:1000"
    after = ["a"]
    ready = { http = "http://127.0.0.1:7411/", within = "1s" }
    restart = { budget = 1 }
"""
    process = as_root(tmp_path, plan, "-sys_ptrace,-sys_admin")
    try:
        line = wait_for("b to fail", lambda: next(
            (l for l in (tmp_path / "log").read_text().splitlines() if "b: " in l and "was not ready within" in l), None))
        assert ":7411 is held by a (pid" in line, line
    finally:
        end(process, tmp_path)
