"""Correcting a frame: exact to a grey level, and never wrapped."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.drivers.calibration import FlatField
from darkscan.drivers.calibration._flat_field import BadPixels
from darkscan.pipeline.core.errors import InputError

Array = npt.NDArray[Any]

NONE: Array = np.empty((0, 2), np.int32)
DEPTHS = {8: np.uint8, 10: np.uint16, 12: np.uint16, 16: np.uint16}


def flat_field(
    dark: Array | float = 0.0,
    gain: Array | float = 1.0,
    *,
    shape: tuple[int, int] = (40, 50),
    bit_depth: int = 8,
    bad: Array = NONE,
) -> FlatField:
    full = np.ones(shape, np.float32)
    return FlatField(
        (dark * full).astype(np.float32),
        (gain * full).astype(np.float32),
        BadPixels(bad.astype(np.int32), shape),
        bit_depth=bit_depth,
    )


@given(
    seed=st.integers(0, 2**32),
    bit_depth=st.sampled_from(sorted(DEPTHS)),
    rows=st.sampled_from([1, 3, 200]),
    line=st.booleans(),
)
def test_every_pixel_is_what_the_formula_says(
    seed: int, bit_depth: int, rows: int, line: bool
) -> None:
    rng = np.random.default_rng(seed)
    full, width = 2**bit_depth - 1, 700
    shape = (1 if line else rows, width)
    dark = rng.uniform(0, full / 8, shape).astype(np.float32)
    gain = rng.uniform(0.3, 4, shape).astype(np.float32)
    flat = FlatField(dark, gain, BadPixels(NONE, shape), bit_depth=bit_depth)
    frame = rng.integers(0, full, (rows, width), endpoint=True).astype(DEPTHS[bit_depth])
    frame[0, :3] = full
    before = frame.astype(np.float64)
    flat.correct(frame)
    wanted = ((before - dark) * gain.astype(np.float64) + dark.mean()).clip(0, full)
    wanted[before == full] = full
    # A float32 may fall to the other side of a half.
    assert np.abs(frame - wanted).max() < 0.5 + full * 1e-6


@pytest.mark.parametrize("bit_depth", DEPTHS)
def test_saturated_pixels_stay_saturated(bit_depth: int) -> None:
    full = 2**bit_depth - 1
    flat = flat_field(dark=4.0, gain=0.5, bit_depth=bit_depth)
    frame: Array = np.full((40, 50), full // 2, DEPTHS[bit_depth])
    frame[3, 4] = full
    flat.correct(frame)
    assert frame[3, 4] == full
    assert (np.delete(frame.ravel(), 3 * 50 + 4) < full // 2).all()


def test_bright_pixels_do_not_wrap() -> None:
    frame: Array = np.full((40, 50), 250, np.uint8)
    flat_field(gain=1.5).correct(frame)
    assert (frame == 255).all()
    deep: Array = np.full((40, 50), 4000, np.uint16)
    flat_field(gain=1.5, bit_depth=12).correct(deep)
    assert (deep == 4095).all()


def test_the_noise_of_unlit_pixels_is_not_cut_off() -> None:
    rng = np.random.default_rng(0)
    frame: Array = rng.normal(8, 1.4, (400, 500)).clip(0).round().astype(np.uint8)
    mean, spread = frame.mean(), frame.std()
    flat_field(dark=8.0, shape=(400, 500)).correct(frame)
    assert frame.mean() == pytest.approx(mean, abs=0.05)
    assert frame.std() == pytest.approx(spread, rel=0.02)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param([(5, 7)], id="one"),
        pytest.param([(0, 0), (39, 49)], id="in corners"),
        pytest.param([(5, 7), (5, 8), (6, 7), (6, 8), (7, 8)], id="a group"),
    ],
)
def test_bad_pixels_are_replaced_by_good_neighbours(bad: list[tuple[int, int]]) -> None:
    frame: Array = np.add.outer(np.arange(40), np.arange(50)).astype(np.uint8)
    wanted = frame.astype(int)
    for y, x in bad:
        frame[y, x] = 255
    flat_field(bad=np.array(bad)).correct(frame)
    off = np.abs(frame - wanted)
    assert off.max() <= 2
    assert np.count_nonzero(off) <= len(bad)


def test_bad_columns_of_a_line_camera_are_replaced() -> None:
    frame: Array = np.tile(np.arange(50, dtype=np.uint8), (30, 1))
    frame[:, [0, 20, 21]] = 200
    flat_field(shape=(1, 50), bad=np.array([(0, 0), (0, 20), (0, 21)])).correct(frame)
    assert np.abs(frame.astype(int) - np.arange(50)).max() <= 3
    assert (frame == frame[0]).all()


def test_a_pixel_without_good_neighbours_is_refused() -> None:
    everywhere = np.argwhere(np.ones((20, 20)))
    with pytest.raises(InputError, match="only bad pixels around it"):
        flat_field(shape=(20, 20), bad=everywhere)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(np.zeros((40, 51), np.uint8), id="wider"),
        pytest.param(np.zeros((41, 50), np.uint8), id="higher"),
        pytest.param(np.zeros((40, 50), np.uint16), id="deeper"),
        pytest.param(np.zeros((2, 40, 50), np.uint8), id="two frames"),
    ],
)
def test_frames_of_another_camera_are_refused(frame: Array) -> None:
    with pytest.raises(InputError, match="the flat field is for frames of 50x40 uint8"):
        flat_field().correct(frame)
