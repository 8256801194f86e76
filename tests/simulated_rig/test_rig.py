"""The simulated rig put together."""

import os
from pathlib import Path

import numpy as np
import psutil
import pytest

from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import DarkscanError, InputError
from darkscan.simulation.rig import SimulatedRig
from darkscan.simulation.rig._shared import SHARED_RIG, SharedRig
from darkscan.simulation.rig._unit_process import MotionUnitProcess
from tests.simulated_rig.rigs import NEEDS_COMPILER, area_rig
from tests.simulated_rig.values import value_of

pytestmark = [pytest.mark.slow, NEEDS_COMPILER]
LIT = {"illumination": {"switch": "TEST:LIGHT"}}


@pytest.fixture
def rig() -> Rig:
    return area_rig(**LIT, focus={"points_mm": [[0, 0, 0.4], [9, 0, 0.4], [0, 7, 0.4]]})


def test_whatever_is_started_afterwards_finds_camera_and_axes(rig: Rig, folder: Path) -> None:
    with SimulatedRig(rig, folder) as simulated:
        shared = SharedRig.attach(Path(os.environ[SHARED_RIG]))
        assert shared.light
        shared.close()
        assert value_of("TEST:X.RBV", {}) == pytest.approx(20.0, abs=0.01)
        assert value_of("TEST:Y.RBV", {}) == pytest.approx(10.0, abs=0.01)
        assert value_of("TEST:LIGHT", {}) == pytest.approx(1)
        assert simulated.shared.counters.frames == 0


def test_a_rig_that_was_left_leaves_nothing(
    rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EPICS_CA_ADDR_LIST", "control.example")
    monkeypatch.delenv(SHARED_RIG, raising=False)
    before = dict(os.environ)

    with SimulatedRig(rig, folder) as simulated:
        process = psutil.Process(simulated.motion_unit.process.pid)
        assert os.environ["EPICS_CA_ADDR_LIST"] == "127.0.0.1"

    assert dict(os.environ) == before
    assert not process.is_running()
    assert not list(folder.iterdir())


def test_the_camera_sees_the_element_from_where_the_axes_stand(rig: Rig, folder: Path) -> None:
    with SimulatedRig(rig, folder) as simulated:
        canvas = simulated.shared.canvas
        middle = np.array(canvas.shape) // 2
        assert canvas[middle[0] - 300 : middle[0] + 300].mean() > 5 * 256  # it is lit
        del canvas


def test_the_axes_start_within_their_limits(folder: Path) -> None:
    rig = area_rig(geometry={"origin_mm": [-5.0, 10.0]})

    with SimulatedRig(rig, folder):
        assert value_of("TEST:X.RBV", {}) == pytest.approx(0.0, abs=0.01)


def test_two_rigs_do_not_get_into_each_others_way(rig: Rig, folder: Path) -> None:
    (folder / "other").mkdir()
    other = area_rig(geometry={"origin_mm": [33.0, 10.0]})

    with SimulatedRig(rig, folder):
        with SimulatedRig(other, folder / "other"):
            assert value_of("TEST:X.RBV", {}) == pytest.approx(33.0, abs=0.01)
        assert value_of("TEST:X.RBV", {}) == pytest.approx(20.0, abs=0.01)


def test_a_rig_that_cannot_start_leaves_nothing(
    rig: Rig, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise DarkscanError("no axes today")

    monkeypatch.setattr(MotionUnitProcess, "__init__", fails)
    before = dict(os.environ)

    with pytest.raises(DarkscanError, match="no axes today"), SimulatedRig(rig, folder):
        pytest.fail("it started")

    assert dict(os.environ) == before
    assert not (folder / "simulated-rig").exists()


def test_a_rig_that_is_none_of_the_simulated_ones_is_refused(rig: Rig, folder: Path) -> None:
    real = rig.model_copy(update={"simulation": None})

    with pytest.raises(InputError, match="none of the simulated ones"), SimulatedRig(real, folder):
        pytest.fail("it started")
