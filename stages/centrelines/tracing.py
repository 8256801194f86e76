"""Links crests to chains of pixels, straight across gaps and crossings.

Hysteresis as in Canny (IEEE PAMI 8(6), 1986): a chain starts at a strong crest and goes on
along weak ones, in the direction it has, which turns slowly. Where crests end it looks
further ahead: gaps, beads and crossing lines do not end a scratch.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from darkscan.stages.centrelines.ridges import Ridges

Chain = npt.NDArray[np.float64]
"""(K, 2) pixels (x, y) of the halved frame, along a line."""

_STRONG = 5.0  # sigmas a chain starts with
_LONGEST_GAP = 15  # pixels of the halved frame
_TURN = 0.25  # of the way to the crest's own direction that the heading turns at each step
_WIDEST_TURN = math.radians(32)  # between heading and the next crest's direction
_SLANT = 0.25  # pixels aside for one ahead
_SHORTEST = 6  # pixels


def trace(ridges: Ridges) -> list[Chain]:
    """The chains of crests, strongest start first; no crest is in two."""
    strength, angle = ridges.strength.tolist(), ridges.angle.tolist()
    places = list(zip(ridges.columns.tolist(), ridges.rows.tolist(), strict=True))
    free = {place: number for number, place in enumerate(places)}
    order = np.lexsort((ridges.columns, ridges.rows, -ridges.strength)).tolist()
    chains = []
    for start in order:
        if strength[start] < _STRONG:
            break
        if places[start] not in free:
            continue
        _take(free, angle, places[start], angle[start])
        back, ahead = (
            list(_walk(free, strength, angle, places[start], heading))
            for heading in (angle[start] + math.pi, angle[start])
        )
        chain = [*reversed(back), places[start], *ahead]
        if len(chain) >= _SHORTEST:
            chains.append(np.array(chain, np.float64))
    return chains


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
    cos, sin = math.cos(heading), math.sin(heading)
    for ahead in range(1, _LONGEST_GAP + 1):
        best, best_strength = None, 0.0
        aside = 1 + int(_SLANT * ahead)
        for off in range(-aside, aside + 1):
            x = round(place[0] + ahead * cos - off * sin)
            y = round(place[1] + ahead * sin + off * cos)
            number = free.get((x, y))
            if number is None or strength[number] <= best_strength:
                continue
            turn = _turn(heading, angle[number])
            if abs(turn) <= _WIDEST_TURN:
                best, best_strength = ((x, y), turn), strength[number]
        if best is not None:
            return best
    return None


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
