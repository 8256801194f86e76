"""Crests along which a bright line may run: the response of oriented line filters.

The second derivative of a Gaussian across the line, steered from three separable filters
(Freeman and Adelson, "The design and use of steerable filters", IEEE PAMI 13(9), 1991),
is added up at nine places along the line: far enough that points strung along a line add up
to one line, and for less than a bank of long kernels costs. The amount that one place adds is
limited: a speck of dust, however bright, makes no line of its own.

All filters work on frames halved in size: a scratch still has more than a pixel, the noise
is halved, and so is the reach that the filters need.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels

HALVED = 2
"""Pixels of the frame, across and down, in one of the halved frame."""

ORIENTATIONS = 16
_SIGMA = 1.1  # width of the filter, pixels of the halved frame
_REACH = 4  # half the width of its kernels
_STEP = 3  # between the nine places along the line at which it is added up
_STRIP = 128  # rows that are filtered together
_MARGIN = _REACH + 4 * _STEP
_BLOCK = 8  # the background is the median of 5 x 5 blocks of so many pixels
_DARKEST, _BRIGHTEST = -4.0, 6.0  # sigmas at which single specks are cut off
_LEAST_SIGMA = 0.15  # grey levels: the noise of rounding alone, halved
_MOST_OF_A_PLACE = 4.5  # the most that one place adds, sigmas of the filter in white noise
_WEAKEST = 3.25  # the least response that a line goes on with, in sigmas


@dataclass(frozen=True, eq=False)
class Ridges:
    """Crests of the line filters' response: N pixels of the halved frame."""

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]
    strength: Float32Array
    """(N,) in standard deviations of the response to background."""

    angle: Float32Array
    """(N,) direction of the line, radians from x towards y, 0 to pi."""

    @classmethod
    def none(cls) -> "Ridges":
        """Crests of no pixel at all."""
        nothing = np.empty(0, np.intp)
        return cls(nothing, nothing, np.empty(0, np.float32), np.empty(0, np.float32))


def find_ridges(frame: Pixels, mask: npt.NDArray[np.uint8]) -> Ridges:
    """The crests within ``mask`` (h, w), nonzero where the halved ``frame`` is searched.

    frame: (H, W) uint8 or uint16, with h = H // 2 and w = W // 2.
    """
    height, width = mask.shape
    # With a border of one pixel; memory that no strip touches costs nothing.
    strongest = np.zeros((height + 2, width + 2), np.float32)
    direction = np.zeros((height, width), np.uint8)
    areas, samples = [], []
    for top, bottom in _strips(mask):
        for left, right in _runs(cv2.reduce(mask[top:bottom], 0, cv2.REDUCE_MAX)[0] > 0):
            patch = _flattened(frame, top, bottom, left, right)
            response, which, background = _filtered(patch)
            areas.append((slice(top, bottom), slice(left, right)))
            strongest[top + 1 : bottom + 1, left + 1 : right + 1] = response
            direction[areas[-1]] = which
            samples.append(background)
    if not samples:
        return Ridges.none()
    sigma = max(_spread(np.concatenate(samples)), 1e-6)
    rows, columns = (
        np.concatenate(places)
        for places in zip(*(_over(sigma, strongest, mask, area) for area in areas), strict=True)
    )
    return _crests(strongest, direction, rows, columns, sigma)


def _strips(mask: npt.NDArray[np.uint8]) -> list[tuple[int, int]]:
    """First and end row of strips of the rows that are searched."""
    return [
        (top, min(top + _STRIP, end))
        for first, end in _runs(mask.max(axis=1) > 0)
        for top in range(first, end, _STRIP)
    ]


