"""The scratches along a strip: where each begins and ends, how wide and how bright it is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from darkscan.centrelines._straightening import OFFSETS, Strip, quantile
from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.pipeline.core.frame_results import LineMeasures

SHORTEST_PX = 12.0
_COLUMNS = np.abs(OFFSETS[:, None] - (0.0, -8.0, -6.5, -5.0, 5.0, 6.5, 8.0)) <= 1.0
_MEANS = (_COLUMNS / _COLUMNS.sum(axis=0)).astype(np.float32)
"""(M, 7) weights that give the mean brightness of a row on a line, and at six places beside it."""

_OFF_CREST_PX = 2.0  # a line is at most so far from its crest
_CUT = 3.0  # sigmas: a speck counts no more than this
_PIECE_PX = 5
_OF_TYPICAL, _LEVELS = 0.4, (0.3, 0.8)  # contrast that tells lit from not, and its bounds
_LEAST_SUM = 12.0  # sigmas times pixels of length: fainter lines are not looked at
_CHOICE = 0.75  # standard deviations that a piece gains as the chain chose its place
_LEAST_EVIDENCE = 15.0  # nats
_BENT_EVIDENCE = 15.0  # nats more: curls can be laid through many more sets of specks
_STRETCH_PX = 16  # of a line, for its largest width and how the width varies
_SURE_PX = 0.5  # stretches whose width is less certain do not count
_BRIGHT_PX, _BRIGHT_WIDTHS = 3.0, 1.5  # to each side: where a line's light is summed up
_WIDEST_PX = 18.0
_TILTS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0])  # per sigma
_BEND_PX = 20
_SHORT_PX = 60  # smoothing makes pieces shorter than this look straighter than they are
_SHARPEST_PX, _SHARPEST_TENTH_PX = 95.0, 45.0
"""The least mean radius of curvature of a scratch, and of its most bent tenth; hairs have less."""


@dataclass(frozen=True, eq=False)
class Line:
    """A piece of a scratch or fibre in a frame."""

    points: Float64Array
    """(K, 2) x, y in the frame's pixels."""

    measures: LineMeasures


class Width(NamedTuple):
    """The full width at half maximum of a cross-section, pixels."""

    width: float
    error: float
    """Its standard uncertainty from the noise alone."""


def measure(strip: Strip, full_scale: float, seen: float = 0.0) -> Iterator[Line]:
    """The lines along a strip; several if the chain ran on from one to another.

    full_scale: the camera's largest grey level. ``seen``: what a line map says for each pixel
    along it, in nats. It counts beside what the pixels say, which are few along a short
    scratch, and hidden among specks along a faint one.
    """
    means = strip.light @ (_MEANS / np.float32(strip.noise))
    contrasts = np.minimum(means, _CUT, dtype=np.float64)  # without the excess of specks
    for first, end in _lit_parts(contrasts[:, 0]):
        points, part = strip.points[first:end], slice(first, end)
        bent = _is_bent(points)
        least = _LEAST_EVIDENCE + (_BENT_EVIDENCE if bent else 0.0)
        if seen * (end - first) + _evidence(contrasts[part]) >= least:
            measures = _measures(strip.part(part), contrasts[part, 0], full_scale)
            contrast = float(means[part, 0].mean(dtype=np.float64))
            yield Line(_simplified(points), measures._replace(contrast=contrast, bent=float(bent)))


def _lit_parts(contrast: Float64Array) -> Iterator[tuple[int, int]]:
    """First and end of the stretches in which a line is lit rather than not.

    A stretch maximizes the sum of its contrasts, each less a part of the typical contrast. With
    a part of one half it would end where the ends of an even line in white noise most likely
    are. The part is smaller, within bounds, as scratches fade.
    """
    todo = [(0, len(contrast))]
    while todo:
        first, end = todo.pop()
        if end - first < SHORTEST_PX:
            continue
        part = contrast[first:end]
        level = min(max(_OF_TYPICAL * float(part.mean()), _LEVELS[0]), _LEVELS[1])
        sums = np.zeros(len(part) + 1)
        np.cumsum(part - level, out=sums[1:])
        stop = int((sums - np.minimum.accumulate(sums)).argmax())
        start = int(sums[: stop + 1].argmin())
        if stop - start < SHORTEST_PX or sums[stop] - sums[start] < _LEAST_SUM:
            continue
        yield first + start, first + stop
        todo += [(first, first + start), (first + stop, end)]


