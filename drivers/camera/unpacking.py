"""From a camera's pixel formats to grey levels: one pass over the pixels, into place.

PFNC names: p packs grey levels as one stream of bits, least significant first; Mono12Packed is
GigE Vision's older way, two grey levels' high bytes around a byte of both low nibbles.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.drivers.rig import PixelFormat
from darkscan.pipeline.frames import Pixels

Bytes = npt.NDArray[np.uint8]
_Words = npt.NDArray[np.uint16]
_Unpack = Callable[[Bytes, Pixels], None]

_BYTES_AT_ONCE = 512 * 1024
"""Packed formats take several passes over so much, which stays in the processor's cache."""


@dataclass(frozen=True)
class Layout:
    """How a pixel format lies in memory."""

    code: int
    """The PFNC's number of the format."""

    pixels: int
    """So many pixels..."""

    size: int
    """...take so many bytes."""

    unpack: _Unpack
    """From bytes (rows, width * size / pixels) to grey levels (rows, width)."""

    def row_bytes(self, width: int) -> int:
        """Bytes of a row, which is a whole number of them only for multiples of ``pixels``."""
        return width // self.pixels * self.size


def unpack(layout: Layout, rows: Bytes, out: Pixels) -> None:
    """Writes the grey levels of ``rows`` (n, bytes of a row) into ``out`` (n, width).

    ``rows`` may be any strided view whose last axis is contiguous; ``out`` is uint8 for
    Mono8, else uint16, and may be a view upside down.
    """
    step = max(1, _BYTES_AT_ONCE // rows.shape[1])
    for first in range(0, len(rows), step):
        layout.unpack(rows[first : first + step], out[first : first + step])


def _mono8(rows: Bytes, out: Pixels) -> None:
    out[:] = rows


def _mono16(rows: Bytes, out: Pixels) -> None:
    out[:] = rows.view("<u2")


def _mono10p(rows: Bytes, out: Pixels) -> None:
    for pixel in range(4):
        levels = _pairs(rows, pixel, 5) >> (2 * pixel)
        np.bitwise_and(levels, 0x3FF, out=out[:, pixel::4])


def _mono12p(rows: Bytes, out: Pixels) -> None:
    np.bitwise_and(_pairs(rows, 0, 3), 0xFFF, out=out[:, 0::2])
    np.right_shift(_pairs(rows, 1, 3), 4, out=out[:, 1::2])


def _mono12packed(rows: Bytes, out: Pixels) -> None:
    even = rows[:, 0::3].astype(np.uint16)
    even <<= 4
    np.bitwise_or(even, rows[:, 1::3] & 0xF, out=out[:, 0::2])
    np.right_shift(_pairs(rows, 1, 3), 4, out=out[:, 1::2])


def _pairs(rows: Bytes, first: int, step: int) -> _Words:
    """Bytes first and first + 1 of each group of ``step``, as one little-endian number."""
    shape = (rows.shape[0], rows.shape[1] // step)
    view = np.lib.stride_tricks.as_strided(
        rows[:, first:], (*shape, 2), (rows.strides[0], step, 1), writeable=False
    )
    return view.view("<u2")[..., 0]


LAYOUTS: dict[PixelFormat, Layout] = {
    "Mono8": Layout(0x01080001, 1, 1, _mono8),
    "Mono10": Layout(0x01100003, 1, 2, _mono16),
    "Mono10p": Layout(0x010A0046, 4, 5, _mono10p),
    "Mono12": Layout(0x01100005, 1, 2, _mono16),
    "Mono12p": Layout(0x010C0047, 2, 3, _mono12p),
    "Mono12Packed": Layout(0x010C0006, 2, 3, _mono12packed),
    "Mono16": Layout(0x01100007, 1, 2, _mono16),
}
