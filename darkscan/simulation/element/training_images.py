"""One training image with all that is true of it: scratched or clean, easy to hard."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.frame_results import SHORTEST_PX
from darkscan.simulation.element._camera import stored
from darkscan.simulation.element._clutter import add_clutter
from darkscan.simulation.element._draws import chance
from darkscan.simulation.element._sensor_faults import add_sensor_faults
from darkscan.simulation.element._surroundings import add_surroundings
from darkscan.simulation.element.kinds import UNKNOWN, Kind, KindMap
from darkscan.simulation.element.looks import WINDOW_PX, WindowPreset, draw_look
from darkscan.simulation.element.real_backgrounds import RealBackgrounds
from darkscan.simulation.element.scratches import Line, Stage, add_scratches
from darkscan.simulation.element.sensor import noise_of, quantise

RIM_PX = 4.0
"""A line so near to a window's border does not count there."""

_SURE_SNR = 5.0  # a fainter line may not be seen by anybody
_WHITE = 255.0
_LEAST_ROOM = 20.0  # grey levels above the background, for scratches on bright ones
_NOISIEST = 0.5  # variance of shot noise for a grey level of light


@dataclass(frozen=True)
class TrainingImage:
    """An image as the camera gives it, before brightness adjustment."""

    picture: npt.NDArray[np.uint8]
    """(H, W) grey levels, as many rows as columns."""
    lines: list[Line]
    """Its scratches."""
    kinds: KindMap
    """What its cells of 8 px show."""
    rarest: str
    """The rarest thing in it beside scratches."""


def draw_image(
    rng: np.random.Generator,
    contrast: float,
    preset: WindowPreset,
    side_px: int,
    scratches: int,
    backgrounds: RealBackgrounds | None = None,
) -> TrainingImage:
    """Draws one image with ``scratches`` scratches, or swirls of several.

    ``contrast`` in [0, 1] is the curriculum: 0 shows bright long scratches among little
    clutter, 1 mostly weak and short ones among all of it. Given ``backgrounds``, their share
    of images shows a crop of a real picture and nothing else beside the scratches.
    """
    if backgrounds is not None and chance(rng, backgrounds.share):
        return _draw_on(backgrounds.crop(rng, side_px), contrast, scratches, rng)
    look = draw_look(rng, contrast, preset, side_px)
    kinds = KindMap(side_px)
    light = look.background.render(0, 0, side_px, side_px)
    canvas = np.zeros_like(light)
    names = add_surroundings(light, look, kinds, rng)
    stage = Stage(
        side_px, look.sigma, contrast, max(_WHITE - look.level, _LEAST_ROOM), broad=look.wide
    )
    lines = add_scratches(light, canvas, stage, scratches, rng)
    names += add_clutter(light, canvas, look, kinds, rng)
    noisy = look.noise.add(light, rng)
    names += add_sensor_faults(noisy, look, kinds, rng)
    for line in lines:
        kinds.line(Kind.SCRATCH, line.vertices)
    return TrainingImage(stored(noisy, look, rng), lines, kinds, names[-1])


def _draw_on(
    background: Float32Array, contrast: float, scratches: int, rng: np.random.Generator
) -> TrainingImage:
    """Scratches in a real picture's crop (H, W), as bright as its noise has them weak.

    Their light has shot noise of its own: as much as if all noise of the background were. The
    picture's own dust and dirt are unknown: nobody said where they are.
    """
    side = len(background)
    levels = quantise(background)
    level, sigma = float(np.median(levels)), noise_of(levels)
    light = np.zeros_like(background)
    stage = Stage(side, sigma, contrast, max(_WHITE - level, _LEAST_ROOM))
    lines = add_scratches(light, np.zeros_like(light), stage, scratches, rng)
    kinds = KindMap(side)
    if lines:
        gain = min(sigma**2 / max(level, 1.0), _NOISIEST)
        shot = rng.standard_normal(light.shape, dtype=np.float32)
        light += shot * np.sqrt(np.float32(gain) * light)
        for line in lines:
            kinds.line(Kind.SCRATCH, line.vertices)
    kinds.kinds[kinds.kinds == Kind.NOTHING] = UNKNOWN
    picture = quantise(background + light).astype(np.uint8, copy=False)
    return TrainingImage(picture, lines, kinds, "real background")


def some(rng: np.random.Generator, clean: float, further: float) -> int:
    """How many scratches an image shows: none in a share ``clean``, else one and some more."""
    return 0 if chance(rng, clean) else 1 + int(rng.poisson(further))


def label(lines: list[Line], x: float = 0.0, y: float = 0.0) -> float:
    """The label of the window at corner (x, y): 1 if a line in it counts as a scratch.

    A line counts with 12 px in the window less its rim, if it can be seen at all. Less is
    labelled by the root of the part of 12 px that shows, since the eye is sure of half of
    them already; a line too faint for the eye by what its signal-to-noise is short of.
    """
    surest = 0.0
    for line in lines:
        if line.inside_px(x, y, WINDOW_PX, RIM_PX) >= SHORTEST_PX:
            sure = 1.0
        else:
            showing = line.showing_px(x, y, WINDOW_PX)
            sure = min(float(np.sqrt(showing / SHORTEST_PX)), 0.99)
        surest = max(surest, sure * min(line.snr / _SURE_SNR, 1.0))
    return surest
