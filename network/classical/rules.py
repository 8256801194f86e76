"""The coarse stage of reference [6]: candidate pixels by four rules on grey levels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

SIDE_PX = 3
"""How far across a line its two sides are looked at."""

# The pixel (y, x) across the line, for lines at 0, 45, 90 and 135 degrees. Along a
# diagonal, 2 pixels are the nearest to a distance of 3.
_ACROSS = ((3, 0), (2, 2), (0, 3), (2, -2))
_GRID_PX = 32
_ABOVE_LOCAL_MEAN = 5


@dataclass(frozen=True)
class Rules:
    """The thresholds T1 to T4, in grey levels at 8 bit, as the paper sets them.

    A pixel c between its two sides l and r, 3 px across one of four directions, is a
    candidate if (1) c > T1, (2) c > l + T2 and c > r + T2, (3) abs(l - r) < T3, and, where
    ``bright_side`` is asked for, (4) l > T4 or r > T4. With ``adaptive``, T1 is the local
    mean + 5 instead. The text of [6] was not at hand: rule 4 follows a public account of
    it, and finds next to nothing on a background darker than T4.
    """

    t1: int = 30
    t2: int = 5
    t3: int = 5
    t4: int = 40
    adaptive: bool = False
    bright_side: bool = False

    def candidates(self, levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """The candidate pixels of grey levels (H, W): (H, W) bool."""
        height, width = levels.shape
        margins = (SIDE_PX,) * 4
        framed = cv2.copyMakeBorder(levels, *margins, cv2.BORDER_REPLICATE).astype(np.int16)
        centre = framed[SIDE_PX:-SIDE_PX, SIDE_PX:-SIDE_PX]
        found = np.zeros((height, width), dtype=np.bool_)
        for y, x in _ACROSS:
            left = framed[SIDE_PX - y :, SIDE_PX - x :][:height, :width]
            right = framed[SIDE_PX + y :, SIDE_PX + x :][:height, :width]
            here = centre > np.maximum(left, right) + self.t2
            here &= np.abs(left - right) < self.t3
            if self.bright_side:
                here &= np.maximum(left, right) > self.t4
            found |= here
        return found & (centre > self._first_threshold(levels))

    def _first_threshold(self, levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32] | int:
        if not self.adaptive:
            return self.t1
        height, width = levels.shape
        grid = (max(1, width // _GRID_PX), max(1, height // _GRID_PX))
        means = cv2.resize(levels.astype(np.float32), grid, interpolation=cv2.INTER_AREA)
        local = cv2.resize(means, (width, height), interpolation=cv2.INTER_LINEAR)
        return np.asarray(local, dtype=np.float32) + _ABOVE_LOCAL_MEAN
