"""What must hold of a run's results, whatever happened to it."""

from pathlib import Path

from darkscan.pipeline.core.defect_map import MAP_NAME, Defect, DefectMap, to_json
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.map_reading import read_map

_DRAWINGS = ("defect-map.csv", "defect-map-areas.csv", "defect-map.svg", "defect-map.png")


def problems_of_results(out_dir: Path, undisturbed: Path, *, whole: bool) -> list[str]:
    """What is wrong with a run's map against the one of an undisturbed run; empty: nothing.

    ``whole``: the run said that all was inspected, so the files have to be equal byte for byte,
    but for the map's warnings. Otherwise the map lists exactly what it lacks, and says the same
    of the rest.
    """
    try:
        found, wanted = read_map(out_dir), read_map(undisturbed)
    except InputError as error:
        return [str(error)]
    problems = _problems_of_ledger(found, wanted)
    if not whole:
        if _is_whole(found):
            problems.append("the exit code says incomplete, the map says complete")
        return problems + _problems_of_the_rest(found, wanted)
    if not _is_whole(found):
        problems.append("the exit code says complete, the map says incomplete")
    if found.warnings:
        if _without_warnings(found) != _without_warnings(wanted):
            problems.append("the map has warnings, and differs in more than these")
        return problems
    return problems + [
        f"{name} differs from the undisturbed run's"
        for name in (MAP_NAME, *_DRAWINGS)
        if (out_dir / name).read_bytes() != (undisturbed / name).read_bytes()
    ]


def _is_whole(found: DefectMap) -> bool:
    return found.coverage.complete and found.ledger.mapped == found.ledger.captured


def _without_warnings(found: DefectMap) -> str:
    return to_json(found.model_copy(update={"warnings": ()}))


def _problems_of_ledger(found: DefectMap, wanted: DefectMap) -> list[str]:
    sums, problems = found.ledger, []
    if sums.in_flight or sums.captured != sums.mapped + sums.quarantined + sums.lost:
        problems.append(f"the ledger does not close: {sums}")
    if sums.captured != wanted.ledger.captured:
        problems.append(f"{sums.captured} frames are in the ledger, not {wanted.ledger.captured}")
    listed = len(found.coverage.frames_not_inspected)
    if listed != sums.quarantined + sums.lost:
        problems.append(f"{listed} frames are listed as not inspected: {sums}")
    return problems


def _problems_of_the_rest(found: DefectMap, wanted: DefectMap) -> list[str]:
    """Defects that no missing frame shows have to be the same; no other may be there."""
    missing = {frame.frame for frame in found.coverage.frames_not_inspected}
    known = {_place(defect) for defect in found.defects}
    untouched = [defect for defect in wanted.defects if not missing & set(defect.frames)]
    problems = [
        f"{defect.id} is missing, though all of its frames were inspected"
        for defect in untouched
        if _place(defect) not in known
    ]
    expected = {_place(defect) for defect in wanted.defects}
    cut = [defect for defect in wanted.defects if missing & set(defect.frames)]
    return problems + [
        f"{defect.id} is in no undisturbed map"
        for defect in found.defects
        if _place(defect) not in expected and not any(_meet(defect, other) for other in cut)
    ]


def _place(defect: Defect) -> tuple[object, ...]:
    return (defect.kind, defect.outline, defect.frames)


def _meet(one: Defect, other: Defect) -> bool:
    """Whether the boxes of two defects have a place in common."""
    (x, y, width, height), (u, v, across, down) = one.box_mm, other.box_mm
    return x <= u + across and u <= x + width and y <= v + down and v <= y + height
