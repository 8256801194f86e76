"""Frames as a dense model takes them: whole, their sides multiples of its largest step."""

from typing import cast

import numpy as np

from darkscan.pipeline.frames import Pixels
from darkscan.stages.inference.backend import FrameWindows

MULTIPLE_PX = 128
"""Sides of frames that dense models take; 2048 is one."""


def fitted_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a frame as a dense model takes it."""
    height, width = shape
    return height + -height % MULTIPLE_PX, width + -width % MULTIPLE_PX


def fitted(windows: FrameWindows) -> FrameWindows:
    """The same windows of a frame enlarged, below and to the right, to what a dense model takes.

    What is added mirrors the frame, as a border without an edge. Frames that fit already
    (those of nearly all cameras) are given back as they are, without a copy.
    """
    more = [(0, -side % MULTIPLE_PX) for side in windows.frame.shape]
    if not any(added for _, added in more):
        return windows
    frame = cast("Pixels", np.pad(windows.frame, more, mode="symmetric"))
    return windows._replace(frame=frame)
