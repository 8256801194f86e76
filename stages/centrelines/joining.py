"""Joins chains in line with each other: the runs of one scratch, so that they are judged together.

None of the runs of a discontinuous scratch need be unlikely by itself. A run reaches across a
gap of twice its own length and more, wherever both ends point at each other as well as so
short runs can; whether the whole is a scratch is decided later, gaps included.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.geometry import FloatArray
from darkscan.stages.centrelines.tracing import Chain

# All in pixels of the halved frame.
_GAP_OF_LENGTH = 2.5  # of the shorter of two chains
_SHORTEST_REACH, _LONGEST_REACH = 20.0, 100.0
_LONGEST_OVERLAP = 12.0
_END = 24  # crests of a chain whose direction is that of its end
_ALIGNED = math.cos(math.radians(20))
_ASIDE = 2.0
_SLANT, _STEEPEST_SLANT = 0.04, 0.3  # aside for one ahead: of a long chain, of a short one
_WORSE_ASIDE = 4.0  # a pixel aside counts as so many ahead


@dataclass(frozen=True, eq=False)
class _Ends:
    """Both ends of N chains: those of chain k are 2 k, its first point, and 2 k + 1."""

    places: FloatArray
    """(2 N, 2) x, y."""

    headings: FloatArray
    """(2 N, 2) unit vectors in which the chains would go on."""

    bases: FloatArray
    """(2 N,) the lengths that the headings are measured on."""

    reaches: FloatArray
    """(2 N,) the longest gaps."""

    @classmethod
    def of(cls, chains: Sequence[Chain]) -> "_Ends":
        steps, places, lengths = [], [], []
        for points in (chain.points for chain in chains):
            last = min(len(points), _END) - 1
            places += [points[0], points[-1]]
            steps += [points[0] - points[last], points[-1] - points[-1 - last]]
            lengths += 2 * [math.dist(points[0], points[-1])]
        bases = np.maximum(np.hypot(*np.array(steps).T), 1.0)
        reaches = np.clip(_GAP_OF_LENGTH * np.array(lengths), _SHORTEST_REACH, _LONGEST_REACH)
        return cls(np.array(places), np.array(steps) / bases[:, None], bases, reaches)


def join(chains: Sequence[Chain]) -> list[Chain]:
    """The chains, those in line with each other as one; where they overlap one of them stays."""
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
        slant = np.minimum(_SLANT + _ASIDE / ends.bases[end], _STEEPEST_SLANT)
        fit &= (ahead > -_LONGEST_OVERLAP) & (aside <= _ASIDE + slant * np.maximum(ahead, 0.0))
        cost += _WORSE_ASIDE * aside
    order = np.argsort(cost[fit], kind="stable")
    return list(zip(one[fit][order].tolist(), other[fit][order].tolist(), strict=True))


def _ahead_and_aside(
    ends: _Ends, end: npt.NDArray[np.intp], far: npt.NDArray[np.intp]
) -> tuple[FloatArray, FloatArray]:
    """How far ahead of some ends, and how far aside, others are."""
    x, y = (ends.places[far] - ends.places[end]).T
    right, down = ends.headings[end].T
    return x * right + y * down, np.abs(right * y - down * x)


def _runs(count: int, partner: dict[int, int]) -> Iterator[list[int]]:
    """The chains of each line in their order, each as the end at which it is entered."""
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
    """One chain of several; of each next one what lies ahead."""
    parts: list[FloatArray] = []
    for entry in run:
        points = chains[entry // 2].points[:: -1 if entry % 2 else 1]
        if parts:
            ahead = (points - parts[-1][-1]) @ -ends.headings[entry] > 0
            points = points[ahead]
        if len(points):
            parts.append(points)
    return Chain(np.concatenate(parts), sum(chains[entry // 2].excess for entry in run))
