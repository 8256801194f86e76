"""Compares a defect map with the truth of the simulated element it was made from."""

from dataclasses import dataclass

import cv2
import numpy as np

from darkscan.drivers.simulation.strokes import FloatArray
from darkscan.drivers.simulation.truth import ElementTruth, Trace
from darkscan.pipeline.defect_map import Defect, DefectMap

_FOUND = 0.5  # of a scratch's length must lie within defects
_STEP_MM = 0.1


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

    @property
    def found(self) -> bool:
        """Whether most of it is in the map."""
        return self.covered >= _FOUND


@dataclass(frozen=True)
class Comparison:
    """All planted scratches, and the defects that none of them explains."""

    scratches: tuple[TrueScratch, ...]
    unexplained: tuple[Defect, ...]


def compare(truth: ElementTruth, defect_map: DefectMap) -> Comparison:
    """Holds a map against the truth of its element; both in the element's frame."""
    mm = defect_map.scan.pitch_um / 1000.0
    scratches = []
    explained: set[str] = set()
    for trace in truth.scratches:
        points = _points_along(trace.vertices * mm)
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
        covered = np.any(list(within.values()), axis=0).mean() if within else 0.0
        scratches.append(
            TrueScratch(
                trace=trace,
                length_mm=trace.length_px * mm * float(on_element.mean()),
                amplitude=float(np.percentile(trace.amplitude, 90)),
                covered=float(covered),
                defects=touching,
            )
        )
    unexplained = tuple(d for d in defect_map.defects if d.id not in explained)
    return Comparison(tuple(scratches), unexplained)


def _points_along(vertices: FloatArray) -> FloatArray:
    """Points (M, 2) every tenth of a millimetre along a polyline (K, 2), mm."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, int(along[-1] / _STEP_MM)))
    return np.stack([np.interp(at, along, vertices[:, axis]) for axis in (0, 1)], axis=1)


def _contains(defect: Defect, point: FloatArray) -> bool:
    """Whether a point (mm) lies within a defect's outer ring and in none of its holes."""
    outer, *holes = (np.array(ring, np.float32) for ring in defect.contour)
    place = (float(point[0]), float(point[1]))
    return cv2.pointPolygonTest(outer, place, measureDist=False) >= 0 and not any(
        cv2.pointPolygonTest(hole, place, measureDist=False) > 0 for hole in holes
    )
