"""Reads TIFF images: tifffile decodes them, after their tags have been found readable."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from darkscan.drivers.images._channels import Channels, Values, damaged, not_read, require_size
from darkscan.drivers.images._jpeg import decoded
from darkscan.drivers.images._orientation import require_upright, require_upright_xmp
from darkscan.drivers.images._tags import (
    JPEG,
    ORIENTATION,
    PACKED,
    image_page,
    opened,
    require_readable,
)
from darkscan.pipeline.core.errors import InputError

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_XMP = 700
_NODATA = 42113  # GDAL's
_BITS_A_BYTE = 8


def is_tiff(head: bytes) -> bool:
    """Whether a file is a TIFF or a BigTIFF, by its first bytes."""
    return head.startswith(_SIGNATURES)


def read_tiff(file: BinaryIO, path: Path) -> Channels:
    """Reads the image of a TIFF as it is stored; ``path`` names it in errors.

    Raises InputError if it is damaged, holds several images, or is of a kind that is not read.
    """
    try:
        with opened(file) as tiff:
            page = image_page(tiff, path)
            require_size(page.imagewidth, page.imagelength, path)
            _require_upright(page, path)
            require_readable(page, path)
            _require_all_there(page, path)
            values = np.atleast_3d(page.asarray())
            return _channels(page, values, path)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # whatever a parser stumbles over in a damaged file
        raise damaged(error, path) from error


def _channels(page: tifffile.TiffPage, values: Values, path: Path) -> Channels:
    height, width, count = page.imagelength, page.imagewidth, page.samplesperpixel
    if page.planarconfig == 2 and count > 1:  # noqa: PLR2004 - planes one after the other
        values = np.moveaxis(values, 0, -1)
    native = values.dtype.newbyteorder("=")
    values = values.astype(np.uint8 if native == np.bool_ else native, copy=False)
    if values.shape != (height, width, count) or values.dtype.itemsize != _bytes(page):
        raise damaged(f"its tags do not fit its {values.shape} values of {values.dtype}", path)
    bits = page.bitspersample if page.bitspersample % _BITS_A_BYTE else None
    alpha = count - 1 if page.extrasamples else None
    undefined = _undefined(page, values[..., :alpha], path)
    return Channels(values, alpha, page.compression == JPEG, bits, undefined)


def _bytes(page: tifffile.TiffPage) -> int:
    """How many bytes a value has when it is unpacked."""
    return int(2 ** math.ceil(math.log2(-(-page.bitspersample // _BITS_A_BYTE))))


def _require_upright(page: tifffile.TiffPage, path: Path) -> None:
    require_upright(page.tags.valueof(ORIENTATION, 1), f"Orientation (tag {ORIENTATION})", path)
    xmp = page.tags.valueof(_XMP)
    if isinstance(xmp, bytes):
        require_upright_xmp(xmp, path)


def _require_all_there(page: tifffile.TiffPage, path: Path) -> None:
    """Raises InputError unless every strip and tile is in the file, and of a whole one's size."""
    named = "tiles" if page.is_tiled else "strips"
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    if len(segments) != math.prod(page.chunked) or len(page.databytecounts) != len(segments):
        raise damaged(f"it lists {len(segments)} {named}, not {math.prod(page.chunked)}", path)
    end = page.parent.filehandle.size
    left_out = segments.count((0, 0))
    if left_out:
        what = f"{left_out} of its {len(segments)} {named} are left out (offset and byte count 0), "
        raise not_read(what + "and their pixels undefined", path, "write it whole")
    missing = sum(not (at > 0 and 0 < count <= end - at) for at, count in segments)
    if missing:
        raise damaged(f"{missing} of its {len(segments)} {named} are not there", path)
    if page.compression == 1 and not page.is_tiled:
        _require_full_strips(page, path)
    if page.compression == JPEG:
        _require_whole_jpegs(page, path)


def _require_full_strips(page: tifffile.TiffPage, path: Path) -> None:
    planes = page.samplesperpixel if page.planarconfig == 1 else 1
    row = -(-page.imagewidth * planes * page.bitspersample // _BITS_A_BYTE)
    a_plane = -(-page.imagelength // page.rowsperstrip)
    most = row * min(page.rowsperstrip, page.imagelength)
    for index, count in enumerate(page.databytecounts):
        top = index % a_plane * page.rowsperstrip
        wanted = row * min(page.rowsperstrip, page.imagelength - top)
        if count < wanted:
            raise damaged(f"strip {index} has {count} bytes, not {wanted}", path)
        if page.bitspersample in PACKED and count != wanted:
            # Levels that are not packed after all, whatever the tags say.
            what = f"strips of {count} bytes do not hold packed levels"
            raise not_read(f"BitsPerSample (tag 258) is {page.bitspersample}, but {what}", path)
        if count >= 2 * most:
            # Further planes, or wider levels than the tags say.
            what = f"StripByteCounts (tag 279) is {count}, but its tags describe {most} bytes"
            raise not_read(what, path)


def _require_whole_jpegs(page: tifffile.TiffPage, path: Path) -> None:
    """Raises InputError if any strip lacks part of its pixels: the decoder would fill them in."""
    file = page.parent.filehandle
    tables = page.jpegtables
    for at, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(at)
        data = file.read(count)
        if tables is not None:
            data = tables[:-2] + data[2:]
        decoded(data, "GRAY", path)


def _undefined(page: tifffile.TiffPage, seen: Values, path: Path) -> npt.NDArray[np.bool_] | None:
    """Where pixels have the value that stands for none, if GDAL has left one."""
    text = page.tags.valueof(_NODATA)
    if text is None:
        return None
    try:
        value = float(str(text).strip(" \0").replace(",", "."))
    except ValueError:
        raise not_read(f"GDAL_NODATA (tag {_NODATA}) is {text!r}", path) from None
    none = np.isnan(seen) if math.isnan(value) else np.equal(seen, value)
    undefined: npt.NDArray[np.bool_] = np.all(none, axis=2, keepdims=True)[..., 0]
    return undefined if undefined.any() else None
