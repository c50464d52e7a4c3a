"""What a daemon can take away under a running instance, and a volume that is full."""
import pytest

from attack import TWO, operator_is_answered, restarts_at_once, runs_or_says_why, two
from pod import INIT

FULL = 'mount -t tmpfs -o size=256k,uid=1000,gid=1000 none "$volume"'
# Writes its volume full, to the last byte.
FILLED = FULL + '; head -c 1000000 /dev/zero >"$volume/filling" || true'


def test_a_deleted_lock_does_not_let_a_second_supervisor_in(a_pod):
    pod = two(a_pod)
    (pod.data / ".arizuko-init" / "lock").unlink()
    second = pod.inside(str(INIT), "run", "--plan", str(pod.plan), "--set", f"pod.data_dir={pod.data}",
                        "--set", "pod.probes=127.0.0.1:9190", "--set", "pod.page=127.0.0.1:9191",
                        "--control", "@second")
    assert second.returncode == 77, (second.returncode, second.stderr)
    operator_is_answered(pod)


def test_a_volume_that_fills_while_it_runs_stops_neither_answers_nor_restarts(a_pod):
    pod = two(a_pod, setup=FULL)
    pod.inside("sh", "-c", f"head -c 1000000 /dev/zero >{pod.data}/filling")
    restarts_at_once(pod)
    pod.ctl("reload")
    operator_is_answered(pod)
    assert pod.get("/livez")[0] == 200
    assert pod.stop() == 0


def test_a_volume_that_is_full_at_the_start_is_a_pod_that_runs_or_a_sentence(a_pod):
    pod = a_pod(start=False, rehearse=False, setup=FILLED)
    pod.write_plan(TWO.replace("{data}", str(pod.data)))
    pod.start()
    if runs_or_says_why(pod, "No space left"):
        restarts_at_once(pod)
        assert pod.stop() == 0


@pytest.mark.parametrize("directory", ["the state directory", "the whole volume"])
def test_what_daemons_delete_under_it_does_not_end_it(a_pod, directory):
    pod = two(a_pod)
    gone = f"{pod.data}/.arizuko-init" if directory == "the state directory" else f"{pod.data}/* {pod.data}/.arizuko-init"
    assert pod.inside("sh", "-c", f"rm -rf {gone}").returncode == 0
    operator_is_answered(pod)
    pod.ctl("reload")
    assert pod.get("/livez")[0] == 200
    pod.kill("steady")
    operator_is_answered(pod)
    assert pod.stop() == 0
