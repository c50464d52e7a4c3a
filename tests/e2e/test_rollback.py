"""A value that a daemon cannot use: everything goes back to where it was, by itself."""
import pytest

from kubelet import Volume
from pod import wait_for
from secret_volume import FIRST, outcome, pids, rotating_pod, runs_with


@pytest.fixture
def rotating(a_pod):
    return rotating_pod(a_pod)


def refuse(pod, daemon, key, value):
    pod.write(pod.data / "rehearsal" / "faults" / daemon, f"refuse {key} {value}\n")


def switch(pod, values):
    """Switches the volume; the event of it being taken."""
    seq = pod.last_seq()
    pod.secret.write(values)
    return pod.wait_event(lambda e: "is taken" in e["cause"], "the new values to be taken", after=seq)


def test_a_wrong_token_is_rolled_back_and_nobody_else_notices(rotating):
    refuse(rotating, "teled", "TELEGRAM_BOT_TOKEN", "telegram-bad")
    before = pids(rotating)
    taken = switch(rotating, FIRST | {"TELEGRAM_BOT_TOKEN": "telegram-bad"})
    rotation = outcome(rotating, int(taken["cause"].split()[1]))
    assert rotation["outcome"] == "rolled back"
    assert rotation["cause"].startswith("teled: it exited with code 1")
    assert rotating.environ("teled")["TELEGRAM_BOT_TOKEN"] == "telegram-one"
    after = pids(rotating)
    assert {name for name in before if before[name] != after[name]} == {"teled"}
    starts = [e for e in rotating.events(taken["seq"]) if e["event"] == "spawned"]
    assert [e["service"] for e in starts] == ["teled", "teled"], "once with the new value, once with the old"
    assert rotating.metric('arizuko_init_service_failures{service="teled"}') == 0
    assert rotating.metric('arizuko_init_rotations_total{outcome="rolled back"}') == 1
    assert rotating.metric('arizuko_init_service_old_values{service="teled"}') == 0
    assert "telegram-bad" not in rotating.logged() + rotating.errors()
    # The next change is looked at anew.
    taken = switch(rotating, FIRST | {"TELEGRAM_BOT_TOKEN": "telegram-good"})
    assert outcome(rotating, int(taken["cause"].split()[1]))["outcome"] == "applied"
    assert rotating.environ("teled")["TELEGRAM_BOT_TOKEN"] == "telegram-good"


def test_a_wrong_token_does_not_keep_another_adapter_from_its_new_one(rotating):
    refuse(rotating, "teled", "TELEGRAM_BOT_TOKEN", "telegram-bad")
    both = FIRST | {"TELEGRAM_BOT_TOKEN": "telegram-bad", "SLACK_BOT_TOKEN": "slack-two"}
    taken = switch(rotating, both)
    rotating.wait_event(lambda e: e["code"] == "generation-rolled-back", "the way back", after=taken["seq"])
    wait_for("the healthy one to get its token", lambda: runs_with(rotating, "slakd", "SLACK_BOT_TOKEN", "slack-two"))
    assert rotating.environ("teled")["TELEGRAM_BOT_TOKEN"] == "telegram-one"
    outcome(rotating, rotating.secrets()["rotation"]["generation"])
    assert rotating.metric('arizuko_init_values_held{reason="failed"}') == 1
    shown = rotating.ctl("secrets").stdout
    assert "held back: TELEGRAM_BOT_TOKEN (changed by generation" in shown and "teled did not bear it: it exited with code 1" in shown
    # The wrong one stays in the Secret: the next rotation of another value does not meet it again.
    seq = rotating.last_seq()
    switch(rotating, both | {"SLACK_BOT_TOKEN": "slack-three"})
    wait_for("the next token", lambda: runs_with(rotating, "slakd", "SLACK_BOT_TOKEN", "slack-three"))
    assert not [e for e in rotating.events(seq) if e["service"] == "teled" and e["event"] == "spawned"]
    # What was refused works now; nobody changes the Secret.
    rotating.write(rotating.data / "rehearsal" / "faults" / "teled", "")
    done = rotating.ctl("secrets", "retry", "TELEGRAM_BOT_TOKEN")
    assert done.returncode == 0, done.stderr
    wait_for("it to be taken", lambda: runs_with(rotating, "teled", "TELEGRAM_BOT_TOKEN", "telegram-bad"))
    wait_for("nothing to be held back", lambda: rotating.secrets()["held"] == [])


