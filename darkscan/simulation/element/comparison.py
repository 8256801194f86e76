"""Compares a defect map with the truth of the simulated element it was made from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import Defect, DefectMap, Scratch
from darkscan.simulation.element.element_truth import ElementTruth, Trace

_FOUND = 0.5  # the share of a scratch's length that must lie within defects
_STEP_MM = 0.1
_CLOSE_PX = 3.0  # a centre line this close to a true scratch is of it
_FINE_PX = 1.0
_ROWS_AT_ONCE = 256
_MOSTLY = 0.8  # the share of a centre line close to a scratch, for widths to be compared


@dataclass(frozen=True)
class TrueScratch:
    """A planted scratch and what the map has of it."""

    trace: Trace
    length_mm: float
    """Its length on the element, gaps included."""

    amplitude: float
    """Grey levels above the background that its brightest tenth exceeds, at 8 bit."""

    covered: float
    """The fraction of its length on the element that lies within defects, 0 to 1."""

    defects: tuple[str, ...]
    """The ids of those defects."""

    traced: float
    """The fraction of its length on the element along which a centre line runs, 0 to 1."""

    width_um: float | None
    """The apparent width of the longest centre line that is of it alone, micrometres."""

    @property
    def found(self) -> bool:
        """Whether most of it is in the map."""
        return self.covered >= _FOUND


@dataclass(frozen=True)
class Comparison:
    """All planted scratches, and the defects that none of them explains."""

    scratches: tuple[TrueScratch, ...]
    unexplained: tuple[Defect, ...]

    false_mm: float
    """The length of the centre lines away from every planted scratch."""

    length_mm: float
    """The length of all centre lines."""

    @property
    def true_mm(self) -> float:
        """The length of all planted scratches on the element."""
        return sum(scratch.length_mm for scratch in self.scratches)

    @property
    def covered_mm(self) -> float:
        """The length of what lies within defects of them: no more can be traced."""
        return sum(scratch.length_mm * scratch.covered for scratch in self.scratches)


def compare(truth: ElementTruth, defect_map: DefectMap) -> Comparison:
    """Holds a map against the truth of its element; both in the element's frame."""
    mm = defect_map.scan.pitch_um / 1000.0
    scratches = []
    explained: set[str] = set()
    fine, close = _FINE_PX * mm, _CLOSE_PX * mm
    lines = [
        (scratch, _points_along(np.array(scratch.centreline), fine))
        for defect in defect_map.defects
        for scratch in defect.scratches
    ]
    on_lines = _joined(points for _, points in lines)
    false = np.ones(len(on_lines), np.bool_)
    for trace in truth.scratches:
        points = _points_along(trace.vertices * mm, _STEP_MM)
        # A scratch may run off the element's edge.
        on_element = ((points >= 0) & (points <= defect_map.element.size_mm)).all(axis=1)
        points = points[on_element]
        if not len(points):
            continue
        within = {
            defect.id: np.array([_contains(defect, point) for point in points])
            for defect in defect_map.defects
        }
        touching = tuple(name for name, inside in within.items() if inside.any())
        explained.update(touching)
        finely = _points_along(trace.vertices * mm, fine)
        false &= ~_near(on_lines, finely, close)
        covered = np.any(list(within.values()), axis=0).mean() if within else 0.0
        scratches.append(
            TrueScratch(
                trace=trace,
                length_mm=trace.length_px * mm * float(on_element.mean()),
                amplitude=float(np.percentile(trace.amplitude, 90)),
                covered=float(covered),
                defects=touching,
                traced=float(_near(points, on_lines, close).mean()),
                width_um=_width_um(lines, finely, close),
            )
        )
    unexplained = tuple(d for d in defect_map.defects if d.id not in explained)
    return Comparison(
        scratches=tuple(scratches),
        unexplained=unexplained,
        false_mm=float(false.mean()) * defect_map.scratch_length_mm if len(false) else 0.0,
        length_mm=defect_map.scratch_length_mm,
    )


def _width_um(
    lines: Sequence[tuple[Scratch, Float64Array]], along: Float64Array, close: float
) -> float | None:
    """The width of the longest line that runs along a polyline (M, 2), mm, nearly everywhere."""
    of_it = [line for line, points in lines if _near(points, along, close).mean() >= _MOSTLY]
    longest = max(of_it, key=lambda line: line.length_mm, default=None)
    return None if longest is None else longest.width_um


def _near(points: Float64Array, others: Float64Array, distance: float) -> npt.NDArray[np.bool_]:
    """Which points (K, 2) have another one within a distance: both in mm."""
    found = np.zeros(len(points), np.bool_)
    if not len(points) or not len(others):
        return found
    low, high = others.min(axis=0) - distance, others.max(axis=0) + distance
    candidates = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    for first in range(0, len(candidates), _ROWS_AT_ONCE):
        some = candidates[first : first + _ROWS_AT_ONCE]
        low, high = points[some].min(axis=0) - distance, points[some].max(axis=0) + distance
        near = others[((others >= low) & (others <= high)).all(axis=1)]
        if len(near):
            square = ((points[some, None] - near) ** 2).sum(axis=2).min(axis=1)
            found[some] = square <= distance**2
    return found


def _joined(parts: Iterable[Float64Array]) -> Float64Array:
    return np.concatenate([np.empty((0, 2)), *parts])


def _points_along(vertices: Float64Array, step_mm: float) -> Float64Array:
    """Points (M, 2) one step apart along a polyline (K, 2), mm."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, int(along[-1] / step_mm)))
    return np.stack([np.interp(at, along, vertices[:, axis]) for axis in (0, 1)], axis=1)


def _contains(defect: Defect, point: Float64Array) -> bool:
    """Whether a point (mm) lies within a defect's outer ring and in none of its holes."""
    outer, *holes = (np.array(ring, np.float32) for ring in defect.contour)
    place = (float(point[0]), float(point[1]))
    return cv2.pointPolygonTest(outer, place, measureDist=False) >= 0 and not any(
        cv2.pointPolygonTest(hole, place, measureDist=False) > 0 for hole in holes
    )
