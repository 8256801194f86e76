"""Frames side by side, as a picture of a part of the element."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask, Pixels
from darkscan.pipeline.core.geometry import rectangle
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

_DARKEST, _BRIGHTEST = 1.0, 99.8
"""Percentiles of the picture that become black and white."""
_SAMPLES = 1_000_000
_FEWEST_LEVELS = 8
"""Grey levels that black and white are apart at least: noise is not to look like structure."""
_ROUNDING = 1e-6


@dataclass(frozen=True)
class View:
    """A part of the element as a picture."""

    left_mm: float
    top_mm: float
    width: int
    """Pixels of the picture."""

    height: int
    mm_per_px: float

    def to_pixels(self, places_mm: npt.ArrayLike) -> Float64Array:
        """Places (..., 2) on the element, mm, in the picture's pixels, from its outer corner."""
        corner = (self.left_mm, self.top_mm)
        pixels: Float64Array = (np.asarray(places_mm, np.float64) - corner) / self.mm_per_px
        return pixels


def view_of(left_mm: float, top_mm: float, size_mm: tuple[float, float], mm_per_px: float) -> View:
    """The view of a rectangle ``size_mm`` wide and high, in whole pixels."""
    width, height = (max(1, int(np.ceil(mm / mm_per_px - _ROUNDING))) for mm in size_mm)
    return View(left_mm, top_mm, width, height, mm_per_px)


def compose(
    scan: ScanInfo, frames: Iterable[tuple[FrameMeta, npt.NDArray[Any]]], view: View
) -> tuple[Pixels, Mask]:
    """Frames at their places (height, width), and which pixels they cover.

    The pixels of a frame may be a thumbnail's, which spans the whole frame. Where frames
    overlap, the later one is seen.
    """
    canvas: Pixels = np.zeros((view.height, view.width), scan.dtype)
    covered = np.zeros(canvas.shape, np.bool_)
    most = (view.width, view.height)
    for meta, given in frames:
        pixels = np.ascontiguousarray(given)
        to_picture = _placement(scan, meta, pixels.shape, view)
        rows, columns = pixels.shape
        corners = rectangle(0, 0, columns, rows) @ to_picture[:, :2].T + to_picture[:, 2]
        low, high = np.floor(corners.min(axis=0) + _ROUNDING), corners.max(axis=0) - _ROUNDING
        left, top = np.clip(low, 0, most).astype(int)
        right, bottom = np.clip(np.ceil(high), 0, most).astype(int)
        if left >= right or top >= bottom:
            continue
        # OpenCV counts from the middle of the first pixel, we from its corner.
        matrix = to_picture.copy()
        matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5 - (left, top)
        size = (int(right - left), int(bottom - top))
        values = cv2.warpAffine(
            pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        whole = np.ones(pixels.shape, np.uint8)
        valid = cv2.warpAffine(whole, matrix, size, flags=cv2.INTER_NEAREST).astype(np.bool_)
        block = (slice(top, bottom), slice(left, right))
        canvas[block][valid] = values[valid]
        covered[block] |= valid
    return canvas, covered


def _placement(scan: ScanInfo, meta: FrameMeta, shape: tuple[int, ...], view: View) -> Float64Array:
    """(2, 3): from a thumbnail's pixels (x, y, 1) to the picture's, both from their corners."""
    frame_rows, frame_columns = scan.frame_shape
    pixels = np.array([frame_columns / shape[1], frame_rows / shape[0]])
    linear = scan.pixel_to_stage.matrix * pixels / view.mm_per_px
    return np.hstack([linear, view.to_pixels(meta.position_mm[:2])[:, None]])


def stretched(canvas: Pixels, covered: Mask) -> npt.NDArray[np.uint8]:
    """Grey levels between the percentiles of what frames cover, as 0 to 255."""
    levels = canvas[covered]
    if not levels.size:
        return np.zeros(canvas.shape, np.uint8)
    sample = levels[:: max(1, levels.size // _SAMPLES)]
    low, high = np.percentile(sample, [_DARKEST, _BRIGHTEST])
    gain = 255.0 / max(high - low, _FEWEST_LEVELS)
    grey: npt.NDArray[np.uint8] = np.zeros(canvas.shape, np.uint8)
    grey[covered] = np.clip((levels.astype(np.float32) - low) * gain, 0, 255)
    return grey
