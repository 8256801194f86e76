"""Classification's speed, measured with the model that ships."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.inference import rate
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

    def open_backend(name: str, _model: Path, *, threads: int, batch: int, **_: object) -> Steady:
        assert (name, threads, batch) == ("onnxruntime", recipe.processes.threads, 10)
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
    asked: list[dict[str, object]] = []

    class Asked(Exception):  # noqa: N818 - no error, but as far as it goes here
        pass

    def choose(*_: object, **given: object) -> Choice:
        asked.append(given)
        return Choice("onnxruntime", (), "asked for")

    def open_backend(*_: object, **given: object) -> Backend:
        asked.append(given)
        raise Asked

    monkeypatch.setattr(rate, "choose", choose)
    monkeypatch.setattr(rate, "open_backend", open_backend)
    scan = scan_info()
    height, width = scan.frame_shape
    recipe = Recipe(inspection=Inspection(context_px=128, stride=64, precision="half"))
    with pytest.raises(Asked):
        rate.windows_per_s(MODEL, recipe, scan)
    expected = {
        "frame_shape": (height + 256, width + 256),
        "context": 128,
        "stride": 64,
        "precision": "half",
    }
    assert [{name: given[name] for name in expected} for given in asked] == [expected, expected]


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
def test_the_model_that_ships_is_measured(pixel_type: PixelType) -> None:
    recipe = Recipe(processes=Processes(batch=4))
    assert 1 < rate.windows_per_s(MODEL, recipe, scan_info(pixel_type=pixel_type)) < 1e6


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such model"):
        rate.windows_per_s(tmp_path / "none.onnx", Recipe(), scan_info())
