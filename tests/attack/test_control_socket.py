"""Strangers, stalled followers and squatters at the control socket: the operator is always answered."""
import ctypes
import platform
import socket
import subprocess
import sys
import time

import pytest

from attack import CONTROL, SECONDS, TWO, Kubelet, operator_is_answered, resident, restarts_at_once, two
from pod import INIT, in_network_of

# Another user inside the pod: python with these lines, until its stdin ends. It says "there" when it stands.
STRANGER = """
import os, socket, sys
os.setgid({uid}); os.setuid({uid})
{body}
print("there", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def pod(a_pod):
    return two(a_pod, env={"INSTANCE_NAME": "demo"}, options=["--set", 'pod.instance="demo"'])


class Stranger:
    def __init__(self, pod, uid, body):
        self.process = subprocess.Popen(
            ["nsenter", "-t", str(pod.pid1), "-p", "-m", "-n", sys.executable, "-I", "-c",
             STRANGER.format(uid=uid, body=body)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        assert self.process.stdout.readline() == "there\n", "the stranger did not get in"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)


def as_1000(make):
    """What `make` returns, made by a process of the pod's own user; sockets keep whose they are."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Of this thread only, which in_network_of made: setresuid(3) would change all threads.
    setresgid, setresuid = (149, 147) if platform.machine() == "aarch64" else (119, 117)
    assert libc.syscall(setresgid, 1000, 1000, 1000) == 0 and libc.syscall(setresuid, 1000, 1000, 1000) == 0
    return make()


def follower(pod, target):
    def make():
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(5)
        made.connect(CONTROL)
        made.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return made
    return in_network_of(pod.pid1, lambda: as_1000(make))


def test_followers_that_stopped_reading_do_not_hold_the_control_socket(a_pod):
    pod = two(a_pod, TWO.replace('command = ["sleep", "3600"]', 'command = ["sh", "-c", "while :; do seq 100; sleep 0.05; done"]', 1),
              options=["--set", 'pod.instance="demo"'])
    small = resident(pod)
    targets = ["/v1/logs?follow=1&lines=100000", "/v1/logs?follow=1&service=steady", "/v1/events?follow=1",
               "/v1/logs?follow=1&service=other&lines=1"]
    followers = [follower(pod, targets[i % len(targets)]) for i in range(100)]
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        operator_is_answered(pod)
    restarts_at_once(pod, "other")
    assert resident(pod) < small + 24 * 2**20
    assert pod.get("/livez")[0] == 200
    for each in followers:
        each.close()
    operator_is_answered(pod)


def test_a_body_that_does_not_end_is_bounded_by_patience_and_keeps_nobody_out(pod):
    held = []
    for _ in range(70):
        made = follower(pod, "/v1/status")
        made.sendall(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\nxx")
        held.append(made)
    operator_is_answered(pod)
    restarts_at_once(pod)


def test_another_user_cannot_hold_the_abstract_socket(pod):
    body = """
held = []
for _ in range(300):
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect("\\0arizuko-init/demo")
    except OSError:
        continue
    held.append(made)
"""
    with Stranger(pod, 1001, body):
        operator_is_answered(pod)
        restarts_at_once(pod)


def test_another_user_that_calls_again_and_again_keeps_nobody_out(pod):
    body = """
import threading, time
def call():
    while True:
        made = socket.socket(socket.AF_UNIX)
        try:
            made.connect("\\0arizuko-init/demo")
        except OSError:
            pass
        made.close()
        time.sleep(0.001)
for _ in range(4):
    threading.Thread(target=call, daemon=True).start()
"""
    with Stranger(pod, 1001, body), Kubelet(pod) as kubelet:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            operator_is_answered(pod)
    kubelet.never_failed()


LISTENS = """
made = socket.socket(socket.AF_UNIX)
made.bind("\\0arizuko-init/x")
made.listen({backlog})
held = []
for _ in range({fill}):
    each = socket.socket(socket.AF_UNIX)
    each.setblocking(False)
    try:
        each.connect("\\0arizuko-init/x")
    except OSError:
        pass
    held.append(each)
"""


@pytest.mark.parametrize("uid", [0, 1000, 1001])
def test_whoever_listens_at_a_name_of_ours_does_not_make_commands_ask_which_one(pod, uid):
    with Stranger(pod, uid, LISTENS.format(backlog=8, fill=0)):
        for caller in (0, 1000):
            done = pod.ctl("status", "--json", uid=caller)
            assert done.returncode in (0, 1) and '"instance":"demo"' in done.stdout, (caller, done)


def test_a_name_of_ours_that_takes_nobody_in_does_not_hold_up_commands(pod):
    with Stranger(pod, 1001, LISTENS.format(backlog=0, fill=4)):
        for caller in (0, 1000):
            done = pod.ctl("status", "--json", uid=caller)
            assert done.returncode in (0, 1) and done.stdout, (caller, done)


def test_where_only_a_stranger_listens_a_command_says_who_it_passed_over(pod):
    with Stranger(pod, 1001, LISTENS.format(backlog=8, fill=0)):
        # From another process namespace nobody is process 1, and the instance itself is a stranger to root.
        done = subprocess.run(["nsenter", "-t", str(pod.pid1), "-n", str(INIT), "status"],
                              capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "@arizuko-init/x: uid 1001 listens there, neither you nor root: passed over" in done.stderr


def test_the_instances_name_taken_by_a_stranger_before_the_start_costs_nothing(a_pod):
    squat = ("setpriv --reuid 1001 --regid 1001 --clear-groups python3 -Ic 'import socket, time\n"
             "s = socket.socket(socket.AF_UNIX); s.bind(\"\\0arizuko-init/demo\"); s.listen(0)\n"
             "time.sleep(600)' & \n"
             "while ! grep -q @arizuko-init/demo /proc/net/unix; do sleep 0.01; done")
    pod = two(a_pod, setup=squat, options=["--set", 'pod.instance="demo"'])
    for caller in (0, 1000):
        done = pod.ctl("status", "--json", uid=caller)
        assert done.returncode in (0, 1) and '"instance":"demo"' in done.stdout, (caller, done)
