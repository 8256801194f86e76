"""The element's glow and the camera's vignetting come apart where frames overlap."""

from collections.abc import Callable

import numpy as np
import pytest

from darkscan.drivers.calibration._glow import CELLS, mean_glow
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta
from tests.calibration.scenes import vignetting

FRAME_PX = 512
PITCH = PixelToStage.from_pitch(10.0)
FRAME_MM = FRAME_PX * PITCH.xx


def glow_at(places_mm: Float64Array) -> Float64Array:
    """An element's own light at places (..., 2): it varies by 20 %."""
    x, y = np.moveaxis(places_mm, -1, 0)
    return np.asarray(20 + 2 * np.sin(x / 3.1 + 1) + 2 * np.cos(y / 4.3 + x / 9))


def look(camera: Float64Array, overlap: float) -> tuple[Float64Array, list[FrameMeta]]:
    """Cells of five by four frames, and where these lie."""
    step = FRAME_MM * (1 - overlap)
    frames = [
        FrameMeta(
            frame=5 * row + column,
            strip=row,
            position_mm=(column * step, row * step, 0.0),
            exposure_ns=0,
        )
        for row in range(4)
        for column in range(5)
    ]
    y, x = (np.mgrid[:CELLS, :CELLS] + 0.5) * FRAME_MM / CELLS
    places = np.stack([x, y], axis=-1)
    cells = [glow_at(places + meta.position_mm[:2]) * camera for meta in frames]
    return np.array(cells), frames


def left_of(
    camera: Float64Array, glow: Float64Array, cells: Float64Array, *, line: bool
) -> Float64Array:
    """What is wrong with the camera's pattern after the glow is taken out of the mean frame."""
    levelled = cells / cells.mean(axis=(1, 2), keepdims=True)
    mean = levelled.mean(axis=(0, 1) if line else 0, keepdims=True)[0] / glow
    off = mean / mean.mean() / (camera / camera.mean())
    return np.asarray(off - 1)


CAMERAS: dict[str, Callable[[], Float64Array]] = {
    "area": lambda: vignetting((CELLS, CELLS)).astype(float),
    "line": lambda: vignetting((1, CELLS)).astype(float),
}


@pytest.mark.parametrize("kind", CAMERAS)
def test_overlapping_frames_tell_camera_and_element_apart(kind: str) -> None:
    camera, line = CAMERAS[kind](), kind == "line"
    cells, frames = look(camera, overlap=0.6)
    glow = mean_glow(cells, frames, (FRAME_PX, FRAME_PX), PITCH, line=line)
    assert glow.shape == camera.shape
    off = np.abs(left_of(camera, glow, cells, line=line)).max()
    plain = np.abs(left_of(camera, np.ones_like(glow), cells, line=line)).max()
    assert off < 0.01
    assert off < plain / 2


def test_frames_that_hardly_overlap_give_the_plain_mean() -> None:
    cells, frames = look(CAMERAS["area"](), overlap=0.1)
    glow = mean_glow(cells, frames, (FRAME_PX, FRAME_PX), PITCH, line=False)
    assert (glow == 1).all()


def test_a_part_of_the_sensor_that_never_sees_well_is_left_alone() -> None:
    camera = CAMERAS["area"]()
    camera[20:22, 30:32] = 0.01
    cells, frames = look(camera, overlap=0.6)
    glow = mean_glow(cells, frames, (FRAME_PX, FRAME_PX), PITCH, line=False)
    assert (glow[20:22, 30:32] == 1).all()
    assert np.isfinite(glow).all()
    assert glow.min() > 0.8
