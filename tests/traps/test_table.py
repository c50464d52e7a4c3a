"""docs/traps.md says of each trap who handles it, and which test shows it. Both must be true."""
import re
from pathlib import Path

from pod import ROOT

ROW = re.compile(r"^\| (T\d+) \| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.M)


def rows():
    return ROW.findall((ROOT / "docs" / "traps.md").read_text())


def existing():
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_traps_*.py"))
    return re.findall(r"^def (test_(T\d\d)_\w+)", text, re.M)


def number(trap):
    return f"T{int(trap[1:]):02}"


def test_the_table_has_every_trap_once():
    assert [row[0] for row in rows()] == [f"T{n}" for n in range(1, 40)]


def test_what_is_handled_here_or_by_the_plan_names_a_test_that_exists():
    names = {name for name, _ in existing()}
    for trap, _, handled_by, _, test in rows():
        named = re.findall(r"`(test_\w+)`", test)
        if re.search(r"\b(here|plan)\b", handled_by) and test != "-":
            assert named, f"{trap} names no test"
        for name in named:
            assert name in names, f"{trap} names {name}, which is not there"
            assert name.startswith(f"test_{number(trap)}_"), f"{trap} names another's test"
        if test == "-":
            assert trap in ("T17", "T32", "T33"), f"{trap} is handled and not tested"
            assert "not yet" in handled_by


def test_every_test_is_in_the_table():
    told = {name for row in rows() for name in re.findall(r"`(test_\w+)`", row[4])}
    assert told == {name for name, _ in existing()}
