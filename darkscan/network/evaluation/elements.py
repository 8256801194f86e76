"""Whole elements: true scratches found one to one in their defect maps, and false defects.

``darkscan.simulation.element.comparison`` says what is found, split, merged and false.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self, TypeVar

import numpy as np

from darkscan.network.evaluation._breakdown import CNR_EDGES, band_names
from darkscan.network.evaluation._intervals import Estimate, Share, poisson_rate
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, DefectKind
from darkscan.simulation.element import ElementTruth
from darkscan.simulation.element.comparison import (
    Comparison,
    ListedDefect,
    TrueLine,
    TrueSpot,
)

SHORTEST_PX = 12.0
"""Less of a true line is not asked for: the map lists none so short."""
LENGTH_EDGES_PX = (25.0, 60.0, 250.0)
_LENGTH_NAMES = ("12-25 px", "25-60 px", "60-250 px", "> 250 px")

_MM2_PER_DM2 = 1e4

ALL = "all"
"""Stands for the elements of all presets."""

_Sized = TypeVar("_Sized", TrueLine, ListedDefect)


class Compared(NamedTuple):
    """An element's map, held against its truth."""

    truth: ElementTruth
    map: DefectMap
    comparison: Comparison


@dataclass(frozen=True)
class Spread:
    """The middle of some figures, and how they are spread; NaN of none."""

    count: int
    low: float
    """A tenth of them is below."""
    median: float
    high: float
    """A tenth of them is above."""

    @classmethod
    def of(cls, figures: Sequence[float]) -> Self:
        """The spread of figures."""
        low, median, high = np.percentile(figures or [np.nan], [10, 50, 90])
        return cls(len(figures), float(low), float(median), float(high))


@dataclass(frozen=True)
class KindFigures:
    """Recall and precision of one kind of defect.

    Recall: true things of the kind that are in the map as one defect of it. Precision:
    defects of the kind that show what it says. Both by length too, if they are lines.
    """

    kind: DefectKind
    recall: Share
    precision: Share
    recall_by_length: tuple[Share, ...]
    precision_by_length: tuple[Share, ...]


@dataclass(frozen=True)
class DefectFigures:
    """How well the defect maps of simulated elements show what lies on them."""

    elements: int
    area_dm2: float
    kinds: tuple[KindFigures, ...]
    by_shape: tuple[Share, ...]
    """Recall of scratches by how they were drawn: straight, curved, swirl..."""

    by_cnr: tuple[Share, ...]
    """Recall of scratches by their brightness over the noise."""

    seen: Share
    """Scratches along a fifth of which or more any line runs."""

    split: Share
    """Of those seen: two lines or more each run along a fifth."""

    merged: Share
    """Of those seen: a line runs along half of it and of another scratch."""

    as_fibre: Share
    """Scratches that are in the map as one line, of the kind fibre."""

    length_ratio: Spread
    """Of scratches found: the line's length over the true one."""

    end_px: Spread
    """Of the ends of scratches found: how far they lie from the line's ends, pixels."""

    width_ratio: Spread
    """Of scratches found: apparent width over the true full width at half maximum."""

    false: Mapping[str, int]
    """Scratches of the maps that are none, by what they show instead."""

    false_per_dm2: Estimate
    true_mm: float
    """Length of all true scratches."""
    covered_mm: float
    """Length of what of them lies within areas."""
    listed_mm: float
    """Length of the maps' scratches."""
    false_mm: float
    """Length of the maps' scratches away from all true ones."""

    @property
    def scratches(self) -> KindFigures:
        """Recall and precision of scratches."""
        return self.kinds[DEFECT_KINDS.index("scratch")]


def figures_by_preset(compared: Sequence[Compared]) -> dict[str, DefectFigures]:
    """The figures of the elements of each preset, and of ``ALL`` of them."""
    presets = dict.fromkeys(each.truth.preset for each in compared)
    parts = {
        preset: figures_of([each for each in compared if each.truth.preset == preset])
        for preset in presets
    }
    return {**parts, ALL: figures_of(compared)}


