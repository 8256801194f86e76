"""Where the uplink has the pixels of settled frames from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import structlog

from darkscan.drivers.recording import Recording
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.pipeline.core.units import FrameId
from darkscan.pipeline.transport.messages import Captured
from darkscan.pipeline.transport.ring import FrameRing, StaleReferenceError

_log = structlog.get_logger(__name__)

PixelsOf = Callable[[FrameMeta], Pixels | None]
"""The pixels (H, W) of a frame, until the next call; None: they are not to be had, or not yet."""


class RecordedPixels:
    """Reads frames from a recording; the same array serves for all of them."""

    def __init__(self, path: Path) -> None:
        """Raises InputError if it is no recording."""
        self._recording = Recording(path)
        self._index = {meta.frame: index for index, meta in enumerate(self._recording.frames)}
        info = self._recording.info
        self._pixels: Pixels = np.empty(info.frame_shape, info.dtype)

    def __call__(self, meta: FrameMeta) -> Pixels | None:
        """The pixels (H, W) of a frame, until the next call; None if it has none."""
        index = self._index.get(meta.frame)
        if index is None:
            return None
        try:
            self._recording.read_into(index, self._pixels)
        except InputError as error:
            _log.warning("frame cannot be pictured", frame=meta.frame, reason=str(error))
            return None
        return self._pixels

    def close(self) -> None:
        """Lets go of the file."""
        self._recording.close()


class RingPixels:
    """Copies frames out of the ring when it is told of them, and keeps them until asked.

    It holds no slot: a frame that was inspected before it was copied is missed.
    """

    def __init__(self, path: Path) -> None:
        self._ring = FrameRing.attach(path)
        self._most = 2 * self._ring.slots
        self._kept: dict[FrameId, Pixels] = {}

    def take(self, captured: Captured) -> None:
        """Copies a frame, unless its slot has moved on; the oldest ones make room."""
        ref = captured.ref
        try:
            pixels = self._ring.peek(ref).copy()
        except StaleReferenceError:
            return
        if self._ring.still_holds(ref):
            while len(self._kept) >= self._most:
                del self._kept[next(iter(self._kept))]
            self._kept[ref.frame] = pixels

    def __call__(self, meta: FrameMeta) -> Pixels | None:
        """The pixels (H, W) of a frame, given once."""
        return self._kept.pop(meta.frame, None)


def recorded_pixels(path: Path | None) -> PixelsOf:
    """Reads from a recording where there is one that can be read; else nothing is to be had."""
    if path is not None:
        try:
            return RecordedPixels(path)
        except InputError as error:
            _log.warning("the recording cannot be read for the picture", reason=str(error))
    return no_pixels


def no_pixels(_meta: FrameMeta) -> None:
    """Nothing is to be had."""
