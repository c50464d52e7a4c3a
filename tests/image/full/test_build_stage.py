"""The compiling stage of the Dockerfile, on a Debian that is made here: what a user without a build gets."""
import shutil
import subprocess
from pathlib import Path

from engine import Container, INIT_IN_IMAGE
from pod import ROOT

BASE = "localhost/debian:bookworm-slim"


def make_debian(engine):
    """A minimal Debian as an image, with this machine's package sources."""
    root = engine.base / "debian"
    subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root], check=True,
                   stdout=subprocess.DEVNULL, timeout=600)
    for part in ("apt.conf.d", "sources.list", "sources.list.d/debian.sources"):
        here, there = Path("/etc/apt") / part, root / "etc/apt" / part
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        elif here.exists():
            shutil.copy(here, there)
    tar = engine.base / "debian.tar"
    subprocess.run(["tar", "-C", root, "-cf", tar, "."], check=True)
    engine.run("import", str(tar), BASE, timeout=300)


def test_the_rehearsal_is_built_from_the_sources_alone_and_gets_ready(engine):
    make_debian(engine)
    engine.run("build", "--network=host", "--format=docker", "--timestamp=0", "--target=rehearsal", "--tag=full",
               "--build-arg", f"DEBIAN_IMAGE={BASE}", "--build-arg", "DEBIAN_SNAPSHOT=", str(ROOT), timeout=1800)
    assert engine.files("full").keys() == {"usr/local/bin/arizuko-init", "usr/local/bin/arizuko-rehearsal",
                                           "etc/arizuko/arizuko.toml", "etc/arizuko/arizuko-routd.toml"}
    with Container(engine, "full") as container:
        assert container.wait_ready().exec(INIT_IN_IMAGE, "healthcheck").returncode == 0
        assert container.stop(60) == 0
