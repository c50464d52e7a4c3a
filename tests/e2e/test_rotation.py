"""A mounted Secret that the kubelet switches is followed live: what uses a changed value restarts, in order, and
nothing else."""
import json

import pytest

from kubelet import Volume
from lines import TODAY
from pod import wait_for
from secret_volume import FIRST, pids, rotating_pod, runs_with, when_ready

@pytest.fixture
def rotating(a_pod):
    return rotating_pod(a_pod)


def rotate(pod, values, what):
    """Switches the volume; the names of the services that run as another process once all is well again."""
    before, seq = pids(pod), pod.last_seq()
    pod.secret.write(values)
    taken = pod.wait_event(lambda e: e["event"] == "environment", what, after=seq)
    when_ready(pod, taken)
    after = pids(pod)
    return {name for name in before | after if before.get(name) != after.get(name)}, taken


def test_a_rotated_slack_token_restarts_exactly_slakd(a_pod, line):
    rotating = rotating_pod(a_pod, line=line)
    restarted, taken = rotate(rotating, line.secrets | {"SLACK_BOT_TOKEN": "slack-two"}, "the new token to be taken")
    assert restarted == {"slakd"}
    assert "1 changed (SLACK_BOT_TOKEN)" in taken["cause"]
    assert rotating.environ("slakd")["SLACK_BOT_TOKEN"] == "slack-two"
    told = next(e for e in rotating.events(taken["seq"]) if e["event"] == "signal" and e["service"] == "slakd")
    between = [(e["service"], e["event"]) for e in rotating.events(taken["seq"]) if e["seq"] < told["seq"]]
    assert between == [("slakd", "state")], "it is told at once: nothing else comes first"


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


def test_a_rotated_service_key_reaches_authd_and_its_daemon_and_nobody_else_and_messages_flow(a_pod):
    pod = rotating_pod(a_pod, line=TODAY)
    restarted, _ = rotate(pod, TODAY.secrets | {"AUTHD_KEY_TELED": "another-key"}, "the new key to be taken")
    assert restarted == {"authd", "teled"}
    assert pod.environ("teled")["AUTHD_SERVICE_KEY"] == "another-key"
    assert "service:teled=another-key," in pod.environ("authd")["AUTHD_SERVICE_KEYS"] + ","
    status, text = pod.post("/v1/rehearsal/inbound", {"text": "after the rotation", "jid": "telegram:7"}, 9001)
    assert status == 200, text
    assert "telegram" in TODAY.channels(pod)


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
    assert len([e for e in rotating.events(seq) if "is taken" in e["cause"]]) == 1
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
    taken = rotating.wait_event(lambda e: e["event"] == "environment", "both tokens to be taken", after=seq)
    when_ready(rotating, taken)
    assert rotating.environ("slakd")["SLACK_BOT_TOKEN"] == "slack-two"
    assert rotating.environ("teled")["TELEGRAM_BOT_TOKEN"] == "telegram-two"


@pytest.mark.parametrize("order", ["today", "1.20"])
def test_an_update_that_is_cut_short_anywhere_is_made_good_by_the_next_one(a_pod, order):
    pod = rotating_pod(a_pod, order=order)
    count = sum(1 for _ in pod.secret.steps(FIRST | {"DISCORD_BOT_TOKEN": "discord-one"}))
    taken = pod.wait_event(lambda e: "1 added (DISCORD_BOT_TOKEN)" in e["cause"], "the added token to be taken")
    when_ready(pod, taken)
    for cut in range(1, count, 2):
        steps = pod.secret.steps(FIRST | {"SLACK_BOT_TOKEN": f"cut-{cut}"})
        for _ in range(cut):
            next(steps, None)
        steps.close()  # the kubelet was killed here, and begins anew
        seq = pod.last_seq()
        pod.secret.write(FIRST | {"SLACK_BOT_TOKEN": f"whole-{cut}", "DISCORD_BOT_TOKEN": "discord-one"})

        def in_use():
            if pod.secrets()["waiting"]:
                pod.ctl("reload")  # past the rate limit
            return runs_with(pod, "slakd", "SLACK_BOT_TOKEN", f"whole-{cut}")
        wait_for(f"the whole update after step {cut}", in_use)
        assert pod.service("discd")["state"] == "ready"
        assert not [e for e in pod.events(seq) if "is refused" in e["cause"]]


def test_a_needed_value_that_is_removed_is_held_back_and_good_ones_are_taken_again(a_pod):
    pod = a_pod(rehearse=False, start=False)
    pod.secret = Volume(pod.out / "secrets", {"TOKEN": "one", "OTHER": "one"})
    pod.write_plan(f"""
[env]
sources = ["dir:{pod.secret.path}"]
[service.sleeper]
command = ["sleep", "1000"]
need = ["TOKEN"]
""")
    pod.start()
    pod.wait_service("sleeper", "ready")
    before, seq = pids(pod), pod.last_seq()
    pod.secret.write({"OTHER": "two"})
    held = pod.wait_event(lambda e: e["code"] == "value-held-back", "the lack of it to be held back", after=seq)
    assert held["cause"].startswith("TOKEN was removed and is held back, the old value stays: sleeper runs, and needs it")
    assert pids(pod) == before
    assert pod.metric('arizuko_init_values_held{reason="needed"}') == 1
    pod.secret.write({"TOKEN": "two", "OTHER": "two"})
    wait_for("the good ones to be taken", lambda: runs_with(pod, "sleeper", "TOKEN", "two"))


