"""The process that serves the simulated motion unit's records."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from darkscan.pipeline.core.errors import DarkscanError
from darkscan.simulation.rig import _unit_process as unit_process
from darkscan.simulation.rig._unit_process import MotionUnitProcess, MotionUnitSettings
from tests.simulated_rig.rigs import area_rig
from tests.simulated_rig.values import value_of

pytestmark = pytest.mark.slow


@pytest.fixture
def settings() -> MotionUnitSettings:
    rig = area_rig()
    assert rig.simulation is not None
    return MotionUnitSettings(
        motion=rig.motion,
        simulation=rig.simulation,
        illumination_switch="TEST:LIGHT",
        start_mm=(20.0, 10.0, 0.0),
        parent=os.getpid(),
    )


@pytest.fixture
def unit(settings: MotionUnitSettings, tmp_path: Path) -> Iterator[MotionUnitProcess]:
    with MotionUnitProcess(settings, tmp_path) as unit:
        yield unit


def test_settings_survive_the_way_to_the_process(
    settings: MotionUnitSettings, tmp_path: Path
) -> None:
    shared = settings.model_copy(update={"shared_rig": Path("/dev/shm/somewhere")})  # noqa: S108
    shared.write(tmp_path / "settings.json")

    assert MotionUnitSettings.read(tmp_path / "settings.json") == shared


def test_records_answer_as_soon_as_it_is_there(unit: MotionUnitProcess) -> None:
    assert value_of("TEST:X.DMOV", unit.environment) == pytest.approx(1)
    assert value_of("TEST:X.RBV", unit.environment) == pytest.approx(20.0, abs=0.01)
    assert value_of("TEST:Y.RBV", unit.environment) == pytest.approx(10.0, abs=0.01)


def test_one_that_was_killed_comes_back_at_the_same_place(unit: MotionUnitProcess) -> None:
    environment = unit.environment
    unit.kill()
    assert unit.process.poll() is not None
    unit.start()

    assert unit.environment == environment
    assert value_of("TEST:X.DMOV", environment) == pytest.approx(1)


def test_it_leaves_nothing_behind(settings: MotionUnitSettings, tmp_path: Path) -> None:
    with MotionUnitProcess(settings, tmp_path) as unit:
        process = psutil.Process(unit.process.pid)
    assert not process.is_running()
    assert not list(tmp_path.iterdir())


def module(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a module of the given text be started in place of the motion unit."""
    (folder / "other_unit.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.setattr(unit_process, "_MODULE", "other_unit")


def test_one_that_does_not_come_up_is_quoted(
    settings: MotionUnitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, "import sys\nprint('no such axis', file=sys.stderr)\nsys.exit(3)", monkeypatch)

    with pytest.raises(DarkscanError, match=r"motion unit ended with 3: no such axis$"):
        MotionUnitProcess(settings, tmp_path)


def test_one_that_is_never_ready_is_not_waited_for_for_ever(
    settings: MotionUnitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module(tmp_path, "import time\ntime.sleep(600)", monkeypatch)
    monkeypatch.setattr(unit_process, "_START_S", 0.2)

    with pytest.raises(DarkscanError, match=r"is not ready after 0\.2 s: it said nothing"):
        MotionUnitProcess(settings, tmp_path)


def test_a_port_that_was_taken_meanwhile_is_given_up_for_another(
    settings: MotionUnitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "import os, pathlib, sys, time\n"
        "tried = pathlib.Path(__file__).with_name('tried')\n"
        "first = not tried.exists()\n"
        "tried.touch()\n"
        "if first: sys.exit('port taken')\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)\n"
    )
    module(tmp_path, text, monkeypatch)

    with MotionUnitProcess(settings, tmp_path) as unit:
        assert unit.process.poll() is None
