"""What lies beyond a frame's borders: its neighbours' pixels where they were taken before.

What a frame sees depends on the scan's frames alone: on their places, and on when each was
exposed. So a scan and the replay of its recording see the same, however often acquisition
died or frames were sent again in between.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import structlog

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.ring import check_margin
from darkscan.pipeline.scan import FrameMeta, ScanInfo
from darkscan.stages.acquisition.borders import Border, Borders
from darkscan.stages.acquisition.neighbours import Box, Neighbours, margins

_log = structlog.get_logger(__name__)
BORDERS_NAME = "borders"
_NEVER = np.iinfo(np.int64).max

Read = Callable[[int, Pixels], None]
"""Writes the pixels of the frame of that index into an array (height, width)."""


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
        """What is kept of a frame, read again where it can be: a predecessor had taken it."""
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
