"""Reads PNG, TIFF and JPEG images."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from darkscan.drivers.images.levels import Levels, Picture, as_picture, whole_levels
from darkscan.pipeline.core.errors import InputError

Colours = npt.NDArray[np.integer[Any] | np.floating[Any]]

_GREY = 2  # dimensions; colours have a third
_LIMIT_NAME = "CV_IO_MAX_IMAGE"
_DAMAGED_JPEG = ("Premature end of JPEG", "Corrupt JPEG")
_hearing = threading.Lock()
_GREY_FROM = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}


def read_raster(path: Path, *, stretch: bool) -> Picture:
    """Reads an image with OpenCV, as it is stored: no rotation, no change of depth.

    Raises InputError.
    """
    pages, pixels, said = _decode(path)
    if pages > 1:
        raise InputError(f"holds {pages} pages, wanted is one image a file", file=path)
    if _LIMIT_NAME in said:
        raise InputError(
            "is larger than OpenCV reads (2^30 pixels): cut it into tiles, or raise "
            "OPENCV_IO_MAX_IMAGE_PIXELS in the environment",
            file=path,
        )
    if pixels is None:
        known = cv2.haveImageReader(str(path))
        problem = "is damaged" if known else "is not an image (PNG, TIFF, JPEG or FITS)"
        raise InputError(problem, file=path)
    if tells_of_damage(said):
        raise InputError("is damaged: part of its pixels is not there", file=path)
    if pixels.ndim == _GREY:
        return as_picture(pixels, path, stretch=stretch)
    return Picture(_luminance(pixels, path), pixels.dtype.name, colour=True)


def _decode(path: Path) -> tuple[int, Colours | None, str]:
    """How many pages a file has, the pixels of a single one, and what the decoder said."""
    pages, pixels, failure = 0, None, ""
    with decoders_heard() as heard:
        try:
            pages = cv2.imcount(str(path), cv2.IMREAD_UNCHANGED)
            pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if pages == 1 else None
        except cv2.error as error:
            failure = str(error)
    return pages, pixels, heard() + failure


def _luminance(colours: Colours, path: Path) -> Levels:
    code = _GREY_FROM.get(colours.shape[2])
    if code is None or colours.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        problem = f"holds {colours.shape[2]} channels of {colours.dtype}, not grey or colour"
        raise InputError(problem, file=path)
    return whole_levels(cv2.cvtColor(colours, code), path)


def tells_of_damage(said: str) -> bool:
    """Whether what decoders said means that pixels are missing.

    libjpeg fills in grey where data lack, and gives the picture as if all were well.
    """
    return any(word in said for word in _DAMAGED_JPEG)


@contextmanager
def decoders_heard() -> Iterator[Callable[[], str]]:
    """Keeps what the decoders print from the terminal, and lets the caller read it.

    They print to the process's standard error, past Python; some tell of a damaged
    file in no other way. Within another of its kind, which then hears it all, it hears nothing.
    """
    if not _hearing.acquire(blocking=False):
        yield lambda: ""
        return
    try:
        with tempfile.TemporaryFile() as spoken:
            terminal = os.dup(2)
            os.dup2(spoken.fileno(), 2)
            text = ""
            try:
                yield lambda: text
            finally:
                os.dup2(terminal, 2)
                os.close(terminal)
                spoken.seek(0)
                text = spoken.read().decode(errors="replace")
    finally:
        _hearing.release()
