"""Reads FITS images."""

import warnings
from pathlib import Path

import numpy as np

from darkscan.drivers.images.levels import Picture, as_picture
from darkscan.pipeline.core.errors import InputError

_SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fit.gz", ".fits.fz")
_FLAT = 2


def is_fits(path: Path, head: bytes) -> bool:
    """Whether a file is FITS, by its first bytes or its name."""
    return head.startswith(b"SIMPLE  =") or path.name.lower().endswith(_SUFFIXES)


def read_fits(path: Path, *, stretch: bool) -> Picture:
    """Reads the first two-dimensional image of a FITS file; its row 0 is the top row.

    Levels are scaled as the header says (BZERO, BSCALE). Raises InputError.
    """
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            # Odd headers are common and harmless; lacking pixels raise below.
            warnings.simplefilter("ignore")
            with fits.open(path, memmap=False, uint=True) as units:
                for unit in units:
                    if unit.is_image and unit.header.get("NAXIS") == _FLAT and unit.size:
                        data = np.asarray(unit.data)
                        break
                else:
                    raise InputError("holds no two-dimensional image", file=path)
    except (OSError, ValueError, TypeError, KeyError, EOFError) as error:
        raise InputError(f"cannot be read as FITS: {error}", file=path) from error
    return as_picture(data, path, stretch=stretch)
