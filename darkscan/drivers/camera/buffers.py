"""A buffer of the producer: its pixels, its number, and what the camera says beside them."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from genicam import gentl

from darkscan.drivers.camera._bindings import GENICAM_ERRORS
from darkscan.drivers.camera.errors import CameraError
from darkscan.drivers.camera.nodes import Nodes, Wanted
from darkscan.drivers.camera.unpacking import Layout, unpack
from darkscan.drivers.rig.tables import NodeValue
from darkscan.pipeline.core.arrays import Pixels, UInt8Array
from darkscan.pipeline.core.errors import InputError

_ALL_ROWS = slice(None)
_ENCODER, _COUNTER = "EncoderValue", "CounterValue"  # chunks
_UINT32 = 2**32
_NS_PER_S = 1_000_000_000


class Buffer:
    """A frame, or a block of lines, in the producer's memory.

    It is valid inside the ``with`` of the fetch that gave it; the producer writes over it
    afterwards.
    """

    def __init__(
        self,
        raw: Any,
        layout: Layout,
        width: int,
        *,
        numbered: "Numbered",
        incomplete: int,
        chunks: "Chunks",
    ) -> None:
        """Wraps ``raw``, genicam's buffer of ``width`` pixels a row.

        ``incomplete``: how many of the frames missed just before it came with missing parts.
        Raises CameraError if the buffer does not hold what the camera was set to.
        """
        self.number, self.missed = numbered
        self.incomplete = incomplete
        self.rows = _value(raw, "delivered_image_height", 0) or raw.height
        self._raw, self._chunks = raw, chunks
        self._layout = layout
        if raw.width != width or raw.pixel_format != layout.code:
            raise CameraError(
                f"the camera delivers {raw.width} pixels a row in the format "
                f"{raw.pixel_format:#010x} instead of {width} in {layout.code:#010x}"
            )
        self._bytes = _pixel_bytes(raw, self.rows, layout.row_bytes(width))

    @cached_property
    def timestamp_ns(self) -> int:
        """On the camera's clock, ns; 0 where the camera gives none."""
        if stamp := _value(self._raw, "timestamp_ns", 0):
            return int(stamp)
        frequency = _value(self._raw.parent.parent, "timestamp_frequency", 0)
        ticks = _value(self._raw, "timestamp", 0)
        return int(ticks) * _NS_PER_S // int(frequency) if frequency else 0

    @cached_property
    def encoder(self) -> npt.NDArray[np.int64] | None:
        """The encoder's counts (rows,) since the camera was armed; None: not told."""
        return self._chunks.encoder(self.rows)

    @cached_property
    def counter(self) -> int | None:
        """The camera's counter, triggers if it was set so; None: not told."""
        return self._chunks.counter()

    def copy_into(self, out: Pixels, rows: slice = _ALL_ROWS, *, reverse: bool = False) -> None:
        """Writes the grey levels of some rows into ``out`` (n, width): the one copy.

        ``out`` is uint8 for Mono8, else uint16; ``reverse``: the first row comes last.
        """
        unpack(self._layout, self._bytes[rows], out[::-1] if reverse else out)


def _pixel_bytes(raw: Any, rows: int, row_bytes: int) -> UInt8Array:
    """A view (rows, row_bytes) of a buffer's pixels, without the padding."""
    stride = row_bytes + _value(raw, "padding_x", 0)
    first = _value(raw, "image_offset", 0)
    memory = np.frombuffer(raw.raw_buffer, np.uint8)
    # The padding of the last row may be left out.
    if first + (rows - 1) * stride + row_bytes > len(memory):
        raise CameraError(f"the camera delivers {len(memory)} bytes, too few for {rows} rows")
    return np.lib.stride_tricks.as_strided(
        memory[first:], (rows, row_bytes), (stride, 1), writeable=False
    )


def _value(module: Any, name: str, default: int) -> int:
    """A value that a producer need not know; then ``default``."""
    try:
        return int(getattr(module, name))
    except gentl.GenericException:
        return default


class Numbered(NamedTuple):
    """A frame's place in the row of all that the camera took."""

    number: int
    """0-based since acquisition began, those that never came counted."""

    missed: int
    """Numbers skipped just before this one."""


