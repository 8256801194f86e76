"""Where a detector finds scratches and where not, and what it takes for one."""

from itertools import pairwise

import numpy as np

from darkscan.network.evaluation._intervals import Share
from darkscan.network.evaluation.windows import Scored
from darkscan.pipeline.core.arrays import Float64Array, Mask

CNR_EDGES = (2.0, 3.0, 4.0, 6.0, 12.0)
LENGTH_EDGES_PX = (64.0, 128.0, 192.0, 256.0)
SNR_EDGES = (5.0, 8.0, 12.0, 18.0, 25.0, 35.0, 50.0, 100.0)
_UNKNOWN = "unknown"


def band_names(edges: tuple[float, ...]) -> list[str]:
    """The bands [low, high) between edges, and those below and above them all."""
    between = (f"{low:g}-{high:g}" for low, high in pairwise(edges))
    return [f"< {edges[0]:g}", *between, f">= {edges[-1]:g}"]


def recall_by_band(
    scored: Scored, threshold: float, values: Float64Array, edges: tuple[float, ...]
) -> tuple[Share, ...]:
    """Recall of the scratches whose ``values`` (N,) lie in each band [low, high).

    Below the first edge, between edges, from the last one on, and unknown (NaN); bands
    without any scratch are left out.
    """
    called = scored.scores >= threshold
    names = band_names(edges)
    place = np.where(np.isnan(values), len(names), np.searchsorted(edges, values, side="right"))
    shares = []
    for band, name in enumerate([*names, _UNKNOWN]):
        within = scored.labels & (place == band)
        if within.any():
            shares.append(Share(name, int((called & within).sum()), int(within.sum())))
    return tuple(shares)


def recall_by_kind(scored: Scored, threshold: float) -> tuple[Share, ...]:
    """Recall of each kind of scratch, by name."""
    return _by_name(scored, threshold, scored.labels)


def false_alarms(scored: Scored, threshold: float) -> tuple[Share, ...]:
    """How many of the background windows with each distractor were taken for scratches."""
    shares = _by_name(scored, threshold, ~scored.labels)
    return tuple(sorted(shares, key=lambda share: (-share.hits, -share.count, share.name)))


def _by_name(scored: Scored, threshold: float, chosen: Mask) -> tuple[Share, ...]:
    called = scored.scores >= threshold
    shares = []
    for name in np.unique(scored.kind[chosen]):
        within = chosen & (scored.kind == name)
        shares.append(Share(str(name) or _UNKNOWN, int((called & within).sum()), int(within.sum())))
    return tuple(shares)
