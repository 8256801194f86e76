"""Puts a defect map together from all that a finished scan gave."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

from darkscan.pipeline.core.defect_map import (
    COORDINATES,
    FORMAT,
    VERSION,
    DefectMap,
    MappedElement,
    MappedModel,
    MappedRecipe,
    MappedScan,
    ScoredBy,
)
from darkscan.pipeline.core.frame_results import (
    DEFECT_KINDS,
    HERE,
    DefectKind,
    FrameResult,
    Inspected,
)
from darkscan.pipeline.core.map_totals import totals_of
from darkscan.stages.merging._areas import find_areas
from darkscan.stages.merging._coverage import blind_cells, coverage_of, inspected_cells
from darkscan.stages.merging._defects import Surroundings, find_defects
from darkscan.stages.merging._raster import Raster

_BY_SHAPE: tuple[DefectKind, ...] = ("scratch", "fibre")
"""The kinds that a line's shape tells by itself."""


def build_map(inspected: Inspected) -> DefectMap:
    """The defect map of a finished scan; the order of its frames does not matter."""
    scan, model = inspected.scan, inspected.model
    results = sorted(inspected.results, key=lambda result: result.meta.frame)
    missing = sorted(inspected.not_inspected, key=lambda item: item.meta.frame)
    raster = Raster.of(scan, model)
    seen = inspected_cells(raster, results, scan, model)
    blind = blind_cells(raster, seen)
    areas = find_areas(raster, results, model, blind)
    surroundings = Surroundings(
        raster=raster,
        areas=areas,
        not_inspected=blind,
        corners_mm=np.array([r.meta.position_mm[:2] for r in results]).reshape(-1, 2),
        frame_px=scan.frame_shape,
        pixel_mm=math.sqrt(raster.pixel_to_stage.pixel_area_mm2),
    )
    defects = find_defects(surroundings, results)
    with_defects = areas.with_defects(defects)
    left_out = sum(r.traces.lines.left_out + r.traces.spots.left_out for r in results)
    return DefectMap(
        format=FORMAT,
        version=VERSION,
        element=MappedElement(
            name=scan.element,
            side=scan.side,
            size_mm=scan.element_size_mm,
            region_mm=scan.region_mm,
            coordinates=COORDINATES,
        ),
        scan=MappedScan(pitch_um=scan.pitch_um, rig=scan.rig, calibration=scan.calibration),
        recipe=MappedRecipe(
            name=inspected.recipe_name,
            hash=inspected.recipe_hash,
            window_px=model.window,
            stride_px=model.stride,
        ),
        model=MappedModel(
            name=model.name,
            hash=model.hash,
            threshold=model.threshold,
            grow_threshold=model.grow_threshold,
            kinds=DEFECT_KINDS if model.kinds else _BY_SHAPE,
        ),
        defects=defects,
        areas=with_defects,
        totals=totals_of(defects, with_defects, scan.element_size_mm, left_out),
        coverage=coverage_of(raster, seen, results, missing, scan, model),
        ledger=inspected.sums,
        scored_by=_scored_by(results),
        warnings=inspected.warnings,
    )


def _scored_by(results: Sequence[FrameResult]) -> tuple[ScoredBy, ...]:
    """Who scored how many frames: this computer first, then by name."""
    counts = Counter(result.scorer for result in results)
    return tuple(
        ScoredBy(name=scorer.name, frames=counts[scorer], secured=scorer.secured)
        for scorer in sorted(counts, key=lambda each: (each != HERE, each.name, each.secured))
    )
