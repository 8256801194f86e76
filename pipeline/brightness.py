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
from typing import Any

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]


def window_extrema(
    frame: npt.NDArray[Any], origins: npt.NDArray[np.int32], window: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """V_min and V_max of windows without cutting any out.

    frame: (H, W) uint8 or uint16; origins: (N, 2) int32, first pixel (y, x) of each
    window. Returns two (N,) arrays of the frame's dtype.

    The frame is reduced once to the extrema of the rectangles between all window
    borders (128-pixel blocks on the standard grid); each window combines its few.
    """
    rows, own_row = np.unique(origins[:, 0], return_inverse=True)
    columns, own_column = np.unique(origins[:, 1], return_inverse=True)
    row_edges, column_edges = _edges(rows, window), _edges(columns, window)
    strips = list(itertools.pairwise(row_edges.tolist()))
    frame = frame[:, column_edges[0] : column_edges[-1]]
    lowest, highest = np.empty((2, len(strips), frame.shape[1]), frame.dtype)
    for number, (first, end) in enumerate(strips):
        # Both of one strip before the next: it is in the cache then.
        np.minimum.reduce(frame[first:end], axis=0, out=lowest[number])
        np.maximum.reduce(frame[first:end], axis=0, out=highest[number])
    extrema = []
    for reduce, strip_extrema in ((np.minimum, lowest), (np.maximum, highest)):
        blocks = reduce.reduceat(strip_extrema, column_edges[:-1] - column_edges[0], axis=1)
        for starts, edges in ((rows, row_edges), (columns, column_edges)):
            blocks = _combine(reduce, blocks, starts, edges, window).T
        extrema.append(blocks[own_row, own_column])
    return extrema[0], extrema[1]


def gains_and_offsets(
    v_min: npt.NDArray[Any], v_max: npt.NDArray[Any]
) -> tuple[Float32Array, Float32Array]:
    """W_mult and W_add of equations 1 and 2, (N,) float32 each; 0 and 0 for flat windows."""
    low = v_min.astype(np.float64)
    contrast = v_max.astype(np.float64) - low
    gains = np.divide(255.0, contrast, out=np.zeros_like(contrast), where=contrast > 0)
    return gains.astype(np.float32), (0.0 - gains * low).astype(np.float32)


def _edges(starts: npt.NDArray[np.int32], window: int) -> npt.NDArray[np.intp]:
    return np.unique(np.concatenate([starts, starts + window])).astype(np.intp)


def _combine(
    reduce: np.ufunc,
    parts: npt.NDArray[Any],
    starts: npt.NDArray[np.int32],
    edges: npt.NDArray[np.intp],
    window: int,
) -> npt.NDArray[Any]:
    """(N, ...) of windows that begin at ``starts`` (N,), from parts (P, ...) between ``edges``."""
    firsts, ends = np.searchsorted(edges, starts), np.searchsorted(edges, starts + window)
    spans = zip(firsts.tolist(), ends.tolist(), strict=True)
    return np.stack([reduce.reduce(parts[first:end], axis=0) for first, end in spans])
