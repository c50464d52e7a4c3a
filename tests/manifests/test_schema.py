"""Every object that can be rendered has only fields and values that Kubernetes knows: checked by TypeScript against
the types of kubernetes-models, with its rule that an object literal has no property too many."""
import json
import os
import subprocess
from pathlib import Path

import pytest

from rendered import K8S, everything, find, overlay
import yaml

# Where scripts/manifests has installed schema/package.json.
TYPES = Path(os.environ.get("MANIFEST_TYPES", K8S.parent / "build" / "manifests"))


def module_of(api_version):
    """The module that has the types of an API group and version."""
    group = api_version.rsplit("/", 1)[0] if "/" in api_version else ""
    package = "@kubernetes-models/external-secrets" if group.endswith("external-secrets.io") else "kubernetes-models"
    return f"{package}/{api_version}"


def typed(number, kind_of, literal, expectation=""):
    """One object as a constant of its type; `expectation` is a comment for the compiler."""
    api_version, kind = kind_of
    return (f'import type {{ I{kind} as T{number} }} from "{module_of(api_version)}";\n'
            f"{expectation}export const o{number}: T{number} = {json.dumps(literal)};\n")


def compile_types(directory, text):
    (directory / "objects.ts").write_text(text)
    (directory / "node_modules").symlink_to(TYPES / "node_modules")
    return subprocess.run([str(TYPES / "node_modules/.bin/tsc"), "--noEmit", "--strict", "--skipLibCheck",
                           "--module", "nodenext", "--moduleResolution", "nodenext", "--target", "es2022",
                           str(directory / "objects.ts")], capture_output=True, text=True, timeout=120)


def changed(objects, kind, change):
    """A copy of an object with a mistake in it."""
    copy = json.loads(json.dumps(find(objects, kind, *(["arizuko-secrets"] if kind == "ExternalSecret" else []))))
    change(copy)
    return copy


def planted():
    """(what is wrong, object) of mistakes that the compiler must find."""
    objects = overlay("production")
    pod = lambda each: each["spec"]["template"]["spec"]
    yield "unknown key in the pod", changed(objects, "Deployment", lambda d: pod(d).update(enableServiceLink=False))
    yield "unknown strategy", changed(objects, "Deployment", lambda d: d["spec"]["strategy"].update(type="Recreated"))
    yield "number as a string", changed(objects, "Deployment", lambda d: d["spec"].update(replicas="1"))
    yield "container without a name", changed(objects, "Deployment", lambda d: pod(d)["containers"][0].pop("name"))
    yield "unknown key of a probe", changed(
        objects, "Deployment", lambda d: pod(d)["containers"][0]["livenessProbe"].update(period=3))
    yield "old version", changed(objects, "ExternalSecret",
                                 lambda e: e.update(apiVersion="external-secrets.io/v1beta1"))
    yield "unknown policy", changed(objects, "ExternalSecret",
                                    lambda e: e["spec"]["target"].update(deletionPolicy="Keep"))


def distinct_objects():
    """Every object of every rendering, each once."""
    seen = {json.dumps(each, sort_keys=True): each for objects in everything().values() for each in objects}
    examples = [yaml.safe_load(path.read_text()) for path in sorted(K8S.rglob("secret.example.yaml"))]
    assert len(examples) == 2
    return [*seen.values(), *examples]


def test_every_object_of_every_combination_fits_its_schema_and_planted_mistakes_do_not(tmp_path):
    objects = distinct_objects()
    assert len(objects) > 20
    text = "".join(typed(n, (each["apiVersion"], each["kind"]), each) for n, each in enumerate(objects))
    for n, (what, each) in enumerate(planted(), len(objects)):
        kind_of = ("external-secrets.io/v1" if each["kind"] == "ExternalSecret" else each["apiVersion"], each["kind"])
        text += typed(n, kind_of, each, f"// @ts-expect-error {what}\n")
    done = compile_types(tmp_path, text)
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.parametrize("what, mistaken", planted(), ids=[what for what, _ in planted()])
def test_a_planted_mistake_is_a_real_change(what, mistaken):
    assert mistaken not in overlay("production"), what
