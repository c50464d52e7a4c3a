"""One version: what CMake gives the program is what images, overlays and pages name."""
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def run(*words, where=ROOT):
    return subprocess.run([where / "scripts/version", *words], capture_output=True, text=True, timeout=30)


def test_every_place_that_names_the_version_names_the_one_of_cmake():
    done = run("--check")
    assert done.returncode == 0, done.stderr


def test_the_changes_of_this_version_are_dated_and_the_next_ones_have_a_place():
    headings = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text())
    assert headings[0] == "Unreleased"
    assert re.fullmatch(re.escape(run().stdout.strip()) + r" - 20\d\d-\d\d-\d\d", headings[1]), headings[1]


def test_a_new_version_reaches_every_place(tmp_path):
    subprocess.run(["git", "clone", "--quiet", "--shared", ROOT, tmp_path / "tree"], check=True)
    tree = tmp_path / "tree"
    shutil.copy(ROOT / "scripts/version", tree / "scripts/version")
    before = run(where=tree).stdout.strip()
    assert run("98.7.6", where=tree).returncode == 0
    assert run(where=tree).stdout == "98.7.6\n" and run("--check", where=tree).returncode == 0
    for name in ("Dockerfile", "k8s/overlays/production/kustomization.yaml", "docs/how-to/kubernetes.md"):
        text = (tree / name).read_text()
        assert "98.7.6" in text and f":{before}" not in text, name
    # And a place that was missed is found.
    (tree / "Dockerfile").write_text((tree / "Dockerfile").read_text().replace("arizuko-init:98.7.6", "arizuko-init:98.7.5"))
    done = run("--check", where=tree)
    assert done.returncode == 1 and "Dockerfile:" in done.stderr


def test_what_the_images_are_compiled_with_is_pinned():
    text = (ROOT / "Dockerfile").read_text()
    assert re.search(r"(?m)^ARG DEBIAN_IMAGE=debian:bookworm-20\d{6}-slim(@sha256:[0-9a-f]{64})?$", text)
    assert re.search(r"(?m)^ARG DEBIAN_SNAPSHOT=20\d{6}T\d{6}Z$", text)
    assert 'ARIZUKO_SNAPSHOT="${DEBIAN_SNAPSHOT}"' in text
    assert set(re.findall(r"(?m)^FROM (\S+)", text)) == {"${DEBIAN_IMAGE}", "scratch", "init", "${ARIZUKO_IMAGE}"}


def test_what_ci_takes_from_others_is_pinned():
    text = (ROOT / ".github/workflows/ci.yml").read_text()
    used = re.findall(r"uses: (\S+)", text)
    assert used and all(re.search(r"@[0-9a-f]{40}$", each) for each in used), used
    assert re.search(r"image: debian:bookworm-20\d{6}\n", text)
