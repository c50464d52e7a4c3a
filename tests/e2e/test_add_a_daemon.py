"""docs/how-to/add-a-daemon.md: what it shows is a plan, and runs."""
import re

import pytest

from lines import TODAY
from pod import ROOT, STOCK_PLAN, check, position, services_of, wait_for

PAGE = (ROOT / "docs/how-to/add-a-daemon.md").read_text()
ACCOUNT, WHAPD, KEYED, SPEECH, OWN = re.findall(r"(?ms)^```toml\n(.*?)^```", PAGE)


def beside(directory, *texts):
    """A copy of the stock plan with these drop-ins."""
    plan = directory / "plan.toml"
    plan.write_text(STOCK_PLAN.read_text())
    (directory / "plan.toml.d").mkdir()
    for number, text in enumerate(texts):
        (directory / "plan.toml.d" / f"{number}.toml").write_text(text)
    return plan


@pytest.mark.parametrize("text, name", [(ACCOUNT, "teled-work"), (WHAPD, "whapd"), (SPEECH, "ttsd"), (OWN, "notes")],
                         ids=["account", "whapd", "ttsd", "own"])
def test_each_example_is_a_plan_without_a_warning(tmp_path, text, name):
    plan = check(plan=beside(tmp_path, text))
    assert plan["warnings"] == []
    assert name in services_of(plan)


def test_a_second_account_takes_six_lines_and_differs_in_what_they_say():
    assert len(ACCOUNT.splitlines()) <= 6


def test_all_of_them_run_beside_the_stock_plan(a_pod):
    pod = a_pod(start=False, env={"TELEGRAM_BOT_TOKEN": "first-account", "TELEGRAM_BOT_TOKEN_WORK": "second-account",
                                  "TTS_BACKEND_URL": "http://127.0.0.1:9080"})  # somebody who answers
    pod.write_plan(STOCK_PLAN.read_text())
    for number, text in enumerate((ACCOUNT, WHAPD, SPEECH)):
        pod.write(pod.out / "plan.toml.d" / f"{number}.toml", text)
    pod.start().wait_ready()
    given = pod.environ("teled-work")
    assert given["TELEGRAM_BOT_TOKEN"] == "second-account" and "TELEGRAM_BOT_TOKEN_WORK" not in given
    assert pod.environ("teled")["TELEGRAM_BOT_TOKEN"] == "first-account"
    assert given["LISTEN_URL"] == "http://127.0.0.1:9011"
    # Each is registered under its own name, and a message comes in by it.
    assert pod.post("/v1/rehearsal/inbound", {"text": "to the second", "sender": "ada", "jid": "telegram:7"}, 9011)[0] == 200
    wait_for("the message", lambda: ("telegram-work",) in pod.rows("SELECT source FROM messages WHERE chat_jid = 'telegram:7'"))
    events = pod.events()
    for adapter in ("teled-work", "whapd"):
        assert position(events, "onbod", "starting") > position(events, adapter, "ready"), adapter
    assert pod.environ("gated")["TTS_BASE_URL"] == "http://127.0.0.1:8880"
    # And as one group.
    seq = pod.last_seq()
    assert pod.ctl("restart", "@adapters", "--wait", "30").returncode == 0
    for adapter in ("teled", "teled-work", "slakd", "whapd"):
        pod.wait_state_event(adapter, "ready", after=seq)
    assert not [e for e in pod.events(seq) if e["service"] == "gated" and e["event"] == "state"]
    assert pod.stop() == 0


def test_an_account_and_a_daemon_of_their_own_run_beside_todays_stock_plan(a_pod):
    pod = a_pod(line=TODAY, start=False, env={"TELEGRAM_BOT_TOKEN": "first-account", "TELEGRAM_BOT_TOKEN_WORK": "second-account"})
    pod.write_plan(TODAY.plan.read_text())
    for number, text in enumerate((ACCOUNT, WHAPD, KEYED)):
        pod.write(pod.out / "plan.toml.d" / f"{number}.toml", text)
    pod.start().wait_ready()
    assert {"telegram", "telegram-work", "whatsapp"} <= TODAY.channels(pod)
    first, second = pod.environ("teled"), pod.environ("teled-work")
    assert (first["TELEGRAM_BOT_TOKEN"], second["TELEGRAM_BOT_TOKEN"]) == ("first-account", "second-account")
    assert first["AUTHD_SERVICE_KEY"] == second["AUTHD_SERVICE_KEY"], "authd knows the daemon, not the account"
    assert pod.environ("whapd")["AUTHD_SERVICE_KEY"] != first["AUTHD_SERVICE_KEY"]
    # A message comes in by the second account, and the answer goes out by it.
    assert pod.post("/v1/rehearsal/inbound", {"text": "at work", "jid": "telegram:8"}, 9011)[0] == 200
    answer = pod.post("/v1/outbound", {"jid": "telegram:8", "text": "to work"}, 9080, TODAY.bearer(pod))
    assert answer[0] == 200, answer
    assert "to work" in pod.get("/v1/rehearsal/outbound", 9011)[1]
    assert "to work" not in pod.get("/v1/rehearsal/outbound", 9001)[1]
