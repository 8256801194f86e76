"""Finds the dots of a dot-grid target in a frame."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels

_FEWEST_PIXELS = 12
_ASPECT = (0.75, 1.33)
_FILL = (0.65, 0.92)
"""The share of its bounding box that a disc fills is pi / 4; these are the bounds around it."""

_SPARSE = 4
_NOISE_SIGMAS = 5.0
_NORMAL_MAD = 1.4826


@dataclass(frozen=True)
class Dots:
    """Round bright spots of a frame."""

    centres_px: npt.NDArray[np.float64]
    """(N, 2), x and y; a frame's outer corner is (0, 0)."""

    areas_px: npt.NDArray[np.float64]
    """(N,)"""


def find_dots(pixels: Pixels, cell_px: int) -> Dots:
    """Bright round spots on a darker ground, to a small part of a pixel.

    ``pixels`` is (h, w) uint8 or uint16; in most squares of ``cell_px`` there is a dot, or
    parts of some. Ground and brightness of the dots may change slowly over the frame. Spots
    cut by its rim are left out, what is not round is left out.
    """
    image: Float32Array = np.asarray(
        cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 1.0), np.float32
    )
    image -= _spread_out(_cells(image[::_SPARSE, ::_SPARSE], cell_px // _SPARSE, 50), image)
    some = image[::_SPARSE, ::_SPARSE]
    noise = _NORMAL_MAD * float(np.median(np.abs(some)))
    contrast = _spread_out(_cells(some, cell_px // _SPARSE, 99), image)
    threshold = np.maximum(contrast / 2, _NOISE_SIGMAS * noise)
    mask = (image > threshold).astype(np.uint8)
    _, *found, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    labels, stats = (np.asarray(part, dtype=np.int32) for part in found)
    round_ = _round(stats, image.shape)
    weights = np.where(mask, image - threshold, 0)
    return Dots(_centres(labels, weights, round_), stats[round_, cv2.CC_STAT_AREA].astype(float))


def _cells(image: Float32Array, cell: int, percent: float) -> Float32Array:
    """A percentile in each square of ``cell`` pixels, odd ones levelled by their neighbours."""
    height, width = image.shape
    rows, columns = (max(1, round(side / max(cell, 1))) for side in (height, width))
    tops = np.linspace(0, height, rows + 1).round().astype(int)
    lefts = np.linspace(0, width, columns + 1).round().astype(int)
    values = np.array(
        [
            [
                np.percentile(image[top:bottom, left:right], percent)
                for left, right in pairwise(lefts)
            ]
            for top, bottom in pairwise(tops)
        ],
        dtype=np.float32,
    )
    return np.asarray(cv2.medianBlur(values, 3), dtype=np.float32)


def _spread_out(cells: Float32Array, image: Float32Array) -> Float32Array:
    return np.asarray(cv2.resize(cells, image.shape[::-1]), dtype=np.float32)


def _round(stats: npt.NDArray[np.int32], shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    """The labels of components that may be dots."""
    left, top, width, height, area = stats.T.astype(np.float64)
    fill, aspect = area / (width * height), width / height
    whole = (left > 0) & (top > 0) & (left + width < shape[1]) & (top + height < shape[0])
    good = whole & (area >= _FEWEST_PIXELS)
    for value, (low, high) in ((fill, _FILL), (aspect, _ASPECT)):
        good &= (value >= low) & (value <= high)
    good[0] = False  # the ground
    return np.flatnonzero(good)


def _centres(
    labels: npt.NDArray[np.int32], weights: Float32Array, wanted: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Centres of brightness (N, 2) of the components ``wanted``."""
    y, x = np.nonzero(labels)
    label, weight = labels[y, x], weights[y, x].astype(np.float64)
    total = np.bincount(label, weight)
    sums = (np.bincount(label, weight * (place + 0.5)) for place in (x, y))
    if not len(wanted):
        return np.empty((0, 2))
    return np.stack([values[wanted] / total[wanted] for values in sums], axis=1)
