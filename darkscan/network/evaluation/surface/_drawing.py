"""Windows to measure detectors with: a straight line of known strength, noise, and specks.

They are drawn without the simulator that networks are trained on, so that what it lacks shows.
The background is even and the noise is white, so that a line's signal-to-noise is known exactly.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from darkscan.network.evaluation.degradations import Grey, blurred, sharpened
from darkscan.pipeline.core.arrays import Float32Array, Float64Array, UInt8Array
from darkscan.simulation.element.strokes import SIGMA_PER_FWHM

SIDE_PX = 256
FULL_SCALE = 255.0
BACKGROUND = 18.0
"""Grey levels."""
NOISE = 1.5
"""Standard deviation of the noise before rounding, grey levels."""
SIGMA = math.sqrt(NOISE**2 + 1 / 12)
"""Standard deviation of the noise and of rounding to whole levels together."""

CROSSING = math.inf
"""The length of a line that enters and leaves the window."""
SATURATED = math.inf
"""The contrast of a line that is clipped at the full scale over its whole FWHM."""

Finish = Literal["plain", "sharpened", "blurred"]
"""What was done to the whole picture after the camera gave it."""
FINISHES: tuple[Finish, ...] = ("plain", "sharpened", "blurred")
_BLUR_PX = 0.7
_UNSHARP_PX, _UNSHARP_AMOUNT = 1.0, 1.0

_PIXEL_VARIANCE = 1 / 12  # of a pixel's width, px^2: what its area adds to a cross-section

# Specks of a real dark-field picture: peak, and area above 5 sigma, of which 25, 50 and 99 %
# are smaller; the same shares of a normal distribution lie below these deviations.
_DEVIATIONS = (-0.674, 0.0, 2.326)
_PEAK_LEVELS = (28.0, 37.0, 99.0)
_AREA_PX = (1.0, 2.0, 28.0)
_SPECK_SIGMAS = 5.0
_SPECK_REACH_PX = 6
_SPECK_UNIT_PX = 1e4


@dataclass(frozen=True)
class Line:
    """A straight line of light with a Gaussian cross-section."""

    length_px: float
    """``CROSSING``: from border to border."""
    fwhm_px: float
    """Of the light; each pixel gathers what falls on it, which makes the line a little wider."""
    cnr: float
    """The light's highest level above the background / SIGMA, or ``SATURATED``."""

    @property
    def amplitude(self) -> float:
        """The highest level of the light above the background, grey levels."""
        return 2 * (FULL_SCALE - BACKGROUND) if math.isinf(self.cnr) else self.cnr * SIGMA

    @property
    def expected_snr(self) -> float:
        """The root of the sum of (trace / SIGMA)^2 without clipping; crossing: of a side's length.

        The integral of a squared Gaussian of deviation s is s times the root of pi.
        """
        length = SIDE_PX if math.isinf(self.length_px) else self.length_px
        light, seen = self._deviations()
        return self.amplitude / SIGMA * light * math.sqrt(length * math.sqrt(math.pi) / seen)

    def trace(self, rng: np.random.Generator) -> Float32Array:
        """The line's light (256, 256) in grey levels, at a random place and direction.

        A line of a given length lies wholly in the window; a crossing one passes through the
        middle half. Nothing is clipped.
        """
        angle = rng.uniform(0, math.pi)
        along_x, along_y = math.cos(angle), math.sin(angle)
        reach = np.array([abs(along_x), abs(along_y)]) * self.length_px / 2
        margin = np.full(2, SIDE_PX / 4) if math.isinf(self.length_px) else reach
        x, y = rng.uniform(margin, SIDE_PX - margin)
        rows, columns = np.ogrid[0.5 - y : SIDE_PX - y, 0.5 - x : SIDE_PX - x]
        along = columns * along_x + rows * along_y
        across = rows * along_x - columns * along_y
        light, seen = self._deviations()
        section = self.amplitude * light / seen * np.exp(-0.5 * (across / seen) ** 2)
        ends = np.clip(self.length_px / 2 - np.abs(along) + 0.5, 0, 1)
        return np.asarray(section * ends, np.float32)

    def _deviations(self) -> tuple[float, float]:
        """Of the cross-section: the light's, and that which pixels see, px."""
        light = float(self.fwhm_px * SIGMA_PER_FWHM)
        return light, math.sqrt(light**2 + _PIXEL_VARIANCE)


