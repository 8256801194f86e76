"""The defects of example scans: random lines and spots, and what a map says of them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from darkscan.pipeline.core.arrays import Float64Array, UInt8Array
from darkscan.pipeline.core.defect_map import Area, Concentration, Defect, KindTotal, Totals
from darkscan.pipeline.core.frame_results import DEFECT_KINDS

_LONG_MM = (20.0, 120.0)
_SHARES = (0.5, 0.15, 0.1, 0.25)


def random_kinds(seed: int, count: int) -> UInt8Array:
    """(count,) Places in DEFECT_KINDS; about half are scratches."""
    rng = np.random.default_rng(seed + 1)
    return rng.choice(len(_SHARES), count, p=_SHARES).astype(np.uint8)


def random_lines(seed: int, kinds: UInt8Array, size_mm: tuple[float, float]) -> list[Float64Array]:
    """The centre line (K, 2) of each scratch and fibre, the contour of each spot, mm."""
    rng = np.random.default_rng(seed)
    return [
        _line(rng, size_mm, bent=kind == 1, long=number % 97 == 0)
        if kind < 2
        else _spot(rng, size_mm)
        for number, kind in enumerate(kinds)
    ]


def map_defects(
    seed: int,
    lines: Sequence[Float64Array],
    kinds: UInt8Array,
    frame_at: Callable[[float, float], int],
    areas: int,
) -> tuple[Defect, ...]:
    """The defects of a map, from the top down; ``frame_at`` a place, mm, is which frame."""
    rng = np.random.default_rng(seed + 2)
    order = np.argsort([float(line[:, 1].min()) for line in lines], kind="stable")
    found = []
    for place, number in enumerate(order.tolist(), start=1):
        fields = _defect(place, number, lines[number], int(kinds[number]), rng)
        x, y = fields["centroid_mm"]
        area = None if number % 3 == 0 else f"A{number % areas + 1:04d}"
        found.append(Defect.model_validate({**fields, "frames": [frame_at(x, y)], "area": area}))
    return tuple(found)


def _defect(
    place: int, number: int, points: Float64Array, kind: int, rng: np.random.Generator
) -> dict[str, Any]:
    points = points.round(4)
    width_um = float(np.round(rng.uniform(8, 60), 1)) if kind < 2 else 40.0
    outline = _widened(points, width_um / 1000) if kind < 2 else points
    low, high = outline.min(axis=0), outline.max(axis=0)
    steps = np.hypot(*np.diff(points, axis=0).T)
    extent = max(float(np.hypot(*(high - low))), 0.01)
    x, y = (float(value) for value in points.mean(axis=0).round(4))
    width, height = (max(float(side), 0.001) for side in (high - low).round(4))
    line = kind < 2
    return {
        "id": f"D{place:04d}",
        "kind": DEFECT_KINDS[kind],
        "probability": None if number % 11 == 0 else round(float(rng.uniform(0.5, 1)), 4),
        "centreline": points.tolist() if line else [],
        "length_mm": max(round(float(steps.sum()), 4), 0.01),
        "width_um": width_um,
        "width_max_um": round(width_um * 1.3, 1) if line else None,
        "width_uncertainty_um": round(width_um / 12, 2) if line else None,
        "brightness_um": round(width_um * 0.2, 3) if line else None,
        "brightness_um2": None if line else round(width_um * 9, 1),
        "contrast": round(float(rng.lognormal(2, 0.6)), 2),
        "saturated": 0.0,
        "outline": outline.round(4).tolist(),
        "box_mm": [float(low[0].round(4)), float(low[1].round(4)), width, height],
        "extent_mm": [round(extent, 4), round(extent / 10, 4)],
        "orientation_deg": round(float(rng.uniform(0, 179)), 1),
        "centroid_mm": [x, y],
        "views": 1,
        "touches_region_border": False,
        "touches_not_inspected": False,
        "grade": None,
        "grade_reason": "uncalibrated",
    }


def _line(
    rng: np.random.Generator, size_mm: tuple[float, float], *, bent: bool, long: bool
) -> Float64Array:
    """A centre line: straight or in an arc; fibres curl; a few are very long."""
    length = rng.uniform(*_LONG_MM) if long else np.clip(rng.lognormal(0.8, 0.9), 0.2, 20)
    length = min(length, min(size_mm) * 0.8)
    points = int(np.clip(length * 1.5, 3, 60))
    turn = rng.normal(0, 2.5 if bent else 0.5)
    angles = rng.uniform(0, 2 * np.pi) + turn * np.linspace(-0.5, 0.5, points - 1)
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / (points - 1)
    line = np.concatenate([np.zeros((1, 2)), steps.cumsum(axis=0)])
    low, high = line.min(axis=0), line.max(axis=0)
    place: Float64Array = rng.uniform(0.1 - low, np.maximum(np.array(size_mm) - 0.1 - high, 0.1))
    return (line + place).clip(0, size_mm)


def _spot(rng: np.random.Generator, size_mm: tuple[float, float]) -> Float64Array:
    """The contour of a spot of 20 to 200 um."""
    corners = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    radius = rng.uniform(0.01, 0.1) * rng.uniform(0.8, 1.2, 10)
    place = rng.uniform(0.2, np.maximum(np.array(size_mm) - 0.2, 0.3))
    contour: Float64Array = (
        place + np.stack([np.cos(corners), np.sin(corners)], 1) * radius[:, None]
    )
    return contour.clip(0, size_mm)


def _widened(line: Float64Array, width_mm: float) -> Float64Array:
    """A line's outline, closed: to one side there, to the other side back."""
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    across *= width_mm / 2 / np.maximum(np.hypot(*across.T), 1e-9)[:, None]
    return np.concatenate([line - across, (line + across)[::-1]])


