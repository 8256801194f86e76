"""Whole elements: true scratches found one to one in their defect maps, and false defects.

``darkscan.simulation.element.comparison`` says what is found, split, merged and false.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, TypeVar

import numpy as np

from darkscan.network.evaluation._breakdown import CNR_EDGES, band_names
from darkscan.network.evaluation._intervals import Estimate, Share, poisson_rate
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, SHORTEST_PX, DefectKind
from darkscan.simulation.element import ElementTruth
from darkscan.simulation.element.comparison import (
    Comparison,
    ListedDefect,
    TrueLine,
    TrueSpot,
)

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
class Met:
    """How true things are met by the maps' defects of their kind."""

    name: str
    recall: Share
    """True things that are in the map as one defect of their kind."""
    precision: Share
    """Defects of the kind that show what it says."""
    length_ratio: Spread
    """Of true lines found: the map's length over the true one."""
    end_px: Spread
    """Of both ends of true lines found: how far they lie from the line's ends, pixels."""
    width_ratio: Spread
    """Of true lines found: apparent width over the true full width at half maximum."""


@dataclass(frozen=True)
class KindFigures:
    """One kind of defect."""

    kind: DefectKind
    sought: bool
    """Whether the model tells it from others; what is not sought is not in the maps."""
    whole: Met
    by_length: tuple[Met, ...]
    """Lines, band by band: recall by the true length, precision by the length in the map."""


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
    def scratches(self) -> Met:
        """How true scratches of all lengths are met."""
        return self.kinds[DEFECT_KINDS.index("scratch")].whole


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
    shapes = sorted({scratch.trace.kind for scratch in scratches})
    return DefectFigures(
        elements=len(compared),
        area_dm2=area,
        kinds=tuple(
            KindFigures(kind, any(kind in each.map.model.kinds for each in compared), *of_kind)
            for kind, of_kind in zip(
                DEFECT_KINDS,
                (
                    _of_lines("scratch", scratches, listed),
                    _of_lines("fibre", hairs, listed),
                    _of_spots("dig", spots, listed),
                    _of_spots("dust", spots, listed),
                ),
                strict=True,
            )
        ),
        by_shape=tuple(
            _found(shape, [s for s in scratches if s.trace.kind == shape]) for shape in shapes
        ),
        by_cnr=_by_cnr(scratches),
        seen=Share("seen", len(seen), len(scratches)),
        split=_share("split", seen, lambda scratch: scratch.split),
        merged=_share("merged", seen, lambda scratch: scratch.merged),
        as_fibre=_share("as a fibre", scratches, lambda scratch: scratch.mistaken),
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
) -> tuple[Met, tuple[Met, ...]]:
    own = [each for each in listed if each.defect.kind == kind]
    bands = zip(_LENGTH_NAMES, _by_length(lines), _by_length(own), strict=True)
    return _met(ALL, lines, own), tuple(_met(*band) for band in bands)


def _met(name: str, lines: Sequence[TrueLine], listed: Sequence[ListedDefect]) -> Met:
    one = [line.one for line in lines if line.found and line.one is not None]
    return Met(
        name=name,
        recall=_found(name, lines),
        precision=_share(name, listed, lambda each: each.right),
        length_ratio=Spread.of([each.length_ratio for each in one]),
        end_px=Spread.of([end for each in one for end in each.ends_px]),
        width_ratio=Spread.of([each.width_ratio for each in one]),
    )


def _of_spots(
    kind: DefectKind, spots: Sequence[TrueSpot], listed: Sequence[ListedDefect]
) -> tuple[Met, tuple[Met, ...]]:
    own = [spot for spot in spots if spot.kind == kind]
    met = _met(ALL, (), [each for each in listed if each.defect.kind == kind])
    return replace(met, recall=_share(ALL, own, lambda spot: spot.found)), ()


def _by_length(items: Sequence[_Sized]) -> list[list[_Sized]]:
    return [
        [item for item in items if length_band(item.length_px) == name] for name in _LENGTH_NAMES
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


_Item = TypeVar("_Item")


def _share(name: str, items: Sequence[_Item], hit: Callable[[_Item], bool]) -> Share:
    return Share(name, sum(hit(item) for item in items), len(items))
