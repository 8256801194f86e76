"""Grey levels as files hold them, and as frames do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.errors import InputError

_LARGEST_WHOLE = 2.0**31
_HIGHEST = 2.0**16 - 1
_STEPS_PER_SIGMA = 8  # of the noise: rounding then adds less than a thousandth to it
_DARKEST_SIGMAS = 100.0  # below the median: what lies deeper is no light
_MAD = 1.4826  # a normal deviation in median absolute deviations

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
    stretched: str = ""
    """How measured values became levels, in words; empty: they were levels."""


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


def as_picture(values: npt.NDArray[np.number], path: Path, *, stretch: bool) -> Picture:
    """The grey image of a file's values (height, width), stretched if asked and needed.

    Raises InputError if they are no levels, and are not to be made any.
    """
    name = values.dtype.newbyteorder("=").name
    if stretch and needs_stretching(values):
        levels, words = stretched_levels(values, path)
        return Picture(levels, name, stretched=words)
    return Picture(whole_levels(values, path), name)


def needs_stretching(values: npt.NDArray[np.number]) -> bool:
    """Whether values are no levels of 16 bits: fractions, gaps, or too wide a range."""
    if values.dtype.kind not in "iuf":
        return False
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return True
    fractions = values.dtype.kind == "f" and bool((values != np.rint(values)).any())
    return fractions or float(values.max()) - min(0.0, float(values.min())) > _HIGHEST


def stretched_levels(values: npt.NDArray[np.number], path: Path) -> tuple[Levels, str]:
    """Measured values (height, width) of any range as levels of 16 bits, and how, in words.

    Linear, and fine enough for the noise: what is too bright for that saturates. Values
    that are not finite become the median. Raises InputError if there is nothing to see.
    """
    finite = np.isfinite(values)
    if not finite.any():
        raise InputError("holds no finite pixel", file=path)
    seen = values[finite].astype(np.float64)
    median = float(np.median(seen))
    steps = np.abs(np.diff(np.where(finite, values, median).astype(np.float64), axis=1))
    sigma = _MAD * float(np.median(steps)) / np.sqrt(2.0) if steps.size else 0.0
    low = float(seen.min())
    if sigma > 0:
        low = max(low, median - _DARKEST_SIGMAS * sigma)
    step = (float(seen.max()) - low) / _HIGHEST
    if sigma > 0:
        step = min(step, sigma / _STEPS_PER_SIGMA)
    if step <= 0:
        step = 1.0
    shown = np.where(finite, values, median).astype(np.float64)
    levels: Levels = np.clip(np.rint((shown - low) / step), 0.0, _HIGHEST).astype(np.uint16)
    words = f"values from {low:.6g} in steps of {step:.6g}"
    gaps = int(finite.size - finite.sum())
    return levels, words + (f", {gaps} that are not finite shown as the median" if gaps else "")
