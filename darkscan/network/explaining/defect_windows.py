"""From a defect or an area of a map back to the windows of the scan that show it."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from shapely import Polygon, intersects, polygons, prepare

from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.defect_map import Area, Defect, DefectMap
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
    """Every window that a defect's outline reaches into, of the frames that show it.

    In scan order. The outline is as thin as the defect: a window on which it lies whole, and
    one that it grazes, are both among them.
    """
    outline = Polygon(defect.outline)
    prepare(outline)

    def reached(corners: Float64Array) -> Mask:
        return np.asarray(intersects(outline, polygons(corners)), np.bool_)

    return _windows(document, defect.frames, scan, frames, reached)


def area_windows(
    document: DefectMap, area: Area, scan: ScanInfo, frames: Sequence[FrameMeta]
) -> list[WindowPlace]:
    """Every window within an area's contour, in scan order: the area's own among them.

    A map keeps no window's score. The contour is the outline of the area's windows, so
    each of them lies within it, to the cell that the contour is drawn in.
    """
    side_mm = document.recipe.window_px * scan.pitch_um / 1000
    shrink = max(0.0, 1 - 2 * document.coverage.cell_mm / side_mm)

    def within(corners: Float64Array) -> Mask:
        centres = corners.mean(axis=1, keepdims=True)
        probes = np.concatenate([centres, centres + shrink * (corners - centres)], axis=1)
        return np.array([_within(points, area) for points in probes], np.bool_)

    return _windows(document, area.frames, scan, frames, within)


def _windows(
    document: DefectMap,
    wanted: Collection[int],
    scan: ScanInfo,
    frames: Sequence[FrameMeta],
    chosen: Callable[[Float64Array], Mask],
) -> list[WindowPlace]:
    """The windows of the wanted frames that ``chosen`` picks by their corners (N, 4, 2), mm."""
    window = document.recipe.window_px
    origins = window_origins(scan.frame_shape, window, document.recipe.stride_px)
    corners_px = origins[:, None, ::-1] + rectangle(0, 0, window, window)
    places = []
    for index, meta in enumerate(frames):
        if meta.frame not in wanted or not meta.usable:
            continue
        corners = scan.pixel_to_stage.place(corners_px, meta.position_mm)
        for number in np.flatnonzero(chosen(corners)).tolist():
            y, x = origins[number].tolist()
            middle_x, middle_y = corners[number].mean(axis=0).tolist()
            places.append(WindowPlace(index, meta.frame, y, x, (middle_x, middle_y)))
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


def _within(points: Float64Array, area: Area) -> bool:
    """Whether all points (K, 2) lie in the outer ring and in none of its holes."""
    outer, *holes = (np.array(ring, dtype=np.float32) for ring in area.contour)
    return all(
        cv2.pointPolygonTest(outer, (x, y), measureDist=False) >= 0
        and not any(cv2.pointPolygonTest(hole, (x, y), measureDist=False) > 0 for hole in holes)
        for x, y in points.tolist()
    )


def _shared(one: tuple[float, float], other: tuple[float, float], side: float) -> float:
    """The share of a window's area that another one covers."""
    overlaps = [max(0.0, 1 - abs(a - b) / side) for a, b in zip(one, other, strict=True)]
    return overlaps[0] * overlaps[1]
