"""The rows of several strips, one strip after the other: what is done to all of them at once."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Self, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.pipeline.geometry import FloatArray

Image = npt.NDArray[np.float32]
Values = TypeVar("Values", FloatArray, Image)
Number = TypeVar("Number", bound=np.generic)


class Rows:
    """Which of N rows are whose: those of C strips, one strip after the other."""

    def __init__(self, counts: npt.NDArray[np.intp]) -> None:
        """``counts`` (C,): how many rows each strip has, 2 or more."""
        self.counts = counts
        self._ends = np.cumsum(counts)
        self._firsts = self._ends - counts
        self._padded: dict[int, _Padded] = {}

    @classmethod
    def of(cls, parts: Sequence[npt.NDArray[np.generic]]) -> Self:
        """Of arrays with a row for each of theirs."""
        return cls(np.array([len(part) for part in parts], np.intp))

    @cached_property
    def strips(self) -> list[slice]:
        """Where the rows of each strip are."""
        return list(map(slice, self._firsts.tolist(), self._ends.tolist()))

    def pieces(self, most: int) -> Iterator[slice]:
        """The strips in pieces of at most so many rows."""
        for strip in self.strips:
            for first in range(strip.start, strip.stop, most):
                yield slice(first, min(first + most, strip.stop))

    def spread(self, values: npt.NDArray[Number]) -> npt.NDArray[Number]:
        """(N,) from one value for each strip (C,)."""
        return np.repeat(values, self.counts)

    def resampled(self, points: FloatArray, step: float = 1.0) -> tuple[FloatArray, "Rows"]:
        """The same polylines, points (N, 2), with points one step apart; and whose those are."""
        steps = np.zeros(len(points))
        steps[1:] = np.hypot(*(points[1:] - points[:-1]).T)
        steps[self._firsts] = step  # from one polyline to the next; nothing is taken from there
        along = np.cumsum(steps)
        first, length = along[self._firsts], along[self._ends - 1] - along[self._firsts]
        rows = Rows(np.maximum(2, np.rint(length / step).astype(np.intp) + 1))
        number = np.arange(rows.counts.sum()) - rows.spread(rows._firsts)
        at = rows.spread(first) + number * rows.spread(length / (rows.counts - 1))
        # Rounding must not reach over into the next polyline.
        at[rows._ends - 1] = first + length
        resampled = np.stack([np.interp(at, along, axis) for axis in points.T], axis=1)
        return resampled, rows

    def smoothed(self, values: Values, sigma: float) -> Values:
        """Values (N, K) smoothed along each strip; a line stays straight up to its ends."""
        kernel = _gaussian(sigma)
        padded = self._around(len(kernel) // 2)
        longer = values[padded.source]
        # Reflected through its end points, so that smoothing shortens nothing.
        longer[padded.outside] = 2 * values[padded.ends] - longer[padded.outside]
        rows = np.ascontiguousarray(longer.T)  # a few long rows are faster than many short ones
        smooth = cv2.sepFilter2D(rows, -1, kernel, _ONE)
        return np.asarray(smooth.reshape(rows.shape).T[padded.inside], values.dtype)

    def blurred(self, image: Image, across: float, along: float) -> Image:
        """An image (N, M) blurred by so many columns and rows, none into the next strip's."""
        kernel = _gaussian(along)
        padded = self._around(len(kernel) // 2)
        blurred = cv2.sepFilter2D(image[padded.source], -1, _gaussian(across), kernel)
        return np.asarray(blurred[padded.inside], np.float32)

    def normals(self, points: FloatArray) -> FloatArray:
        """(N, 2) unit vectors across polylines of points (N, 2)."""
        firsts, lasts = self._firsts, self._ends - 1
        x, y = along = np.empty((2, len(points)))
        np.subtract(points[2:].T, points[:-2].T, out=along[:, 1:-1])
        along[:, firsts] = (points[firsts + 1] - points[firsts]).T
        along[:, lasts] = (points[lasts] - points[lasts - 1]).T
        size = np.maximum(np.hypot(x, y), 1e-9)
        return np.stack([-y / size, x / size], axis=1)

    def _around(self, reach: int) -> "_Padded":
        if reach not in self._padded:
            self._padded[reach] = _Padded(self.counts, self._firsts, reach)
        return self._padded[reach]


class _Padded:
    """Strips with ``reach`` more rows at both ends, which mirror those within."""

    def __init__(
        self, counts: npt.NDArray[np.intp], firsts: npt.NDArray[np.intp], reach: int
    ) -> None:
        longer = counts + 2 * reach
        starts = np.cumsum(longer) - longer
        last, first = np.repeat(counts - 1, longer), np.repeat(firsts, longer)
        number = np.arange(len(last)) - np.repeat(starts + reach, longer)
        within = np.minimum(np.abs(number), last)
        within = np.where(number > last, np.maximum(2 * last - number, 0), within)
        self.source = first + within
        """Which row each is or mirrors."""

        out = (number < 0) | (number > last)
        self.outside = np.flatnonzero(out)
        """Those that mirror one."""

        self.ends = (first + np.where(number < 0, 0, last))[self.outside]
        """And at which row."""

        self.inside = np.flatnonzero(~out)
        """Those that do not, in their order."""


@lru_cache(maxsize=16)
def _gaussian(sigma: float) -> Image:
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.asarray(kernel / kernel.sum(), np.float32)


_ONE = np.ones(1, np.float32)
