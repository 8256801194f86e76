"""The shapes of scratches and hairs, and how their brightness runs along them."""

from typing import NamedTuple

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.simulation.element._draws import chance

HAIR_STEP_PX = 2.5
_NARROWEST = 0.3  # samples: a narrower filter smooths nothing
_STRAIGHTEST_HAIR = 0.86  # a hair's ends lie no farther apart, in its lengths


class Waypoint(NamedTuple):
    """A point through which a line runs."""

    x: float
    """Pixels."""
    y: float
    heading: float
    """Direction of the line at the point, radians from x towards y."""


class Bends(NamedTuple):
    """How a line departs from a straight one."""

    curvature: float = 0.0
    """The constant part of its turn, radians a pixel."""
    wander: float = 0.0
    """Standard deviation of the random part of its turn, radians a pixel."""
    wander_px: float = 60.0
    """The length over which the random part changes, pixels."""


STRAIGHT = Bends()


def smooth_noise(rng: np.random.Generator, count: int, length: float) -> Float64Array:
    """(count,) float64 of unit variance that changes over ``length`` samples."""
    if count <= 0:
        return np.zeros(0)
    pad = int(3 * length) + 1
    raw = rng.standard_normal((1, count + 2 * pad))
    if length > _NARROWEST:
        raw = np.asarray(
            cv2.GaussianBlur(raw, (0, 0), sigmaX=length, sigmaY=0.01), dtype=np.float64
        )
        raw *= np.sqrt(2.0 * length * np.sqrt(np.pi))
    return np.asarray(raw[0, pad : pad + count], dtype=np.float64)


def curve(
    rng: np.random.Generator,
    waypoint: Waypoint,
    length_px: float,
    step_px: float,
    bends: Bends = STRAIGHT,
    *,
    anchor: float = 0.5,
) -> Float64Array:
    """A polyline (K, 2) of x, y in pixels, of a given length, that runs through a point.

    ``anchor`` in [0, 1] says where along it the point lies. Vertices are about ``step_px``
    apart.
    """
    count = max(2, round(length_px / step_px) + 1)
    step = length_px / (count - 1)
    turn = np.full(count - 1, bends.curvature)
    if bends.wander:
        turn += bends.wander * smooth_noise(rng, count - 1, bends.wander_px / step)
    direction = np.cumsum(turn) * step
    middle = min(int(anchor * (count - 1)), count - 2)
    direction += waypoint.heading - direction[middle]
    steps = step * np.stack([np.cos(direction), np.sin(direction)], axis=1)
    points = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
    return np.asarray(points - points[middle] + waypoint[:2], dtype=np.float64)


def draw_hair_shape(
    rng: np.random.Generator, through: tuple[float, float], length_px: float
) -> Float64Array:
    """The polyline (K, 2) of a hair or fibre: bent so that no scratch could be."""
    while True:
        waypoint = Waypoint(*through, heading=float(rng.uniform(0, 2 * np.pi)))
        bends = Bends(
            curvature=float(rng.normal(0, 1 / 35)),
            wander=float(1 / rng.uniform(10, 40)),
            wander_px=float(rng.uniform(5, 20)),
        )
        vertices = curve(rng, waypoint, length_px, HAIR_STEP_PX, bends)
        if np.hypot(*(vertices[-1] - vertices[0])) < _STRAIGHTEST_HAIR * length_px:
            return vertices


def texture(
    rng: np.random.Generator,
    count: int,
    step_px: float,
    *,
    variation: float,
    gap_fraction: float = 0.0,
    taper_px: float = 0.0,
) -> Float64Array:
    """How the brightness runs along ``count`` vertices: (count,) with a lit mean of 1.

    ``variation`` is the coefficient of variation of the lit parts; about
    ``gap_fraction`` of the length is dark, in gaps of some 10 px; both ends fade out
    over ``taper_px``.
    """
    spread = np.sqrt(np.log1p(variation**2))
    values = np.exp(spread * smooth_noise(rng, count, 6.0 / step_px))
    if gap_fraction > 0:
        openness = smooth_noise(rng, count, 10.0 / step_px)
        values[openness < np.quantile(openness, gap_fraction)] = 0.0
    lit = values > 0
    values /= values[lit].mean()
    if taper_px > 0:
        place = np.arange(count) * step_px
        rim = np.minimum(place, place[::-1])
        values *= np.clip((rim + step_px) / taper_px, 0.0, 1.0)
    return np.asarray(values, dtype=np.float64)


def beads(
    rng: np.random.Generator, count: int, step_px: float, *, period_px: float, sigma_px: float
) -> Float64Array:
    """The brightness of spots strung along a line: (count,), brightest spots near 1."""
    length = (count - 1) * step_px
    gaps = period_px * rng.uniform(0.4, 1.6, size=int(length / period_px) + 2)
    places = np.cumsum(gaps) - gaps[0] * rng.uniform(0.2, 1.0)
    peaks = np.clip(np.exp(0.45 * rng.standard_normal(len(places))), 0.3, 2.0)
    distance = np.arange(count)[:, None] * step_px - places
    light = peaks * np.exp(-0.5 * (distance / sigma_px) ** 2)
    return np.asarray(light.max(axis=1), dtype=np.float64)


def fading(rng: np.random.Generator, count: int) -> Float64Array:
    """How a tapered line's brightness runs: (count,), 1 at its brightest.

    From the middle to both ends, or from one end, as a comet's, to the other.
    """
    place = (np.arange(count) + 0.5) / count
    if chance(rng, 0.5):
        return np.asarray(np.sin(np.pi * place) ** rng.uniform(0.6, 2.5))
    run = np.exp(-place * rng.uniform(1.5, 5.0)) if chance(rng, 0.5) else 1.0 - place
    return np.asarray(run[::-1] if chance(rng, 0.5) else run, dtype=np.float64)


def dashes(rng: np.random.Generator, count: int, step_px: float) -> Float64Array:
    """Strokes and gaps of uneven lengths in turn: (count,), 1 or 0."""
    period = float(np.exp(rng.uniform(np.log(7.0), np.log(50.0))))
    share = float(rng.uniform(0.3, 0.7))
    pieces = 2 * (int(count * step_px / period) + 2)
    mean = np.where(np.arange(pieces) % 2, period * (1 - share), period * share)
    ends = np.cumsum(mean * rng.uniform(0.5, 1.5, pieces)) - rng.uniform(0, period)
    number = np.searchsorted(ends, np.arange(count) * step_px)
    return np.asarray(number % 2 == 0, dtype=np.float64)


def lit_length(vertices: Float64Array, amplitude: Float64Array, box: tuple[float, ...]) -> float:
    """The lit length in pixels of a polyline within a box (x0, y0, x1, y1)."""
    steps = np.hypot(*np.diff(vertices, axis=0).T)
    middles = (vertices[1:] + vertices[:-1]) / 2.0
    inside = ((middles > box[:2]) & (middles < box[2:])).all(axis=1)
    lit = np.maximum(amplitude[1:], amplitude[:-1]) > 0
    return float(steps[inside & lit].sum())
