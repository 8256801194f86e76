"""From a camera's pixel formats to grey levels: one pass over the pixels, into place.

PFNC names: p packs grey levels as one stream of bits, least significant first; Mono12Packed is
GigE Vision's older way, two grey levels' high bytes around a byte of both low nibbles.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.rig import PixelFormat
from darkscan.pipeline.core.arrays import Pixels, UInt8Array

_Unpack = Callable[[UInt8Array, Pixels], None]

_BYTES_AT_ONCE = 192 * 1024
"""Packed formats take several passes over so much, which stays in the processor's cache."""

_GROUP_10P = 5
"""Bytes of four pixels."""


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


def unpack(layout: Layout, rows: UInt8Array, out: Pixels) -> None:
    """Writes the grey levels of ``rows`` (n, bytes of a row) into ``out`` (n, width).

    ``rows`` may be any strided view whose last axis is contiguous; ``out`` is uint8 for
    Mono8, else uint16, and may be a view upside down.
    """
    step = max(1, _BYTES_AT_ONCE // rows.shape[1])
    for first in range(0, len(rows), step):
        layout.unpack(rows[first : first + step], out[first : first + step])


def _mono8(rows: UInt8Array, out: Pixels) -> None:
    out[:] = rows


def _mono16(rows: UInt8Array, out: Pixels) -> None:
    out[:] = rows.view("<u2")


def _mono10p(rows: UInt8Array, out: Pixels) -> None:
    # Eight bytes are read for five: a row's last group must not read beyond the buffer.
    if rows.shape[1] > _GROUP_10P:
        _four_at_once(rows, out[:, :-4].view("<u8"))
    last = rows[:, -_GROUP_10P:].astype(np.uint16)
    for pixel in range(4):
        levels = (last[:, pixel] | last[:, pixel + 1] << 8) >> (2 * pixel)
        np.bitwise_and(levels, 0x3FF, out=out[:, out.shape[1] - 4 + pixel])


def _four_at_once(rows: UInt8Array, out: npt.NDArray[np.uint64]) -> None:
    """Spreads 4 x 10 bits to 4 x 16: first the two halves apart, then each in two."""
    groups = np.lib.stride_tricks.as_strided(
        rows, (*out.shape, 8), (rows.strides[0], _GROUP_10P, 1), writeable=False
    )
    bits = groups.view("<u8")[..., 0].copy()
    upper = bits & 0xFF_FFF0_0000
    upper <<= 12
    bits &= 0xF_FFFF
    bits |= upper
    np.bitwise_and(bits, 0x000F_FC00_000F_FC00, out=upper)
    upper <<= 6
    bits &= 0x0000_03FF_0000_03FF
    np.bitwise_or(bits, upper, out=out)


def _mono12p(rows: UInt8Array, out: Pixels) -> None:
    bits, pairs = _pairs(rows), out.view("<u4")
    np.bitwise_and(bits, 0xFF_F000, out=pairs)
    pairs <<= 4
    bits &= 0xFFF
    pairs |= bits


def _mono12packed(rows: UInt8Array, out: Pixels) -> None:
    bits, pairs = _pairs(rows), out.view("<u4")
    np.bitwise_and(bits, 0xFF_F000, out=pairs)
    pairs <<= 4
    high = bits & 0xFF
    high <<= 4
    pairs |= high
    bits >>= 8
    bits &= 0xF
    pairs |= bits


def _pairs(rows: UInt8Array) -> npt.NDArray[np.uint32]:
    """Each three bytes as one number, 255 above them: what OpenCV does fast for colours."""
    colours = rows.reshape(len(rows), -1, 3)
    numbers: npt.NDArray[np.uint32] = cv2.cvtColor(colours, cv2.COLOR_BGR2BGRA).view("<u4")
    return numbers[..., 0]


LAYOUTS: dict[PixelFormat, Layout] = {
    "Mono8": Layout(0x01080001, 1, 1, _mono8),
    "Mono10": Layout(0x01100003, 1, 2, _mono16),
    "Mono10p": Layout(0x010A0046, 4, 5, _mono10p),
    "Mono12": Layout(0x01100005, 1, 2, _mono16),
    "Mono12p": Layout(0x010C0047, 2, 3, _mono12p),
    "Mono12Packed": Layout(0x010C0006, 2, 3, _mono12packed),
    "Mono16": Layout(0x01100007, 1, 2, _mono16),
}
