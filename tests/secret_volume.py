"""A rehearsal whose values come from a Secret volume in the kubelet's layout."""
import json

from kubelet import Volume
from lines import GATED
from pod import wait_for

FIRST = GATED.secrets


def pod_with_secret(a_pod, values=None, order="today", **options):
    """A pod that is started; pod.secret is the volume, with the line's own values unless others are given."""
    pod = a_pod(start=False, **options)
    pod.secret = Volume(pod.out / "secrets", values or pod.line.secrets, order)
    sources = json.dumps([f"dotenv:{pod.data}/.env", "environment", f"dir:{pod.secret.path}"])
    pod.options += ["--set", f"env.sources={sources}"]
    return pod.start()


def rotating_pod(a_pod, **options):
    """The same, when it is ready."""
    return pod_with_secret(a_pod, **options).wait_ready()


def pids(pod):
    return {s["name"]: s["pid"] for s in pod.status()["services"] if s["pid"]}


def runs_with(pod, service, key, value):
    """Whether a service is ready with this value; False also while its process is just being replaced."""
    try:
        return pod.service(service)["state"] == "ready" and pod.environ(service).get(key) == value
    except (OSError, AssertionError, TypeError):
        return False


def when_ready(pod, taken):
    """Waits until everything that the rotation of this event restarts is ready again; its view."""
    generation = int(taken["cause"].split()[1])

    def look():
        rotation = pod.secrets()["rotation"]
        done = rotation["outcome"] or rotation["phase"] == "observing"
        return rotation if rotation["generation"] == generation and done else None
    rotation = wait_for(f"generation {generation} to be in use", look)
    pod.wait_ready()
    wait_for("every service to settle", lambda: all(
        s["state"] not in ("starting", "stopping", "waiting") for s in pod.status()["services"]))
    return rotation


def outcome(pod, generation):
    """Waits for the end of a rotation; its view."""
    def look():
        rotation = pod.secrets()["rotation"]
        return rotation if rotation and rotation["generation"] == generation and rotation["outcome"] else None
    return wait_for(f"the outcome of generation {generation}", look, 30)
