"""Scores of windows with their neighbours': a scratch that grazes one window crosses another."""

import itertools
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.inference.backend import Seen
from darkscan.pipeline.core.arrays import Float32Array, Indices
from darkscan.pipeline.core.frame_results import ModelInfo

_NO_WINDOW = -1


def frame_scores(seen: Seen, origins: npt.NDArray[np.int32], model: ModelInfo) -> Float32Array:
    """Scores (N,) of a frame's windows with first pixels ``origins`` (N, 2), y and x.

    Windows of a windowed model learn of their neighbours'; a dense model has seen these itself,
    and telling it again only spreads its mistakes.
    """
    return seen.scores if model.dense else scores_with_neighbours(seen, origins, model.window)


def scores_with_neighbours(seen: Seen, origins: npt.NDArray[np.int32], window: int) -> Float32Array:
    """Scores (N,) of windows that know what the windows overlapping them found there.

    A window that shows a corner of a scratch cannot tell it from a speck; a neighbour that
    sees the whole can, and its line map says where it runs. So a window's score is raised
    to a neighbour's, times the highest line probability in the cells that both show.
    No score rises above the highest around it: nothing is found that no window found.

    ``seen``: scores and lines of the windows alone, of one frame; without lines the scores stay
    as they are. ``origins`` (N, 2) first pixels (y, x); ``window`` their side in pixels.
    """
    scores, lines = seen.scores, seen.lines
    if lines is None:
        return scores
    raised = scores.copy()
    overlaps = _overlaps(origins.astype(np.int32).tobytes(), window, lines.shape[1:])
    # The maximum of each block of cells is taken once; shared areas are made up of blocks.
    strips = [lines[:, rows].max(axis=1) for rows in overlaps.row_blocks]
    blocks = np.array(
        [[strip[:, some].max(axis=1) for some in overlaps.column_blocks] for strip in strips]
    )
    for rows, columns, own, other in overlaps.pairs:
        # Each own window is in a group once: its neighbour at this offset.
        told = scores[other] * blocks[rows, columns].max(axis=(0, 1))[other]
        raised[own] = np.maximum(raised[own], told)
    return raised


class _Overlaps(NamedTuple):
    """The pairs of a frame's windows that overlap, and in which blocks of their cells."""

    row_blocks: list[slice]
    column_blocks: list[slice]
    pairs: list[tuple[slice, slice, Indices, Indices]]
    """For each offset the shared blocks of the other windows, each window and its other one."""


@lru_cache(maxsize=8)
def _overlaps(origins: bytes, window: int, cells: tuple[int, int]) -> _Overlaps:
    """The overlaps of windows (N, 2) int32 as bytes; kept, as all frames of a scan share them."""
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
    """The blocks between edges that make up a range of cells."""
    return slice(edges.index(cells.start), edges.index(cells.stop))


def _steps(places: Indices, window: int) -> list[tuple[int, Indices, Indices]]:
    """The distances, less than a window, between places along an axis.

    Each with the numbers of the places that lie so far after others, and of those others.
    """
    distance = places[:, None] - places
    steps = sorted(set(distance[np.abs(distance) < window].tolist()))
    pairs = ((step, distance == step) for step in steps)
    return [(step, same.nonzero()[0], same.nonzero()[1]) for step, same in pairs]


def _shared_cells(step: int, window: int, cells: int) -> range:
    """The other window's cells that lie wholly in the one ``step`` px after it."""
    cell = window // cells
    return range(-(-max(step, 0) // cell), (min(step, 0) + window) // cell)
