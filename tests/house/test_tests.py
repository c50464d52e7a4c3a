"""Tests look at no clock: they wait for the event, with a bound, and compare what events carry. What must measure says so by
its mark, and runs alone."""
import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
MEASURES = {"time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.sleep"}
TELLS = {"time.time", "time.time_ns", "datetime.now"}  # fine to write into a file, not to compare with


def called(node):
    return {ast.unparse(each.func) for each in ast.walk(node) if isinstance(each, ast.Call)}


def names(node):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def is_timing(node):
    return isinstance(node, ast.FunctionDef) and \
        any(ast.unparse(each) == "pytest.mark.timing" for each in node.decorator_list)


def looks_at_a_clock(text):
    """What measures or waits by a clock in a file of tests, but for the marked tests and helpers that only they use."""
    body = ast.parse(text).body
    by_marked = set().union(*(names(node) for node in body if is_timing(node)))
    by_others = set().union(*(names(node) for node in body if not is_timing(node)))
    found = []
    for node in body:
        name = getattr(node, "name", None)
        if is_timing(node) or (name in by_marked and name not in by_others):
            continue
        asserts = [each for each in ast.walk(node) if isinstance(each, ast.Assert)]
        if called(node) & MEASURES or any(called(each) & TELLS for each in asserts):
            found.append(name or f"line {node.lineno}")
    return found


def test_no_end_to_end_test_looks_at_a_clock_unless_it_is_marked():
    files = [path for folder in ("e2e", "traps", "agents") for path in (TESTS / folder).glob("test_*.py")]
    assert len(files) > 20
    found = {str(path.relative_to(TESTS)): looks for path in files if (looks := looks_at_a_clock(path.read_text()))}
    assert not found, "wait for the event, or mark it: @pytest.mark.timing"


def test_what_looks_at_a_clock_is_found():
    assert looks_at_a_clock("def test_a():\n    begun = time.monotonic()\n    assert time.monotonic() - begun < 3\n") == ["test_a"]
    assert looks_at_a_clock("def test_a():\n    assert time.time() < 3\n") == ["test_a"]
    assert looks_at_a_clock("def test_a():\n    time.sleep(2)\n") == ["test_a"]
    assert looks_at_a_clock("@pytest.mark.timing\ndef test_a():\n    time.sleep(2)\n") == []
    assert looks_at_a_clock("def test_a():\n    write(time.time())\n") == []
    helper = "def rest():\n    time.sleep(2)\n@pytest.mark.timing\ndef test_a():\n    rest()\n"
    assert looks_at_a_clock(helper) == []
    assert looks_at_a_clock(helper + "def test_b():\n    rest()\n") == ["rest"]
