"""Accounts for every part of the element: inspected, or not inspected and why."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Mask
from darkscan.pipeline.core.defect_map import (
    Coverage,
    NotInspectedArea,
    NotInspectedFrame,
    NotInspectedKind,
)
from darkscan.pipeline.core.frame_results import FrameResult, ModelInfo, NotInspected
from darkscan.pipeline.core.outlines import rounded
from darkscan.pipeline.core.scan import FrameFlag, ScanInfo
from darkscan.stages.merging._raster import (
    Footprint,
    Raster,
    box_mm,
    connected_regions,
    rings,
)

_FRACTION_DECIMALS = 9


class Cause(NamedTuple):
    """Why a place was not inspected."""

    kind: NotInspectedKind
    reason: str


NEVER_SCANNED = Cause("never_scanned", "never scanned")
OUTSIDE_REGION = Cause("outside_region", "outside the scan's region")
NO_SCORE = Cause("no_score", "the model gave no valid score")


@dataclass(frozen=True)
class Gap:
    """A frame that would have shown a place, had it been inspected."""

    frame: int
    cause: Cause
    footprint: Footprint


def inspected_cells(
    raster: Raster, results: Sequence[FrameResult], scan: ScanInfo, model: ModelInfo
) -> Mask:
    """The cells (rows, columns) that some frame's windows cover with a valid score."""
    layer = raster.empty(np.bool_)
    whole = model.origins(scan.frame_shape)
    for result in results:
        if _has_all_windows(result, whole):
            origins, size = np.zeros((1, 2), np.int32), scan.frame_shape
        else:
            origins = result.origins[np.isfinite(result.scores)]
            size = (model.window, model.window)
        for footprint in raster.footprints(result.meta, origins, size):
            if footprint is not None:
                footprint.fill(layer, 1)
    return layer


def blind_cells(raster: Raster, inspected: Mask) -> Mask:
    """The cells (rows, columns) within the scan's region that were not inspected."""
    blind: Mask = raster.empty(np.bool_)
    region = (raster.region_rows, raster.region_columns)
    blind[region] = ~inspected[region]
    return blind


def coverage_of(
    raster: Raster,
    inspected: Mask,
    results: Sequence[FrameResult],
    not_inspected: Sequence[NotInspected],
    scan: ScanInfo,
    model: ModelInfo,
) -> Coverage:
    """The coverage of an element; frames come in the order of their numbers.

    A place that a lost frame and an inspected one both cover is inspected.
    """
    rows, columns = raster.region_rows, raster.region_columns
    everywhere = slice(None)
    width, height = scan.element_size_mm
    region_mm2 = float(np.ptp(raster.x_mm[[columns.start, columns.stop]])) * float(
        np.ptp(raster.y_mm[[rows.start, rows.stop]])
    )
    blind = ~inspected
    blind_region_mm2 = raster.area_mm2(blind[rows, columns], rows, columns)
    blind_element_mm2 = raster.area_mm2(blind, everywhere, everywhere)
    gaps = list(_gaps(raster, results, not_inspected, scan, model))
    areas = rounded([width * height, region_mm2, region_mm2 - blind_region_mm2])
    return Coverage(
        complete=not blind[rows, columns].any(),
        element_area_mm2=areas[0],
        region_area_mm2=areas[1],
        inspected_area_mm2=areas[2],
        inspected_fraction=_fraction(blind_region_mm2, region_mm2),
        inspected_element_fraction=_fraction(blind_element_mm2, width * height),
        cell_mm=rounded([raster.cell_mm])[0],
        not_inspected=_areas(raster, blind, gaps),
        frames_not_inspected=tuple(
            NotInspectedFrame(
                frame=item.meta.frame,
                kind=_kind(item),
                reason=item.reason,
                placed=_is_placed(item),
            )
            for item in not_inspected
        ),
    )


