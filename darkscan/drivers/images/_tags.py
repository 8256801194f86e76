"""Reads a TIFF's tags: they say where its image is, and whether images of that kind are read."""

import logging
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import tifffile
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, PREDICTOR, SAMPLEFORMAT

from darkscan.drivers.images._channels import damaged, not_read
from darkscan.pipeline.core.errors import InputError

# Its messages about odd tags are either harmless or found out here as well.
logging.getLogger("tifffile").disabled = True

ORIENTATION = 274
"""The tag that says how an image is to be turned before it is shown."""

JPEG = COMPRESSION.JPEG
_GREY, _RGB, _YCBCR = PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR
_PLANES: dict[int, int] = {_GREY: 1, _RGB: 3, _YCBCR: 3}
_ALPHA = ((EXTRASAMPLE.ASSOCALPHA,), (EXTRASAMPLE.UNASSALPHA,))
_COMPRESSIONS = (
    COMPRESSION.NONE,
    COMPRESSION.LZW,
    JPEG,
    COMPRESSION.ADOBE_DEFLATE,
    COMPRESSION.DEFLATE,
    COMPRESSION.PACKBITS,
    COMPRESSION.LZMA,
    COMPRESSION.ZSTD,
)
_BITS: dict[int, tuple[int, ...]] = {
    SAMPLEFORMAT.UINT: (1, 2, 4, 8, 10, 12, 14, 16, 32),
    SAMPLEFORMAT.INT: (8, 16, 32),
    SAMPLEFORMAT.IEEEFP: (16, 32, 64),
}
PACKED = (10, 12, 14)
"""Bits of levels that are stored one after the other without gaps."""

_BYTE = 8
_COLOUR_BITS = (8, 16)
_PREDICTABLE: dict[int, tuple[int, ...]] = {
    PREDICTOR.HORIZONTAL: (SAMPLEFORMAT.UINT, SAMPLEFORMAT.INT),
    PREDICTOR.FLOATINGPOINT: (SAMPLEFORMAT.IEEEFP,),
}
_PREDICTED_BITS = (8, 16, 32, 64)
_METAMORPH_PLANES = 33629  # UIC2tag: a value for each of the planes, which lie one after the other
_REDUCED = 1  # the bit of NewSubfileType


def opened(file: BinaryIO) -> tifffile.TiffFile:
    """A TIFF to be read from an open file; other files that it may name are not looked for."""
    return tifffile.TiffFile(file, _multifile=False)


def image_page(tiff: tifffile.TiffFile, path: Path) -> tifffile.TiffPage:
    """The only page that is no smaller copy of another. Raises InputError if there are several."""
    pages = [tiff.pages[index].aspage() for index in range(len(tiff.pages))]
    if not pages:
        raise damaged("its pages are not there", path)
    full = [page for page in pages if not page.subfiletype & _REDUCED]
    if len(full) > 1:
        raise InputError(f"holds {len(full)} pages, wanted is one image a file", file=path)
    if not full:
        raise not_read("NewSubfileType (tag 254) says that it only holds previews", path)
    (page,) = full
    below = page.pages or ()
    if any(not sub.aspage().subfiletype & _REDUCED for sub in below):
        raise not_read("SubIFDs (tag 330) hold further images", path)
    if _continues(tiff, pages[-1]):
        raise damaged("its list of pages is cut off", path)
    if stack := _stack(tiff, page):
        raise InputError(f"holds a stack of {stack}, wanted is one image a file", file=path)
    return page