def map_areas(defects: tuple[Defect, ...], count: int) -> tuple[Area, ...]:
    within: dict[str | None, list[Defect]] = {}
    for defect in defects:
        within.setdefault(defect.area, []).append(defect)
    names = [f"A{number:04d}" for number in range(1, count + 1)]
    return tuple(_area(number, name, within.get(name, [])) for number, name in enumerate(names))


def _area(number: int, name: str, own: list[Defect]) -> Area:
    x, y = own[0].centroid_mm if own else (1.0, 1.0)
    left, top = round(x - 1.28, 3), round(y - 1.28, 3)
    return Area(
        id=name,
        contour=(ring(left, top, 2.56, 2.56),),
        box_mm=(left, top, 2.56, 2.56),
        area_mm2=6.5536,
        score_max=0.99,
        score_mean=0.8,
        windows=1 + number % 7,
        frames=own[0].frames if own else (0,),
        defects=tuple(defect.id for defect in own),
        touches_region_border=False,
        touches_not_inspected=False,
    )


def map_totals(defects: tuple[Defect, ...], areas: int) -> Totals:
    by_kind: dict[str, list[Defect]] = {kind: [] for kind in DEFECT_KINDS}
    for defect in defects:
        by_kind[defect.kind].append(defect)
    kinds = {
        kind: KindTotal(
            count=len(own),
            length_mm=round(sum(defect.length_mm for defect in own), 4),
            longest_mm=max((defect.length_mm for defect in own), default=0.0),
        )
        for kind, own in by_kind.items()
    }
    scratches = by_kind["scratch"]
    x, y = scratches[0].centroid_mm if scratches else (0.0, 0.0)
    crowd = Concentration(
        length_mm=max((defect.length_mm for defect in scratches), default=1.0),
        box_mm=(x, y, 10.0, 10.0),
    )
    return Totals(
        scratch=kinds["scratch"],
        fibre=kinds["fibre"],
        dig=kinds["dig"],
        dust=kinds["dust"],
        areas=areas,
        areas_mm2=6.5536 * areas,
        areas_without_defect=0,
        worst_concentration=crowd if scratches else None,
        not_listed=0,
    )


def ring(x: float, y: float, width: float, height: float) -> tuple[tuple[float, float], ...]:
    right, bottom = round(x + width, 3), round(y + height, 3)
    return ((x, y), (right, y), (right, bottom), (x, bottom))
