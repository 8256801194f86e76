"""Classification's speed, measured with the model that ships."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.inference import FrameFormat, ModelJob, Placement, rate
from darkscan.inference.backend import Backend, FrameWindows, Pending, Seen
from darkscan.inference.selection import Choice
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.recipe import Inspection, Processes, Recipe
from darkscan.pipeline.core.scan import PixelType
from tests.builders import scan_info
from tests.conftest import REPOSITORY

MODEL = REPOSITORY / "models" / "default.onnx"


class Clock:
    """Stands still unless somebody works."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        return self.now_s


def test_workers_on_cores_of_their_own_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    class Steady:
        """Takes a millisecond a window, and half a second to warm up."""

        ahead = 1

        def __init__(self) -> None:
            self.cold = True

        def start(self, windows: FrameWindows, *_: object) -> Pending:
            count = len(windows.origins)
            clock.now_s += count / 1000 + 0.5 * self.cold
            self.cold = False
            return lambda: Seen(np.zeros(count, np.float32), None)

        def close(self) -> None:
            pass

    def open_backend(_job: ModelJob, placement: Placement) -> Steady:
        assert placement == Placement("onnxruntime", None, recipe.processes.threads, 10)
        return Steady()

    monkeypatch.setattr(rate, "open_backend", open_backend)
    monkeypatch.setattr(rate, "time", clock)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    for workers, threads, expected in ((1, 1, 1000), (4, 1, 4000), (16, 1, 8000), (16, 4, 2000)):
        processes = Processes(workers=workers, threads=threads, batch=10, backend="onnxruntime")
        recipe = Recipe(processes=processes)
        measured = rate.windows_per_s(MODEL, recipe, scan_info())
        assert measured == pytest.approx(expected)


def test_the_backend_is_asked_for_the_frames_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[ModelJob] = []

    class Asked(Exception):  # noqa: N818 - no error, but as far as it goes here
        pass

    def choose(_wanted: str, job: ModelJob, _devices: tuple[int, ...]) -> Choice:
        asked.append(job)
        return Choice("onnxruntime", (), "asked for")

    def open_backend(job: ModelJob, _placement: Placement) -> Backend:
        asked.append(job)
        raise Asked

    monkeypatch.setattr(rate, "choose", choose)
    monkeypatch.setattr(rate, "open_backend", open_backend)
    scan = scan_info()
    recipe = Recipe(inspection=Inspection(context_px=128, stride=64, precision="half"))
    with pytest.raises(Asked):
        rate.windows_per_s(MODEL, recipe, scan)
    frames = FrameFormat(scan.frame_shape, scan.pixel_type, scan.full_scale, margin_px=128)
    expected = ModelJob.read(MODEL, frames, stride=64, precision="half")
    assert asked == [expected, expected]


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
def test_the_model_that_ships_is_measured(pixel_type: PixelType) -> None:
    recipe = Recipe(processes=Processes(batch=4))
    assert 1 < rate.windows_per_s(MODEL, recipe, scan_info(pixel_type=pixel_type)) < 1e6


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        rate.windows_per_s(tmp_path / "none.onnx", Recipe(), scan_info())
