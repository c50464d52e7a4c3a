"""An instance without a single secret makes its own, keeps them, and shows them to nobody."""
import os

from kubelet import Volume
from pod import UID, fill, own_plan, sets, wait_for
from secret_volume import pids, runs_with

KEYS = ("CHANNEL_SECRET", "AUTH_SECRET", "PROXYD_HMAC_SECRET")
NOTHING = {"AUTH_BASE_URL": "https://chat.example"}  # no secret
REAL = "a-real-hmac-secret"


def bare_pod(a_pod, *options, data=None):
    """The stock plan without the .env that `arizuko create` leaves (it makes up a CHANNEL_SECRET of its own), and with a
    Secret volume that holds no secret."""
    pod = a_pod(start=False, data=data)
    pod.secret = Volume(pod.out / "secrets", NOTHING)
    pod.options += [*sets(env__sources=["environment", f"dir:{pod.secret.path}"]), *options]
    return pod.start()


def directory_of(pod):
    return pod.data / ".arizuko-init" / "generated"


def made(pod):
    return {path.name: path.read_text() for path in directory_of(pod).iterdir()}


def source_of(pod, key):
    return next(each["source"] for each in pod.secrets()["keys"] if each["name"] == key)


def said(pod, text):
    return any(text in event["cause"] for event in pod.events())


def everything_that_is_shown(pod):
    """All that the pod shows of itself while it runs, and all that it logged."""
    commands = [("status", "--json"), ("secrets",), ("secrets", "--json"), ("events",), ("why", "gated"), ("logs", "gated"),
                ("doctor", "--plan", str(pod.plan), *pod.options, "--set", f"pod.data_dir={pod.data}")]
    shown = [done.stdout + done.stderr for done in (pod.ctl(*words) for words in commands)]
    pages = [pod.get(path, port)[1] for path, port in (("/", 9091), ("/metrics", 9090), ("/readyz", 9090))]
    return "".join([*shown, *pages, pod.logged(), pod.errors(), pod.termination_log.read_text()])


def test_a_bare_instance_makes_its_secrets_once_and_a_real_one_wins_when_it_comes(a_pod):
    pod = bare_pod(a_pod).wait_ready()
    first = made(pod)
    assert first.keys() == set(KEYS) and {len(value) for value in first.values()} == {64}
    for path, mode in [(directory_of(pod), 0o700), *((directory_of(pod) / key, 0o600) for key in KEYS)]:
        assert (path.stat().st_uid, path.stat().st_mode & 0o7777) == (UID, mode), path
    assert pod.environ("gated")["AUTH_SECRET"] == first["AUTH_SECRET"]
    assert pod.environ("teled")["CHANNEL_SECRET"] == pod.environ("gated")["CHANNEL_SECRET"] == first["CHANNEL_SECRET"]
    assert pod.environ("webd")["PROXYD_HMAC_SECRET"] == first["PROXYD_HMAC_SECRET"]
    assert {source_of(pod, key) for key in KEYS} == {f"generated:{directory_of(pod)}"}
    assert said(pod, "generated, because no source has a value: CHANNEL_SECRET, AUTH_SECRET, PROXYD_HMAC_SECRET")

    # A file that goes is written again, and nothing restarts for it.
    before = pids(pod)
    (directory_of(pod) / "CHANNEL_SECRET").unlink()
    wait_for("the file to be there again", lambda: made(pod).get("CHANNEL_SECRET") == first["CHANNEL_SECRET"])
    wait_for("the warning", lambda: said(pod, "CHANNEL_SECRET was taken away or emptied"))
    assert pids(pod) == before

    # A real value wins; a guarded one waits for the operator's word.
    pod.secret.write(NOTHING | {"PROXYD_HMAC_SECRET": REAL, "AUTH_SECRET": "another-auth-secret"})
    wait_for("webd to have the real one", lambda: runs_with(pod, "webd", "PROXYD_HMAC_SECRET", REAL), 30)
    assert source_of(pod, "PROXYD_HMAC_SECRET").startswith("dir:")
    assert pod.environ("gated")["AUTH_SECRET"] == first["AUTH_SECRET"]
    assert "held back: AUTH_SECRET" in pod.ctl("secrets").stdout
    shown = everything_that_is_shown(pod)
    assert not [key for key in KEYS if first[key] in shown]
    assert "made by an earlier start" in shown, "doctor was asked"

    # Over a restart all is as it was.
    pod.secret.write(NOTHING | {"PROXYD_HMAC_SECRET": REAL})
    assert pod.stop() == 0
    again = bare_pod(a_pod, data=pod.data).wait_ready()
    assert made(again) == first
    assert {key: again.environ("webd")[key] for key in KEYS} == first


def test_an_instance_with_data_gets_no_auth_secret_and_one_that_lost_its_own_gets_no_other(a_pod):
    old = bare_pod(a_pod, *sets(env__generated__AUTH_SECRET=False)).wait_ready()
    assert "AUTH_SECRET" not in old.environ("gated")
    assert old.stop() == 0
    old = bare_pod(a_pod, data=old.data).wait_ready()
    assert "AUTH_SECRET" not in old.environ("gated") and "AUTH_SECRET" not in made(old)
    assert said(old, "AUTH_SECRET stays unset: it is guarded, and this instance has data that was stored without it")

    pod = bare_pod(a_pod).wait_ready()
    assert pod.stop() == 0
    value = directory_of(pod) / "AUTH_SECRET"
    text = value.read_text()
    value.unlink()
    lost = bare_pod(a_pod, data=pod.data)
    wait_for("gated to be blocked", lambda: (lost.service("gated") or {}).get("state") == "blocked")
    assert not value.exists()
    assert said(lost, f"Restore {value} from a backup")
    lost.write(value, text, 0o600)
    lost.wait_ready()
    assert lost.environ("gated")["AUTH_SECRET"] == text


def test_on_a_full_volume_it_ends_with_77_and_the_reason_and_leaves_no_half_file(a_pod, a_volume):
    data = a_volume("128k")
    filler = data.parent / "filler"
    fill(filler)
    os.truncate(filler, filler.stat().st_size - 4096)  # the lock's page
    plan = '[env.generated]\nKEY = true\n[service.main]\ncommand = ["sleep", "1000"]\nneed = ["KEY"]\n'
    pod = own_plan(a_pod, plan, data=data)
    assert pod.start().wait_exit() == 77
    reason = pod.termination()["reason"]
    assert f"cannot generate KEY: cannot write {directory_of(pod)}/KEY: No space left on device; free space" in reason, reason
    assert made(pod) == {}
    filler.unlink()
    pod.start()
    pod.wait_service("main", "ready")
    first = made(pod)["KEY"]
    assert pod.environ("main")["KEY"] == first

    # A new plan's key is made by the reload, and the other one stays; a file that somebody changes is followed.
    pod.write_plan(plan.replace("KEY = true", 'KEY = true\nMORE = { bytes = 16, encoding = "base64url" }')
                   .replace('["KEY"]', '["KEY", "NAME = MORE"]'))
    assert pod.ctl("reload").returncode == 0
    wait_for("main to have the new one", lambda: len(made(pod).get("MORE", "")) == 22
             and runs_with(pod, "main", "NAME", made(pod)["MORE"]))
    assert pod.environ("main")["KEY"] == first and "MORE" not in pod.environ("main")
    pod.write(directory_of(pod) / "KEY", "of-an-operator\n", 0o600)
    wait_for("main to have what was written", lambda: runs_with(pod, "main", "KEY", "of-an-operator"))
