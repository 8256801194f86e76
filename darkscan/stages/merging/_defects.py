"""Describes lines and spots as the map lists them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.defect_map import Defect
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind, FrameResult
from darkscan.pipeline.core.outlines import (
    Ring,
    length,
    outer_ring,
    resampled,
    rounded,
    turned_box,
    upright_box,
    widened,
)
from darkscan.pipeline.core.settings import updated
from darkscan.stages.merging._areas import Areas
from darkscan.stages.merging._lines import Piece, find_lines, simplified
from darkscan.stages.merging._raster import Raster
from darkscan.stages.merging._spots import PlacedSpot, find_spots

_WIDTH_DECIMALS, _CONTRAST_DECIMALS, _PROBABILITY_DECIMALS = 1, 2, 3
_BRIGHTNESS_DECIMALS = 3
_BORDER_PX = 4.0  # a line is not traced nearer to a border
_MM_PER_UM = 1e-3
_LINE_KINDS, _SPOT_KINDS = slice(0, 2), slice(2, 4)


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What defects are held against: areas, frames, borders."""

    raster: Raster
    areas: Areas
    not_inspected: Mask
    """(rows, columns) the region's blind cells."""

    corners_mm: Float64Array
    """(F, 2) places of the frames' first pixels."""

    frame_px: tuple[int, int]
    """Height and width of the frames."""

    pixel_mm: float


def find_defects(surroundings: Surroundings, results: Sequence[FrameResult]) -> tuple[Defect, ...]:
    """The lines and spots of all frames, from the top down, then from the left."""
    raster, pixel_mm = surroundings.raster, surroundings.pixel_mm
    found = [_of_line(line, surroundings) for line in find_lines(raster, results, pixel_mm)]
    found += [_of_spot(spot, surroundings) for spot in find_spots(raster, results, pixel_mm)]
    defects = [defect for defect in found if defect is not None]
    defects.sort(key=lambda defect: (defect.box_mm[1], defect.box_mm[0], defect.outline))
    return tuple(
        updated(defect, id=f"D{number:04d}") for number, defect in enumerate(defects, start=1)
    )


def _of_line(line: Piece, around: Surroundings) -> Defect | None:
    """A line as the map lists it; None if nothing of it is left at the map's precision."""
    centreline = simplified(line.points, around.pixel_mm)
    if len(centreline) < 2:  # noqa: PLR2004 - a line's ends
        return None
    um = around.pixel_mm / _MM_PER_UM
    measures = line.measures
    told = not np.isnan(line.kinds).any()
    probabilities = line.kinds[_LINE_KINDS]
    kind: DefectKind = "fibre" if measures.bent > 0.5 else "scratch"  # noqa: PLR2004 - mostly
    if told and probabilities.any():
        kind = DEFECT_KINDS[int(probabilities.argmax())]
    along = resampled(np.array(centreline), around.pixel_mm)
    return _described(
        widened(centreline, max(measures.width, 1.0) * around.pixel_mm),
        around,
        along,
        kind=kind,
        probability=_probability(line.kinds, kind),
        centreline=centreline,
        length_mm=rounded([length(np.array(centreline))])[0],
        width_um=round(um * measures.width, _WIDTH_DECIMALS),
        width_max_um=round(um * measures.widest, _WIDTH_DECIMALS),
        width_uncertainty_um=round(um * measures.width_error, _WIDTH_DECIMALS + 1),
        brightness_um=round(um * measures.brightness, _BRIGHTNESS_DECIMALS),
        brightness_um2=None,
        contrast=round(measures.contrast, _CONTRAST_DECIMALS),
        saturated=round(measures.saturated, _PROBABILITY_DECIMALS),
        centroid_mm=_point(along.mean(axis=0)),
        frames=tuple(sorted(line.frames)),
    )


