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


_STRONG = 4.5  # sigmas a chain starts with
_BY_CHANCE = 3.0  # sigmas of a crest where there is no line: few have more
_LEAST_EXCESS = 10.0  # of touching crests among which a chain starts
_LONGEST_GAP = 15  # pixels of the halved frame
_TURN = 0.25  # of the way to the crest's own direction that the heading turns at each step
_WIDEST_TURN = math.radians(32)  # between heading and the next crest's direction
_SLANT = 0.25  # pixels aside for one ahead
_SHORTEST = 6  # pixels
_HEADINGS = 180  # as finely as it matters for the place of a crest


def trace(ridges: Ridges) -> list[Chain]:
    """The chains of crests, strongest start first; no crest is in two."""
    promising = _promising(ridges)
    strength, angle = ridges.strength.tolist(), ridges.angle.tolist()
    places = list(zip(ridges.columns.tolist(), ridges.rows.tolist(), strict=True))
    number_at = {place: number for number, place in enumerate(places)}
    free = dict(number_at)
    order = np.lexsort((ridges.columns, ridges.rows, -ridges.strength)).tolist()
    chains = []
    for start in order:
        if strength[start] < _STRONG:
            break
        if not promising[start] or places[start] not in free:
            continue
        _take(free, angle, places[start], angle[start])
        back, ahead = (
            list(_walk(free, strength, angle, places[start], heading))
            for heading in (angle[start] + math.pi, angle[start])
        )
        chain = [*reversed(back), places[start], *ahead]
        if len(chain) >= _SHORTEST:
            excess = sum(strength[number_at[place]] - _BY_CHANCE for place in chain)
            chains.append(Chain(np.array(chain, np.float64), excess))
    return chains


def _promising(ridges: Ridges) -> list[bool]:
    """Which of the N crests touch others so strong that there may be a line."""
    if not len(ridges.rows):
        return []
    image = np.zeros((ridges.rows.max() + 1, ridges.columns.max() + 1), np.uint8)
    image[ridges.rows, ridges.columns] = 1
    _, labels = cv2.connectedComponents(image)
    group = labels[ridges.rows, ridges.columns]
    excess = np.bincount(group, ridges.strength - _BY_CHANCE)
    promising: list[bool] = (excess[group] >= _LEAST_EXCESS).tolist()
    return promising


def _walk(
    free: dict[tuple[int, int], int],
    strength: list[float],
    angle: list[float],
    place: tuple[int, int],
    heading: float,
) -> Iterator[tuple[int, int]]:
    """Crests ahead, one after the other; each is taken."""
    while True:
        found = _next(free, strength, angle, place, heading)
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
) -> tuple[tuple[int, int], float] | None:
    """The nearest crest ahead that runs the same way, the strongest of equally near ones."""
    x, y = place
    for steps in _AHEAD[round(heading * _HEADINGS / math.tau) % _HEADINGS]:
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
    for ahead in range(1, _LONGEST_GAP + 1):
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
