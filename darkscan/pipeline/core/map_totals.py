"""The map in a few figures: counts and lengths by kind, and where scratches crowd."""

from collections.abc import Sequence

import cv2
import numpy as np

from darkscan.pipeline.core.defect_map import Area, Concentration, Defect, KindTotal, Totals
from darkscan.pipeline.core.frame_results import DEFECT_KINDS
from darkscan.pipeline.core.outlines import resampled, rounded, total_mm

_STEP_MM = 2.0
_SQUARE_STEPS = 5  # the square's side in steps: 10 mm
_FINE_MM = 0.05


def totals_of(
    defects: Sequence[Defect],
    areas: Sequence[Area],
    size_mm: tuple[float, float],
    not_listed: int,
) -> Totals:
    """The totals of an element's defects and areas; ``size_mm`` is its width and height."""
    return Totals(
        **{kind: _kind([d for d in defects if d.kind == kind]) for kind in DEFECT_KINDS},
        areas=len(areas),
        areas_mm2=total_mm(area.area_mm2 for area in areas),
        areas_without_defect=sum(not area.defects for area in areas),
        worst_concentration=_concentration(defects, size_mm),
        not_listed=not_listed,
    )


def _kind(defects: Sequence[Defect]) -> KindTotal:
    lengths = [defect.length_mm for defect in defects]
    return KindTotal(
        count=len(defects), length_mm=total_mm(lengths), longest_mm=max(lengths, default=0.0)
    )


def _concentration(defects: Sequence[Defect], size_mm: tuple[float, float]) -> Concentration | None:
    """The square with most length of scratches; the topmost, then leftmost of equal ones."""
    columns, rows = (max(1, int(np.ceil(side / _STEP_MM))) for side in size_mm)
    lengths = np.zeros((rows, columns))
    for defect in defects:
        if defect.kind != "scratch":
            continue
        along = resampled(np.array(defect.centreline), _FINE_MM)
        steps = np.hypot(*np.diff(along, axis=0).T)
        middles = ((along[1:] + along[:-1]) / 2 // _STEP_MM).astype(np.intp)
        x, y = middles.clip(0, (columns - 1, rows - 1)).T
        np.add.at(lengths, (y, x), steps)
    side = (min(_SQUARE_STEPS, columns), min(_SQUARE_STEPS, rows))
    sums = cv2.boxFilter(lengths, -1, side, normalize=False, anchor=(0, 0), borderType=0)
    sums = np.round(sums, 4)[: rows - side[1] + 1, : columns - side[0] + 1]
    row, column = (int(place) for place in np.unravel_index(int(sums.argmax()), sums.shape))
    if not sums[row, column] > 0:
        return None
    left, top = column * _STEP_MM, row * _STEP_MM
    width, height = (
        min(steps * _STEP_MM, whole - first)
        for steps, whole, first in zip(side, size_mm, (left, top), strict=True)
    )
    x, y, width, height = rounded([left, top, width, height])
    return Concentration(
        length_mm=rounded([float(sums[row, column])])[0], box_mm=(x, y, width, height)
    )
