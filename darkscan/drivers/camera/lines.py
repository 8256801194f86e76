"""Blocks of lines become frames: each line lies on its row of the strip.

A camera's blocks and a scan's frames have nothing to do with each other. Frames overlap, so
that every window lies whole in one of them; a line that two frames share is written to both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.units import FrameId

Rows = npt.NDArray[np.int64]


class Block(Protocol):
    """The part of a camera's buffer that the assembler uses."""

    @property
    def timestamp_ns(self) -> int:
        """Time stamp of the block, on the camera's clock."""

    def copy_into(self, out: Pixels, rows: slice, *, reverse: bool) -> None:
        """Writes some of its lines into ``out`` (n, width), the first one last if ``reverse``."""


@dataclass(frozen=True)
class Assembled:
    """A frame that is whole, or can no longer become so."""

    frame: FrameId
    pixels_ready: bool
    """All rows are in the pixels that were leased for it."""

    missing_rows: int
    """Rows that never came, or for which there was no room."""

    no_room: bool
    """There was nowhere to write it."""

    first_line_ns: int
    """Time stamp of the block that brought its first line; 0: none came."""


class LineAssembler:
    """Writes the lines of one pass along a strip into the frames that are wanted of it."""

    def __init__(
        self,
        frames: Sequence[tuple[FrameId, int]],
        height: int,
        lease: Callable[[FrameId], Pixels | None],
    ) -> None:
        """``frames``: each with the strip row of its row 0; ``height``: the rows of a frame.

        ``lease`` gives the pixels (height, width) of a frame when its first line has come, or
        None where there is no room.
        """
        by_row = sorted(frames, key=lambda item: item[1])
        self._growing = [_Growing(frame, row, height) for frame, row in by_row]
        self._lease = lease
        self._last_row: int | None = None

    def add(self, block: Block, strip_rows: Rows) -> list[Assembled]:
        """Writes a block whose line i lies on row ``strip_rows[i]`` (n,) of the strip.

        Rows rise or fall by 1, but where lines were skipped or taken twice. Gives the frames
        that are whole now, and those that this pass has left behind or had no room for.
        """
        if not len(strip_rows):
            return []
        in_time = self._growing
        if strip_rows[-1] < strip_rows[0]:
            in_time = in_time[::-1]
        for run in _runs(strip_rows):
            for frame in in_time:
                frame.write(block, run, self._lease)
        done = [frame for frame in in_time if frame.settled or self._is_past(frame, strip_rows)]
        self._last_row = int(strip_rows[-1])
        self._growing = [frame for frame in self._growing if frame not in done]
        return [frame.assembled() for frame in done]

    def finish(self) -> list[Assembled]:
        """The pass is over: the frames that did not become whole."""
        left, self._growing = self._growing, []
        return [frame.assembled() for frame in left]

    def _is_past(self, frame: "_Growing", strip_rows: Rows) -> bool:
        before = int(strip_rows[0]) if self._last_row is None else self._last_row
        now = int(strip_rows[-1])
        return (before < now and now >= frame.end - 1) or (before > now and now <= frame.start)


@dataclass(frozen=True)
class _Run:
    """Lines of a block whose rows follow each other."""

    line: int
    """The first of them in the block."""

    start: int
    end: int
    """Rows of the strip, ``end`` is the first beyond."""

    falling: bool

    def lines(self, start: int, end: int) -> slice:
        """The block's lines that lie on strip rows from ``start`` to before ``end``."""
        first = self.line + (self.end - end if self.falling else start - self.start)
        return slice(first, first + end - start)


def _runs(strip_rows: Rows) -> Iterator[_Run]:
    falling = bool(strip_rows[-1] < strip_rows[0])
    breaks = np.flatnonzero(np.diff(strip_rows) != (-1 if falling else 1)) + 1
    for line, beyond in pairwise([0, *breaks.tolist(), len(strip_rows)]):
        low, high = sorted((int(strip_rows[line]), int(strip_rows[beyond - 1])))
        yield _Run(line, low, high + 1, falling)


class _Growing:
    """A frame that is still to come, or under way."""

    def __init__(self, frame: FrameId, start: int, height: int) -> None:
        self.frame = frame
        self.start, self.end = start, start + height
        self._pixels: Pixels | None = None
        self._no_room = False
        self._has_row = np.zeros(height, np.bool_)
        self._missing = height
        self._first_line_ns = 0

    @property
    def settled(self) -> bool:
        """No line could change it any more."""
        return self._no_room or self._missing == 0

    def write(self, block: Block, run: _Run, lease: Callable[[FrameId], Pixels | None]) -> None:
        """Takes those lines of a run that belong to the frame."""
        start, end = max(run.start, self.start), min(run.end, self.end)
        if start >= end or self._no_room:
            return
        if self._pixels is None:
            self._first_line_ns = block.timestamp_ns
            self._pixels = lease(self.frame)
            if self._pixels is None:
                self._no_room = True
                return
        rows = slice(start - self.start, end - self.start)
        block.copy_into(self._pixels[rows], run.lines(start, end), reverse=run.falling)
        self._missing -= end - start - int(np.count_nonzero(self._has_row[rows]))
        self._has_row[rows] = True

    def assembled(self) -> Assembled:
        """The frame as it stands now."""
        return Assembled(
            frame=self.frame,
            pixels_ready=self._missing == 0,
            missing_rows=self._missing,
            no_room=self._no_room,
            first_line_ns=self._first_line_ns,
        )
