"""Training windows with labels: scratched or clean, from easy to as hard as they come.

A window is scratched (label 1) when at least 40 px of a scratch show within it less a
rim of 12 px, clean (0) when no scratch touches it at all. In between lie windows that a
scratch grazes, be it with the flank of a broad one, and scratches shorter than that: they
are labelled by the root of the part of 40 px that shows, train the network to rank them
between the two, and judge nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.simulation.element._clutter import add_clutter, add_surroundings
from darkscan.simulation.element._curves import (
    Bends,
    Waypoint,
    beads,
    curve,
    lit_length,
    texture,
)
from darkscan.simulation.element._draws import chance, log_normal, log_uniform
from darkscan.simulation.element.looks import WINDOW_PX, Look, WindowPreset, draw_look
from darkscan.simulation.element.sensor import Noise, quantise
from darkscan.simulation.element.strokes import Strokes, add_line

RIM_PX = 12.0
VISIBLE_PX = 40.0
CELL_PX = 8
GRAZED = 0.3
"""The share of windows with a scratch that it only grazes, unless asked otherwise."""
SHORTEST_GRAZE_PX = 6.0

_BRIGHTEST_LEVEL = 100.0  # the brightest stretched background; scratches stay below white
_FRACTION_BITS = 4  # lines are drawn to a sixteenth of a pixel
_FRACTIONS = 2**_FRACTION_BITS
KINDS = {  # the shares of each kind of scratch in the optic and in the wide look
    False: {"straight": 30, "curved": 25, "gappy": 17, "discontinuous": 13, "swirl": 15},
    True: {"straight": 40, "streak": 30, "curved": 12, "gappy": 8, "discontinuous": 5, "swirl": 5},
}


@dataclass(frozen=True)
class TrainingWindow:
    """A window as the camera gives it, before brightness adjustment.

    ``image`` is (256, 256) uint8; ``label`` 1 for scratched, 0 for clean, between them
    for grazed; ``cnr`` the strongest scratch's amplitude over the noise (0 if clean);
    ``kind`` the scratch's shape, or the rarest thing in a clean window; ``snr`` the
    matched filter's signal-to-noise for all scratches' light in the window (0 if clean);
    ``lines`` (32, 32) uint8 is 1 in the cells of 8 px that a centre line crosses; ``box``
    x0, y0, x1, y1 around them in pixels (zeros if clean).
    """

    image: npt.NDArray[np.uint8]
    label: float
    cnr: float
    kind: str
    snr: float
    lines: npt.NDArray[np.uint8]
    box: tuple[float, float, float, float]


class TrainingBatch(NamedTuple):
    """N training windows, field by field; see ``TrainingWindow``."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.float32]
    lines: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float32]


def training_batch(
    seed: int,
    index: int,
    size: int,
    contrast: float = 1.0,
    preset: WindowPreset = "mixed",
    grazed: float = GRAZED,
) -> TrainingBatch:
    """Batch ``index`` of a training run: ``size`` windows with their labels.

    The same arguments give the same bytes.
    """
    rng = np.random.default_rng([seed, index])
    windows = [training_window(rng, contrast, preset, grazed) for _ in range(size)]
    return TrainingBatch(
        images=np.stack([window.image for window in windows]),
        labels=np.array([window.label for window in windows], np.float32),
        lines=np.stack([window.lines for window in windows]),
        boxes=np.array([window.box for window in windows], np.float32),
    )


def training_window(
    rng: np.random.Generator,
    contrast: float = 1.0,
    preset: WindowPreset = "mixed",
    grazed: float = 0.0,
) -> TrainingWindow:
    """Draws one window; those with a scratch are as frequent as clean ones.

    ``contrast`` in [0, 1] is the curriculum: 0 shows bright long scratches among little
    clutter, 1 mostly weak ones among all of it. ``grazed`` is the share of windows with
    a scratch that it only grazes, or that show a short one.
    """
    look = draw_look(rng, contrast, preset)
    light = look.background.render(0, 0, WINDOW_PX, WINDOW_PX)
    canvas = np.zeros_like(light)
    names = add_surroundings(light, look, rng)
    without = light.copy()
    drawn = Drawn("", 0.0, [])
    if chance(rng, 0.5):
        drawn = _add_scratches(light, canvas, look, rng, grazing=chance(rng, grazed))
    snr = _signal_to_noise(light - without, look.noise, without) if drawn.lines else 0.0
    names += add_clutter(light, canvas, look, rng)
    image = finish(look.noise.add(light, rng), look, rng)
    lines = crossed_cells(drawn.lines)
    return TrainingWindow(
        image=image,
        label=label(drawn.lines),
        cnr=drawn.cnr,
        kind=drawn.kind or names[-1],
        snr=snr,
        lines=lines,
        box=_box(lines),
    )


