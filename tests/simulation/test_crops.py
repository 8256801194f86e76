"""Training images of several windows."""

import numpy as np
import pytest

from darkscan.simulation.element.crops import CROP_PX, training_crops
from darkscan.simulation.element.looks import WindowPreset


def test_the_same_arguments_give_the_same_bytes() -> None:
    drawn, again, other = (training_crops(3, index, 2) for index in (7, 7, 8))
    for field in drawn._fields:
        np.testing.assert_array_equal(getattr(drawn, field), getattr(again, field))
    assert drawn.images.tobytes() != other.images.tobytes()


@pytest.mark.parametrize("preset", ["optic", "wide"])
def test_two_windows_in_five_show_a_scratch(preset: WindowPreset) -> None:
    drawn = training_crops(1, 0, 60, preset=preset)
    assert drawn.images.shape == (60, CROP_PX, CROP_PX)
    assert 0.25 < (drawn.labels == 1).mean() < 0.55
    assert (drawn.labels == 0).mean() > 0.3


def test_a_windows_label_says_what_lies_within_it() -> None:
    drawn = training_crops(2, 0, 40)
    for labels, cells in zip(drawn.labels, drawn.lines, strict=True):
        for (y, x), label in np.ndenumerate(labels):
            window = cells[16 * y : 16 * y + 32, 16 * x : 16 * x + 32]
            assert window.any() or label < 1
            assert label > 0 or not window[3:-3, 3:-3].any()


def test_a_swirl_has_more_arcs_than_a_window_shows() -> None:
    most = max(int(cells.sum()) for cells in training_crops(5, 0, 60, preset="optic").lines)
    assert most > 100  # cells of 8 px: several hundred pixels of line
