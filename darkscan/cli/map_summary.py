"""A defect map in words and figures, scratches first: for people and for programs."""

import math
from collections import defaultdict
from typing import Any

from darkscan.pipeline.core.defect_map import Area, Defect, DefectMap
from darkscan.pipeline.core.frame_results import DEFECT_KINDS
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.outlines import total_mm

_LONGEST = 10
_EMPTY_AREAS = 10
_NAMES = {
    "scratch": ("scratch", "scratches"),
    "fibre": ("fibre", "fibres"),
    "dig": ("dig", "digs"),
    "dust": ("grain of dust", "grains of dust"),
    "area": ("area", "areas"),
}


def describe_map(defect_map: DefectMap) -> dict[str, Any]:
    """What is to be said of a map, as plain data: counts, lengths, the longest, the unseen.

    ``kinds`` holds None for a kind of defect that the map's model does not look for.
    """
    element, totals, coverage = defect_map.element, defect_map.totals, defect_map.coverage
    scratches = [defect for defect in defect_map.defects if defect.kind == "scratch"]
    scratches.sort(key=lambda defect: (-defect.length_mm, defect.id))
    concentration = totals.worst_concentration
    return {
        "element": element.name,
        "side": element.side,
        "size_mm": list(element.size_mm),
        "pitch_um": defect_map.scan.pitch_um,
        "recipe": defect_map.recipe.name,
        "model": defect_map.model.name,
        "kinds": {
            kind: getattr(totals, kind).model_dump() if kind in defect_map.model.kinds else None
            for kind in DEFECT_KINDS
        },
        "longest_scratches": [_scratch(defect) for defect in scratches[:_LONGEST]],
        "worst_concentration": concentration and concentration.model_dump(mode="json"),
        "not_listed": totals.not_listed,
        "areas": {
            "count": totals.areas,
            "area_mm2": totals.areas_mm2,
            "without_defect": [_area(area) for area in defect_map.areas if not area.defects],
        },
        "coverage": {
            "complete": coverage.complete,
            "region_area_mm2": coverage.region_area_mm2,
            "inspected_fraction": coverage.inspected_fraction,
            "not_inspected": _not_inspected(defect_map),
        },
        "frames": defect_map.ledger.model_dump(),
        "warnings": list(defect_map.warnings),
    }


def render_map(description: dict[str, Any]) -> str:
    """The description as lines for people."""
    width, height = description["size_mm"]
    size = f"{width:.2f} x {height:.2f} mm, {description['pitch_um']:g} um a pixel"
    parts = [
        ["{element}, {side}: {size}; model {model}".format(**description, size=size)],
        _counts(description["kinds"]) + _crowded(description),
        _longest(description["longest_scratches"]),
        _areas(description["areas"]),
        coverage_lines(description),
    ]
    return "\n\n".join("\n".join(map(printable, part)) for part in parts if part)


def found_lines(description: dict[str, Any]) -> list[str]:
    """What was found, in a line, and what is worth a look by eye, in another."""
    kinds, empty = description["kinds"], len(description["areas"]["without_defect"])
    scratches = kinds["scratch"]
    found = counted("scratch", scratches["count"])
    if scratches["count"]:
        found += f", {scratches['length_mm']:.2f} mm, the longest {scratches['longest_mm']:.2f} mm"
    others = [
        counted(kind, total["count"])
        for kind, total in kinds.items()
        if kind != "scratch" and total is not None and total["count"]
    ]
    lines = ["; ".join([found, *([", ".join(others)] if others else [])])]
    if empty:
        lines.append(f"{counted('area', empty)} without a defect: worth a look by eye")
    return lines


def coverage_lines(description: dict[str, Any]) -> list[str]:
    """How much was inspected, what was not, by kind and reason, and what warns of the map."""
    coverage, frames = description["coverage"], description["frames"]
    # Rounded down: only all of it reads 100 %.
    percent = math.floor(coverage["inspected_fraction"] * 10_000) / 100
    inspected = f"{percent:.2f} % of the region inspected"
    mapped = f"{frames['mapped']} of {frames['captured']} frames mapped"
    losses = f"{frames['quarantined']} quarantined, {frames['lost']} lost"
    unseen = [
        f"  not inspected: {part['area_mm2']:.2f} mm2, {_why(part)}"
        for part in coverage["not_inspected"]
    ]
    warnings = [f"warning: {warning}" for warning in description["warnings"]]
    return [f"{inspected}; {mapped}, {losses}", *unseen, *warnings]


