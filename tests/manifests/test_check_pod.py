"""`arizuko-init check --pod` finds nothing wrong in what is shipped."""
import concurrent.futures
import json
import os
import subprocess

import pytest

from pod import INIT, STOCK_PLAN
from rendered import OVERLAYS, container_of, everything, find, overlay


def findings(objects):
    """What check --pod finds in rendered objects, read from stdin; JSON is YAML that is written faster. The plan is the one
    that the container names, else that of the gated line."""
    text = "\n---\n".join(json.dumps(each) for each in objects)
    plan = [] if "args" in container_of(objects) else ["--plan", STOCK_PLAN]
    done = subprocess.run([INIT, "check", *plan, "--pod", "-", "--json"], text=True, timeout=60,
                          input=text, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode in (0, 1, 78), (done.returncode, done.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_nothing_to_be_found(name):
    assert findings(overlay(name))["findings"] == []


def test_no_combination_has_more_to_be_found_than_a_limit_that_was_left_out():
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        seen = dict(zip(everything(), pool.map(findings, everything().values())))
    wrong = {}
    for name, answer in seen.items():
        found = {(each["severity"], each["check"]) for each in answer["findings"]}
        if found - ({("note", "resources")} if "+ resources" not in name else set()):
            wrong[name] = found
    assert not wrong, list(wrong.items())[:3]


def test_it_is_the_plan_that_the_container_names_which_is_held_against_the_manifest():
    objects = json.loads(json.dumps(everything()["base + routd-line + resources"]))
    find(objects, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 50
    found = findings(objects)["findings"]
    assert [each["check"] for each in found] == ["grace"] and "the plan may take 55 s" in found[0]["what"]


def test_a_planted_mistake_would_be_found():
    objects = json.loads(json.dumps(overlay("production")))
    find(objects, "Deployment")["spec"]["strategy"]["type"] = "RollingUpdate"
    assert "error" in {each["severity"] for each in findings(objects)["findings"]}
