"""Places the pieces of lines on the element, and joins them across frame borders and gaps.

Frames overlap, so one stretch of a scratch is traced in two or four of them. Frames are
taken in their order; of each later line only the part stays that no line of another frame
ran along before. What is left is joined where ends point at each other better than unrelated
ends would: by the number of false alarms, after Desolneux, Moisan and Morel, "Meaningful
alignments" (IJCV 40(1), 2000).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt
from shapely import STRtree, points

from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.pipeline.core.frame_results import KINDS, SHORTEST_PX, FrameResult, LineMeasures
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.outlines import length, resampled, rounded
from darkscan.stages.merging._raster import Raster

_SAME_PX = 4.0  # two frames place one line this close to each other
_SAME_DIRECTION = 0.9  # cosine
_SHORTEST_REST_PX = 6.0
_ROWS_AT_ONCE = 512  # points that are compared with others at a time
_BOX_PX = 256.0  # pieces are looked up by squares of this side

_MOST_FALSE = 0.01  # of all joins of a pair of ends, those of unrelated ends that it would take
_LONGEST_GAP, _SHORTEST_REACH_PX, _LONGEST_REACH_PX = 2.5, 20.0, 200.0  # in lengths; its bounds
_LONGEST_OVERLAP_PX = 6.0
_ASIDE_PX = 4.0  # a piece may go on this far beside its direction, besides what the angle allows
_ALIGNED = math.cos(math.radians(25))
_END_PX, _TIP_PX = 40, 6  # the points that give an end's direction, without its very tip
_PLACE_PX = 1.0  # how well a piece's ends are known across
_NEIGHBOURS_PX = 200.0  # how far around a pair unrelated ends are counted
_FINENESS_PX = 0.3  # a centre line is thinned out to points that keep it this close

_End = tuple[int, bool]
"""Which piece, and whether its last point rather than its first."""

_Chain = list[tuple[int, bool]]
"""Pieces one after the other, and whether each runs forwards."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a line, in mm: seen in one frame, or joined of several."""

    points: Float64Array
    """(K, 2) x, y, mm; a pixel apart, unless joined."""

    frames: frozenset[int]
    measures: LineMeasures
    """In the pixels of its frame."""

    kinds: Float64Array
    """(4,) the probability of each of DEFECT_KINDS; NaN: not told."""

    @property
    def length_mm(self) -> float:
        """From end to end along it."""
        return length(self.points)


def find_lines(raster: Raster, results: Sequence[FrameResult], pixel_mm: float) -> list[Piece]:
    """All lines of the element, each place once, joined; in no order that means anything.

    ``results`` are in the order of their frames, ``pixel_mm`` is the size of a pixel.
    """
    joined = _join(_find_pieces(raster, results, pixel_mm), pixel_mm)
    return [line for line in joined if line.length_mm >= SHORTEST_PX * pixel_mm]


def _find_pieces(raster: Raster, results: Sequence[FrameResult], pixel_mm: float) -> list[Piece]:
    """The pieces of all lines; each place of a line is in one piece."""
    found: list[Piece] = []
    index = _Index(_BOX_PX * pixel_mm)
    for result in results:
        # Those of one frame are compared with earlier frames only: they are distinct.
        new = [
            rest
            for piece in _placed(raster, result, pixel_mm)
            for rest in _unseen(piece, [found[k] for k in index.near(piece.points)], pixel_mm)
        ]
        for rest in new:
            index.add(len(found), rest.points)
            found.append(rest)
    return found


