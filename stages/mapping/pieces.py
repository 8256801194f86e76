"""Pieces of scratches on the element: placed, cut at the defects' borders, counted once.

Frames overlap, so one stretch of a scratch is traced in two or four of them. Frames are
taken in their order; of each later line only the part stays that no line of another frame
ran along before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.geometry import FloatArray
from darkscan.pipeline.results import FrameResult
from darkscan.stages.mapping.contours import Labels
from darkscan.stages.mapping.raster import Raster

_SAME_PX = 4.0  # two frames place one line this close to each other
_SAME_DIRECTION = 0.9  # cosine
_SHORTEST_REST_PX = 6.0
_ROWS_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a line within one defect."""

    points: FloatArray
    """(K, 2) x, y, mm, a pixel apart."""

    frames: frozenset[int]
    width_um: float
    contrast: float

    @property
    def length_mm(self) -> float:
        """From end to end along it."""
        return length(self.points)


def length(points: FloatArray) -> float:
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


def resampled(points: FloatArray, step: float) -> FloatArray:
    """A polyline (K, 2) with points about one step apart, and its own ends."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _labels_at(raster: Raster, labels: Labels, points: FloatArray) -> npt.NDArray[np.int32]:
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
    points: FloatArray, others: FloatArray, some: npt.NDArray[np.intp], near: float
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


def _directions(points: FloatArray) -> FloatArray:
    """(K, 2) unit vectors along a polyline."""
    steps = np.gradient(points, axis=0)
    return np.asarray(steps / np.maximum(np.hypot(*steps.T)[:, None], 1e-12), np.float64)
