"""Brightness adjustment (BA): the paper's hard attention, equations 1 to 3.

For a window with grey levels between V_min and V_max

    gain   W_mult = 255 / (V_max - V_min)        (1)
    offset W_add  = -W_mult * V_min              (2)
    I_BA          = I * W_mult + W_add           (3)

A flat window (V_max = V_min) has no contrast to stretch: its gain and offset are 0,
so its adjusted image is black. Preprocessing computes gain and offset; the model
applies them.
"""

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
    row_edges = _edges(origins[:, 0], window)
    column_edges = _edges(origins[:, 1], window)
    frame = frame[row_edges[0] : row_edges[-1], column_edges[0] : column_edges[-1]]
    extrema = []
    for reduce in (np.minimum, np.maximum):
        rows = np.stack(
            [
                reduce.reduce(frame[a:b], axis=0)
                for a, b in zip(
                    row_edges[:-1] - row_edges[0], row_edges[1:] - row_edges[0], strict=True
                )
            ]
        )
        blocks = reduce.reduceat(rows, column_edges[:-1] - column_edges[0], axis=1)
        extrema.append(_combine(reduce, blocks, origins, row_edges, column_edges, window))
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
    blocks: npt.NDArray[Any],
    origins: npt.NDArray[np.int32],
    row_edges: npt.NDArray[np.intp],
    column_edges: npt.NDArray[np.intp],
    window: int,
) -> npt.NDArray[Any]:
    first_row = np.searchsorted(row_edges, origins[:, 0])
    last_row = np.searchsorted(row_edges, origins[:, 0] + window)
    first_column = np.searchsorted(column_edges, origins[:, 1])
    last_column = np.searchsorted(column_edges, origins[:, 1] + window)
    spans = zip(first_row, last_row, first_column, last_column, strict=True)
    return np.array([reduce.reduce(blocks[a:b, c:d], axis=None) for a, b, c, d in spans])
