"""What the tests of recordings start from."""

from pathlib import Path

import pytest

from tests.recording.samples import record_all, without_checksums


@pytest.fixture
def recording_path(tmp_path: Path) -> Path:
    return record_all(tmp_path / "scan.h5")


@pytest.fixture
def older_path(recording_path: Path) -> Path:
    return without_checksums(recording_path)
