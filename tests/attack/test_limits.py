"""PID 1 with too little of everything: descriptors, processes, address space."""
import resource
import time

from attack import (SECONDS, TWO, InPod, Kubelet, connect, operator_is_answered, pour, restarts_at_once, two)
from pod import in_network_of, wait_for


def limit(pod, what, value):
    """Sets a soft limit of PID 1 while it runs, as its own user, who may: prlimit(1)."""
    done = pod.inside("prlimit", "--pid=1", f"--{what}={value}:")
    assert done.returncode == 0, done.stderr


def address_space(pod):
    with open(f"/proc/{pod.pid1}/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))


def test_idle_probe_connections_do_not_stop_restarts_where_descriptors_are_few(a_pod):
    pod = two(a_pod, before_exec=few_descriptors)
    held = in_network_of(pod.pid1, lambda: [connect() for _ in range(70)])
    for service in ("steady", "other", "steady"):
        restarts_at_once(pod, service)
    assert pod.get("/livez")[0] == 200
    operator_is_answered(pod)
    assert "EMFILE" not in pod.logged() and "Too many open files" not in pod.logged()
    for each in held:
        each.close()


def test_a_flood_of_connections_where_descriptors_are_few_silences_nobody(a_pod):
    pod = two(a_pod, before_exec=few_descriptors)
    held = []

    def step():
        held.append(connect())
        pour(held[-1], b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        if len(held) > 200:
            held.pop(0).close()
    with Kubelet(pod) as kubelet, InPod(pod, step, 0.02):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            restarts_at_once(pod)
    kubelet.never_failed()
    assert "Too many open files" not in pod.logged()


def test_no_process_to_be_had_is_a_pause_and_not_the_end(a_pod):
    pod = two(a_pod)
    limit(pod, "nproc", 1)
    seq = pod.last_seq()
    pod.kill("steady")
    pod.wait_event(lambda e: e["service"] == "steady" and e["event"] == "spawn-failed", "a spawn that failed", after=seq)
    assert pod.get("/livez")[0] == 200
    operator_is_answered(pod)
    failed = pod.last_seq()
    limit(pod, "nproc", resource.prlimit(pod.process.pid, resource.RLIMIT_NPROC)[1])
    pod.wait_state_event("steady", "ready", failed)


def test_bodies_where_address_space_is_short_do_not_end_pid_1(a_pod):
    pod = two(a_pod)
    limit(pod, "as", address_space(pod) + 2**20)
    head = b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"

    def post():
        made = []
        for _ in range(70):
            made.append(connect())
            pour(made[-1], head + b"x" * 59000)
        return made
    held = in_network_of(pod.pid1, post)
    assert pod.get("/livez")[0] == 200
    restarts_at_once(pod)
    assert pod.process.poll() is None
    for each in held:
        each.close()


def test_everything_at_once_where_address_space_is_short_does_not_end_pid_1(a_pod):
    noisy = TWO.replace('command = ["sleep", "3600"]',
                        'command = ["sh", "-c", "while :; do head -c 60000 /dev/zero | tr \'\\\\0\' x; echo; sleep 0.01; done"]', 1)
    pod = two(a_pod, noisy)
    limit(pod, "as", address_space(pod) + 2**18)
    held = []

    def step():
        try:
            held.append(connect())
            pour(held[-1], b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1500)
        except OSError:  # sent away at once: there is no memory for it
            pass
        if len(held) > 100:
            held.pop(0).close()
    with InPod(pod, step, 0.01):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            assert pod.process.poll() is None, pod.described()
            time.sleep(0.1)  # the attack goes on meanwhile
    for each in held:
        each.close()
    # With memory again, everything is as before.
    limit(pod, "as", "unlimited")
    wait_for("an answer to the kubelet", lambda: pod.get("/livez")[0] == 200)
    restarts_at_once(pod, "other")
    assert pod.stop() == 0
