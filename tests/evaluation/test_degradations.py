from collections.abc import Callable

import numpy as np
import pytest

from darkscan.network.evaluation import degradations as physics
from darkscan.network.evaluation.degradations import Grey

SIDE = 256
SIGMA = 4.0


def sky(full_scale: int = 255, level: float = 40.0) -> Grey:
    """An even background with white noise of 4 levels and a bright line down column 100."""
    rng = np.random.default_rng(3)
    levels = rng.normal(level, SIGMA, (SIDE, SIDE))
    levels[:, 100] += 60
    whole = np.clip(np.rint(levels), 0, full_scale)
    if full_scale == 255:
        return Grey(whole.astype(np.uint8), 255.0)
    return Grey(whole.astype(np.uint16), float(full_scale))


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


EVERY: dict[str, Callable[[Grey], Grey]] = {
    "JPEG": lambda grey: physics.jpeg(grey, 40),
    "12 bits": lambda grey: physics.deeper(grey, 12, 1.0, rng()),
    "weak light in 16 bits": lambda grey: physics.deeper(grey, 16, 1 / 256, rng()),
    "brighter background": lambda grey: physics.stray_light(grey, 100, rng()),
    "black level too high": lambda grey: physics.stray_light(grey, -100, rng()),
    "gradient": lambda grey: physics.gradient(grey, 100, rng()),
    "less light": lambda grey: physics.exposed(grey, 0.3, rng()),
    "more gain": lambda grey: physics.exposed(grey, 30, rng()),
    "overexposed": lambda grey: physics.overexposed(grey, 0.02),
    "noise": lambda grey: physics.noisier(grey, 3, rng()),
    "blur": lambda grey: physics.blurred(grey, 1),
    "sharpened": lambda grey: physics.sharpened(grey, 2),
    "a curve that brightens": lambda grey: physics.gamma(grey, 0.6),
    "a curve that darkens": lambda grey: physics.gamma(grey, 1.4),
    "rounded": lambda grey: physics.coarser(grey, 3),
    "defocus": lambda grey: physics.defocused(grey, 1, rng()),
    "stripes": lambda grey: physics.striped(grey, 0.03, rng()),
    "hot pixel": lambda grey: physics.hot_pixel(grey, rng()),
    "enlarged": lambda grey: physics.resampled_window(grey, 2, (0, 0)),
    "reduced": lambda grey: physics.resampled_window(grey, 0.7, (0, 0)),
}


@pytest.mark.parametrize("change", EVERY.values(), ids=EVERY.keys())
@pytest.mark.parametrize("full_scale", [255, 4095], ids=["8 bits", "12 bits"])
def test_a_changed_window_is_still_a_window(
    change: Callable[[Grey], Grey], full_scale: int
) -> None:
    grey = sky(full_scale)
    before = grey.levels.copy()
    changed = change(grey)
    assert changed.levels.shape == (SIDE, SIDE)
    assert changed.levels.dtype in {np.dtype(np.uint8), np.dtype(np.uint16)}
    assert changed.levels.max() <= changed.full_scale
    np.testing.assert_array_equal(grey.levels, before)
    np.testing.assert_array_equal(change(grey).levels, changed.levels)