def counted(kind: str, count: int) -> str:
    """A number of things by name: 1 scratch, 12 scratches, no scratches."""
    one, more = _NAMES[kind]
    return f"1 {one}" if count == 1 else f"{count or 'no'} {more}"


def _why(part: dict[str, Any]) -> str:
    """Kind and reason; many a reason begins with its kind."""
    kind, reason = part["kind"].replace("_", " "), part["reason"]
    return reason if reason.startswith(kind) else f"{kind}: {reason}"


def _scratch(defect: Defect) -> dict[str, Any]:
    fields = {
        *("id", "length_mm", "width_um", "width_uncertainty_um", "contrast", "centroid_mm"),
        *("area", "touches_region_border", "touches_not_inspected"),
    }
    return defect.model_dump(mode="json", include=fields)


def _area(area: Area) -> dict[str, Any]:
    return area.model_dump(mode="json", include={"id", "box_mm", "area_mm2", "score_max"})


def _not_inspected(defect_map: DefectMap) -> list[dict[str, Any]]:
    """Areas that were not inspected, those of one kind and reason together, the largest first."""
    parts = defaultdict(list)
    for area in defect_map.coverage.not_inspected:
        parts[area.kind, area.reason].append(area)
    found: list[dict[str, Any]] = [
        {
            "kind": kind,
            "reason": reason,
            "parts": len(areas),
            "area_mm2": total_mm(area.area_mm2 for area in areas),
            "frames": sorted({frame for area in areas for frame in area.frames}),
        }
        for (kind, reason), areas in parts.items()
    ]
    return sorted(found, key=lambda part: (-part["area_mm2"], part["kind"], part["reason"]))


def _counts(kinds: dict[str, Any]) -> list[str]:
    lines = []
    sought = {kind: total for kind, total in kinds.items() if total is not None}
    for kind, total in sought.items():
        line = counted(kind, total["count"])
        if total["count"] and kind in {"scratch", "fibre"}:
            line += f", {total['length_mm']:.2f} mm, the longest {total['longest_mm']:.2f} mm"
        lines.append(line)
    others = ", ".join(_NAMES[kind][1] for kind in kinds if kind not in sought)
    return lines + ([f"not looked for by this model: {others}"] if others else [])


def _crowded(description: dict[str, Any]) -> list[str]:
    lines, concentration = [], description["worst_concentration"]
    if concentration is not None:
        x, y, width, height = concentration["box_mm"]
        lines.append(
            f"most together: {concentration['length_mm']:.2f} mm of scratches within "
            f"{width:g} x {height:g} mm at ({x:g}, {y:g}) mm"
        )
    if description["not_listed"]:
        lines.append(f"{description['not_listed']} lines and spots of crowded frames not listed")
    return lines


def _longest(scratches: list[dict[str, Any]]) -> list[str]:
    if not scratches:
        return []
    lines = ["longest    length mm        width um    middle at x, y mm"]
    for scratch in scratches:
        error = scratch["width_uncertainty_um"]
        width = f"{scratch['width_um']:.1f}" + ("" if error is None else f" +- {error:.2g}")
        x, y = scratch["centroid_mm"]
        reaches = [
            words
            for flag, words in (
                ("touches_region_border", "the region's border"),
                ("touches_not_inspected", "what was not inspected"),
            )
            if scratch[flag]
        ]
        note = f"  reaches {' and '.join(reaches)}" if reaches else ""
        lines.append(
            f"{scratch['id']:<9}{scratch['length_mm']:>11.2f}{width:>16}{x:>12.2f}, {y:>7.2f}{note}"
        )
    return lines


def _areas(areas: dict[str, Any]) -> list[str]:
    empty = areas["without_defect"]
    found = f"{counted('area', areas['count'])} in which the model saw scratches"
    lines = [f"{found}, {areas['area_mm2']:.2f} mm2; {len(empty)} without a defect"]
    for area in empty[:_EMPTY_AREAS]:
        x, y, width, height = area["box_mm"]
        place = f"at ({x:.2f}, {y:.2f}) mm, {width:.2f} x {height:.2f} mm"
        lines.append(f"  {area['id']} {place}, score {area['score_max']:.2f}")
    more = len(empty) - _EMPTY_AREAS
    return lines + ([f"  and {more} more"] if more > 0 else [])
