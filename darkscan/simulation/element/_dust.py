"""Dust: specks by the thousand, drawn tile by tile so that any place can be rendered alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.simulation.element._draws import chances
from darkscan.simulation.element.strokes import Strokes, add_spots

TILE_PX = 512
_REACH_PX = 16  # no speck is seen farther than this from its centre
_DUST = 0xD057  # sets the seeds of tiles apart from other seeds


def draw_specks(rng: np.random.Generator, centres: Float64Array) -> Strokes:
    """Specks of measured sizes and brightness at (N, 2) places.

    Areas over five sigma of 1, 2 and 28 px at p25, p50 and p99; peaks of 28 to 99.
    """
    count = len(centres)
    # Narrow specks between pixels would lose their peak; real ones are measured by it.
    centres = np.floor(centres) + 0.5 + 0.5 * (centres % 1.0 - 0.5)
    sigma = np.clip(0.45 * np.exp(0.55 * rng.standard_normal(count)), 0.28, 4.0)
    peak = np.clip(28.0 + 11.0 * rng.gamma(1.1, 1.0, count) * sigma / 0.45, 28.0, 99.0)
    angle = rng.uniform(0, np.pi, count)
    stretch = (sigma * rng.uniform(0, 2.5, count) * chances(rng, 0.5, count))[:, None]
    axis = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Strokes.spots(centres, peak, sigma, stretch * axis)


def scatter(
    rng: np.random.Generator, size_px: tuple[float, float], per_10k_px: float, clumping: float
) -> Float64Array:
    """Places (N, 2) of specks on a rectangle, a share ``clumping`` of them in clumps."""
    count = int(rng.poisson(per_10k_px * size_px[0] * size_px[1] / 1e4))
    centres = rng.uniform(0, 1, (count, 2)) * size_px
    clumped = np.flatnonzero(chances(rng, clumping, count))
    if len(clumped):
        clumps = rng.uniform(0, 1, (max(1, len(clumped) // 40), 2)) * size_px
        chosen = rng.integers(0, len(clumps), len(clumped))
        width = rng.uniform(8, 40, len(clumps))[chosen, None]
        centres[clumped] = clumps[chosen] + width * rng.standard_normal((len(clumped), 2))
    return centres


@dataclass(frozen=True)
class Dust:
    """The dust of one element: the same specks whichever rectangle is looked at."""

    seed: int
    per_10k_px: float
    clumping: float = 0.2

    def add_to(self, image: Float32Array, x0: int, y0: int) -> None:
        """Adds the dust to ``image`` (height, width), whose first pixel is (x0, y0)."""
        for (left, top), specks in self._tiles(x0, y0, *image.shape):
            add_spots(image, specks.moved(left - x0, top - y0))

    def specks(self, size_px: tuple[int, int]) -> Strokes:
        """All specks of an element of (width, height) pixels, and some beside it, in its pixels."""
        width, height = size_px
        found = draw_specks(np.random.default_rng(0), np.empty((0, 2)))
        for corner, specks in self._tiles(0, 0, height, width):
            found = found.and_those(specks.moved(*corner))
        return found

    def _tiles(
        self, x0: int, y0: int, height: int, width: int
    ) -> Iterator[tuple[tuple[int, int], Strokes]]:
        """The tiles that a rectangle shows: first pixel (x, y), and the specks from there on."""
        for row in range((y0 - _REACH_PX) // TILE_PX, (y0 + height + _REACH_PX) // TILE_PX + 1):
            for column in range(
                (x0 - _REACH_PX) // TILE_PX, (x0 + width + _REACH_PX) // TILE_PX + 1
            ):
                yield (column * TILE_PX, row * TILE_PX), self._tile(row, column)

    def _tile(self, row: int, column: int) -> Strokes:
        # Tiles left of and above the element have seeds too: theirs are wrapped positive.
        place = (row % 2**32, column % 2**32)
        rng = np.random.default_rng([self.seed, _DUST, *place])
        centres = scatter(rng, (TILE_PX, TILE_PX), self.per_10k_px, self.clumping)
        return draw_specks(rng, np.clip(centres, 0, TILE_PX - 1e-6))
