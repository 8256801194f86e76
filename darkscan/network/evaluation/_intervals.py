"""Figures with their 95 % intervals: bootstrapped by source image, Wilson's, or Byar's."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from darkscan.pipeline.core.arrays import Float64Array, TextArray

RESAMPLES = 1000
SEED = 20_260
_LEVEL = (2.5, 97.5)  # percentiles: 95 %
_Z = 1.959964  # the normal's 97.5 % point
_AT_ONCE = 4_000_000  # weights in memory


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval; NaN where it does not exist."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Share:
    """``hits`` of ``count``, with Wilson's interval (JASA 22, 1927): exact enough near 0 and 1."""

    name: str
    hits: int
    count: int

    @property
    def estimate(self) -> Estimate:
        """The share and its interval; NaN of nothing."""
        if not self.count:
            return Estimate(math.nan, math.nan, math.nan)
        share, spread = self.hits / self.count, _Z**2 / self.count
        middle = share + spread / 2
        reach = _Z * math.sqrt(share * (1 - share) / self.count + spread / (4 * self.count))
        low, high = ((middle + side * reach) / (1 + spread) for side in (-1, 1))
        return Estimate(share, max(0.0, low), min(1.0, high))


def poisson_rate(count: int, area: float) -> Estimate:
    """A count by area, with Byar's interval of a Poisson mean (Breslow and Day, 1987, eq. 2.10)."""
    low = count * (1 - 1 / (9 * count) - _Z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    more = count + 1
    high = more * (1 - 1 / (9 * more) + _Z / (3 * math.sqrt(more))) ** 3
    return Estimate(count / area, max(0.0, low) / area, high / area)


class Bootstrap:
    """Draws windows anew, whole source images at a time where these are known.

    Windows of one image resemble each other: drawn one by one their intervals would be
    too narrow. Windows of unknown source are drawn one by one, and so are all where
    there is but one image. Percentile intervals (Efron, Ann. Statist. 7, 1979).
    """

    def __init__(self, source: TextArray, *, resamples: int = RESAMPLES, seed: int = SEED) -> None:
        """``source`` (N,): the image of each window, empty if unknown."""
        self.resamples = resamples
        self._seed = seed
        names = np.unique(source[source != ""])
        single = len(names) < 2  # noqa: PLR2004
        unknown = np.ones(len(source), np.bool_) if single else source == ""
        self._unit = np.empty(len(source), np.int64)
        self._unit[~unknown] = np.searchsorted(names, source[~unknown])
        known = 0 if single else len(names)
        self._unit[unknown] = known + np.arange(int(unknown.sum()))
        self.units = known + int(unknown.sum())
        """How many images or windows are drawn from, and drawn."""
        self.by = "window" if not known else "source image"

    def estimates(
        self, figures: Callable[[Float64Array], Mapping[str, Float64Array]]
    ) -> dict[str, Estimate]:
        """Several figures with their intervals, all from the same draws.

        ``figures`` takes how often each window counts, (R, N), and gives each figure of
        each of the R draws, NaN where it does not exist.
        """
        rng = np.random.default_rng(self._seed)
        at_once = max(1, _AT_ONCE // max(1, len(self._unit)))
        found: dict[str, list[Float64Array]] = {}
        for first in range(0, self.resamples, at_once):
            weights = self._draw(rng, min(at_once, self.resamples - first))
            for name, values in figures(weights).items():
                found.setdefault(name, []).append(values)
        whole = figures(np.ones((1, len(self._unit))))
        return {
            name: _percentiles(float(values[0]), np.concatenate(found[name]))
            for name, values in whole.items()
        }

    def _draw(self, rng: np.random.Generator, size: int) -> Float64Array:
        drawn = rng.integers(0, self.units, (size, self.units))
        drawn += np.arange(size)[:, None] * self.units
        counts = np.bincount(drawn.ravel(), minlength=size * self.units)
        return counts.reshape(size, self.units)[:, self._unit].astype(np.float64)


def _percentiles(value: float, drawn: Float64Array) -> Estimate:
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn) or not math.isfinite(value):
        return Estimate(value, math.nan, math.nan)
    low, high = np.percentile(drawn, _LEVEL)
    return Estimate(value, float(low), float(high))
