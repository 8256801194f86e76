"""The kind of each line and spot that was traced in a frame."""

import numpy as np

from darkscan.pipeline.core.arrays import UInt8Array
from darkscan.pipeline.core.frame_results import DEFECT_KINDS, Centrelines, LineMeasures, Spots

_SCRATCH, _FIBRE, _DIG, _DUST = (
    DEFECT_KINDS.index(kind) for kind in ("scratch", "fibre", "dig", "dust")
)
_BENT = LineMeasures._fields.index("bent")
_MOSTLY = 0.5


def line_kinds(lines: Centrelines) -> UInt8Array:
    """(L,) places in DEFECT_KINDS: by the model where it tells kinds, else by their shape."""
    scratch, fibre = lines.kinds[:, _SCRATCH], lines.kinds[:, _FIBRE]
    told = np.isfinite(fibre) & (fibre + scratch > 0)
    are_fibres = np.where(told, fibre > scratch, lines.measures[:, _BENT] > _MOSTLY)
    return np.where(are_fibres, _FIBRE, _SCRATCH).astype(np.uint8)


def spot_kinds(spots: Spots) -> UInt8Array:
    """(L,) places in DEFECT_KINDS: the likelier one."""
    return np.where(spots.kinds[:, _DUST] > spots.kinds[:, _DIG], _DUST, _DIG).astype(np.uint8)
