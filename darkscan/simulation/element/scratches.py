"""The scratches of a training image: from 12 px to right across, weak to saturated.

A scratch's brightness is drawn by what a matched filter would make of it: a line of 15 px needs
six times the contrast of one of 500 px to stand out as much.
"""

from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array, Float64Array, Mask
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element._curves import (
    Bends,
    Waypoint,
    beads,
    curve,
    dashes,
    fading,
    lit_length,
    texture,
)
from darkscan.simulation.element._draws import chance, log_normal, log_uniform
from darkscan.simulation.element.strokes import GAUSSIAN_POWER, Strokes, add_line

KINDS: dict[str, float] = {
    "straight": 0.26,
    "curved": 0.2,
    "tapered": 0.17,
    "gappy": 0.1,
    "dashed": 0.1,
    "discontinuous": 0.1,
    "swirl": 0.07,
}
"""The kinds of scratches and their shares."""

_LONG_KINDS = {"gappy": 50.0, "dashed": 50.0, "discontinuous": 60.0, "swirl": 40.0}
"""The least length in pixels of kinds that a shorter line would not show."""

_WEAKEST_SNR = 5.5  # the scanning matched filter finds half of those with 5.3 to 6.4
_EASIEST_SNR = 25.0  # of the weakest at the beginning of the curriculum
_STRONGEST_WEAK_SNR = 45.0
_STRONGEST_LONG_SNR = 20.0  # of weak ones that are long: nobody misses those that are stronger
_LONG_PX = 120.0
_SECTION_PX = np.sqrt(np.pi / (8.0 * np.log(2.0)))  # of FWHM: the integral of a section squared
_LIT = 0.2  # of the brightest: darker parts of a line are not seen as scratch
_STEP_PX = 4.0
_FINE_STEP_PX = 1.5
_MOST_ARCS = 8
_TRIES = 50


@dataclass(frozen=True)
class Line:
    """A scratch as it was drawn into an image."""

    kind: str
    vertices: Float64Array
    """(K, 2), x and y in pixels, from its first lit place to its last."""
    lit: Float64Array
    """(K,) 0 where the scratch pauses, else more."""
    fwhm: float
    cnr: float
    """Its brightest part over the noise."""
    snr: float
    """The matched filter's signal-to-noise of what shows in the image."""

    def inside_px(self, x: float, y: float, side: float, rim: float) -> float:
        """The lit length within a square, whose first corner is given, less a rim."""
        return self._lit_px(x, y, side, -rim)

    def showing_px(self, x: float, y: float, side: float) -> float:
        """The lit length of which a square shows the centre or a flank."""
        return self._lit_px(x, y, side, self.fwhm / 2.0)

    def _lit_px(self, x: float, y: float, side: float, more: float) -> float:
        area = (x - more, y - more, x + side + more, y + side + more)
        return lit_length(self.vertices, self.lit, area)


@dataclass(frozen=True)
class Stage:
    """What scratches are drawn for: an image's size and noise, and how hard they may be."""

    side_px: int
    sigma: float
    """The noise in grey levels."""
    contrast: float
    """The curriculum in [0, 1]: 0 the easiest, 1 as hard as they come."""
    headroom: float
    """Grey levels from the background up to white."""
    broad: bool = False
    """Whether some may be as broad as 30 px, as scattered or trailed light is."""


def add_scratches(
    light: Float32Array, canvas: Float32Array, stage: Stage, count: int, rng: np.random.Generator
) -> list[Line]:
    """Draws ``count`` scratches, or swirls of several, into ``light`` (H, W), in place.

    ``canvas`` (H, W) of zeros is used for it, and is zeros again.
    """
    lines = []
    for _ in range(count):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        heading = float(rng.uniform(0, 2 * np.pi))
        arcs = int(rng.integers(2, _MOST_ARCS + 1)) if kind == "swirl" else 1
        for _ in range(arcs):
            turned = heading + (0.25 * float(rng.standard_normal()) if arcs > 1 else 0.0)
            lines.append(_add_scratch(light, canvas, stage, kind, turned, rng))
    return lines


def _add_scratch(
    light: Float32Array,
    canvas: Float32Array,
    stage: Stage,
    kind: str,
    heading: float,
    rng: np.random.Generator,
) -> Line:
    length = max(_draw_length(rng, stage), _LONG_KINDS.get(kind, 0.0))
    if kind == "swirl":
        length = min(length, 0.625 * stage.side_px)  # arcs, not circles
    fwhm = _draw_fwhm(rng, length, broad=stage.broad)
    step = _FINE_STEP_PX if kind in {"discontinuous", "dashed"} or length < 60 else _STEP_PX  # noqa: PLR2004
    step = max(step, 0.75 * fwhm) if kind != "discontinuous" else step
    run = _draw_run(rng, kind, max(2, round(length / step) + 1), step, stage.contrast)
    vertices, shown = _place(rng, kind, length, step, heading, stage)
    unit = np.sqrt(_SECTION_PX * fwhm * step * float((run[shown] ** 2).sum()))
    cnr = _draw_cnr(rng, stage, max(unit, 1e-3), long=shown.sum() * step > _LONG_PX)
    power = float(rng.choice([3.0, 5.0, 8.0])) if fwhm > 4 and chance(rng, 0.4) else GAUSSIAN_POWER  # noqa: PLR2004
    amplitude = run * cnr * stage.sigma
    add_line(light, Strokes.along(vertices, amplitude, fwhm), canvas, power=power)
    if cnr * stage.sigma > stage.headroom and chance(rng, 0.5):
        halo = float(rng.uniform(0.005, 0.06))
        add_line(light, Strokes.along(vertices, amplitude * halo, 4.0 * fwhm), canvas)
    lit = np.ones(len(run)) if kind == "discontinuous" else np.where(run > _LIT * run.max(), run, 0)
    seen = _between_ends(lit)
    return Line(kind, vertices[seen], lit[seen], fwhm, cnr, unit * cnr)


