"""Brightness adjustment against the paper's equations 1 to 3, written out by hand."""

import numpy as np
import pytest

from darkscan.pipeline.core.brightness import gains_and_offsets, window_extrema
from darkscan.pipeline.core.grid import window_origins


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((512, 512), id="windows on the grid"),
        pytest.param((700, 431), id="windows flush against the borders"),
        pytest.param((256, 256), id="a single window"),
    ],
)
def test_extrema_are_those_of_the_cut_out_window(
    shape: tuple[int, int], dtype: type[np.uint8 | np.uint16]
) -> None:
    frame = np.random.default_rng(1).integers(5, 250, shape).astype(dtype)
    origins = window_origins(shape, 256, 128)
    v_min, v_max = window_extrema(frame, origins, 256)
    windows = [frame[y : y + 256, x : x + 256] for y, x in origins]
    assert v_min.tolist() == [w.min() for w in windows]
    assert v_max.tolist() == [w.max() for w in windows]
    assert v_min.dtype == frame.dtype


def test_adjustment_follows_the_equations() -> None:
    window = np.array([[20.0, 30.0], [45.0, 71.0]])
    gain, offset = gains_and_offsets(np.array([20], np.uint8), np.array([71], np.uint8))
    w_mult = 255 / (71 - 20)
    np.testing.assert_allclose(gain, [w_mult], rtol=1e-6)
    np.testing.assert_allclose(offset, [-w_mult * 20], rtol=1e-6)
    adjusted = window * gain[0] + offset[0]
    np.testing.assert_allclose(adjusted, (window - 20) / 51 * 255, atol=1e-4)


def test_adjustment_fills_the_whole_range_at_any_depth() -> None:
    low, high = np.array([60, 3], np.uint16), np.array([4095, 65535], np.uint16)
    gain, offset = gains_and_offsets(low, high)
    np.testing.assert_allclose(low * gain + offset, 0, atol=1e-3)
    np.testing.assert_allclose(high * gain + offset, 255, atol=1e-3)


def test_a_flat_window_becomes_black() -> None:
    gain, offset = gains_and_offsets(np.array([37], np.uint8), np.array([37], np.uint8))
    assert (gain[0], offset[0]) == (0.0, 0.0)
