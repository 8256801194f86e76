"""A user's own images as labelled images, and what may mark the scratches in one."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.images import Picture, read_picture
from darkscan.network.datasets.labelled_image import (
    FloatArray,
    ImageTruth,
    LabelledImage,
    Mask,
    Pixels,
    polyline_scratch,
)
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.network.datasets.thinning import mask_scratches
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import PixelType

_MOST_LEVELS = 2**16
_FRACTION_BITS = 4  # outlines are drawn to a sixteenth of a pixel


@dataclass(frozen=True)
class Drawing:
    """Marked scratches: a mask (H, W) of their pixels, and centre lines (K, 2), x and y."""

    mask: Mask
    lines: tuple[FloatArray, ...] = field(default=())


class Marks(Protocol):
    """What marks the scratches of one image."""

    def draw(self, shape: tuple[int, int]) -> Drawing:
        """The marks on an image of (height, width). Raises InputError if they do not fit it."""
        ...

    def content(self) -> bytes:
        """What tells these marks from others."""
        ...


class MarkedImage:
    """A source of windows: an image file and the marks of its scratches.

    Both are read once at the start, so that nothing unreadable is met halfway through a
    build. ``line_px`` is the width that centre lines are taken to touch. Raises InputError
    if either cannot be read, they do not fit each other, or the image holds no window.
    """

    def __init__(self, path: Path, marks: Marks, line_px: int) -> None:
        self.path = path
        self.name = path.name
        self._marks = marks
        self._line_px = line_px
        picture = read_picture(path)
        height, width = picture.levels.shape
        self.shape = (height, width)
        if min(self.shape) < WINDOW_PX:
            problem = f"image of {width}x{height} pixels is smaller than a window of {WINDOW_PX}"
            raise InputError(problem, file=path)
        pixels = grey_levels(picture, path)
        self.pixel_type: PixelType = "uint8" if pixels.dtype == np.uint8 else "uint16"
        self.highest = int(pixels.max())
        drawing = marks.draw(self.shape)
        self.scratched = bool(drawing.mask.any() or drawing.lines)

    def load(self) -> LabelledImage:
        """Reads it again, with the truth that follows from its marks."""
        digest = hashlib.sha256(self.path.read_bytes() + self._marks.content()).hexdigest()
        pixels = grey_levels(read_picture(self.path), self.path)
        if pixels.shape != self.shape:
            raise InputError("changed while it was read", file=self.path)
        drawing = self._marks.draw(self.shape)
        truth = ImageTruth(
            scratches=(
                *mask_scratches(drawing.mask),
                *(polyline_scratch(line) for line in drawing.lines),
            ),
            touched=drawing.mask | _thick(drawing.lines, self.shape, self._line_px),
        )
        return LabelledImage(pixels, truth, digest)


def filled(polygons: Iterable[FloatArray], shape: tuple[int, int]) -> Mask:
    """The pixels (H, W) within any of the polygons (K, 2), x and y from the outer corner."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [_fixed(polygon)], 1, shift=_FRACTION_BITS)
    return mask.astype(np.bool_)


def check_inside(points: FloatArray, shape: tuple[int, int], file: Path, name: str) -> None:
    """Raises InputError unless points (K, 2) lie on the image, its border included."""
    height, width = shape
    if not np.isfinite(points).all():
        raise InputError("holds places that are not numbers", file=file, field=name)
    outside = ((points < -1) | (points > (width + 1, height + 1))).any(axis=1)
    if outside.any():
        x, y = points[outside][0]
        problem = f"({x:g}, {y:g}) lies outside the image of {width}x{height} pixels"
        raise InputError(problem, file=file, field=name)


def _thick(lines: tuple[FloatArray, ...], shape: tuple[int, int], width_px: int) -> Mask:
    mask = np.zeros(shape, np.uint8)
    for line in lines:
        fixed = _fixed(line)
        cv2.polylines(
            mask, [fixed], isClosed=False, color=1, thickness=width_px, shift=_FRACTION_BITS
        )
    return mask.astype(np.bool_)


def _fixed(points: FloatArray) -> npt.NDArray[np.int32]:
    """Places as OpenCV draws them: fixed point, (0, 0) the middle of the first pixel."""
    return np.asarray(np.rint((points - 0.5) * 2**_FRACTION_BITS), dtype=np.int32)


def grey_levels(picture: Picture, path: Path) -> Pixels:
    """Grey levels as uint8, or uint16; levels below zero are shifted so that the lowest is 0."""
    levels = picture.levels
    if levels.dtype == np.uint8:
        return levels.astype(np.uint8, copy=False)
    lowest, highest = int(levels.min()), int(levels.max())
    shift = min(lowest, 0)
    if highest - shift >= _MOST_LEVELS:
        problem = f"holds levels from {lowest} to {highest}, more than 16 bits can tell apart"
        raise InputError(problem, file=path)
    return (levels.astype(np.int64) - shift).astype(np.uint16)
