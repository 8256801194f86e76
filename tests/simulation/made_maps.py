"""Defect maps made by hand: what they list is chosen, not found."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from shapely import LineString, Polygon

from darkscan.pipeline.core.defect_map import (
    COORDINATES,
    Area,
    Coverage,
    Defect,
    DefectMap,
    KindTotal,
    MappedElement,
    MappedModel,
    MappedRecipe,
    MappedScan,
    Totals,
)
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind, LedgerSums

PIXEL_MM = 0.01
SIDE_PX = 1000

Points = npt.NDArray[np.float64]


def straight(x: float, y: float, far_x: float, far_y: float) -> Points:
    """A polyline with a vertex for each pixel."""
    count = 2 + int(np.hypot(far_x - x, far_y - y))
    return np.linspace((x, y), (far_x, far_y), count)


def line(points: Points, kind: DefectKind = "scratch", width_px: float = 2.0) -> Defect:
    """A scratch or fibre along points (K, 2) in pixels."""
    shape = LineString(points)
    return _defect(
        shape.buffer(width_px / 2, cap_style="flat"),
        kind=kind,
        centreline=tuple(map(tuple, (points * PIXEL_MM).tolist())),
        length_mm=shape.length * PIXEL_MM,
        width_um=width_px * PIXEL_MM * 1000,
    )


def spot(x: float, y: float, radius_px: float, kind: DefectKind = "dig") -> Defect:
    """A round dig or grain, pixels."""
    return _defect(
        LineString([(x, y), (x + 1e-3, y)]).buffer(radius_px),
        kind=kind,
        centreline=(),
        length_mm=2 * radius_px * PIXEL_MM,
        width_um=2 * radius_px * PIXEL_MM * 1000,
    )


def _defect(shape: Polygon, **own: object) -> Defect:
    ring = np.array(shape.exterior.coords)[:-1] * PIXEL_MM
    left, top, right, bottom = (side * PIXEL_MM for side in shape.bounds)
    content = {
        "id": "D0001",
        "probability": None,
        "width_max_um": None,
        "width_uncertainty_um": None,
        "brightness_um": None,
        "brightness_um2": None,
        "contrast": 5.0,
        "saturated": None,
        "outline": tuple(map(tuple, ring.tolist())),
        "box_mm": (left, top, right - left, bottom - top),
        "extent_mm": (right - left, bottom - top),
        "orientation_deg": 0.0,
        "centroid_mm": ((left + right) / 2, (top + bottom) / 2),
        "frames": (0,),
        "views": 1,
        "area": None,
        "touches_region_border": False,
        "touches_not_inspected": False,
        "grade": None,
        "grade_reason": "uncalibrated",
    }
    return Defect.model_validate(content | own)


def made_map(defects: Sequence[Defect], areas: Sequence[Area] = ()) -> DefectMap:
    """The map of an element of 1000 x 1000 px of 10 um that lists these defects."""
    side = SIDE_PX * PIXEL_MM
    nothing = KindTotal(count=0, length_mm=0.0, longest_mm=0.0)
    numbered = [
        defect.model_copy(update={"id": f"D{number:04d}"})
        for number, defect in enumerate(defects, start=1)
    ]
    return DefectMap(
        format="darkscan-defect-map",
        version=3,
        element=MappedElement(
            name="plate",
            side="front",
            size_mm=(side, side),
            region_mm=(0.0, 0.0, side, side),
            coordinates=COORDINATES,
        ),
        scan=MappedScan(pitch_um=1000 * PIXEL_MM, rig="", calibration=""),
        recipe=MappedRecipe(name="", hash="", window_px=256, stride_px=128),
        model=MappedModel(name="", hash="", threshold=0.5, grow_threshold=0.5, kinds=DEFECT_KINDS),
        defects=tuple(numbered),
        areas=tuple(areas),
        totals=Totals(
            scratch=nothing,
            fibre=nothing,
            dig=nothing,
            dust=nothing,
            areas=len(areas),
            areas_mm2=0.0,
            areas_without_defect=len(areas),
            worst_concentration=None,
            not_listed=0,
        ),
        coverage=Coverage(
            complete=True,
            element_area_mm2=side**2,
            region_area_mm2=side**2,
            inspected_area_mm2=side**2,
            inspected_fraction=1.0,
            inspected_element_fraction=1.0,
            cell_mm=PIXEL_MM,
            not_inspected=(),
            frames_not_inspected=(),
        ),
        ledger=LedgerSums(captured=1, mapped=1, quarantined=0, lost=0, in_flight=0),
    )


def square_area(left: float, top: float, side: float) -> Area:
    """An upright square of windows, pixels."""
    x, y, far = left * PIXEL_MM, top * PIXEL_MM, side * PIXEL_MM
    return Area(
        id="A0001",
        contour=(((x, y), (x + far, y), (x + far, y + far), (x, y + far)),),
        box_mm=(x, y, far, far),
        area_mm2=far**2,
        score_max=0.9,
        score_mean=0.9,
        windows=1,
        frames=(0,),
        defects=(),
        touches_region_border=False,
        touches_not_inspected=False,
    )
