"""The windows of frames as models take them: feeds, parts, enlarged and stacked frames.

A window of a windowed model sees nothing but itself, so it does not matter what frame it
lies in. A frame of few windows leaves a device idle between calls; several frames, stacked
one below the other, fill it. A dense model sees past a window's border and takes one frame.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from darkscan.inference.backend import FrameWindows, Seen
from darkscan.pipeline.core.arrays import Pixels

Feed = dict[str, npt.NDArray[np.generic]]
"""A model's inputs by name."""

MULTIPLE_PX = 128
"""The sides of the frames that dense models take are multiples of this; 2048 is one."""


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
    """The size of equal parts of ``count``, ``most`` at most, that leave the least left over."""
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
        """The size for a frame of ``count`` windows, one or more; never less than before."""
        self._size = max(self._size, even_parts(count, self._most))
        return self._size


def joined(parts: Sequence[Sequence[npt.NDArray[np.float32]]], names: Sequence[str]) -> Seen:
    """All parts of a frame, one or more, put together; ``names`` of the outputs of each."""
    columns = [
        column[0] if len(column) == 1 else np.concatenate(column)
        for column in zip(*parts, strict=True)
    ]
    return Seen.of(dict(zip(names, columns, strict=True)))


def on_threads(count: int) -> str:
    """A number of threads, for people."""
    return f"{count} thread{'s' if count != 1 else ''}"


def fitted_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a frame as a dense model takes it."""
    height, width = shape
    return height + -height % MULTIPLE_PX, width + -width % MULTIPLE_PX


def fitted(windows: FrameWindows) -> FrameWindows:
    """The same windows of a frame enlarged, below and to the right, to what a dense model takes.

    The added pixels mirror the frame, so that they make no edge. Frames that fit already
    (those of nearly all cameras) are given back as they are, without a copy.
    """
    more = [(0, -side % MULTIPLE_PX) for side in windows.frame.shape]
    if not any(added for _, added in more):
        return windows
    frame = cast("Pixels", np.pad(windows.frame, more, mode="symmetric"))
    return windows._replace(frame=frame)


def frames_a_call(form: str, windows: int, batch: int) -> int:
    """How many frames of ``windows`` windows fill a batch; 1 for those that cannot be stacked.

    form: the model's, see ``Conventions.form``.
    """
    return max(1, batch // max(1, windows)) if form == "windowed" else 1


def stacked(frames: Sequence[FrameWindows], places: int) -> FrameWindows:
    """The windows of frames of one shape as those of one frame that is ``places`` times as tall.

    The tall frame has that height whether all places are taken or not, for devices that are set
    up for one shape. With one place the frame is given back as it is; else it is copied. Raises
    ValueError if the frames differ in shape or dtype, or are too many.
    """
    if places == 1:
        (single,) = frames
        return single
    kinds = {(windows.frame.shape, windows.frame.dtype) for windows in frames}
    if len(kinds) != 1 or len(frames) > places:
        raise ValueError(f"{len(frames)} frames of {kinds} do not fit {places} places")
    ((height, width), dtype), *_ = kinds
    tall = np.zeros((places * height, width), dtype)
    origins = []
    for place, windows in enumerate(frames):
        tall[place * height : (place + 1) * height] = windows.frame
        origins.append(windows.origins + np.array([place * height, 0], np.int32))
    return FrameWindows(
        tall,
        np.concatenate(origins),
        np.concatenate([windows.gains for windows in frames]),
        np.concatenate([windows.offsets for windows in frames]),
    )


def unstacked(seen: Seen, frames: Sequence[FrameWindows]) -> Iterator[Seen]:
    """The scores and lines of each of the stacked frames, in their order."""
    first = 0
    for windows in frames:
        part = slice(first, first + len(windows.origins))
        yield seen.part(part)
        first = part.stop


def cut_out(windows: Pixels) -> FrameWindows:
    """Windows (N, side, side) that were cut out already, one below the other as one frame.

    Their brightness is adjusted as preprocessing would. A view where the windows are contiguous.
    """
    count, side, width = windows.shape
    rows = np.arange(count, dtype=np.int32) * np.int32(side)
    frame = cast("Pixels", np.ascontiguousarray(windows).reshape(count * side, width))
    return FrameWindows.adjusted(frame, np.stack([rows, np.zeros_like(rows)], axis=1), side)
