"""Maps of version 2, and what they are in the present version.

In version 2 a defect was what is an area now, and listed the scratches traced within it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from shapely import LineString, Polygon, STRtree

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import (
    FORMAT,
    VERSION,
    Area,
    Box,
    Coverage,
    Defect,
    DefectMap,
    Fraction,
    Frames,
    MappedElement,
    MappedModel,
    MappedRecipe,
    MappedScan,
    MapRecord,
    NotNegative,
    Point,
    Rings,
)
from darkscan.pipeline.core.frame_results import LedgerSums
from darkscan.pipeline.core.map_totals import totals_of
from darkscan.pipeline.core.outlines import (
    rounded,
    turned_box,
    upright_box,
    widened,
)
from darkscan.pipeline.core.settings import updated
from darkscan.pipeline.core.units import COARSEST_UM, FINEST_UM, Finite, Positive

BEFORE: Literal[2] = 2
_BORDER_PX = 4.0  # a line was not traced nearer to a border
_LARGEST_MM = 10_000.0  # a side of an element
_WIDEST_UM = 1e6
_SLACK_MM = 1e-3
_MM_PER_UM = 1e-3


class _Scratch(MapRecord):
    """A line traced within a defect."""

    centreline: Annotated[tuple[Point, ...], Field(min_length=2)]
    length_mm: Positive
    width_um: Annotated[float, Field(ge=0, le=_WIDEST_UM)]
    contrast: Finite
    frames: Frames = Field(min_length=1)


class _Defect(MapRecord):
    """Windows over the threshold, joined; and the scratches within."""

    id: str = Field(pattern=r"^D\d{4,}$")
    contour: Rings
    box_mm: Box
    extent_mm: tuple[Positive, Positive]
    orientation_deg: Finite
    centroid_mm: Point
    area_mm2: NotNegative
    scratches: tuple[_Scratch, ...]
    length_mm: NotNegative
    score_max: Fraction
    score_mean: Fraction
    windows: int = Field(ge=1)
    frames: Frames = Field(min_length=1)
    touches_region_border: bool
    touches_not_inspected: bool
    grade: None
    grade_reason: Literal["uncalibrated"]

    @property
    def area_id(self) -> str:
        """The id of the area that it is now."""
        return f"A{self.id[1:]}"


class _Model(MapRecord):
    """What told scratch from background."""

    name: str
    hash: str
    threshold: Fraction
    grow_threshold: Fraction


class MapVersion2(MapRecord):
    """A defect map as it was in version 2."""

    format: Literal["darkscan-defect-map"]
    version: Literal[2]
    element: MappedElement
    scan: MappedScan
    recipe: MappedRecipe
    model: _Model
    defects: tuple[_Defect, ...]
    scratch_length_mm: NotNegative
    coverage: Coverage
    ledger: LedgerSums

    @model_validator(mode="after")
    def _check(self) -> Self:
        size, pitch_um = self.element.size_mm, self.scan.pitch_um
        if max(size) > _LARGEST_MM:
            raise ValueError(f"element.size_mm: must be {_LARGEST_MM:g} mm at most")
        if not FINEST_UM <= pitch_um <= COARSEST_UM:
            raise ValueError(f"scan.pitch_um: must be from {FINEST_UM:g} to {COARSEST_UM:g} um")
        for number, defect in enumerate(self.defects):
            for place, scratch in enumerate(defect.scratches):
                points = np.array(scratch.centreline)
                name = f"defects.{number}.scratches.{place}.centreline"
                if (points < -_SLACK_MM).any() or (points > np.array(size) + _SLACK_MM).any():
                    raise ValueError(f"{name}: must lie on the element")
                if np.ptp(points, axis=0).max() < _SLACK_MM:
                    raise ValueError(f"{name}: must be {_SLACK_MM:g} mm long at least")
        return self


def in_present_version(old: MapVersion2) -> DefectMap:
    """The same map in the present version.

    Each defect becomes an area, each of its scratches a defect of the kind scratch. What
    version 2 did not measure is null; how many frames show a scratch is taken to be how many
    it was traced in. Totals, outlines and boxes follow from the centre lines.
    """
    defects = _defects(old)
    areas = tuple(_area(one, defects) for one in old.defects)
    return DefectMap(
        format=FORMAT,
        version=VERSION,
        element=old.element,
        scan=old.scan,
        recipe=old.recipe,
        model=MappedModel(**old.model.model_dump(), kinds=("scratch",)),
        defects=defects,
        areas=areas,
        totals=totals_of(defects, areas, old.element.size_mm, not_listed=0),
        coverage=old.coverage,
        ledger=old.ledger,
    )


def _area(old: _Defect, defects: Sequence[Defect]) -> Area:
    fields = {
        name: getattr(old, name) for name in Area.model_fields if name in _Defect.model_fields
    }
    own = tuple(defect.id for defect in defects if defect.area == old.area_id)
    return Area.model_validate({**fields, "id": old.area_id, "defects": own})


def _defects(old: MapVersion2) -> tuple[Defect, ...]:
    """All scratches, from the top down, then from the left."""
    pairs = [(scratch, one.area_id) for one in old.defects for scratch in one.scratches]
    near = _near_blind(old, [scratch for scratch, _ in pairs])
    found = [
        _defect(scratch, old, area=area, touches_not_inspected=number in near)
        for number, (scratch, area) in enumerate(pairs)
    ]
    found.sort(key=lambda defect: (defect.box_mm[1], defect.box_mm[0], defect.outline))
    return tuple(
        updated(defect, id=f"D{number:04d}") for number, defect in enumerate(found, start=1)
    )


def _near_blind(old: MapVersion2, scratches: Sequence[_Scratch]) -> set[int]:
    """The numbers of the scratches within a cell of what was not inspected of the region."""
    blind = [
        Polygon(area.contour[0], area.contour[1:])
        for area in old.coverage.not_inspected
        if area.kind != "outside_region"
    ]
    lines = [LineString(scratch.centreline) for scratch in scratches]
    near, _ = STRtree(blind).query(lines, "dwithin", distance=old.coverage.cell_mm)
    return set(near.tolist())


def _defect(
    scratch: _Scratch, old: MapVersion2, *, area: str, touches_not_inspected: bool
) -> Defect:
    pixel_mm = old.scan.pitch_um * _MM_PER_UM
    outline = widened(scratch.centreline, max(scratch.width_um * _MM_PER_UM, pixel_mm))
    corners = np.array(outline)
    extent, orientation = turned_box(corners)
    x, y = rounded(LineString(scratch.centreline).centroid.coords[0])
    return Defect(
        id="D0000",  # known once all are in order
        kind="scratch",
        probability=None,
        centreline=scratch.centreline,
        length_mm=scratch.length_mm,
        width_um=scratch.width_um,
        width_max_um=None,
        width_uncertainty_um=None,
        brightness_um=None,
        brightness_um2=None,
        contrast=scratch.contrast,
        saturated=None,
        outline=outline,
        box_mm=upright_box(corners),
        extent_mm=extent,
        orientation_deg=orientation,
        centroid_mm=(x, y),
        frames=scratch.frames,
        views=len(scratch.frames),
        area=area,
        touches_region_border=_reaches_border(corners, old),
        touches_not_inspected=touches_not_inspected,
        grade=None,
        grade_reason="uncalibrated",
    )


def _reaches_border(corners: Float64Array, old: MapVersion2) -> bool:
    """Whether an outline (N, 2) ends so near to the region's border that it may go on there."""
    slack = _BORDER_PX * old.scan.pitch_um * _MM_PER_UM
    left, top, width, height = old.element.region_mm
    low = np.maximum([left, top], 0.0)
    high = np.minimum([left + width, top + height], old.element.size_mm)
    return bool((corners <= low + slack).any() or (corners >= high - slack).any())
