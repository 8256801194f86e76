"""Tiles that make one large image."""

from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.images import Mosaic
from darkscan.drivers.images import _mosaic as mosaic
from darkscan.pipeline.core.errors import InputError
from tests.images.samples import Array, noise, write_image


def tiles(folder: Path, whole: Array, rows: int, columns: int) -> list[Path]:
    """Cuts an image into files, row by row."""
    parts = [part for row in np.split(whole, rows) for part in np.split(row, columns, axis=1)]
    return [write_image(folder / f"{i:02}.tif", part) for i, part in enumerate(parts)]


def test_tiles_lie_row_by_row(tmp_path: Path) -> None:
    whole = noise(60, 120, 4095)
    laid = Mosaic(tiles(tmp_path, whole, rows=2, columns=3), columns=3)
    assert (laid.shape, laid.pixel_type, laid.bit_depth) == ((60, 120), "uint16", 12)
    out = np.empty((60, 120), np.uint16)
    laid.read_into(0, 0, out)
    np.testing.assert_array_equal(out, whole)


def test_images_lie_in_one_row_unless_told(tmp_path: Path) -> None:
    paths = tiles(tmp_path, noise(60, 120, 4095), rows=2, columns=3)
    assert Mosaic(paths).shape == (30, 240)


@pytest.mark.parametrize("y", [0, 29, 30, 35])
@pytest.mark.parametrize("x", [0, 39, 40, 75])
def test_part_across_tiles(tmp_path: Path, y: int, x: int) -> None:
    whole = noise(60, 120, 4095)
    laid = Mosaic(tiles(tmp_path, whole, rows=2, columns=3), columns=3)
    out = np.empty((25, 45), np.uint16)
    laid.read_into(y, x, out)
    np.testing.assert_array_equal(out, whole[y : y + 25, x : x + 45])


def test_few_tiles_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mosaic, "_KEPT_BYTES", 2 * 30 * 40 * 2)
    whole = noise(60, 120, 4095)
    laid = Mosaic(tiles(tmp_path, whole, rows=2, columns=3), columns=3)
    out = np.empty((60, 120), np.uint16)
    laid.read_into(0, 0, out)
    np.testing.assert_array_equal(out, whole)
    assert len(laid._kept) == 2


def test_signed_levels_are_shifted_alike_in_all_tiles(tmp_path: Path) -> None:
    whole = noise(30, 80, 1500, "int16", low=-401)
    laid = Mosaic(tiles(tmp_path, whole, rows=1, columns=2))
    out = np.empty((30, 80), np.uint16)
    laid.read_into(0, 0, out)
    np.testing.assert_array_equal(out, whole + 401)
    assert (laid.shift, laid.highest, laid.bit_depth) == (401, 1901, 12)
    assert "401 added to every level" in laid.description


@pytest.mark.parametrize(
    ("top", "depth"),
    [(200, 10), (1023, 10), (1024, 12), (4095, 12), (4096, 14), (16384, 16), (65535, 16)],
)
def test_depth_is_the_least_that_holds_the_highest_level(
    tmp_path: Path, top: int, depth: int
) -> None:
    assert Mosaic([write_image(tmp_path / "a.png", noise(30, 40, top))]).bit_depth == depth


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (noise(30, 41, 255, "uint8"), "is 41x30 pixels of uint8, but a.png is 40x30"),
        (noise(30, 40, 255, "uint16"), "is 40x30 pixels of uint16, but a.png is 40x30 pixels"),
    ],
    ids=["another size", "another type"],
)
def test_unequal_tiles_are_refused(tmp_path: Path, other: Array, problem: str) -> None:
    first = write_image(tmp_path / "a.png", noise(30, 40, 255, "uint8"))
    second = write_image(tmp_path / "b.png", other)
    with pytest.raises(InputError, match=problem) as caught:
        Mosaic([first, second])
    assert caught.value.file == str(second)


@pytest.mark.parametrize("columns", [0, -1, 2, 4])
def test_rows_must_be_full(tmp_path: Path, columns: int) -> None:
    paths = [write_image(tmp_path / f"{i}.png", noise(30, 40, 255, "uint8")) for i in range(3)]
    with pytest.raises(InputError, match="columns: 3 images do not make full rows"):
        Mosaic(paths, columns)


def test_tile_that_changes_meanwhile_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mosaic, "_KEPT_BYTES", 1)
    paths = tiles(tmp_path, noise(30, 80, 255, "uint8"), rows=1, columns=2)
    laid = Mosaic(paths)
    paths[0].unlink()
    write_image(paths[0], noise(20, 20, 255, "uint8"))
    with pytest.raises(InputError, match="changed while it was read"):
        laid.read_into(0, 0, np.empty((30, 80), np.uint8))
