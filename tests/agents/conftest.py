import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

import agents  # noqa: E402


@pytest.fixture
def make_bench(tmp_path):
    """bench(code=..., sub_path=...): closed at the end, with all its agents."""
    made = []

    def make(**options):
        made.append(agents.Bench(tmp_path / f"bench-{len(made)}", **options))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench):
    return make_bench()
