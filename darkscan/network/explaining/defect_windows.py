"""From a defect of a map back to the windows of the scan that make it up."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import Defect, DefectMap
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

_MOST_SHARED = 0.5 + 1e-3  # half a window, and a margin for the stage's jitter


class WindowPlace(NamedTuple):
    """A window of a scan, and where it lies on the element."""

    source_index: int
    """The place of its frame in the scan's ``frames``."""
    frame: int
    """The frame's number."""
    y: int
    x: int
    centre_mm: tuple[float, float]
    """x and y on the element."""


def defect_windows(
    document: DefectMap, defect: Defect, scan: ScanInfo, frames: Sequence[FrameMeta]
) -> list[WindowPlace]:
    """Every window within the defect's contour, in scan order: the defect's own among them.

    A map keeps no window's score. The contour is the outline of the defect's windows, so
    each of them lies within it, to the cell that the contour is drawn in.
    """
    window, cell = document.recipe.window_px, document.coverage.cell_mm
    origins = window_origins(scan.frame_shape, window, document.recipe.stride_px)
    shrink = max(0.0, 1 - 2 * cell / (window * scan.pitch_um / 1000))
    corners = rectangle(0, 0, window, window)
    centre = np.array([window / 2, window / 2])
    probes = np.concatenate([centre[None], centre + shrink * (corners - centre)])
    wanted = set(defect.frames)
    places = []
    for index, meta in enumerate(frames):
        if meta.frame not in wanted or not meta.usable:
            continue
        points = scan.pixel_to_stage.place(origins[:, None, ::-1] + probes, meta.position_mm)
        for (y, x), of_window in zip(origins.tolist(), points, strict=True):
            if _within(of_window, defect):
                middle = (float(of_window[0, 0]), float(of_window[0, 1]))
                places.append(WindowPlace(index, meta.frame, y, x, middle))
    return places


def spread_out(
    places: Sequence[WindowPlace],
    scores: npt.NDArray[np.floating],
    count: int,
    *,
    side_mm: float,
) -> Iterable[int]:
    """The numbers of the strongest windows, at most ``count``, strongest first.

    A window that shares more than half of its area with a stronger one shows nothing
    new and is passed over; ``side_mm`` is a window's side on the element.
    """
    chosen: list[int] = []
    for number in np.argsort(-scores, kind="stable").tolist():
        if len(chosen) == count:
            break
        shared = [
            _shared(places[number].centre_mm, places[other].centre_mm, side_mm) for other in chosen
        ]
        if max(shared, default=0.0) <= _MOST_SHARED:
            chosen.append(number)
    return chosen


def _within(points: Float64Array, defect: Defect) -> bool:
    """Whether all points (K, 2) lie in the outer ring and in none of its holes."""
    outer, *holes = (np.array(ring, dtype=np.float32) for ring in defect.contour)
    return all(
        cv2.pointPolygonTest(outer, (x, y), measureDist=False) >= 0
        and not any(cv2.pointPolygonTest(hole, (x, y), measureDist=False) > 0 for hole in holes)
        for x, y in points.tolist()
    )


def _shared(one: tuple[float, float], other: tuple[float, float], side: float) -> float:
    """The share of a window's area that another one covers."""
    overlaps = [max(0.0, 1 - abs(a - b) / side) for a, b in zip(one, other, strict=True)]
    return overlaps[0] * overlaps[1]
