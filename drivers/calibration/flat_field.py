"""The flat field: what makes every pixel of a frame answer alike."""

import cv2
import numpy as np

from darkscan.drivers.calibration.bad_pixels import BadPixels, Image
from darkscan.pipeline.errors import InputError
from darkscan.pipeline.frames import Pixels

_BAND_PIXELS = 1 << 16
"""As many as stay in a processor's cache between the steps."""


class FlatField:
    """Dark level, gain and bad pixels of a camera.

    ``dark`` (grey levels) and ``gain`` are float32 of the frames' shape (h, w), or (1, w) for
    a line camera, whose rows are all alike.
    """

    def __init__(
        self, dark: Image, gain: Image, bad: BadPixels, *, bit_depth: int, name: str = ""
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
        self._buffer: Image = np.empty((self._rows, width), np.float32)

    def correct(self, pixels: Pixels) -> None:
        """Corrects a frame in place, (h, w) uint8 or uint16; one that fits not is refused.

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

    def _correct_band(self, band: Pixels, gain: Image, offset: Image) -> None:
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
