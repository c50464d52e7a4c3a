"""Daemons that keep the loop busy: the kubelet and the operator are answered beside them."""
import time

import pytest

from attack import SECONDS, TWO, Kubelet, operator_is_answered, restarts_at_once, two
from pod import own_plan, wait_for

# Kinds of daemon that want all of PID 1 for themselves.
GREEDY = {
    "bare newlines": '["sh", "-c", "yes \'\'"]',
    "short lines": '["yes"]',
    "one endless line": '["sh", "-c", "tr \'\\\\\\\\0\' x </dev/zero"]',
    "bytes that are no text": '["cat", "/dev/urandom"]',
}


@pytest.mark.parametrize("kind", GREEDY)
def test_a_daemon_that_writes_without_end_silences_nobody(a_pod, kind):
    plan = TWO.replace('command = ["sleep", "3600"]', f"command = {GREEDY[kind]}", 1)
    pod = two(a_pod, plan, stdout=open("/dev/null", "wb"))
    with Kubelet(pod) as kubelet:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            operator_is_answered(pod)
            restarts_at_once(pod, "other")
    kubelet.never_failed()
    assert pod.stop() == 0


@pytest.mark.parametrize("what", ['command = ["/nonexist"]', 'command = ["sleep", "1"]\ncwd = "/nonexist"'])
def test_a_service_that_never_starts_and_is_tried_at_once_for_ever_leaves_the_loop_to_the_others(a_pod, what):
    plan = TWO + f'\n[service.never]\n{what}\nrestart = {{ delay = "0s", budget = 0 }}\n'
    pod = own_plan(a_pod, plan).start()
    wait_for("an answer", lambda: pod.get("/livez", timeout=2)[0] == 200)
    pod.wait_service("steady", "ready")
    with Kubelet(pod) as kubelet:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            operator_is_answered(pod)
            restarts_at_once(pod)
    kubelet.never_failed()
    assert pod.log_path.stat().st_size < 2 * 2**20, "it writes a log without end"
    assert pod.stop(20) == 0
