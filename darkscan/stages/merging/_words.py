"""What a map's drawing, picture and crops say in words."""

import math

from darkscan.pipeline.core.defect_map import (
    Area,
    Defect,
    DefectMap,
    MappedElement,
    NotInspectedArea,
    NotInspectedKind,
)
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind
from darkscan.stages.merging.style import LINE_KINDS, NOT_INSPECTED_COLOURS

MICRO, SQUARED, PLUS_MINUS = "\N{MICRO SIGN}", "\N{SUPERSCRIPT TWO}", "\N{PLUS-MINUS SIGN}"

_WORDS: dict[DefectKind, tuple[str, str]] = {
    "scratch": ("scratch", "scratches"),
    "fibre": ("fibre", "fibres"),
    "dig": ("dig", "digs"),
    "dust": ("grain of dust", "grains of dust"),
}
_NOT_INSPECTED_WORDS: dict[NotInspectedKind, str] = {
    "lost": "frames lost",
    "quarantined": "frames set aside",
    "no_score": "windows without a score",
    "never_scanned": "never scanned",
    "outside_region": "outside of the region",
}


def legend_of_kinds(document: DefectMap) -> list[tuple[DefectKind, str]]:
    """Each kind that the map has or could have, scratches first: count and length in words."""
    entries = []
    for kind in DEFECT_KINDS:
        total = getattr(document.totals, kind)
        if not total.count and kind not in document.model.kinds:
            continue
        text = f"{total.count} {_WORDS[kind][total.count != 1]}"
        if kind in LINE_KINDS and total.count:
            text += f", {_mm(total.length_mm)}"
            text += f", longest {_mm(total.longest_mm)}" if total.count > 1 else ""
        entries.append((kind, text))
    return entries


def legend_of_areas(document: DefectMap) -> str:
    """How many areas there are, in words; empty without one."""
    totals = document.totals
    if not totals.areas:
        return ""
    text = f"{totals.areas} area{'s'[: totals.areas != 1]} of windows with scratches"
    if totals.areas_without_defect:
        text += f", {totals.areas_without_defect} of them with nothing traced"
    return text


def legend_of_blind(document: DefectMap) -> list[tuple[NotInspectedKind, str]]:
    """Each reason for which a part of the element was not inspected, and the size of all parts."""
    entries = []
    for kind in NOT_INSPECTED_COLOURS:
        areas = [a.area_mm2 for a in document.coverage.not_inspected if a.kind == kind]
        if areas:
            size = f"{_mm(math.fsum(areas))}{SQUARED}"
            entries.append((kind, f"{_NOT_INSPECTED_WORDS[kind]}, {size}"))
    return entries


def is_partial(element: MappedElement) -> bool:
    """Whether the scan set out to inspect only a part of it."""
    return element.region_mm != (0.0, 0.0, *element.size_mm)


def facts_of(document: DefectMap, *, without_id: int) -> list[str]:
    """What else a reader of the map has to know at once; ``without_id`` defects have no label."""
    totals, coverage = document.totals, document.coverage
    facts = [f"inspected {_percent(coverage.inspected_fraction)} of the region"]
    if is_partial(document.element):
        x, y, width, height = document.element.region_mm
        facts[0] += f", {width:g} x {height:g} mm at ({x:g}, {y:g})"
    worst = totals.worst_concentration
    if worst is not None:
        x, y, width, height = worst.box_mm
        where = f"densest {width:g} x {height:g} mm, at ({x:g}, {y:g})"
        facts.append(f"{where}: {_mm(worst.length_mm)} of scratch")
    if totals.not_listed:
        facts.append(f"{totals.not_listed} more in crowded frames are not listed")
    if without_id:
        facts.append(f"no room for {without_id} more id{'s'[: without_id != 1]}")
    return facts


def _mm(value: float) -> str:
    """A length or an area for people: four digits, and no exponent."""
    return f"{value:.4g} mm" if value < 1000 else f"{value:.0f} mm"  # noqa: PLR2004 - as far as 4


def _percent(fraction: float) -> str:
    """Per cent, never rounded up to all or down to nothing."""
    if fraction in {0.0, 1.0}:
        return f"{100 * fraction:.0f} %"
    for decimals in (1, 2, 3):
        if 0 < round(fraction, decimals + 2) < 1:
            return f"{100 * fraction:.{decimals}f} %"
    return "over 99.999 %" if fraction > 0.5 else "under 0.001 %"  # noqa: PLR2004


def measures_of(defect: Defect) -> list[str]:
    """A defect's measures, each with its unit: size, light, contrast."""
    um = f"{MICRO}m"
    width = f"looks {defect.width_um:g}"
    if defect.width_uncertainty_um is not None:
        width += f" {PLUS_MINUS} {defect.width_uncertainty_um:g}"
    width += f" {um} wide"
    if defect.width_max_um is not None:
        width += f", {defect.width_max_um:g} {um} at most"
    texts = [f"{_mm(defect.length_mm)} long", width]
    if defect.brightness_um is not None:
        texts.append(f"as bright as a line of {defect.brightness_um:g} {um} at full scale")
    if defect.brightness_um2 is not None:
        texts.append(f"as bright as {defect.brightness_um2:g} {um}{SQUARED} at full scale")
    texts.append(f"contrast {defect.contrast:g}")
    if defect.saturated:
        texts.append(f"{_percent(defect.saturated)} of it at full scale")
    return texts


def name_of(defect: Defect) -> str:
    """A defect's id, kind and the kind's probability, if it is known."""
    sure = "" if defect.probability is None else f", probability {defect.probability:g}"
    return f"{defect.id}: {_WORDS[defect.kind][0]}{sure}"


def warnings_of(defect: Defect | Area) -> list[str]:
    """Where a defect or an area may go on unseen."""
    warnings = []
    if defect.touches_region_border:
        warnings.append("reaches the region's border")
    if defect.touches_not_inspected:
        warnings.append("reaches a part that was not inspected")
    return warnings


def about_defect(defect: Defect) -> str:
    """All that a reader who points at a defect wants to know, in lines."""
    frames = ", ".join(map(str, defect.frames))
    place = f"frame{'s'[: len(defect.frames) != 1]} {frames}"
    if defect.area is not None:
        place = f"in area {defect.area}; {place}"
    return "\n".join([name_of(defect), *measures_of(defect), place, *warnings_of(defect)])


def about_area(area: Area) -> str:
    """All that a reader who points at an area wants to know, in lines."""
    defects = ", ".join(area.defects) or "nothing was traced in it: look at it by eye"
    windows = f"{area.windows} window{'s'[: area.windows != 1]}, {area.area_mm2:g} mm{SQUARED}"
    score = f"score {area.score_max:g} at most, {area.score_mean:g} in the mean"
    return "\n".join([f"{area.id}: {windows}", score, defects, *warnings_of(area)])


def about_blind(area: NotInspectedArea) -> str:
    """Why a part of the element was not inspected."""
    frames = f"; frames {', '.join(map(str, area.frames))}" if area.frames else ""
    return f"{area.reason}: {area.area_mm2:g} mm{SQUARED}{frames}"
