"""The borders of the frames last taken: the pixels of them that later frames want around them.

They lie in memory of a fixed size, for a scan from a rig in a file of the run's folder, so
that they outlive a process that is killed.
"""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.errors import StorageError
from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.scan import ScanInfo
from darkscan.stages.acquisition.neighbours import Box, Neighbours

_PAGE = 4096
_HEAD = np.dtype([("taken", "<i8"), ("x", "<f8"), ("y", "<f8")])
"""Of each slot: its frame's index plus one, 0 while it is free or being written; its place."""

_SPARE_SLOTS = 8
"""For frames under way when acquisition dies, which are taken again."""


@dataclass(frozen=True)
class Border:
    """What is kept of a frame."""

    place_mm: tuple[float, float]
    parts: list[tuple[Box, Pixels]]
    """Boxes in the frame with their pixels (height, width)."""


class Borders:
    """Keeps of each frame what its later neighbours want, as long as they may want it.

    Frames are known by their index in scan order. When there is no room for one more, the
    frame goes whose last neighbour's turn comes first: it has come already, if frames are
    taken in scan order.
    """

    def __init__(self, memory: mmap.mmap, neighbours: Neighbours, scan: ScanInfo) -> None:
        """``memory``: of ``bytes_needed``; what stands in it is kept."""
        self._wanted = neighbours.wanted
        self._until = neighbours.until
        slots = _slots(neighbours)
        self._heads: npt.NDArray[Any] = np.frombuffer(memory, _HEAD, slots)
        pixels = neighbours.most_pixels
        start = _pages(slots * _HEAD.itemsize)
        flat: npt.NDArray[Any] = np.frombuffer(memory, scan.dtype, slots * pixels, start)
        self._pixels: Pixels = flat.reshape((slots, pixels))
        self._slot_of = {
            taken - 1: slot for slot, taken in enumerate(self._heads["taken"].tolist()) if taken
        }

    @classmethod
    def in_memory(cls, neighbours: Neighbours, scan: ScanInfo) -> Self:
        """Keeps them for this process."""
        return cls(mmap.mmap(-1, bytes_needed(neighbours, scan)), neighbours, scan)

    @classmethod
    def in_file(cls, path: Path, neighbours: Neighbours, scan: ScanInfo) -> Self:
        """Keeps them in a file of shared memory, and finds there what a predecessor kept.

        Raises StorageError if there is no room for it.
        """
        size = bytes_needed(neighbours, scan)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                # Without this, writing to a full /dev/shm is a SIGBUS instead of an error.
                os.posix_fallocate(descriptor, 0, size)
                memory = mmap.mmap(descriptor, size)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(path, error) from error
        return cls(memory, neighbours, scan)

    def put(self, index: int, place_mm: tuple[float, float], frame: Pixels) -> None:
        """Keeps of a frame (height, width) taken at (x, y) mm what later ones may want."""
        slot = self._slot_for(index)
        if slot is None:
            return
        head = self._heads[slot]
        head["taken"] = 0  # whoever is killed in here leaves nothing that looks whole
        for box, pixels in self._parts(slot, self._wanted[index]):
            pixels[...] = frame[box.slices]
        head["x"], head["y"] = place_mm
        head["taken"] = index + 1
        self._slot_of[index] = slot

    def get(self, index: int) -> Border | None:
        """What is kept of a frame; None if nothing is. Valid until the next ``put``."""
        slot = self._slot_of.get(index)
        if slot is None:
            return None
        head = self._heads[slot]
        parts = self._parts(slot, self._wanted[index])
        return Border((float(head["x"]), float(head["y"])), parts)

    def _slot_for(self, index: int) -> int | None:
        """Where a frame is to be kept; None if nobody will want it, or others more."""
        if self._until[index] < 0:
            return None
        if index in self._slot_of:
            return self._slot_of.pop(index)
        if len(self._slot_of) < len(self._heads):
            return int(np.argmin(self._heads["taken"] != 0))
        first = min(self._slot_of, key=lambda kept: self._until[kept])
        return None if self._until[first] > self._until[index] else self._slot_of.pop(first)

    def _parts(self, slot: int, boxes: Sequence[Box]) -> list[tuple[Box, Pixels]]:
        """The boxes with their places in a slot, one after the other."""
        parts: list[tuple[Box, Pixels]] = []
        start = 0
        for box in boxes:
            end = start + box.area
            shape = (box.y1 - box.y0, box.x1 - box.x0)
            pixels: Pixels = self._pixels[slot, start:end].reshape(shape)
            parts.append((box, pixels))
            start = end
        return parts


def bytes_needed(neighbours: Neighbours, scan: ScanInfo) -> int:
    """The memory that keeping the borders of a scan takes."""
    slots = _slots(neighbours)
    pixels = slots * neighbours.most_pixels * scan.dtype.itemsize
    return _pages(slots * _HEAD.itemsize) + _pages(max(pixels, 1))


def _slots(neighbours: Neighbours) -> int:
    return neighbours.most_frames + _SPARE_SLOTS


def _pages(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
