"""Views of windows, and the figure made of them."""

import cv2
import numpy as np
import pytest
import torch

from darkscan.network.explaining import Panel, draw, explain
from darkscan.network.explaining._figure import mosaic, overlay, raw_view
from darkscan.network.pictures import equalised
from darkscan.network.variants import build
from tests.explaining.small_networks import ByHand


def window(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(20, 2, (256, 256)).round().clip(0, 255).astype(np.uint8)


def test_equalising_eight_bits_is_opencvs() -> None:
    np.testing.assert_array_equal(equalised(window()), cv2.equalizeHist(window()))


def test_equalising_keeps_the_low_bits_of_deep_windows() -> None:
    deep = np.full((256, 256), 300, np.uint16)
    deep[:, 128:] = 301
    deep[0, 0] = 65535
    view = equalised(deep)
    assert view[5, 200] - view[5, 5] > 100


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_flat_window_is_black(dtype: type) -> None:
    assert not equalised(np.full((256, 256), 7, dtype)).any()


def test_the_raw_view_runs_from_black_to_full_scale() -> None:
    deep = np.array([[0, 2048, 4095]], np.uint16)
    np.testing.assert_array_equal(raw_view(deep, 4095.0), [[0, 128, 255]])


def test_heat_is_bright_where_the_map_is_high() -> None:
    heat = np.zeros((8, 8), np.float32)
    heat[2, 5] = 0.7
    shown = overlay(np.full((256, 256), 100, np.uint8), heat, 0.0, 0.7).astype(int).sum(axis=2)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert (y // 32, x // 32) == (2, 5)
    assert shown[200, 30] < shown[80, 176]


def test_a_map_without_a_range_shows_no_heat() -> None:
    view = window()
    none = overlay(view, np.ones((8, 8), np.float32), 1.0, 1.0)
    cold = overlay(view, np.zeros((8, 8), np.float32), 0.0, 1.0)
    np.testing.assert_array_equal(none, cold)


def test_a_mosaic_holds_its_tiles_in_order() -> None:
    tiles = [np.full((32, 32, 3), level, np.uint8) for level in (10, 20, 30, 40)]
    whole = mosaic(tiles)
    corners = [whole[0, 0, 0], whole[0, -1, 0], whole[-1, 0, 0], whole[-1, -1, 0]]
    assert corners == [10, 20, 30, 40]


def size_of(png: bytes) -> tuple[int, int]:
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.shape[0], image.shape[1]


def test_each_network_adds_the_rows_that_it_has() -> None:
    torch.manual_seed(1)
    windows = window()[None]
    simple = explain(ByHand().eval(), windows)
    ours = explain(build("darkscan", 0.25).eval(), windows)
    heights = [
        size_of(draw(windows, ["a window"], explanations))[0]
        for explanations in ([], [simple], [ours])
    ]
    row = heights[1] - heights[0]
    assert heights[2] - heights[0] == pytest.approx(8 * row, abs=8)
    only_cam = draw(windows, ["a window"], [simple, ours], panels=[Panel.CAM])
    assert size_of(only_cam)[0] == pytest.approx(heights[0] + 2 * row, abs=2)


def test_equal_explanations_give_equal_figures() -> None:
    windows = window()[None]
    explanation = explain(ByHand().eval(), windows)
    assert draw(windows, ["w"], [explanation]) == draw(windows, ["w"], [explanation])
