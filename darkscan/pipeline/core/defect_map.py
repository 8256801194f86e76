"""The defect map: what an inspection delivers, as a documented, versioned document.

``docs/reference/defect-map.schema.json`` is this file's models written out, and
``docs/reference/defect-map.md`` explains them. A change that a reader could trip over
takes a new ``VERSION``.
"""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from darkscan.pipeline.core.frame_results import DefectKind, LedgerSums
from darkscan.pipeline.core.units import Finite, Positive

FORMAT: Literal["darkscan-defect-map"] = "darkscan-defect-map"
VERSION: Literal[3] = 3
MAP_NAME = "defect-map.json"
"""The name of the map's file in a folder of results."""

COORDINATES = (
    "millimetres from the element's top left corner, seen from the inspected side; "
    "x to the right, y down"
)

Fraction = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
NotNegative = Annotated[float, Field(allow_inf_nan=False, ge=0)]
Point = tuple[Finite, Finite]
Ring = Annotated[tuple[Point, ...], Field(min_length=4)]
Rings = Annotated[tuple[Ring, ...], Field(min_length=1)]
Box = tuple[Finite, Finite, Positive, Positive]
Frames = tuple[Annotated[int, Field(ge=0)], ...]

_RINGS = (
    "rings of [x_mm, y_mm]: the outer ring first, then any holes. A ring is closed: its last "
    "point joins its first, which is not repeated. Outer rings run as a clock's hand does, "
    "holes against it; where areas meet only corner to corner a ring touches itself"
)
_BOX = "[x, y, width, height] of the upright box around it, mm"

NotInspectedKind = Literal["lost", "quarantined", "no_score", "never_scanned", "outside_region"]


# A point on four lines is hard to read; strings hold no line breaks, so none is hit.
_NUMBER = r"\n *-?[0-9][0-9.e+-]*"
_NUMBERS = re.compile(rf"\[({_NUMBER}(?:,{_NUMBER})*)\n *\]")


