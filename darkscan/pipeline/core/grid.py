"""The window grid: which 256x256 windows of a frame are looked at.

Windows start at every multiple of the stride; where the frame's far border is not
reached, one more window is laid flush against it, so that every pixel is inspected.
Frames that overlap by window - stride continue each other's grid unbroken.
"""

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.errors import InputError


def axis_starts(length: int, window: int, stride: int) -> list[int]:
    """The first pixels of all windows along one axis of ``length`` pixels.

    Raises InputError if the axis is shorter than a window.
    """
    if length < window:
        raise InputError(f"a frame of {length} pixels is smaller than a window of {window}")
    starts = list(range(0, length - window + 1, stride))
    if starts[-1] + window < length:
        starts.append(length - window)
    return starts


def window_origins(frame_shape: tuple[int, int], window: int, stride: int) -> npt.NDArray[np.int32]:
    """The first pixel (y, x) of each window of a frame (height, width): (N, 2) int32.

    Row by row from the top left. Raises InputError if the frame is smaller than a window.
    """
    rows = axis_starts(frame_shape[0], window, stride)
    columns = axis_starts(frame_shape[1], window, stride)
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return grid.reshape(-1, 2).astype(np.int32)


def tile_starts(length: int, frame: int, window: int, stride: int) -> list[int]:
    """The first pixels of frames that cover an axis with an unbroken window grid.

    Frames step by the largest multiple of the stride that keeps window - stride
    pixels of overlap; the last one is laid flush against the far end.
    """
    if length <= frame:
        return [0]
    step = (frame - (window - stride)) // stride * stride
    if step <= 0:
        raise InputError(f"a frame of {frame} pixels is too small for windows of {window}")
    starts = list(range(0, length - frame, step))
    return [*starts, length - frame]
