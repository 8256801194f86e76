"""Classification's speed, measured with the model that ships."""

import time
from pathlib import Path

import numpy as np
import pytest

from darkscan.pipeline.errors import InputError
from darkscan.pipeline.recipe import Processes, Recipe
from darkscan.pipeline.scan import PixelType
from darkscan.stages.inference import rate
from darkscan.stages.inference.backend import FloatArray, Seen
from tests.builders import scan_info
from tests.conftest import REPOSITORY

MODEL = REPOSITORY / "models" / "default.onnx"


class SlowBackend:
    """Takes a millisecond a window, and counts them."""

    windows = 0

    def __init__(self, model: Path, *, threads: int, batch: int) -> None:
        self.batch = batch

    def see(self, frame: object, origins: FloatArray, *_: object) -> Seen:
        time.sleep(len(origins) / 1000)
        SlowBackend.windows += len(origins)
        return Seen(np.zeros(len(origins), np.float32), None)


def test_workers_on_cores_of_their_own_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "OnnxRuntimeBackend", SlowBackend)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    speeds = {}
    for workers, threads in ((1, 1), (4, 1), (16, 1), (16, 4)):
        recipe = Recipe(processes=Processes(workers=workers, threads=threads, batch=10))
        speeds[workers, threads] = rate.windows_per_s(MODEL, recipe, scan_info())
    one = speeds[1, 1]
    assert 100 < one <= 1000
    assert speeds[4, 1] == pytest.approx(4 * one, rel=0.5)
    assert speeds[16, 1] == pytest.approx(8 * one, rel=0.5)
    assert speeds[16, 4] == pytest.approx(2 * one, rel=0.5)


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
def test_the_model_that_ships_is_measured(pixel_type: PixelType) -> None:
    recipe = Recipe(processes=Processes(batch=4))
    assert 1 < rate.windows_per_s(MODEL, recipe, scan_info(pixel_type=pixel_type)) < 1e6


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        rate.windows_per_s(tmp_path / "none.onnx", Recipe(), scan_info())