class MapRecord(BaseModel):
    """Base of the map's parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MappedElement(MapRecord):
    """What was inspected, and how places on it are given."""

    name: str = Field(description="the element's name or serial number")
    side: str = Field(description="the inspected side")
    size_mm: tuple[Positive, Positive] = Field(description="width and height, mm")
    region_mm: Box = Field(
        description="[x, y, width, height] of what the scan set out to inspect, mm"
    )
    coordinates: str = Field(description="what all x and y of this map mean")


class MappedScan(MapRecord):
    """How the element was seen."""

    pitch_um: Positive = Field(description="nominal size of a pixel on the element, micrometres")
    rig: str = Field(description="the rig that took the scan, or what stood in for it")
    calibration: str = Field(description="name and hash of the rig's calibration; empty: none")


class MappedRecipe(MapRecord):
    """How the frames were inspected."""

    name: str = Field(description="the recipe's name")
    hash: str = Field(description="hash of what decides the map: windows, model, threshold")
    window_px: int = Field(ge=1, description="side of a window, pixels")
    stride_px: int = Field(ge=1, description="step from window to window, pixels")


class MappedModel(MapRecord):
    """What told scratch from background."""

    name: str = Field(description="the model's name")
    hash: str = Field(description="hash of the model's file")
    threshold: Fraction = Field(description="windows of this score or more are scratches")
    grow_threshold: Fraction = Field(
        description="windows of this score or more continue a scratch that they overlap"
    )
    kinds: tuple[DefectKind, ...] = Field(
        description="the kinds of defects that it tells apart; others are not looked for"
    )


class Defect(MapRecord):
    """A scratch or a fibre, told by its centre line; or a spot: a dig or a large grain of dust.

    Lines are listed from 12 px of length on; spots where the model tells kinds apart.
    """

    id: str = Field(pattern=r"^D\d{4,}$", description="D0001, D0002... from the top down")
    kind: DefectKind = Field(
        description="scratch: a line, straight or smoothly bent; fibre: a line bent as only hairs "
        "are; dig: a spot with a bright core; dust: a large grain"
    )
    probability: Fraction | None = Field(
        description="of its kind, as the model sees it, mean of its place; null: the model does "
        "not tell kinds, and its shape alone has"
    )
    centreline: tuple[Point, ...] = Field(
        description="[x_mm, y_mm] from end to end along the middle of a line; gaps are crossed "
        "straight. Empty for spots"
    )
    length_mm: Positive = Field(
        description="lines: of the centre line, bridged gaps included; spots: the long side of "
        "the smallest box around them; mm"
    )
    width_um: NotNegative = Field(
        description="apparent width, micrometres. Lines: full width at half maximum of the mean "
        "cross-section; spots: the short side of the smallest box around their half maximum. The "
        "optics' blur is in it: what is narrower than a pixel looks wider than it is"
    )
    width_max_um: NotNegative | None = Field(
        description="lines: the largest apparent width of a stretch of 16 px, micrometres; spots "
        "and maps of earlier versions: null"
    )
    width_uncertainty_um: NotNegative | None = Field(
        description="standard uncertainty of width_um from the noise and from how it varies "
        "along the line, micrometres; null: not known"
    )
    brightness_um: NotNegative | None = Field(
        description="lines: light above the background, summed up across, for each length; as the "
        "width of a line at full scale that gives as much, micrometres; spots: null"
    )
    brightness_um2: NotNegative | None = Field(
        description="spots: light above the background, summed up; as the area at full scale that "
        "gives as much, square micrometres; lines: null"
    )
    contrast: Finite = Field(
        description="lines: mean brightness above the background, spots: the brightest, in "
        "standard deviations of the background's noise"
    )
    saturated: Fraction | None = Field(
        description="the part of its length, or of a spot's area, at full scale, where brightness "
        "and width are no longer measured; null: not known"
    )
    outline: Ring = Field(
        description="[x_mm, y_mm], closed, its last point joins its first: lines: the centre line "
        "widened by half of its apparent width to each side; spots: the contour at half maximum"
    )
    box_mm: Box = Field(description=_BOX)
    extent_mm: tuple[Positive, Positive] = Field(
        description="long and short side of the smallest box, turned any way, around its outline, "
        "mm"
    )
    orientation_deg: Finite = Field(
        ge=0, lt=180, description="of the long side, turned from x towards y, degrees"
    )
    centroid_mm: Point = Field(description="[x, y] of its middle, mm")
    frames: Frames = Field(min_length=1, description="frames that show it, ascending")
    views: int = Field(ge=1, description="how many frames show its middle")
    area: str | None = Field(
        description="id of the area that most of it lies in; null: beside all areas"
    )
    touches_region_border: bool = Field(
        description="it reaches the border of the scan's region and may go on beyond"
    )
    touches_not_inspected: bool = Field(
        description="it reaches a part of the region that was not inspected and may go on there"
    )
    grade: None = Field(description="no grade: see grade_reason")
    grade_reason: Literal["uncalibrated"] = Field(
        description="a grade needs a width and scatter calibration, which the rig has not"
    )

    @property
    def is_line(self) -> bool:
        """Whether it is told by a centre line."""
        return bool(self.centreline)


class Area(MapRecord):
    """Where the model saw scratches: windows over the threshold, joined across frames.

    The paper's contours. Scratches lie within, and are far narrower; an area in which no
    line stands out lists none, and is worth a look by eye.
    """

    id: str = Field(pattern=r"^A\d{4,}$", description="A0001, A0002... from the top down")
    contour: Rings = Field(description=_RINGS)
    box_mm: Box = Field(description=_BOX)
    area_mm2: NotNegative = Field(description="within the contour, mm2: of windows, not of scratch")
    score_max: Fraction = Field(description="highest score of its windows")
    score_mean: Fraction = Field(description="mean score of its windows")
    windows: int = Field(
        ge=1, description="how many windows make it up; frames that overlap count one place once"
    )
    frames: Frames = Field(min_length=1, description="frames these windows are of, ascending")
    defects: tuple[str, ...] = Field(description="ids of the defects whose ``area`` it is")
    touches_region_border: bool = Field(
        description="it reaches the border of the scan's region and may go on beyond"
    )
    touches_not_inspected: bool = Field(
        description="it reaches a part of the region that was not inspected and may go on there"
    )


class KindTotal(MapRecord):
    """All defects of one kind."""

    count: int = Field(ge=0)
    length_mm: NotNegative = Field(description="of all of them, mm")
    longest_mm: NotNegative = Field(description="of the longest, mm; 0 without one")


class Concentration(MapRecord):
    """The place where most scratch lies together."""

    length_mm: Positive = Field(description="of scratches within the square, mm")
    box_mm: Box = Field(description="[x, y, width, height] of the square, mm")


class Totals(MapRecord):
    """The map in a few figures."""

    scratch: KindTotal
    fibre: KindTotal
    dig: KindTotal
    dust: KindTotal
    areas: int = Field(ge=0, description="how many areas")
    areas_mm2: NotNegative = Field(description="of all areas, mm2")
    areas_without_defect: int = Field(
        ge=0, description="areas in which nothing was traced: look at them by eye"
    )
    worst_concentration: Concentration | None = Field(
        description="of all squares of 10 mm at steps of 2 mm the one with most length of "
        "scratches; null without scratches"
    )
    not_listed: int = Field(
        ge=0,
        description="lines and spots that are not listed since a frame had more of them than one "
        "may have; the strongest are listed",
    )


class NotInspectedArea(MapRecord):
    """A connected part of the element that was not inspected, for one reason."""

    kind: NotInspectedKind = Field(
        description="lost: frames without whole or readable pixels, without a place, or not "
        "taken because the scan was stopped; quarantined: frames that failed repeatedly; "
        "no_score: windows without a valid score; never_scanned: within the region, but in no "
        "frame; outside_region: not asked for"
    )
    reason: str = Field(min_length=1, description="why, in words")
    contour: Rings = Field(description=_RINGS)
    box_mm: Box = Field(description=_BOX)
    area_mm2: NotNegative = Field(description="mm2")
    frames: Frames = Field(description="the frames that would have shown it, ascending")


class NotInspectedFrame(MapRecord):
    """A frame that is not in the map; others may have shown its place all the same."""

    frame: int = Field(ge=0, description="the frame's number in its scan")
    kind: Literal["lost", "quarantined"]
    reason: str = Field(min_length=1, description="why, in words")
    placed: bool = Field(description="whether its place is known, so that its area is listed")


class Coverage(MapRecord):
    """What was inspected, what was not, and why: every part of the element is one of the two."""

    complete: bool = Field(description="nothing within the region was left uninspected")
    element_area_mm2: NotNegative = Field(description="the whole element, mm2")
    region_area_mm2: NotNegative = Field(description="the part of the region on the element, mm2")
    inspected_area_mm2: NotNegative = Field(description="of the region, mm2")
    inspected_fraction: Fraction = Field(description="of the region; 1 exactly if complete")
    inspected_element_fraction: Fraction = Field(description="of the whole element")
    cell_mm: Positive = Field(
        description="contours and areas follow cells of this size, mm: a border that is not on the "
        "cells' lattice is right to half a cell"
    )
    not_inspected: tuple[NotInspectedArea, ...] = Field(description="from the top down")
    frames_not_inspected: tuple[NotInspectedFrame, ...] = Field(description="by frame number")


class ScoredBy(MapRecord):
    """How many of the frames were scored by whom."""

    name: str = Field(
        description="here: the computer that made the map; else the computer of a worker, by the "
        "name of its key in the list of allowed ones, or as it called itself (secured: false)"
    )
    frames: int = Field(ge=1, description="inspected frames whose scores are its")
    secured: bool = Field(
        description="whether that is known: this computer, or one with an allowed key. false: "
        "the run was open to whoever reached it (--insecure)"
    )


class DefectMap(MapRecord):
    """The defects of one side of an element, and what of it was inspected."""

    format: Literal["darkscan-defect-map"] = Field(description="names this kind of document")
    version: Literal[3] = Field(description="of this schema")
    element: MappedElement
    scan: MappedScan
    recipe: MappedRecipe
    model: MappedModel
    defects: tuple[Defect, ...] = Field(description="from the top down, then from the left")
    areas: tuple[Area, ...] = Field(description="from the top down, then from the left")
    totals: Totals
    coverage: Coverage
    ledger: LedgerSums = Field(
        description="frames: captured = mapped + quarantined + lost + in_flight"
    )
    scored_by: tuple[ScoredBy, ...] = Field(
        default=(),
        description="who scored the inspected frames: here first, then by name; empty: not known, "
        "in maps of before",
    )
    warnings: tuple[str, ...] = Field(
        default=(),
        description="what speaks against relying on this map, in words; empty: nothing known",
    )


def json_schema() -> dict[str, Any]:
    """The map's JSON Schema (draft 2020-12), as docs/reference/defect-map.schema.json holds it."""
    schema = DefectMap.model_json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def to_json(document: DefectMap) -> str:
    """The map as JSON text: equal maps give equal bytes. Raises ValueError for NaN."""
    content = document.model_dump(mode="json")
    text = json.dumps(content, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
