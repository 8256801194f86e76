"""Reads one image file of any supported kind as grey levels."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from darkscan.drivers.images.fits import is_fits, read_fits
from darkscan.drivers.images.levels import Picture
from darkscan.drivers.images.raster import decoders_heard, read_raster, tells_of_damage
from darkscan.pipeline.core.errors import InputError


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


def read_pictures(paths: Iterable[Path], *, stretch: bool = False) -> Iterator[Picture]:
    """Reads images one after the other, as ``read_picture`` does; a few ahead, on all cores."""
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:
        rest = iter(paths)
        while batch := list(itertools.islice(rest, threads)):
            pictures = _together(pool, batch, stretch=stretch) if len(batch) > 1 else None
            # One by one it is known which file the decoders complain of.
            yield from pictures or (read_picture(path, stretch=stretch) for path in batch)


def _together(
    pool: ThreadPoolExecutor, paths: Sequence[Path], *, stretch: bool
) -> list[Picture] | None:
    """Several images at once; None if anything is the matter with any."""
    with decoders_heard() as heard:
        under_way = [pool.submit(read_picture, path, stretch=stretch) for path in paths]
        wait(under_way)
    if tells_of_damage(heard()) or any(picture.exception() for picture in under_way):
        return None
    return [picture.result() for picture in under_way]
