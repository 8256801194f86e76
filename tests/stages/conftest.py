"""A recorded scan and the map of an undisturbed run, made once."""

from pathlib import Path

import pytest

from tests.stages.running import darkscan, record_small_scan


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "scan.h5"
    record_small_scan(path)
    return path


@pytest.fixture(scope="session")
def undisturbed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run in which nothing went wrong."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    darkscan("replay", recording, "--out", out)
    return out
