"""Images written to files, and scans put together again."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from astropy.io import fits

from darkscan.pipeline.core.scan import FrameSource

Array = npt.NDArray[np.integer[Any] | np.floating[Any]]


def noise(height: int, width: int, top: int, dtype: str = "uint16", low: int = 0) -> Array:
    """Grey levels from ``low`` to ``top``, both of them there."""
    levels = np.random.default_rng(height + width).integers(low, top, (height, width))
    levels[0, :2] = (low, top)
    return levels.astype(dtype)


def write_image(path: Path, pixels: Array) -> Path:
    if path.suffix == ".fits":
        fits.writeto(path, pixels)
    else:
        assert cv2.imwrite(str(path), pixels)
    return path


def reassemble(source: FrameSource) -> Array:
    """Puts all frames back to their places; overlapping frames must agree."""
    info = source.info
    to_px = 1000 / info.pitch_um
    width, height = (round(side * to_px) for side in info.element_size_mm)
    whole = np.full((height, width), -1, np.int64)
    pixels = np.empty(info.frame_shape, info.pixel_type)
    for index, meta in enumerate(source.frames):
        source.read_into(index, pixels)
        x, y = (round(place * to_px) for place in meta.position_mm[:2])
        target = whole[y : y + pixels.shape[0], x : x + pixels.shape[1]]
        assert ((target == pixels) | (target == -1)).all()
        target[...] = pixels
    return whole
