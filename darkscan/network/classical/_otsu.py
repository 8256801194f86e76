"""Otsu's threshold as a detector of scratches."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical._method import Findings, FrameMethod, Origins, windows_of
from darkscan.network.classical.levels import eight_bit
from darkscan.pipeline.core.arrays import Pixels

ELONGATION = 3.0

_ROD = 12.0  # a rod of length L has the variance L^2 / 12 along itself


@dataclass(frozen=True)
class Otsu(FrameMethod):
    """Marks what is brighter than the level that best splits a frame's histogram (Otsu 1979).

    A window's score is the length, in px, of its longest marked component that is at
    least three times as long as wide; 0 if it has none.
    """

    def examine(self, frame: Pixels, origins: Origins, full_scale: float) -> Findings:
        """See FrameMethod.examine."""
        levels = eight_bit(frame, full_scale)
        _, split = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        # A frame of one level has nothing to split, whatever cv2 makes of it.
        marks = (split > 0) & (levels.min() < levels.max())
        scores = [longest_component_px(window) for window in windows_of(marks, origins)]
        return Findings(marks, np.array(scores, dtype=np.float64))


def longest_component_px(marks: npt.NDArray[np.generic]) -> float:
    """The length, px, of the longest elongated 8-connected component of marked pixels.

    Length and width are those of the rod with the component's second moments.
    """
    count, labels = cv2.connectedComponents(marks.astype(np.uint8), connectivity=8)
    y, x = np.nonzero(labels)
    if not len(y):
        return 0.0
    component = labels[y, x]
    area = np.maximum(np.bincount(component, minlength=count), 1)

    def mean(values: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
        sums = np.bincount(component, weights=values, minlength=count)
        return np.asarray(sums / area, dtype=np.float64)

    pixel = 1 / _ROD  # the variance of a square pixel itself
    yy = mean(y * y) - mean(y) ** 2 + pixel
    xx = mean(x * x) - mean(x) ** 2 + pixel
    xy = mean(x * y) - mean(x) * mean(y)
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    length = np.sqrt(_ROD * (middle + spread))
    width = np.sqrt(_ROD * np.maximum(middle - spread, pixel))
    elongated = length >= ELONGATION * width
    elongated[0] = False  # the background
    return float(length[elongated].max(initial=0.0))