def _gaps(
    raster: Raster,
    results: Sequence[FrameResult],
    not_inspected: Sequence[NotInspected],
    scan: ScanInfo,
    model: ModelInfo,
) -> Iterator[Gap]:
    """Where frames were that are not in the map, or not all of them."""
    whole = model.origins(scan.frame_shape)
    partial = [result.meta for result in results if not _has_all_windows(result, whole)]
    missing = [(meta, NO_SCORE) for meta in partial]
    missing += [
        (item.meta, Cause(_kind(item), item.reason)) for item in not_inspected if _is_placed(item)
    ]
    corner = np.zeros((1, 2), np.int32)
    for meta, cause in sorted(missing, key=lambda pair: pair[0].frame):
        for footprint in raster.footprints(meta, corner, scan.frame_shape):
            if footprint is not None:
                yield Gap(meta.frame, cause, footprint)


def _areas(raster: Raster, blind: Mask, gaps: list[Gap]) -> tuple[NotInspectedArea, ...]:
    """The blind cells as connected areas, each of one cause, from the top down."""
    if not blind.any():
        return ()
    causes = [
        NEVER_SCANNED,
        OUTSIDE_REGION,
        *sorted({gap.cause for gap in gaps} - {NEVER_SCANNED, OUTSIDE_REGION}),
    ]
    number = {cause: index for index, cause in enumerate(causes)}
    # Which cause each cell has, of 0, 1...: first all never scanned, then all that frames claim.
    layer = raster.empty(np.min_scalar_type(len(causes)))
    for gap in reversed(gaps):  # where two frames are missing, the earlier one is named
        gap.footprint.fill(layer, number[gap.cause])
    outside = np.ones(raster.shape, np.bool_)
    outside[raster.region_rows, raster.region_columns] = False
    layer[outside] = number[OUTSIDE_REGION]
    areas: list[NotInspectedArea] = []
    for cause in causes:
        own = [gap for gap in gaps if gap.cause == cause]
        rows, columns = _block(raster, own)
        mask = blind[rows, columns] & (layer[rows, columns] == number[cause])
        areas.extend(_connected_areas(raster, mask, cause, own, rows.start, columns.start))
    return tuple(sorted(areas, key=lambda area: (area.box_mm[1], area.box_mm[0], area.contour)))


def _connected_areas(
    raster: Raster, mask: Mask, cause: Cause, gaps: Iterable[Gap], row: int, column: int
) -> Iterator[NotInspectedArea]:
    """The connected areas of a mask whose first cell is at (row, column) of the raster."""
    labels, regions = connected_regions(mask, connectivity=4, row=row, column=column)
    frames: dict[int, list[int]] = {region.label: [] for region in regions}
    for gap in gaps:
        footprint = gap.footprint.shifted(-row, -column)
        for label in np.unique(footprint.of(labels)).tolist():
            if label:
                frames[label].append(gap.frame)
    for region in regions:
        yield NotInspectedArea(
            kind=cause.kind,
            reason=cause.reason,
            contour=rings(region, raster),
            box_mm=box_mm(region, raster),
            area_mm2=rounded([raster.area_mm2(region.mask, region.rows, region.columns)])[0],
            frames=tuple(frames[region.label]),
        )


def _block(raster: Raster, gaps: Sequence[Gap]) -> tuple[slice, slice]:
    """The smallest block with all that frames would have shown; without frames, all cells."""
    if not gaps:
        rows, columns = raster.shape
        return slice(0, rows), slice(0, columns)
    prints = [gap.footprint for gap in gaps]
    return (
        slice(min(p.rows.start for p in prints), max(p.rows.stop for p in prints)),
        slice(min(p.columns.start for p in prints), max(p.columns.stop for p in prints)),
    )


def _has_all_windows(result: FrameResult, whole: npt.NDArray[np.int32]) -> bool:
    return np.array_equal(result.origins, whole) and bool(np.isfinite(result.scores).all())


def _is_placed(item: NotInspected) -> bool:
    return not item.meta.flags & FrameFlag.UNPLACED


def _kind(item: NotInspected) -> NotInspectedKind:
    return "lost" if item.kind == "lost" else "quarantined"


def _fraction(missing: float, whole: float) -> float:
    """The share that is not missing, rounded down so that only a whole gives 1."""
    scale = 10**_FRACTION_DECIMALS
    # Summed areas of cells may exceed the whole by a rounding error.
    return 1.0 if not missing else max(0.0, math.floor((1 - missing / whole) * scale) / scale)
