"""Scratches drawn by eye, found or missed in the defect map of their frame, and false defects."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from darkscan.network.evaluation.polylines import Polylines
from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.simulation.element.tracks import Track, share

FOUND_PX = 6.0
"""A centre line this close to a scratch lies on it, pixels."""
FALSE_PX = 8.0
"""A centre line further than this from all that is drawn is false, pixels."""

_FOUND_SHARE = 0.5
_SPLIT_SHARE = 0.2
_STEP_PX = 0.5


@dataclass(frozen=True, eq=False)
class DrawnFindings:
    """What a map shows of K lines drawn on its frame; scratches and fibres of the map count.

    A line of the map lies on a drawn one where it is within 6 px and heads as it does.
    """

    lengths_px: Float64Array
    """(K,)."""
    traced: Float64Array
    """(K,) the part of each drawn line along which any line of the map lies, 0 to 1."""
    lines: tuple[tuple[int, ...], ...]
    """(K,) the lines of the map that lie on half of each or more: numbers of ``centrelines``."""
    split: Mask
    """(K,) whether two lines of the map or more each lie on a fifth of it."""

    @property
    def found(self) -> Mask:
        """(K,) whether lines of the map lie on half of it or more."""
        return np.asarray(self.traced >= _FOUND_SHARE, np.bool_)

    @property
    def once(self) -> Mask:
        """(K,) whether exactly one line of the map lies on half of it or more."""
        return np.array([len(lines) == 1 for lines in self.lines], np.bool_)


@dataclass(frozen=True, eq=False)
class MapFindings:
    """What a defect map shows of the lines drawn on its frame, and what else."""

    clear: DrawnFindings
    faint: DrawnFindings
    centrelines: tuple[Float64Array, ...]
    """The map's lines (P,), each (M, 2), x and y in the frame's pixels."""
    fibres: Mask
    """(P,) which of them are fibres; the others are scratches."""
    lengths_px: Float64Array
    """(P,) how long they are."""
    stray_px: Float64Array
    """(P,) how much of each lies further than 8 px from all that is drawn, be it unsure."""
    merged: int
    """Lines of the map that lie on half or more of two clear or faint ones at least. Those whose
    ends touch were drawn piece by piece, and are one."""
    spots: int
    """Digs and large grains of the map."""
    areas_without_defect: int
    """Areas in which nothing was traced."""

    @property
    def false(self) -> Mask:
        """(P,) whether no part of a line of the map lies near anything drawn."""
        return np.asarray(self.stray_px > self.lengths_px - _STEP_PX / 2, np.bool_)


def find_in_map(lines: Polylines, defect_map: DefectMap) -> MapFindings:
    """Holds the map of one frame against what is drawn on it.

    The frame is the element: its first pixel's outer corner is the map's origin.
    """
    pixel_mm = defect_map.scan.pitch_um / 1000
    listed = [defect for defect in defect_map.defects if defect.is_line]
    tracks = [Track.of(np.array(line.centreline) / pixel_mm, _STEP_PX) for line in listed]
    drawn = [Track.of(line, _STEP_PX) for line in lines.everything]
    clear, faint = (_found(some, tracks) for some in (lines.clear, lines.faint))
    whole = _whole_scratches(lines.scratches)
    on = {
        (number, scratch)
        for scratch, numbers in zip(whole, (*clear.lines, *faint.lines), strict=True)
        for number in numbers
    }
    return MapFindings(
        clear=clear,
        faint=faint,
        centrelines=tuple(track.vertices for track in tracks),
        fibres=np.array([line.kind == "fibre" for line in listed], np.bool_),
        lengths_px=np.array([track.length for track in tracks]),
        stray_px=np.array(
            [track.step * (track.distance_to(drawn) > FALSE_PX).sum() for track in tracks]
        ),
        merged=sum(count > 1 for count in Counter(number for number, _ in on).values()),
        spots=len(defect_map.defects) - len(listed),
        areas_without_defect=defect_map.totals.areas_without_defect,
    )


def _whole_scratches(drawn: Sequence[Float64Array]) -> list[int]:
    """A number for each line drawn, the same for those whose ends touch: clear parts and faint."""
    whole = list(range(len(drawn)))
    for (one, line), (other, further) in combinations(enumerate(drawn), 2):
        between = line[[0, -1], None] - further[[0, -1]]
        if np.hypot(*between.T).min() <= FOUND_PX:
            whole = [whole[one] if number == whole[other] else number for number in whole]
    return whole


def _found(drawn: Sequence[Float64Array], lines: Sequence[Track]) -> DrawnFindings:
    tracks = [Track.of(line, _STEP_PX) for line in drawn]
    masks = [[track.along(line, FOUND_PX) for line in lines] for track in tracks]
    shares = [[share(mask) for mask in own] for own in masks]
    return DrawnFindings(
        lengths_px=np.array([track.length for track in tracks]),
        traced=np.array([share(np.any(own, axis=0)) if own else 0.0 for own in masks]),
        lines=tuple(
            tuple(k for k, part in enumerate(own) if part >= _FOUND_SHARE) for own in shares
        ),
        split=np.array([sum(part >= _SPLIT_SHARE for part in own) > 1 for own in shares], np.bool_),
    )
