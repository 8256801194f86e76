"""Joins windows over the threshold to defects, across frame borders and overlaps.

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

from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.defect_map import Defect, Scratch
from darkscan.pipeline.core.frame_results import FrameResult, ModelInfo
from darkscan.pipeline.core.settings import updated
from darkscan.stages.merging._raster import (
    Footprint,
    Raster,
    Region,
    box_mm,
    connected_regions,
    rings,
    rounded,
    total_mm,
)
from darkscan.stages.merging._scratches import find_pieces, join

_SCORE_DECIMALS = 4
_EXTENT_DECIMALS = 3
_ANGLE_DECIMALS = 1


class Positive(NamedTuple):
    """A window of a defect."""

    frame: int
    score: float
    footprint: Footprint


def find_defects(
    raster: Raster,
    results: Sequence[FrameResult],
    model: ModelInfo,
    not_inspected: Mask,
) -> tuple[Defect, ...]:
    """The defects of all frames, from the top down, then from the left.

    Windows of the model's threshold or more, with those of its grow threshold that overlap
    one of them, are one defect where they overlap or touch, whichever frames they are of.
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
    pixel_mm = math.sqrt(raster.pixel_to_stage.pixel_area_mm2)
    pieces = find_pieces(raster, results, labels, pixel_mm)
    found = [
        _describe(
            region,
            raster,
            windows[region.label],
            join(pieces.get(region.label, []), pixel_mm),
            not_inspected,
        )
        for region in regions
    ]
    found.sort(key=lambda defect: (defect.box_mm[1], defect.box_mm[0], defect.contour))
    return tuple(
        updated(defect, id=f"D{number:04d}") for number, defect in enumerate(found, start=1)
    )


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


def _describe(
    region: Region,
    raster: Raster,
    windows: list[Positive],
    scratches: tuple[Scratch, ...],
    not_inspected: Mask,
) -> Defect:
    contour = rings(region, raster)
    extent, orientation = _turned_box(np.array(contour[0]))
    scores = _by_place(windows)
    return Defect(
        id="D0000",  # known once all are in order
        contour=contour,
        box_mm=box_mm(region, raster),
        extent_mm=extent,
        orientation_deg=orientation,
        centroid_mm=_centroid(region, raster),
        area_mm2=rounded([raster.area_mm2(region.mask, region.rows, region.columns)])[0],
        scratches=scratches,
        length_mm=total_mm(scratch.length_mm for scratch in scratches),
        score_max=round(max(scores), _SCORE_DECIMALS),
        score_mean=round(math.fsum(scores) / len(scores), _SCORE_DECIMALS),
        windows=len(scores),
        frames=tuple(sorted({window.frame for window in windows})),
        touches_region_border=_reaches_border(region, raster),
        touches_not_inspected=_touches(region, not_inspected),
        grade=None,
        grade_reason="uncalibrated",
    )


def _by_place(windows: list[Positive]) -> list[float]:
    """The best score of each place: frames that overlap show the same windows twice."""
    best: dict[tuple[int, int, int, int], float] = {}
    for window in windows:
        rows, columns = window.footprint.rows, window.footprint.columns
        place = (rows.start, rows.stop, columns.start, columns.stop)
        best[place] = max(window.score, best.get(place, 0.0))
    return list(best.values())


def _centroid(region: Region, raster: Raster) -> tuple[float, float]:
    """The centre of a region's area: x, y, mm."""
    widths = np.diff(raster.x_mm)[region.columns]
    heights = np.diff(raster.y_mm)[region.rows]
    across = (heights @ region.mask) * widths  # area of each column
    down = (region.mask @ widths) * heights  # area of each row
    x = across @ raster.x_middles[region.columns] / across.sum()
    y = down @ raster.y_middles[region.rows] / down.sum()
    x, y = rounded([float(x), float(y)])
    return x, y


def _turned_box(points: Float64Array) -> tuple[tuple[float, float], float]:
    """Long and short side (mm) of the smallest box around points (N, 2), and its angle (deg)."""
    # Single precision is all that OpenCV takes: start from a corner of their own.
    corners = cv2.boxPoints(cv2.minAreaRect((points - points.min(axis=0)).astype(np.float32)))
    sides = np.diff(corners[:3].astype(np.float64), axis=0)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    along = sides[int(lengths[1] > lengths[0])]
    angle = round(math.degrees(math.atan2(along[1], along[0])) % 180, _ANGLE_DECIMALS) % 180
    longer, shorter = sorted(lengths.tolist(), reverse=True)
    return (round(longer, _EXTENT_DECIMALS), round(shorter, _EXTENT_DECIMALS)), angle + 0.0


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
