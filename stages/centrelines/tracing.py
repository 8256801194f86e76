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
_DOWN = 1 << 20  # from a place to the one below: no step leads around a border
_BESIDE = [down * _DOWN + right for down in (-1, 0, 1) for right in (-1, 0, 1)]


def trace(ridges: Ridges) -> list[Chain]:
    """The chains of a halved frame's crests, strongest start first; no crest is in two."""
    places = np.stack([ridges.columns, ridges.rows], axis=1).astype(np.float64)
    return [Chain(places[crests], excess) for crests, excess in link(ridges, LINES)]


def link(ridges: Ridges, linking: Linking) -> Iterator[tuple[list[int], float]]:
    """The numbers of each chain's crests in their order, and the chain's excess."""
    if not len(ridges.rows):
        return
    promising = _promising(ridges, linking)
    crests = _Crests(ridges, linking.longest_gap)
    strength, free = crests.strength, crests.free
    order = np.lexsort((ridges.columns, ridges.rows, -ridges.strength)).tolist()
    for start in order:
        if strength[start] < linking.strong:
            break
        if not promising[start] or crests.places[start] not in free:
            continue
        place, heading = crests.places[start], crests.angle[start]
        crests.take(place, heading)
        back = crests.walk(place, heading + math.pi)
        ahead = crests.walk(place, heading)
        chain = [*reversed(back), start, *ahead]
        if len(chain) >= linking.shortest:
            yield chain, sum(strength[number] - linking.by_chance for number in chain)


class _Crests:
    """Crests by place: numbers that grow by one to the right and by ``_DOWN`` downwards."""

    def __init__(self, ridges: Ridges, longest_gap: int) -> None:
        self.strength: list[float] = ridges.strength.tolist()
        self.angle: list[float] = ridges.angle.tolist()
        self.places: list[int] = (ridges.rows * _DOWN + ridges.columns).tolist()
        self.free = {place: number for number, place in enumerate(self.places)}
        self._longest_gap = longest_gap

    def walk(self, place: int, heading: float) -> list[int]:
        """Crests ahead, one after the other; each is taken."""
        chain = []
        while (found := self._next(place, heading)) is not None:
            number, turn = found
            heading += _TURN * turn
            place = self.places[number]
            self.take(place, heading)
            chain.append(number)
        return chain

    def take(self, place: int, heading: float) -> None:
        """Takes a crest, and those beside it that run the same way: a line has one chain."""
        free, angle = self.free, self.angle
        for step in _BESIDE:
            number = free.get(place + step)
            if number is not None and abs(_turn(heading, angle[number])) <= _WIDEST_TURN:
                del free[place + step]
        free.pop(place, None)

    def _next(self, place: int, heading: float) -> tuple[int, float] | None:
        """The nearest crest ahead that runs the same way, the strongest of equally near ones."""
        free, strength = self.free, self.strength
        fans = _AHEAD[round(heading * _HEADINGS / math.tau) % _HEADINGS]
        for steps in fans[: self._longest_gap]:
            best, best_strength = None, 0.0
            for step in steps:
                number = free.get(place + step)
                if number is None or strength[number] <= best_strength:
                    continue
                turn = _turn(heading, self.angle[number])
                if abs(turn) <= _WIDEST_TURN:
                    best, best_strength = (number, turn), strength[number]
            if best is not None:
                return best
        return None


def _promising(ridges: Ridges, linking: Linking) -> list[bool]:
    """Which of the N crests touch others so strong that there may be a line."""
    rows, columns = ridges.rows - ridges.rows.min(), ridges.columns - ridges.columns.min()
    image = np.zeros((rows.max() + 1, columns.max() + 1), np.uint8)
    image[rows, columns] = 1
    _, labels = cv2.connectedComponents(image)
    group = labels[rows, columns]
    excess = np.bincount(group, ridges.strength - linking.by_chance)
    promising: list[bool] = (excess[group] >= linking.least_excess).tolist()
    return promising


def _steps_ahead(heading: float) -> list[list[int]]:
    """For each distance ahead the steps to the places to look at, none twice."""
    cos, sin = math.cos(heading), math.sin(heading)
    seen: set[int] = set()
    steps = []
    for ahead in range(1, LINES.longest_gap + 1):
        aside = 1 + int(_SLANT * ahead)
        fan = (
            round(ahead * cos - off * sin) + _DOWN * round(ahead * sin + off * cos)
            for off in range(-aside, aside + 1)
        )
        steps.append([step for step in dict.fromkeys(fan) if step not in seen])
        seen.update(steps[-1])
    return steps


_AHEAD = [_steps_ahead(math.tau * number / _HEADINGS) for number in range(_HEADINGS)]


def _turn(heading: float, angle: float) -> float:
    """From a heading to a line's direction, which has no sense: -pi/2 to pi/2."""
    return (angle - heading + math.pi / 2) % math.pi - math.pi / 2
