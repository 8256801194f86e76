"""Which windows of a frame are scratched, by its mask and by two rules."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.network.classical._method import WINDOW_PX, Origins, windows_of
from darkscan.network.datasets.rule import RIM_PX, VISIBLE_PX
from darkscan.pipeline.core.arrays import Mask


@dataclass(frozen=True)
class WindowLabels:
    """Two flags of each window, (N,) bool.

    ``touched``: any mask pixel lies in it. ``visible``: what lies in it less a rim of
    ``RIM_PX`` extends over ``VISIBLE_PX`` or more, which makes a training window positive.
    Windows touched but not visible count for neither class in training.
    """

    touched: Mask
    visible: Mask

    @property
    def decided(self) -> Mask:
        """Which windows count by the training rule."""
        return self.visible | ~self.touched


def label_windows(mask: npt.NDArray[np.bool_], origins: Origins) -> WindowLabels:
    """The labels of the windows at ``origins`` (N, 2) in a frame's mask (H, W)."""
    windows = windows_of(mask, origins)
    inner = slice(round(RIM_PX), WINDOW_PX - round(RIM_PX))
    return WindowLabels(
        touched=touching(mask, origins),
        visible=np.array(
            [extent_px(window[inner, inner]) >= VISIBLE_PX for window in windows], dtype=np.bool_
        ),
    )


def touching(mask: npt.NDArray[np.bool_], origins: Origins) -> Mask:
    """Which windows at ``origins`` (N, 2) have any pixel of a mask (H, W) in them: (N,)."""
    return np.array([window.any() for window in windows_of(mask, origins)], dtype=np.bool_)


def extent_px(mask: npt.NDArray[np.generic]) -> float:
    """The diagonal of the box around a mask's pixels, px; 0 if it has none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0
    return float(np.hypot(rows[-1] - rows[0], columns[-1] - columns[0]))


def mask_of_lines(
    lines: Iterable[tuple[npt.NDArray[np.float64], float]], shape: tuple[int, int]
) -> Mask:
    """The mask (H, W) of polylines, each of vertices (K, 2) and its FWHM, px.

    Vertices are (x, y), with (0, 0) the outer corner of the first pixel. Gaps in a
    scratch's light are part of its line.
    """
    mask = np.zeros(shape, dtype=np.uint8)
    for vertices, width in lines:
        places = np.rint(vertices - 0.5).astype(np.int32)
        cv2.polylines(mask, [places], isClosed=False, color=(1,), thickness=max(1, int(width)))
    return mask.astype(np.bool_)
