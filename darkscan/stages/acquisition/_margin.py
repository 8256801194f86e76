"""The margin around a frame: pixels of its neighbours that were taken before it.

They lie in memory of a fixed size, for a scan from a rig in a file of the run's folder, so
that they outlive a process that is killed.

What a frame sees depends on the scan's frames alone: on their places, and on when each was
exposed. So a scan and the replay of its recording see the same, however often acquisition
died or frames were sent again in between.
"""

import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import structlog

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo
from darkscan.pipeline.core.shared_memory import keep_shared, whole_pages
from darkscan.pipeline.transport.ring import check_margin
from darkscan.stages.acquisition._neighbours import Box, Neighbours, margins

BORDERS_NAME = "borders"
_NEVER = np.iinfo(np.int64).max
_HEAD = np.dtype([("taken", "<i8"), ("x", "<f8"), ("y", "<f8")])
"""The head of a slot: its frame's index plus one, 0 while free or being written; the place."""

_SPARE_SLOTS = 8
"""For frames under way when acquisition dies, which are taken again."""


Read = Callable[[int, Pixels], None]
"""Writes the pixels of the frame of that index into an array (height, width)."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Border:
    """The parts of a frame that are kept for its later neighbours."""

    place_mm: tuple[float, float]
    parts: list[tuple[Box, Pixels]]
    """Boxes in the frame with their pixels (height, width)."""


class Borders:
    """Keeps the parts of each frame that later neighbours want, as long as they may want them.

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
        start = whole_pages(slots * _HEAD.itemsize)
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
        return cls(keep_shared(path, bytes_needed(neighbours, scan)), neighbours, scan)

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
        """The kept parts of a frame; None if there are none. Valid until the next ``put``."""
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
    return whole_pages(slots * _HEAD.itemsize) + whole_pages(max(pixels, 1))


def _slots(neighbours: Neighbours) -> int:
    return neighbours.most_frames + _SPARE_SLOTS


class Surroundings:
    """Fills the margins of a scan's frames, one after the other as they are taken.

    A frame sees those frames before it in scan order that were exposed no later than it was.
    One that was itself exposed after a frame that follows it (it was lost, and taken again)
    sees none. What no neighbour shows is the frame itself, mirrored at its border.
    """

    def __init__(
        self,
        scan: ScanInfo,
        frames: Sequence[FrameMeta],
        margin: int,
        *,
        read: Read | None = None,
        run_dir: Path | None = None,
    ) -> None:
        """``frames``: all of the scan, in scan order, with their planned or measured places.

        ``read``: gives the pixels of the frames once more: they are recorded ones. Without
        it they are still to be taken, and ``run_dir`` is where their borders are kept.
        Raises InputError if the frames are too small for the margin, StorageError if there is
        no room for the borders.
        """
        check_margin(scan.frame_shape, margin)
        self._margin = margin
        self._frame = Box(0, 0, scan.frame_shape[1], scan.frame_shape[0])
        self._margins = margins(scan.frame_shape, margin)
        self._neighbours = Neighbours(scan, frames, margin)
        self._index = {meta.frame: index for index, meta in enumerate(frames)}
        self._frames = frames
        self._read = read
        self._exposed_ns = np.full(len(frames), _NEVER, np.int64)
        if read is None:
            assert run_dir is not None, "the borders of frames just taken are kept somewhere"
            self._borders = Borders.in_file(run_dir / BORDERS_NAME, self._neighbours, scan)
        else:
            self._borders = Borders.in_memory(self._neighbours, scan)
            for meta in frames:
                if meta.usable:
                    self.remember(meta)
        self._again: Pixels = np.empty(scan.frame_shape if read else (0, 0), scan.dtype)

    def remember(self, meta: FrameMeta) -> None:
        """A frame was taken, by this process or one before it."""
        self._exposed_ns[self._index[meta.frame]] = meta.exposure_ns

    def fill(self, meta: FrameMeta, surrounded: Pixels) -> None:
        """Writes the margin around a frame just taken, and keeps what others want of it.

        ``surrounded``: (height + 2 margin, width + 2 margin) with the frame within.
        """
        self.remember(meta)
        index, margin = self._index[meta.frame], self._margin
        mirror(surrounded, margin)
        for neighbour in self._seen_by(index):
            border = self._border(neighbour)
            if border is not None:
                self._paint(border, self._neighbours.shift(meta, border.place_mm), surrounded)
        place = (meta.position_mm[0], meta.position_mm[1])
        self._borders.put(index, place, surrounded[margin:-margin, margin:-margin])

    def _seen_by(self, index: int) -> list[int]:
        exposed_ns = self._exposed_ns
        if (exposed_ns[index + 1 :] < exposed_ns[index]).any():
            return []
        near = self._neighbours.before[index]
        return [neighbour for neighbour in near if exposed_ns[neighbour] <= exposed_ns[index]]

    def _border(self, index: int) -> Border | None:
        """The kept parts of a frame; one that a predecessor took is read again where it can be."""
        kept = self._borders.get(index)
        if kept is not None or self._read is None:
            return kept
        meta = self._frames[index]
        try:
            self._read(index, self._again)
        except Exception as error:  # noqa: BLE001 - as where it was its turn: it is lost
            _log.warning("neighbour cannot be read", frame=meta.frame, reason=str(error))
            self._exposed_ns[index] = _NEVER
            return None
        self._borders.put(index, (meta.position_mm[0], meta.position_mm[1]), self._again)
        return self._borders.get(index)

    def _paint(self, border: Border, shift: tuple[int, int], surrounded: Pixels) -> None:
        there = self._frame.shifted(*shift)
        sides = [side for margin in self._margins if (side := margin.within(there)).area]
        for box, pixels in border.parts:
            seen = box.shifted(*shift)
            for side in sides:
                common = side.within(seen)
                if common.area:
                    part = pixels[common.shifted(-seen.x0, -seen.y0).slices]
                    surrounded[common.shifted(self._margin, self._margin).slices] = part


def mirror(surrounded: Pixels, margin: int) -> None:
    """Writes the margin around a frame: its own pixels mirrored, its outermost ones not twice."""
    m = margin
    surrounded[:m, m:-m] = surrounded[2 * m : m : -1, m:-m]
    surrounded[-m:, m:-m] = surrounded[-m - 2 : -2 * m - 2 : -1, m:-m]
    surrounded[:, :m] = surrounded[:, 2 * m : m : -1]
    surrounded[:, -m:] = surrounded[:, -m - 2 : -2 * m - 2 : -1]
