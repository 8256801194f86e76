"""The facts about each window beside its label: the columns of a data set."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.datasets._labelled_image import ImageTruth
from darkscan.network.datasets.rule import (
    SCRATCH,
    VISIBLE_PX,
    WINDOW_PX,
    Labels,
    Origins,
    window_sums,
)
from darkscan.network.datasets.rule import visible_lengths as lengths_in

CELL_PX = 8
CELLS = WINDOW_PX // CELL_PX

_FLOAT = np.dtype(np.float32)


@dataclass(frozen=True)
class Facts:
    """Columns of N windows; NaN where a number is unknown, "" where a kind is.

    ``kind`` (N,) str, ``cnr``, ``length_px`` and ``snr`` (N,) float32, ``boxes`` (N, 4)
    float32 x0, y0, x1, y1 in the window's pixels, ``lines`` (N, 32, 32) uint8.
    """

    kind: npt.NDArray[np.str_]
    cnr: npt.NDArray[np.float32]
    length_px: npt.NDArray[np.float32]
    snr: npt.NDArray[np.float32]
    boxes: npt.NDArray[np.float32]
    lines: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Witness:
    """Tells of windows of one image what its truth knows."""

    truth: ImageTruth

    def tell(self, origins: Origins, labels: Labels) -> Facts:
        """The columns of windows at ``origins`` (N, 2), y and x, with ``labels`` (N,).

        Kind, contrast and length are those of the scratch that stands out most in a
        window, by the sum of its squared contrasts; ``snr`` and box are of all of them.
        """
        count = len(origins)
        kinds = [""] * count
        cnr = np.zeros(count, _FLOAT)
        length = np.zeros(count, _FLOAT)
        lines = np.zeros((count, CELLS, CELLS), np.uint8)
        boxes = np.zeros((count, 4), _FLOAT)
        lengths = np.array([lengths_in(one, origins) for one in self.truth.scratches])
        for row, (origin, label) in enumerate(zip(origins, labels, strict=True)):
            if label != SCRATCH:
                kinds[row] = self._distractor(origin)
                continue
            kinds[row], cnr[row], length[row] = self._leading(origin, lengths[:, row])
            lines[row] = self._cells(origin)
            boxes[row] = self._box(origin)
        if self.truth.power is None:
            cnr[:] = np.nan
            snr = np.full(count, np.nan, _FLOAT)
        else:
            snr = np.sqrt(np.maximum(window_sums(self._power, origins), 0.0)).astype(_FLOAT)
            snr[labels != SCRATCH] = 0.0
        return Facts(np.array(kinds, dtype=np.str_), cnr, length, snr, boxes, lines)

    def _leading(
        self, origin: npt.NDArray[np.int64], lengths: npt.NDArray[np.float64]
    ) -> tuple[str, float, float]:
        best, chosen = -1.0, ("", 0.0, 0.0)
        for scratch, length in zip(self.truth.scratches, lengths, strict=True):
            if length < VISIBLE_PX:
                continue
            contrasts = scratch.contrasts[_inside(scratch.points, origin)]
            contrast = _contrast(contrasts)
            strength = length if np.isnan(contrast) else float((contrasts**2).sum())
            if strength > best:
                best, chosen = strength, (scratch.kind, contrast, float(length))
        return chosen

    def _distractor(self, origin: npt.NDArray[np.int64]) -> str:
        for one in self.truth.distractors:
            if _inside(one.points, origin).any():
                return one.kind
        return self.truth.commonest

    def _cells(self, origin: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        cells = np.zeros((CELLS, CELLS), np.uint8)
        for scratch in self.truth.scratches:
            points = scratch.points[_inside(scratch.points, origin)] - origin[::-1]
            x, y = (points // CELL_PX).astype(np.intp).T
            cells[y, x] = 1
        return cells

    def _box(self, origin: npt.NDArray[np.int64]) -> tuple[float, float, float, float]:
        y, x = origin
        touched = self.truth.touched[y : y + WINDOW_PX, x : x + WINDOW_PX]
        left, top, width, height = cv2.boundingRect(touched.astype(np.uint8))
        return left, top, left + width, top + height

    @cached_property
    def _power(self) -> npt.NDArray[np.float64]:
        assert self.truth.power is not None
        return np.asarray(cv2.integral(self.truth.power, sdepth=cv2.CV_64F), dtype=np.float64)


def _contrast(contrasts: npt.NDArray[np.float64]) -> float:
    """The contrast of a scratch: the median of the points at least half as bright as its best.

    Dark gaps, and those between the spots of a point-like scratch, do not count; the best
    is the brightest tenth.
    """
    if np.isnan(contrasts).any():
        return float("nan")
    return float(np.median(contrasts[contrasts >= np.percentile(contrasts, 90) / 2]))


def _inside(
    points: npt.NDArray[np.float64], origin: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    low = origin[::-1]
    return np.asarray(((points >= low) & (points < low + WINDOW_PX)).all(axis=1))
