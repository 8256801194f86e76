"""One rule for all formats, images and masks: levels as stored, and upright or refused."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from darkscan.drivers.images import read_channels, read_picture
from darkscan.pipeline.errors import InputError
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


def png_raw_profile(path: Path, value: int) -> None:
    exif = exif_with(value).tobytes()
    text = f"\nexif\n{len(exif):8}\n{exif.hex()}\n".encode()
    with_chunk(path, b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text))


WAYS = [tiff_tag, tiff_xmp, jpeg_exif, jpeg_xmp, png_exif, png_xmp, png_raw_profile]


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


def test_exif_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    with_chunk(tmp_path / "a.png", b"eXIf", b"no EXIF at all")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").levels, smooth())
