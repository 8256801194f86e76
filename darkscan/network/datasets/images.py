"""A user's own images as labelled images."""

import hashlib
from pathlib import Path

import numpy as np

from darkscan.drivers.images import Picture, read_picture
from darkscan.network.datasets._drawing import thick
from darkscan.network.datasets._labelled_image import ImageTruth, LabelledImage, polyline_scratch
from darkscan.network.datasets._thinning import mask_scratches
from darkscan.network.datasets.marks import Marks
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.names import printable
from darkscan.pipeline.core.scan import PixelType

_MOST_LEVELS = 2**16


class MarkedImage:
    """A source of windows: an image file and the marks of its scratches.

    Both are read once at the start, so that nothing unreadable is met halfway through a
    build. ``line_px`` is the width that centre lines are taken to touch, ``hdu`` chooses
    among the images of a FITS file. Raises InputError if either cannot be read or the image
    holds no window, MarksError if the marks do not fit the image or cannot be understood.
    """

    def __init__(self, path: Path, marks: Marks, line_px: int, hdu: str | None = None) -> None:
        self.path = path
        self.name = printable(path.name)
        self._marks = marks
        self._line_px = line_px
        self._hdu = hdu
        picture = read_picture(path, hdu=hdu)
        height, width = picture.levels.shape
        self.shape = (height, width)
        if min(self.shape) < WINDOW_PX:
            problem = f"image of {width}x{height} pixels is smaller than a window of {WINDOW_PX}"
            raise InputError(problem, file=path)
        pixels = grey_levels(picture, path)
        self.pixel_type: PixelType = "uint8" if pixels.dtype == np.uint8 else "uint16"
        self.highest = int(pixels.max()) if picture.bits is None else 2**picture.bits - 1
        marks.check(picture, path)
        drawing = marks.draw(self.shape)
        self.scratched = drawing.scratched
        self.unmarked = "" if drawing.scratched else drawing.remark

    def load(self) -> LabelledImage:
        """Reads it again, with the truth that follows from its marks."""
        digest = hashlib.sha256(self.path.read_bytes() + self._marks.content()).hexdigest()
        pixels = grey_levels(read_picture(self.path, hdu=self._hdu), self.path)
        if pixels.shape != self.shape:
            raise InputError("changed while it was read", file=self.path)
        drawing = self._marks.draw(self.shape)
        truth = ImageTruth(
            scratches=(
                *mask_scratches(drawing.mask),
                *(polyline_scratch(line) for line in drawing.lines),
            ),
            touched=drawing.mask | thick(drawing.lines, self.shape, self._line_px),
            void=drawing.void,
        )
        return LabelledImage(pixels, truth, digest)


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
