"""A simulated camera before a canvas that the tests know, on axes that they move."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.drivers.rig import SIMULATED_PRODUCER, CameraSettings
from darkscan.simulation.rig._shared import SHARED_RIG, Look, SharedRig
from darkscan.simulation.rig.build import producer

ROWS, COLUMNS = 700, 400
AREA, LINES = (256, 320), 64
"""Shape of an area camera's frame; lines of a line camera's block."""

PIXEL_MM = 0.01
"""Of the canvas, and of the encoder: a count for each row."""

PATIENCE_S = 30.0


def canvas() -> npt.NDArray[np.uint16]:
    """Light in whole grey levels at 8 bit; no two rows or columns alike."""
    x, y = np.arange(COLUMNS), np.arange(ROWS)[:, None]
    levels = (x * 7 + y * 13 + x * y // 11) % 250
    return (levels * 256).astype(np.uint16)


def grey_levels(bit_depth: int = 8) -> npt.NDArray[np.int64]:
    """What a camera of that depth makes of the canvas."""
    return canvas().astype(np.int64) // 256 << (bit_depth - 8)


@dataclass
class Bench:
    """The camera's surroundings."""

    shared: SharedRig
    settings: CameraSettings

    def stand_at(self, column: int, row: int) -> None:
        """The axes rest with pixel (0, 0) on that pixel of the canvas."""
        self.shared.move(time.time_ns(), self._place(column, row))

    def trigger_at(self, column: int, row: int) -> int:
        """The compare output fires there; its time, ns."""
        now = time.time_ns()
        self.shared.trigger(now, self._place(column, row))
        return now

    def sweep(self, start_row: float, end_row: float, *, seconds: float = 0.1) -> None:
        """The axes are told to have moved along the rows, evenly, until now."""
        now = time.time_ns()
        for share in np.linspace(0, 1, 41):
            y_mm = (start_row + share * (end_row - start_row)) * PIXEL_MM
            self.shared.move(now + int((share - 1) * seconds * 1e9), (0.0, y_mm, 0.0))

    @staticmethod
    def _place(column: int, row: int) -> tuple[float, float, float]:
        return (column * PIXEL_MM, row * PIXEL_MM, 0.0)


@contextmanager
def bench(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: Literal["area", "line"],
    **changes: object,
) -> Iterator[Bench]:
    """A shared rig that cameras opened inside of the ``with`` see, and settings for one."""
    height, width = AREA if kind == "area" else (LINES, AREA[1])
    scale = 1 / PIXEL_MM
    look = Look(
        kind=kind,
        sensor_shape=(height if kind == "area" else 1, width),
        to_canvas=np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]]),
        encoder_axis=1,
        encoder_step_mm=PIXEL_MM,
    )
    path = folder / "shared-rig"
    shared = SharedRig.create(path, look, canvas())
    monkeypatch.setenv(SHARED_RIG, str(path))
    monkeypatch.setenv(SIMULATED_PRODUCER, str(producer()))
    defaults = {
        "producer": "simulated",
        "kind": kind,
        "width": width,
        "height": height,
        "exposure_us": 10.0,
        "rate_hz": 100.0,
    }
    try:
        yield Bench(shared, CameraSettings.model_validate(defaults | changes))
    finally:
        shared.close()
        path.unlink()


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for what the camera's own thread does."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)
