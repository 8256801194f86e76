"""The uneven glow behind everything: level, gradient, slow waves, stray light."""

from dataclasses import dataclass

import cv2
import numpy as np

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.simulation.element._draws import log_uniforms

_NOTHING = np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Background:
    """A smooth field of grey levels over the element, evaluated at any rectangle.

    ``gradient`` (2,) is grey levels per pixel about ``centre`` (2,); ``waves`` (W, 4)
    hold amplitude, radians per pixel in x and y, phase; ``lobes`` (L, 5) hold amplitude,
    centre x and y, and their two sigmas in pixels.
    """

    level: float
    gradient: Float64Array
    centre: Float64Array
    waves: Float64Array
    lobes: Float64Array

    def render(self, x0: int, y0: int, height: int, width: int) -> Float32Array:
        """The glow in grey levels at 8 bit: (height, width) float32."""
        x = x0 + np.arange(width) + 0.5
        y = (y0 + np.arange(height) + 0.5)[:, None]
        # Every term is a sum of products f(y) g(x): the whole field is one small product.
        amplitude, wave_x, wave_y, phase = self.waves.T
        down, across = y * wave_y, np.outer(wave_x, x) + phase[:, None]
        lobe, centre_x, centre_y, sigma_x, sigma_y = self.lobes.T
        rows = [
            np.ones((height, 1)),
            self.gradient[1] * (y - self.centre[1]),
            amplitude * np.cos(down),
            -amplitude * np.sin(down),
            lobe * np.exp(-0.5 * ((y - centre_y) / sigma_y) ** 2),
        ]
        columns = [
            (self.level + self.gradient[0] * (x - self.centre[0]))[None],
            np.ones((1, width)),
            np.cos(across),
            np.sin(across),
            np.exp(-0.5 * ((x - centre_x[:, None]) / sigma_x[:, None]) ** 2),
        ]
        down_32, across_32 = np.hstack(rows, dtype=np.float32), np.vstack(columns, dtype=np.float32)
        # Not numpy's product: its threads stall on a busy machine, and change the last bits.
        glow = cv2.gemm(down_32, across_32, 1.0, _NOTHING, 0.0)
        return np.maximum(np.asarray(glow, dtype=np.float32), 0.0)


def draw_background(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    *,
    level: tuple[float, float] = (15.0, 30.0),
    unevenness: float = 0.12,
    shortest_px: float = 900.0,
) -> Background:
    """Draws the glow of an element of (width, height) pixels.

    Its median lies in ``level``; waves, gradient and stray light together vary by
    about ``unevenness`` of it, over no less than ``shortest_px`` pixels.
    """
    width, height = size_px
    extent = float(np.hypot(width, height))
    base = rng.uniform(*level)
    swing = base * unevenness
    count = 8
    wavelength = log_uniforms(rng, shortest_px, max(3e3, 2 * extent), count)
    angle = rng.uniform(0, 2 * np.pi, count)
    waves = np.stack(
        [
            swing * rng.uniform(0.1, 0.4, count),
            2 * np.pi / wavelength * np.cos(angle),
            2 * np.pi / wavelength * np.sin(angle),
            rng.uniform(0, 2 * np.pi, count),
        ],
        axis=1,
    )
    slope = rng.uniform(0, 2 * np.pi)
    gradient = swing * rng.uniform(0.3, 1.2) / extent * np.array([np.cos(slope), np.sin(slope)])
    count = int(rng.integers(0, 4))
    lobes = np.stack(
        [
            swing * rng.uniform(0.5, 2.5, count),
            rng.uniform(-0.1, 1.1, count) * width,
            rng.uniform(-0.1, 1.1, count) * height,
            np.maximum(rng.uniform(0.08, 0.3, count) * extent, shortest_px / 2),
            np.maximum(rng.uniform(0.08, 0.3, count) * extent, shortest_px / 2),
        ],
        axis=1,
    )
    return Background(base, gradient, np.array([width, height]) / 2.0, waves, lobes)
