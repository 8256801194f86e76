"""The camera's sensor: light gains noise that grows with the signal, then becomes levels."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array

SHALLOWEST_BITS, DEEPEST_BITS = 8, 16
_SIGMA_PER_MAD = 1.4826


@dataclass(frozen=True)
class Noise:
    """Sensor noise at 8-bit grey levels: variance = gain * mean + offset, never under floor.

    ``kernel`` holds the weights of a pixel's first and second neighbours in the filter
    that correlates it. The defaults are measured on a dark-field camera: sigma 1.37 at
    the floor, 1.6 at 20, correlation 0.17 and 0.10 at one and two pixels.
    """

    gain: float = 0.15
    offset: float = -0.45
    floor: float = 1.37
    kernel: tuple[float, float] = (0.082, 0.048)

    def sigma(self, mean: float) -> float:
        """The standard deviation at a mean grey level."""
        return float(np.sqrt(max(self.gain * mean + self.offset, self.floor**2)))

    def add(self, light: Float32Array, rng: np.random.Generator) -> Float32Array:
        """The noisy image of ``light`` (height, width) float32, as float32."""
        noise = rng.standard_normal(light.shape, dtype=np.float32)
        near, far = self.kernel
        weights = np.array([far, near, 1.0, near, far])
        weights /= np.linalg.norm(weights)
        noise = np.asarray(cv2.sepFilter2D(noise, -1, weights, weights), dtype=np.float32)
        variance = np.maximum(self.gain * light + self.offset, self.floor**2)
        noise *= np.sqrt(variance, dtype=np.float32)
        noise += light
        return noise


def quantise(
    image: Float32Array, bit_depth: int = 8
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Grey levels of a camera of 8 to 16 bits, from 8-bit grey levels in float32.

    uint8 at 8 bits, else uint16 with 255 scaled by 2**(bit_depth - 8) and clipped.
    """
    levels = image * np.float32(2 ** (bit_depth - SHALLOWEST_BITS))
    np.rint(levels, out=levels)
    np.clip(levels, 0, 2**bit_depth - 1, out=levels)
    if bit_depth == SHALLOWEST_BITS:
        return levels.astype(np.uint8)
    return levels.astype(np.uint16)


def noise_of(image: npt.NDArray[np.integer]) -> float:
    """The noise of whole grey levels (H, W), from the median of neighbours' differences along rows.

    The median is taken as if the light were spread evenly within each level: noise of less than
    a level is measured, too. Above 0 in any case: rounding alone is a noise of about a quarter.
    """
    steps = np.abs(np.diff(image.astype(np.int64), axis=1))
    counts = np.bincount(steps.ravel())
    below = np.cumsum(counts)
    middle = below[-1] / 2
    level = int(np.searchsorted(below, middle))
    missing = 1.0 - (below[level] - middle) / counts[level]  # the part of this level's differences
    median = missing / 2 if level == 0 else level - 0.5 + missing
    return _SIGMA_PER_MAD * float(median) / float(np.sqrt(2))
