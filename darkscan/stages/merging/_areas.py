"""Joins windows over the threshold to areas, across frame borders and overlaps.

Two thresholds, as in Canny's hysteresis (IEEE PAMI 8(6), 1986): windows over the first
are scratches; windows over the lower second one only continue a scratch they overlap. A
window that a scratch merely grazes scores low, and a lone low score is nothing.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Mask
from darkscan.pipeline.core.defect_map import Area, Defect
from darkscan.pipeline.core.frame_results import FrameResult, ModelInfo
from darkscan.pipeline.core.outlines import rounded
from darkscan.pipeline.core.settings import updated
from darkscan.stages.merging._raster import (
    Footprint,
    Labels,
    Raster,
    Region,
    box_mm,
    connected_regions,
    rings,
)

_SCORE_DECIMALS = 4


class Positive(NamedTuple):
    """A window of an area."""

    frame: int
    score: float
    footprint: Footprint


class Areas(NamedTuple):
    """The areas of a map, and where they lie."""

    areas: tuple[Area, ...]
    """From the top down, then from the left; their defects are not known yet."""
    labels: Labels
    """(rows, columns) the place in ``areas`` of each cell's, plus 1; 0: none."""

    def with_defects(self, defects: Sequence[Defect]) -> tuple[Area, ...]:
        """The areas with the ids of the defects that say they lie in them."""
        of_area = defaultdict(list)
        for defect in defects:
            if defect.area is not None:
                of_area[defect.area].append(defect.id)
        return tuple(updated(area, defects=tuple(of_area[area.id])) for area in self.areas)


def find_areas(
    raster: Raster,
    results: Sequence[FrameResult],
    model: ModelInfo,
    not_inspected: Mask,
) -> Areas:
    """The areas of all frames.

    Windows of the model's threshold or more, with those of its grow threshold that overlap
    one of them, are one area where they overlap or touch, whichever frames they are of.
    ``not_inspected`` (rows, columns) marks the region's blind cells.
    """
    candidates = _candidates(raster, results, model.window, model.grow_threshold)
    certain = [window for window in candidates if window.score >= model.threshold]
    core = raster.empty(np.bool_)
    for window in certain:
        window.footprint.fill(core, 1)
    # One step only: windows that continue each other without end would join noise.
    positives = certain + [
        window
        for window in candidates
        if window.score < model.threshold and window.footprint.of(core).any()
    ]
    layer = raster.empty(np.bool_)
    for positive in positives:
        positive.footprint.fill(layer, 1)
    labels, regions = connected_regions(layer, connectivity=8)
    windows = defaultdict(list)
    for positive in positives:
        windows[int(positive.footprint.of(labels)[0])].append(positive)
    found = [
        (_describe(region, raster, windows[region.label], not_inspected), region.label)
        for region in regions
    ]
    found.sort(key=lambda each: (each[0].box_mm[1], each[0].box_mm[0], each[0].contour))
    place = np.zeros(len(found) + 1, np.int32)
    for number, (_, label) in enumerate(found, start=1):
        place[label] = number
    areas = tuple(
        updated(area, id=f"A{number:04d}") for number, (area, _) in enumerate(found, start=1)
    )
    return Areas(areas, place[labels])


def _candidates(
    raster: Raster, results: Sequence[FrameResult], window: int, threshold: float
) -> list[Positive]:
    """Every window of the threshold's score or more that lies on the element."""
    candidates = []
    for result in results:
        over = np.flatnonzero((result.scores >= threshold) & np.isfinite(result.scores))
        footprints = raster.footprints(result.meta, result.origins[over], (window, window))
        for score, footprint in zip(result.scores[over].tolist(), footprints, strict=True):
            if footprint is not None:
                candidates.append(Positive(result.meta.frame, score, footprint))
    return candidates


def _describe(region: Region, raster: Raster, windows: list[Positive], not_inspected: Mask) -> Area:
    scores = _by_place(windows)
    return Area(
        id="A0000",  # known once all are in order
        contour=rings(region, raster),
        box_mm=box_mm(region, raster),
        area_mm2=rounded([raster.area_mm2(region.mask, region.rows, region.columns)])[0],
        score_max=round(max(scores), _SCORE_DECIMALS),
        score_mean=round(math.fsum(scores) / len(scores), _SCORE_DECIMALS),
        windows=len(scores),
        frames=tuple(sorted({window.frame for window in windows})),
        defects=(),
        touches_region_border=_reaches_border(region, raster),
        touches_not_inspected=_touches(region, not_inspected),
    )


def _by_place(windows: list[Positive]) -> list[float]:
    """The best score of each place: frames that overlap show the same windows twice."""
    best: dict[tuple[int, int, int, int], float] = {}
    for window in windows:
        rows, columns = window.footprint.rows, window.footprint.columns
        place = (rows.start, rows.stop, columns.start, columns.stop)
        best[place] = max(window.score, best.get(place, 0.0))
    return list(best.values())


def _reaches_border(region: Region, raster: Raster) -> bool:
    rows, columns = raster.region_rows, raster.region_columns
    return bool(
        region.rows.start <= rows.start
        or region.rows.stop >= rows.stop
        or region.columns.start <= columns.start
        or region.columns.stop >= columns.stop
    )


def _touches(region: Region, layer: Mask) -> bool:
    """Whether a region's cells, or those around them, are set in a (rows, columns) layer."""
    row, column = region.rows.start, region.columns.start
    top, left = max(row - 1, 0), max(column - 1, 0)
    around = layer[top : region.rows.stop + 1, left : region.columns.stop + 1]
    own = np.zeros(around.shape, np.uint8)
    height, width = region.mask.shape
    own[row - top : row - top + height, column - left : column - left + width] = region.mask
    grown = cv2.dilate(own, np.ones((3, 3), np.uint8))
    return bool((grown.astype(np.bool_) & around).any())
