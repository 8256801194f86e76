"""What a sensor draws by itself: steps between taps, fixed specks, stripes, dead rows.

Levels and densities surround those measured on real dark-field instruments: a tap step of 1.3
grey levels, twice the noise; 44 dark specks in 10^4 px, two pixels large and up to six. A hot
column is none of them: a bright straight line of one pixel looks like a sharp scratch, and
correcting the flat field is the way to be rid of it.
"""

from collections.abc import Callable

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element._draws import chance, chances, log_uniform, log_uniforms
from darkscan.simulation.element.kinds import Kind, KindMap
from darkscan.simulation.element.looks import Look

_TAPS = (2, 2, 4)  # of a sensor: its image falls into so many bands
_MOST_FIXED = 60.0  # fixed specks in 10^4 px
_SPECK_PX = 6


def add_sensor_faults(
    image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator
) -> list[str]:
    """Adds the faults of one sensor to noisy light, and names them."""
    names = []
    for name, share, add in _FAULTS:
        if chance(rng, share if name in _USUAL else share * look.crowd):
            add(image, look, kinds, rng)
            names.append(name)
    return names


def _add_tap_steps(
    image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator
) -> None:
    """Bands read out by amplifiers of their own: an offset, at times a gain, from each to the next.

    The image may be the whole sensor, cut at halves or quarters, or any part of it.
    """
    along = chance(rng, 0.7)
    view = image if along else image.T
    side = look.side_px
    taps = int(rng.choice(_TAPS))
    if chance(rng, 0.4):
        places = [side * number // taps for number in range(1, taps)]
    else:
        places = [int(rng.integers(2, side - 2))]
    for place in places:
        step = look.sigma * log_uniform(rng, 0.3, 5.0) * float(rng.choice([-1.0, 1.0]))
        view[:, place:] += np.float32(step)
        if chance(rng, 0.3):
            view[:, place:] *= np.float32(np.exp(rng.normal(0, 0.02)))
        ends = np.array([[place, 0.0], [place, side]])
        kinds.line(Kind.FAULT, ends if along else ends[:, ::-1])


def _add_fixed_specks(
    image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator
) -> None:
    """Pixels that are darker, at times brighter, in every frame: of one to six pixels each."""
    side = look.side_px
    count = int(rng.poisson(log_uniform(rng, 1.0, _MOST_FIXED) * side * side / 1e4))
    places = rng.integers(0, side, (count, 2))
    depth = -look.sigma * log_uniforms(rng, 1.5, 12.0, count)
    bright = chances(rng, float(rng.choice([0.0, 0.05, 0.5])), count)
    depth[bright] *= -1.0
    sizes = np.minimum(rng.geometric(0.45, count), _SPECK_PX)
    step = np.zeros((count, 2), np.int64)
    for number in range(_SPECK_PX):
        there = sizes > number
        x, y = ((places + step) % side)[there].T
        image[y, x] += depth[there].astype(np.float32)
        step[np.arange(count), rng.integers(0, 2, count)] += rng.choice([-1, 1], count)
    kinds.spots(Kind.FAULT, places[bright].astype(np.float64))


def _add_stripes(image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator) -> None:
    """A gain of each column's own, as line cameras have it."""
    del kinds  # a pattern everywhere marks no place
    gains = rng.standard_normal((1, look.side_px)) * rng.uniform(0.003, 0.03)
    smooth = cv2.GaussianBlur(gains, (0, 0), sigmaX=float(rng.uniform(0.3, 2.0)), sigmaY=0.01)
    stripes = np.asarray(1.0 + smooth, dtype=np.float32)
    image *= stripes if chance(rng, 0.5) else stripes.T


def _add_row_noise(
    image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator
) -> None:
    """An offset of each row or column of its own, or of every other one, from the readout."""
    del kinds
    offsets = rng.standard_normal((look.side_px, 1)) * look.sigma * rng.uniform(0.05, 0.5)
    if chance(rng, 0.2):
        offsets[::2] = look.sigma * rng.uniform(0.1, 1.0)
        offsets[1::2] = 0.0
    view = image if chance(rng, 0.5) else image.T
    view += offsets.astype(np.float32)


def _add_dead_rows(
    image: Float32Array, look: Look, kinds: KindMap, rng: np.random.Generator
) -> None:
    """Dead rows or columns, or the gap between two chips."""
    along = chance(rng, 0.5)
    view = image if along else image.T
    first = int(rng.integers(0, look.side_px))
    width = int(rng.choice([1, 1, 2, 3, 6, 12, 40]))
    view[first : first + width] *= np.float32(rng.choice([0.0, 0.0, 0.3, 0.6]))
    ends = np.array([[0.0, first + 0.5], [look.side_px, first + 0.5]])
    kinds.line(Kind.FAULT, ends if along else ends[:, ::-1])


_Add = Callable[[Float32Array, Look, KindMap, np.random.Generator], None]

_USUAL = ("tap steps", "fixed specks")
_FAULTS: tuple[tuple[str, float, _Add], ...] = (
    ("fixed specks", 0.4, _add_fixed_specks),
    ("tap steps", 0.4, _add_tap_steps),
    ("stripes", 0.15, _add_stripes),
    ("row noise", 0.12, _add_row_noise),
    ("dead rows", 0.06, _add_dead_rows),
)
"""Each fault's name, the share of images that show it, and how it is added."""
