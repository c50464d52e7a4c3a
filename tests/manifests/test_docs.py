"""What the pages for operators say is true: their commands exist, their files render, their tables fit the plan."""
import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from pod import INIT, ROOT, check
from rendered import K8S, find, render, pod_of

HOW_TO = ROOT / "docs" / "how-to"
PAGES = ["kubernetes.md", "external-secrets.md", "bare-host.md", "troubleshooting.md"]


def page(name):
    return (HOW_TO / name).read_text()


def table_under(text, heading):
    """The rows of the table whose first cell of the head is `heading`, each a list of cells."""
    lines = text[text.index(f"| {heading} |"):].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def plain(cell):
    return cell.replace("`", "")


# --- commands and files


def code_of(text):
    """What a page shows as code: indented lines and what stands in backquotes."""
    return "\n".join(re.findall(r"^ {4,}.*$", text, re.M) + re.findall(r"`([^`\n]+)`", text))


def test_every_command_of_arizuko_init_that_a_page_shows_exists_with_its_options():
    helps = {}
    for path in [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")]:
        for line in re.findall(r"(?<!by )arizuko-init ([a-z]+(?: --[a-z]+)*)", code_of(path.read_text())):
            command, *options = line.split()
            if command not in helps:
                done = subprocess.run([INIT, command, "--help"], capture_output=True, text=True, timeout=10)
                assert done.returncode == 0, f"{path.name}: arizuko-init {line}"
                helps[command] = done.stdout
            assert all(option in helps[command] for option in options), f"{path.name}: arizuko-init {line}"
    assert {"run", "status", "why", "doctor", "secrets", "events", "logs"} <= helps.keys()


def test_every_directory_that_is_applied_or_rendered_is_there_and_renders():
    texts = [page(name) for name in PAGES] + [path.read_text() for path in K8S.rglob("*.yaml")]
    named = {each for text in texts for each in re.findall(r"(?:-k|kustomize) (k8s/[\w/-]+)", text)}
    assert {"k8s/overlays/rehearsal", "k8s/overlays/demo", "k8s/overlays/production"} <= named
    for each in named:
        assert render(ROOT / each), each


@pytest.mark.parametrize("name", ["kubernetes.md", "external-secrets.md"])
def test_the_kustomization_that_the_page_shows_renders_beside_the_base(name):
    block = re.search(r"```yaml\n# k8s/mine/kustomization.yaml\n(.*?)```", page(name), re.S).group(1)
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="mine-") as directory:
        k8s = os.path.relpath(K8S, directory)
        (Path(directory) / "kustomization.yaml").write_text(block.replace("- ../", f"- {k8s}/"))
        objects = render(directory)
    values = find(objects, "ConfigMap", "arizuko-config")["data"]
    assert values["HOST_DATA_DIR"] == f"/srv/data/arizuko_{values['INSTANCE_NAME']}"
    assert pod_of(objects)["spec"]["containers"][0]["image"]


def test_the_installed_files_of_the_bare_host_are_in_the_tree():
    for path in re.findall(r"sudo install .*?(etc/\S+) /", page("bare-host.md")):
        assert (ROOT / path).is_file(), path


def test_the_values_that_the_bare_host_asks_for_are_read_by_the_plan():
    block = re.search(r"```sh\n(.*?)```", page("bare-host.md"), re.S).group(1)
    names = set(re.findall(r"^([A-Z_]+)=", block, re.M))
    gets = who_gets()
    assert {"TELEGRAM_BOT_TOKEN", "HOST_APP_DIR", "AUTH_BASE_URL"} <= names <= gets.keys()


# --- tables


def who_gets():
    """Variable -> who is given it by the stock plan: services, `everyone`, `the plan` itself."""
    plan = check()
    found = {name: {"everyone"} for name in plan["env"]["common"]}
    for service in plan["services"]:
        references = re.findall(r"\$\{([A-Z_]+)", str(list(service["env"].values())))
        for name in {*service["take"], *service["need"], *references}:
            found.setdefault(name, set()).add(service["name"])
    text = (ROOT / "etc" / "arizuko.toml").read_text()
    for name in re.findall(r'^(?:instance|data_dir) +=.*?\$\{([A-Z_]+)', text, re.M):
        found.setdefault(name, set()).add("the plan")
    return found


def test_the_table_of_variables_says_who_really_gets_each():
    gets = who_gets()
    rows = table_under(page("kubernetes.md"), "variable")
    assert len(rows) >= 17
    for variable, place, receivers, _ in rows:
        assert set(receivers.split(", ")) == gets[plain(variable)], variable
        secret = any(word in variable for word in ("SECRET", "TOKEN"))
        assert place == ("Secret" if secret else "ConfigMap"), variable


def test_the_table_of_variables_has_all_of_the_base():
    named = {plain(row[0]) for row in table_under(page("kubernetes.md"), "variable")}
    example = yaml.safe_load((K8S / "base/secret.example.yaml").read_text())["stringData"]
    config = yaml.safe_load((K8S / "base/configmap.yaml").read_text())["data"]
    production = yaml.safe_load((K8S / "overlays/production/config.yaml").read_text())["data"]
    assert {*example, *config, *production} <= named


def test_the_table_of_components_has_every_component():
    rows = table_under(page("kubernetes.md"), "component")
    named = {plain(part) for row in rows for part in re.findall(r"`([^`]+)`", row[0])}
    for part in list(named):
        if part.startswith("/"):
            named = named - {part} | {f"external-secrets{part}"}
    there = {str(path.parent.relative_to(K8S / "components")) for path in K8S.glob("components/**/kustomization.yaml")}
    assert named == there - {"external-secrets/common"}


def doctor_checks():
    text = (ROOT / "src/doctor/checks.cpp").read_text()
    return set(re.findall(r'^ +\{"([a-z-]+)", "', text, re.M))


def test_troubleshooting_has_every_entry_of_the_guide_and_names_checks_that_exist():
    rows = [row for heading in re.findall(r"^## (?!.*Three)(.+)$", page("troubleshooting.md"), re.M)
            for row in table_under(page("troubleshooting.md").split(f"## {heading}")[1], "symptom")]
    symptoms = [plain(row[0]) for row in rows]
    for entry in ("Pod stuck in Pending", "gated crashloops on startup", "Adapter can't reach gated",
                  "Secrets not updating after Vault rotation", "Agent containers don't spawn"):
        assert entry in symptoms
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row[2])}
    assert named <= doctor_checks(), named - doctor_checks()
    assert all(len(row) == 4 and row[3] for row in rows)
