"""The flat field: corrections that make every pixel answer alike, and stand-ins for bad ones."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.pipeline.core.errors import InputError

NEIGHBOURS = 8
"""Good neighbours whose median replaces a bad pixel of an area camera."""

NEIGHBOURS_IN_A_LINE = 4
_REACH = 4
"""Good neighbours lie within so many rows and columns; in a line within twice as many."""
_BAND_PIXELS = 1 << 16
"""A frame is corrected in bands of so many pixels: they stay in a processor's cache."""


class BadPixels:
    """Bad pixels of frames (h, w), or bad columns of lines.

    ``places`` is (N, 2) int32, (y, x); of a line camera y is 0. Raises InputError if a bad
    pixel has no good one near it.
    """

    def __init__(self, places: npt.NDArray[np.int32], shape: tuple[int, int]) -> None:
        self.places = places
        self._in_a_line = shape[0] == 1
        self._neighbours = _good_neighbours(places, shape)

    def __len__(self) -> int:
        return len(self.places)

    def replace(self, pixels: Pixels | Float32Array) -> None:
        """Puts the median of good neighbours in place of bad pixels of (h, w), in place."""
        if not len(self):
            return
        x, near_x = self.places[:, 1], self._neighbours[..., 1]
        if self._in_a_line:
            values = np.median(pixels[:, near_x], axis=-1)
            pixels[:, x] = _as_levels(values, pixels)
        else:
            values = np.median(pixels[self._neighbours[..., 0], near_x], axis=-1)
            pixels[self.places[:, 0], x] = _as_levels(values, pixels)


class FlatField:
    """Dark level, gain and bad pixels of a camera.

    ``dark`` (grey levels) and ``gain`` are float32 of the frames' shape (h, w), or (1, w) for
    a line camera, whose rows are all alike.
    """

    def __init__(
        self,
        dark: Float32Array,
        gain: Float32Array,
        bad: BadPixels,
        *,
        bit_depth: int,
        name: str = "",
    ) -> None:
        self.dark = dark
        self.gain = gain
        self.bad = bad
        self.bit_depth = bit_depth
        self.name = name
        self._full_scale = 2**bit_depth - 1
        self._dtype = np.dtype(np.uint8 if bit_depth == 8 else np.uint16)  # noqa: PLR2004
        height, width = gain.shape
        self._rows = max(1, _BAND_PIXELS // width)
        # The mean dark level stays: without it half the noise of unlit pixels would be cut off.
        offset = float(dark.mean()) - dark * gain
        tiles = (self._rows, 1) if height == 1 else (1, 1)
        self._gain = np.tile(gain, tiles)
        self._offset = np.tile(offset, tiles)
        self._buffer: Float32Array = np.empty((self._rows, width), np.float32)

    def correct(self, pixels: Pixels) -> None:
        """Corrects a frame in place, (h, w) uint8 or uint16.

        ``(pixel - dark) * gain + mean dark``, rounded and held between 0 and full scale.
        Saturated pixels stay saturated: how bright they were is not known. Not for two threads
        at once. Raises InputError for frames of another shape or type.
        """
        self._check(pixels)
        per_column = len(self.gain) == 1
        for top in range(0, len(pixels), self._rows):
            band = pixels[top : top + self._rows]
            rows = slice(0, len(band)) if per_column else slice(top, top + len(band))
            self._correct_band(band, self._gain[rows], self._offset[rows])
        self.bad.replace(pixels)

    def _correct_band(self, band: Pixels, gain: Float32Array, offset: Float32Array) -> None:
        full = self._full_scale
        saturated = cv2.inRange(band, full, 65_535)
        scaled = self._buffer[: len(band)]
        cv2.multiply(band, gain, dst=scaled, dtype=cv2.CV_32F)
        depth = cv2.CV_8U if band.dtype == np.uint8 else cv2.CV_16U
        cv2.add(scaled, offset, dst=band, dtype=depth)  # rounds, and stops at the type's ends
        if self.bit_depth < band.dtype.itemsize * 8:
            cv2.min(band, full, dst=band)
        if cv2.countNonZero(saturated):
            band[saturated > 0] = full

    def _check(self, pixels: Pixels) -> None:
        height, width = self.gain.shape
        fits = pixels.ndim == 2 and pixels.shape[1] == width  # noqa: PLR2004
        if not fits or (height > 1 and len(pixels) != height) or pixels.dtype != self._dtype:
            frame = "x".join(map(str, pixels.shape[::-1]))
            rows = "" if height == 1 else f"x{height}"
            raise InputError(
                f"the flat field is for frames of {width}{rows} {self._dtype}, "
                f"the camera gives {frame} {pixels.dtype}"
            )


def _good_neighbours(
    places: npt.NDArray[np.int32], shape: tuple[int, int]
) -> npt.NDArray[np.int32]:
    """The nearest good pixels of each bad one, (N, neighbours, 2)."""
    in_a_line = shape[0] == 1
    wanted = NEIGHBOURS_IN_A_LINE if in_a_line else NEIGHBOURS
    down = [0] if in_a_line else range(-_REACH, _REACH + 1)
    across = range(-_REACH * (2 if in_a_line else 1), _REACH * (2 if in_a_line else 1) + 1)
    offsets = np.array([(y, x) for y in down for x in across], dtype=np.int32)
    offsets = offsets[np.argsort((offsets**2).sum(axis=1), kind="stable")]
    bad = np.zeros(shape, dtype=bool)
    bad[places[:, 0], places[:, 1]] = True
    near = places[:, None] + offsets
    inside = ((near >= 0) & (near < shape)).all(axis=-1)
    clipped = np.clip(near, 0, np.array(shape) - 1)
    good = inside & ~bad[clipped[..., 0], clipped[..., 1]]
    if len(places) and not good.any(axis=1).all():
        y, x = places[np.flatnonzero(~good.any(axis=1))[0]]
        raise InputError(f"pixel x {x}, y {y} has only bad pixels around it")
    nearest = np.argsort(~good, axis=1, kind="stable")[:, :wanted]
    # Where there are fewer good ones the nearest of all stands in for the rest.
    there = np.take_along_axis(good, nearest, axis=1)
    nearest = np.where(there, nearest, nearest[:, :1])
    return np.take_along_axis(near, nearest[..., None], axis=1)


def _as_levels(values: npt.NDArray[Any], pixels: Pixels | Float32Array) -> npt.NDArray[Any]:
    """Rounds ``values`` where pixels are whole numbers."""
    return values if pixels.dtype.kind == "f" else np.rint(values)
