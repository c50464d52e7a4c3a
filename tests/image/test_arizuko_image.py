"""The image arizuko: arizuko-init in an arizuko image, with the real plan and a mounted Secret and ConfigMap. The
arizuko image is a stand-in of the same layout, once without any C library and once with musl's."""
import json
import subprocess

import pytest

from engine import INIT_IN_IMAGE, Container, owned_directory
from kubelet import Volume
from lines import TODAY
from pod import check, services_of, wait_for
from standin import LINKED_TO_MUSL, LOADER, TODAYS, build

CONFIG = {"INSTANCE_NAME": "demo", "HOST_DATA_DIR": "/srv/data/arizuko_demo", "HOST_APP_DIR": "/opt/arizuko",
          "ASSISTANT_NAME": "Ari", "AUTH_BASE_URL": "https://demo.example.com", "WEB_HOST": "https://demo.example.com",
          "CONTAINER_IMAGE": "arizuko-ant:latest", "ONBOARDING_ENABLED": "true", "TZ": "Europe/Prague"}
SECRETS = {"AUTH_SECRET": "auth-one", "CHANNEL_SECRET": "channel-one", "PROXYD_HMAC_SECRET": "hmac-one",
           "SLACK_BOT_TOKEN": "slack-one", "SLACK_SIGNING_SECRET": "signing-one"}
PLANS = {"etc/arizuko/arizuko.toml", "etc/arizuko/arizuko-routd.toml"}
OFF_WITHOUT_TOKEN = {"teled", "discd", "emaid", "mastd", "bskyd", "reditd", "linkd"}


@pytest.fixture(scope="session", params=["none", "musl"])
def base(request, engine, tmp_path_factory):
    return build(engine, tmp_path_factory.mktemp("stand-in"), request.param)


@pytest.fixture(scope="session")
def image(engine, base):
    return engine.build_target("arizuko", "--build-arg", f"ARIZUKO_IMAGE={base}")


class Volumes:
    """What a pod mounts: the claim, the ConfigMap and the Secret as the kubelet lays them out, the termination log."""

    def __init__(self, base, secrets):
        self.data = owned_directory(base / "data")
        self.config = Volume(base / "config", CONFIG)
        self.secrets = Volume(base / "secrets", secrets)
        self.termination_log = base / "termination-log"
        self.termination_log.touch(mode=0o666)
        self.termination_log.chmod(0o666)

    def options(self):
        return [f"--volume={self.data}:/srv/data", f"--volume={self.config.path}:/etc/arizuko/config:ro",
                f"--volume={self.secrets.path}:/etc/arizuko/secrets:ro",
                f"--volume={self.termination_log}:/dev/termination-log"]


@pytest.fixture
def volumes(tmp_path):
    return Volumes(tmp_path, SECRETS)


def test_it_keeps_the_base_and_adds_the_programs_the_plan_and_the_time_zones(engine, base, image):
    before, after = engine.files(base), engine.files(image)
    added = {path for path in after.keys() - before.keys() if not path.startswith("usr/share/zoneinfo/")}
    assert added == {"usr/local/bin/arizuko-init", "usr/local/lib/arizuko-init/bin/docker", *PLANS}
    assert before.keys() <= after.keys()
    assert after["usr/share/zoneinfo/Europe/Prague"].read_bytes().startswith(b"TZif")


def test_it_does_not_keep_the_user_and_the_health_check_of_its_base(engine, base, image):
    config = engine.config(image)
    assert config["User"] == "1000:1000"
    assert config["Config"]["Entrypoint"] == [INIT_IN_IMAGE] and config["Config"]["Cmd"] == ["run"]
    assert config["Healthcheck"]["Test"] == ["CMD", INIT_IN_IMAGE, "healthcheck"]
    assert engine.config(base)["Healthcheck"]["Test"] != config["Healthcheck"]["Test"]


@pytest.mark.parametrize("program", ["bin/arizuko-init", "bin/arizuko-rehearsal", "agents/docker"])
def test_no_program_needs_a_c_library_of_its_base(engine, program):
    # A program that may be loaded anywhere has a dynamic section; what it must not have is a loader or a library in it.
    told = subprocess.run(["readelf", "--program-headers", "--dynamic", engine.binaries / program], capture_output=True,
                          text=True, check=True).stdout
    assert "LOAD" in told and "INTERP" not in told and "NEEDED" not in told


