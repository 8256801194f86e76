"""Lines and outlines on the element: lengths, rings and boxes, at the map's precision.

All coordinates are millimetres of the element, x to the right, y down.
"""

import math
from collections.abc import Iterable

import cv2
import numpy as np
from shapely import LineString, Polygon

from darkscan.pipeline.core.arrays import Float64Array

Point = tuple[float, float]
Ring = tuple[Point, ...]
"""A closed outline: its last point joins its first, which is not repeated."""

DECIMALS = 4
"""The map gives millimetres with so many decimals: a hundredth of a pixel."""

_EXTENT_DECIMALS = 4
_ANGLE_DECIMALS = 1
_THINNEST_MM = 2 * 10.0**-DECIMALS  # to each side: else both could round to one
_ROUND = 3  # segments of a quarter of a circle, where a line bends


def rounded(values: Iterable[float]) -> list[float]:
    """Plain floats of the map's precision; zero has no sign."""
    return [round(float(value), DECIMALS) + 0.0 for value in values]


def total_mm(lengths: Iterable[float]) -> float:
    """The sum of lengths, of the map's precision, whatever their order."""
    return round(math.fsum(lengths), DECIMALS)


def length(points: Float64Array) -> float:
    """The length of a polyline (K, 2), in its own unit."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def resampled(points: Float64Array, step: float) -> Float64Array:
    """A polyline (K, 2) with points about one step apart, and its own ends."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0.0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def widened(centreline: Iterable[Point], width_mm: float) -> Ring:
    """The outline of a line of some width: half of it to each side, flat at its ends.

    Raises ValueError if the line has no length.
    """
    half = max(width_mm / 2, _THINNEST_MM)
    line = LineString(list(centreline))
    return outer_ring(line.buffer(half, cap_style="flat", join_style="round", quad_segs=_ROUND))


def outer_ring(shape: object) -> Ring:
    """The outer ring of a shapely polygon, or of the largest of several, at the map's precision.

    It runs as a clock's hand does, from its topmost, then leftmost point. Raises ValueError
    if the shape is empty.
    """
    polygons = [part for part in getattr(shape, "geoms", [shape]) if isinstance(part, Polygon)]
    largest = max(polygons, key=lambda part: part.area, default=Polygon())
    ring: list[Point] = []
    for place in largest.exterior.coords[:-1]:
        x, y = rounded(place)
        if not ring or ring[-1] != (x, y):
            ring.append((x, y))
    if not ring:
        raise ValueError("encloses nothing")
    corners = np.array(ring)
    following = np.roll(corners, -1, axis=0)
    doubled = float((corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]).sum())
    if doubled < 0:
        ring.reverse()
    first = min(range(len(ring)), key=lambda k: ring[k][::-1])
    return tuple(ring[first:] + ring[:first])


def upright_box(points: Float64Array) -> tuple[float, float, float, float]:
    """x, y, width and height of the upright box around points (N, 2)."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    x, y, width, height = rounded([left, top, right - left, bottom - top])
    return x, y, width, height


def turned_box(points: Float64Array) -> tuple[tuple[float, float], float]:
    """Long and short side (mm) of the smallest box around points (N, 2), and its angle (deg)."""
    # Single precision is all that OpenCV takes: start from a corner of their own.
    corners = cv2.boxPoints(cv2.minAreaRect((points - points.min(axis=0)).astype(np.float32)))
    sides = np.diff(corners[:3].astype(np.float64), axis=0)
    lengths = np.hypot(sides[:, 0], sides[:, 1])
    along = sides[int(lengths[1] > lengths[0])]
    angle = round(math.degrees(math.atan2(along[1], along[0])) % 180, _ANGLE_DECIMALS) % 180
    longer, shorter = sorted(np.maximum(lengths, 10.0**-DECIMALS).tolist(), reverse=True)
    return (round(longer, _EXTENT_DECIMALS), round(shorter, _EXTENT_DECIMALS)), angle + 0.0
