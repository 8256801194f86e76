"""From a frame's pixels to the levels of the scan's picture: placed, halved, made into JPEG.

Everything here is a pure function of one frame. Where frames overlap, the brightest pixel
counts, as it does between the levels: a weak line that one of two frames shows stays. The
order in which frames come then changes nothing, nor does a frame that comes twice.
"""

import ctypes
import math
from typing import NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from darkscan.pipeline.core.arrays import Float64Array, Pixels
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.pipeline.host_link.messages import MOST_LEVELS, TILE_PX, Pyramid

Grey = npt.NDArray[np.uint8]

JPEG_QUALITY = 95
"""At 85 the error is twice as large: 0.8 of a simulated frame's noise. A tile has 78 KiB."""

_SOFTENING = 1 / 16
"""Of full scale: of the powers of two, the one with the least error after the JPEG."""

_FINEST = 1
"""Level 0 comes only where something was found; the host may cut it from the recording."""

_MOST_TILES = 2**20
"""Of level 1; a larger element has no picture."""

_LONGEST_SIDE_PX = 32_000
"""Of a frame: OpenCV turns no larger ones."""

_UNTURNED_PX = 0.05
"""A frame that is turned, skewed and scaled by less than this across is only moved."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of the C library's malloc.h
_KEPT_BYTES = 64 * 2**20


class Block(NamedTuple):
    """A rectangle of a level, of one frame; 0 is what the frame does not show."""

    x: int
    """Its first pixel's column on the level."""
    y: int
    pixels: Pixels


