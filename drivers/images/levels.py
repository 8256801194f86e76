"""Grey levels as files hold them, and as frames do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.errors import InputError

_LARGEST_WHOLE = 2.0**31


Levels = npt.NDArray[np.integer]
"""Whole grey levels (height, width), in native byte order."""


@dataclass(frozen=True)
class Picture:
    """An image's grey levels, and how they came about."""

    levels: Levels
    pixel_type: str
    """How the file stores a pixel, as numpy names it."""
    colour: bool = False
    """Whether the levels are the luminance of colours."""


def whole_levels(values: npt.NDArray[np.number], path: Path) -> Levels:
    """The same values in an integer type. Raises InputError if they are no whole numbers."""
    kind, name = values.dtype.kind, values.dtype.name
    if kind in "iu":
        whole: Levels = values.astype(values.dtype.newbyteorder("="), copy=False)
        return whole
    if kind != "f":
        raise InputError(f"holds pixels of {name}, not grey levels", file=path)
    finite = np.isfinite(values)
    if not finite.all():
        problem = f"holds pixels of {name}, {finite.size - finite.sum()} of them not finite"
        raise InputError(problem, file=path)
    if not (np.abs(values) < _LARGEST_WHOLE).all() or not (values == np.rint(values)).all():
        problem = f"holds pixels of {name} that are not whole numbers; wanted are uint8 "
        raise InputError(problem + "or uint16", file=path)
    return values.astype(np.int64)
