"""PNG of every colour type and depth gives the levels it stores; what is not whole is refused."""

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from darkscan.drivers.images import read_channels, read_picture
from darkscan.pipeline.errors import InputError
from tests.images.files import PNG, by_pillow, chunk, packed, png
from tests.images.samples import noise

HEIGHT, WIDTH = 20, 24


def rows(pixels: Any) -> list[bytes]:
    """Rows of whole bytes, or of two, the higher first."""
    return [row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels]


def levels(dtype: str = "uint8", count: int = 0, top: int | None = None) -> Any:
    if top is None:
        top = np.iinfo(dtype).max
    if not count:
        return noise(HEIGHT, WIDTH, top, dtype)
    return np.stack([noise(HEIGHT, WIDTH, top - n, dtype) for n in range(count)], axis=2)


def opaque(pixels: Any) -> Any:
    pixels[..., -1] = np.iinfo(pixels.dtype).max
    return pixels


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits_are_their_own_levels(tmp_path: Path, depth: int) -> None:
    stored = noise(HEIGHT, WIDTH, 2**depth - 1).astype(np.uint8)
    width = WIDTH * depth // 8
    content = packed(stored, depth)
    lines = [content[width * y : width * (y + 1)] for y in range(HEIGHT)]
    (tmp_path / "a.png").write_bytes(png(lines, WIDTH, depth, 0))
    picture = read_picture(tmp_path / "a.png")
    np.testing.assert_array_equal(picture.levels, stored)
    assert (picture.pixel_type, picture.bits) == ("uint8", depth)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("colour", "count"),
    [(0, 1), (2, 3), (4, 2), (6, 4)],
    ids=["grey", "RGB", "grey and alpha", "RGB and alpha"],
)
def test_every_colour_type_is_read_as_stored(
    tmp_path: Path, dtype: str, colour: int, count: int
) -> None:
    stored = levels(dtype, count)
    if colour > 2:
        opaque(stored)
    depth = 8 * stored.dtype.itemsize
    (tmp_path / "a.png").write_bytes(png(rows(stored), WIDTH, depth, colour))
    channels = read_channels(tmp_path / "a.png")
    np.testing.assert_array_equal(channels.values, stored)
    assert channels.values.dtype == dtype
    assert (channels.alpha, channels.lossy) == (count - 1 if colour > 2 else None, False)
    picture = read_picture(tmp_path / "a.png")
    expected = stored[..., 0]
    if count > 2:
        expected = cv2.cvtColor(np.ascontiguousarray(stored[..., :3]), cv2.COLOR_RGB2GRAY)
    np.testing.assert_array_equal(picture.levels, expected)
    assert picture.colour is (count > 2)


@pytest.mark.parametrize("transparent", [b"", b"\xff" * 9], ids=["opaque", "with opaque tRNS"])
def test_palettes_are_looked_up(tmp_path: Path, transparent: bytes) -> None:
    palette = np.random.default_rng(3).integers(0, 256, (256, 3)).astype(np.uint8)
    index = levels()
    extra = [chunk(b"PLTE", palette.tobytes())]
    extra += [chunk(b"tRNS", transparent)] if transparent else []
    (tmp_path / "a.png").write_bytes(png(rows(index), WIDTH, 8, 3, *extra))
    channels = read_channels(tmp_path / "a.png")
    np.testing.assert_array_equal(channels.seen, palette[index])
    assert not channels.alpha_varies
    assert read_picture(tmp_path / "a.png").colour


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("colours", [False, True], ids=["grey", "RGB"])
def test_a_transparent_colour_is_alpha(tmp_path: Path, dtype: str, colours: bool) -> None:
    stored = levels(dtype, 3 if colours else 1, top=200)
    depth = 8 * stored.dtype.itemsize
    for key, varies in ((stored[3, 3].tolist(), True), ([201] * stored.shape[2], False)):
        extra = chunk(b"tRNS", struct.pack(f">{len(key)}H", *key))
        (tmp_path / "a.png").write_bytes(png(rows(stored), WIDTH, depth, 2 * colours, extra))
        channels = read_channels(tmp_path / "a.png")
        np.testing.assert_array_equal(channels.seen, stored)
        assert channels.alpha_varies is varies
        if varies:
            assert not channels.values[3, 3, channels.alpha]


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"sBIT", b"\x0c"),
        chunk(b"gAMA", struct.pack(">I", 45455)),
        chunk(b"sRGB", b"\0"),
        chunk(b"tEXt", b"Title\0an optic"),
        chunk(b"acTL", struct.pack(">II", 1, 0)),
        chunk(b"prVt", b"of our own"),
    ],
    ids=["sBIT", "gAMA", "sRGB", "tEXt", "animation of one picture", "unknown"],
)
def test_remarks_change_no_level(tmp_path: Path, extra: bytes) -> None:
    stored = levels("uint16")
    (tmp_path / "a.png").write_bytes(png(rows(stored), WIDTH, 16, 0, extra) + b"behind the end")
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").levels, stored)


