"""What the stock plans come to, as `check --json` says it: a change of a template shows here in all that it reaches.

Rewritten, to be looked at with `git diff`, by ARIZUKO_REWRITE_SNAPSHOTS=1.
"""
import json
import os
from pathlib import Path

from lines import TODAY
from pod import check

SNAPSHOTS = Path(__file__).parent / "snapshots"


def test_the_resolved_stock_plan_is_what_the_snapshot_says(line):
    plan = check(plan=line.plan)
    assert plan.pop("files") == [str(line.plan)]
    resolved = json.dumps(plan, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    snapshot = SNAPSHOTS / f"{line.name}.json"
    if os.environ.get("ARIZUKO_REWRITE_SNAPSHOTS") == "1":
        snapshot.write_text(resolved)
    assert snapshot.read_text().splitlines() == resolved.splitlines()


SECOND_ACCOUNT = '''[service.teled-work]
like = "teled"
port = 9011
enabled_when = ["TELEGRAM_BOT_TOKEN_WORK"]
need = ["...", "TELEGRAM_BOT_TOKEN = TELEGRAM_BOT_TOKEN_WORK"]
env.CHANNEL_NAME = "telegram-work"
'''


def test_a_second_account_is_six_lines_and_its_messages_go_both_ways(a_pod, line):
    pod = a_pod(line=line, start=False, env={"TELEGRAM_BOT_TOKEN": "one", "TELEGRAM_BOT_TOKEN_WORK": "two"})
    pod.write_plan(line.plan.read_text())
    pod.write(pod.out / "plan.toml.d" / "work.toml", SECOND_ACCOUNT)
    pod.start().wait_ready()
    assert {"telegram", "telegram-work"} <= line.channels(pod)
    first, second = pod.environ("teled"), pod.environ("teled-work")
    assert (first["TELEGRAM_BOT_TOKEN"], second["TELEGRAM_BOT_TOKEN"]) == ("one", "two")
    if line is TODAY:
        assert first["AUTHD_SERVICE_KEY"] == second["AUTHD_SERVICE_KEY"], "authd knows the daemon, not the account"
    assert "TELEGRAM_BOT_TOKEN_WORK" not in second
    assert pod.post("/v1/rehearsal/inbound", {"text": "at work", "jid": "telegram:8"}, 9011)[0] == 200
    answer = pod.post("/v1/outbound", {"jid": "telegram:8", "text": "to work"}, 9080, line.bearer(pod))
    assert answer[0] == 200, answer
    assert "to work" in pod.get("/v1/rehearsal/outbound", 9011)[1]
    assert "to work" not in pod.get("/v1/rehearsal/outbound", 9001)[1]
