"""A recorded scan, the map of an undisturbed run without a host, and a host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stages.running import darkscan, record_small_scan
from tests.uplink.hosts import Host


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "scan.h5"
    record_small_scan(path)
    return path


@pytest.fixture(scope="session")
def undisturbed(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run that nobody was told of."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    darkscan("replay", recording, "--out", out)
    return out


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that is not there yet, and an outbox of the test's own."""
    monkeypatch.setenv("DARKSCAN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("DARKSCAN_CONFIG", str(tmp_path / "config"))
    host = Host()
    yield host
    host.stop()
