"""FITS: the image that was meant, its levels as the header says, and nothing undefined as one."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from darkscan.drivers.images import Mosaic, read_channels, read_picture
from darkscan.pipeline.errors import InputError
from tests.images.samples import noise

PREVIEW, CHIP_1, CHIP_2 = noise(15, 20, 255, "uint8"), noise(30, 40, 900), noise(30, 41, 900)


def written(path: Path, *units: Any, **options: Any) -> Path:
    fits.HDUList(list(units)).writeto(path, **options)
    return path


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Two chips of a camera behind a preview."""
    return written(
        tmp_path / "a.fits",
        fits.PrimaryHDU(),
        fits.ImageHDU(PREVIEW, name="PREVIEW"),
        fits.ImageHDU(CHIP_1, name="SCI", ver=1),
        fits.ImageHDU(CHIP_2, name="SCI", ver=2),
        fits.BinTableHDU.from_columns([fits.Column("t", "D", array=np.arange(5.0))]),
    )


def test_several_images_are_refused_and_listed(several: Path) -> None:
    listed = (
        r"holds 3 images, wanted is one: 1 \(PREVIEW,1\) of 20x15 pixels, "
        r"2 \(SCI,1\) of 40x30 pixels, 3 \(SCI,2\) of 41x30 pixels; --hdu NAME"
    )
    with pytest.raises(InputError, match=listed):
        read_picture(several)
    with pytest.raises(InputError, match=listed):
        read_channels(several)


@pytest.mark.parametrize(
    ("hdu", "expected"),
    [
        ("PREVIEW", PREVIEW),
        ("preview", PREVIEW),
        ("SCI,1", CHIP_1),
        ("sci, 2", CHIP_2),
        ("3", CHIP_2),
    ],
)
def test_hdu_chooses_by_name_version_or_number(several: Path, hdu: str, expected: Any) -> None:
    np.testing.assert_array_equal(read_picture(several, hdu=hdu).levels, expected)
    out = np.empty(expected.shape, np.uint16)
    Mosaic([several], hdu=hdu).read_into(0, 0, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize(
    ("hdu", "problem"),
    [
        ("SCI", r"--hdu: 'SCI' is 2 images of this file, which holds 2 \(SCI,1\)"),
        ("ERR", r"--hdu: 'ERR' is no image of this file, which holds 1 \(PREVIEW,1\)"),
        ("0", "'0' is no image"),
        ("4", "'4' is no image"),
        ("-1", "'-1' is no image"),
        ("", "'' is no image"),
    ],
)
def test_hdu_that_is_no_single_image_is_refused(several: Path, hdu: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        read_picture(several, hdu=hdu)


def test_hdu_is_for_fits_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(InputError, match=r"a\.png: --hdu: is no FITS file, and has no HDU"):
        read_picture(tmp_path / "a.png", hdu="1")


@pytest.mark.parametrize(
    "unit",
    [
        fits.ImageHDU(CHIP_1),
        fits.CompImageHDU(CHIP_1, compression_type="RICE_1"),
        fits.CompImageHDU(CHIP_1, compression_type="GZIP_2"),
        fits.ImageHDU(CHIP_1[np.newaxis, np.newaxis]),
        fits.ImageHDU(CHIP_1[:, :, np.newaxis]),
    ],
    ids=["an image", "compressed", "compressed by gzip", "axes of one", "a last axis of one"],
)
def test_the_only_image_is_taken(tmp_path: Path, unit: Any) -> None:
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(), unit)
    np.testing.assert_array_equal(read_picture(path).levels, CHIP_1)
    assert not read_channels(path).lossy


def test_packed_files_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(CHIP_1))
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_picture(tmp_path / "b.fits.gz").levels, CHIP_1)


def test_a_narrow_image_keeps_its_axes(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(CHIP_1[:1]))
    np.testing.assert_array_equal(read_picture(path).levels, CHIP_1[:1])


@pytest.mark.parametrize(
    ("units", "problem"),
    [
        ([fits.PrimaryHDU()], "holds no two-dimensional image"),
        ([fits.PrimaryHDU(np.arange(9))], "holds no two-dimensional image"),
        (
            [fits.PrimaryHDU(np.zeros((3, 30, 40), "u1"))],
            r"no two-dimensional image: 0 \(PRIMARY,1\) of 40x30x3",
        ),
        (
            [fits.PrimaryHDU(np.zeros((3, 30, 40), "u1")), fits.ImageHDU(CHIP_1)],
            r"holds 2 images, wanted is one: 0 .* of 40x30x3 pixels, 1 of 40x30",
        ),
    ],
    ids=["empty", "a row of numbers", "a cube", "a cube and an image"],
)
def test_what_is_no_image_is_not_taken_for_one(
    tmp_path: Path, units: list[Any], problem: str
) -> None:
    path = written(tmp_path / "a.fits", *units)
    with pytest.raises(InputError, match=problem):
        read_picture(path)


