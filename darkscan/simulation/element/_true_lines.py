"""True scratches and hairs, and what a defect map has of each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import shapely

from darkscan.pipeline.core.defect_map import Area, Defect, DefectMap
from darkscan.simulation.element.element_truth import ElementTruth, Trace
from darkscan.simulation.element.render import Scene
from darkscan.simulation.element.tracks import CLOSE_PX, Track, share

FOUND_SHARE = 0.5
SPLIT_SHARE = 0.2


class AlongIt(NamedTuple):
    """A line of the map along a true one."""

    defect: Defect
    share: float
    """The part of the true line that it runs along, 0 to 1."""


class FoundLine(NamedTuple):
    """The one line that runs along half of a true one or more, against it."""

    defect: Defect
    length_ratio: float
    """Its length over the true one."""
    ends_px: tuple[float, float]
    """How far the true ends lie from its ends; its first belongs to whichever fits better."""
    width_ratio: float
    """Its apparent width over the true full width at half maximum.

    The simulated camera samples light at the middles of pixels and blurs nothing: what
    is over 1 comes from tracing.
    """


@dataclass(frozen=True)
class TrueLine:
    """A planted scratch, hair or fibre and what the map has of it."""

    trace: Trace
    track: Track
    """What of it lies on the element and above the noise."""

    pixel_mm: float
    cnr: float
    """Its amplitude over the noise."""

    covered: float
    """The part of its length that lies within areas, 0 to 1."""

    traced: float
    """The part of its length along which any line of the map runs, 0 to 1."""

    lines: tuple[AlongIt, ...]
    """The lines that run along a fifth of it or more, the longest share first."""

    one: FoundLine | None
    """None: no line runs along half of it, or several do."""

    merged: bool
    """One line runs along half or more of it and of another scratch."""

    @property
    def length_px(self) -> float:
        """What counts of its length, gaps included."""
        return self.track.length

    @property
    def length_mm(self) -> float:
        """What counts of its length, gaps included."""
        return self.track.length * self.pixel_mm

    @property
    def amplitude(self) -> float:
        """Grey levels above the background that its brightest tenth exceeds, at 8 bit."""
        return brightness(self.trace)

    @property
    def seen(self) -> bool:
        """Whether any line runs along a fifth of it."""
        return bool(self.lines)

    @property
    def split(self) -> bool:
        """Whether two lines or more each run along a fifth of it."""
        return len(self.lines) > 1

    @property
    def found(self) -> bool:
        """Whether it is in the map as one line, and as what it is."""
        return self.one is not None and self.one.defect.kind == self._kind

    @property
    def mistaken(self) -> bool:
        """Whether it is in the map as one line of another kind: a scratch as a fibre."""
        return self.one is not None and not self.found

    @property
    def _kind(self) -> str:
        return "scratch" if self.trace.is_scratch else "fibre"


def brightness(trace: Trace) -> float:
    """Grey levels above the background that a trace's brightest tenth exceeds, at 8 bit."""
    return float(np.percentile(trace.amplitude, 90))


def noise_under(scene: Scene, trace: Trace) -> float:
    """The sensor's noise in grey levels at 8 bit, on the background around a trace's middle."""
    x, y = trace.vertices[len(trace.vertices) // 2]
    return scene.noise.sigma(float(scene.background.render(int(x), int(y), 1, 1)[0, 0]))


class Planted:
    """What a map has of the true lines, one after the other."""

    def __init__(self, truth: ElementTruth, defect_map: DefectMap, mm: float) -> None:
        self._scene = Scene(truth)
        self._mm = mm
        self._size_px = tuple(side / mm for side in defect_map.element.size_mm)
        self._lines = [
            (defect, Track.of(np.array(defect.centreline) / mm))
            for defect in defect_map.defects
            if defect.is_line
        ]
        self._areas = [_polygon(area, mm) for area in defect_map.areas]

    def line(self, trace: Trace) -> TrueLine | None:
        """A true line; None if nothing of it lies on the element."""
        noise = noise_under(self._scene, trace)
        whole = Track.of(trace.vertices, part=_above(trace, noise))
        track = whole.within((0.0, 0.0), self._size_px)
        if not len(track.places):
            return None
        masks = [track.along(line, CLOSE_PX) for _, line in self._lines]
        shares = [AlongIt(d, share(m)) for (d, _), m in zip(self._lines, masks, strict=True)]
        some = sorted((s for s in shares if s.share >= SPLIT_SHARE), key=lambda s: -s.share)
        halves = [each.defect for each in some if each.share >= FOUND_SHARE]
        one = _held_against(halves[0], trace, track, self._mm) if len(halves) == 1 else None
        within = np.zeros(len(track.places), np.bool_)
        for area in self._areas:
            within |= shapely.contains_xy(area, *track.places.T)
        return TrueLine(
            trace=trace,
            track=track,
            pixel_mm=self._mm,
            cnr=brightness(trace) / noise,
            covered=share(within),
            traced=share(np.any(masks, axis=0)) if masks else 0.0,
            lines=tuple(some),
            one=one,
            merged=False,
        )


def _above(trace: Trace, noise: float) -> tuple[float, float]:
    """From where to where along a trace its light is above the noise; all of it if nowhere."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(trace.vertices, axis=0).T))])
    lit = np.flatnonzero(trace.amplitude >= noise)
    if len(lit) < 2:  # noqa: PLR2004 - one vertex has no length
        return 0.0, float(along[-1])
    return float(along[lit[0]]), float(along[lit[-1]])


def _held_against(defect: Defect, trace: Trace, track: Track, mm: float) -> FoundLine:
    line = np.array(defect.centreline) / mm
    first, last = track.places[0], track.places[-1]
    forth, back = (
        tuple(float(np.hypot(*(true - own))) for true, own in zip((first, last), ends, strict=True))
        for ends in (line[[0, -1]], line[[-1, 0]])
    )
    nearer = min(forth, back, key=sum)
    return FoundLine(
        defect=defect,
        length_ratio=defect.length_mm / mm / track.length,
        ends_px=(nearer[0], nearer[1]),
        width_ratio=defect.width_um / 1000.0 / mm / trace.fwhm_px,
    )


def _polygon(area: Area, mm: float) -> shapely.Polygon:
    outer, *holes = (np.array(ring) / mm for ring in area.contour)
    polygon = shapely.Polygon(outer, holes)
    shapely.prepare(polygon)
    return polygon


def with_merged(scratches: Sequence[TrueLine]) -> tuple[TrueLine, ...]:
    """The scratches with word of which of them one line merges."""
    halves = [
        {each.defect.id for each in scratch.lines if each.share >= FOUND_SHARE}
        for scratch in scratches
    ]
    counts = Counter(name for names in halves for name in names)
    return tuple(
        replace(scratch, merged=any(counts[name] > 1 for name in names))
        for scratch, names in zip(scratches, halves, strict=True)
    )
