"""The image tests share one engine, and so one set of built images."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from engine import Engine  # noqa: E402


@pytest.fixture(scope="session")
def engine():
    made = Engine()
    yield made
    made.close()