def test_a_deleted_key_of_an_optional_secret_that_is_the_last_of_its_source_is_refused(a_pod):
    pod = a_pod(start=False)
    secret = Volume(pod.out / "optional", {"DISCORD_BOT_TOKEN": "discord-one"})
    sources = json.dumps([f"dotenv:{pod.data}/.env", "environment", f"dir:{secret.path}"])
    pod.options += ["--set", f"env.sources={sources}"]
    pod.start().wait_ready()
    pod.wait_service("discd", "ready")
    seq = pod.last_seq()
    secret.write({})
    refused = pod.wait_event(lambda e: "is refused" in e["cause"], "the emptied source to be refused", after=seq)
    assert f"DISCORD_BOT_TOKEN (nothing is left in dir:{secret.path})" in refused["cause"]
    assert pod.service("discd")["state"] == "ready"
    assert pod.ctl("reload").returncode == 0  # the operator means it
    pod.wait_service("discd", "off")


def test_secrets_shows_who_takes_what_and_no_value(rotating):
    rotate(rotating, FIRST | {"SLACK_BOT_TOKEN": "slack-two"}, "the token to be taken")
    page = rotating.secrets()
    keys = {key["name"]: key for key in page["keys"]}
    assert keys["SLACK_BOT_TOKEN"]["taken_by"] == ["slakd"]
    assert keys["SLACK_BOT_TOKEN"]["source"] == f"dir:{rotating.secret.path}"
    assert keys["SLACK_BOT_TOKEN"]["since"] > keys["TELEGRAM_BOT_TOKEN"]["since"]
    assert keys["AUTH_SECRET"]["guarded"] and len(keys["AUTH_SECRET"]["fingerprint"]) == 8
    assert page["rotation"]["services"] == ["slakd"] and page["rotation"]["changed"] == ["SLACK_BOT_TOKEN"]
    assert 0.1 <= page["rotation"]["seconds_to_ready"] < 5
    generations = {service["name"]: service["generation"] for service in page["services"]}
    assert generations["slakd"] == page["generation"] > generations["teled"]
    assert not any(service["old_values"] for service in page["services"])
    text = rotating.ctl("secrets").stdout
    assert "SLACK_BOT_TOKEN" in text and "still with older values" not in text
    metrics = rotating.get("/metrics")[1]
    for value in (*FIRST.values(), "slack-two"):
        if value.startswith("https"):
            continue
        assert value not in text and value not in json.dumps(page) and value not in metrics
    assert keys["AUTH_SECRET"]["fingerprint"] not in metrics, "on the control socket only"


def test_a_key_that_is_gone_from_the_secret_is_not_replaced_by_the_made_up_one_of_the_dotenv(rotating):
    before, seq = pids(rotating), rotating.last_seq()
    rotating.secret.write({key: value for key, value in FIRST.items() if key != "CHANNEL_SECRET"})
    held = rotating.wait_event(lambda e: e["code"] == "value-held-back", "the made-up one to be held back", after=seq)
    assert held["cause"].startswith("CHANNEL_SECRET was changed and is held back, the old value stays: it is gone from dir:")
    assert pids(rotating) == before
    assert rotating.metric('arizuko_init_values_held{reason="weaker"}') == 1
    assert rotating.ctl("secrets", "accept", "CHANNEL_SECRET").returncode == 0
    wait_for("it to be taken", lambda: rotating.environ("gated")["CHANNEL_SECRET"] != "channel-one")


def test_a_value_with_a_nul_byte_is_the_trouble_of_who_takes_it(a_pod):
    pod = a_pod(rehearse=False, start=False)
    pod.secret = Volume(pod.out / "secrets", {"UNUSED": "a\0b", "TOKEN": "a\0b", "OTHER": "one"})
    pod.write_plan(f"""
[env]
sources = ["dir:{pod.secret.path}"]
[service.takes]
command = ["sleep", "1000"]
take = ["TOKEN"]
[service.other]
command = ["sleep", "1000"]
take = ["OTHER"]
""")
    pod.start()
    pod.wait_service("other", "ready")
    pod.wait_service("takes", "blocked")
    assert "which cannot be used: the value holds a NUL byte" in pod.ctl("why", "takes").stdout
    pod.secret.write({"UNUSED": "a\0b", "TOKEN": "one", "OTHER": "two"})
    wait_for("both to be taken", lambda: runs_with(pod, "other", "OTHER", "two") and runs_with(pod, "takes", "TOKEN", "one"))
    pod.secret.write({"UNUSED": "x" * 140_000, "TOKEN": "x" * 140_000, "OTHER": "three"})
    wait_for("the rest to be taken", lambda: runs_with(pod, "other", "OTHER", "three"))
    assert runs_with(pod, "takes", "TOKEN", "one")
    assert pod.metric('arizuko_init_values_held{reason="unusable"}') == 1
