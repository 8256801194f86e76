"""One buffer of the producer, as long as it is ours: read here, then handed back."""

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from genicam import gentl

from darkscan.drivers.camera.chunks import Chunks
from darkscan.drivers.camera.errors import CameraError
from darkscan.drivers.camera.numbering import Numbered
from darkscan.drivers.camera.unpacking import Layout, unpack
from darkscan.pipeline.frames import Pixels

_ALL = slice(None)
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
        numbered: Numbered,
        incomplete: int,
        chunks: Chunks,
        step: int | None,
    ) -> None:
        """``raw``: genicam's buffer; ``step``: encoder counts from line to line, signed.

        Raises CameraError if it does not hold what the camera was set to.
        """
        self.number, self.missed = numbered
        self.incomplete = incomplete
        self.rows = _value(raw, "delivered_image_height", 0) or raw.height
        self._raw, self._chunks, self._step = raw, chunks, step
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
        return self._chunks.encoder(self.rows, self._step)

    @cached_property
    def counter(self) -> int | None:
        """The camera's counter, triggers if it was set so; None: not told."""
        return self._chunks.counter()

    def copy_into(self, out: Pixels, rows: slice = _ALL, *, reverse: bool = False) -> None:
        """Writes the grey levels of some rows into ``out`` (n, width): the one copy.

        ``out`` is uint8 for Mono8, else uint16; ``reverse``: the first row comes last.
        """
        unpack(self._layout, self._bytes[rows], out[::-1] if reverse else out)


def _pixel_bytes(raw: Any, rows: int, row_bytes: int) -> npt.NDArray[np.uint8]:
    """A view (rows, row_bytes) of the pixels."""
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
    """Something that producers need not know."""
    try:
        return int(getattr(module, name))
    except gentl.GenericException:
        return default