def test_the_real_plan_gets_ready_without_any_privilege_and_stops_with_0(engine, base, image, volumes):
    with Container(engine, image, *volumes.options()) as container:
        services = container.wait_ready().services()
        assert {name for name, each in services.items() if each["state"] == "off"} == OFF_WITHOUT_TOKEN
        assert services["gated"]["state"] == services["slakd"]["state"] == "ready"
        assert services["seed"]["state"] == "done"
        assert container.environ("timed")["TZ"] == "Europe/Prague"
        assert (volumes.data / "arizuko_demo" / "store" / "messages.db").stat().st_uid == 1000
        if base.endswith("musl"):
            for name in LINKED_TO_MUSL:
                assert LOADER.name.encode() in engine.files(image)[f"usr/local/bin/{name}"].read_bytes()
        assert container.stop(60) == 0


def test_gated_finds_the_docker_command_of_this_image_first(engine, image, volumes):
    first = services_of(check())["gated"]["env"]["PATH"].split(":")[0].lstrip("/")
    assert engine.files(image)[f"{first}/docker"].stat().st_mode & 0o111 == 0o111
    with Container(engine, image, *volumes.options()) as container:
        container.wait_ready()
        assert container.environ("gated")["PATH"].split(":")[0].lstrip("/") == first


def test_of_both_plans_in_it_that_one_runs_whose_router_its_base_has(engine, image, tmp_path):
    todays = engine.build_target("arizuko", "--build-arg", f"ARIZUKO_IMAGE={build(engine, tmp_path / 'base', 'none', TODAYS)}")
    volumes = Volumes(tmp_path / "volumes", TODAY.secrets)
    with Container(engine, todays, *volumes.options()) as container:
        services = container.wait_ready().services()
        assert {name for name in services if services[name]["state"] == "ready"} >= {*TODAY.first[1:], "proxyd", "slakd"}
        assert "the plan is /etc/arizuko/arizuko-routd.toml, for routd is /usr/local/bin/routd" in container.logs()
        assert all((volumes.data / "arizuko_demo" / each).stat().st_uid == 1000 for each in TODAY.databases)
        assert container.stop(60) == 0
    for each, router, other in ((image, "gated", "routd"), (todays, "routd", "gated")):
        assert PLANS <= engine.files(each).keys()
        checked = engine.run("run", "--rm", "--read-only", each, "check", "--json")
        assert "name it" not in checked.stderr
        names = {service["name"] for service in json.loads(checked.stdout)["services"]}
        assert router in names and other not in names


def test_a_rotated_secret_reaches_the_running_container(engine, image, volumes):
    with Container(engine, image, *volumes.options()) as container:
        before = container.wait_ready().services()
        assert container.environ("slakd")["SLACK_BOT_TOKEN"] == "slack-one"
        volumes.secrets.write(SECRETS | {"SLACK_BOT_TOKEN": "slack-two"})
        wait_for("another process of slakd",
                 lambda: container.services()["slakd"]["pid"] not in (None, before["slakd"]["pid"]))
        after = container.wait_ready().services()
        assert container.environ("slakd")["SLACK_BOT_TOKEN"] == "slack-two"
        changed = {name for name in after if after[name]["pid"] != before[name]["pid"]}
        # onbod comes behind the adapters, but is not bound to them.
        assert changed == {"slakd"}


def test_with_the_example_secret_as_it_is_the_instance_makes_its_own(engine, image, tmp_path):
    volumes = Volumes(tmp_path, dict.fromkeys(SECRETS, ""))
    with Container(engine, image, *volumes.options()) as container:
        container.wait_ready()
        assert "generated, because no source has a value: CHANNEL_SECRET, AUTH_SECRET, PROXYD_HMAC_SECRET" in container.logs()
        made = volumes.data / "arizuko_demo" / ".arizuko-init" / "generated" / "AUTH_SECRET"
        assert container.environ("gated")["AUTH_SECRET"] == made.read_text() and len(made.read_text()) == 64


def test_without_the_volume_it_ends_with_77_and_asks_for_it(engine, image, volumes):
    with Container(engine, image, *volumes.options()[1:]) as container:
        assert container.wait_exit() == 77
        assert "is the volume mounted?" in container.logs()