@dataclass(frozen=True)
class Scene:
    """What a window shows: specks, a finish, and a line or none."""

    specks: int
    """In 10^4 px, on average."""
    finish: Finish = "plain"
    line: Line | None = None

    @property
    def blank(self) -> "Scene":
        """The same without the line."""
        return replace(self, line=None)


class Drawn(NamedTuple):
    """A window (256, 256), and the signal-to-noise of its line (0 without one).

    The signal-to-noise is the root of the sum over pixels of (trace / SIGMA)^2, of the trace
    clipped as the camera does, before specks and finish.
    """

    levels: UInt8Array
    snr: float


def draw(scene: Scene, seed: int, number: int) -> Drawn:
    """The window of this number of a scene; the same for the same seed, whatever else is drawn."""
    rng = np.random.default_rng([seed, number, *_numbers(scene)])
    light = np.full((SIDE_PX, SIDE_PX), BACKGROUND, np.float32)
    snr = 0.0
    if scene.line is not None:
        trace = scene.line.trace(rng)
        clipped = np.minimum(trace, FULL_SCALE - BACKGROUND).astype(np.float64)
        snr = float(np.sqrt((clipped**2).sum())) / SIGMA
        light += trace
    light += NOISE * rng.standard_normal(light.shape, np.float32)
    light += specks_of(scene.specks, rng)
    return Drawn(_finished(_whole(light), scene.finish), snr)


def specks_of(density: float, rng: np.random.Generator) -> Float32Array:
    """Round specks, ``density`` in 10^4 px on average: their levels (256, 256).

    Each has a Gaussian profile. Peak and area follow their measured quantiles together, between
    them as log-normal ones do; nothing is drawn beyond the outer ones.
    """
    reach = _SPECK_REACH_PX
    side = SIDE_PX + 4 * reach
    count = rng.poisson(density * (SIDE_PX + 2 * reach) ** 2 / _SPECK_UNIT_PX)
    deviation = rng.standard_normal(count)
    peak = _between(deviation, np.array(_PEAK_LEVELS) - BACKGROUND)
    area = _between(deviation, np.array(_AREA_PX))
    variance = area / (2 * np.pi * np.log(peak / (_SPECK_SIGMAS * SIGMA)))
    centre = rng.uniform(reach, side - reach, (2, count))
    first = centre.astype(np.int64) - reach
    offsets = np.arange(2 * reach + 1)
    pixels = first[..., None] + offsets
    distance = pixels + 0.5 - centre[..., None]
    profile = np.exp(-0.5 * distance**2 / variance[:, None])
    levels = peak[:, None, None] * profile[0, :, :, None] * profile[1, :, None, :]
    canvas = np.zeros((side, side))
    np.add.at(canvas, (pixels[0, :, :, None], pixels[1, :, None, :]), levels)
    inner = slice(2 * reach, 2 * reach + SIDE_PX)
    return canvas[inner, inner].astype(np.float32)


def _between(deviation: Float64Array, values: Float64Array) -> Float64Array:
    return np.exp(np.interp(deviation, _DEVIATIONS, np.log(values)))


def _whole(light: Float32Array) -> UInt8Array:
    return np.clip(np.rint(light), 0, FULL_SCALE).astype(np.uint8)


def _finished(levels: UInt8Array, finish: Finish) -> UInt8Array:
    """Blurred by a Gaussian, sharpened by an unsharp mask, or as it is."""
    grey = Grey(levels, FULL_SCALE)
    if finish == "blurred":
        grey = blurred(grey, _BLUR_PX)
    elif finish == "sharpened":
        grey = sharpened(grey, _UNSHARP_AMOUNT, _UNSHARP_PX)
    return grey.levels.astype(np.uint8, copy=False)


def _numbers(scene: Scene) -> list[int]:
    """A scene as whole numbers, to seed its draws with."""
    values = [0.0] * 3
    if scene.line is not None:
        values = [scene.line.length_px, scene.line.fwhm_px, scene.line.cnr]
    hundredths = [0 if math.isinf(value) else round(100 * value) for value in values]
    return [scene.specks, FINISHES.index(scene.finish), *hundredths]
