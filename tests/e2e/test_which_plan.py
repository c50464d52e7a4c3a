"""Which stock plan is taken when none is named: the real program in a source tree of its own, with routers of its own."""
import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from pod import INIT, ROOT, wait_for

PLAN = """[pod]
data_dir = "{tree}/data"
path = "{tree}/bin"
control = "{tree}/control.sock"
probes = "off"
page = "off"
[service.{router}]
command = ["{router}"]
"""


class Tree:
    """<tree>/build/x/arizuko-init, and the stock plans in <tree>/etc; each plan runs its router from <tree>/bin."""

    def __init__(self, path):
        assert not os.path.exists("/etc/arizuko"), "a plan in /etc/arizuko comes before those of a source tree"
        self.path = path
        self.init = path / "build" / "x" / "arizuko-init"
        for directory in (self.init.parent, path / "etc", path / "bin"):
            directory.mkdir(parents=True)
        shutil.copy2(INIT, self.init)
        for name, router in (("arizuko.toml", "gated"), ("arizuko-routd.toml", "routd")):
            (path / "etc" / name).write_text(PLAN.format(tree=path, router=router))

    def router(self, name):
        file = self.path / "bin" / name
        file.write_text("#!/bin/sh\nexec sleep 600\n")
        file.chmod(0o755)
        return self

    def command(self, *words, code=0):
        done = subprocess.run([self.init, *words], capture_output=True, text=True, timeout=30, cwd="/",
                              env={"PATH": "/usr/bin:/bin"})
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def services_of(checked):
    return [each["name"] for each in json.loads(checked.stdout)["services"]]


def test_run_takes_the_plan_whose_router_is_there_says_why_and_keeps_to_it(tree):
    tree.router("routd")
    assert services_of(tree.command("check", "--json")) == ["routd"]
    log = tree.path / "log"
    with open(log, "wb") as out:
        process = subprocess.Popen([tree.init, "run", "--log", "json"], stdout=out, stderr=out, cwd="/",
                                   env={"PATH": "/usr/bin:/bin"})
    try:
        wait_for("routd runs", lambda: '"service":"routd"' in log.read_text() or process.poll() is not None)
        said = log.read_text()
        assert f"the plan is {tree.path}/etc/arizuko-routd.toml, for routd is {tree.path}/bin/routd" in said
        assert "it cannot be told" not in said
        # A program that comes later changes no line: the plan that is read again is the one that runs.
        tree.router("gated")
        drop_ins = tree.path / "etc" / "arizuko-routd.toml.d"
        drop_ins.mkdir()
        (drop_ins / "more.toml").write_text('[service.more]\ncommand = ["routd"]\n')
        tree.command("reload", "--control", str(tree.path / "control.sock"))
        status = tree.command("status", "--json", "--control", str(tree.path / "control.sock"), code=None)
        assert {each["name"] for each in json.loads(status.stdout)["services"]} == {"routd", "more"}
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()


@pytest.mark.parametrize("there", [[], ["gated", "routd"]], ids=["neither", "both"])
def test_where_nothing_tells_run_refuses_and_who_only_looks_takes_the_gated_line(tree, there):
    for each in there:
        tree.router(each)
    way_out = (f"name it: --plan {tree.path}/etc/arizuko.toml for gated, "
               f"--plan {tree.path}/etc/arizuko-routd.toml for routd")
    refused = tree.command("run", code=78)
    assert "it cannot be told which plan fits: " in refused.stderr and way_out in refused.stderr
    assert (f"there is no gated in {tree.path}/bin" if not there else f"routd ({tree.path}/bin/routd) are both there") in refused.stderr
    checked = tree.command("check", "--json")
    assert services_of(checked) == ["gated"] and way_out in checked.stderr
    found = json.loads(tree.command("doctor", "--json", code=78).stdout)["findings"]
    assert [each["severity"] for each in found if each["check"] == "plan" and way_out in each["what"]] == ["error"]


def test_of_a_single_stock_plan_nothing_has_to_be_there(tree):
    (tree.path / "etc" / "arizuko.toml").unlink()
    checked = tree.command("check", "--json")
    assert services_of(checked) == ["routd"] and "name it" not in checked.stderr


def test_run_does_not_seed_an_empty_instance_beside_the_database_of_another_line(tree):
    """The order of a move: today's arizuko started before `arizuko migrate-split`."""
    tree.router("routd").router("arizuko")
    plan = tree.path / "etc" / "arizuko-routd.toml"
    plan.write_text(plan.read_text() + """
[task.seed]
command = ["arizuko"]
creates = "${pod.data_dir}/store/routd/routd.db"
""")
    old = tree.path / "data" / "store" / "messages.db"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"SQLite format 3\0" + bytes(84))
    refused = tree.command("run", code=78)
    assert f"{old}: this database is none of the plan's, and {tree.path}/data/store/routd/routd.db is not there" in refused.stderr
    assert sorted(each.name for each in (tree.path / "data").rglob("*")) == ["messages.db", "store"], "nothing was made"
    found = json.loads(tree.command("doctor", "--json", code=78).stdout)["findings"]
    assert [each["file"] for each in found if each["check"] == "database"] == [str(old)]


def test_a_manifest_that_names_no_plan_is_held_against_the_gated_lines_and_the_finding_says_so(tree):
    sound = (ROOT / "tests" / "doctor" / "pods" / "sound.yaml").read_text()

    def plan_findings(text, *words):
        (tree.path / "pod.yaml").write_text(text)
        found = json.loads(tree.command("check", "--pod", str(tree.path / "pod.yaml"), "--json", *words, code=None).stdout)
        return [(each["severity"], each["what"]) for each in found["findings"] if each["check"] == "plan"]

    assert plan_findings(sound) == [("note", f"the container names no plan, and was held against {tree.path}/etc/arizuko.toml")]
    assert plan_findings(sound, "--plan", str(tree.path / "etc" / "arizuko.toml")) == []
    image = re.search(r"(?m)^( +)image: .*$", sound)
    named = sound.replace(image.group(0), f'{image.group(0)}\n{image.group(1)}args: ["run", "--plan", "/etc/arizuko/arizuko-routd.toml"]')
    assert plan_findings(named) == []
