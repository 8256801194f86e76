"""What true thing each defect of a map shows: a scratch, a hair, a dig, dust, or nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely

from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.defect_map import Defect
from darkscan.pipeline.core.frame_results import DefectKind
from darkscan.simulation.element._dust import Dust
from darkscan.simulation.element.element_truth import ElementTruth
from darkscan.simulation.element.strokes import SIGMA_PER_FWHM
from darkscan.simulation.element.tracks import CLOSE_PX, Track, share

Cause = Literal["scratch", "hair", "dig", "dust", "nothing"]
"""A true thing; fibres are hairs."""

CAUSE_OF: dict[DefectKind, Cause] = {
    "scratch": "scratch",
    "fibre": "hair",
    "dig": "dig",
    "dust": "dust",
}
"""What each kind of defect should show."""

_MOST = 0.5
_LARGE_PX = 8.0  # full width at half maximum: smaller grains are dirt, and not listed


@dataclass(frozen=True)
class ListedDefect:
    """A defect of the map and what it shows.

    A line shows what half of its length or more runs along: scratches rather than hairs, if
    both; else what half of it lies on: digs rather than dust. A spot shows a dig whose
    middle lies within it or 3 px beside it, else such a speck of dust.
    """

    defect: Defect
    cause: Cause
    length_px: float
    on_scratches: float
    """The part of a line that runs along true scratches, 0 to 1; 0 for spots."""

    @property
    def right(self) -> bool:
        """Whether it shows what its kind says."""
        return self.cause == CAUSE_OF[self.defect.kind]


@dataclass(frozen=True)
class TrueSpot:
    """A dig, or a grain of dust so large that the map lists it."""

    kind: Literal["dig", "dust"]
    middle_px: tuple[float, float]
    fwhm_px: float
    defects: tuple[Defect, ...]
    """The spots of the map within which its middle lies, or 3 px beside."""

    @property
    def found(self) -> bool:
        """Whether a spot of its kind shows it."""
        return any(defect.kind == self.kind for defect in self.defects)


class Causes:
    """An element's true things, by place."""

    def __init__(self, truth: ElementTruth, pixel_mm: float) -> None:
        self._mm = pixel_mm
        tracks = [(trace.is_scratch, Track.of(trace.vertices)) for trace in truth.traces]
        self._scratches = [track for is_scratch, track in tracks if is_scratch]
        self._hairs = [track for is_scratch, track in tracks if not is_scratch]
        specks = Dust(truth.seed, truth.dust_per_10k_px).specks(truth.size_px)
        middles = (specks.start + specks.end) / 2.0
        on_element = ((middles >= 0) & (middles <= truth.size_px)).all(axis=1)
        grains = middles[on_element], specks.sigma[on_element] / SIGMA_PER_FWHM
        digs = [((dig.x, dig.y), dig.radius_px / SIGMA_PER_FWHM) for dig in truth.digs]
        self._digs = _Spots(
            np.array([middle for middle, _ in digs]).reshape(-1, 2),
            np.array([fwhm for _, fwhm in digs]),
        )
        self._dust = _Spots(*grains)

    def explain(self, defect: Defect) -> ListedDefect:
        """What a defect shows."""
        if not defect.is_line:
            outline = self._outline(defect)
            cause: Cause = "nothing"
            if self._digs.in_or_beside(outline):
                cause = "dig"
            elif self._dust.in_or_beside(outline):
                cause = "dust"
            return ListedDefect(defect, cause, defect.length_mm / self._mm, 0.0)
        track = Track.of(np.array(defect.centreline) / self._mm)
        on_scratches = share(track.along_any(self._scratches, CLOSE_PX))
        shares: Iterable[tuple[Cause, float]] = (
            ("scratch", on_scratches),
            ("hair", share(track.along_any(self._hairs, CLOSE_PX))),
            ("dig", self._digs.share_on(track.places)),
            ("dust", self._dust.share_on(track.places)),
        )
        shown: Cause = next((cause for cause, part in shares if part >= _MOST), "nothing")
        return ListedDefect(defect, shown, defect.length_mm / self._mm, on_scratches)

    def spots(self, defects: Sequence[Defect]) -> tuple[TrueSpot, ...]:
        """All digs and large grains, and the defects that show them."""
        listed = [(d, self._outline(d)) for d in defects if not d.is_line]
        outlines = np.array([outline for _, outline in listed], np.object_)
        found = []
        for kind, spots in (("dig", self._digs), ("dust", self._dust.of_least(_LARGE_PX))):
            for middle, fwhm in zip(spots.middles, spots.fwhm.tolist(), strict=True):
                near = shapely.dwithin(outlines, shapely.Point(middle), CLOSE_PX)
                found.append(
                    TrueSpot(
                        kind="dig" if kind == "dig" else "dust",
                        middle_px=(float(middle[0]), float(middle[1])),
                        fwhm_px=fwhm,
                        defects=tuple(listed[k][0] for k in np.flatnonzero(near)),
                    )
                )
        return tuple(found)

    def _outline(self, defect: Defect) -> shapely.Polygon:
        return shapely.Polygon(np.array(defect.outline) / self._mm)


class _Spots:
    """Round spots (N,) that can be looked up by place, pixels."""

    def __init__(self, middles: Float64Array, fwhm: Float64Array) -> None:
        self.middles = middles
        self.fwhm = fwhm
        self._tree = shapely.STRtree(shapely.points(middles))

    def of_least(self, fwhm: float) -> "_Spots":
        """Those of a full width at half maximum or more."""
        large = self.fwhm >= fwhm
        return _Spots(self.middles[large], self.fwhm[large])

    def in_or_beside(self, outline: shapely.Polygon) -> bool:
        """Whether the middle of one lies within an outline, or 3 px beside it."""
        return bool(self._tree.query(outline, predicate="dwithin", distance=CLOSE_PX).size)

    def share_on(self, places: Float64Array) -> float:
        """The part of places (P, 2) that lie on one: within half of its width, 3 px at least."""
        reach = max(CLOSE_PX, float(self.fwhm.max(initial=0.0)) / 2)
        place, spot = self._tree.query(shapely.points(places), predicate="dwithin", distance=reach)
        away = np.hypot(*(places[place] - self.middles[spot]).T)
        on_it = place[away <= np.maximum(CLOSE_PX, self.fwhm[spot] / 2)]
        return len(np.unique(on_it)) / len(places)
