"""What a window's neighbours see of it: a scratch that grazes one crosses another."""

import itertools
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.inference.backend import Seen
from darkscan.pipeline.core.arrays import Float32Array, Indices

_NO_WINDOW = -1


def scores_in_context(seen: Seen, origins: npt.NDArray[np.int32], window: int) -> Float32Array:
    """The scores (N,) of a frame's windows: with their neighbours', where there are lines."""
    if seen.lines is None:
        return seen.scores
    return with_neighbours(origins, seen.scores, seen.lines, window)


def with_neighbours(
    origins: npt.NDArray[np.int32], scores: Float32Array, lines: Float32Array, window: int
) -> Float32Array:
    """Scores (N,) of windows that know what the windows overlapping them found there.

    A window that shows a corner of a scratch cannot tell it from a speck; a neighbour that
    sees the whole can, and its line map says where it runs. So a window's score is raised
    to a neighbour's, times the highest line probability in the cells that both show.
    No score rises above the highest around it: nothing is found that no window found.

    ``origins`` (N, 2) first pixels (y, x); ``scores`` (N,) and ``lines`` (N, cells, cells)
    probabilities, of the windows alone; ``window`` their side in pixels.
    """
    seen = scores.copy()
    overlaps = _overlaps(origins.astype(np.int32).tobytes(), window, lines.shape[1:])
    # Of all cells once; what windows share is put together from a few blocks of them.
    strips = [lines[:, rows].max(axis=1) for rows in overlaps.row_blocks]
    blocks = np.array(
        [[strip[:, some].max(axis=1) for some in overlaps.column_blocks] for strip in strips]
    )
    for rows, columns, own, other in overlaps.pairs:
        # Each own window is in a group once: its neighbour at this offset.
        told = scores[other] * blocks[rows, columns].max(axis=(0, 1))[other]
        seen[own] = np.maximum(seen[own], told)
    return seen


class _Overlaps(NamedTuple):
    """Which windows of a frame overlap, and in which blocks of their cells."""

    row_blocks: list[slice]
    column_blocks: list[slice]
    pairs: list[tuple[slice, slice, Indices, Indices]]
    """For each offset the shared blocks of the other windows, each window and its other one."""


@lru_cache(maxsize=8)
def _overlaps(origins: bytes, window: int, cells: tuple[int, int]) -> _Overlaps:
    """Of the windows of a scan's frames: they lie alike in all of them."""
    places = np.frombuffer(origins, np.int32).reshape(-1, 2)
    ys, xs = (np.array(sorted(set(axis))) for axis in places.T.tolist())
    number = np.full((len(ys), len(xs)), _NO_WINDOW)
    row, column = np.searchsorted(ys, places[:, 0]), np.searchsorted(xs, places[:, 1])
    number[row, column] = np.arange(len(places))
    found = []
    for (down, below, above), (right, behind, before) in itertools.product(
        _steps(ys, window), _steps(xs, window)
    ):
        rows, columns = (
            _shared_cells(step, window, count)
            for step, count in zip((down, right), cells, strict=True)
        )
        own, other = number[below][:, behind], number[above][:, before]
        both = (own != _NO_WINDOW) & (other != _NO_WINDOW)
        if (down, right) != (0, 0) and rows and columns and both.any():
            found.append((rows, columns, own[both], other[both]))
    row_edges, column_edges = (
        sorted({edge for each in found for edge in (each[axis].start, each[axis].stop)})
        for axis in (0, 1)
    )
    pairs = [
        (_between(row_edges, rows), _between(column_edges, columns), own, other)
        for rows, columns, own, other in found
    ]
    return _Overlaps(_blocks(row_edges), _blocks(column_edges), pairs)


def _blocks(edges: list[int]) -> list[slice]:
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def _between(edges: list[int], cells: range) -> slice:
    """The blocks between edges that some cells make up."""
    return slice(edges.index(cells.start), edges.index(cells.stop))


def _steps(places: Indices, window: int) -> list[tuple[int, Indices, Indices]]:
    """How far places along an axis lie after others less than a window away: which after which."""
    distance = places[:, None] - places
    steps = sorted(set(distance[np.abs(distance) < window].tolist()))
    pairs = ((step, distance == step) for step in steps)
    return [(step, same.nonzero()[0], same.nonzero()[1]) for step, same in pairs]


def _shared_cells(step: int, window: int, cells: int) -> range:
    """The other window's cells that lie wholly in the one ``step`` px after it."""
    cell = window // cells
    return range(-(-max(step, 0) // cell), (min(step, 0) + window) // cell)
