"""What image files hold, and which are refused."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.drivers.images import Mosaic, read_picture
from darkscan.drivers.images import _picture as picture
from darkscan.pipeline.core.errors import InputError
from tests.images.files import by_pillow, smooth, smooth_colours
from tests.images.samples import Array, noise, write_image


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.fits"])
@pytest.mark.parametrize("top", [255, 1023, 65535])
def test_levels_are_read_as_they_are(tmp_path: Path, name: str, top: int) -> None:
    pixels = noise(30, 40, top, "uint8" if top == 255 else "uint16")
    picture = read_picture(write_image(tmp_path / name, pixels))
    np.testing.assert_array_equal(picture.levels, pixels)
    assert picture.pixel_type == str(pixels.dtype)
    assert picture.levels.dtype.isnative


def test_jpeg_is_read(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(64, 192, dtype=np.uint8), (64, 1))
    picture = read_picture(write_image(tmp_path / "a.jpg", ramp))
    assert np.abs(picture.levels.astype(int) - ramp).max() <= 3


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "with alpha"])
def test_colour_becomes_luminance_and_alpha_is_ignored(
    tmp_path: Path, dtype: str, alpha: bool
) -> None:
    unit = 1 if dtype == "uint8" else 256
    blue_green_red = np.array([[[200, 0, 0], [0, 200, 0], [0, 0, 200], [77, 77, 77]]], dtype) * unit
    if alpha:
        see_through = np.full((1, 4, 1), 3, dtype)
        blue_green_red = np.concatenate([blue_green_red, see_through], axis=2)
    picture = read_picture(write_image(tmp_path / "a.png", blue_green_red))
    expected = np.array([0.114 * 200, 0.587 * 200, 0.299 * 200, 77]) * unit
    assert np.abs(picture.levels[0] - expected).max() <= unit / 2 + 0.5
    assert picture.levels[0, 3] == 77 * unit
    assert picture.colour


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.fits"])
def test_kinds_are_known_by_their_first_bytes_whatever_the_name(tmp_path: Path, name: str) -> None:
    pixels = noise(30, 40, 900)
    for other in ("a.raw", "b.fits", "b.jpg"):
        write_image(tmp_path / name, pixels).rename(tmp_path / other)
        np.testing.assert_array_equal(read_picture(tmp_path / other).levels, pixels)


def test_whole_numbers_kept_as_floats_are_taken(tmp_path: Path) -> None:
    pixels = noise(30, 40, 4000, "float32")
    mosaic = Mosaic([write_image(tmp_path / "a.fits", pixels)])
    out = np.empty((30, 40), np.uint16)
    mosaic.read_into(0, 0, out)
    np.testing.assert_array_equal(out, pixels)
    assert mosaic.bit_depth == 12


def with_one(value: float, dtype: str = "float32") -> Array:
    pixels = noise(30, 40, 900, dtype)
    pixels[3, 3] = value
    return pixels


@pytest.mark.parametrize("name", ["a.fits", "a.tif"])
@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (with_one(1.5), "float32 that are not whole numbers"),
        (with_one(np.nan), "float32, 1 of them not finite"),
        (with_one(np.inf), "float32, 1 of them not finite"),
        (with_one(1e20), "float32 that are not whole numbers"),
        (with_one(70000), "levels from 0 to 70000, more than 16 bits"),
        (with_one(-65000, "int32"), "levels from -65000 to 900, more than 16 bits"),
    ],
    ids=["a fraction", "NaN", "infinite", "huge", "17 bits", "17 bits with sign"],
)
def test_pixels_that_are_no_grey_levels_are_refused(
    tmp_path: Path, name: str, pixels: Array, problem: str
) -> None:
    path = write_image(tmp_path / name, pixels)
    with pytest.raises(InputError, match=problem) as caught:
        Mosaic([path])
    assert caught.value.file == str(path)


def strips_missing_tiff() -> bytes:
    """A TIFF whose directory stands before its pixels, of which half are there."""
    height, width = 64, 64
    tags = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 200), (277, 1)]
    tags += [(278, height), (279, height * width)]
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\x00" + struct.pack("<I", 8) + directory + bytes(4)
    return head.ljust(200, b"\0") + bytes([9]) * (height * width // 2)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.fits"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_truncated_image_is_refused_silently(
    tmp_path: Path, name: str, share: float, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_image(tmp_path / name, noise(300, 400, 255, "uint8"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(InputError, match=r"is damaged|cannot be read as FITS|is not an image"):
        read_picture(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "Git LFS keeps elsewhere"),
        (b"hello, this is a letter", "is not an image"),
        (strips_missing_tiff(), "is damaged"),
        (b"SIMPLE  =                    T", "cannot be read as FITS"),
    ],
    ids=["empty", "LFS pointer", "text", "TIFF without its last strip", "FITS without an end"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        read_picture(tmp_path / "a.tif")
    assert "\n" not in str(caught.value)


def test_absent_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_picture(tmp_path / "a.png")


def test_pages_are_not_dropped_in_silence(tmp_path: Path) -> None:
    page = noise(30, 40, 255, "uint8")
    cv2.imwritemulti(str(tmp_path / "a.tif"), [page, page, page])
    with pytest.raises(InputError, match="holds 3 pages"):
        read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("kind", "pillow"),
    [
        ("BMP", "BMP"),
        ("GIF", "GIF"),
        ("WebP", "WEBP"),
        ("JPEG 2000", "JPEG2000"),
        ("PNM", "PPM"),
        ("HEIF or AVIF", "AVIF"),
        ("PDF", "PDF"),
    ],
)
def test_images_of_other_formats_are_called_by_name(tmp_path: Path, kind: str, pillow: str) -> None:
    (tmp_path / "a.img").write_bytes(by_pillow(smooth_colours(), pillow))
    with pytest.raises(InputError, match=f"is not read: it is a {kind} file; convert it to a PNG"):
        read_picture(tmp_path / "a.img")


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("DICOM", bytes(128) + b"DICM"),
        ("Photoshop", b"8BPS\0\1"),
        ("gzip", b"\x1f\x8b\x08\0"),
        ("JPEG XR", b"II\xbc\1"),
        ("NRRD", b"NRRD0004\n"),
    ],
)
def test_formats_that_pillow_does_not_write_have_names(
    tmp_path: Path, kind: str, content: bytes
) -> None:
    (tmp_path / "a.img").write_bytes(content)
    with pytest.raises(InputError, match=f"is not read: it is a {kind} file"):
        read_picture(tmp_path / "a.img")


def test_an_array_of_numpy_is_called_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", smooth())
    with pytest.raises(InputError, match="is not read: it is a NumPy file"):
        read_picture(tmp_path / "a.npy")


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a pipe", "a folder"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png: is not a file"):
        read_picture(tmp_path / "a.png")


def test_an_image_that_memory_does_not_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(picture, "read_png", too_much)
    path = write_image(tmp_path / "a.png", noise(30, 40, 255, "uint8"))
    with pytest.raises(InputError, match=r"a\.png: needs more memory than there is"):
        read_picture(path)


def measured(scale: float) -> Array:
    rng = np.random.default_rng(4)
    values = rng.normal(3.0, 1.0, (60, 80)).astype(np.float32)
    values[20] += 4.0
    return values * np.float32(scale)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 3e5], ids=["tiny", "about one", "huge"])
@pytest.mark.parametrize("name", ["a.fits", "a.tif"])
def test_measured_values_are_stretched_when_asked(tmp_path: Path, name: str, scale: float) -> None:
    values = measured(scale)
    values[5, 5] = 1e4 * scale  # a hot pixel must not take the range from the noise
    picture = read_picture(write_image(tmp_path / name, values), stretch=True)
    levels = picture.levels.astype(np.float64)
    noise = levels[30:].std()
    assert 7 < noise < 10
    assert (levels[20].mean() - np.median(levels)) / noise == pytest.approx(4.0, abs=0.3)
    assert levels.max() == 65535 or levels[5, 5] == levels.max()
    assert "in steps of" in picture.stretched


def test_gaps_in_measured_values_are_counted_and_shown_as_the_median(tmp_path: Path) -> None:
    values = measured(1.0)
    values[2, 3:6] = np.nan
    picture = read_picture(write_image(tmp_path / "a.fits", values), stretch=True)
    assert "3 that are not finite" in picture.stretched
    assert abs(int(picture.levels[2, 4]) - float(np.median(picture.levels))) <= 1


def test_levels_stay_as_they_are_though_stretching_is_allowed(tmp_path: Path) -> None:
    pixels = noise(30, 40, 900)
    picture = read_picture(write_image(tmp_path / "a.fits", pixels), stretch=True)
    np.testing.assert_array_equal(picture.levels, pixels)
    assert not picture.stretched


def test_an_image_without_a_finite_pixel_is_refused(tmp_path: Path) -> None:
    path = write_image(tmp_path / "a.fits", np.full((30, 40), np.nan, np.float32))
    with pytest.raises(InputError, match="holds no finite pixel"):
        read_picture(path, stretch=True)