@pytest.mark.parametrize(
    ("dtype", "low", "top"),
    [
        ("uint8", 0, 255),
        ("int16", -100, 900),
        ("uint16", 0, 65535),
        ("int32", 0, 900),
        ("uint32", 0, 900),
        ("float32", 0, 900),
        ("float64", 0, 900),
    ],
)
def test_levels_are_scaled_as_the_header_says(
    tmp_path: Path, dtype: str, low: int, top: int
) -> None:
    pixels = noise(30, 40, top, dtype, low)
    picture = read_picture(written(tmp_path / "a.fits", fits.PrimaryHDU(pixels)))
    np.testing.assert_array_equal(picture.levels, pixels)


def scaled(pixels: Any, scale: float, zero: float) -> Any:
    unit = fits.PrimaryHDU(pixels)
    unit.header["BSCALE"], unit.header["BZERO"] = scale, zero
    return unit


def test_fractions_of_bscale_are_no_levels(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", scaled(noise(30, 40, 900, "int16"), 0.5, 10))
    with pytest.raises(InputError, match="float32 that are not whole numbers"):
        read_picture(path)
    assert read_picture(path, stretch=True).stretched


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
@pytest.mark.parametrize("zero", [0, 32768], ids=["signed", "unsigned by BZERO"])
def test_blank_pixels_are_no_levels(tmp_path: Path, zero: int, compressed: bool) -> None:
    stored = noise(30, 40, 900, "int16", 100)
    stored[3, 4:7] = -32768
    if compressed:
        unit: Any = fits.CompImageHDU(stored, compression_type="RICE_1")
    else:
        unit = fits.ImageHDU(stored)
    unit.header["BLANK"] = -32768
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(), unit)
    if zero:
        with fits.open(path, mode="update", do_not_scale_image_data=True) as units:
            units[1].header["BZERO"], units[1].header["BSCALE"] = zero, 1
    undefined = read_channels(path).undefined
    assert undefined is not None
    np.testing.assert_array_equal(undefined, stored == -32768)
    with pytest.raises(InputError, match="holds 3 undefined pixels"):
        read_picture(path)
    picture = read_picture(path, stretch=True)
    assert "3 that are not finite" in picture.stretched
    assert abs(int(picture.levels[3, 5]) - float(np.median(picture.levels))) <= 1


@pytest.mark.parametrize(("dtype", "blank"), [("int16", -32768), ("uint8", 255)])
def test_blank_that_no_pixel_has_changes_nothing(tmp_path: Path, dtype: str, blank: int) -> None:
    pixels = noise(30, 40, 200, dtype)
    unit = fits.PrimaryHDU(pixels)
    unit.header["BLANK"] = blank
    picture = read_picture(written(tmp_path / "a.fits", unit))
    np.testing.assert_array_equal(picture.levels, pixels)
    assert picture.pixel_type == dtype


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "compressed"])
def test_check_sums_are_checked(tmp_path: Path, compressed: bool) -> None:
    unit = fits.CompImageHDU(CHIP_1) if compressed else fits.ImageHDU(CHIP_1)
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(), unit, checksum=True)
    np.testing.assert_array_equal(read_picture(path).levels, CHIP_1)
    content = bytearray(path.read_bytes())
    content[-2880 + 9] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: its DATASUM is not that of its content"):
        read_picture(path)


def test_a_header_that_was_changed_is_told_by_its_check_sum(tmp_path: Path) -> None:
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(CHIP_1), checksum=True)
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"BZERO   =                32768", b"BZERO   =                32769")
    )
    with pytest.raises(InputError, match="is damaged: its CHECKSUM is not that"):
        read_picture(path)


@pytest.mark.parametrize(
    ("kind", "dtype", "lossy"),
    [("RICE_1", "int16", False), ("HCOMPRESS_1", "int16", True), ("RICE_1", "float32", True)],
)
def test_lossy_compression_is_told(tmp_path: Path, kind: str, dtype: str, lossy: bool) -> None:
    unit = fits.CompImageHDU(noise(30, 40, 900, dtype), compression_type=kind)
    path = written(tmp_path / "a.fits", fits.PrimaryHDU(), unit)
    assert read_channels(path).lossy is lossy
