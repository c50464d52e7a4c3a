"""`arizuko-init check --pod` finds nothing wrong in what is shipped."""
import json
import subprocess

import pytest
import yaml

from pod import INIT, STOCK_PLAN
from rendered import OVERLAYS, everything, overlay


def findings(objects):
    """What check --pod finds in rendered objects, read from stdin as kubectl would write them."""
    done = subprocess.run([INIT, "check", "--plan", STOCK_PLAN, "--pod", "-", "--json"], text=True, timeout=60,
                          input=yaml.safe_dump_all(objects), capture_output=True, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode in (0, 1, 78), (done.returncode, done.stderr)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_has_neither_errors_nor_warnings(name):
    seen = findings(overlay(name))
    assert not [each for each in seen["findings"] if each["severity"] != "note"], seen
