"""The scratches along a strip: where each begins and ends, how wide and how bright it is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from darkscan.centrelines._straightening import OFFSETS, Strip, quantile
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Mask
from darkscan.pipeline.core.frame_results import SHORTEST_PX, LineMeasures

_COLUMNS = np.abs(OFFSETS[:, None] - (0.0, -8.0, -6.5, -5.0, 5.0, 6.5, 8.0)) <= 1.0
_MEANS = (_COLUMNS / _COLUMNS.sum(axis=0)).astype(np.float32)
"""(M, 7) weights that give the mean brightness of a row on a line, and at six places beside it."""

_OFF_CREST_PX = 2.0  # a line is at most so far from its crest
_CUT = 3.0  # sigmas: a speck counts no more than this
_PIECE_PX = 5
_OF_TYPICAL, _LEVELS = 0.5, (0.3, 0.8)  # contrast that tells lit from not, and its bounds
_ROUNDS = 3
_LEAST_SUM = 10.0  # sigmas times pixels of length: fainter lines are not looked at
_CHOICE = 0.75  # standard deviations that a piece gains as the chain chose its place
_LEAST_EVIDENCE = 15.0  # nats
_BENT_EVIDENCE = 15.0  # nats more: curls can be laid through many more sets of specks
_STRETCH_PX = 16  # of a line, for its largest width and how the width varies
_SURE_PX = 0.5  # stretches whose width is less certain do not count
_BRIGHT_PX, _BRIGHT_WIDTHS = 3.0, 1.5  # to each side: where a line's light is summed up
_WIDEST_PX = 18.0
_TILTS = np.array([0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0])  # per sigma
_BEND_PX = 20
_SHORTEST_HAIR_PX = 40  # the bends of shorter lines are the noise's
_SHORT_PX = 60  # smoothing makes pieces shorter than this look straighter than they are
_ARM_PX, _ELBOW_PX = 24, 4  # of a kink: measured on both sides, beside what is between them
_KINK = math.radians(22)  # the sharpest scratch turns less on so many pixels
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

    full_scale: the camera's largest grey level. ``seen``: what a line map says for the whole of
    it, in nats, shared out by length over what is lit. It counts beside what the pixels say,
    which are few along a short scratch, and hidden among specks along a faint one.
    """
    means = strip.light @ (_MEANS / np.float32(strip.noise))
    contrasts = np.minimum(means, _CUT, dtype=np.float64)  # without the excess of specks
    lit = list(_lit_parts(contrasts[:, 0]))
    whole = sum(end - first for first, end in lit)
    for first, end in lit:
        points, part = strip.points[first:end], slice(first, end)
        bent = len(points) >= _SHORTEST_HAIR_PX and _is_bent(points)
        least = _LEAST_EVIDENCE + (_BENT_EVIDENCE if bent else 0.0)
        evidence = _evidence(contrasts[part, 0], contrasts[:, 1:])
        if seen * (end - first) / whole + evidence >= least:
            contrast = float(means[part, 0].mean(dtype=np.float64))
            usable = contrasts[part, 0] <= quantile(contrasts[part, 0], 0.95)
            lit_strip = strip.part(part)
            measures = _measures(lit_strip, usable, full_scale, contrast=contrast, bent=bent)
            yield Line(_simplified(points), measures)


def _lit_parts(contrast: Float64Array) -> Iterator[tuple[int, int]]:
    """First and end of the stretches in which a line is lit rather than not.

    A stretch maximizes the sum of its contrasts, each less a part of the typical contrast. With
    a part of one half it ends where the ends of an even line in white noise most likely are.
    """
    todo = [(0, len(contrast))]
    while todo:
        first, end = todo.pop()
        found = _lit_part(contrast[first:end])
        if found is not None:
            start, stop = first + found[0], first + found[1]
            yield start, stop
            todo += [(first, start), (stop, end)]


def _lit_part(contrast: Float64Array) -> tuple[int, int] | None:
    """First and end of the best lit stretch; None if there is none.

    What is typical is known once the stretch is, so both are found in turn: the darkness in which
    a chain begins and ends would have it too low, and the stretch too long.
    """
    start, stop = 0, len(contrast)
    for _ in range(_ROUNDS):
        if stop - start < SHORTEST_PX:
            return None
        level = min(max(_OF_TYPICAL * float(contrast[start:stop].mean()), _LEVELS[0]), _LEVELS[1])
        sums = np.zeros(len(contrast) + 1)
        np.cumsum(contrast - level, out=sums[1:])
        stop = int((sums - np.minimum.accumulate(sums)).argmax())
        start = int(sums[: stop + 1].argmin())
        if sums[stop] - sums[start] < _LEAST_SUM:
            return None
    return (start, stop) if stop - start >= SHORTEST_PX else None


