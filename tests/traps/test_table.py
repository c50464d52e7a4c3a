"""docs/reference/traps.md says of each trap who handles it, and which test shows it. Both must be true."""
import re
from pathlib import Path

from pod import ROOT

ROW = re.compile(r"^\| (T\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)


def rows():
    return ROW.findall((ROOT / "docs" / "reference" / "traps.md").read_text())


def existing():
    """The names of all end-to-end tests, and of those the ones that are named after a trap."""
    text = "".join(path.read_text() for path in Path(__file__).parent.parent.glob("*/test_*.py"))
    names = set(re.findall(r"^def (test_\w+)", text, re.M))
    return names, {name for name in names if re.match(r"test_T\d\d_", name)}


def number(trap):
    return f"T{int(trap[1:]):02}"


def test_the_table_has_every_trap_once():
    assert [row[0] for row in rows()] == [f"T{n}" for n in range(1, 42)]


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
            assert not name.startswith("test_T") or name.startswith(f"test_{number(trap)}_"), f"{trap} names another's test"


def test_every_test_that_is_named_after_a_trap_is_in_the_table():
    told = {name for row in rows() for name in re.findall(r"`(test_T\d\d_\w+)`", row[4])}
    assert told == existing()[1]
