"""Holds all of a recording against its checksums."""

from collections.abc import Callable

import numpy as np

from darkscan.drivers.recording._reader import DamagedFrameError, Recording
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameFlag


def verify_frames(
    recording: Recording, on_frame: Callable[[int], None] = lambda _done: None
) -> dict[int, str]:
    """Reads the pixels of every frame; the damaged frames' numbers, and why, in scan order.

    ``on_frame`` is told after each frame how many are done.
    """
    damaged = dict(recording.damaged_frames)
    pixels: Pixels = np.empty(recording.info.frame_shape, recording.info.dtype)
    for index, meta in enumerate(recording.frames):
        if not meta.flags & FrameFlag.LOST:
            try:
                recording.read_into(index, pixels)
            except DamagedFrameError as error:
                damaged[meta.frame] = error.cause
            except InputError as error:
                damaged[meta.frame] = error.problem
        on_frame(index + 1)
    return dict(sorted(damaged.items()))
