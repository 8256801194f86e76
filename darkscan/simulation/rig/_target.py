"""Elements to calibrate with: a grid of dots, and one with nothing on it."""

from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array

DOT_GRID, BLANK = "dot-grid", "blank"
TARGETS = (DOT_GRID, BLANK)
"""Their names in ``simulation.preset``."""

DOT_SHARE = 0.35
"""A dot's diameter over the spacing."""

_DARK, _BRIGHT = 8.0, 160.0  # grey levels at 8 bit


@dataclass(frozen=True)
class DotGrid:
    """Bright round dots on a dark plate, the first one half a spacing from both rims."""

    size_px: tuple[int, int]
    """Width and height of the plate; no dot is cut by its rim."""

    spacing_px: float

    def render(self, x0: int, y0: int, height: int, width: int) -> Float32Array:
        """The light of a rectangle from plate pixel (x0, y0): (height, width) float32.

        In grey levels at 8 bit; a pixel at a dot's rim is as bright as the share of it
        that the dot covers.
        """
        across = self._off_centre(x0, width, self.size_px[0])
        down = self._off_centre(y0, height, self.size_px[1])
        radius = np.float32(self.spacing_px * DOT_SHARE / 2.0)
        covered = np.clip(radius + 0.5 - np.hypot(across, down[:, None]), 0.0, 1.0)
        return np.asarray(_DARK + (_BRIGHT - _DARK) * covered, dtype=np.float32)

    def _off_centre(self, first: int, count: int, side_px: int) -> Float32Array:
        """How far pixel centres lie from the nearest dot's centre along one axis, (count,)."""
        centres = first + np.arange(count) + 0.5
        whole = np.floor(side_px / self.spacing_px - 0.5 - DOT_SHARE / 2.0)
        nearest = np.clip(np.floor(centres / self.spacing_px), 0, max(whole, 0))
        return np.asarray(centres - (nearest + 0.5) * self.spacing_px, dtype=np.float32)