def pyramid_of(scan: ScanInfo) -> Pyramid | None:
    """The picture that a scan will have; None if the element is too large for one."""
    pixel_mm = scan.pitch_um / 1000
    width, height = (math.ceil(side / pixel_mm - 1e-6) for side in scan.element_size_mm)
    levels = 1 + max(0, math.ceil(math.log2(max(width, height) / TILE_PX)))
    tiles = math.prod(-(-side // (2 * TILE_PX)) for side in (width, height))
    if levels > MOST_LEVELS or tiles > _MOST_TILES or max(scan.frame_shape) > _LONGEST_SIDE_PX:
        return None
    return Pyramid(
        width_px=width,
        height_px=height,
        pitch_um=scan.pitch_um,
        levels=levels,
        softening=max(1.0, scan.full_scale * _SOFTENING),
        full_scale=scan.full_scale,
        finest=min(_FINEST, levels - 1),
    )


class Placement:
    """Where the pixels of a scan's frames lie in level 0 of its picture."""

    def __init__(self, scan: ScanInfo, picture: Pyramid) -> None:
        self.size = (picture.width_px, picture.height_px)
        self._shape = scan.frame_shape
        self._per_mm = 1000 / picture.pitch_um
        self._linear = scan.pixel_to_stage.matrix * self._per_mm
        height, width = scan.frame_shape
        self._corners = rectangle(0, 0, width, height) @ self._linear.T
        signs = np.diag(np.sign(np.diag(self._linear)))
        off = np.abs(rectangle(0, 0, width, height) @ (self._linear - signs).T).max()
        self._is_turned = bool(off > _UNTURNED_PX)

    def points(self, points_px: npt.ArrayLike, position_mm: tuple[float, ...]) -> Float64Array:
        """Points (..., 2) of a frame, in level 0's pixels, from the outer corner of its first."""
        points = np.asarray(points_px, np.float64) @ self._linear.T
        return np.asarray(points + np.array(position_mm[:2]) * self._per_mm)

    def box(self, position_mm: tuple[float, ...]) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what a frame may show in level 0, within the element."""
        corners = self._corners + np.array(position_mm[:2]) * self._per_mm
        low = np.clip(np.floor(corners.min(axis=0)), 0, self.size).astype(int).tolist()
        high = np.clip(np.ceil(corners.max(axis=0)), 0, self.size).astype(int).tolist()
        return low[0], low[1], high[0], high[1]

    def place(self, pixels: Pixels, position_mm: tuple[float, ...]) -> Block | None:
        """A frame (H, W) in level 0: each pixel there is the frame's at its middle, plus one.

        None if all of it lies beside the element. The block begins and ends at even pixels.
        The level is one higher, at most the dtype's largest, so that a dark pixel is not "not
        seen".
        """
        left, top, right, bottom = self.box(position_mm)
        if right <= left or bottom <= top:
            return None
        left, top, right, bottom = left & -2, top & -2, right + 1 & -2, bottom + 1 & -2
        shape = (bottom - top, right - left)
        place = np.array(position_mm[:2]) * self._per_mm - (left, top)
        if self._is_turned:
            out = self._turned(pixels, place, shape)
        else:
            out = np.zeros(shape, pixels.dtype)
            self._move(pixels, place, out)
        limit = np.array(self.size) - (left, top)
        out[limit[1] :], out[:, limit[0] :] = 0, 0  # what rounding to even pixels added
        return Block(left, top, out)

    def _move(self, pixels: Pixels, place: Float64Array, out: Pixels) -> None:
        """Writes the frame into its block where the frame is only moved, or mirrored."""
        for axis in (0, 1):
            if self._linear[axis, axis] < 0:
                pixels = np.flip(pixels, 1 - axis)
                place[axis] -= pixels.shape[1 - axis]
        first = np.ceil(place - 0.5).astype(int).tolist()
        across, down = (
            _overlap(start, pixels.shape[1 - axis], out.shape[1 - axis])
            for axis, start in enumerate(first)
        )
        if across is not None and down is not None:
            _higher(pixels[down[0], across[0]], out[down[1], across[1]])

    def _turned(self, pixels: Pixels, place: Float64Array, shape: tuple[int, int]) -> Pixels:
        """The frame in its block, for any linear placement."""
        back = np.linalg.inv(self._linear)
        # OpenCV counts from the middles of pixels, and rounds.
        shift = back @ (0.5 - place) - 0.5
        return cast(
            "Pixels",
            cv2.warpAffine(
                _higher(pixels),
                np.column_stack([back, shift]),
                shape[::-1],
                flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
            ),
        )


def _higher(pixels: Pixels, out: Pixels | None = None) -> Pixels:
    """Each level one higher, the largest as it is, in ``out`` if that is given."""
    higher = np.add(pixels, 1, out=out, dtype=pixels.dtype)
    # The largest has begun again at zero.
    return cast("Pixels", np.maximum(higher, pixels, out=higher))


def _overlap(first: int, length: int, room: int) -> tuple[slice, slice] | None:
    """The part of ``length`` pixels from ``first`` on that lies in ``room``: there, and here."""
    begin, end = max(0, -first), min(length, room - first)
    if end <= begin:
        return None
    return slice(begin, end), slice(first + begin, first + end)


def halved(block: Block) -> Block:
    """The same place on the level above: each pixel is the brightest of four."""
    x, y, pixels = block
    height, width = pixels.shape
    before, behind = (y % 2, x % 2), ((y + height) % 2, (x + width) % 2)
    if any(before) or any(behind):
        pixels = cast("Pixels", np.pad(pixels, tuple(zip(before, behind, strict=True))))
    rows = cv2.max(pixels[0::2], pixels[1::2])
    columns = cv2.max(np.ascontiguousarray(rows[:, 0::2]), np.ascontiguousarray(rows[:, 1::2]))
    return Block(x // 2, y // 2, cast("Pixels", columns))


class GreyTable:
    """From the camera's levels, each one higher, to the grey levels of the picture."""

    def __init__(self, picture: Pyramid, dtype: npt.DTypeLike) -> None:
        levels = np.arange(np.iinfo(dtype).max + 1) - 1.0
        stretched = np.arcsinh(levels / picture.softening)
        grey = np.rint(255 * stretched / math.asinh(picture.full_scale / picture.softening))
        self._table = np.clip(grey, 1, 255).astype(np.uint8)
        self._table[0] = 0  # not seen

    def __call__(self, pixels: Pixels) -> Grey:
        """Grey levels, 1 to 255, and 0 for "not seen"."""
        if pixels.dtype == np.uint8:
            return cast("Grey", cv2.LUT(pixels, self._table))
        return np.take(self._table, pixels)


def encode_tile(grey: Grey) -> bytes:
    """A tile (h, w) as a JPEG file."""
    return bytes(
        simplejpeg.encode_jpeg(np.ascontiguousarray(grey)[..., None], JPEG_QUALITY, "GRAY")
    )


def keep_freed_memory() -> None:
    """Has this process keep the memory of frames and blocks that are done with.

    Fresh pages for each frame would cost more time than all that is done with it.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    libc.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES // 2)
