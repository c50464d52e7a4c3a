"""Strangers at the probe port and the status page: the kubelet is always answered, and memory is bounded."""
import socket
import struct
import time

import pytest

from attack import (KUBELET_TIMEOUT, SECONDS, Held, InPod, Kubelet, connect, descriptors, operator_is_answered,
                    pour, resident, restarts_at_once, socket_memory, two)
from pod import in_network_of, wait_for

PAGE = 9091
QUESTION = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def made():
    """One pod for all attacks here: each must leave it as it was."""
    from pod import Pod
    pods = []

    def make(*arguments, **options):
        pods.append(Pod(*arguments, **options))
        return pods[-1]
    yield two(make)
    for pod in pods:
        pod.close()


@pytest.fixture
def pod(made):
    before = descriptors(made)
    yield made
    assert made.process.poll() is None, made.described()
    # What the attack held is let go of, within the patience that a connection has.
    wait_for("the descriptors of before", lambda: descriptors(made) <= before + 1, 20, 0.1)


def attacked(pod, step, pause, seconds=SECONDS):
    """Lets `step` go on for a while beside a kubelet; the most memory that the kernel held for the port."""
    most = 0
    with Kubelet(pod) as kubelet, InPod(pod, step, pause):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            most = max(most, socket_memory(pod))
            time.sleep(0.2)  # between two looks: what is waited for is the end of the attack
    kubelet.never_failed()
    operator_is_answered(pod)
    return most


def test_clients_that_pipeline_and_never_read_neither_silence_livez_nor_take_the_kernels_memory(pod):
    held = Held()
    small = resident(pod)

    def step():
        connection = connect(receive_buffer=4096)
        pour(connection, QUESTION * 1500)
        held.add(connection)
    most = attacked(pod, step, 0.02)
    held.close()
    assert most < 8 * 2**20, f"{most} bytes of socket memory"
    assert resident(pod) < small + 12 * 2**20
    # What the crowd has needed goes with it.
    wait_for("its memory to be given back", lambda: resident(pod) < small + 3 * 2**20, 20, 0.1)


@pytest.mark.parametrize("half_closed", [False, True])
def test_answers_that_nobody_takes_are_not_left_to_the_kernel(pod, half_closed):
    held = Held(2000)

    def step():
        connection = connect(receive_buffer=2048)
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        held.add(connection)
    most = attacked(pod, step, 0.001)
    held.close()
    assert most < 8 * 2**20, f"{most} bytes of socket memory"


def test_readers_that_stop_in_the_middle_of_metrics_keep_nobody_out(pod):
    held = Held()

    def step():
        connection = connect(receive_buffer=2048)
        connection.sendall(QUESTION)
        connection.recv(10)
        held.add(connection)
        for each in held.all[-20:]:
            each.setblocking(False)
            try:
                each.recv(1)
            except OSError:
                pass
    attacked(pod, step, 0.02)
    held.close()


def test_heads_that_come_letter_by_letter_keep_nobody_out(pod):
    held = Held()

    def step():
        held.add(connect())
        for each in held.all:
            pour(each, b"G")
    attacked(pod, step, 0.02)
    held.close()


def test_huge_heads_are_431_and_keep_nobody_out(pod):
    held, statuses = Held(), set()

    def step():
        connection = connect()
        connection.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 9000)
        statuses.add(connection.recv(4096)[9:12])
        held.add(connection)
        big = connect()
        for _ in range(50):
            if not pour(big, b"X: " + b"x" * 4000 + b"\r\n"):
                break
        held.add(big)
    attacked(pod, step, 0.02)
    held.close()
    assert statuses == {b"431"}


def test_connections_that_never_ask_keep_nobody_out(pod):
    held = Held(300)
    attacked(pod, lambda: held.add(connect()), 0.005)
    held.close()


def test_a_flood_of_connections_that_end_by_reset_keeps_nobody_out(pod):
    def step():
        for asks in (b"", b"GET /metr", QUESTION):
            connection = connect()
            if asks:
                connection.sendall(asks)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            half = connect()
            half.sendall(asks or b"G")
            half.shutdown(socket.SHUT_WR)
            half.close()
    attacked(pod, step, 0.005)


def test_bodies_are_413_by_their_head(pod):
    statuses = set()

    def step():
        connection = connect()
        connection.sendall(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        statuses.add(connection.recv(4096)[9:12])
        pour(connection, b"x" * 60000)
        connection.close()
    attacked(pod, step, 0.02)
    assert statuses == {b"413"}


def test_a_request_whose_end_nobody_can_tell_is_refused(pod):
    def asked(fields):
        def ask():
            connection = connect()
            connection.sendall(b"POST /livez HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\nGET /livez HTTP/1.1\r\n\r\n")
            return connection.recv(4096)[9:12]
        return in_network_of(pod.pid1, ask)
    assert asked(b"Transfer-Encoding: xchunked\r\nContent-Length: 3") == b"400"
    assert asked(b"Transfer-Encoding: chunked\r\nContent-Length: 3") == b"400"
    assert asked(b"Transfer-Encoding: xchunked") == b"501"
    assert asked(b"Transfer-Encoding: chunked") == b"413"


def test_strangers_at_the_status_page_do_not_reach_the_probes(pod):
    held = Held()

    def step():
        connection = connect(PAGE, receive_buffer=4096)
        pour(connection, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 500)
        held.add(connection)
    with Kubelet(pod, "/", PAGE, 0.2) as reader:
        attacked(pod, step, 0.02)
        held.close()
    reader.never_failed()


def test_a_service_is_restarted_while_strangers_hold_every_place(pod):
    held = in_network_of(pod.pid1, lambda: [connect() for _ in range(100)])
    restarts_at_once(pod)
    for each in held:
        each.close()


def test_an_ipv6_wildcard_is_asked_over_ipv4_where_bindv6only_is_set(a_pod):
    pod = two(a_pod, setup="echo 1 > /proc/sys/net/ipv6/bindv6only", options=["--set", 'pod.probes="[::]:9090"'])
    for host in ("127.0.0.1", "::1"):
        assert pod.get("/livez", host=host, timeout=KUBELET_TIMEOUT)[0] == 200, host
