"""The manifests as a cluster would get them: every overlay, and every combination of the components on the base.

KUSTOMIZE (set by scripts/manifests) is the command that renders a directory; without it `kubectl kustomize`."""
import concurrent.futures
import functools
import itertools
import os
import shlex
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
K8S = ROOT / "k8s"
OVERLAYS = sorted(path.parent.name for path in K8S.glob("overlays/*/kustomization.yaml"))

# What can be combined: one of each group, in this order. A component that is in no group is found by a test.
GROUPS = [
    [[], ["ingress"], ["ingress", "tls"], ["load-balancer"]],
    [[], ["network-policy"]],
    [[], ["external-secrets/aws"], ["external-secrets/vault"], ["external-secrets/gcp"]],
    [[], ["resources"]],
    [[], ["pod-disruption"]],
    [[]] + [[f"agents-{kind}"] for kind in ("dind", "jobs") if (K8S / f"components/agents-{kind}").is_dir()],
]
# Today's line with each of the others alone, and with as many as go together: it only changes the Deployment, so not
# twice as many as without it.
TODAYS = ["routd-line"]
WITH_TODAYS = [TODAYS + others for others in (
    *(choice for group in GROUPS for choice in group[1:]), [],
    ["ingress", "tls", "network-policy", "external-secrets/vault", "resources", "pod-disruption", "agents-jobs"],
    ["load-balancer", "network-policy", "external-secrets/gcp", "resources", "pod-disruption", "agents-dind"])]
COMBINATIONS = [tuple(itertools.chain(*choice)) for choice in itertools.product(*GROUPS)] + [*map(tuple, WITH_TODAYS)]


def is_todays(name):
    """Whether a rendering, by its name, is for the plan of today's arizuko."""
    return f"+ {TODAYS[0]}" in name or name == "overlay rehearsal-routd"


def run_kustomize(directory):
    """The finished process that rendered `directory`."""
    command = shlex.split(os.environ.get("KUSTOMIZE", "kubectl kustomize"))
    return subprocess.run([*command, str(directory)], capture_output=True, text=True, timeout=60)


def render(directory):
    """The objects of a kustomization."""
    done = run_kustomize(directory)
    assert done.returncode == 0, f"{directory}: {done.stderr}"
    return list(yaml.safe_load_all(done.stdout))


def write_combination(directory, components):
    """A kustomization of the base and these components, in a directory beside k8s/'s own."""
    base = os.path.relpath(K8S, directory)
    text = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
            "resources": [f"{base}/base"], "components": [f"{base}/components/{name}" for name in components]}
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(text))


def try_combination(components):
    """The finished process that rendered the base with these components."""
    with tempfile.TemporaryDirectory(dir=K8S.parent / "build", prefix="manifests-") as name:
        write_combination(Path(name), components)
        return run_kustomize(name)


def render_combination(components):
    done = try_combination(components)
    assert done.returncode == 0, f"base with {components}: {done.stderr}"
    return list(yaml.safe_load_all(done.stdout))


@functools.cache
def overlay(name):
    return render(K8S / "overlays" / name)


@functools.cache
def everything():
    """Name -> objects, of each overlay and each combination."""
    (K8S.parent / "build").mkdir(exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        combined = dict(zip(COMBINATIONS, pool.map(render_combination, COMBINATIONS)))
    named = {"base" + "".join(f" + {each}" for each in names): objects for names, objects in combined.items()}
    return named | {f"overlay {name}": overlay(name) for name in OVERLAYS}


def find(objects, kind, name="arizuko"):
    """The one object of this kind and name."""
    found = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    assert len(found) == 1, f"{len(found)} objects {kind}/{name} instead of one"
    return found[0]


def kinds(objects):
    return {each["kind"] for each in objects}


def pod_of(objects):
    """The pod template of the Deployment."""
    return find(objects, "Deployment")["spec"]["template"]


def container_of(objects):
    return next(each for each in pod_of(objects)["spec"]["containers"] if each["name"] == "arizuko")


def port_of(objects, name):
    """The number of a named port of the container."""
    return next(each["containerPort"] for each in container_of(objects)["ports"] if each["name"] == name)
