"""Scratches drawn by eye, found or missed in the defect map of their frame, and false defects."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from darkscan.network.evaluation.polylines import Polylines, steps_of
from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.defect_map import DefectMap

FOUND_PX = 6.0
"""A centre line this close to a scratch lies on it, pixels."""
FALSE_PX = 8.0
"""A centre line further than this from all that is drawn is false, pixels."""

_FOUND_SHARE = 0.5
_STEP_PX = 0.5


@dataclass(frozen=True, eq=False)
class MapFindings:
    """What a defect map shows of the lines drawn on its frame, and what else.

    ``clear`` and ``faint`` (K,) say of each scratch whether at least half of its length lies
    within 6 px of a centre line of any defect. ``centrelines`` are the map's, each (P, 2), x
    and y in the frame's pixels, and ``stray_px`` (P,) says of each how much of it lies further
    than 8 px from everything drawn, be it unsure; ``lengths_px`` (P,) how long it is.
    """

    clear: Mask
    faint: Mask
    centrelines: tuple[Float64Array, ...]
    lengths_px: Float64Array
    stray_px: Float64Array
    false_defects: int
    """Defects with centre lines, all of which are false."""

    without_line: int
    """Defects in which no centre line was traced."""

    @property
    def false(self) -> Mask:
        """(P,) whether no part of a centre line lies near anything drawn."""
        return _is_all(self.stray_px, self.lengths_px)


def find_in_map(lines: Polylines, defect_map: DefectMap) -> MapFindings:
    """Holds the map of one frame against what is drawn on it.

    The frame is the element: its first pixel's outer corner is the map's origin.
    """
    pixel_mm = defect_map.scan.pitch_um / 1000
    centrelines = tuple(
        np.array(scratch.centreline) / pixel_mm
        for defect in defect_map.defects
        for scratch in defect.scratches
    )
    lengths, stray = (
        np.array([_length_and_stray(line, lines.everything) for line in centrelines])
        .reshape(-1, 2)
        .T
    )
    counts = [len(defect.scratches) for defect in defect_map.defects]
    false_of_defects = np.split(_is_all(stray, lengths), np.cumsum(counts)[:-1])
    return MapFindings(
        clear=_found(lines.clear, centrelines),
        faint=_found(lines.faint, centrelines),
        centrelines=centrelines,
        lengths_px=lengths,
        stray_px=stray,
        false_defects=sum(len(each) > 0 and bool(each.all()) for each in false_of_defects),
        without_line=counts.count(0),
    )


def _found(scratches: Sequence[Float64Array], centrelines: Sequence[Float64Array]) -> Mask:
    found = []
    for scratch in scratches:
        steps = steps_of(scratch, _STEP_PX)
        near = distance_to(steps.middles, centrelines) <= FOUND_PX
        found.append(steps.lengths[near].sum() >= _FOUND_SHARE * steps.lengths.sum())
    return np.array(found, np.bool_)


def _length_and_stray(
    centreline: Float64Array, drawn: Sequence[Float64Array]
) -> tuple[float, float]:
    """A centre line's length, and how much of it lies far from everything drawn, pixels."""
    steps = steps_of(centreline, _STEP_PX)
    far = distance_to(steps.middles, drawn) > FALSE_PX
    return float(steps.lengths.sum()), float(steps.lengths[far].sum())


def _is_all(parts: Float64Array, wholes: Float64Array) -> Mask:
    return np.asarray(parts > wholes - _STEP_PX / 2)


def distance_to(points: Float64Array, lines: Sequence[Float64Array]) -> Float64Array:
    """How far each point (P, 2) lies from the nearest of the polylines (K, 2): (P,).

    Infinity if there is no line.
    """
    nearest = np.full(len(points), np.inf)
    for line in lines:
        for first, last in pairwise(line):
            along = last - first
            square = max(float(along @ along), 1e-12)
            place = np.clip((points - first) @ along / square, 0.0, 1.0)
            foot = first + place[:, None] * along
            nearest = np.minimum(nearest, np.hypot(*(points - foot).T))
    return nearest
