"""Brightness adjustment (BA): the paper's hard attention, equations 1 to 3.

For a window with grey levels between V_min and V_max

    gain   W_mult = 255 / (V_max - V_min)        (1)
    offset W_add  = -W_mult * V_min              (2)
    I_BA          = I * W_mult + W_add           (3)

A flat window (V_max = V_min) has no contrast to stretch: its gain and offset are 0,
so its adjusted image is black. Preprocessing computes gain and offset; the model
applies them.
"""

import itertools
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Indices


def window_extrema(
    frame: npt.NDArray[Any], origins: npt.NDArray[np.int32], window: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """V_min and V_max of windows without cutting any out.

    frame: (H, W) uint8 or uint16; origins: (N, 2) int32, first pixel (y, x) of each
    window. Returns two (N,) arrays of the frame's dtype.

    The frame is reduced once to the extrema of the rectangles between all window
    borders (128-pixel blocks on the standard grid); each window combines its few.
    """
    grid = _grid(origins.astype(np.int32).tobytes(), window)
    first = grid.column_edges[0]
    frame = frame[:, first : grid.column_edges[-1]]
    strips = list(itertools.pairwise(grid.row_edges.tolist()))
    lowest, highest = np.empty((2, len(strips), frame.shape[1]), frame.dtype)
    for number, (top, bottom) in enumerate(strips):
        # Both of one strip before the next: it is in the cache then.
        np.minimum.reduce(frame[top:bottom], axis=0, out=lowest[number])
        np.maximum.reduce(frame[top:bottom], axis=0, out=highest[number])
    extrema = []
    for reduce, strip_extrema in ((np.minimum, lowest), (np.maximum, highest)):
        blocks = reduce.reduceat(strip_extrema, grid.column_edges[:-1] - first, axis=1)
        for spans in (grid.row_spans, grid.column_spans):
            blocks = np.stack([reduce.reduce(blocks[span], axis=0) for span in spans]).T
        extrema.append(blocks[grid.own_row, grid.own_column])
    return extrema[0], extrema[1]


def gains_and_offsets(
    v_min: npt.NDArray[Any], v_max: npt.NDArray[Any]
) -> tuple[Float32Array, Float32Array]:
    """W_mult and W_add of equations 1 and 2, (N,) float32 each; 0 and 0 for flat windows."""
    low = v_min.astype(np.float64)
    contrast = v_max.astype(np.float64) - low
    gains = np.divide(255.0, contrast, out=np.zeros_like(contrast), where=contrast > 0)
    return gains.astype(np.float32), (0.0 - gains * low).astype(np.float32)


class _Grid(NamedTuple):
    """The rectangles between all window borders, and which of them each window covers."""

    row_edges: Indices
    column_edges: Indices
    row_spans: list[slice]
    column_spans: list[slice]
    own_row: Indices
    """(N,) the row span of each window."""

    own_column: Indices


@lru_cache(maxsize=8)
def _grid(origins: bytes, window: int) -> _Grid:
    """The grid of some windows; kept, since they lie alike in all frames of a scan."""
    axes = np.frombuffer(origins, np.int32).reshape(-1, 2).T
    (row_edges, row_spans, own_row), (column_edges, column_spans, own_column) = (
        _along(starts.astype(np.intp), window) for starts in axes
    )
    return _Grid(row_edges, column_edges, row_spans, column_spans, own_row, own_column)


def _along(starts: Indices, window: int) -> tuple[Indices, list[slice], Indices]:
    """One axis: the edges of all windows, the parts that each span covers, each window's span."""
    # Not numpy's own unique, which takes longer to be imported than a frame to be prepared.
    places = np.array(sorted(set(starts.tolist())))
    edges = np.array(sorted({*places.tolist(), *(places + window).tolist()}))
    bounds = np.searchsorted(edges, places), np.searchsorted(edges, places + window)
    spans = [slice(*span) for span in zip(*(bound.tolist() for bound in bounds), strict=True)]
    return edges, spans, np.searchsorted(places, starts)