class Line(NamedTuple):
    """A scratch as it was drawn into an image."""

    vertices: Float64Array
    lit: Float64Array  # (K,) 0 where the scratch pauses
    fwhm: float

    def inside_px(self, x: float, y: float, side: float) -> float:
        """The lit length within a square, whose first corner is given, less its rim."""
        return self._lit_px(x, y, side, -RIM_PX)

    def showing_px(self, x: float, y: float, side: float) -> float:
        """The lit length of which a square shows the centre or a flank."""
        return self._lit_px(x, y, side, self.fwhm / 2.0)

    def _lit_px(self, x: float, y: float, side: float, more: float) -> float:
        area = (x - more, y - more, x + side + more, y + side + more)
        return lit_length(self.vertices, self.lit, area)


@dataclass(frozen=True)
class Scratches:
    """Scratches of a kind that are to be drawn into an image."""

    kind: str
    """A key of ``KINDS``."""
    count: int
    heading: float
    """The direction about which those of a swirl run, radians; others run anywhere."""
    grazing: bool = False
    """Whether they only graze the image, or show in it as short ones."""


class Drawn(NamedTuple):
    """The scratches of an image."""

    kind: str
    cnr: float
    lines: list[Line]


def label(lines: Sequence[Line], x: float = 0.0, y: float = 0.0) -> float:
    """The label of the window at corner (x, y): 1 if a line in it counts as a scratch.

    Else the root of the part of ``VISIBLE_PX`` that shows, since the eye is sure of half of
    them already.
    """
    if any(line.inside_px(x, y, WINDOW_PX) >= VISIBLE_PX for line in lines):
        return 1.0
    showing = max((line.showing_px(x, y, WINDOW_PX) for line in lines), default=0.0)
    return min(float(np.sqrt(showing / VISIBLE_PX)), 0.99)


def _signal_to_noise(trace: Float32Array, noise: Noise, background: Float32Array) -> float:
    """The matched filter's, in white noise: the root of the sum of (trace / sigma)^2."""
    variance = np.maximum(noise.gain * background + noise.offset, noise.floor**2)
    return float(np.sqrt((trace.astype(np.float64) ** 2 / variance).sum()))


def crossed_cells(lines: Sequence[Line], side_px: int = WINDOW_PX) -> npt.NDArray[np.uint8]:
    """1 in the cells of 8 px of an image that a centre line crosses, else 0."""
    count = side_px // CELL_PX
    cells = np.zeros((count, count), np.uint8)
    for line in lines:
        points = np.rint((line.vertices - 0.5) * _FRACTIONS).astype(np.int32)
        crossed = np.zeros((side_px, side_px), np.uint8)
        cv2.polylines(crossed, [points], isClosed=False, color=1, shift=_FRACTION_BITS)
        cells |= crossed.reshape(count, CELL_PX, count, CELL_PX).max(axis=(1, 3))
    return cells


def _box(cells: npt.NDArray[np.uint8]) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(cells)
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    low, high = (columns.min(), rows.min()), (columns.max() + 1, rows.max() + 1)
    return (*(float(CELL_PX * v) for v in low), *(float(CELL_PX * v) for v in high))  # type: ignore[return-value]


def _add_scratches(
    light: Float32Array,
    canvas: Float32Array,
    look: Look,
    rng: np.random.Generator,
    *,
    grazing: bool,
) -> Drawn:
    shares = KINDS[look.wide]
    kind = str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
    if look.wide and grazing and chance(rng, 0.4):
        kind = "streak"  # in a corner it is a bright wedge, and looks least like a line
    count = 1 + int(chance(rng, 0.1) and not grazing)
    heading = float(rng.uniform(0, 2 * np.pi))
    if kind == "swirl" and not grazing:
        count = int(rng.integers(2, 6))
    return add_scratches(light, canvas, look, rng, Scratches(kind, count, heading, grazing))


