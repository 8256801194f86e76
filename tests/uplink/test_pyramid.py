"""A frame's way into the levels of the picture, against a pixel by pixel reference."""

import numpy as np
import pytest

from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.settings import updated
from darkscan.stages.uplink._pyramid import (
    Block,
    GreyTable,
    Placement,
    encode_tile,
    halved,
    pyramid_of,
)
from tests.uplink.pictures import PITCH_UM, above, drawn, frame_at, greyed, level_0, scan_of


def whole(block: Block | None, shape: tuple[int, ...]) -> np.ndarray:
    """A block in a level of this shape."""
    assert block is not None
    out = np.zeros((shape[0] + 2, shape[1] + 2), block.pixels.dtype)
    height, width = block.pixels.shape
    out[block.y : block.y + height, block.x : block.x + width] = block.pixels
    assert not out[shape[0] :].any()
    assert not out[:, shape[1] :].any()
    return out[: shape[0], : shape[1]]


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(10.0, 4.0, id="on whole pixels"),
        pytest.param(11.3, 7.8, id="between pixels"),
        pytest.param(-20.4, 13.2, id="partly left of the element"),
        pytest.param(170.7, 101.1, id="partly beyond the lower right corner"),
        pytest.param(-3.0, -5.0, id="larger than what is left of the element there"),
    ],
)
@pytest.mark.parametrize(
    ("flip_x", "flip_y"), [(False, False), (True, False), (False, True), (True, True)]
)
def test_a_frame_that_is_moved_or_mirrored_lies_where_its_pixels_are(
    pixel_type: str, x: float, y: float, flip_x: bool, flip_y: bool
) -> None:
    placed = PixelToStage.from_pitch(PITCH_UM, flip_x=flip_x, flip_y=flip_y)
    scan = scan_of((60, 84), (211, 131), pixel_type=pixel_type, placed=placed)  # type: ignore[arg-type]
    picture = pyramid_of(scan)
    assert picture is not None
    meta = frame_at(0, x + 84 * flip_x, y + 60 * flip_y)
    pixels = drawn(scan)
    block = Placement(scan, picture).place(pixels, meta.position_mm)
    expected = level_0(scan, picture, [(meta, pixels)])
    assert (whole(block, expected.shape) == expected).all()


@pytest.mark.parametrize(
    ("placed", "differ"),
    [
        pytest.param(PixelToStage(xx=0, xy=0.01, yx=-0.01, yy=0), 0.0, id="a quarter turn"),
        pytest.param(PixelToStage.from_pitch(10.0, rotation_mrad=8.0), 0.002, id="8 mrad"),
        pytest.param(PixelToStage.from_pitch(10.0, rotation_mrad=400), 0.002, id="400 mrad"),
        pytest.param(PixelToStage.from_pitch(10.07, rotation_mrad=-3), 0.002, id="larger pixels"),
        pytest.param(PixelToStage(xx=0.01, xy=0.0003, yx=0, yy=-0.0098), 0.002, id="skewed"),
    ],
)
def test_a_frame_that_is_turned_shows_at_each_place_its_nearest_pixel(
    placed: PixelToStage, differ: float
) -> None:
    scan = scan_of((120, 150), (333, 257), placed=placed)
    picture = pyramid_of(scan)
    assert picture is not None
    meta = frame_at(0, 101.37, 120.71)
    pixels = drawn(scan)
    expected = level_0(scan, picture, [(meta, pixels)])
    got = whole(Placement(scan, picture).place(pixels, meta.position_mm), expected.shape)
    assert expected.any()
    # Where a place lies on the border of two pixels, rounding decides.
    assert np.mean(got != expected) <= differ


def test_a_frame_beside_the_element_shows_nothing() -> None:
    scan = scan_of((60, 84), (211, 131))
    picture = pyramid_of(scan)
    assert picture is not None
    placement = Placement(scan, picture)
    assert placement.place(drawn(scan), frame_at(0, -84.0, 0.0).position_mm) is None
    assert placement.place(drawn(scan), frame_at(0, 0.0, 131.0).position_mm) is None


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
@pytest.mark.parametrize("size", [(211, 131), (64, 64), (1, 1), (3, 130)])
def test_each_level_is_the_brightest_of_four(pixel_type: str, size: tuple[int, int]) -> None:
    scan = scan_of((57, 91), size, pixel_type=pixel_type)  # type: ignore[arg-type]
    picture = pyramid_of(scan)
    assert picture is not None
    meta = frame_at(0, -7.0, 3.0 if size[1] > 3 else -3.0)
    pixels = drawn(scan)
    lowest = level_0(scan, picture, [(meta, pixels)])
    block = Placement(scan, picture).place(pixels, meta.position_mm)
    assert block is not None
    for level in range(1, 7):
        block = halved(block)
        expected = above(lowest, level)
        assert (whole(block, expected.shape) == expected).all()


@pytest.mark.parametrize("pixel_type", ["uint8", "uint16"])
def test_grey_levels_follow_the_formula_and_dark_is_not_unseen(pixel_type: str) -> None:
    scan = scan_of((64, 64), (64, 64), pixel_type=pixel_type)  # type: ignore[arg-type]
    picture = pyramid_of(scan)
    assert picture is not None
    levels = np.arange(scan.full_scale + 2).astype(scan.dtype if pixel_type == "uint16" else int)
    levels = np.minimum(levels, np.iinfo(scan.dtype).max).astype(scan.dtype)
    grey = GreyTable(picture, scan.dtype)(levels)
    assert (grey == greyed(picture, levels)).all()
    assert (grey[0], grey[1], grey[-1]) == (0, 1, 255)
    assert (np.diff(grey.astype(int)) >= 0).all()


@pytest.mark.parametrize(
    ("size_px", "levels", "finest"),
    [((512, 512), 1, 0), ((513, 10), 2, 1), ((81_000, 46_000), 9, 1), ((1, 1), 1, 0)],
)
def test_the_last_level_is_a_single_tile(
    size_px: tuple[int, int], levels: int, finest: int
) -> None:
    picture = pyramid_of(scan_of((64, 64), size_px))
    assert picture is not None
    assert (picture.levels, picture.finest) == (levels, finest)
    assert (picture.width_px, picture.height_px) == size_px


def test_an_element_too_large_for_a_picture_has_none() -> None:
    fine = updated(scan_of((64, 64), (100_000, 100_000)), pitch_um=0.5)
    assert pyramid_of(fine) is None
    assert pyramid_of(scan_of((40_000, 64), (50_000, 50_000))) is None


def test_a_tile_is_a_jpeg_of_its_own_size() -> None:
    assert encode_tile(np.zeros((17, 31), np.uint8)).startswith(b"\xff\xd8")
