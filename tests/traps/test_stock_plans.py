"""What the stock plans come to, as `check --json` says it: a change of a template shows here in all that it reaches.

Rewritten, to be looked at with `git diff`, by ARIZUKO_REWRITE_SNAPSHOTS=1.
"""
import json
import os
from pathlib import Path

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
