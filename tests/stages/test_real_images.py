"""Real images, which nobody here made and no network was trained on, end to end.

They are a telescope's: what they show beside the streak, cosmic rays, are lines as scratches
are, so that only finding the streak counts.
"""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.datasets.rule import RIM_PX, VISIBLE_PX
from darkscan.pipeline.core.defect_map import Area
from darkscan.pipeline.core.grid import axis_starts, tile_starts
from darkscan.pipeline.core.map_reading import read_map
from tests.stages.running import darkscan

pytestmark = pytest.mark.slow

PITCH_UM = 10.0
WINDOW, STRIDE, FRAME = 256, 128, 2048

BoolArray = npt.NDArray[np.bool_]


@pytest.mark.parametrize("name", ["ib1f31e9q_flc.fits", "id8m11g4q_flc.fits"])
def test_a_streak_comes_out_as_one_area(real_images: Path, tmp_path: Path, name: str) -> None:
    recording, out = tmp_path / "scan.h5", tmp_path / "out"
    darkscan("import", real_images / f"{name}.jpg", "--pitch-um", PITCH_UM, "--out", recording)
    darkscan("replay", recording, "--out", out)
    defect_map = read_map(out)
    assert defect_map.coverage.complete

    mask = cv2.imread(str(real_images / f"{name}_all_objects.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    streak = mask > 0
    areas = [filled(area, streak.shape) for area in defect_map.areas]
    main = max(areas, key=lambda area: int((area & streak).sum()))
    assert (main & streak).sum() > 0.98 * streak.sum()
    # Outlines are right to half a cell, 8 of 256 pixels, where frames are off the grid.
    covered = [main[window].mean() > 0.96 for window in windows_of(streak)]
    assert np.mean(covered) >= 0.9


def filled(area: Area, shape: tuple[int, ...]) -> BoolArray:
    """The pixels within an area's contour, even-odd as its documentation says."""
    pixels = np.zeros(shape, np.uint8)
    # Lattice points lie on pixel corners; fillPoly paints the pixels that its points name.
    scale = 1000 / PITCH_UM
    inner = [np.round(np.array(ring) * scale).astype(np.int32) for ring in area.contour]
    cv2.fillPoly(pixels, inner, 1)
    return pixels > 0


def windows_of(streak: BoolArray) -> list[tuple[slice, slice]]:
    """The windows of the scan's grid in which the streak is long enough to count."""
    rows, columns = (
        sorted({t + s for t in tile_starts(side, FRAME, WINDOW, STRIDE) for s in starts})
        for side, starts in ((side, axis_starts(FRAME, WINDOW, STRIDE)) for side in streak.shape)
    )
    found = []
    for y in rows:
        for x in columns:
            window = (slice(y, y + WINDOW), slice(x, x + WINDOW))
            rim = round(RIM_PX)
            ys, xs = np.nonzero(streak[window][rim:-rim, rim:-rim])
            if len(ys) and np.hypot(np.ptp(ys), np.ptp(xs)) >= VISIBLE_PX:
                found.append(window)
    return found