def test_a_wrong_secret_of_gated_takes_everything_back_once(rotating):
    refuse(rotating, "teled", "CHANNEL_SECRET", "channel-bad")
    taken = switch(rotating, FIRST | {"CHANNEL_SECRET": "channel-bad"})
    rotation = outcome(rotating, int(taken["cause"].split()[1]))
    assert rotation["outcome"] == "rolled back"
    for name in ("gated", "teled", "slakd", "webd"):
        assert rotating.environ(name)["CHANNEL_SECRET"] == "channel-one"
    starts = [e["service"] for e in rotating.events(taken["seq"]) if e["event"] == "spawned"]
    assert starts.count("gated") == 2
    assert max(starts.count(name) for name in starts) == 2
    status, text = rotating.post("/v1/rehearsal/inbound", {"text": "after the way back", "sender": "ada", "jid": "telegram:7"}, 9001)
    assert status == 200, text
    assert wait_for("the message in gated's database",
                    lambda: rotating.rows("SELECT 1 FROM messages WHERE content LIKE '%after the way back%'"))


def test_a_daemon_that_bears_neither_value_is_rolled_back_in_part_and_its_policy_goes_on(rotating):
    refuse(rotating, "teled", "CHANNEL_SECRET", "channel-one")  # whatever the token is
    taken = switch(rotating, FIRST | {"TELEGRAM_BOT_TOKEN": "telegram-two"})
    rotation = outcome(rotating, int(taken["cause"].split()[1]))
    assert rotation["outcome"] == "rolled back in part"
    assert "and with the old values teled: it exited with code 1" in rotation["cause"]
    assert rotating.service("teled")["state"] in ("backoff", "starting", "waiting")
    assert rotating.get("/readyz")[0] == 200


def test_a_second_switch_during_a_rotation_waits_and_wins(rotating):
    rotating.write(rotating.data / "rehearsal" / "faults" / "teled", "slow-boot 1500\n")
    first = switch(rotating, FIRST | {"TELEGRAM_BOT_TOKEN": "telegram-two"})
    seq = first["seq"]
    for value in ("telegram-three", "telegram-four"):
        last = rotating.secrets()["waiting"]
        rotating.secret.write(FIRST | {"TELEGRAM_BOT_TOKEN": value})
        wait_for(f"{value} to wait", lambda: rotating.secrets()["waiting"] != last)
    rotation = outcome(rotating, int(first["cause"].split()[1]) + 2)
    assert rotation["outcome"] == "applied"
    assert rotating.environ("teled")["TELEGRAM_BOT_TOKEN"] == "telegram-four"
    assert [e for e in rotating.events(seq) if "is superseded by generation" in e["cause"]]
    starts = [e for e in rotating.events(seq) if e["event"] == "spawned" and e["service"] == "teled"]
    assert len(starts) == 2, "the value between was never used"


def test_a_saved_session_does_not_make_a_wrong_password_pass_and_comes_back_with_the_old_one(a_pod):
    pod = a_pod(rehearse=False, start=False)
    session = pod.data / "session"
    # As bskyd: a saved session is preferred to the password.
    program = f"[ -e {session} ] || [ $TOKEN != bad ] || exit 1; [ -e {session} ] || echo $TOKEN >{session}; exec sleep 1000"
    pod.secret = Volume(pod.out / "secrets", {"TOKEN": "one"})
    pod.write_plan(f"""
[pod]
data_dir = "{pod.data}"
[env]
sources = ["dir:{pod.secret.path}"]
[service.keeps]
command = ["sh", "-c", '{program}']
need = ["TOKEN"]
cached.TOKEN = ["{session}"]
""")
    pod.start().wait_service("keeps", "ready")
    wait_for("the first session", lambda: session.exists() and session.read_text() == "one\n")
    taken = switch(pod, {"TOKEN": "bad"})
    assert outcome(pod, int(taken["cause"].split()[1]))["outcome"] == "rolled back"
    assert session.read_text() == "one\n" and list(pod.data.glob("session*")) == [session]
    taken = switch(pod, {"TOKEN": "two"})
    assert outcome(pod, int(taken["cause"].split()[1]))["outcome"] == "applied"
    assert session.read_text() == "two\n"
    wait_for("the old session to be forgotten", lambda: list(pod.data.glob("session*")) == [session])
