"""docs/how-to/bare-host.md, followed to the letter on a fresh machine."""
import re

import page
from machine import facts_of, run, type_in, typed


def test_each_command_of_the_page_works_for_an_administrator_who_may_only_use_sudo(instance):
    instance.prepare()
    said = {}
    for line in page.commands("Run"):
        if "systemd-run" in line:
            continue  # asked before the first start: below
        if "--follow" in line:
            line = line.replace(" --follow", " --no-pager")
        if "enable --now" not in line:
            instance.wait_ready()
        said[line.split(" ", 1)[1] if line.startswith("sudo ") else line] = typed(line)
    assert "active (running)" in said["systemctl status arizuko-init@demo"]
    assert re.search(r"(?m)^gated +ready", said["arizuko-init status"])
    assert said["arizuko-init why"].strip()
    assert instance.systemctl("is-enabled").stdout == "enabled\n", "it comes back with the host"
    journal = next(text for line, text in said.items() if "journalctl" in line)
    assert "arizuko running" in journal, "what gated says is in the journal"


def test_the_doctor_command_finds_only_what_the_machine_really_lacks(instance):
    instance.prepare()
    done = type_in(page.command("Run", "sudo systemd-run"))
    errors = re.findall(r"(?m)^(error|warning) +(\S+)", done.stdout)
    assert done.returncode == 78, done.stdout + done.stderr
    assert {check for _, check in errors} == {"programs", "docker"}, done.stdout
    assert "checks)" in done.stdout


def test_the_doctor_command_sees_what_the_instance_would_see(instance):
    instance.prepare()
    instance.plan_drop_in("[env.generated]\nCHANNEL_SECRET = false\n")
    instance.env_path.chmod(0o644)
    done = type_in(page.command("Run", "sudo systemd-run"))
    found = {check for _, check in re.findall(r"(?m)^(error|warning) +(\S+)", done.stdout)}
    assert found == {"programs", "docker", "needed-values", "dotenv"}, done.stdout


def test_without_the_docker_group_the_override_of_the_page_lets_it_start(instance):
    lines = re.search(r"two lines: `(\[Service\])`, `(SupplementaryGroups=)`", page.section("Install")).groups()
    instance.prepare(CONTAINER_BACKEND="none")
    run("groupmod", "--new-name", "away", "docker")
    try:
        assert instance.systemctl("start", code=None).returncode == 1, "the group is there only with docker"
        instance.systemctl("stop")
        instance.override("\n".join(lines) + "\n")
        instance.start()
        assert facts_of(instance.main_pid)["Groups"].split() == [facts_of(instance.main_pid)["Gid"].split()[0]]
    finally:
        instance.systemctl("stop")
        run("groupmod", "--new-name", "docker", "away")
