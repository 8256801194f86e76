"""A motion unit as a process of its own, on free ports of this computer, and the stage."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkscan.drivers.rig import MotionSettings
from darkscan.pipeline.transport.messages import Halt, MotionReady
from darkscan.simulation.rig._shared import Look, SharedRig
from darkscan.simulation.rig._unit_process import MotionUnitProcess
from tests.motion.records import put
from tests.motion.stage_process import StageProcess
from tests.motion.units import HIGH, START, motion_settings, unit_settings

StartUnit = Callable[..., MotionUnitProcess]
StartStage = Callable[..., StageProcess]


@pytest.fixture
def start_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartUnit]:
    """Starts a unit with the given settings; this process then finds its records."""
    started: list[MotionUnitProcess] = []

    def start(**changes: Any) -> MotionUnitProcess:
        unit = MotionUnitProcess(unit_settings(**changes), tmp_path)
        started.append(unit)
        for name, value in unit.environment.items():
            monkeypatch.setenv(name, value)
        return unit

    yield start
    for unit in started:
        unit.stop()


@pytest.fixture
def start_stage(tmp_path: Path) -> Iterator[StartStage]:
    """Starts the motion stage; the unit has to be there before."""
    started: list[StageProcess] = []

    def start(settings: MotionSettings | None = None) -> StageProcess:
        run_dir = tmp_path / "run"
        run_dir.mkdir()
        started.append(StageProcess(run_dir, settings or motion_settings()))
        return started[-1]

    yield start
    for stage in started:
        stage.close()


@pytest.fixture(scope="session")
def standing_unit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotionUnitProcess]:
    with MotionUnitProcess(unit_settings(), tmp_path_factory.mktemp("unit")) as unit:
        yield unit


@pytest.fixture(scope="session")
def standing_stage(
    standing_unit: MotionUnitProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StageProcess]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in standing_unit.environment.items():
            patch.setenv(name, value)
        stage = StageProcess(tmp_path_factory.mktemp("run"), motion_settings())
    stage.wait_for(MotionReady)
    yield stage
    stage.close()


@pytest.fixture
def unit(
    standing_unit: MotionUnitProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MotionUnitProcess]:
    """A unit in order, its axes where they are at first; many tests use it in turn."""
    yield from _in_turn(standing_unit, monkeypatch)


@pytest.fixture(scope="session")
def unwatched_standing_unit(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[MotionUnitProcess]:
    with MotionUnitProcess(unit_settings(), tmp_path_factory.mktemp("unwatched")) as unit:
        yield unit


@pytest.fixture
def unwatched_unit(
    unwatched_standing_unit: MotionUnitProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MotionUnitProcess]:
    """A unit that no standing stage watches: what its positions mean may be changed."""
    yield from _in_turn(unwatched_standing_unit, monkeypatch)


def _in_turn(
    unit: MotionUnitProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MotionUnitProcess]:
    for name, value in unit.environment.items():
        monkeypatch.setenv(name, value)
    yield unit
    for axis, high, start in zip("XYZ", HIGH, START, strict=True):
        put(f"TEST:{axis}:FAULT_AT", math.nan)
        put(f"TEST:{axis}:FAULT", "none")
        put(f"TEST:{axis}.HLM", high)
        put(f"TEST:{axis}", start)


@pytest.fixture
def stage(unit: MotionUnitProcess, standing_stage: StageProcess) -> Iterator[StageProcess]:
    """A stage that is ready on this unit; many tests use it in turn."""
    standing_stage.heard.clear()
    yield standing_stage
    standing_stage.send(Halt(reason="the test is over"))
    standing_stage.wait_for(MotionReady)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedRig]:
    """What a simulated camera would be told."""
    look = Look("area", (8, 8), np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    rig = SharedRig.create(tmp_path / "rig", look, np.zeros((16, 16), np.uint16))
    yield rig
    rig.close()
