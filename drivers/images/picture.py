"""Reads one image file of any supported kind as grey levels."""

from pathlib import Path

from darkscan.drivers.images.fits import is_fits, read_fits
from darkscan.drivers.images.levels import Picture
from darkscan.drivers.images.raster import read_raster
from darkscan.pipeline.errors import InputError


def read_picture(path: Path, *, stretch: bool = False) -> Picture:
    """Reads a PNG, TIFF, JPEG or FITS image, row 0 at the top.

    Colour is turned to grey by luminance, alpha is ignored. With ``stretch``, fractions,
    gaps and ranges beyond 16 bits are brought to levels of 16 bits. Raises InputError if
    the file cannot be read, is damaged, holds several pages, or pixels that are no levels.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    return (read_fits if is_fits(path, head) else read_raster)(path, stretch=stretch)
