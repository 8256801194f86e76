"""The look of a training image: its light, its sensor, and how crowded it is."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from darkscan.simulation.element._background import Background, draw_background
from darkscan.simulation.element._draws import chance, log_uniform
from darkscan.simulation.element.sensor import Noise

WINDOW_PX = 256

WindowPreset = Literal["optic", "wide", "mixed"]
"""A dark-field camera as measured; anything dark, speckled and uneven; either at random."""

_CLEAN = 0.15  # the share of images of clean optics, where the noise alone is in the way
_CLEAN_CROWD = 0.03
_MEASURED_SURFACE = 0.4  # the share of "optic" that is like the one dirty surface measured


@dataclass(frozen=True)
class Look:
    """The surroundings of one image, the same for scratched and clean ones."""

    wide: bool
    level: float
    background: Background
    noise: Noise
    contrast: float  # the curriculum in [0, 1]: 0 the easiest, 1 as hard as they come
    crowd: float  # in (0, 1]: how much clutter, which grows with the curriculum
    side_px: int = WINDOW_PX  # height and width of the image

    @property
    def sigma(self) -> float:
        """The noise at the background's level, in grey levels."""
        return self.noise.sigma(self.level)

    @property
    def windows(self) -> int:
        """How many windows lie side by side in the image: so much more clutter it shows."""
        return (self.side_px // WINDOW_PX) ** 2


def draw_look(
    rng: np.random.Generator, contrast: float, preset: WindowPreset, side_px: int = WINDOW_PX
) -> Look:
    """Draws the surroundings of an image; ``contrast``, the curriculum in [0, 1], crowds them."""
    size = (side_px, side_px)
    wide = preset == "wide" or (preset == "mixed" and chance(rng, 0.4))
    crowd = _CLEAN_CROWD
    if chance(rng, 1 - _CLEAN):
        crowd = (0.15 + 0.85 * contrast) * float(rng.uniform(0.4, 1.0))
    if wide:
        level, noise = _draw_wide_sensor(rng)
        background = draw_background(
            rng,
            size,
            level=(level, level),
            unevenness=float(rng.uniform(0.05, 0.6)),
            shortest_px=120,
        )
        return Look(wide, level, background, noise, contrast, crowd, side_px)
    if chance(rng, _MEASURED_SURFACE):
        noise = Noise()
        background = draw_background(rng, size, unevenness=0.15, shortest_px=300)
    else:
        noise = _draw_quiet_sensor(rng)
        level = log_uniform(rng, 6.0, 70.0)
        background = draw_background(
            rng, size, level=(level, level), unevenness=0.1, shortest_px=300
        )
    return Look(wide, background.level, background, noise, contrast, crowd, side_px)


def _draw_quiet_sensor(rng: np.random.Generator) -> Noise:
    """A cooled or averaging camera: noise of the size of a grey level, or less."""
    sigma = log_uniform(rng, 0.3, 1.6)
    return Noise(
        gain=0.0,
        offset=sigma**2,
        floor=0.5 * sigma,
        kernel=(float(rng.uniform(0, 0.2)), float(rng.uniform(0, 0.05))),
    )


def _draw_wide_sensor(rng: np.random.Generator) -> tuple[float, Noise]:
    level = log_uniform(rng, 2.0, 150.0)
    sigma = min(log_uniform(rng, 0.5, 14.0), 1.3 + 0.45 * level)
    gain = float(rng.uniform(0.0, 1.0)) * min(1.0, sigma**2 / level)
    noise = Noise(
        gain=gain,
        offset=sigma**2 - gain * level,
        floor=0.5 * sigma,
        kernel=(float(rng.uniform(0, 0.35)), float(rng.uniform(0, 0.12))),
    )
    return level, noise