def _between_ends(lit: Float64Array) -> slice:
    """From the first lit vertex to the last, two at least: what has faded away is no scratch."""
    ends = np.flatnonzero(lit)
    first = min(int(ends[0]), len(lit) - 2)
    return slice(first, max(int(ends[-1]), first + 1) + 1)


def _place(
    rng: np.random.Generator, kind: str, length: float, step: float, heading: float, stage: Stage
) -> tuple[Float64Array, Mask]:
    """Vertices of a line of which some shows, and which of them lie in the image."""
    side = stage.side_px
    for _ in range(_TRIES):
        through = (float(rng.uniform(0, side)), float(rng.uniform(0, side)))
        bends = Bends(_draw_curvature(rng, kind, length), float(rng.choice([0.0, 2e-4, 6e-4])))
        waypoint = Waypoint(*through, heading)
        vertices = curve(rng, waypoint, length, step, bends, anchor=float(rng.random()))
        shown: Mask = np.all((vertices >= 0) & (vertices <= side), axis=1)
        if shown.sum() * step >= min(SHORTEST_PX / 2, length / 2):
            break
    return vertices, shown


def _draw_cnr(rng: np.random.Generator, stage: Stage, unit: float, *, long: bool) -> float:
    """The amplitude over the noise; ``unit`` is the signal-to-noise ratio at an amplitude of 1."""
    saturated = max(stage.headroom / stage.sigma, 8.0)
    which = float(rng.random())
    if which < 0.6:  # noqa: PLR2004 - shares of weak, saturated and any
        weakest = _WEAKEST_SNR + (1 - stage.contrast) * (_EASIEST_SNR - _WEAKEST_SNR)
        strongest = _STRONGEST_LONG_SNR if long else _STRONGEST_WEAK_SNR
        snr = log_uniform(rng, weakest, max(strongest, 1.5 * weakest))
        return min(snr / unit, 2.0 * saturated)
    if which < 0.7:  # noqa: PLR2004
        return saturated * float(rng.uniform(1.0, 2.0))
    return max(log_uniform(rng, 3.0, 2.0 * saturated), _WEAKEST_SNR / unit)


def _draw_length(rng: np.random.Generator, stage: Stage) -> float:
    if chance(rng, 1 - stage.contrast):
        return log_uniform(rng, 120, 900)
    which = float(rng.random())
    if which < 0.4:  # noqa: PLR2004 - shares of short, long and crossing ones
        return log_uniform(rng, SHORTEST_PX, 60)
    if which < 0.7:  # noqa: PLR2004
        return log_uniform(rng, 60, 300)
    return float(rng.uniform(0.5, 2.0)) * stage.side_px


def _draw_fwhm(rng: np.random.Generator, length: float, *, broad: bool) -> float:
    which = float(rng.random())
    if which < 0.7:  # noqa: PLR2004 - shares of usual, sharp and broad ones
        fwhm = log_normal(rng, 2.1, 0.3, 0.7, 4.0)
    elif which < 0.87:  # noqa: PLR2004
        fwhm = log_uniform(rng, 0.7, 1.6)
    else:
        fwhm = log_uniform(rng, 4.0, 30.0 if broad and chance(rng, 0.4) else 12.0)
    return min(fwhm, length / 4.0)


def _draw_curvature(rng: np.random.Generator, kind: str, length: float) -> float:
    sign = float(rng.choice([-1.0, 1.0]))
    if kind == "swirl":
        return 1.0 / log_uniform(rng, 70, 300)
    if kind == "curved":
        return sign / max(log_uniform(rng, 140, 1500), 1.5 * min(length, 300.0))
    return sign * float(rng.uniform(0, 1 / 4000))


def _draw_run(
    rng: np.random.Generator, kind: str, count: int, step: float, contrast: float
) -> Float64Array:
    """How the brightness runs along a line of ``count`` vertices, about 1 where it is lit."""
    if kind == "discontinuous":
        sigma = float(rng.uniform(0.7, 2.0))
        period = float(rng.uniform(5, 6 + 10 * contrast)) + 2 * sigma
        return beads(rng, count, step, period_px=period, sigma_px=sigma)
    variation = float(rng.uniform(0.05, 0.15 + 0.4 * contrast))
    gaps = float(rng.uniform(0.08, 0.36)) if kind == "gappy" else 0.0
    taper = min(float(rng.choice([0.0, 0.0, 8.0, 30.0])), count * step / 6)
    run = texture(rng, count, step, variation=variation, gap_fraction=gaps, taper_px=taper)
    if kind == "tapered":
        run *= fading(rng, count)
    elif kind == "dashed":
        run *= dashes(rng, count, step)
    if not (run > 0).any():
        run = np.ones(count)
    return run