def test_interlaced_is_read(tmp_path: Path) -> None:
    stored = levels()
    starts = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
    starts += [(0, 1, 2, 2), (1, 0, 2, 1)]
    body = b"".join(
        b"\0" + row for y, x, down, right in starts for row in rows(stored[y::down, x::right])
    )
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 1))
    parts = (PNG, header, chunk(b"IDAT", zlib.compress(body)), chunk(b"IEND", b""))
    (tmp_path / "a.png").write_bytes(b"".join(parts))
    np.testing.assert_array_equal(read_picture(tmp_path / "a.png").levels, stored)


WHOLE = png(rows(levels()), WIDTH, 8, 0, chunk(b"tEXt", b"Title\0an optic"))


def flipped(place: int) -> bytes:
    content = bytearray(WHOLE)
    content[place] ^= 4
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (flipped(WHOLE.index(b"IDAT") + 60), "the checksum of 'IDAT' is wrong"),
        (flipped(WHOLE.index(b"tEXt") + 8), "the checksum of 'tEXt' is wrong"),
        (flipped(18), "the checksum of 'IHDR' is wrong"),
        (WHOLE[: len(WHOLE) // 2], "it is cut off"),
        (WHOLE[:-12], "it is cut off"),
        (WHOLE[:8], "it is cut off"),
        (PNG + chunk(b"IEND", b""), "it does not begin with its header"),
        (png(rows(levels())[:9], WIDTH + 9, 8, 0), "."),
        (png(rows(levels()), WIDTH, 8, 5), "its header is no PNG header"),
        (png(rows(levels()), WIDTH, 8, 3), "its palette is not there"),
        (png(rows(levels()), 0, 8, 0), "its size is given as 0x20"),
    ],
    ids=[
        "pixels changed",
        "text changed",
        "header changed",
        "half",
        "no end",
        "nothing",
        "no header",
        "rows too short",
        "no such colour type",
        "no palette",
        "no width",
    ],
)
def test_what_is_not_whole_is_refused(
    tmp_path: Path, content: bytes, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=f"is damaged: .*{problem}"):
        read_picture(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            by_pillow(
                levels(), "PNG", save_all=True, append_images=[Image.fromarray(255 - levels())]
            ),
            "holds 2 pictures",
        ),
        (png(rows(levels()), WIDTH, 8, 0, chunk(b"CgBI", b"1234")), "is not read: .*'CgBI'"),
        (png(rows(levels("uint8", 2)), WIDTH, 8, 4), "alpha channel with more than one value"),
    ],
    ids=["animation", "Apple's own", "alpha that varies"],
)
def test_other_kinds_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=problem):
        read_picture(tmp_path / "a.png")


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 2**16, 2**15, 8, 0, 0, 0, 0)
    content = PNG + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match=r"65536x32768 pixels, which is more than are read"):
        read_picture(tmp_path / "a.png")
