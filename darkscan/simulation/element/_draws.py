"""Draws that numpy's generators lack."""

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def chances(rng: np.random.Generator, probability: float, count: int) -> npt.NDArray[np.bool_]:
    """``count`` times true with the given probability: (count,) bool."""
    return np.asarray(rng.random(count) < probability)


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(log_uniforms(rng, low, high, 1)[0])


def log_uniforms(rng: np.random.Generator, low: float, high: float, count: int) -> Float64Array:
    """Numbers whose logarithms are uniform: (count,) float64."""
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), count)))


def log_normal(
    rng: np.random.Generator, median: float, spread: float, low: float, high: float
) -> float:
    """A number whose logarithm is normal with ``spread``, held within its limits."""
    return float(np.clip(median * np.exp(spread * rng.standard_normal()), low, high))
