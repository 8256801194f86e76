"""SNR50: the matched-filter signal-to-noise at which a detector finds half of the lines."""

import math

import numpy as np

from darkscan.network.evaluation._intervals import Estimate
from darkscan.pipeline.core.arrays import Float64Array

NEVER = math.inf
_HALF = 0.5
_RESAMPLES = 200
_SEED = 50
_OUTER = (0.025, 0.975)


def half_found(snr: Float64Array, hits: Float64Array, windows: Float64Array) -> Estimate:
    """SNR50 of points (K,), with a 95 % interval; ``NEVER`` where half is not reached.

    ``snr``: of the points; ``hits`` of ``windows`` are found. The interval is of 200 draws of
    each point's share, given its hits (Jeffreys' prior, Beta(1/2, 1/2)); it knows nothing of how
    sure the threshold is.
    """
    order = np.argsort(snr, kind="stable")
    snr, hits, windows = snr[order], hits[order], windows[order]
    rng = np.random.default_rng(_SEED)
    shares = rng.beta(hits + 0.5, windows - hits + 0.5, (_RESAMPLES, len(hits)))
    values = sorted(_crossing(snr, row * windows, windows) for row in shares)
    low, high = (values[round(share * (_RESAMPLES - 1))] for share in _OUTER)
    return Estimate(_crossing(snr, hits, windows), low, high)


def _crossing(snr: Float64Array, hits: Float64Array, windows: Float64Array) -> float:
    """Where the share that is found, made to rise with the signal-to-noise, passes one half.

    Isotonic regression by pooling adjacent violators (Ayer et al., Ann. Math. Statist. 26,
    1955), then a straight line over log signal-to-noise between the two points about one half.
    At most the lowest signal-to-noise if half are found there already.
    """
    pools: list[tuple[float, float, int]] = []  # hits, windows, points
    for found, number in zip(hits, windows, strict=True):
        pool = (float(found), float(number), 1)
        while pools and pools[-1][0] * pool[1] > pool[0] * pools[-1][1]:
            last = pools.pop()
            pool = (last[0] + pool[0], last[1] + pool[1], last[2] + pool[2])
        pools.append(pool)
    shares = np.repeat([pool[0] / pool[1] for pool in pools], [pool[2] for pool in pools])
    enough = shares >= _HALF
    if not enough.any():
        return NEVER
    first = int(np.argmax(enough))
    if first == 0:
        return float(snr[0])
    about = slice(first - 1, first + 1)
    return math.exp(np.interp(_HALF, shares[about], np.log(snr[about])))
