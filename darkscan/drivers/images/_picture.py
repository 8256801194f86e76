"""Reads one image file of any supported kind."""

import os
import stat
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from darkscan.drivers.images._channels import Channels, not_read
from darkscan.drivers.images._fits import is_fits, read_fits
from darkscan.drivers.images._jpeg import is_jpeg, read_jpeg
from darkscan.drivers.images._levels import Picture, grey_picture
from darkscan.drivers.images._png import is_png, read_png
from darkscan.drivers.images._tiff import is_tiff, read_tiff
from darkscan.pipeline.core.errors import InputError

_HEAD_BYTES = 132
_OTHERS = (
    ("BMP", 0, b"BM"),
    ("GIF", 0, b"GIF8"),
    ("WebP", 8, b"WEBP"),
    ("JPEG 2000", 4, b"jP  "),
    ("JPEG 2000", 0, b"\xff\x4f\xff\x51"),
    ("JPEG XL", 4, b"JXL "),
    ("JPEG XL", 0, b"\xff\x0a"),
    ("HEIF or AVIF", 4, b"ftyp"),
    ("OpenEXR", 0, b"v/1\x01"),
    ("Radiance HDR", 0, b"#?"),
    ("NumPy", 0, b"\x93NUMPY"),
    ("HDF5", 0, b"\x89HDF"),
    ("ZIP", 0, b"PK\x03\x04"),
    ("gzip", 0, b"\x1f\x8b"),
    ("Photoshop", 0, b"8BPS"),
    ("DICOM", 128, b"DICM"),
    ("JPEG XR", 0, b"II\xbc"),
    ("NRRD", 0, b"NRRD"),
    ("PDF", 0, b"%PDF"),
    *(("PNM", 0, b"P%c" % kind) for kind in b"1234567Ff"),
)
_POINTER = b"version https://git-lfs"


def read_picture(path: Path, *, stretch: bool = False, hdu: str | None = None) -> Picture:
    """Reads a PNG, TIFF, JPEG or FITS image as grey levels, row 0 at the top.

    Levels are those that the file stores; colour is turned to grey by luminance, and an alpha
    channel of one value is ignored. With ``stretch``, fractions, gaps and ranges beyond 16 bits
    are brought to levels of 16 bits. ``hdu`` chooses among the images of a FITS file.

    Raises InputError if the file cannot be read, is damaged or of a kind that is not read (see
    docs/reference/formats.md), holds several images or undefined pixels, is to be turned, has
    an alpha channel that varies, or pixels that are no levels.
    """
    return grey_picture(read_channels(path, hdu=hdu), path, stretch=stretch)


def read_channels(path: Path, *, hdu: str | None = None) -> Channels:
    """Reads an image as its file stores it, row 0 at the top: no grey, no stretching.

    For masks and the like, where every channel counts. Raises InputError if the file cannot
    be read, is damaged or of a kind that is not read, holds several images, or is to be turned.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError("is not a file", file=path)
        with path.open("rb") as file:
            return _read(file, path, hdu)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except MemoryError as error:
        raise InputError("needs more memory than there is", file=path) from error


def _read(file: BinaryIO, path: Path, hdu: str | None) -> Channels:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    if is_fits(head, path):
        return read_fits(path, hdu=hdu)
    if hdu is not None:
        raise InputError("is no FITS file, and has no HDU to choose", file=path, field="--hdu")
    if is_tiff(head):
        return read_tiff(file, path)
    if is_png(head):
        return read_png(file.read(), path)
    if is_jpeg(head):
        return read_jpeg(file.read(), path)
    for kind, at, signature in _OTHERS:
        if head[at:].startswith(signature):
            raise not_read(f"it is a {kind} file", path)
    if not head:
        raise InputError("is empty", file=path)
    if head.startswith(_POINTER):
        problem = "only points to an image that Git LFS keeps elsewhere: fetch it (git lfs pull)"
        raise InputError(problem, file=path)
    raise InputError("is not an image (PNG, TIFF, JPEG or FITS)", file=path)


def read_pictures(
    paths: Iterable[Path], *, stretch: bool = False, hdu: str | None = None
) -> Iterator[Picture]:
    """Reads images one after the other, as ``read_picture`` does; a few ahead, on all cores."""
    threads = len(os.sched_getaffinity(0))
    read = partial(read_picture, stretch=stretch, hdu=hdu)
    with ThreadPoolExecutor(threads) as pool:
        rest = iter(paths)
        while batch := list(islice(rest, threads)):
            yield from pool.map(read, batch)
