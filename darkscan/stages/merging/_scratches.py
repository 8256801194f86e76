"""Places the pieces of scratches on the element, and joins them across frame borders and gaps.

Frames overlap, so one stretch of a scratch is traced in two or four of them. Frames are
taken in their order; of each later line only the part stays that no line of another frame
ran along before.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import Scratch
from darkscan.pipeline.core.frame_results import FrameResult
from darkscan.stages.merging._raster import Labels, Raster, rounded

_SAME_PX = 4.0  # two frames place one line this close to each other
_SAME_DIRECTION = 0.9  # cosine
_SHORTEST_REST_PX = 6.0
_ROWS_AT_ONCE = 512  # points that are compared with others at a time

_LONGEST_GAP_PX = 30.0
_LONGEST_OVERLAP_PX = 6.0
_ASIDE_PX = 4.0  # a piece may go on this far beside its direction, besides what the angle allows
_ALIGNED = math.cos(math.radians(25))
_END_PX = 15  # the last points of a piece, which give its end's direction
_SHORTEST_PX = 12.0
_FINENESS_PX = 0.3  # a centre line is thinned out to points that keep it this close
_WIDTH_DECIMALS, _CONTRAST_DECIMALS = 1, 2

_End = tuple[int, bool]
"""Which piece, and whether its last point rather than its first."""

_Chain = list[tuple[int, bool]]
"""Pieces one after the other, and whether each runs forwards."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a line within one defect."""

    points: Float64Array
    """(K, 2) x, y, mm, a pixel apart."""

    frames: frozenset[int]
    width_um: float
    contrast: float

    @property
    def length_mm(self) -> float:
        """From end to end along it."""
        return length(self.points)


def length(points: Float64Array) -> float:
    """The length of a polyline (K, 2), in its own unit."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def find_pieces(
    raster: Raster, results: Sequence[FrameResult], labels: Labels, pixel_mm: float
) -> dict[int, list[Piece]]:
    """The pieces in each of the labelled defects; each place of a scratch is in one piece.

    ``results`` are in the order of their frames, ``labels`` (rows, columns) says of which
    defect a cell is, ``pixel_mm`` is the size of a pixel.
    """
    found: dict[int, list[Piece]] = {}
    for result in results:
        placed = [
            (int(label), piece)
            for whole in _placed(raster, result, pixel_mm)
            for label, piece in _cut(whole, _labels_at(raster, labels, whole.points))
        ]
        # Those of one frame are compared with earlier frames only: they are distinct.
        new = [
            (label, rest)
            for label, piece in placed
            for rest in _unseen(piece, found.get(label, []), pixel_mm)
        ]
        for label, rest in new:
            found.setdefault(label, []).append(rest)
    return found


def _placed(raster: Raster, result: FrameResult, pixel_mm: float) -> Iterator[Piece]:
    """A frame's lines in mm."""
    lines = result.centrelines
    ends = np.cumsum(lines.counts)[:-1]
    parts = np.split(lines.points, ends) if len(lines.counts) else []
    for points, width, contrast in zip(
        parts, lines.widths.tolist(), lines.contrasts.tolist(), strict=True
    ):
        placed = raster.pixel_to_stage.place(points, result.meta.position_mm)
        if length(placed) > 0:
            yield Piece(
                resampled(placed, pixel_mm),
                frozenset([result.meta.frame]),
                1000 * pixel_mm * width,
                contrast,
            )


def resampled(points: Float64Array, step: float) -> Float64Array:
    """A polyline (K, 2) with points about one step apart, and its own ends."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _labels_at(raster: Raster, labels: Labels, points: Float64Array) -> npt.NDArray[np.int32]:
    """The label (K,) of the cell under each point; 0 beside the element."""
    columns = np.searchsorted(raster.x_mm, points[:, 0], "right") - 1
    rows = np.searchsorted(raster.y_mm, points[:, 1], "right") - 1
    height, width = labels.shape
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    under = np.zeros(len(points), np.int32)
    under[inside] = labels[rows[inside], columns[inside]]
    return under


def _cut(piece: Piece, values: npt.NDArray[np.int32]) -> Iterator[tuple[int, Piece]]:
    """The runs of equal values (K,) other than 0, with their value."""
    borders = np.flatnonzero(np.diff(values)) + 1
    edges = [0, *borders.tolist(), len(values)]
    for first, end in pairwise(edges):
        if values[first] and end - first > 1:
            part = piece.points[first:end]
            yield int(values[first]), Piece(part, piece.frames, piece.width_um, piece.contrast)


def _unseen(piece: Piece, others: Sequence[Piece], pixel_mm: float) -> Iterator[Piece]:
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
    for _, rest in _cut(piece, (~seen).astype(np.int32)):
        if not seen.any() or rest.length_mm >= _SHORTEST_REST_PX * pixel_mm:
            yield rest


def _along(
    points: Float64Array, others: Float64Array, some: npt.NDArray[np.intp], near: float
) -> npt.NDArray[np.bool_]:
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


def _end(piece: Piece, *, last: bool) -> tuple[Float64Array, Float64Array]:
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


def _simplified(points: Float64Array, fineness: float) -> tuple[tuple[float, float], ...]:
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
