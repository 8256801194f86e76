"""A frame made small, for the picture of the whole element."""

import math

import cv2

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import ScanInfo

_HALVED = 2
_SLACK_PX = 1e-6
"""Pixels by which a quotient may exceed a whole number through rounding alone."""


def thumbnail_scale(scan: ScanInfo, picture_px: int) -> int:
    """How many pixels, across and down, become one of a thumbnail.

    The smallest whole number, 1 or more, for which the element's picture has at
    most ``picture_px`` pixels on its longer side.
    """
    longer_px = max(scan.element_size_mm) / (scan.pitch_um / 1000)
    return max(1, math.ceil(longer_px / picture_px - _SLACK_PX))


def make_thumbnail(pixels: Pixels, scale: int) -> Pixels:
    """Averages squares of ``scale`` pixels of a frame (height, width).

    The thumbnail has the camera's dtype and spans the whole frame: a frame that is no
    multiple of the scale is averaged over squares of nearly that size.
    """
    if scale == 1:
        return pixels.copy()
    height, width = pixels.shape
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    # Squares of two by two are several times as fast as any others: those first, while they fit.
    while scale >= 2 * _HALVED and not (height % _HALVED or width % _HALVED):
        if scale % _HALVED and not (height % scale or width % scale):
            break  # an average of whole squares
        height, width, scale = height // _HALVED, width // _HALVED, scale // _HALVED
        pixels = _averaged(pixels, (width, height))
    return _averaged(pixels, size)


def _averaged(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