def add_scratches(
    light: Float32Array,
    canvas: Float32Array,
    look: Look,
    rng: np.random.Generator,
    wanted: Scratches,
) -> Drawn:
    """Draws scratches into ``light`` (H, W); ``canvas`` (H, W) of zeros is used for it."""
    kind, heading, grazing = wanted.kind, wanted.heading, wanted.grazing
    strongest, lines = 0.0, []
    for number in range(wanted.count):
        cnr = _draw_cnr(rng, look)
        if kind != "swirl":
            heading = float(rng.uniform(0, 2 * np.pi))
        strongest = max(strongest, cnr)
        if kind == "streak" and not number:
            amplitude = cnr * look.sigma
            lines.append(_add_streak(light, canvas, look, amplitude, rng, grazing=grazing))
            continue
        shape = "straight" if kind == "streak" else kind
        line, run = _visible_scratch(shape, look, heading, rng, grazing=grazing)
        add_line(light, Strokes.along(line.vertices, run * cnr * look.sigma, line.fwhm), canvas)
        lines.append(line)
    return Drawn(kind, strongest, lines)


def _draw_cnr(rng: np.random.Generator, look: Look) -> float:
    if chance(rng, 1 - look.contrast):
        return float(rng.uniform(6, 20))
    if chance(rng, (0.5 if look.wide else 0.7)):
        return log_normal(rng, 3.3, 0.32, 2.0, 5.5)
    saturated = 400.0 / look.sigma if look.wide else 40.0
    return log_uniform(rng, 5.0, max(saturated, 20.0))


def _visible_scratch(
    kind: str,
    look: Look,
    heading: float,
    rng: np.random.Generator,
    *,
    grazing: bool = False,
) -> tuple[Line, Float64Array]:
    """The line of a scratch that counts, or of one that grazes, and its relative brightness."""
    longest = look.longest_arc_px if kind == "swirl" else np.inf  # arcs, not circles
    fwhm = log_uniform(rng, 1.4, 7.0) if look.wide else log_normal(rng, 2.25, 0.25, 1.6, 3.3)
    rim = 0.0 if grazing else RIM_PX
    area = (rim, look.side_px - rim)
    while True:
        through = (float(rng.uniform(*area)), float(rng.uniform(*area)))
        length = _draw_length(rng, look)
        if grazing and chance(rng, 0.3):
            length = log_uniform(rng, 18.0, VISIBLE_PX)
        step = 1.5 if kind == "discontinuous" else 4.0
        turned = heading + (0.25 * float(rng.standard_normal()) if kind == "swirl" else 0.0)
        vertices = curve(
            rng,
            Waypoint(*through, turned),
            min(length, longest),
            step,
            Bends(_draw_curvature(rng, kind), float(rng.choice([0.0, 2e-4, 6e-4]))),
            anchor=float(rng.random()),
        )
        run = _draw_run(rng, kind, len(vertices), step, look.contrast)
        lit = np.ones(len(vertices)) if kind == "discontinuous" else run
        if _shows(line := Line(vertices, lit, fwhm), VISIBLE_PX, look, grazing=grazing):
            return line, run
        if grazing:
            heading = float(rng.uniform(0, 2 * np.pi))


def _shows(line: Line, least_px: float, look: Look, *, grazing: bool) -> bool:
    inside = line.inside_px(0, 0, look.side_px) >= least_px
    if not grazing:
        return inside
    return not inside and line.showing_px(0, 0, look.side_px) > SHORTEST_GRAZE_PX


def _draw_length(rng: np.random.Generator, look: Look) -> float:
    if chance(rng, 1 - look.contrast):
        return log_uniform(rng, 200, 900)
    if chance(rng, (0.6 if look.wide else 0.35)):
        return 900.0  # crosses the window, or ends inside if anchored near an end
    shortest = 80.0 if look.wide else 48.0
    return log_normal(rng, 130, 0.7, shortest, 900)


