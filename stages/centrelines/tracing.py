"""Links crests to chains of pixels, straight across gaps and crossings.

Hysteresis as in Canny (IEEE PAMI 8(6), 1986): a chain starts at a strong crest and goes on
along weak ones, in the direction it has, which turns slowly. Where crests end it looks
further ahead: gaps, beads and crossing lines do not end a scratch.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from darkscan.pipeline.geometry import FloatArray
from darkscan.stages.centrelines.ridges import Ridges


@dataclass(frozen=True, eq=False)
class Chain:
    """Crests along a line."""

    points: FloatArray
    """(K, 2) pixels (x, y) of the halved frame."""

    excess: float
    """What the crests' strengths, each less that of a crest by chance, sum up to."""


@dataclass(frozen=True)
class Linking:
    """What makes crests a chain; strengths in the unit of theirs, distances in pixels."""

    strong: float
    """A chain starts with."""

    by_chance: float
    """Of a crest where there is no line: few have more."""

    least_excess: float
    """Of touching crests among which a chain starts."""

    longest_gap: int
    shortest: int


LINES = Linking(strong=4.5, by_chance=3.0, least_excess=10.0, longest_gap=15, shortest=6)
"""Of the crests of a halved frame, in sigmas and its pixels."""

_TURN = 0.25  # of the way to the crest's own direction that the heading turns at each step
_WIDEST_TURN = math.radians(32)  # between heading and the next crest's direction
_SLANT = 0.25  # pixels aside for one ahead
_HEADINGS = 180  # as finely as it matters for the place of a crest


def trace(ridges: Ridges) -> list[Chain]:
    """The chains of a halved frame's crests, strongest start first; no crest is in two."""
    places = np.stack([ridges.columns, ridges.rows], axis=1).astype(np.float64)
    return [Chain(places[crests], excess) for crests, excess in link(ridges, LINES)]


def link(ridges: Ridges, linking: Linking) -> Iterator[tuple[list[int], float]]:
    """The numbers of each chain's crests in their order, and the chain's excess."""
    promising = _promising(ridges, linking)
    strength, angle = ridges.strength.tolist(), ridges.angle.tolist()
    places = list(zip(ridges.columns.tolist(), ridges.rows.tolist(), strict=True))
    number_at = {place: number for number, place in enumerate(places)}
    free = dict(number_at)
    order = np.lexsort((ridges.columns, ridges.rows, -ridges.strength)).tolist()
    for start in order:
        if strength[start] < linking.strong:
            break
        if not promising[start] or places[start] not in free:
            continue
        _take(free, angle, places[start], angle[start])
        back, ahead = (
            list(_walk(free, strength, angle, places[start], heading, linking.longest_gap))
            for heading in (angle[start] + math.pi, angle[start])
        )
        chain = [number_at[place] for place in (*reversed(back), places[start], *ahead)]
        if len(chain) >= linking.shortest:
            yield chain, sum(strength[number] - linking.by_chance for number in chain)


def _promising(ridges: Ridges, linking: Linking) -> list[bool]:
    """Which of the N crests touch others so strong that there may be a line."""
    if not len(ridges.rows):
        return []
    rows, columns = ridges.rows - ridges.rows.min(), ridges.columns - ridges.columns.min()
    image = np.zeros((rows.max() + 1, columns.max() + 1), np.uint8)
    image[rows, columns] = 1
    _, labels = cv2.connectedComponents(image)
    group = labels[rows, columns]
    excess = np.bincount(group, ridges.strength - linking.by_chance)
    promising: list[bool] = (excess[group] >= linking.least_excess).tolist()
    return promising


def _walk(
    free: dict[tuple[int, int], int],
    strength: list[float],
    angle: list[float],
    place: tuple[int, int],
    heading: float,
    longest_gap: int,
) -> Iterator[tuple[int, int]]:
    """Crests ahead, one after the other; each is taken."""
    while True:
        found = _next(free, strength, angle, place, heading, longest_gap)
        if found is None:
            return
        place, turn = found
        heading += _TURN * turn
        _take(free, angle, place, heading)
        yield place


def _next(
    free: dict[tuple[int, int], int],
    strength: list[float],
    angle: list[float],
    place: tuple[int, int],
    heading: float,
    longest_gap: int,
) -> tuple[tuple[int, int], float] | None:
    """The nearest crest ahead that runs the same way, the strongest of equally near ones."""
    x, y = place
    fans = _AHEAD[round(heading * _HEADINGS / math.tau) % _HEADINGS]
    for steps in fans[:longest_gap]:
        best, best_strength = None, 0.0
        for right, down in steps:
            there = (x + right, y + down)
            number = free.get(there)
            if number is None or strength[number] <= best_strength:
                continue
            turn = _turn(heading, angle[number])
            if abs(turn) <= _WIDEST_TURN:
                best, best_strength = (there, turn), strength[number]
        if best is not None:
            return best
    return None


def _steps_ahead(heading: float) -> list[list[tuple[int, int]]]:
    """For each distance ahead the pixels (x, y) to look at, none twice."""
    cos, sin = math.cos(heading), math.sin(heading)
    seen: set[tuple[int, int]] = set()
    steps = []
    for ahead in range(1, LINES.longest_gap + 1):
        aside = 1 + int(_SLANT * ahead)
        fan = (
            (round(ahead * cos - off * sin), round(ahead * sin + off * cos))
            for off in range(-aside, aside + 1)
        )
        steps.append([step for step in dict.fromkeys(fan) if step not in seen])
        seen.update(steps[-1])
    return steps


_AHEAD = [_steps_ahead(math.tau * number / _HEADINGS) for number in range(_HEADINGS)]


def _take(
    free: dict[tuple[int, int], int],
    angle: list[float],
    place: tuple[int, int],
    heading: float,
) -> None:
    """Takes a crest, and those beside it that run the same way: a line has one chain."""
    for x in range(place[0] - 1, place[0] + 2):
        for y in range(place[1] - 1, place[1] + 2):
            number = free.get((x, y))
            if number is not None and abs(_turn(heading, angle[number])) <= _WIDEST_TURN:
                del free[x, y]
    free.pop(place, None)


def _turn(heading: float, angle: float) -> float:
    """From a heading to a line's direction, which has no sense: -pi/2 to pi/2."""
    return (angle - heading + math.pi / 2) % math.pi - math.pi / 2
