"""Links crests to chains of pixels, and joins the chains that continue each other.

Hysteresis as in Canny (IEEE PAMI 8(6), 1986): a chain starts at a strong crest and goes on
along weak ones, in the direction it has, which turns slowly. Where crests end it looks
further ahead: gaps, beads and crossing lines do not end a scratch.

None of the runs of a discontinuous scratch need be unlikely by itself. A run reaches across a
gap of twice its own length and more, wherever both ends point at each other as well as so
short runs can; whether the whole is a scratch is decided later, gaps included.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.centrelines._ridges import Ridges
from darkscan.pipeline.core.arrays import Float64Array

# Linking crests, in pixels of the halved frame or cells of a line map.
_TURN = 0.25  # share of the way to the crest's own direction that the heading turns at each step
_WIDEST_TURN = math.radians(32)  # between heading and the next crest's direction
_FAN_SLANT = 0.25  # pixels aside for one ahead
_HEADINGS = 180  # as finely as it matters for the place of a crest
_DOWN = 1 << 20  # from a place to the one below: no step leads around a border
_BESIDE = [down * _DOWN + right for down in (-1, 0, 1) for right in (-1, 0, 1)]

# Joining chains, in pixels of the halved frame.
_LONGEST_GAP = 2.5  # in lengths of the shorter of two chains
_SHORTEST_REACH, _LONGEST_REACH = 20.0, 100.0  # bounds of the longest gap
_LONGEST_OVERLAP = 12.0
_END = 24  # crests at the end of a chain that give the direction in which it goes on
_ALIGNED = math.cos(math.radians(20))
_ASIDE = 2.0
_JOIN_SLANT, _STEEPEST_JOIN_SLANT = 0.04, 0.3  # aside for one ahead: long chains, short ones
_WORSE_ASIDE = 4.0  # a pixel aside counts as so many ahead


@dataclass(frozen=True, eq=False)
class Chain:
    """Crests along a line."""

    points: Float64Array
    """(K, 2) pixels (x, y) of the halved frame."""

    excess: float
    """The sum of the crests' strengths, each less that of a crest by chance."""


@dataclass(frozen=True)
class Linking:
    """The conditions under which crests make a chain.

    Strengths are in the unit of the crests' own, distances in their pixels.
    """

    strong: float
    """The least strength of a crest that a chain starts at."""

    by_chance: float
    """The strength of a crest where there is no line; few of those are stronger."""

    least_excess: float
    """The least excess, see ``Chain``, of the touching crests among which a chain starts."""

    longest_gap: int
    """The furthest that the next crest may be ahead."""

    shortest: int
    """The least number of crests of a chain."""


LINES = Linking(strong=4.5, by_chance=3.0, least_excess=10.0, longest_gap=15, shortest=6)
"""For the crests of a halved frame, in sigmas and its pixels."""


def trace(ridges: Ridges) -> list[Chain]:
    """The chains of a halved frame's crests, strongest start first; no crest is in two."""
    places = np.stack([ridges.columns, ridges.rows], axis=1).astype(np.float64)
    return [Chain(places[crests], excess) for crests, excess in link(ridges, LINES)]


def link(ridges: Ridges, linking: Linking) -> Iterator[tuple[list[int], float]]:
    """For each chain the numbers of its crests in their order, and its excess."""
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


