"""Grey levels as files hold them, and as frames do."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.images._channels import Channels, Values
from darkscan.pipeline.core.errors import InputError

_LARGEST_WHOLE = 2.0**31
_HIGHEST = 2.0**16 - 1
_STEPS_PER_SIGMA = 8  # so fine that rounding adds less than a thousandth to the noise
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
    lossy: bool = False
    """Whether the file's compression changes values (JPEG, or the like within a TIFF)."""
    bits: int | None = None
    """Significant bits of a level, where the file packs levels; None: those of the type."""


def whole_levels(values: npt.NDArray[np.number], path: Path) -> Levels:
    """The same values in an integer type. Raises InputError if they are no whole numbers."""
    kind, name = values.dtype.kind, values.dtype.name
    if kind in "iu":
        return cast("Levels", values)
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


def grey_picture(channels: Channels, path: Path, *, stretch: bool) -> Picture:
    """An image's grey levels: colours become their luminance, measured values levels if asked.

    Raises InputError if they are no levels and are not to be made any, or pixels are missing.
    """
    values, name = channels.seen, channels.values.dtype.name
    if channels.alpha_varies:
        problem = "has an alpha channel with more than one value: not all its pixels are there; "
        raise InputError(problem + "save it without (ImageMagick's -alpha off)", file=path)
    undefined = channels.undefined
    if undefined is not None and (channels.colour or not stretch):
        problem = f"holds {undefined.sum()} undefined pixels (BLANK in FITS, GDAL_NODATA in TIFF)"
        raise InputError(problem, file=path)
    stretched = ""
    grey = np.ascontiguousarray(values[..., 0])
    if grey.dtype == np.float16:
        grey = grey.astype(np.float32)  # sums and bounds are beyond halves
    if channels.colour:
        levels = luminance(values)
    elif stretch and (undefined is not None or needs_stretching(grey)):
        measured = grey if undefined is None else np.where(undefined, np.nan, grey)
        levels, stretched = stretched_levels(measured, path)
    else:
        levels = whole_levels(grey, path)
    return Picture(levels, name, channels.colour, stretched, channels.lossy, channels.bits)


def luminance(colours: Values) -> Levels:
    """The grey (H, W) of red, green and blue (H, W, 3) of 8 or 16 bits, after Rec. 601."""
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(colours), cv2.COLOR_RGB2GRAY))


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