class Numbering:
    """Undoes the wrap of a camera's frame numbers and sees the gaps.

    ``first`` is the number of a camera's very first frame, ``wraps_at`` the largest before
    the camera goes on at 1, or 0 if it never does.

    Most cameras count from ``first`` again whenever acquisition starts, and then the frames
    lost before the first that came are known, too. Some count on. A camera is taken for one of
    these when its first number is beyond the last of the acquisition before, until it once
    was not.
    """

    def __init__(self, first: int, wraps_at: int) -> None:
        self._first, self._wraps_at = first, wraps_at
        self._last_id: int | None = None
        self._restarts = False
        self.begin()

    def begin(self) -> None:
        """Acquisition starts (again)."""
        self._next_id: int | None = None
        self._next = 0

    def add(self, frame_id: int) -> Numbered:
        """The place of the frame that came next, by the camera's own number.

        Where numbers without a wrap go back nobody knows what is missing: nothing is said to.
        """
        expected = self._first_id(frame_id) if self._next_id is None else self._next_id
        missed = frame_id - expected
        if missed < 0:
            missed = missed % self._wraps_at if self._wraps_at else 0
        number = self._next + missed
        self._last_id = frame_id
        self._next = number + 1
        self._next_id = 1 if frame_id == self._wraps_at else frame_id + 1
        return Numbered(number, missed)

    def _first_id(self, came: int) -> int:
        """The number that the first frame of this acquisition had, even if it was lost."""
        self._restarts = self._restarts or (self._last_id is not None and came <= self._last_id)
        counts_on = self._last_id is not None and not self._restarts
        return came if counts_on else self._first


class Chunks:
    """Switches a camera's chunks on, and reads them of the buffer fetched last."""

    def __init__(self, nodes: Nodes, *, lines: bool, encoder: bool, file: Path | None) -> None:
        """``lines``: a buffer is a block of lines, each with a count of its own.

        Raises InputError if the ``encoder`` is needed and the camera does not tell its counts.
        """
        offered = nodes.offered("ChunkSelector")
        wanted = [chunk for chunk in (_ENCODER, _COUNTER) if chunk in offered]
        if encoder and _ENCODER not in offered:
            have = f"it offers {', '.join(offered)}" if offered else "it offers no chunks"
            problem = f"this camera does not tell its encoder's counts: no chunk {_ENCODER}; {have}"
            raise InputError(problem, file=file, field="motion.positions")
        if wanted:
            nodes.apply(_switched("ChunkModeActive", value=True))
        for chunk in wanted:
            nodes.apply(_switched("ChunkSelector", value=chunk))
            nodes.apply(_switched("ChunkEnable", value=True))
        # Looked up once: finding a node takes longer than reading it.
        self._encoder = nodes.named("ChunkEncoderValue") if _ENCODER in wanted else None
        self._counter = nodes.named("ChunkCounterValue") if _COUNTER in wanted else None
        self._line = nodes.named("ChunkScanLineSelector") if lines else None
        if encoder and lines and self._line is None:
            problem = "this camera does not tell its encoder's count for each line of a block"
            raise InputError(problem, file=file, field="motion.positions")
        self._lines = lines
        self.line_step: int | None = None
        """Encoder counts from line to line, signed; None: not known. It is set for each strip."""

    def encoder(self, rows: int) -> npt.NDArray[np.int64] | None:
        """Counts (rows,) of the rows of the buffer; None: not told."""
        if self._encoder is None or (self._lines and self._line is None):
            return None
        try:
            if self._lines:
                return encoder_lines(self._count_of_line, rows, self.line_step)
            return np.full(rows, signed(int(self._encoder.value)), np.int64)
        except GENICAM_ERRORS:
            return None

    def counter(self) -> int | None:
        """The counter, which may count triggers; None: not told."""
        with suppress(*GENICAM_ERRORS):
            return None if self._counter is None else int(self._counter.value)
        return None

    def _count_of_line(self, line: int) -> int:
        assert self._line is not None
        assert self._encoder is not None
        # Unverified: verifying takes twenty times as long, and the line is one of the block's.
        self._line.set_value(line, verify=False)
        return signed(int(self._encoder.value))


def _switched(node: str, *, value: NodeValue) -> Wanted:
    return Wanted(node, value, f"camera.names.{node}")


def encoder_lines(read: Callable[[int], int], rows: int, step: int | None) -> npt.NDArray[np.int64]:
    """The counts (rows,) of a block's lines, where ``read`` gives that of one line.

    Reading every line through GenApi costs more time than the lines take to come. As a line
    is taken each ``step`` counts (signed; None: not known, each line is read), lines between
    two that are as far apart as they should be are in their places, and are not read: two
    readings for a whole block, and about 2 log2(rows) more for each jump in it. "As far" is
    to less than half a step, which leaves room for a count's jitter. Lines between two of the
    same count have that count as well (the encoder stands still, and lines come all the same).
    """
    counts = np.empty(rows, np.int64)
    if step is None:
        counts[:] = [read(row) for row in range(rows)]
        return counts
    counts[0], counts[-1] = read(0), read(rows - 1)
    open_ranges = [(0, rows - 1)]
    while open_ranges:
        first, last = open_ranges.pop()
        way = int(counts[last] - counts[first])
        if way == 0 or 2 * abs(way - step * (last - first)) < abs(step):
            counts[first : last + 1] = np.rint(
                np.linspace(counts[first], counts[last], last - first + 1)
            )
        elif last - first > 1:
            middle = (first + last) // 2
            counts[middle] = read(middle)
            open_ranges += [(first, middle), (middle, last)]
    return counts


def signed(count: int) -> int:
    """A count; cameras that keep it in 32 bits without a sign wrap below zero."""
    return count - _UINT32 if _UINT32 // 2 <= count < _UINT32 else count