def _runs(columns: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each run of True."""
    edges = np.flatnonzero(np.diff(columns.astype(np.int8), prepend=0, append=0))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _flattened(frame: Pixels, top: int, bottom: int, left: int, right: int) -> Float32Array:
    """A rectangle of the halved frame and the filters' margin: noise of unit sigma around 0."""
    height, width = frame.shape[0] // HALVED, frame.shape[1] // HALVED
    y0, y1 = max(top - _MARGIN, 0), min(bottom + _MARGIN, height)
    x0, x1 = max(left - _MARGIN, 0), min(right + _MARGIN, width)
    pixels = frame[HALVED * y0 : HALVED * y1, HALVED * x0 : HALVED * x1].astype(np.float32)
    size = (x1 - x0, y1 - y0)
    halved = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    blocks = (math.ceil(size[0] / _BLOCK), math.ceil(size[1] / _BLOCK))
    coarse = cv2.medianBlur(cv2.resize(halved, blocks, interpolation=cv2.INTER_AREA), 5)
    flat: Float32Array = np.subtract(
        halved, cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32
    )
    flat /= np.float32(max(_spread(flat), _LEAST_SIGMA))
    np.clip(flat, _DARKEST, _BRIGHTEST, out=flat)
    above, below = _MARGIN - (top - y0), _MARGIN - (y1 - bottom)
    before, behind = _MARGIN - (left - x0), _MARGIN - (x1 - right)
    return np.asarray(
        cv2.copyMakeBorder(flat, above, below, before, behind, cv2.BORDER_REFLECT_101),
        dtype=np.float32,
    )


def _filtered(patch: Float32Array) -> tuple[Float32Array, npt.NDArray[np.uint8], Float32Array]:
    """The best response of a patch less its margin, its orientation, and a sample of one."""
    rows, columns = patch.shape[0] - 2 * _MARGIN, patch.shape[1] - 2 * _MARGIN
    xx, xy, yy = (cv2.sepFilter2D(patch, cv2.CV_32F, *kernels) for kernels in _DERIVATIVES)
    best = np.full((rows, columns), -np.inf, np.float32)
    which = np.zeros((rows, columns), np.uint8)
    sample = best[:0, 0]
    for number in range(ORIENTATIONS):
        cos, sin = _direction(number)
        along = cv2.addWeighted(xx, -sin * sin, yy, -cos * cos, 0.0)
        across: Float32Array = np.asarray(cv2.scaleAdd(xy, 2 * sin * cos, along), np.float32)
        cv2.threshold(across, _MOST, 0.0, cv2.THRESH_TRUNC, dst=across)
        for step in (_STEP, 3 * _STEP):
            across = _three(across, round(step * cos), round(step * sin))
        top, left = (
            (size - rest) // 2 for size, rest in zip(across.shape, best.shape, strict=True)
        )
        total = across[top : top + rows, left : left + columns]
        if number == 0:
            sample = total[::4, ::4].ravel()
        better = cv2.compare(total, best, cv2.CMP_GT)
        cv2.max(best, total, dst=best)
        cv2.copyTo(np.full_like(which, number), better, dst=which)
    return best, which, sample


def _three(image: Float32Array, right: int, down: int) -> Float32Array:
    """The sum of three places in a row around each pixel of an image that has them all."""
    across, up = abs(right), abs(down)
    rows, columns = image.shape[0] - 2 * up, image.shape[1] - 2 * across
    before, own, behind = (
        image[up + k * down :][:rows, across + k * right :][:, :columns] for k in (-1, 0, 1)
    )
    total = cv2.add(before, behind)
    return np.asarray(cv2.add(total, own, dst=total), np.float32)


def _direction(number: int) -> tuple[float, float]:
    angle = math.pi * number / ORIENTATIONS
    return math.cos(angle), math.sin(angle)


def _derivatives() -> list[tuple[Float32Array, Float32Array]]:
    """Kernels along x and y of the second derivatives xx, xy and yy of a Gaussian."""
    x = np.arange(-_REACH, _REACH + 1) / _SIGMA
    smooth = np.exp(-0.5 * x**2)
    smooth /= smooth.sum()
    first, second = -x * smooth, (x**2 - 1) * smooth
    second -= second.mean()  # an even glow is no line
    pairs = ((second, smooth), (first, first), (smooth, second))
    return [(along.astype(np.float32), down.astype(np.float32)) for along, down in pairs]


_DERIVATIVES = _derivatives()
_MOST = _MOST_OF_A_PLACE * math.prod(float(np.hypot.reduce(kernel)) for kernel in _DERIVATIVES[0])


def _over(
    sigma: float, strongest: Float32Array, mask: npt.NDArray[np.uint8], area: tuple[slice, slice]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows and columns of the pixels of the mask in an area where the response is strong."""
    inner = strongest[1:-1, 1:-1][area] >= np.float32(_WEAKEST * sigma)
    rows, columns = np.nonzero(inner & mask[area].astype(np.bool_))
    return rows + area[0].start, columns + area[1].start


def _crests(
    strongest: Float32Array,
    direction: npt.NDArray[np.uint8],
    rows: npt.NDArray[np.intp],
    columns: npt.NDArray[np.intp],
    sigma: float,
) -> Ridges:
    """The crests among some pixels: those that no neighbour across their line surpasses."""
    angle = direction[rows, columns] * np.float32(math.pi / ORIENTATIONS)
    down, across = np.rint(np.cos(angle)).astype(int), np.rint(-np.sin(angle)).astype(int)
    own = strongest[rows + 1, columns + 1]
    # Of two equal neighbours one stays, whichever side it is on.
    crest = (own > strongest[rows + 1 + down, columns + 1 + across]) & (
        own >= strongest[rows + 1 - down, columns + 1 - across]
    )
    strength = own[crest] / np.float32(sigma)
    return Ridges(rows[crest], columns[crest], strength, angle[crest])


def _spread(values: Float32Array) -> float:
    """The standard deviation of the bulk, from the median of the absolute values."""
    some = np.abs(values.reshape(-1)[:: max(1, values.size // 20_000)])
    return float(np.median(some)) / 0.6745
