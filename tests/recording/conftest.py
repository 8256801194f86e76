"""What the tests of recordings start from."""

import shutil
from pathlib import Path

import pytest

from tests.recording.samples import record_all, without_checksums


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small scan, to be copied."""
    return record_all(tmp_path_factory.mktemp("recorded") / "scan.h5")


@pytest.fixture
def recording_path(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(recorded, tmp_path / "scan.h5"))


@pytest.fixture
def older_path(recording_path: Path) -> Path:
    return without_checksums(recording_path)
