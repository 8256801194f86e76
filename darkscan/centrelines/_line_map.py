"""A frame's line map, where the model saw scratches run, and the paths along its ridges.

A line map tells for cells of a few pixels how likely a scratch crosses them. Its ridges are
found as Steger does ("An unbiased detector of curvilinear structures", IEEE PAMI 20(2), 1998):
a cell lies on one where, along the direction of strongest curvature, the map's slope vanishes
within the cell. That place is known to a fraction of a cell, near enough that the pixels
around it need be looked at along the path only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.centrelines._chains import Chain, Linking, link
from darkscan.centrelines._ridges import HALVED, Ridges
from darkscan.centrelines._straightening import Rows
from darkscan.pipeline.core.arrays import Float32Array, Float64Array

_SIGMA = 0.8  # smoothing, cells
_REACH = 3  # half the width of the smoothing kernels, cells
_LEAST = 0.05  # the least smoothed probability of a cell on a path
_NOWHERE = 1e6  # cells: no ridge
_WITHIN = 0.6  # cells: how far from a cell's middle a ridge may pass
_LINKING = Linking(strong=0.25, by_chance=0.03, least_excess=0.6, longest_gap=4, shortest=2)
"""For cells: in probabilities and cells."""

_SEEN = 0.3  # the least probability of a cell that has to be explained
_LEAST_CELLS = 3  # in touch with each other
_EXPLAINED = 2  # width of what a line explains, cells
_AROUND = 15  # width of what is searched around an unexplained cell, cells
_FRACTIONS = 4  # bits of a cell's fraction when lines are drawn


@dataclass(frozen=True, eq=False)
class LineMap:
    """The line maps of a frame's windows in one: each cell's highest value."""

    probability: Float32Array
    """(h, w) that a scratch crosses a cell, 0 outside of the windows."""

    cell: int
    """Side of a cell in pixels of the halved frame."""

    @classmethod
    def of(
        cls,
        origins: npt.NDArray[np.int32],
        lines: Float32Array,
        window: int,
        shape: tuple[int, int],
    ) -> Self:
        """The map of windows of ``window`` pixels in a frame of ``shape`` (H, W).

        origins: (N, 2) their first pixels (y, x); lines: (N, cells, cells) their line maps.
        """
        whole = in_one(origins, lines, window, shape)
        return cls(whole, window // lines.shape[1] // HALVED)

    def paths(self) -> list[Chain]:
        """The paths along the map's ridges, in pixels of the halved frame."""
        crests, places = self._crests()
        # Cells count from their corners, pixels of the halved frame from their middles.
        points = (places + 0.5) * self.cell - 0.5
        linked = list(link(crests, _LINKING))
        if not linked:
            return []
        along = [points[numbers] for numbers, _ in linked]
        finer, rows = Rows.of(along).resampled(np.concatenate(along))
        return [
            Chain(finer[own], excess) for own, (_, excess) in zip(rows.strips, linked, strict=True)
        ]

    def unexplained(self, lines: Sequence[Float64Array]) -> npt.NDArray[np.uint8] | None:
        """A mask around the cells the map shows and no line explains; None if all are explained.

        lines: polylines (K, 2) in pixels of the halved frame. The mask (h, w) of that frame is
        nonzero where something is still to be found: where scratches lie close, the map
        shows them as one, or the path takes the wrong one.
        """
        left = (self.probability >= _SEEN).view(np.uint8)
        fine = 1 << _FRACTIONS
        paths = [np.rint(((p + 0.5) / self.cell - 0.5) * fine).astype(np.int32) for p in lines]
        cv2.polylines(left, paths, False, 0, _EXPLAINED, shift=_FRACTIONS)  # noqa: FBT003
        x, y, width, height = cv2.boundingRect(left)
        if not width:
            return None
        part = left[y : y + height, x : x + width]
        _, labels, groups, _ = cv2.connectedComponentsWithStats(part)
        kept = groups[:, cv2.CC_STAT_AREA] >= _LEAST_CELLS
        kept[0] = False  # the background
        if not kept.any():
            return None
        part[:] = kept[labels]
        around = cv2.dilate(left, np.ones((_AROUND, _AROUND), np.uint8))
        size = (self.cell * around.shape[1], self.cell * around.shape[0])
        return np.asarray(cv2.resize(around, size, interpolation=cv2.INTER_NEAREST), np.uint8)

    def _crests(self) -> tuple[Ridges, Float64Array]:
        """The cells on ridges, and (N, 2) where in them (x, y in cells) the ridges pass."""
        smooth = cv2.sepFilter2D(self.probability, cv2.CV_32F, *_SMOOTH)
        rows, columns = np.nonzero(smooth >= _LEAST)
        borders = (_REACH, _REACH, _REACH, _REACH, cv2.BORDER_REFLECT_101)
        padded = np.asarray(cv2.copyMakeBorder(self.probability, *borders))
        side = 2 * _REACH + 1
        around = np.lib.stride_tricks.sliding_window_view(padded, (side, side))[rows, columns]
        slope_y, slope_x, yy, xy, xx = (around.reshape(-1, side * side) @ _DERIVATIVES).T
        # The direction of the weaker curvature: along the ridge.
        angle = 0.5 * np.arctan2(2 * xy, xx - yy)
        right, down = -np.sin(angle), np.cos(angle)
        bend = right * right * xx + 2 * right * down * xy + down * down * yy
        slope = right * slope_x + down * slope_y
        aside = np.divide(-slope, bend, out=np.full_like(bend, _NOWHERE), where=bend < 0)
        on = np.abs(aside) * np.maximum(np.abs(right), np.abs(down)) <= _WITHIN
        places = np.stack([columns + aside * right, rows + aside * down], axis=1)[on]
        rows, columns = rows[on], columns[on]
        crests = Ridges(rows, columns, smooth[rows, columns], angle[on] % np.float32(math.pi))
        return crests, places.astype(np.float64)


def in_one(
    origins: npt.NDArray[np.int32], cells: Float32Array, window: int, shape: tuple[int, int]
) -> Float32Array:
    """The cells (N, c, c) of windows as one map (h, w) of their frame: the highest of each.

    origins: (N, 2) the windows' first pixels (y, x); shape: (H, W) of the frame in pixels.
    """
    count = cells.shape[1]
    side = window // count
    whole = np.zeros([math.ceil(length / side) for length in shape], np.float32)
    # Windows flush with a border may lie across the cells: their maps go to the nearest.
    corners = np.minimum(np.rint(origins / side).astype(int), np.subtract(whole.shape, count))
    for (row, column), own in zip(corners.tolist(), cells, strict=True):
        part = whole[row : row + count, column : column + count]
        np.maximum(part, own, out=part)
    return whole


def _kernels() -> list[tuple[Float32Array, Float32Array]]:
    """Kernels along x and y of a Gaussian and its derivatives y, x, yy, xy, xx."""
    x = np.arange(-_REACH, _REACH + 1) / _SIGMA
    smooth = np.exp(-0.5 * x**2)
    smooth /= smooth.sum()
    first, second = x * smooth / _SIGMA, (x**2 - 1) * smooth / _SIGMA**2
    second -= second.mean()  # an even probability has no ridge
    along = (smooth, smooth, first, smooth, first, second)
    down = (smooth, first, smooth, second, first, smooth)
    return [(a.astype(np.float32), b.astype(np.float32)) for a, b in zip(along, down, strict=True)]


_SMOOTH, *_SEPARATE = _kernels()
_DERIVATIVES = np.stack([np.outer(down, along).ravel() for along, down in _SEPARATE], axis=1)
"""(49, 5) weights of the cells around one."""
