"""docs/reference/traps.md says of each trap who handles it, and which test shows it. Both must be true."""
import re
from pathlib import Path

from pod import ROOT

ROW = re.compile(r"^\| ([TN]\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)
NAMED_AFTER_A_TRAP = re.compile(r"test_([TN])(\d\d)_")


def rows():
    return ROW.findall((ROOT / "docs" / "reference" / "traps.md").read_text())


def existing():
    """The names of all end-to-end tests, and of those the ones that are named after a trap."""
    text = "".join(path.read_text() for path in Path(__file__).parent.parent.glob("*/test_*.py"))
    names = set(re.findall(r"^def (test_\w+)", text, re.M))
    return names, {name for name in names if NAMED_AFTER_A_TRAP.match(name)}


def prefix(trap):
    return f"test_{trap[0]}{int(trap[1:]):02}_"


def test_the_tables_have_every_trap_once():
    assert [row[0] for row in rows()] == [f"T{n}" for n in range(1, 42)] + [f"N{n}" for n in range(1, 11)]


def test_what_is_handled_names_a_test_that_exists():
    names, _ = existing()
    for trap, _, handled_by, _, test in rows():
        if handled_by == "nobody":
            assert test == "-"
            continue
        for word in re.split(", ", handled_by):
            assert word in ("here", "plan", "doctor", "manifest"), f"{trap} is handled by {word}"
        named = re.findall(r"`(test_\w+)`", test)
        assert named, f"{trap} names no test"
        for name in named:
            assert name in names, f"{trap} names {name}, which is not there"
            assert not NAMED_AFTER_A_TRAP.match(name) or name.startswith(prefix(trap)), f"{trap} names another's test"


def test_every_test_that_is_named_after_a_trap_is_in_the_tables():
    told = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[4]) if NAMED_AFTER_A_TRAP.match(name)}
    assert told == existing()[1]
