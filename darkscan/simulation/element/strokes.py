"""The one thing everything bright on an element is drawn with: short soft strokes.

A stroke is a line segment with a Gaussian cross-section and round ends; a spot is a
stroke of no length. Many are drawn at once, grouped by the size of the square they touch.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array, Float64Array

SIGMA_PER_FWHM = 1.0 / (2.0 * np.sqrt(2.0 * np.log(2.0)))
GAUSSIAN_POWER = 2.0
_REACH_SIGMAS = 3.5  # a Gaussian is 0.2 % of its peak there, and is cut off
_SQUARES = (5, 7, 9, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 4096)
_DARK = 0.02  # grey levels that nobody can see
_CHUNK_PIXELS = 1 << 20  # bounds the memory of one group


@dataclass(frozen=True, slots=True)
class Strokes:
    """N strokes in the pixels of the image they are drawn into.

    ``start`` and ``end`` (N, 2) are (x, y) with (0, 0) the outer corner of the first
    pixel; ``amplitude`` (N, 2) the grey levels on the axis at both ends; ``sigma`` (N,)
    the Gaussian's width in pixels; all float64.
    """

    start: Float64Array
    end: Float64Array
    amplitude: Float64Array
    sigma: Float64Array

    @classmethod
    def along(cls, vertices: Float64Array, amplitude: Float64Array, fwhm_px: float) -> Self:
        """The strokes of a polyline (K, 2) with an amplitude (K,) at each vertex."""
        ends = np.stack([amplitude[:-1], amplitude[1:]], axis=1)
        lit = ends.max(axis=1) > _DARK
        sigma = np.full(int(lit.sum()), fwhm_px * SIGMA_PER_FWHM)
        return cls(vertices[:-1][lit], vertices[1:][lit], ends[lit], sigma)

    @classmethod
    def spots(
        cls,
        centres: Float64Array,
        amplitude: Float64Array,
        sigma: Float64Array,
        stretch: Float64Array | None = None,
    ) -> Self:
        """Round spots (N, 2), or drawn out along ``stretch`` (N, 2) pixels."""
        half = np.zeros_like(centres) if stretch is None else stretch / 2.0
        return cls(centres - half, centres + half, np.stack([amplitude] * 2, axis=1), sigma)

    def moved(self, x: float, y: float) -> Self:
        """The same strokes, shifted by (x, y) pixels."""
        shift = np.array([x, y])
        return type(self)(self.start + shift, self.end + shift, self.amplitude, self.sigma)

    def and_those(self, others: Self) -> Self:
        """These strokes, then the others."""
        pairs = zip(self._columns(), others._columns(), strict=True)
        return type(self)(*(np.concatenate(pair) for pair in pairs))

    def _columns(self) -> tuple[Float64Array, ...]:
        return self.start, self.end, self.amplitude, self.sigma

    def __len__(self) -> int:
        return len(self.sigma)

    def __getitem__(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.intp]) -> Self:
        return type(self)(
            self.start[chosen], self.end[chosen], self.amplitude[chosen], self.sigma[chosen]
        )


def add_spots(image: Float32Array, strokes: Strokes) -> None:
    """Adds every stroke's light to ``image`` (height, width), in place."""
    flat = image.reshape(-1)
    for pixels, light in _light(image.shape, strokes, power=GAUSSIAN_POWER):
        np.add.at(flat, pixels, light)


def add_line(
    image: Float32Array, strokes: Strokes, canvas: Float32Array, *, power: float = GAUSSIAN_POWER
) -> None:
    """Adds the strokes to ``image`` as one line: where they overlap, the brightest counts.

    ``canvas`` is a black image of the same shape, black again afterwards. ``power``
    above 2 flattens the top of the cross-section and keeps its width at half of it.
    """
    flat, lines = image.reshape(-1), canvas.reshape(-1)
    touched = []
    for pixels, light in _light(image.shape, strokes, power):
        np.maximum.at(lines, pixels, light)
        touched.append(pixels)
    if not touched:
        return
    pixels = np.concatenate(touched)
    flat[pixels] += lines[pixels]  # a repeated pixel is written the same value again
    lines[pixels] = 0.0


def _light(
    shape: tuple[int, ...], strokes: Strokes, power: float
) -> Iterator[tuple[npt.NDArray[np.intp], Float32Array]]:
    """Flat pixel indices and the light that falls on them, group by group."""
    height, width = shape
    reach = _REACH_SIGMAS * strokes.sigma
    low = np.minimum(strokes.start, strokes.end) - reach[:, None]
    high = np.maximum(strokes.start, strokes.end) + reach[:, None]
    seen = np.logical_and((high > 0).all(axis=1), (low < (width, height)).all(axis=1))
    strokes, low, high = strokes[seen], low[seen], high[seen]
    corner = np.floor(low).astype(np.intp)
    needed = (np.ceil(high).astype(np.intp) - corner).max(axis=1, initial=1)
    group = np.searchsorted(_SQUARES, needed)
    for index in np.unique(group):
        side = _SQUARES[index]
        chosen = np.flatnonzero(group == index)
        per_chunk = max(1, _CHUNK_PIXELS // side**2)
        for first in range(0, len(chosen), per_chunk):
            some = chosen[first : first + per_chunk]
            yield _group_light((height, width), strokes[some], corner[some], side, power)


def _group_light(
    shape: tuple[int, int],
    strokes: Strokes,
    corner: npt.NDArray[np.intp],
    side: int,
    power: float,
) -> tuple[npt.NDArray[np.intp], Float32Array]:
    height, width = shape
    # A square that hangs over the border is pushed inside: it still holds all that shows.
    x0 = np.clip(corner[:, 0], 0, max(width - side, 0))
    y0 = np.clip(corner[:, 1], 0, max(height - side, 0))
    columns = x0[:, None] + np.arange(min(side, width))
    rows = y0[:, None] + np.arange(min(side, height))
    pixels = rows[:, :, None] * width + columns[:, None, :]

    def per_stroke(values: Float64Array) -> Float32Array:
        return values.astype(np.float32)[:, None, None]

    delta = strokes.end - strokes.start
    square = np.maximum((delta**2).sum(axis=1), 1e-9)
    x = (columns + 0.5 - strokes.start[:, 0, None]).astype(np.float32)[:, None, :]
    y = (rows + 0.5 - strokes.start[:, 1, None]).astype(np.float32)[:, :, None]
    dx, dy = per_stroke(delta[:, 0]), per_stroke(delta[:, 1])
    along = np.clip(
        x * per_stroke(delta[:, 0] / square) + y * per_stroke(delta[:, 1] / square), 0.0, 1.0
    )
    distance2 = (x - along * dx) ** 2 + (y - along * dy) ** 2
    distance2 *= per_stroke(-0.5 / strokes.sigma**2)
    # Cut by distance, not by the square, so that every rectangle shows the same.
    seen = distance2 > -0.5 * _REACH_SIGMAS**2
    if power != GAUSSIAN_POWER:
        half = np.float32(np.log(2.0))  # the exponent where the light is halved, whatever the power
        distance2 = -half * (-distance2 / half) ** np.float32(power / GAUSSIAN_POWER)
    light = np.exp(distance2)
    first = per_stroke(strokes.amplitude[:, 0])
    light *= first + along * per_stroke(strokes.amplitude[:, 1] - strokes.amplitude[:, 0])
    light *= seen
    return pixels.reshape(-1), light.reshape(-1)
