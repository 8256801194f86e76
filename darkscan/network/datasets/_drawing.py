"""Draws outlines and lines as masks."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask

_FRACTION_BITS = 4  # outlines are drawn to a sixteenth of a pixel


def fill(polygon: Float64Array, mask: Mask) -> bool:
    """Sets the pixels of ``mask`` (H, W) within a polygon (K, 2); whether there are any.

    x and y are counted from the outer corner of the first pixel.
    """
    height, width = mask.shape
    left, top = np.maximum(np.floor(polygon.min(axis=0)) - 1, 0).astype(int).tolist()
    far = np.minimum(np.ceil(polygon.max(axis=0)) + 1, (width, height))
    right, bottom = far.astype(int).tolist()
    if right <= left or bottom <= top:
        return False
    canvas = np.zeros((bottom - top, right - left), np.uint8)
    cv2.fillPoly(canvas, [_fixed(polygon - (left, top))], 1, shift=_FRACTION_BITS)
    mask[top:bottom, left:right] |= canvas > 0
    return bool(canvas.any())


def thick(lines: Sequence[Float64Array], shape: tuple[int, int], width_px: int) -> Mask:
    """The pixels (H, W) of bands of ``width_px`` along polylines (K, 2)."""
    mask = np.zeros(shape, np.uint8)
    for line in lines:
        cv2.polylines(
            mask, [_fixed(line)], isClosed=False, color=1, thickness=width_px, shift=_FRACTION_BITS
        )
    return mask.astype(np.bool_)


def _fixed(points: Float64Array) -> npt.NDArray[np.int32]:
    """Places as OpenCV draws them: fixed point, (0, 0) the middle of the first pixel."""
    return np.asarray(np.rint((points - 0.5) * 2**_FRACTION_BITS), dtype=np.int32)
