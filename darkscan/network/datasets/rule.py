"""Which windows of an image are scratched, which are background, and which are neither.

Simulated and marked windows follow one rule: its lengths are the simulator's, and all that
labels windows of images takes them from here.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.datasets._labelled_image import ImageTruth, Scratch
from darkscan.pipeline.core.arrays import Mask
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element import training_images

WINDOW_PX = 256
VISIBLE_PX = SHORTEST_PX
"""The least of a scratch that makes a window positive, pixels."""
RIM_PX = training_images.RIM_PX
"""What lies this close to the window's rim does not count, pixels."""
SCRATCH, BACKGROUND, LEFT_OUT = 1, 0, -1

RULE = (
    f"scratch: at least {VISIBLE_PX:.0f} px of one scratch's centre line lie within the window "
    f"less a rim of {RIM_PX:.0f} px; background: no scratch pixel and no centre line lies "
    "anywhere in the window; any other window is left out"
)
"""The rule in words, as it stands in every data set."""

Origins = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Judge:
    """Labels windows of one image by the rule."""

    truth: ImageTruth

    def label(self, origins: Origins) -> Labels:
        """1 scratch, 0 background, -1 left out: (N,) int8 for first pixels (N, 2), y and x.

        Windows with a pixel that nobody judged are left out, whatever else is in them.
        """
        origins = origins.reshape(-1, 2)
        longest = np.zeros(len(origins))
        crossed = self._touched(origins)
        for scratch in self.truth.scratches:
            longest = np.maximum(longest, visible_lengths(scratch, origins))
            crossed |= _near(scratch.points, origins, 0.0).any(axis=1)
        labels = np.where(crossed, LEFT_OUT, BACKGROUND)
        labels = np.where(longest >= VISIBLE_PX, SCRATCH, labels)
        if self._void is not None:
            labels[window_sums(self._void, origins) > 0] = LEFT_OUT
        return labels.astype(np.int8)

    def _touched(self, origins: Origins) -> npt.NDArray[np.bool_]:
        return window_sums(self._integral, origins) > 0

    @cached_property
    def _integral(self) -> npt.NDArray[np.int32]:
        return _integral_of(self.truth.touched)

    @cached_property
    def _void(self) -> npt.NDArray[np.int32] | None:
        return None if self.truth.void is None else _integral_of(self.truth.void)


def _integral_of(mask: Mask) -> npt.NDArray[np.int32]:
    return np.asarray(cv2.integral(mask.astype(np.uint8)), dtype=np.int32)


def visible_lengths(scratch: Scratch, origins: Origins) -> npt.NDArray[np.float64]:
    """Pixels of a scratch's lit centre line in each window less its rim: (N,) float64."""
    lit = scratch.lengths > 0
    return _near(scratch.points[lit], origins, RIM_PX) @ scratch.lengths[lit]


def window_sums(integral: npt.NDArray[np.number], origins: Origins) -> npt.NDArray[np.float64]:
    """Sums over windows (N,) from cv2's integral image (H + 1, W + 1)."""
    y, x = origins.T
    far_y, far_x = y + WINDOW_PX, x + WINDOW_PX
    corners = integral.astype(np.float64, copy=False)
    sums = corners[far_y, far_x] - corners[y, far_x] - corners[far_y, x] + corners[y, x]
    return np.asarray(sums)


def _near(points: npt.NDArray[np.float64], origins: Origins, rim: float) -> npt.NDArray[np.bool_]:
    """Which points (P, 2), x and y, lie in which window less a rim: (N, P)."""
    x, y = points.T
    low_y, low_x = origins[:, 0, None] + rim, origins[:, 1, None] + rim
    side = WINDOW_PX - 2 * rim
    within_x = (x >= low_x) & (x < low_x + side)
    return np.asarray(within_x & (y >= low_y) & (y < low_y + side))
