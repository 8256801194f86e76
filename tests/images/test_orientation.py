"""One rule for all formats, images and masks: levels as stored, and upright or refused."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from darkscan.drivers.images import read_channels, read_picture
from darkscan.pipeline.core.errors import InputError
from tests.images.files import PNG, by_pillow, chunk, exif_with, smooth

XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'
_ADOBE = b"http://ns.adobe.com/xap/1.0/\0"


def tiff_tag(path: Path, value: int) -> None:
    tifffile.imwrite(path, smooth(), extratags=[(274, 3, 1, value, True)])


def tiff_xmp(path: Path, value: int) -> None:
    tifffile.imwrite(path, smooth(), extratags=[(700, 1, None, XMP % value, True)])


def jpeg_exif(path: Path, value: int) -> None:
    path.write_bytes(by_pillow(smooth(), "JPEG", exif=exif_with(value)))


def jpeg_xmp(path: Path, value: int) -> None:
    body = _ADOBE + XMP % value
    whole = by_pillow(smooth(), "JPEG")
    path.write_bytes(whole[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + whole[2:])


def png_exif(path: Path, value: int) -> None:
    path.write_bytes(by_pillow(smooth(), "PNG", exif=exif_with(value)))


def with_chunk(path: Path, kind: bytes, body: bytes) -> None:
    whole = by_pillow(smooth(), "PNG")
    after = len(PNG) + 25
    path.write_bytes(whole[:after] + chunk(kind, body) + whole[after:])


def png_xmp(path: Path, value: int) -> None:
    with_chunk(path, b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP % value)


def png_packed_xmp(path: Path, value: int) -> None:
    body = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP % value)
    with_chunk(path, b"iTXt", body)


def raw_profile(kind: str, profile: bytes) -> bytes:
    return f"\n{kind}\n{len(profile):8}\n{profile.hex()}\n".encode()


def png_raw_profile(path: Path, value: int) -> None:
    text = raw_profile("exif", exif_with(value).tobytes())
    with_chunk(path, b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


def png_short_raw_profile(path: Path, value: int) -> None:
    text = raw_profile("exif", exif_with(value).tobytes())
    with_chunk(path, b"tEXt", b"Raw profile type APP1\0" + text)


def png_raw_xmp(path: Path, value: int) -> None:
    text = raw_profile("xmp", XMP % value)
    with_chunk(path, b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(text))


def exif_of_a_tag(value: int, order: str, kind: int) -> bytes:
    """EXIF of one tag that says that there are more, and has no end."""
    code, mark = ("I", b"II") if kind == 4 else ("HH", b"II")
    mark = mark if order == "<" else b"MM"
    values = (value, 0)[: len(code)]
    head = mark + struct.pack(f"{order}HIH", 42, 8, 5)
    return head + struct.pack(f"{order}HHI{code}", 274, kind, 1, *values)


def exif_cut_off(path: Path, value: int) -> None:
    with_chunk(path, b"eXIf", exif_of_a_tag(value, "<", 3))


def exif_of_long_numbers(path: Path, value: int) -> None:
    with_chunk(path, b"eXIf", exif_of_a_tag(value, ">", 4))


WAYS = [
    tiff_tag,
    tiff_xmp,
    jpeg_exif,
    jpeg_xmp,
    png_exif,
    png_xmp,
    png_packed_xmp,
    png_raw_profile,
    png_short_raw_profile,
    png_raw_xmp,
    exif_cut_off,
    exif_of_long_numbers,
]


@pytest.mark.parametrize("read", [read_picture, read_channels], ids=["image", "mask"])
@pytest.mark.parametrize("write", WAYS, ids=lambda write: write.__name__.replace("_", " "))
def test_what_is_to_be_turned_is_refused_wherever_that_is_said(
    tmp_path: Path, write: Any, read: Any
) -> None:
    for value in (2, 3, 4, 5, 6, 7, 8, 9):
        write(tmp_path / "a.img", value)
        problem = rf"to be turned or mirrored: .*[Oo]rientation .* is {value}, not 1.*-auto-orient"
        with pytest.raises(InputError, match=problem) as caught:
            read(tmp_path / "a.img")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [0, 1], ids=["not known", "upright"])
@pytest.mark.parametrize("write", WAYS, ids=lambda write: write.__name__.replace("_", " "))
def test_upright_images_are_read(tmp_path: Path, write: Any, value: int) -> None:
    write(tmp_path / "a.img", value)
    levels = read_picture(tmp_path / "a.img").levels
    assert np.abs(levels.astype(int) - smooth()).max() <= 3


@pytest.mark.parametrize("kind", [b"eXIf", b"zTXt", b"iTXt"])
@pytest.mark.parametrize("exif", [b"no EXIF at all", b"II*\0", b"MM\0*\xff\xff\xff\xff"])
def test_exif_that_cannot_be_read_says_nothing(tmp_path: Path, kind: bytes, exif: bytes) -> None:
    keyword = {b"zTXt": b"Raw profile type exif\0", b"iTXt": b"XML:com.adobe.xmp\0"}
    with_chunk(tmp_path / "a.png", kind, keyword.get(kind, b"") + exif)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").levels, smooth())
