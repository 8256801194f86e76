"""Augmentation: the ways in which a training window may be shown otherwise than it was drawn.

Light scattered in the dark field looks the same from every side, so a window may be turned
and mirrored; a deeper camera gives the same grey levels as a smaller part of its range; and
lamps, exposures and stray light differ, so the gain may change, a slow gradient may lie
under the window and a noisier sensor may add to its noise. Nothing is ever stretched,
sheared or bent: widths, noise grain and the straightness of lines would be no camera's, and
a scratch's width is what tells it from a fibre's.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Pixels
from darkscan.simulation.element.looks import WINDOW_PX
from darkscan.simulation.element.sensor import noise_of

ORIENTATIONS = 8
_MIRRORED = 4  # orientations from here on are transposed before they are turned
_DEEP_SHARE = 0.3  # the share of windows that are shown as a deeper camera's
_MOST_FULL_SCALE = 40.0  # times the window's: a 16-bit camera's weak light fills a 40th
_CHANGED_SHARE = 0.5  # the share of windows that each change of brightness meets
_LEAST_GAIN, _MOST_GAIN = 0.7, 1.4
_MOST_GRADIENT = 6.0  # sigmas of the noise, from the middle of the window to its corner
_MOST_NOISE = 0.5  # times the noise there is: contrast to noise falls by a ninth at most


def turned(image: npt.NDArray[np.generic], turn: int) -> npt.NDArray[np.generic]:
    """A square image in one of its eight orientations, ``turn`` from 0 (as it is) to 7."""
    return np.rot90(image if turn < _MIRRORED else image.T, turn % 4)


def turned_box(box: Float32Array, turn: int, side: int = WINDOW_PX) -> Float32Array:
    """Where a box (x0, y0, x1, y1) of an image of ``side`` px lies once that is turned.

    A box without an inside (zeros: none) stays as it is.
    """
    x0, y0, x1, y1 = (float(edge) for edge in box)
    if x1 <= x0 or y1 <= y0:
        return box
    if turn >= _MIRRORED:
        x0, y0, x1, y1 = y0, x0, y1, x1
    for _ in range(turn % 4):  # a quarter turn against the clock takes (x, y) to (y, side - x)
        x0, y0, x1, y1 = y0, side - x1, y1, side - x0
    return np.array([x0, y0, x1, y1], np.float32)


def turned_directions(directions: npt.NDArray[np.generic], turn: int) -> npt.NDArray[np.generic]:
    """Directions of cells, degrees from x towards y, once their image is turned."""
    degrees = directions.astype(np.int64)
    if turn >= _MIRRORED:  # transposing swaps x and y
        degrees = 90 - degrees
    degrees = (degrees - 90 * (turn % 4)) % 180  # a quarter turn takes y to x and x to -y
    return turned(degrees.astype(directions.dtype), turn)


def depth_of(rng: np.random.Generator) -> float:
    """By how much a camera's full scale exceeds the window's: mostly 1, up to 40."""
    if rng.random() >= _DEEP_SHARE:
        return 1.0
    return float(np.exp(rng.uniform(0, np.log(_MOST_FULL_SCALE))))


def relit(image: Pixels, full_scale: float, rng: np.random.Generator) -> Pixels:
    """A window (H, W) under another lamp: gain, gradient and noise, each now and then.

    Of the same type, in 0..``full_scale``; what was saturated stays so.
    """
    changes = [change for change in (_gain, _gradient, _noise) if rng.random() < _CHANGED_SHARE]
    if not changes:
        return image
    sigma = noise_of(image)
    levels = image.astype(np.float32)
    for change in changes:
        levels = change(levels, sigma, rng)
    changed = np.clip(np.rint(levels), 0, full_scale).astype(image.dtype)
    return np.where(image >= full_scale, image, changed)


def _gain(levels: Float32Array, _sigma: float, rng: np.random.Generator) -> Float32Array:
    factor = np.exp(rng.uniform(np.log(_LEAST_GAIN), np.log(_MOST_GAIN)))
    return levels * np.float32(factor)


def _gradient(levels: Float32Array, sigma: float, rng: np.random.Generator) -> Float32Array:
    """A plane that rises in some direction, zero in the middle."""
    height, width = levels.shape
    angle = rng.uniform(0, 2 * np.pi)
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(np.sin(angle))
    columns = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(angle))
    steepness = np.float32(sigma * rng.uniform(0, _MOST_GRADIENT) / np.sqrt(2))
    return np.asarray(levels + steepness * (rows + columns), dtype=np.float32)


def _noise(levels: Float32Array, sigma: float, rng: np.random.Generator) -> Float32Array:
    added = np.float32(sigma * rng.uniform(0, _MOST_NOISE))
    return levels + added * rng.standard_normal(levels.shape, dtype=np.float32)


CHANGES: dict[str, Callable[[Float32Array, float, np.random.Generator], Float32Array]] = {
    "gain": _gain,
    "gradient": _gradient,
    "noise": _noise,
}
"""The changes of brightness by name: (levels, sigma of their noise, rng) to levels."""