def figures_of(compared: Sequence[Compared]) -> DefectFigures:
    """The figures of maps that were held against their truths.

    True lines of which less than 12 px count are left out.
    """
    sides = (each.map.element.size_mm for each in compared)
    area = sum(width * height for width, height in sides) / _MM2_PER_DM2
    comparisons = [each.comparison for each in compared]
    scratches = _long(line for each in comparisons for line in each.scratches)
    hairs = _long(line for each in comparisons for line in each.hairs)
    spots = [spot for each in comparisons for spot in each.spots]
    listed = [defect for each in comparisons for defect in each.defects]
    wrong = [defect for each in comparisons for defect in each.false_scratches]
    seen = [scratch for scratch in scratches if scratch.seen]
    one = [scratch.one for scratch in scratches if scratch.found and scratch.one is not None]
    shapes = sorted({scratch.trace.kind for scratch in scratches})
    return DefectFigures(
        elements=len(compared),
        area_dm2=area,
        kinds=(
            _of_lines("scratch", scratches, listed),
            _of_lines("fibre", hairs, listed),
            _of_spots("dig", spots, listed),
            _of_spots("dust", spots, listed),
        ),
        by_shape=tuple(
            _found(shape, [s for s in scratches if s.trace.kind == shape]) for shape in shapes
        ),
        by_cnr=_by_cnr(scratches),
        seen=Share("seen", len(seen), len(scratches)),
        split=_share("split", seen, lambda scratch: scratch.split),
        merged=_share("merged", seen, lambda scratch: scratch.merged),
        as_fibre=_share("as a fibre", scratches, lambda scratch: scratch.mistaken),
        length_ratio=Spread.of([each.length_ratio for each in one]),
        end_px=Spread.of([end for each in one for end in each.ends_px]),
        width_ratio=Spread.of([each.width_ratio for each in one]),
        false=Counter(each.cause for each in wrong),
        false_per_dm2=poisson_rate(len(wrong), area),
        true_mm=sum(each.true_mm for each in comparisons),
        covered_mm=sum(each.covered_mm for each in comparisons),
        listed_mm=sum(each.length_mm for each in comparisons),
        false_mm=sum(each.false_mm for each in comparisons),
    )


def length_band(length_px: float) -> str:
    """The name of the band that a length lies in; the first one has all that is shorter."""
    return _LENGTH_NAMES[int(np.searchsorted(LENGTH_EDGES_PX, length_px, side="right"))]


def _long(lines: Iterable[TrueLine]) -> list[TrueLine]:
    return [line for line in lines if line.length_px >= SHORTEST_PX]


def _of_lines(
    kind: DefectKind, lines: Sequence[TrueLine], listed: Sequence[ListedDefect]
) -> KindFigures:
    own = [each for each in listed if each.defect.kind == kind]
    return KindFigures(
        kind=kind,
        recall=_found(kind, lines),
        precision=_right(kind, own),
        recall_by_length=tuple(_found(name, some) for name, some in _by_length(lines)),
        precision_by_length=tuple(_right(name, some) for name, some in _by_length(own)),
    )


def _of_spots(
    kind: DefectKind, spots: Sequence[TrueSpot], listed: Sequence[ListedDefect]
) -> KindFigures:
    own = [spot for spot in spots if spot.kind == kind]
    return KindFigures(
        kind=kind,
        recall=_share(kind, own, lambda spot: spot.found),
        precision=_right(kind, [each for each in listed if each.defect.kind == kind]),
        recall_by_length=(),
        precision_by_length=(),
    )


def _by_length(items: Sequence[_Sized]) -> list[tuple[str, list[_Sized]]]:
    return [
        (name, [item for item in items if length_band(item.length_px) == name])
        for name in _LENGTH_NAMES
    ]


def _by_cnr(scratches: Sequence[TrueLine]) -> tuple[Share, ...]:
    bands = np.searchsorted(CNR_EDGES, [scratch.cnr for scratch in scratches], side="right")
    named = (
        (name, [s for s, band in zip(scratches, bands, strict=True) if band == at])
        for at, name in enumerate(band_names(CNR_EDGES))
    )
    return tuple(_found(name, some) for name, some in named if some)


def _found(name: str, lines: Sequence[TrueLine]) -> Share:
    return _share(name, lines, lambda line: line.found)


def _right(name: str, listed: Sequence[ListedDefect]) -> Share:
    return _share(name, listed, lambda each: each.right)


_Item = TypeVar("_Item")


def _share(name: str, items: Sequence[_Item], hit: Callable[[_Item], bool]) -> Share:
    return Share(name, sum(hit(item) for item in items), len(items))
