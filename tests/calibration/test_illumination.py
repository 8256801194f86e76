"""The light goes off for the dark frames, and on again whatever happens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from darkscan.drivers.calibration import illumination
from darkscan.drivers.calibration.illumination import darkened
from darkscan.drivers.rig import SimulationSettings
from darkscan.pipeline.core.errors import DarkscanError
from darkscan.pipeline.core.units import Millimetres
from darkscan.simulation.rig._unit_process import MotionUnitProcess, MotionUnitSettings
from tests.calibration.scenes import make_rig

SWITCH = "TEST:LIGHT"


@pytest.fixture
def switch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A light that can be switched over Channel Access."""
    nowhere = Millimetres(0.0)
    settings = MotionUnitSettings(
        motion=make_rig().motion,
        simulation=SimulationSettings(),
        illumination_switch=SWITCH,
        start_mm=(nowhere, nowhere, nowhere),
    )
    with MotionUnitProcess(settings, tmp_path) as unit:
        for name, value in unit.environment.items():
            monkeypatch.setenv(name, value)
        yield SWITCH


def is_lit(switch: str) -> bool:
    code = f"import asyncio, aioca; print(int(asyncio.run(aioca.caget({switch!r}, timeout=20))))"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=300
    )
    return bool(int(done.stdout))


def fail_in_the_dark(switch: str) -> None:
    with darkened(switch):
        raise KeyboardInterrupt


@pytest.mark.slow
def test_the_light_is_off_for_a_while(switch: str) -> None:
    assert is_lit(switch)
    with darkened(switch):
        assert not is_lit(switch)
    assert is_lit(switch)
    with pytest.raises(KeyboardInterrupt):
        fail_in_the_dark(switch)
    assert is_lit(switch)


def test_a_switch_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(illumination, "_PROCESS_S", 0.01)
    with pytest.raises(DarkscanError, match="NONE: the light cannot be switched"), darkened("NONE"):
        pytest.fail("it is not dark")