def join(chains: Sequence[Chain]) -> list[Chain]:
    """Joins chains that are in line with each other; where two overlap, one of them stays."""
    if len(chains) < 2:  # noqa: PLR2004 - one chain has no partner
        return list(chains)
    ends = _Ends.of(chains)
    partner: dict[int, int] = {}
    group = list(range(len(chains)))  # the same number for all chains of a line
    for one, other in _pairs(ends):
        before, behind = group[one // 2], group[other // 2]
        if one in partner or other in partner or before == behind:
            continue
        partner[one], partner[other] = other, one
        group = [before if number == behind else number for number in group]
    return [_joined(chains, ends, run) for run in _runs(len(chains), partner)]


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
    """For each of the N crests whether it and those it touches are strong enough for a line."""
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
        aside = 1 + int(_FAN_SLANT * ahead)
        fan = (
            round(ahead * cos - off * sin) + _DOWN * round(ahead * sin + off * cos)
            for off in range(-aside, aside + 1)
        )
        steps.append([step for step in dict.fromkeys(fan) if step not in seen])
        seen.update(steps[-1])
    return steps


_AHEAD = [_steps_ahead(math.tau * number / _HEADINGS) for number in range(_HEADINGS)]


def _turn(heading: float, angle: float) -> float:
    """The angle from a heading to a line's direction, either way along it: -pi/2 to pi/2."""
    return (angle - heading + math.pi / 2) % math.pi - math.pi / 2


@dataclass(frozen=True, eq=False)
class _Ends:
    """Both ends of N chains; chain k has end 2 k, at its first point, and end 2 k + 1."""

    places: Float64Array
    """(2 N, 2) x, y."""

    headings: Float64Array
    """(2 N, 2) unit vectors in which the chains would go on."""

    bases: Float64Array
    """(2 N,) the lengths on which the headings were measured."""

    reaches: Float64Array
    """(2 N,) the longest gaps across which the ends may be joined."""

    @classmethod
    def of(cls, chains: Sequence[Chain]) -> "_Ends":
        steps, places, lengths = [], [], []
        for points in (chain.points for chain in chains):
            last = min(len(points), _END) - 1
            places += [points[0], points[-1]]
            steps += [points[0] - points[last], points[-1] - points[-1 - last]]
            lengths += 2 * [math.dist(points[0], points[-1])]
        bases = np.maximum(np.hypot(*np.array(steps).T), 1.0)
        reaches = np.clip(_LONGEST_GAP * np.array(lengths), _SHORTEST_REACH, _LONGEST_REACH)
        return cls(np.array(places), np.array(steps) / bases[:, None], bases, reaches)


def _pairs(ends: _Ends) -> list[tuple[int, int]]:
    """The pairs of ends that point at each other, the nearest first."""
    distance = np.hypot(*(ends.places[:, None] - ends.places).transpose(2, 0, 1))
    chain = np.arange(len(distance)) // 2
    one, other = np.nonzero(
        (distance <= np.minimum(ends.reaches[:, None], ends.reaches))
        & (chain[:, None] < chain)
        & (ends.headings @ ends.headings.T < -_ALIGNED)
    )
    fit, cost = np.ones(len(one), np.bool_), distance[one, other]
    for end, far in ((one, other), (other, one)):
        ahead, aside = _ahead_and_aside(ends, end, far)
        slant = np.minimum(_JOIN_SLANT + _ASIDE / ends.bases[end], _STEEPEST_JOIN_SLANT)
        fit &= (ahead > -_LONGEST_OVERLAP) & (aside <= _ASIDE + slant * np.maximum(ahead, 0.0))
        cost += _WORSE_ASIDE * aside
    order = np.argsort(cost[fit], kind="stable")
    return list(zip(one[fit][order].tolist(), other[fit][order].tolist(), strict=True))


def _ahead_and_aside(
    ends: _Ends, end: npt.NDArray[np.intp], far: npt.NDArray[np.intp]
) -> tuple[Float64Array, Float64Array]:
    """How far ahead, and how far aside, of the ends ``end`` the ends ``far`` lie."""
    x, y = (ends.places[far] - ends.places[end]).T
    right, down = ends.headings[end].T
    return x * right + y * down, np.abs(right * y - down * x)


def _runs(count: int, partner: dict[int, int]) -> Iterator[list[int]]:
    """For each line its chains in their order, each given by the end at which it is entered."""
    done: set[int] = set()
    for chain in range(count):
        if chain in done:
            continue
        entry = 2 * chain
        while entry in partner:
            entry = partner[entry] ^ 1
        run = [entry]
        while run[-1] ^ 1 in partner:
            run.append(partner[run[-1] ^ 1])
        done.update(end // 2 for end in run)
        yield run


def _joined(chains: Sequence[Chain], ends: _Ends, run: Sequence[int]) -> Chain:
    """Several chains as one; each next chain adds only its points ahead of the last one's."""
    parts: list[Float64Array] = []
    for entry in run:
        points = chains[entry // 2].points[:: -1 if entry % 2 else 1]
        if parts:
            ahead = (points - parts[-1][-1]) @ -ends.headings[entry] > 0
            points = points[ahead]
        if len(points):
            parts.append(points)
    return Chain(np.concatenate(parts), sum(chains[entry // 2].excess for entry in run))