def _of_spot(spot: PlacedSpot, around: Surroundings) -> Defect:
    """A spot as the map lists it."""
    um = around.pixel_mm / _MM_PER_UM
    ring = outer_ring(spot.contour)
    sides, _ = turned_box(np.array(ring))
    kind = DEFECT_KINDS[_SPOT_KINDS][int(spot.kinds[_SPOT_KINDS].argmax())]
    return _described(
        ring,
        around,
        np.array(ring),
        kind=kind,
        probability=_probability(spot.kinds, kind),
        centreline=(),
        length_mm=sides[0],
        width_um=round(sides[1] / _MM_PER_UM, _WIDTH_DECIMALS),
        width_max_um=None,
        width_uncertainty_um=None,
        brightness_um=None,
        brightness_um2=round(um**2 * spot.measures.brightness, _BRIGHTNESS_DECIMALS),
        contrast=round(spot.measures.contrast, _CONTRAST_DECIMALS),
        saturated=round(spot.measures.saturated, _PROBABILITY_DECIMALS),
        centroid_mm=_point(np.array(spot.contour.centroid.coords[0])),
        frames=tuple(sorted(spot.frames)),
    )


def _described(ring: Ring, around: Surroundings, places: Float64Array, **own: object) -> Defect:
    """A defect with what its outline and its places (K, 2), mm, say beside its own fields."""
    corners = np.array(ring)
    extent, orientation = turned_box(corners)
    middle = places[len(places) // 2]
    return Defect.model_validate(
        {
            "id": "D0000",  # known once all are in order
            "outline": ring,
            "box_mm": upright_box(corners),
            "extent_mm": extent,
            "orientation_deg": orientation,
            "views": _views(middle, around),
            "area": _area(places, around),
            "touches_region_border": _reaches_border(corners, around),
            "touches_not_inspected": _touches_blind(places, around),
            "grade": None,
            "grade_reason": "uncalibrated",
            **own,
        }
    )


def _probability(kinds: Float64Array, kind: DefectKind) -> float | None:
    value = float(kinds[DEFECT_KINDS.index(kind)])
    return None if math.isnan(value) else round(value, _PROBABILITY_DECIMALS)


def _point(place: Float64Array) -> tuple[float, float]:
    x, y = rounded(place)
    return x, y


def _views(place: Float64Array, around: Surroundings) -> int:
    """How many frames show a place (x, y), mm."""
    height, width = around.frame_px
    to_px = np.linalg.inv(around.raster.pixel_to_stage.matrix)
    x, y = to_px @ (place - around.corners_mm).T
    return max(1, int(((x >= 0) & (x <= width) & (y >= 0) & (y <= height)).sum()))


def _cells(places: Float64Array, raster: Raster) -> tuple[npt.NDArray[np.intp], ...]:
    """Rows and columns of the cells under places (K, 2) on the element, mm."""
    columns = np.searchsorted(raster.x_mm, places[:, 0], "right") - 1
    rows = np.searchsorted(raster.y_mm, places[:, 1], "right") - 1
    height, width = raster.shape
    return rows.clip(0, height - 1), columns.clip(0, width - 1)


def _area(places: Float64Array, around: Surroundings) -> str | None:
    """The id of the area that most of the places lie in."""
    counts = np.bincount(around.areas.labels[_cells(places, around.raster)])
    if len(counts) < 2 or not counts[1:].any():  # noqa: PLR2004 - 0 is no area
        return None
    return around.areas.areas[int(counts[1:].argmax())].id


def _reaches_border(corners: Float64Array, around: Surroundings) -> bool:
    raster, slack = around.raster, _BORDER_PX * around.pixel_mm
    columns, rows = raster.region_columns, raster.region_rows
    low = np.array([raster.x_mm[columns.start], raster.y_mm[rows.start]])
    high = np.array([raster.x_mm[columns.stop], raster.y_mm[rows.stop]])
    return bool((corners <= low + slack).any() or (corners >= high - slack).any())


def _touches_blind(places: Float64Array, around: Surroundings) -> bool:
    """Whether a place lies in a cell that was not inspected, or beside one."""
    rows, columns = _cells(places, around.raster)
    height, width = around.raster.shape
    return any(
        bool(
            around.not_inspected[
                (rows + down).clip(0, height - 1), (columns + right).clip(0, width - 1)
            ].any()
        )
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    )
