"""Puts a defect map together from all that a finished scan gave."""

from darkscan.pipeline.core.defect_map import (
    COORDINATES,
    FORMAT,
    VERSION,
    DefectMap,
    MappedElement,
    MappedModel,
    MappedRecipe,
    MappedScan,
)
from darkscan.pipeline.core.frame_results import Inspected
from darkscan.stages.merging._coverage import blind_cells, coverage_of, inspected_cells
from darkscan.stages.merging._defects import find_defects
from darkscan.stages.merging._raster import Raster, total_mm


def build_map(inspected: Inspected) -> DefectMap:
    """The defect map of a finished scan; the order of its frames does not matter."""
    scan, model = inspected.scan, inspected.model
    results = sorted(inspected.results, key=lambda result: result.meta.frame)
    missing = sorted(inspected.not_inspected, key=lambda item: item.meta.frame)
    raster = Raster.of(scan, model)
    seen = inspected_cells(raster, results, scan, model)
    blind = blind_cells(raster, seen)
    defects = find_defects(raster, results, model, blind)
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
        ),
        defects=defects,
        scratch_length_mm=total_mm(defect.length_mm for defect in defects),
        coverage=coverage_of(raster, seen, results, missing, scan, model),
        ledger=inspected.sums,
    )
