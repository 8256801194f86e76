"""Copies any source of frames into a recording."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from darkscan.drivers.recording._writer import RecordingWriter
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.files import atomically
from darkscan.pipeline.core.scan import FrameFlag, FrameSource


def save_recording(
    path: Path,
    source: FrameSource,
    *,
    replace: bool = False,
    on_frame: Callable[[int], None] = lambda _done: None,
) -> None:
    """Records every frame of ``source``; the file appears only when it is whole.

    ``on_frame`` is told after each frame how many are done. Raises InputError if the
    file exists and is not to be replaced, StorageError if it cannot be written.
    """
    info = source.info
    pixels: Pixels = np.empty(info.frame_shape, info.pixel_type)
    with (
        atomically(path, replace=replace) as part,
        RecordingWriter(part, info, source.frames) as writer,
    ):
        for index, meta in enumerate(source.frames):
            if meta.flags & FrameFlag.MISSING:
                pass  # as in the source, it is in the plan alone
            elif meta.flags & FrameFlag.LOST:
                writer.write(meta, None)
            else:
                source.read_into(index, pixels)
                writer.write(meta, pixels)
            on_frame(index + 1)
