"""Joins pieces of scratches end to end, across frame borders and gaps."""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from darkscan.pipeline.defect_map import Scratch
from darkscan.pipeline.geometry import FloatArray
from darkscan.stages.mapping.contours import rounded
from darkscan.stages.mapping.pieces import Piece, length

_LONGEST_GAP_PX = 30.0
_LONGEST_OVERLAP_PX = 6.0
_ASIDE_PX = 4.0  # of where a piece would go on, beside what the angle allows
_ALIGNED = math.cos(math.radians(25))
_END_PX = 15  # of a piece whose direction is that of its end
_SHORTEST_PX = 30.0
_FINENESS_PX = 0.3  # a centre line with as few points as keep it that close
_WIDTH_DECIMALS, _CONTRAST_DECIMALS = 1, 2

_End = tuple[int, bool]
"""Which piece, and whether its last point rather than its first."""

_Chain = list[tuple[int, bool]]
"""Pieces one after the other, and whether each runs forwards."""


def join(pieces: Sequence[Piece], pixel_mm: float) -> tuple[Scratch, ...]:
    """The scratches that the pieces of one defect make up, the longest first."""
    chain_of: list[_Chain] = [[(number, True)] for number in range(len(pieces))]
    for _, one, other in sorted(_candidates(pieces, pixel_mm)):
        before, behind = chain_of[one[0]], chain_of[other[0]]
        if before is behind or not (_is_loose(before, one) and _is_loose(behind, other)):
            continue
        if before[-1] != one:  # its end is the chain's first: turn it round
            before = _turned(before)
        if behind[0] != (other[0], not other[1]):
            behind = _turned(behind)
        joined = before + behind
        for number, _ in joined:
            chain_of[number] = joined
    chains = {id(chain): chain for chain in chain_of}.values()
    scratches = [_describe(pieces, chain, pixel_mm) for chain in chains]
    long = [s for s in scratches if s is not None and s.length_mm >= _SHORTEST_PX * pixel_mm]
    return tuple(sorted(long, key=lambda scratch: (-scratch.length_mm, scratch.centreline)))


def _is_loose(chain: _Chain, end: _End) -> bool:
    """Whether an end of a piece is an end of its chain: (piece, True) ends with its last point."""
    return chain[-1] == end or chain[0] == (end[0], not end[1])


def _turned(chain: _Chain) -> _Chain:
    return [(number, not forwards) for number, forwards in reversed(chain)]


def _candidates(pieces: Sequence[Piece], pixel_mm: float) -> list[tuple[float, _End, _End]]:
    """Pairs of ends that may belong together, with their distance in mm."""
    ends = [(number, last) for number in range(len(pieces)) for last in (False, True)]
    if len(ends) <= 2:  # noqa: PLR2004 - one piece has no partner
        return []
    places = np.array([pieces[k].points[-1 if last else 0] for k, last in ends])
    distance = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
    near = np.argwhere(np.triu(distance <= _LONGEST_GAP_PX * pixel_mm, k=1)).tolist()
    return [
        (float(distance[i, j]), ends[i], ends[j])
        for i, j in near
        if ends[i][0] != ends[j][0] and _continue(pieces, ends[i], ends[j], pixel_mm)
    ]


def _continue(pieces: Sequence[Piece], one: _End, other: _End, pixel_mm: float) -> bool:
    """Whether two ends point at each other."""
    place, heading = _end(pieces[one[0]], last=one[1])
    far, back = _end(pieces[other[0]], last=other[1])
    if float(heading @ -back) < _ALIGNED:
        return False
    gap = far - place
    ahead = float(gap @ heading)
    aside = abs(float(heading[0] * gap[1] - heading[1] * gap[0]))
    reach = _ASIDE_PX * pixel_mm + max(ahead, 0.0) * math.tan(math.acos(_ALIGNED)) / 2
    return ahead >= -_LONGEST_OVERLAP_PX * pixel_mm and aside <= reach


def _end(piece: Piece, *, last: bool) -> tuple[FloatArray, FloatArray]:
    """An end of a piece, and the direction in which the piece would go on there."""
    points = piece.points if last else piece.points[::-1]
    step = points[-1] - points[-min(len(points), _END_PX)]
    return points[-1], step / max(float(np.hypot(*step)), 1e-12)


def _describe(pieces: Sequence[Piece], chain: _Chain, pixel_mm: float) -> Scratch | None:
    """A chain as the map lists it; None if nothing of it is left at the map's precision."""
    parts = [pieces[number] for number, _ in chain]
    points = np.concatenate(
        [pieces[number].points[:: 1 if forwards else -1] for number, forwards in chain]
    )
    if tuple(points[-1, ::-1]) < tuple(points[0, ::-1]):  # from the top down, then from the left
        points = points[::-1]
    line = _simplified(points, _FINENESS_PX * pixel_mm)
    if len(line) < 2:  # noqa: PLR2004 - a line's ends
        return None
    lengths = [piece.length_mm for piece in parts]
    width, contrast = (
        math.fsum(value * part for value, part in zip(values, lengths, strict=True))
        / math.fsum(lengths)
        for values in ([p.width_um for p in parts], [p.contrast for p in parts])
    )
    return Scratch(
        centreline=line,
        length_mm=rounded([length(np.array(line))])[0],
        width_um=round(width, _WIDTH_DECIMALS),
        contrast=round(contrast, _CONTRAST_DECIMALS),
        frames=tuple(sorted(frozenset().union(*(piece.frames for piece in parts)))),
    )


def _simplified(points: FloatArray, fineness: float) -> tuple[tuple[float, float], ...]:
    """The polyline with as few points as keep it as close; none twice in a row."""
    # Single precision is all that OpenCV takes: start from a corner of their own.
    origin = points.min(axis=0)
    path = (points - origin).astype(np.float32)[:, None]
    kept = cv2.approxPolyDP(path, fineness, closed=False)[:, 0] + origin
    line: list[tuple[float, float]] = []
    for point in kept:
        x, y = rounded(point)
        if not line or line[-1] != (x, y):
            line.append((x, y))
    return tuple(line)