def _draw_curvature(rng: np.random.Generator, kind: str) -> float:
    sign = float(rng.choice([-1.0, 1.0]))
    if kind == "swirl":
        return abs(1.0 / log_uniform(rng, 70, 300))
    if kind == "curved":
        return sign / log_uniform(rng, 140, 1500)
    return sign * float(rng.uniform(0, 1 / 4000))


def _draw_run(
    rng: np.random.Generator, kind: str, count: int, step: float, contrast: float
) -> Float64Array:
    if kind == "discontinuous":
        sigma = float(rng.uniform(0.7, 2.0))
        period = float(rng.uniform(5, 6 + 10 * contrast)) + 2 * sigma
        # Spots as weak as a weak line cannot be told from the noise: theirs counts twice.
        return 2.0 * beads(rng, count, step, period_px=period, sigma_px=sigma)
    gaps = float(rng.uniform(0.08, 0.36)) if kind == "gappy" else 0.0
    variation = float(rng.uniform(0.05, 0.15 + 0.4 * contrast))
    taper = min(float(rng.choice([0.0, 8.0, 30.0])), count * step / 6)
    return texture(rng, count, step, variation=variation, gap_fraction=gaps, taper_px=taper)


def _add_streak(
    light: Float32Array,
    canvas: Float32Array,
    look: Look,
    amplitude: float,
    rng: np.random.Generator,
    *,
    grazing: bool,
) -> Line:
    """A broad streak, Gaussian or flat on top, with a halo: scattered or trailed light."""
    fwhm = log_uniform(rng, 3.0, 40.0)
    step = max(6.0, 1.5 * fwhm)
    reach = fwhm / 2.0 if grazing else 0.0
    far = look.side_px + reach
    while True:
        through = (float(rng.uniform(-reach, far)), float(rng.uniform(-reach, far)))
        length = 900.0 if chance(rng, 0.8) else float(rng.uniform(150, 400))
        vertices = curve(
            rng,
            Waypoint(*through, heading=float(rng.uniform(0, 2 * np.pi))),
            length,
            step,
            Bends(curvature=float(rng.normal(0, 1 / 6000))),
            anchor=float(rng.random()),
        )
        line = Line(vertices, np.ones(len(vertices)), fwhm)
        if _shows(line, 2 * VISIBLE_PX, look, grazing=grazing):
            break
    run = texture(rng, len(vertices), step, variation=float(rng.uniform(0.0, 0.2 * look.contrast)))
    power = float(rng.choice([2.0, 2.0, 3.0, 5.0, 8.0]))
    add_line(light, Strokes.along(vertices, run * amplitude, fwhm), canvas, power=power)
    halo = amplitude * float(rng.uniform(0.0, 0.06))
    add_line(light, Strokes.along(vertices, run * halo, 3.5 * fwhm), canvas)
    return line


def finish(image: Float32Array, look: Look, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """From noisy light to stored grey levels: blur, stretch, gamma, depth, compression."""
    if chance(rng, 0.2 if look.wide else 0.12):
        sigma = log_uniform(rng, 0.4, 1.5 if look.wide else 0.9)
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigmaX=sigma), dtype=np.float32)
    if look.wide and chance(rng, 0.35):
        black = look.level - look.sigma * rng.uniform(0.5, 6.0)
        image = (image - np.float32(black)) * np.float32(log_uniform(rng, 0.5, 4.0))
    elif chance(rng, 0.2):
        # A deeper camera's window brought to eight bits: finer steps of the same light.
        gain = log_uniform(rng, 1.0, max(1.0, min(6.0, _BRIGHTEST_LEVEL / look.level)))
        image = np.rint(image * np.float32(16)) * np.float32(gain / 16)
    if look.wide and chance(rng, 0.25):
        gamma = np.float32(rng.uniform(0.6, 1.4))
        image = np.float32(255) * np.clip(image / np.float32(255), 0, 1) ** gamma
    stored = quantise(image).astype(np.uint8, copy=False)
    if chance(rng, 0.35 if look.wide else 0.2):
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55 if look.wide else 65, 96))]
        _, packed = cv2.imencode(".jpg", stored, quality)
        stored = np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)
    return stored