def test_noise_is_measured_beside_a_line_and_a_slope() -> None:
    grey = sky()
    sloped = Grey((grey.levels + np.arange(SIDE) // 4).astype(np.uint8), 255.0)
    assert physics.noise_of(sloped) == pytest.approx(SIGMA, rel=0.05)


@pytest.mark.parametrize("factor", [1.5, 2.0, 3.0])
def test_noise_becomes_as_many_times_what_it_was(factor: float) -> None:
    noise = physics.noise_of(physics.noisier(sky(level=100), factor, rng()))
    assert noise == pytest.approx(factor * SIGMA, rel=0.05)


@pytest.mark.parametrize("gain", [0.3, 0.5])
def test_less_light_loses_less_noise_than_signal(gain: float) -> None:
    changed = physics.exposed(sky(4095, level=1000), gain, rng())
    assert np.median(changed.levels) == pytest.approx(1000 * gain, rel=0.01)
    assert physics.noise_of(changed) == pytest.approx(SIGMA * gain**0.5, rel=0.05)


def test_an_amplifier_raises_noise_with_the_signal() -> None:
    assert physics.noise_of(physics.exposed(sky(4095), 3, rng())) == pytest.approx(12, rel=0.05)


def test_stray_light_brings_its_shot_noise() -> None:
    changed = physics.stray_light(sky(level=50), 100, rng())
    assert np.median(changed.levels) == pytest.approx(150, abs=1)
    assert physics.noise_of(changed) == pytest.approx(SIGMA * 3**0.5, rel=0.05)


def test_levels_of_stray_light_are_those_of_an_8_bit_camera() -> None:
    changed = physics.stray_light(sky(4095, level=1000), 100, rng())
    assert np.median(changed.levels) == pytest.approx(1000 + 100 * 4095 / 255, rel=0.01)


def test_a_black_level_set_too_high_cuts_off_at_zero() -> None:
    assert not physics.stray_light(sky(), -255, rng()).levels.any()


def test_a_gradient_rises_from_rim_to_rim() -> None:
    grey = sky()
    rise = physics.gradient(grey, 100, rng()).levels.astype(float) - grey.levels
    corners = [rise[rows, columns].mean() for rows, columns in _CORNERS]
    assert min(corners) == pytest.approx(0, abs=12)
    assert max(corners) == pytest.approx(100, abs=12)


_CORNERS = [np.s_[a, b] for a in (np.s_[:12], np.s_[-12:]) for b in (np.s_[:12], np.s_[-12:])]


def test_a_lens_out_of_focus_leaves_the_noise() -> None:
    grey = sky(level=100)
    assert physics.noise_of(physics.blurred(grey, 2)) < SIGMA / 4
    assert physics.noise_of(physics.defocused(grey, 2, rng())) == pytest.approx(SIGMA, rel=0.06)


def test_sharpening_heightens_a_line_and_darkens_its_rims() -> None:
    grey = sky(level=100)
    sharp = physics.sharpened(grey, 1)
    before, after = (each.levels.astype(float).mean(axis=0) for each in (grey, sharp))
    assert after[100] > before[100] + 20
    assert max(after[99], after[101]) < min(before[99], before[101]) - 8
    assert physics.noise_of(sharp) > 1.3 * SIGMA


def test_sharpening_by_nothing_changes_nothing() -> None:
    np.testing.assert_array_equal(physics.sharpened(sky(), 0).levels, sky().levels)


@pytest.mark.parametrize("exponent", [0.6, 1.4])
def test_a_curve_keeps_black_and_white_and_the_order_between(exponent: float) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    changed = physics.gamma(Grey(levels, 255.0), exponent).levels.ravel().astype(int)
    assert (changed[0], changed[-1]) == (0, 255)
    assert (np.diff(changed) >= 0).all()
    assert (changed[40] > 40) == (exponent < 1)


@pytest.mark.parametrize(("full_scale", "wide"), [(255, 2), (4095, 2 * 4095 / 255)])
def test_rounding_leaves_every_so_manieth_level(full_scale: int, wide: float) -> None:
    grey = sky(full_scale, level=100)
    before, changed = (g.levels.astype(np.float64) for g in (grey, physics.coarser(grey, 2)))
    steps = np.unique(changed) / wide
    np.testing.assert_allclose(steps, np.rint(steps), atol=0.5 / wide)
    assert np.abs(changed - before).max() <= wide / 2 + 1


def test_overexposure_saturates_the_share_that_was_asked_for() -> None:
    levels = np.random.default_rng(1).integers(0, 3000, (SIDE, SIDE), dtype=np.uint16)
    changed = physics.overexposed(Grey(levels, 4095.0), 0.02)
    assert (changed.levels == 4095).mean() == pytest.approx(0.02, rel=0.1)


def test_stripes_are_of_whole_columns() -> None:
    even = Grey(np.full((SIDE, SIDE), 1000, np.uint16), 4095.0)
    levels = physics.striped(even, 0.03, rng()).levels
    assert (levels == levels[0]).all()
    assert levels[0].std() == pytest.approx(30, rel=0.15)


def test_a_hot_pixel_is_one_pixel_at_full_scale() -> None:
    grey = sky()
    changed = physics.hot_pixel(grey, rng()).levels
    assert (changed != grey.levels).sum() == 1
    assert changed[changed != grey.levels] == [255]


@pytest.mark.parametrize(
    ("bits", "fill", "median"),
    [(12, 1.0, 40 * 4095 / 255), (16, 1.0, 40 * 257), (16, 1 / 256, 40 * 257 / 256)],
    ids=["12 bits", "16 bits", "16 bits, weak light"],
)
def test_a_deeper_converter_gives_finer_levels_of_the_same_light(
    bits: int, fill: float, median: float
) -> None:
    changed = physics.deeper(sky(), bits, fill, rng())
    assert changed.full_scale == 2**bits - 1
    assert np.median(changed.levels) == pytest.approx(median, rel=0.02)


def test_a_strong_jpeg_smooths_and_a_fine_one_does_not() -> None:
    grey = sky(level=100)
    fine, coarse = (physics.noise_of(physics.jpeg(grey, quality)) for quality in (95, 20))
    assert fine == pytest.approx(SIGMA, rel=0.1)
    assert coarse < SIGMA / 2


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.4, 2.0])
def test_image_and_mask_keep_together_at_another_pitch(factor: float) -> None:
    grey = sky()
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[:, 100] = True
    levels = physics.resampled(grey, factor).levels
    scaled = physics.resampled_mask(mask, factor)
    assert levels.shape == scaled.shape == (round(SIDE * factor), round(SIDE * factor))
    assert scaled[:, np.argmax(levels.mean(axis=0))].all()


def test_larger_pixels_have_less_noise() -> None:
    noise = physics.noise_of(physics.resampled(sky(level=100), 0.5))
    assert noise == pytest.approx(SIGMA / 2, rel=0.1)


def test_an_enlarged_window_shows_its_part() -> None:
    grey = sky()
    column = physics.resampled_window(grey, 2, (0, 64)).levels.mean(axis=0).argmax()
    assert abs(int(column) - 2 * (100 - 64)) <= 1


def test_a_reduced_window_is_mirrored_at_its_rims() -> None:
    levels = physics.resampled_window(sky(), 0.5, (0, 0)).levels
    np.testing.assert_array_equal(levels[:64], levels[64:128][::-1])


def test_a_part_is_cut_where_the_scratch_is() -> None:
    lines = np.zeros((32, 32), np.uint8)
    lines[25:30, 3] = 1
    y, x = physics.part_corner(lines, 8, 128, rng())
    assert y <= 25 * 8
    assert 30 * 8 <= y + 128 <= SIDE
    assert x <= 24 < x + 128


def test_a_background_is_cut_anywhere_within() -> None:
    lines = np.zeros((32, 32), np.uint8)
    draw = rng()
    corners = [physics.part_corner(lines, 8, 183, draw) for _ in range(200)]
    assert np.min(corners) >= 0
    assert np.max(corners) <= SIDE - 183
    assert len(set(corners)) > 100
