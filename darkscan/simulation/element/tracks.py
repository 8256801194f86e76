"""Polylines, and which of them run along each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from shapely import LineString, distance, line_locate_point, points

from darkscan.pipeline.core.arrays import Float64Array, Mask

CLOSE_PX = 3.0
"""A line this close to another may run along it."""

_ALIGNED = math.cos(math.radians(45))  # less is a crossing


@dataclass(frozen=True, eq=False)
class Track:
    """A polyline (K, 2), x and y in pixels, and places along it, each of an equal length.

    The places are those of a part of it, or of all; a mean over them is a mean by length.
    """

    vertices: Float64Array
    places: Float64Array
    """(P, 2) x, y."""
    headings: Float64Array
    """(P, 2) unit vectors along the polyline."""
    step: float
    """The length that each place stands for, pixels."""

    @classmethod
    def of(
        cls, vertices: Float64Array, step: float = 1.0, part: tuple[float, float] | None = None
    ) -> Self:
        """Places about ``step`` apart along a polyline (K, 2), or a part of it.

        ``part``: where it begins and ends, from the polyline's first vertex along it.
        """
        ends = _ends_of_segments(vertices)
        first, last = part or (0.0, float(ends[-1]))
        count = max(1, round((last - first) / step))
        at = first + (np.arange(count) + 0.5) / count * (last - first)
        along = np.concatenate([[0.0], ends])
        places = np.stack([np.interp(at, along, axis) for axis in vertices.T], axis=1)
        number = np.searchsorted(ends, at).clip(0, len(ends) - 1)
        return cls(vertices, places, _headings(vertices)[number], (last - first) / count)

    def within(self, low: Sequence[float], high: Sequence[float]) -> Self:
        """The same polyline with the places in a box only, from corner to corner."""
        inside = ((self.places >= low) & (self.places <= high)).all(axis=1)
        return type(self)(self.vertices, self.places[inside], self.headings[inside], self.step)

    @property
    def length(self) -> float:
        """Of all places, pixels."""
        return self.step * len(self.places)

    @cached_property
    def line(self) -> LineString:
        """The whole polyline."""
        return LineString(self.vertices)

    def along(self, other: "Track", close: float) -> Mask:
        """Which places (P,) have another's polyline within ``close`` pixels, and as they head.

        As they head: its nearest segment turned by 45 degrees at most, so that what crosses
        does not run along.
        """
        found = np.zeros(len(self.places), np.bool_)
        low, high = other.vertices.min(axis=0) - close, other.vertices.max(axis=0) + close
        near = np.flatnonzero(((self.places >= low) & (self.places <= high)).all(axis=1))
        at = points(self.places[near])
        is_close = distance(other.line, at) <= close
        near, at = near[is_close], at[is_close]
        ends = _ends_of_segments(other.vertices)
        number = np.searchsorted(ends, line_locate_point(other.line, at))
        headings = _headings(other.vertices)[number.clip(0, len(ends) - 1)]
        found[near] = np.abs((self.headings[near] * headings).sum(axis=1)) >= _ALIGNED
        return found

    def along_any(self, others: Sequence["Track"], close: float) -> Mask:
        """Which places (P,) run along one of the others at least."""
        found = np.zeros(len(self.places), np.bool_)
        for other in others:
            found |= self.along(other, close)
        return found

    def distance_to(self, others: Sequence["Track"]) -> Float64Array:
        """How far each place (P,) lies from the nearest of the others' polylines, pixels.

        Infinity if there is none.
        """
        at, nearest = points(self.places), np.full(len(self.places), np.inf)
        for other in others:
            nearest = np.minimum(nearest, distance(other.line, at))
        return nearest


def share(mask: Mask) -> float:
    """The part that is true; 0 of nothing."""
    return float(mask.mean()) if len(mask) else 0.0


def _ends_of_segments(vertices: Float64Array) -> Float64Array:
    """(K - 1,) how far along a polyline each of its segments ends."""
    return np.asarray(np.cumsum(np.hypot(*np.diff(vertices, axis=0).T)), np.float64)


def _headings(vertices: Float64Array) -> Float64Array:
    """(K - 1, 2) unit vectors along the segments of a polyline."""
    steps = np.diff(vertices, axis=0)
    return np.asarray(steps / np.maximum(np.hypot(*steps.T)[:, None], 1e-12), np.float64)