def _stack(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> str:
    """The shape or the number of the images that follow within a page; empty if it has but one."""
    planes = page.tags.get(_METAMORPH_PLANES)
    if planes is not None and planes.count > 1:
        return f"{planes.count} images"
    images = int((tiff.imagej_metadata or {}).get("images", 1))
    for series in tiff.series:
        if series.size > page.size:
            return "x".join(str(length) for length in series.shape)
    return f"{images} images" if images > 1 else ""


def require_readable(page: tifffile.TiffPage, path: Path) -> None:
    """Raises InputError, naming tag and value, unless all tags are those of a known kind."""
    for what in (*_layout(page), *_predictor(page), *_samples(page)):
        raise not_read(what, path)


def _layout(page: tifffile.TiffPage) -> Iterator[str]:
    """Tag and value of each feature of a page's coding that is not read."""
    if page.compression not in _COMPRESSIONS:
        yield _said(page, 259)
    if page.tags.get(262) is None:
        yield _said(page, 262)
    elif page.photometric not in _PLANES:
        white = page.photometric == PHOTOMETRIC.MINISWHITE
        yield _said(page, 262, "which means that 0 is white" if white else "")
    if page.photometric == _YCBCR and page.compression != JPEG:
        yield _said(page, 262, "without JPEG compression")
    if page.fillorder != 1:
        yield _said(page, 266)
    if page.imagedepth != 1:
        yield _said(page, 32997)
    jpeg_planes = page.compression == JPEG and page.samplesperpixel > 1
    if page.planarconfig not in {1, 2} or (page.planarconfig == 2 and jpeg_planes):  # noqa: PLR2004
        yield _said(page, 284, "with JPEG compression" if jpeg_planes else "")


def _predictor(page: tifffile.TiffPage) -> Iterator[str]:
    """Tag and value of a predictor that is not read."""
    if page.predictor == PREDICTOR.NONE:
        return
    numbers = _PREDICTABLE.get(page.predictor, ())
    plain = page.compression in {COMPRESSION.NONE, JPEG}
    if page.sampleformat not in numbers or page.bitspersample not in _PREDICTED_BITS or plain:
        how = f"of {page.bitspersample} bits, Compression {_named(page.compression)}"
        yield _said(page, 317, f"with SampleFormat {_named(page.sampleformat)} {how}")


def _samples(page: tifffile.TiffPage) -> Iterator[str]:
    """Tag and value of each feature of a page's samples that is not read."""
    bits, count = page.bitspersample, page.samplesperpixel
    planes = _PLANES.get(page.photometric, 0)
    if page.sampleformat not in _BITS:
        yield _said(page, 339)
    if bits not in _BITS.get(page.sampleformat, ()):
        yield _said(page, 258, f"with SampleFormat {_named(SAMPLEFORMAT(page.sampleformat))}")
    if page.compression == JPEG and count == 2:  # noqa: PLR2004
        yield _said(page, 277, "with JPEG compression")
    if page.compression == JPEG and bits != _BYTE:
        yield _said(page, 258, "with JPEG compression")
    if page.compression != COMPRESSION.NONE and bits in PACKED:
        yield _said(page, 258, f"with Compression {_named(page.compression)}")
    if count not in {planes, planes + 1}:
        yield _said(page, 277)
    if count == planes + 1 and page.extrasamples[:1] not in _ALPHA:
        yield _said(page, 338, "and the last channel may be anything")
    if count > 1 and not (bits in _COLOUR_BITS and page.sampleformat == SAMPLEFORMAT.UINT):
        yield _said(page, 258, f"with SamplesPerPixel {count}")


def _said(page: tifffile.TiffPage, code: int, why: str = "") -> str:
    """A tag's name, number and value, and the reason why it is not read."""
    tag = page.tags.get(code)
    value = "missing" if tag is None else _named(tag.value)
    return f"{tifffile.TIFF.TAGS[code]} (tag {code}) is {value}" + (f" {why}" if why else "")


def _named(value: object) -> str:
    """A tag's value, with its name where it has one."""
    if isinstance(value, tuple):
        named = [_named(each) for each in value]
        return named[0] if len(set(named)) == 1 else ", ".join(named)
    return f"{value.value} ({value.name})" if isinstance(value, IntEnum) else str(value)


def _continues(tiff: tifffile.TiffFile, last: tifffile.TiffPage) -> bool:
    """Whether the last page that could be read says that another follows."""
    layout, file = tiff.tiff, tiff.filehandle
    file.seek(last.offset)
    (count,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
    file.seek(last.offset + layout.tagnosize + count * layout.tagsize)
    end = file.read(layout.offsetsize)
    return len(end) == layout.offsetsize and struct.unpack(layout.offsetformat, end) != (0,)
