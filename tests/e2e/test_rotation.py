"""A mounted Secret that the kubelet switches is followed live: what uses a changed value restarts, in order, and
nothing else."""
import json

import pytest

from kubelet import Volume
from pod import seconds_of, wait_for

FIRST = {"CHANNEL_SECRET": "channel-one", "AUTH_SECRET": "auth-one", "PROXYD_HMAC_SECRET": "hmac-one",
         "SLACK_BOT_TOKEN": "slack-one", "SLACK_SIGNING_SECRET": "signing-one", "TELEGRAM_BOT_TOKEN": "telegram-one",
         "AUTH_BASE_URL": "https://chat.example"}


@pytest.fixture
def rotating(a_pod):
    """A pod whose values come from a Secret volume; pod.secret is that volume."""
    pod = a_pod(start=False)
    pod.secret = Volume(pod.out / "secrets", FIRST)
    sources = json.dumps([f"dotenv:{pod.data}/.env", "environment", f"dir:{pod.secret.path}"])
    pod.options += ["--set", f"env.sources={sources}"]
    return pod.start().wait_ready()


def pids(pod):
    return {s["name"]: s["pid"] for s in pod.status()["services"] if s["pid"]}


def rotate(pod, values, what):
    """Switches the volume; the names of the services that run as another process once all is well again."""
    before, seq = pids(pod), pod.last_seq()
    pod.secret.write(values)
    taken = pod.wait_event(lambda e: e["event"] == "environment", what, after=seq)
    pod.wait_ready()
    after = pids(pod)
    return {name for name in before | after if before.get(name) != after.get(name)}, taken


def test_a_rotated_slack_token_restarts_exactly_slakd(rotating):
    restarted, taken = rotate(rotating, FIRST | {"SLACK_BOT_TOKEN": "slack-two"}, "the new token to be taken")
    assert restarted == {"slakd"}
    assert "1 changed (SLACK_BOT_TOKEN)" in taken["cause"]
    assert rotating.environ("slakd")["SLACK_BOT_TOKEN"] == "slack-two"
    told = next(e for e in rotating.events(taken["seq"]) if e["event"] == "signal" and e["service"] == "slakd")
    assert seconds_of(told) - seconds_of(taken) < 0.05


def test_a_rotated_channel_secret_reaches_gated_and_all_that_is_bound_to_it_and_messages_flow(rotating):
    seq = rotating.last_seq()
    restarted, _ = rotate(rotating, FIRST | {"CHANNEL_SECRET": "channel-two"}, "the new secret to be taken")
    assert {"gated", "webd", "teled", "slakd", "onbod", "proxyd", "dashd"} == restarted, "timed takes none"
    for name in ("gated", "teled", "slakd", "webd"):
        assert rotating.environ(name)["CHANNEL_SECRET"] == "channel-two"
        starts = [e for e in rotating.events(seq) if e["service"] == name and e["event"] == "spawned"]
        assert len(starts) == 1, f"{name} was started {len(starts)} times"
    status, text = rotating.post("/v1/rehearsal/inbound", {"text": "after the rotation", "sender": "ada", "jid": "telegram:7"}, 9001)
    assert status == 200, text
    rows = wait_for("the message in gated's database",
                    lambda: rotating.rows("SELECT 1 FROM messages WHERE content LIKE '%after the rotation%'"))
    assert rows


def test_a_token_that_appears_starts_its_adapter_and_one_that_goes_stops_it(rotating):
    restarted, _ = rotate(rotating, FIRST | {"DISCORD_BOT_TOKEN": "discord-one"}, "the token to be taken")
    assert restarted == {"discd"}
    rotating.wait_service("discd", "ready")
    restarted, _ = rotate(rotating, FIRST, "the token to be gone")
    assert restarted == {"discd"}
    assert rotating.service("discd")["state"] == "off"


def test_equal_content_restarts_nothing(rotating):
    before, seq = pids(rotating), rotating.last_seq()
    rotating.secret.write(FIRST)
    # The next real change comes behind it: by then the equal one would have had its effect.
    restarted, _ = rotate(rotating, FIRST | {"SLACK_BOT_TOKEN": "slack-two"}, "the token to be taken")
    assert restarted == {"slakd"}
    assert len([e for e in rotating.events(seq) if e["event"] == "environment"]) == 1
    assert before["gated"] == pids(rotating)["gated"]


def test_a_removed_auth_secret_is_held_back(rotating):
    before, seq = pids(rotating), rotating.last_seq()
    rotating.secret.write({key: value for key, value in FIRST.items() if key != "AUTH_SECRET"})
    held = rotating.wait_event(lambda e: e["event"] == "environment", "the removal to be held back", after=seq)
    assert held["cause"].startswith("AUTH_SECRET was removed and is held back")
    assert pids(rotating) == before


def test_a_changed_auth_secret_is_held_back_and_its_values_appear_nowhere(rotating):
    before, seq = pids(rotating), rotating.last_seq()
    rotating.secret.write(FIRST | {"AUTH_SECRET": "auth-two"})
    held = rotating.wait_event(lambda e: e["event"] == "environment", "the change to be held back", after=seq)
    assert held["cause"].startswith("AUTH_SECRET was changed and is held back")
    assert pids(rotating) == before
    assert rotating.environ("gated")["AUTH_SECRET"] == "auth-one"
    everything = rotating.logged() + rotating.errors() + json.dumps(rotating.events()) + json.dumps(rotating.status())
    for value in ("auth-one", "auth-two"):
        assert value not in everything


def test_a_half_written_volume_is_not_seen_before_the_switch(rotating):
    before, seq = pids(rotating), rotating.last_seq()
    steps = rotating.secret.steps(FIRST | {"SLACK_BOT_TOKEN": "slack-two", "TELEGRAM_BOT_TOKEN": "telegram-two"})
    for step in steps:
        if step == "link":
            break
    assert pids(rotating) == before
    assert [e for e in rotating.events(seq) if e["event"] == "environment"] == []
    for _ in steps:
        pass
    rotating.wait_event(lambda e: e["event"] == "environment", "both tokens to be taken", after=seq)
    rotating.wait_ready()
    assert rotating.environ("slakd")["SLACK_BOT_TOKEN"] == "slack-two"
    assert rotating.environ("teled")["TELEGRAM_BOT_TOKEN"] == "telegram-two"
