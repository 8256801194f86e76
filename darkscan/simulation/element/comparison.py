"""Holds a defect map against the truth of the simulated element it was made from.

A true line is found if one line of the map, and no second one, runs along half of it or more:
within 3 px, as it heads. It counts from where its light rises above the noise to where it falls
below, gaps included, as far as it lies on the element. Two lines or more that each run along a
fifth of it split it; a line that runs along half or more of two scratches merges them.
"""

from dataclasses import dataclass

from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.simulation.element._causes import CAUSE_OF, Cause, Causes, ListedDefect, TrueSpot
from darkscan.simulation.element._true_lines import (
    FoundLine,
    Planted,
    TrueLine,
    noise_under,
    with_merged,
)
from darkscan.simulation.element.element_truth import ElementTruth

__all__ = [
    "CAUSE_OF",
    "Cause",
    "Comparison",
    "FoundLine",
    "ListedDefect",
    "TrueLine",
    "TrueSpot",
    "compare",
    "noise_under",
]


@dataclass(frozen=True)
class Comparison:
    """All that was planted, and all that is listed."""

    scratches: tuple[TrueLine, ...]
    hairs: tuple[TrueLine, ...]
    spots: tuple[TrueSpot, ...]
    """Digs, and grains as large as the map lists them."""

    defects: tuple[ListedDefect, ...]
    """In the map's order."""

    @property
    def false_scratches(self) -> tuple[ListedDefect, ...]:
        """Scratches of the map that show none."""
        return tuple(each for each in self._listed_scratches if not each.right)

    @property
    def true_mm(self) -> float:
        """The length of all planted scratches that counts."""
        return sum(scratch.length_mm for scratch in self.scratches)

    @property
    def covered_mm(self) -> float:
        """The length of what of them lies within areas."""
        return sum(scratch.length_mm * scratch.covered for scratch in self.scratches)

    @property
    def length_mm(self) -> float:
        """The length of the map's scratches."""
        return sum(each.defect.length_mm for each in self._listed_scratches)

    @property
    def false_mm(self) -> float:
        """The length of the map's scratches away from every planted one."""
        listed = self._listed_scratches
        return sum((1.0 - each.on_scratches) * each.defect.length_mm for each in listed)

    @property
    def _listed_scratches(self) -> list[ListedDefect]:
        return [each for each in self.defects if each.defect.kind == "scratch"]


def compare(truth: ElementTruth, defect_map: DefectMap) -> Comparison:
    """Holds a map against the truth of its element; both in the element's frame.

    True lines of which nothing lies on the element are left out.
    """
    mm = defect_map.scan.pitch_um / 1000.0
    planted = Planted(truth, defect_map, mm)
    lines = [planted.line(trace) for trace in truth.traces]
    on_element = [line for line in lines if line is not None]
    scratches, hairs = (
        tuple(line for line in on_element if line.trace.is_scratch is wanted)
        for wanted in (True, False)
    )
    causes = Causes(truth, mm)
    return Comparison(
        scratches=with_merged(scratches),
        hairs=hairs,
        spots=causes.spots(defect_map.defects),
        defects=tuple(causes.explain(defect) for defect in defect_map.defects),
    )
