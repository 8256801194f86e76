"""The simulated camera, driven by harvesters as any camera is."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.rig._shared import SHARED_RIG
from darkscan.simulation.rig.build import producer
from tests.simulated_camera.cameras import Bench


@pytest.fixture(scope="session")
def cti() -> Path:
    """The built producer; tests that need it skip where there is no compiler."""
    pytest.importorskip("harvesters", reason="harvesters is not installed")
    try:
        return producer()
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture
def bench(cti: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Opens cameras, with or without a shared rig, and closes all of it afterwards."""
    monkeypatch.delenv(SHARED_RIG, raising=False)
    handler = signal.getsignal(signal.SIGINT)  # harvesters puts its own in its place
    with Bench(cti, tmp_path / "rig", monkeypatch) as bench:
        yield bench
    signal.signal(signal.SIGINT, handler)
