"""A frame's windows as models take them, and what models give in the order it is asked for."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from darkscan.inference.backend import FrameWindows, Seen
from darkscan.pipeline.core.arrays import Pixels

Feed = dict[str, npt.NDArray[np.generic]]


def constant_feed(frame: Pixels, full_scale: int) -> Feed:
    """The inputs that all windows of a frame share; the pixels are not copied."""
    return {"frame": as_bytes(frame), "full_scale": np.array(full_scale, np.float32)}


def window_feed(windows: FrameWindows) -> Feed:
    """The inputs that each window has of its own."""
    return {
        "origins": windows.origins.astype(np.int64),
        "gains": windows.gains,
        "offsets": windows.offsets,
    }


def part_of(windows: FrameWindows, first: int, count: int) -> FrameWindows:
    """``count`` of a frame's windows, or as many as there are from the ``first`` on."""
    frame, origins, gains, offsets = windows
    part = slice(first, first + count)
    return FrameWindows(frame, origins[part], gains[part], offsets[part])


def as_bytes(frame: Pixels) -> npt.NDArray[np.uint8]:
    """A frame (H, W) as its bytes (H, W, B), without a copy."""
    return frame.view(np.uint8).reshape(*frame.shape, frame.itemsize)


def padded(windows: FrameWindows, count: int) -> FrameWindows:
    """``count`` windows: those given, the last one repeated as often as it takes."""
    missing = count - len(windows.origins)
    if not missing:
        return windows
    frame, origins, gains, offsets = windows

    def filled(each: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.concatenate([each, each[-1:].repeat(missing, axis=0)])

    return FrameWindows(frame, filled(origins), filled(gains), filled(offsets))


def even_parts(count: int, most: int) -> int:
    """The size of parts of at most ``most`` that divide ``count`` with the least left over."""
    return -(-count // -(-count // most))


class Passes:
    """How many windows go through a windowed network at once, at most ``most``.

    As many in every pass, so that a network prepared for one shape serves all frames; and as
    few as leave the last pass of a frame full, or nearly so.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0

    def size(self, count: int) -> int:
        """For a frame of ``count`` windows, one or more; never less than before."""
        self._size = max(self._size, even_parts(count, self._most))
        return self._size


def joined(parts: Sequence[Sequence[npt.NDArray[np.float32]]], *, lines: bool) -> Seen:
    """What was seen in all parts of a frame: scores, and lines where the model has them."""
    if not parts:
        return Seen(np.empty(0, np.float32), None)
    columns = [
        column[0] if len(column) == 1 else np.concatenate(column)
        for column in zip(*parts, strict=True)
    ]
    return Seen(columns[0], columns[1] if lines else None)


def on_threads(count: int) -> str:
    """A number of threads, for people."""
    return f"{count} thread{'s' if count != 1 else ''}"


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
