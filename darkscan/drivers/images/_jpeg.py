"""Reads JPEG images: libjpeg decodes them, and none of its complaints is overheard."""

import io
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

from darkscan.drivers.images._channels import Channels, damaged, not_read, require_size
from darkscan.drivers.images._orientation import require_upright_exif, require_upright_xmp
from darkscan.drivers.images._tags import opened
from darkscan.pipeline.core.errors import InputError

_SIGNATURE = b"\xff\xd8"
_SCAN, _END, _HEIGHT, _EXIF, _PICTURES = 0xDA, 0xD9, 0xDC, 0xE1, 0xE2
_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive"}
_OTHER_FRAMES = {
    0xC3: "lossless",
    0xC5: "differential sequential",
    0xC6: "differential progressive",
    0xC7: "differential lossless",
    0xC9: "arithmetic",
    0xCA: "arithmetic progressive",
    0xCB: "arithmetic lossless",
    0xCD: "arithmetic differential sequential",
    0xCE: "arithmetic differential progressive",
    0xCF: "arithmetic differential lossless",
    0xF7: "JPEG-LS",
}
_PRECISION = 8
_PICTURE_LIST = 0xB002  # entries of 16 bytes, the first four the picture's kind
_PREVIEW = 1
_COLOURS = {1: "GRAY", 3: "RGB"}
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")  # begins a segment with content, or the end
# Within a scan FF is followed by 0, or a restart marker; fill bytes are FF as well.
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def is_jpeg(head: bytes) -> bool:
    """Whether a file is a JPEG, by its first bytes."""
    return head.startswith(_SIGNATURE)


def read_jpeg(data: bytes, path: Path) -> Channels:
    """Reads a JPEG of 8 bits, grey or colour; ``path`` names it in errors.

    Bytes between its segments that belong to none are passed over. Raises InputError if it is
    damaged, holds several pictures, is to be turned, or is of a kind that is not read.
    """
    segments = list(_segments(data, path))
    frame, late_height = b"", False
    for marker, segment in segments:
        if marker in _FRAMES:
            frame = segment[4:]
        elif marker == _EXIF:
            _require_upright(segment[4:], path)
        late_height |= marker == _HEIGHT
    _require_single(segments, path)
    if late_height and frame[1:3] == b"\0\0":
        raise not_read("it is a JPEG whose height follows its pixels (DNL)", path)
    height, width, colours = _shape(frame, path)
    values = decoded(_SIGNATURE + b"".join(segment for _, segment in segments), colours, path)
    if values.shape[:2] != (height, width) or values.dtype != np.uint8:
        raise damaged(f"its header does not fit its {values.shape} values", path)
    return Channels(values, lossy=True)


def decoded(data: bytes, colours: str, path: Path) -> npt.NDArray[np.uint8]:
    """The pixels (H, W, channels) of a JPEG in the colour space ``colours``.

    Raises InputError if any of them are missing, or its channels are subsampled oddly.
    """
    try:
        values: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours)
    except ValueError as error:
        if "subsampling" in str(error) and data.startswith(_SIGNATURE):
            raise not_read("it is a JPEG with unusual subsampling of its colours", path) from error
        raise damaged(error, path) from error
    return values


def _segments(data: bytes, path: Path) -> Iterator[tuple[int, bytes]]:
    """The marker and the bytes of each segment; scans with their pixels, the end with the rest."""
    at = len(_SIGNATURE)
    while found := _MARKER.search(data, at):
        at, marker = found.end() - 2, data[found.end() - 1]
        if marker in _OTHER_FRAMES:
            raise not_read(f"SOF marker FF{marker:02X} says {_OTHER_FRAMES[marker]} JPEG", path)
        if marker == _END:
            yield marker, data[at:]
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        yield marker, data[at:end]
        at = end
    raise damaged("part of its pixels is not there", path)


def _shape(frame: bytes, path: Path) -> tuple[int, int, str]:
    """Height, width and colour space. Raises InputError if they are not those of a known kind."""
    if len(frame) < 6:  # noqa: PLR2004
        raise damaged("it has no picture", path)
    precision, height, width, count = struct.unpack(">BHHB", frame[:6])
    if precision != _PRECISION:
        raise not_read(f"it is a JPEG of {precision} bits", path)
    if count not in _COLOURS:
        what = "CMYK" if count == 4 else f"{count} channels"  # noqa: PLR2004
        raise not_read(f"it is a JPEG of {what}", path)
    require_size(width, height, path)
    return height, width, _COLOURS[count]


def _require_upright(segment: bytes, path: Path) -> None:
    if segment.startswith(b"Exif\0\0"):
        require_upright_exif(segment, path)
    elif segment.startswith(_XMP):
        require_upright_xmp(segment, path)


def _require_single(segments: Sequence[tuple[int, bytes]], path: Path) -> None:
    """Raises InputError if there is another picture that is no preview of this one."""
    listed = False
    for marker, segment in segments:
        if marker == _PICTURES and segment[4:].startswith(b"MPF\0"):
            listed = True
            _require_previews(segment[8:], path)
    behind = segments[-1][1][2:]
    if behind.startswith(_SIGNATURE + b"\xff") and not listed:
        problem = "holds another JPEG behind the first, wanted is one image a file"
        raise InputError(problem, file=path)


def _require_previews(pictures: bytes, path: Path) -> None:
    """Raises InputError if a list of pictures (MPF) names more than one that is no preview."""
    kinds = "<u4" if pictures.startswith(b"II") else ">u4"
    try:
        with opened(io.BytesIO(pictures)) as listed:
            entries = listed.pages.first.tags.valueof(_PICTURE_LIST, b"")
        classes = np.frombuffer(entries, kinds)[::4] >> 16 & 0xFF
    except Exception as error:  # whatever a parser stumbles over in a damaged list
        raise damaged("its list of pictures cannot be read", path) from error
    count = int((classes != _PREVIEW).sum())
    if count > 1:
        raise InputError(f"holds {count} pictures, wanted is one image a file", file=path)
