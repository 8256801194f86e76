"""Straightens strips of the frame along chains: one row for each pixel of length.

A frame's chains are straightened together: most have so few rows that each step of its own
would cost more than its work.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Mask, Pixels

Values = TypeVar("Values", Float64Array, Float32Array)
Number = TypeVar("Number", bound=np.generic)


_REACH_PX = 9.0  # half the width of a strip
_FINE_PX = 4.0  # from the middle: what the width is measured on
OFFSETS = np.concatenate(
    [
        np.arange(-_REACH_PX, -_FINE_PX, 1.0),
        np.arange(-_FINE_PX, _FINE_PX + 0.25, 0.5),
        np.arange(_FINE_PX + 1.0, _REACH_PX + 0.5, 1.0),
    ]
).astype(np.float32)
"""(M,) how far each column of a strip is from its middle, pixels."""

_MIDDLE = np.flatnonzero(np.abs(OFFSETS) <= 1.0)
_WHITE = 0.98  # of full scale: interpolated between white pixels, levels vary a little
_BESIDE_PX = 5.0  # from the middle: no line is so wide
_BESIDE = np.flatnonzero(np.abs(OFFSETS) >= _BESIDE_PX)
_ROUGH_PX = 2.0  # between the rows of strips on which the crest is sought
_ROUGH_OFFSETS = np.arange(-_REACH_PX, _REACH_PX + 0.5, dtype=np.float32)
"""The offsets of those strips' columns: a pixel apart."""

_ROUGH_BESIDE = np.flatnonzero(np.abs(_ROUGH_OFFSETS) >= _BESIDE_PX)
_SMOOTH_PX = 6.0
_FURTHEST_PX, _FURTHEST_OF_A_PATH_PX = 2.5, 5.0  # a chain is this close to the line
_ROWS_AT_ONCE = 256  # the fewer, the less of the frame lies in the box around them
_MANY_ROWS = 8192
_LEAST_NOISE = 0.3  # grey levels: that of rounding
_SPECK = 3.0  # sigmas beside the line above which a speck begins
_ENOUGH_ROWS = 100  # for quantiles
_EVENLY = np.sort(np.arange(_ENOUGH_ROWS) * (math.sqrt(5) - 1) / 2 % 1)
"""Their places in a strip of length 1: multiples of the golden ratio."""

_ROUGHLY_PX = 8.0  # smoothing of a chain of whole pixels
_ONE = np.ones(1, np.float32)


@dataclass(frozen=True, eq=False)
class Strip:
    """A strip (N, M) along the N points of a line, M pixels wide."""

    points: Float64Array
    """(N, 2) x, y of its middle in the frame's pixels, about one pixel apart."""

    light: Float32Array
    """(N, M) grey levels above the background beside the line."""

    noise: float
    """Standard deviation of the grey levels beside the line."""

    white: Mask
    """(N,) whether the line is at full scale there."""

    def part(self, rows: slice) -> "Strip":
        """A strip of some of the rows."""
        return Strip(self.points[rows], self.light[rows], self.noise, self.white[rows])


def straighten(
    frame: Pixels, chains: Sequence[Float64Array], full_scale: float, *, near: bool = True
) -> list[Strip]:
    """The strips along chains (K, 2) of (x, y) in the frame's pixels, centred on their crests.

    full_scale: the camera's largest grey level; near: whether the chains are crests of the frame,
    which lie close to the strips' crests; paths of a line map do not.
    """
    if not chains:
        return []
    points, rows = Rows.of(chains).resampled(np.concatenate(chains), _ROUGH_PX)
    points = rows.smoothed(points, _ROUGHLY_PX / _ROUGH_PX)
    for furthest in (_FURTHEST_PX,) if near else (_FURTHEST_OF_A_PATH_PX, _FURTHEST_PX):
        points, rows = rows.resampled(_centred(frame, points, rows, furthest), _ROUGH_PX)
    points, rows = rows.resampled(points)
    light = _cut(frame, points, rows, OFFSETS)
    white = light[:, _MIDDLE].max(axis=1) >= _WHITE * full_scale
    noises = _flatten(light, rows)
    return [
        Strip(points[own], light[own], noise, white[own])
        for own, noise in zip(rows.strips, noises, strict=True)
    ]


def quantile(values: npt.NDArray[np.floating], part: float) -> float:
    """A quantile of many values: one of them, as numpy's mean of two takes more time."""
    place = int(part * (values.size - 1))
    return float(np.partition(values, place, axis=None)[place])


