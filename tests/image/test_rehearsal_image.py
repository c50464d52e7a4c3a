"""The images init and rehearsal: what is in them, and how the rehearsal runs with no privilege at all."""
import subprocess
import time
from pathlib import Path

import pytest

from engine import Container, INIT_IN_IMAGE, proc_status
from pod import INIT, check


@pytest.fixture(scope="session")
def init(engine):
    return engine.build_target("init")


@pytest.fixture(scope="session")
def rehearsal(engine):
    return engine.build_target("rehearsal")


@pytest.fixture
def running(engine, rehearsal):
    with Container(engine, rehearsal) as container:
        yield container.wait_ready()


def test_init_is_the_binary_and_the_plans_and_nothing_else(engine, init):
    assert engine.files(init).keys() == {"usr/local/bin/arizuko-init", "etc/arizuko/arizuko.toml",
                                         "etc/arizuko/arizuko-routd.toml"}


def test_the_rehearsal_adds_its_program_and_an_empty_volume_that_belongs_to_its_user(engine, init, rehearsal):
    added = engine.files(rehearsal).keys() - engine.files(init).keys()
    assert added == {"usr/local/bin/arizuko-rehearsal"}
    volume = Path(engine.run("image", "mount", rehearsal).stdout.strip()) / "srv/data"
    assert (volume.stat().st_uid, volume.stat().st_gid) == (1000, 1000)


def test_the_images_say_how_they_are_run(engine, init, rehearsal):
    for image in (init, rehearsal):
        config = engine.config(image)
        assert config["User"] == "1000:1000"
        assert config["Config"]["Entrypoint"] == [INIT_IN_IMAGE]
        assert config["Config"]["StopSignal"] in ("SIGTERM", "15")
        assert config["Config"]["ExposedPorts"].keys() == {"8095/tcp", "9090/tcp"}
        assert config["Labels"]["org.opencontainers.image.licenses"] == "MIT"
    assert engine.config(rehearsal)["Config"]["Cmd"] == ["run", "--rehearse"]


def test_the_label_names_the_version_of_the_program(engine, init):
    version = subprocess.run([INIT, "version"], capture_output=True, text=True, timeout=10).stdout
    assert engine.config(init)["Labels"]["org.opencontainers.image.version"] in version.split()


def test_the_same_input_gives_the_same_layers_and_configuration(engine, rehearsal):
    first, again = (engine.config(each) for each in (rehearsal, engine.build_target("rehearsal", "--no-cache")))
    assert first["RootFS"]["Layers"] == again["RootFS"]["Layers"]
    assert first["Config"] == again["Config"] and first["Created"] == again["Created"]


def test_the_images_are_small(engine, init, rehearsal, capsys):
    sizes = {name: engine.config(image)["Size"] for name, image in (("init", init), ("rehearsal", rehearsal))}
    with capsys.disabled():
        print("".join(f"\nimage {name}: {size / 1e6:.1f} MB" for name, size in sizes.items()))
    # The binary's own goal is 4 MB; the rehearsal has SQLite and every daemon.
    assert sizes["init"] < 6e6 and sizes["rehearsal"] < 14e6


def test_it_runs_as_pid_1_and_uid_1000_without_capabilities_network_or_writable_root(running):
    status = proc_status(running.pid)
    assert status["NSpid"].split()[-1] == "1"
    assert status["Uid"].split() == ["1000"] * 4 and status["Gid"].split() == ["1000"] * 4
    assert {int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    mounts = [line.split() for line in Path(f"/proc/{running.pid}/mountinfo").read_text().splitlines()]
    assert next(each[5] for each in mounts if each[4] == "/").split(",")[0] == "ro"
    assert not [each[4] for each in mounts if each[4] in ("/tmp", "/run", "/var/tmp")], "no scratch but the volume"
    interfaces = Path(f"/proc/{running.pid}/net/dev").read_text().splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def test_health_and_the_client_commands_answer_in_an_image_without_a_shell(engine, rehearsal, running):
    command = engine.config(rehearsal)["Healthcheck"]["Test"]
    assert command[0] == "CMD", "without a shell"
    assert running.exec(*command[1:]).returncode == 0
    assert running.ctl("why").returncode == 0
    assert running.exec("/bin/sh", "-c", "true").returncode != 0


def test_it_stops_within_its_grace_with_exit_code_0(running):
    begin = time.monotonic()
    assert running.stop(60) == 0, running.logs()[-2000:]
    grace = int(check()["pod"]["grace"].removesuffix("s"))
    assert time.monotonic() - begin < grace


def test_without_a_volume_that_can_be_written_it_ends_with_77_and_says_so(engine, rehearsal, tmp_path):
    with Container(engine, rehearsal, f"--volume={tmp_path}:/srv/data:ro") as container:
        assert container.wait_exit() == 77
        assert "/srv/data" in container.logs()
