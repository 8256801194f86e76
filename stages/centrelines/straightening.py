"""A strip of the frame along a chain, laid out straight: one row for each pixel of length."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.frames import Pixels
from darkscan.pipeline.geometry import FloatArray

Image = npt.NDArray[np.float32]

REACH_PX = 9.0  # of a strip, to either side
_STEP_PX = 0.5  # across
OFFSETS = np.arange(-REACH_PX, REACH_PX + _STEP_PX / 2, _STEP_PX, dtype=np.float32)
"""(M,) how far each column of a strip is from its middle, pixels."""

_SIDES = np.abs(OFFSETS) >= 5.0  # noqa: PLR2004
_SMOOTH_PX = 6.0
_FURTHEST_PX = 2.5  # a chain is this close to the line
_ROWS_AT_ONCE = 256  # the shorter, the less of the frame lies in the box around them
_LEAST_NOISE = 0.3  # grey levels: that of rounding
_SPECK = 3.0  # sigmas beside the line above which a speck begins
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


def straighten(frame: Pixels, chain: FloatArray) -> Strip:
    """The strip along a chain (K, 2) of (x, y) in the frame's pixels, centred on its crest."""
    points = resampled(_smoothed(resampled(chain), _ROUGHLY_PX))
    light, _ = _cut(frame, points)
    points = resampled(_centred(points, light))
    light, noise = _cut(frame, points)
    return Strip(points, light, noise)


def resampled(points: FloatArray, step_px: float = 1.0) -> FloatArray:
    """The same polyline (K, 2) with points one step apart."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(2, round(along[-1] / step_px) + 1)
    at = np.linspace(0.0, along[-1], count)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _cut(frame: Pixels, points: FloatArray) -> tuple[Image, float]:
    """Grey levels (N, M) above the local background, and the noise of the background."""
    normals = _normals(points)
    # OpenCV counts from the middle of the first pixel, we from its corner.
    places = (points - 0.5)[:, None, :] + OFFSETS[None, :, None] * normals[:, None, :]
    light = np.empty(places.shape[:2], np.float32)
    for first in range(0, len(points), _ROWS_AT_ONCE):
        some = slice(first, first + _ROWS_AT_ONCE)
        low = np.maximum(np.floor(points[some].min(axis=0) - REACH_PX).astype(int) - 3, 0)
        high = np.ceil(points[some].max(axis=0) + REACH_PX).astype(int) + 4
        maps = (places[some] - low).astype(np.float32)
        light[some] = cv2.remap(
            frame[low[1] : high[1], low[0] : high[0]].astype(np.float32),
            np.ascontiguousarray(maps[..., 0]),
            np.ascontiguousarray(maps[..., 1]),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        )
    sides = light[:, _SIDES]
    level = np.median(sides)
    noise = max(_spread(sides - level), _LEAST_NOISE)
    glow = np.minimum(sides, level + _SPECK * noise).mean(axis=1)
    light -= _smoothed(glow[:, None].astype(np.float64), _SMOOTH_PX).astype(np.float32)
    return light, max(_spread(light[:, _SIDES]), _LEAST_NOISE)


def _spread(values: Image) -> float:
    """The standard deviation of the bulk about 0, from the median of the absolute values."""
    return float(np.median(np.abs(values))) / 0.6745


def _centred(points: FloatArray, light: Image) -> FloatArray:
    """The points moved across to the crest of the smoothed strip."""
    near = np.flatnonzero(np.abs(OFFSETS) <= _FURTHEST_PX)
    bright = np.minimum(light, np.percentile(light[:, near], 95))  # a speck draws no line aside
    smooth = cv2.GaussianBlur(bright, (0, 0), sigmaX=1.0 / _STEP_PX, sigmaY=_SMOOTH_PX)
    peak = near[smooth[:, near].argmax(axis=1)]
    rows = np.arange(len(points))
    left, middle, right = (smooth[rows, peak + step].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    part = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend < 0)
    shift = (OFFSETS[peak] + np.clip(part, -0.5, 0.5) * _STEP_PX).astype(np.float64)
    shift = np.clip(shift, -_FURTHEST_PX, _FURTHEST_PX)
    weight = np.maximum(middle, 0.0) + 1e-6
    mean = _smoothed(np.stack([shift * weight, weight], axis=1), _SMOOTH_PX)
    moved = points + (mean[:, :1] / mean[:, 1:]) * _normals(points)
    return _smoothed(moved, _SMOOTH_PX)


def _normals(points: FloatArray) -> FloatArray:
    """(N, 2) unit vectors across a polyline."""
    around = np.concatenate([points[:1], points, points[-1:]])
    x, y = (around[2:] - around[:-2]).T
    size = np.maximum(np.hypot(x, y), 1e-9)
    return np.stack([-y / size, x / size], axis=1)


def _smoothed(values: FloatArray, sigma: float) -> FloatArray:
    """Values (N, C) smoothed along the first axis; a line stays straight up to its ends."""
    reach = min(len(values) - 1, int(3 * sigma) + 1)
    if reach < 1:
        return values
    # Reflected through its end points, so that smoothing shortens nothing.
    before = 2 * values[0] - values[reach:0:-1]
    behind = 2 * values[-1] - values[-2 : -reach - 2 : -1]
    longer = np.concatenate([before, values, behind])
    smooth = cv2.GaussianBlur(longer, (0, 0), sigmaX=0.01, sigmaY=sigma)
    return np.asarray(smooth.reshape(longer.shape)[reach:-reach], dtype=np.float64)
