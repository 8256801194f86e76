"""Whether what a worker elsewhere says of a frame is what this computer finds in it.

Backends and processors round differently, so equal is not asked: as near as the backends of one
model are to each other.
"""

from typing import NamedTuple, Self

import numpy as np
from shapely import LineString, unary_union
from shapely.geometry.base import BaseGeometry

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.frame_results import Centrelines, Spots
from darkscan.pipeline.running.specification import RunSpec
from darkscan.pipeline.transport.messages import FrameScores

_EXACT, _COARSE = 0.02, 0.25
_NEAR_PX = 4.0
_LENGTH_PART, _LENGTH_PX = 0.1, 48.0
_MEASURES_PART, _MEASURES_LEAST = 0.2, 0.5


class Tolerances(NamedTuple):
    """How far apart two honest results may be."""

    score: float
    """Of a window's probability."""

    @classmethod
    def of(cls, spec: RunSpec) -> Self:
        """As backends differ: by rounding, or by more where they compute in fewer bits."""
        coarse = spec.recipe.inspection.precision == "half" or spec.model.int8
        return cls(_COARSE if coarse else _EXACT)


def disagreement(claim: FrameScores, found: FrameScores, tolerances: Tolerances) -> str | None:
    """What tells a claim from what was found, in words; None: nothing but rounding."""
    if claim.scores.shape != found.scores.shape:
        return f"{claim.scores.size} scores, not {found.scores.size}"
    apart = np.abs(claim.scores - found.scores)
    if not (apart <= tolerances.score).all():
        worst = int(np.argmax(apart))
        told, right = (float(scores[worst]) for scores in (claim.scores, found.scores))
        return f"window {worst} scored {told:.3f}, found {right:.3f}"
    return _shapes_differ(claim.traces.lines, found.traces.lines, "lines") or _shapes_differ(
        claim.traces.spots, found.traces.spots, "spots"
    )


def _shapes_differ(
    claimed: Centrelines | Spots, found: Centrelines | Spots, what: str
) -> str | None:
    """Whether lines lie elsewhere, or are measured otherwise, than rounding explains."""
    told, right = _drawn(claimed.parts), _drawn(found.parts)
    for some, others, verb in ((told, right, "made up"), (right, told, "left out")):
        alone = some.difference(others.buffer(_NEAR_PX)).length
        if alone > _LENGTH_PART * some.length + _LENGTH_PX:
            return f"{alone:.0f} px of {what} are {verb}"
    if len(claimed.counts) == len(found.counts) and len(found.counts):
        middle = (np.median(each.measures, axis=0) for each in (claimed, found))
        if not _near(*middle):
            return f"the {what} are measured otherwise"
    return None


def _drawn(parts: list[Float32Array]) -> BaseGeometry:
    return unary_union([LineString(points) for points in parts])


def _near(one: Float32Array, other: Float32Array) -> bool:
    return np.allclose(one, other, rtol=_MEASURES_PART, atol=_MEASURES_LEAST)