def _evidence(contrasts: Float64Array) -> float:
    """How unlikely so much light would be by chance, in nats: -ln of the probability.

    contrasts: (N, 7) on the line and beside it.

    Specks line up by chance, the sooner the more there are (Desolneux, Moisan and Morel,
    "Meaningful alignments", IJCV 40(1), 2000). How bright the pieces of a line by chance are
    is seen beside it; the probability that they sum up to those on it is bounded after Chernoff
    (Ann. Math. Stat. 23(4), 1952). One more piece, as bright as one can be, stands for
    those that so few have not shown.
    """
    count = max(1, len(contrasts) // _PIECE_PX)
    edges = np.linspace(0, len(contrasts), count + 1).astype(int)
    pieces = np.add.reduceat(contrasts, edges[:-1], axis=0) / np.diff(edges)[:, None]
    own, beside = pieces[:, 0], pieces[:, 1:].ravel()
    beside = beside + _CHOICE * beside.std()
    moments = np.exp(_TILTS[:, None] * np.append(beside, _CUT)).mean(axis=1)
    return float((_TILTS * own.sum() - count * np.log(moments)).max())


def _is_bent(points: Float64Array) -> bool:
    """Whether a polyline (N, 2) of points a pixel apart is bent as a hair is."""
    step = min(_BEND_PX, len(points) // 3)
    middle = points[step:-step]
    before, behind = middle - points[: -2 * step], points[2 * step :] - middle
    cross = before[:, 0] * behind[:, 1] - before[:, 1] * behind[:, 0]
    turn = np.abs(np.arctan2(cross, (before * behind).sum(axis=1))) / step  # radians a pixel
    sharpest = quantile(turn, 0.9)
    mean_radius = max(_SHARPEST_PX, _SHARPEST_PX * _SHORT_PX / len(points))
    return float(turn.mean()) > 1 / mean_radius or sharpest > 1 / _SHARPEST_TENTH_PX


def _measures(strip: Strip, contrast: Float64Array, full_scale: float) -> LineMeasures:
    """How wide and how bright a whole strip is; ``contrast`` (N,) of its rows."""
    usable = contrast <= quantile(contrast, 0.95)
    light = strip.light[usable]
    whole = _width(light, strip.noise)
    parts = np.array_split(light, max(1, len(light) // _STRETCH_PX))
    stretches = [_width(part, strip.noise) for part in parts]
    sure = [each.width for each in stretches if each.error <= _SURE_PX]
    scatter = float(np.std(sure, ddof=1)) / math.sqrt(len(sure)) if len(sure) > 1 else 0.0
    profile = strip.light.mean(axis=0, dtype=np.float64)
    near = np.abs(OFFSETS) <= max(_BRIGHT_PX, _BRIGHT_WIDTHS * whole.width)
    heights = (profile[near][1:] + profile[near][:-1]) / 2
    brightness = float(heights @ np.diff(OFFSETS[near])) / full_scale
    return LineMeasures(
        width=whole.width,
        width_error=max(whole.error, scatter),
        widest=max([whole.width, *sure]),
        brightness=max(brightness, 0.0),
        contrast=0.0,
        saturated=float(strip.white.mean()),
        bent=0.0,
    )


def _width(light: Float32Array, noise: float) -> Width:
    """The width of the mean of cross-sections (N, M), and how sure it is.

    Where a side crosses half of the peak is uncertain by the profile's noise over its slope;
    the peak's own noise moves the level of both crossings.
    """
    profile = light.mean(axis=0).astype(np.float64)
    middle = int(np.argmax(np.where(np.abs(OFFSETS) <= _OFF_CREST_PX, profile, -np.inf)))
    half = profile[middle] / 2
    noise = noise / math.sqrt(len(light))
    sides, reciprocals = [], []
    for values, distance in (
        (profile[middle:], OFFSETS[middle:]),
        (profile[middle::-1], -OFFSETS[middle::-1]),
    ):
        under = np.flatnonzero(values < half)
        if not len(under):
            sides.append(float(distance[-1]))
            reciprocals.append(math.inf)
            continue
        k = int(under[0])
        drop, step = values[k - 1] - values[k], float(distance[k] - distance[k - 1])
        sides.append(float(distance[k - 1]) + float((values[k - 1] - half) / drop) * step)
        reciprocals.append(step / float(drop))
    error = noise * math.hypot(*reciprocals, sum(reciprocals) / 2)
    return Width(sum(sides), min(error, _WIDEST_PX))


def _simplified(points: Float64Array) -> Float64Array:
    """The polyline with as few points as keep it within a third of a pixel."""
    origin = points.min(axis=0)
    kept = cv2.approxPolyDP((points - origin).astype(np.float32)[:, None], 0.3, closed=False)
    return np.asarray(kept[:, 0].astype(np.float64) + origin, dtype=np.float64)
