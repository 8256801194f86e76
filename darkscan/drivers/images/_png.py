"""Reads PNG images: libpng decodes them, after their chunks have been found whole."""

import logging
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np

from darkscan.drivers.images._channels import Channels, damaged, not_read, require_size
from darkscan.drivers.images._orientation import require_upright_exif, require_upright_xmp
from darkscan.pipeline.core.errors import InputError

# It would print warnings of what does no harm to pixels.
logging.getLogger("imagecodecs").disabled = True

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_COLOURS = {0: 1, 2: 3, 3: 3, 4: 1, 6: 3}  # channels by colour type, without alpha
_PALETTE = 3
_WITH_ALPHA = (4, 6)
_BYTE = 8
_KNOWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"Raw profile type "  # how ImageMagick keeps EXIF and XMP
_RAW_PROFILES = (b"exif", b"app1", b"xmp")
_LONGEST_TEXT = 2**24


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    colour_type: int
    transparent: bool

    @property
    def alpha(self) -> bool:
        """Whether the decoder gives alpha; transparent colours become a channel of it."""
        return self.colour_type in _WITH_ALPHA or self.transparent

    @property
    def channels(self) -> int:
        """How many channels the decoder gives."""
        return _COLOURS[self.colour_type] + self.alpha


def is_png(head: bytes) -> bool:
    """Whether a file is a PNG, by its first bytes."""
    return head.startswith(_SIGNATURE)


def read_png(data: bytes, path: Path) -> Channels:
    """Reads a PNG's levels as they are stored, palettes looked up; ``path`` names it in errors.

    Raises InputError if it is damaged, holds several pictures, or is to be turned.
    """
    header = _header(data, path)
    require_size(header.width, header.height, path)
    try:
        values = np.atleast_3d(imagecodecs.png_decode(data))
    except (RuntimeError, ValueError) as error:
        raise damaged(str(error) or "its pixels cannot be unpacked", path) from error
    dtype = np.uint8 if header.depth <= _BYTE else np.uint16
    if values.shape != (header.height, header.width, header.channels) or values.dtype != dtype:
        raise damaged(f"its header does not fit its {values.shape} {values.dtype} values", path)
    alpha = values.shape[2] - 1 if header.alpha else None
    bits = header.depth if header.depth < _BYTE and header.colour_type != _PALETTE else None
    if bits is not None:
        # The decoder spreads such levels over a byte.
        values[..., :alpha] //= 255 // (2**bits - 1)
    return Channels(values, alpha, bits=bits)


def _header(data: bytes, path: Path) -> _Header:
    """The image's properties by its chunks, once all of them are found whole."""
    content: dict[bytes, bytes] = {}
    for kind, body in _chunks(data, path):
        if not kind[0] & 0x20 and kind not in _KNOWN:
            raise not_read(f"it has the chunk {kind.decode(errors='replace')!r}", path)
        if kind == b"acTL" and body[:4] != (1).to_bytes(4, "big"):
            count = int.from_bytes(body[:4], "big")
            raise InputError(f"holds {count} pictures, wanted is one image a file", file=path)
        _require_upright(kind, body, path)
        content.setdefault(kind, body)
    fields = _HEADER.unpack(content[b"IHDR"]) if len(content[b"IHDR"]) == _HEADER.size else None
    if fields is None or fields[3] not in _COLOURS:
        raise damaged("its header is no PNG header", path)
    if fields[3] == _PALETTE and b"PLTE" not in content:
        raise damaged("its palette is not there", path)
    width, height, depth, colour_type = fields[:4]
    return _Header(width, height, depth, colour_type, b"tRNS" in content)


def _chunks(data: bytes, path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the content of each chunk, in order. Raises InputError if one is not whole."""
    at = len(_SIGNATURE)
    kind = b""
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        checksum = data[at + 8 + length : at + 12 + length]
        if len(checksum) < 4:  # noqa: PLR2004
            raise damaged("it is cut off", path)
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(checksum, "big"):
            raise damaged(f"the checksum of {kind.decode(errors='replace')!r} is wrong", path)
        if at == len(_SIGNATURE) and kind != b"IHDR":
            raise damaged("it does not begin with its header", path)
        yield kind, body
        at += 12 + length
    if data.startswith(_SIGNATURE, at):
        raise InputError(
            "holds another PNG behind the first, wanted is one image a file", file=path
        )


def _require_upright(kind: bytes, body: bytes, path: Path) -> None:
    if kind == b"eXIf":
        require_upright_exif(body, path)
    elif kind in _TEXTS:
        profile = _profile(kind, body)
        require_upright_exif(profile, path)
        require_upright_xmp(profile, path)


def _profile(kind: bytes, body: bytes) -> bytes:
    """The EXIF or XMP that a text holds, plain or as hexadecimal digits; empty if none."""
    keyword, _, content = body.partition(b"\0")
    raw = keyword.removeprefix(_RAW_PROFILE).lower() in _RAW_PROFILES
    if not raw and keyword != _XMP:
        return b""
    try:
        text = _text(kind, content)
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii")) if raw else text
    except (zlib.error, ValueError):
        return b""


def _text(kind: bytes, content: bytes) -> bytes:
    """The text behind a keyword, unpacked."""
    compressed = kind == b"zTXt"
    if kind == b"zTXt":
        content = content[1:]
    elif kind == b"iTXt":
        compressed = content[:1] == b"\1"
        _language, _translation, content = content[2:].split(b"\0", 2)
    return zlib.decompressobj().decompress(content, _LONGEST_TEXT) if compressed else content
