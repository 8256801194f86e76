"""Image files made byte by byte: what no library would write, or not so plainly."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.integer[Any]]
Tags = Mapping[int, Sequence[int]]

_SHORT, _LONG = 3, 4
_LONGS = (273, 279)  # offsets and byte counts of strips
PNG = b"\x89PNG\r\n\x1a\n"


def tags_of(pixels: Pixels, bits: int) -> dict[int, Sequence[int]]:
    """The tags of a plain grey TIFF of one strip."""
    height, width = pixels.shape[:2]
    tags = {256: width, 257: height, 258: bits, 259: 1, 262: 1, 277: 1, 278: height}
    return {tag: (value,) for tag, value in tags.items()}


def tiff(tags: Tags, *strips: bytes, order: str = "<", next_page: int = 0) -> bytes:
    """A TIFF of one page. Offsets and counts of the strips are added unless they are given."""
    counts = {273: [0] * len(strips), 279: [len(strip) for strip in strips]}
    entries = {**counts, **tags}
    end = 8 + 2 + 12 * len(entries) + 4
    outside, directory = b"", struct.pack(f"{order}H", len(entries))
    longs = {tag: [0] * len(entries[tag]) for tag in entries if tag in _LONGS}
    size = sum(4 * len(values) for values in longs.values() if len(values) > 1)
    size += sum(2 * len(v) for tag, v in entries.items() if tag not in _LONGS and len(v) > 2)
    if 273 not in tags:
        places = np.cumsum([end + size, *(len(strip) for strip in strips)])[:-1]
        entries[273] = places.tolist()
    for tag in sorted(entries):
        kind = _LONG if tag in _LONGS else _SHORT
        values = entries[tag]
        body = struct.pack(f"{order}{len(values)}{'I' if kind == _LONG else 'H'}", *values)
        if len(body) > 4:
            body, outside = struct.pack(f"{order}I", end + len(outside)), outside + body
        directory += struct.pack(f"{order}HHI", tag, kind, len(values)) + body.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + directory + struct.pack(f"{order}I", next_page) + outside + b"".join(strips)


def packed(levels: Pixels, bits: int) -> bytes:
    """Levels (H, W) of a few bits each, the highest bit first, every row from a whole byte on."""
    places = np.arange(bits - 1, -1, -1)
    spread = (levels[..., np.newaxis] >> places & 1).astype(np.uint8)
    return np.packbits(spread.reshape(len(levels), -1), axis=1).tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(rows: Sequence[bytes], width: int, depth: int, colour: int, *extra: bytes) -> bytes:
    """A PNG of packed rows, with chunks between its header and its pixels."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = (chunk(b"IHDR", header), *extra, chunk(b"IDAT", body), chunk(b"IEND", b""))
    return PNG + b"".join(parts)


def by_pillow(pixels: Pixels, kind: str, mode: str | None = None, **options: Any) -> bytes:
    """An image as Pillow writes it."""
    image = Image.fromarray(pixels)
    content = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(content, kind, **options)
    return content.getvalue()


def exif_with(orientation: int) -> Image.Exif:
    """EXIF that says how to turn an image."""
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def smooth(height: int = 40, width: int = 56) -> npt.NDArray[np.uint8]:
    """Levels that a lossy compression changes little."""
    y, x = np.mgrid[0:height, 0:width]
    levels: npt.NDArray[np.uint8] = (40 + 2 * y + x).astype(np.uint8)
    return levels


def smooth_colours() -> npt.NDArray[np.uint8]:
    """The same, of three colours (H, W, 3)."""
    grey = smooth()
    return np.stack([grey, grey[::-1], grey[:, ::-1]], axis=2)
