"""A strip of the frame along a chain, laid out straight: one row for each pixel of length."""

import math
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.geometry import FloatArray

Image = npt.NDArray[np.float32]
Values = TypeVar("Values", FloatArray, Image)

_REACH_PX = 9.0  # of a strip, to either side
OFFSETS = np.arange(-_REACH_PX, _REACH_PX + 0.25, 0.5, dtype=np.float32)
"""(M,) how far each column of a strip is from its middle, pixels."""

_BESIDE_PX = 5.0  # from the middle: no line is so wide
_ROUGH_PX = 2.0  # between the rows of the strip on which the crest is sought
_ROUGH_OFFSETS = np.arange(-_REACH_PX, _REACH_PX + 0.5, dtype=np.float32)
"""And where its columns are: a pixel apart."""

_SMOOTH_PX = 6.0
_FURTHEST_PX, _FURTHEST_OF_A_PATH_PX = 2.5, 5.0  # a chain is this close to the line
_AT_ONCE_PX = 256  # of length: the shorter, the less of the frame lies in the box around it
_LEAST_NOISE = 0.3  # grey levels: that of rounding
_SPECK = 3.0  # sigmas beside the line above which a speck begins
_ENOUGH_ROWS = 100  # for quantiles
_ROUGHLY_PX = 8.0  # smoothing of a chain of whole pixels


@dataclass(frozen=True, eq=False)
class Strip:
    """A strip (N, M) along the N points of a line, M pixels wide."""

    points: FloatArray
    """(N, 2) x, y of its middle in the frame's pixels, about one pixel apart."""

    light: Image
    """(N, M) grey levels above the background beside the line."""

    noise: float
    """Standard deviation of the grey levels beside the line."""


def straighten(frame: Pixels, chain: FloatArray, *, near: bool = True) -> Strip:
    """The strip along a chain (K, 2) of (x, y) in the frame's pixels, centred on its crest.

    near: whether the chain is as close to it as crests of the frame are; paths of a line map
    are not.
    """
    points = _smoothed(resampled(chain, _ROUGH_PX), _ROUGHLY_PX / _ROUGH_PX)
    for furthest in (_FURTHEST_PX,) if near else (_FURTHEST_OF_A_PATH_PX, _FURTHEST_PX):
        light, _ = _cut(frame, points, _ROUGH_PX, _ROUGH_OFFSETS, cv2.INTER_LINEAR)
        points = resampled(_centred(points, light, furthest), _ROUGH_PX)
    points = resampled(points)
    light, noise = _cut(frame, points, 1.0, OFFSETS, cv2.INTER_CUBIC)
    return Strip(points, light, noise)


def resampled(points: FloatArray, step_px: float = 1.0) -> FloatArray:
    """The same polyline (K, 2) with points one step apart."""
    steps = points[1:] - points[:-1]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])
    count = max(2, round(along[-1] / step_px) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _cut(
    frame: Pixels, points: FloatArray, step_px: float, offsets: Image, interpolation: int
) -> tuple[Image, float]:
    """Grey levels (N, M) above the local background, and the noise of the background.

    points: (N, 2) of the middle, ``step_px`` apart; offsets: (M,) across, pixels.
    """
    # OpenCV counts from the middle of the first pixel, we from its corner.
    x, y = (points - 0.5).astype(np.float32).T[:, :, None]
    across, down = _normals(points).astype(np.float32).T[:, :, None]
    x, y = x + offsets * across, y + offsets * down
    light = np.empty(x.shape, np.float32)
    rows = int(_AT_ONCE_PX / step_px)
    for first in range(0, len(points), rows):
        some = slice(first, first + rows)
        (left, right), (top, bottom) = (_around(values[some]) for values in (x, y))
        light[some] = cv2.remap(
            frame[top:bottom, left:right].astype(np.float32),
            x[some] - np.float32(left),
            y[some] - np.float32(top),
            interpolation,
            borderMode=cv2.BORDER_REPLICATE,
        )
    sides = light[:, np.flatnonzero(np.abs(offsets) >= _BESIDE_PX)]
    few = _few(sides)
    level = _quantile(few, 0.5)
    noise = max(_spread(few - level), _LEAST_NOISE)
    glow = np.minimum(sides, level + _SPECK * noise).mean(axis=1, keepdims=True)
    glow = _smoothed(glow, _SMOOTH_PX / step_px)
    light -= glow
    return light, max(_spread(few - _few(glow)), _LEAST_NOISE)


def _few(rows: Image) -> Image:
    """Some of many rows, evenly spread."""
    return rows[:: max(1, len(rows) // _ENOUGH_ROWS)]


def _around(places: Image) -> tuple[int, int]:
    """First and end of the pixels that some places along an axis are interpolated from."""
    # Along a strip its rows' ends are the furthest out.
    ends = places[:, [0, -1]]
    return max(math.floor(ends.min()) - 3, 0), math.ceil(ends.max()) + 4


def _spread(values: Image) -> float:
    """The standard deviation of the bulk about 0, from the median of the absolute values."""
    return float(_quantile(np.abs(values), 0.5)) / 0.6745


def _quantile(values: Image, part: float) -> np.float32:
    """Of many values, without the time that numpy's own takes to weigh two of them."""
    place = int(part * (values.size - 1))
    return np.float32(np.partition(values, place, axis=None)[place])


def _centred(points: FloatArray, light: Image, furthest: float) -> FloatArray:
    """The points moved across, by so much at most, to the crest of the smoothed strip."""
    rows_px = _SMOOTH_PX / _ROUGH_PX
    near = np.flatnonzero(np.abs(_ROUGH_OFFSETS) <= furthest)
    brightest = _quantile(_few(light[:, near]), 0.95)
    bright = np.minimum(light, brightest)  # a speck draws no line aside
    smooth = cv2.GaussianBlur(bright, (0, 0), sigmaX=1.0, sigmaY=rows_px)
    peak = near[smooth[:, near].argmax(axis=1)]
    rows = np.arange(len(points))
    left, middle, right = (smooth[rows, peak + step].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    part = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    shift = (_ROUGH_OFFSETS[peak] + np.clip(part, -0.5, 0.5)).astype(np.float64)
    shift = np.clip(shift, -furthest, furthest)
    weight = np.maximum(middle, 0.0) + 1e-6
    mean = _smoothed(np.stack([shift * weight, weight], axis=1), rows_px)
    moved = points + (mean[:, :1] / mean[:, 1:]) * _normals(points)
    return _smoothed(moved, rows_px)


def _normals(points: FloatArray) -> FloatArray:
    """(N, 2) unit vectors across a polyline."""
    around = np.concatenate([points[:1], points, points[-1:]])
    x, y = (around[2:] - around[:-2]).T
    size = np.maximum(np.hypot(x, y), 1e-9)
    return np.stack([-y / size, x / size], axis=1)


def _smoothed(values: Values, sigma: float) -> Values:
    """Values (N, C) smoothed along the first axis; a line stays straight up to its ends."""
    reach = min(len(values) - 1, int(3 * sigma) + 1)
    if reach < 1:
        return values
    # Reflected through its end points, so that smoothing shortens nothing.
    before = 2 * values[0] - values[reach:0:-1]
    behind = 2 * values[-1] - values[-2 : -reach - 2 : -1]
    longer = np.concatenate([before, values, behind])
    rows = np.ascontiguousarray(longer.T)  # a few long rows are faster than many short ones
    smooth = cv2.GaussianBlur(rows, (0, 0), sigmaX=sigma, sigmaY=0.01)
    return np.asarray(smooth.reshape(rows.shape).T[reach:-reach], values.dtype)
