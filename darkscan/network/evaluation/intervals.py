"""Figures with their 95 % intervals: bootstrapped by source image, or Wilson's."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array, Mask, TextArray

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


@dataclass(frozen=True, eq=False)
class Ranking:
    """Windows ordered by score, highest first, with equal scores as one step of a curve."""

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    labels: Float64Array
    scores: Float64Array
    """(steps,) the score of each step."""

    @classmethod
    def of(cls, scores: Float64Array, labels: Mask) -> "Ranking":
        """Ranks (N,) scores with their labels."""
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
        return cls(order, starts, labels[order].astype(np.float64), ranked[starts])

    def counts(self, weights: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Scratches and backgrounds at each step, (R, steps) each, of weights (R, N)."""
        ranked = weights[:, self.order]
        positive = ranked * self.labels
        return (
            np.add.reduceat(positive, self.starts, axis=1),
            np.add.reduceat(ranked - positive, self.starts, axis=1),
        )

    def area_under_curve(self, weights: Float64Array) -> Float64Array:
        """(R,) the chance that a scratch outscores a background; ties count half."""
        scratches, backgrounds = self.counts(weights)
        total = backgrounds.sum(axis=1)
        beaten = total[:, None] - np.cumsum(backgrounds, axis=1) + backgrounds / 2
        return ratio((scratches * beaten).sum(axis=1), scratches.sum(axis=1) * total)

    def average_precision(self, weights: Float64Array) -> Float64Array:
        """(R,) the sum over steps of precision times the recall gained there."""
        scratches, backgrounds = self.counts(weights)
        hits = np.cumsum(scratches, axis=1)
        precision = ratio(hits, hits + np.cumsum(backgrounds, axis=1))
        gained = (scratches * np.nan_to_num(precision)).sum(axis=1)
        return ratio(gained, scratches.sum(axis=1))


def ratio(above: Float64Array, below: Float64Array) -> Float64Array:
    """``above / below``, NaN where nothing is below."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