class Rows:
    """N rows that belong to C strips, one strip after the other.

    Arrays of N rows hold all strips together; this tells where each strip begins and ends.
    """

    def __init__(self, counts: npt.NDArray[np.intp]) -> None:
        """``counts`` (C,): how many rows each strip has, 2 or more."""
        self.counts = counts
        self._ends = np.cumsum(counts)
        self._firsts = self._ends - counts
        self._padded: dict[int, _Padded] = {}

    @classmethod
    def of(cls, parts: Sequence[npt.NDArray[np.generic]]) -> Self:
        """The rows of strips given as arrays, one row for each of an array's."""
        return cls(np.array([len(part) for part in parts], np.intp))

    @cached_property
    def strips(self) -> list[slice]:
        """The rows of each strip."""
        return list(map(slice, self._firsts.tolist(), self._ends.tolist()))

    def pieces(self, most: int) -> Iterator[slice]:
        """The strips in pieces of at most so many rows."""
        for strip in self.strips:
            for first in range(strip.start, strip.stop, most):
                yield slice(first, min(first + most, strip.stop))

    def spread(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """(N,) from one value for each strip (C,)."""
        return np.repeat(values, self.counts)

    def resampled(self, points: Float64Array, step: float = 1.0) -> tuple[Float64Array, "Rows"]:
        """The same polylines, points (N, 2), with points one step apart; and their rows."""
        steps = np.zeros(len(points))
        steps[1:] = np.hypot(*(points[1:] - points[:-1]).T)
        steps[self._firsts] = step  # from one polyline to the next, where no point is taken
        along = np.cumsum(steps)
        first, length = along[self._firsts], along[self._ends - 1] - along[self._firsts]
        rows = Rows(np.maximum(2, np.rint(length / step).astype(np.intp) + 1))
        number = np.arange(rows.counts.sum()) - rows.spread(rows._firsts)
        at = rows.spread(first) + number * rows.spread(length / (rows.counts - 1))
        # Rounding must not place a point on the next polyline.
        at[rows._ends - 1] = first + length
        resampled = np.stack([np.interp(at, along, axis) for axis in points.T], axis=1)
        return resampled, rows

    def smoothed(self, values: Values, sigma: float) -> Values:
        """Values (N, K) smoothed along each strip; a line stays straight up to its ends."""
        kernel = _gaussian(sigma)
        padded = self._around(len(kernel) // 2)
        longer = values[padded.source]
        # Reflected through its end points, so that smoothing shortens nothing.
        longer[padded.outside] = 2 * values[padded.ends] - longer[padded.outside]
        rows = np.ascontiguousarray(longer.T)  # a few long rows are faster than many short ones
        smooth = cv2.sepFilter2D(rows, -1, kernel, _ONE)
        return np.asarray(smooth.reshape(rows.shape).T[padded.inside], values.dtype)

    def blurred(self, image: Float32Array, across: float, along: float) -> Float32Array:
        """An image (N, M) blurred with sigmas in columns and rows, each strip by itself."""
        kernel = _gaussian(along)
        padded = self._around(len(kernel) // 2)
        blurred = cv2.sepFilter2D(image[padded.source], -1, _gaussian(across), kernel)
        return np.asarray(blurred[padded.inside], np.float32)

    def normals(self, points: Float64Array) -> Float64Array:
        """(N, 2) unit vectors across polylines of points (N, 2)."""
        firsts, lasts = self._firsts, self._ends - 1
        x, y = along = np.empty((2, len(points)))
        np.subtract(points[2:].T, points[:-2].T, out=along[:, 1:-1])
        along[:, firsts] = (points[firsts + 1] - points[firsts]).T
        along[:, lasts] = (points[lasts] - points[lasts - 1]).T
        size = np.maximum(np.hypot(x, y), 1e-9)
        return np.stack([-y / size, x / size], axis=1)

    def _around(self, reach: int) -> "_Padded":
        if reach not in self._padded:
            self._padded[reach] = _Padded(self.counts, self._firsts, reach)
        return self._padded[reach]


class _Padded:
    """Strips with ``reach`` more rows at both ends, which mirror those within."""

    def __init__(
        self, counts: npt.NDArray[np.intp], firsts: npt.NDArray[np.intp], reach: int
    ) -> None:
        longer = counts + 2 * reach
        starts = np.cumsum(longer) - longer
        last, first = np.repeat(counts - 1, longer), np.repeat(firsts, longer)
        number = np.arange(len(last)) - np.repeat(starts + reach, longer)
        within = np.minimum(np.abs(number), last)
        within = np.where(number > last, np.maximum(2 * last - number, 0), within)
        self.source = first + within
        """For each row of the longer strips the row that it is or mirrors."""

        out = (number < 0) | (number > last)
        self.outside = np.flatnonzero(out)
        """The numbers of the rows that mirror another."""

        self.ends = (first + np.where(number < 0, 0, last))[self.outside]
        """For each of those the row of the strip's end at which it is mirrored."""

        self.inside = np.flatnonzero(~out)
        """The numbers of the rows that are the strips' own, in their order."""


def _cut(frame: Pixels, points: Float64Array, rows: Rows, offsets: Float32Array) -> Float32Array:
    """Grey levels (N, M) at ``offsets`` (M,) across the polylines of points (N, 2).

    Rounded to whole grey levels, except at ``OFFSETS``, the fine offsets of a strip.
    """
    fine = offsets is OFFSETS
    pieces = list(rows.pieces(_ROWS_AT_ONCE if fine else _MANY_ROWS))
    firsts = [piece.start for piece in pieces]
    # OpenCV counts from the middle of the first pixel, we from its corner.
    points = points - 0.5
    reach = float(offsets[-1]) + 3.0  # the interpolation's
    low = np.maximum(np.floor(np.minimum.reduceat(points, firsts) - reach), 0.0)
    high = np.ceil(np.maximum.reduceat(points, firsts) + reach) + 1.0
    points = points - np.repeat(low, [piece.stop - piece.start for piece in pieces], axis=0)
    x, y = points.astype(np.float32).T[:, :, None]
    across, down = rows.normals(points).astype(np.float32).T[:, :, None]
    x, y = x + offsets * across, y + offsets * down
    light = np.empty(x.shape, np.float32)
    boxes = zip(pieces, low.astype(int).tolist(), high.astype(int).tolist(), strict=True)
    for piece, (left, top), (right, bottom) in boxes:
        box = frame[top:bottom, left:right]
        light[piece] = cv2.remap(
            box.astype(np.float32) if fine else box,
            x[piece],
            y[piece],
            cv2.INTER_CUBIC if fine else cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return light


def _flatten(light: Float32Array, rows: Rows) -> list[float]:
    """Subtracts the local background from strips (N, M), in place; gives each strip's noise."""
    sides = light[:, _BESIDE]
    few = [_few(sides[own]) for own in rows.strips]
    levels = [quantile(some, 0.5) for some in few]
    brightest = [
        level + _SPECK * max(_spread(some - np.float32(level)), _LEAST_NOISE)
        for some, level in zip(few, levels, strict=True)
    ]
    limit = rows.spread(np.array(brightest)).astype(np.float32)[:, None]
    glow = rows.smoothed(np.minimum(sides, limit).mean(axis=1, keepdims=True), _SMOOTH_PX)
    light -= glow
    return [
        max(_spread(some - _few(glow[own])), _LEAST_NOISE)
        for some, own in zip(few, rows.strips, strict=True)
    ]


def _few(rows: Float32Array) -> Float32Array:
    """Some of many rows, spread evenly.

    Not at even distances: at those, all rows could lie between the pixels, where interpolating
    takes noise away, or all on them.
    """
    if len(rows) <= _ENOUGH_ROWS:
        return rows
    return rows[(_EVENLY * len(rows)).astype(np.intp)]


def _spread(values: Float32Array) -> float:
    """The standard deviation of the bulk about 0, from the median of the absolute values."""
    return quantile(np.abs(values), 0.5) / 0.6745


def _centred(frame: Pixels, points: Float64Array, rows: Rows, furthest: float) -> Float64Array:
    """The points moved across, by ``furthest`` px at most, to the crest of the smoothed strips."""
    light = _cut(frame, points, rows, _ROUGH_OFFSETS)
    middle = len(_ROUGH_BESIDE) // 2
    light -= np.partition(light[:, _ROUGH_BESIDE], middle, axis=1)[:, middle, None]
    near = np.flatnonzero(np.abs(_ROUGH_OFFSETS) <= furthest)
    brightest = np.array([quantile(_few(light[own][:, near]), 0.95) for own in rows.strips])
    # A speck draws no line aside.
    np.minimum(light, rows.spread(brightest).astype(np.float32)[:, None], out=light)
    sigma = _SMOOTH_PX / _ROUGH_PX
    smooth = rows.blurred(light, across=1.0, along=sigma)
    peak = near[smooth[:, near].argmax(axis=1)]
    number = np.arange(len(points))
    left, crest, right = (smooth[number, peak + step].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2 * crest + right
    part = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    shift = (_ROUGH_OFFSETS[peak] + np.clip(part, -0.5, 0.5)).astype(np.float64)
    shift = np.clip(shift, -furthest, furthest)
    weight = np.maximum(crest, 0.0) + 1e-6
    mean = rows.smoothed(np.stack([shift * weight, weight], axis=1), sigma)
    moved = points + (mean[:, :1] / mean[:, 1:]) * rows.normals(points)
    return rows.smoothed(moved, sigma)


@lru_cache(maxsize=16)
def _gaussian(sigma: float) -> Float32Array:
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(kernel / kernel.sum(), np.float32)
