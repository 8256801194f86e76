"""What these tests share."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, as a simulated rig wants it."""
    with TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)