class _Index:
    """Which polylines come near a place."""

    def __init__(self, side: float) -> None:
        self._side = side
        self._squares: defaultdict[tuple[int, int], list[int]] = defaultdict(list)

    def add(self, number: int, points: Float64Array) -> None:
        """Adds a polyline (K, 2) by a number."""
        for square in self._under(points, 0.0):
            self._squares[square].append(number)

    def near(self, points: Float64Array) -> list[int]:
        """The numbers of those in whose squares, or beside them, a polyline (K, 2) runs."""
        found = (self._squares.get(square, ()) for square in self._under(points, self._side / 8))
        return sorted({number for numbers in found for number in numbers})

    def _under(self, points: Float64Array, margin: float) -> set[tuple[int, int]]:
        corners = rectangle(-margin, -margin, 2 * margin, 2 * margin)
        places = (points[:, None] + corners).reshape(-1, 2)
        return set(map(tuple, np.unique(places // self._side, axis=0).astype(int).tolist()))


def _placed(raster: Raster, result: FrameResult, pixel_mm: float) -> Iterator[Piece]:
    """A frame's lines in mm, where they lie on the element."""
    lines = result.traces.lines
    size = (float(raster.x_mm[-1]), float(raster.y_mm[-1]))
    for own, measures, kinds in zip(
        lines.parts, lines.measures.tolist(), lines.kinds.astype(np.float64), strict=True
    ):
        placed = raster.pixel_to_stage.place(own, result.meta.position_mm)
        if length(placed) > 0:
            along = resampled(placed, pixel_mm)
            frames = frozenset([result.meta.frame])
            whole = Piece(along, frames, LineMeasures(*measures), kinds)
            on_element: Mask = np.all((along >= 0) & (along <= size), axis=1)
            yield from _cut(whole, on_element)


def _cut(piece: Piece, kept: Mask) -> Iterator[Piece]:
    """The runs of points that are kept (K,)."""
    borders = np.flatnonzero(np.diff(kept)) + 1
    for first, end in pairwise([0, *borders.tolist(), len(kept)]):
        if kept[first] and end - first > 1:
            yield replace(piece, points=piece.points[first:end])


def _unseen(piece: Piece, others: Iterable[Piece], pixel_mm: float) -> Iterator[Piece]:
    """The parts of a piece that no other frame's piece runs along."""
    near = _SAME_PX * pixel_mm
    seen = np.zeros(len(piece.points), np.bool_)
    low, high = piece.points.min(axis=0) - near, piece.points.max(axis=0) + near
    for other in others:
        if piece.frames & other.frames:
            continue
        close = ((other.points >= low) & (other.points <= high)).all(axis=1)
        if close.any():
            seen |= _along(piece.points, other.points, np.flatnonzero(close), near)
    for rest in _cut(piece, ~seen):
        if not seen.any() or rest.length_mm >= _SHORTEST_REST_PX * pixel_mm:
            yield rest


def _along(
    points: Float64Array, others: Float64Array, some: npt.NDArray[np.intp], near: float
) -> Mask:
    """Which points (K,) have one of ``some`` others near that runs in the same direction."""
    directions, other_directions = _directions(points), _directions(others)[some]
    others = others[some]
    low, high = others.min(axis=0) - near, others.max(axis=0) + near
    within = np.flatnonzero(((points >= low) & (points <= high)).all(axis=1))
    seen = np.zeros(len(points), np.bool_)
    for first in range(0, len(within), _ROWS_AT_ONCE):
        rows = within[first : first + _ROWS_AT_ONCE]
        square = ((points[rows, None] - others[None]) ** 2).sum(axis=2)
        nearest = square.argmin(axis=1)
        same = np.abs((directions[rows] * other_directions[nearest]).sum(axis=1))
        seen[rows] = (square[np.arange(len(rows)), nearest] <= near**2) & (same >= _SAME_DIRECTION)
    return seen


def _directions(points: Float64Array) -> Float64Array:
    """(K, 2) unit vectors along a polyline."""
    steps = np.gradient(points, axis=0)
    return np.asarray(steps / np.maximum(np.hypot(*steps.T)[:, None], 1e-12), np.float64)


def _join(pieces: Sequence[Piece], pixel_mm: float) -> list[Piece]:
    """The lines that the pieces make up."""
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
    return [_joined(pieces, chain) for chain in chains]


def _is_loose(chain: _Chain, end: _End) -> bool:
    """Whether an end of a piece is an end of its chain: (piece, True) ends with its last point."""
    return chain[-1] == end or chain[0] == (end[0], not end[1])


def _turned(chain: _Chain) -> _Chain:
    return [(number, not forwards) for number, forwards in reversed(chain)]


def _candidates(pieces: Sequence[Piece], pixel_mm: float) -> list[tuple[float, _End, _End]]:
    """Pairs of ends that belong together, with the false alarms that joining them takes."""
    ends = [(number, last) for number in range(len(pieces)) for last in (False, True)]
    if len(ends) <= 2:  # noqa: PLR2004 - one piece has no partner
        return []
    places = np.array([pieces[k].points[-1 if last else 0] for k, last in ends])
    tree = STRtree(points(places))
    reach = _LONGEST_REACH_PX * pixel_mm
    near = tree.query(tree.geometries, predicate="dwithin", distance=reach).T
    around = tree.query(tree.geometries, predicate="dwithin", distance=_NEIGHBOURS_PX * pixel_mm)[0]
    # A line's own ends, and those it would be joined to, are no strangers.
    strangers = np.maximum(np.bincount(around, minlength=len(ends)) - 4, 1)
    found = []
    for i, j in near.tolist():
        if i < j and ends[i][0] != ends[j][0]:
            density = max(strangers[i], strangers[j]) / (math.pi * _NEIGHBOURS_PX**2)
            alarms = _false_alarms(pieces, ends[i], ends[j], pixel_mm, density)
            if alarms <= _MOST_FALSE:
                found.append((alarms, ends[i], ends[j]))
    return found


def _false_alarms(
    pieces: Sequence[Piece], one: _End, other: _End, pixel_mm: float, density: float
) -> float:
    """How many unrelated ends would fit an end as well as another does; infinity: it does not.

    ``density`` of unrelated ends, in a square pixel. An end fits as well if it lies in the
    sector ahead, as near and as straight ahead, and if its heading is turned no further.
    """
    place, heading, basis = _end(pieces[one[0]], last=one[1])
    far, back, far_basis = _end(pieces[other[0]], last=other[1])
    aligned = -float(heading @ back)
    gap = (far - place) / pixel_mm
    distance = float(np.hypot(*gap))
    lengths = (pieces[one[0]].length_mm / pixel_mm, pieces[other[0]].length_mm / pixel_mm)
    longest = min(max(_LONGEST_GAP * min(lengths), _SHORTEST_REACH_PX), _LONGEST_REACH_PX)
    if aligned < _ALIGNED or distance > longest:
        return math.inf
    slack = 2 * _PLACE_PX * pixel_mm / min(basis, far_basis)  # how well headings are known
    slant = 0.0
    for direction, step in ((heading, gap), (back, -gap)):
        ahead = float(step @ direction)
        aside = abs(float(direction[0] * step[1] - direction[1] * step[0]))
        reach = _ASIDE_PX + max(ahead, 0.0) * math.tan(math.acos(_ALIGNED)) / 2
        if ahead < -_LONGEST_OVERLAP_PX or aside > reach:
            return math.inf
        slant = max(slant, math.atan2(max(aside, _PLACE_PX), max(ahead, _ASIDE_PX)))
    area = max(slant, slack) * max(distance, _ASIDE_PX) ** 2
    turned = math.acos(min(aligned, 1.0))
    return density * area * max(turned, slack) / math.pi


def _end(piece: Piece, *, last: bool) -> tuple[Float64Array, Float64Array, float]:
    """An end of a piece, the direction in which it would go on, and what that is measured on."""
    points = piece.points if last else piece.points[::-1]
    tip = min(_TIP_PX, len(points) // 4)
    step = points[-1 - tip] - points[-min(len(points), _END_PX + tip)]
    basis = max(float(np.hypot(*step)), 1e-12)
    return points[-1], step / basis, basis


def _joined(pieces: Sequence[Piece], chain: _Chain) -> Piece:
    """A chain as one piece; its measures are the means of all lengths, the widest of all."""
    parts = [pieces[number] for number, _ in chain]
    if len(parts) == 1:
        return parts[0]
    lengths = np.array([part.length_mm for part in parts])
    weights = lengths / lengths.sum()
    each = np.array([part.measures for part in parts])
    mean = LineMeasures(*(weights @ each).tolist())
    errors = weights * [part.measures.width_error for part in parts]
    return Piece(
        points=np.concatenate(
            [pieces[number].points[:: 1 if forwards else -1] for number, forwards in chain]
        ),
        frames=frozenset().union(*(part.frames for part in parts)),
        measures=mean._replace(
            widest=max(part.measures.widest for part in parts),
            width_error=float(np.hypot.reduce(errors)),
        ),
        kinds=np.asarray(weights @ np.array([part.kinds for part in parts]).reshape(-1, KINDS)),
    )


def simplified(points: Float64Array, pixel_mm: float) -> tuple[tuple[float, float], ...]:
    """The polyline (K, 2), mm, with as few points as keep it within a third of a pixel.

    From the top down, then from the left; no point is there twice in a row.
    """
    if tuple(points[-1, ::-1]) < tuple(points[0, ::-1]):
        points = points[::-1]
    # Single precision is all that OpenCV takes: start from a corner of their own.
    origin = points.min(axis=0)
    path = (points - origin).astype(np.float32)[:, None]
    kept = cv2.approxPolyDP(path, _FINENESS_PX * pixel_mm, closed=False)[:, 0] + origin
    line: list[tuple[float, float]] = []
    for point in kept:
        x, y = rounded(point)
        if not line or line[-1] != (x, y):
            line.append((x, y))
    return tuple(line)