def _evidence(contrasts: Float64Array, beside: Float64Array) -> float:
    """How unlikely so much light would be by chance, in nats: -ln of the probability.

    contrasts: (N,) on the line; beside: (M, 6) beside it and beside the chain it is a part of.

    Specks line up by chance, the sooner the more there are (Desolneux, Moisan and Morel,
    "Meaningful alignments", IJCV 40(1), 2000). How bright the pieces of a line by chance are
    is seen beside it; the probability that they sum up to those on it is bounded after Chernoff
    (Ann. Math. Stat. 23(4), 1952). One more piece, as bright as one can be, stands for
    those that so few have not shown.
    """
    own, others = _pieces(contrasts[:, None])[:, 0], _pieces(beside).ravel()
    others = others + _CHOICE * others.std()
    moments = np.exp(_TILTS[:, None] * np.append(others, _CUT)).mean(axis=1)
    return float((_TILTS * own.sum() - len(own) * np.log(moments)).max())


def _pieces(contrasts: Float64Array) -> Float64Array:
    """The means (P, K) of pieces, five pixels long or a little more, of contrasts (N, K)."""
    count = max(1, len(contrasts) // _PIECE_PX)
    edges = np.linspace(0, len(contrasts), count + 1).astype(int)
    means = np.add.reduceat(contrasts, edges[:-1], axis=0) / np.diff(edges)[:, None]
    return np.asarray(means, np.float64)


def unbroken(points: Float64Array) -> Iterator[slice]:
    """The stretches of a polyline (N, 2) of points a pixel apart between its kinks.

    No scratch turns so sharply: where two cross, a chain has gone over from one to the other.
    What curls all along is a hair, and is one.
    """
    if len(points) >= _SHORTEST_HAIR_PX and float(_turns(points).mean()) > 1 / _SHARPEST_PX:
        yield slice(0, len(points))
        return
    reach = _ARM_PX + _ELBOW_PX
    count, cuts = len(points), [0]
    if count >= 2 * reach:
        middle = np.arange(reach, count - reach)
        before = points[middle - _ELBOW_PX] - points[middle - reach]
        behind = points[middle + reach] - points[middle + _ELBOW_PX]
        cross = before[:, 0] * behind[:, 1] - before[:, 1] * behind[:, 0]
        turn = np.abs(np.arctan2(cross, (before * behind).sum(axis=1)))
        runs = np.flatnonzero(np.diff(turn > _KINK, prepend=False, append=False)).reshape(-1, 2)
        cuts += [int(middle[first + int(turn[first:end].argmax())]) for first, end in runs.tolist()]
    yield from map(slice, cuts, [*cuts[1:], count])


def _is_bent(points: Float64Array) -> bool:
    """Whether a polyline (N, 2) of points a pixel apart is bent as a hair is."""
    turn = _turns(points)
    sharpest = quantile(turn, 0.9)
    mean_radius = max(_SHARPEST_PX, _SHARPEST_PX * _SHORT_PX / len(points))
    return float(turn.mean()) > 1 / mean_radius or sharpest > 1 / _SHARPEST_TENTH_PX


def _measures(
    strip: Strip, usable: Mask, full_scale: float, *, contrast: float, bent: bool
) -> LineMeasures:
    """How wide and how bright a whole strip is; ``usable`` (N,) rows have no speck."""
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
        contrast=contrast,
        saturated=float(strip.white.mean()),
        bent=float(bent),
    )


def _turns(points: Float64Array) -> Float64Array:
    """How sharply a polyline (N, 2) of points a pixel apart turns, radians a pixel: (M,)."""
    step = min(_BEND_PX, len(points) // 3)
    middle = points[step:-step]
    before, behind = middle - points[: -2 * step], points[2 * step :] - middle
    cross = before[:, 0] * behind[:, 1] - before[:, 1] * behind[:, 0]
    return np.asarray(np.abs(np.arctan2(cross, (before * behind).sum(axis=1))) / step, np.float64)


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
