"""Scores of windows with more or less light around them, and their counts."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.inference.backend import Seen
from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.evaluation.beyond_windows import Views, score_views
from darkscan.network.evaluation.degradations import Grey
from darkscan.network.evaluation.frame_figures import count_marked, joined, window_figures
from darkscan.network.evaluation.labelled_frames import LabelledFrame
from darkscan.network.evaluation.polylines import Polylines
from darkscan.pipeline.core.arrays import Pixels

FROM_ALL = 0.5


class SeesFar:
    """Scores a window by its brightest pixel, and half as much by the brightest of the image."""

    def alone(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> Seen:
        assert pixels.flags.c_contiguous
        inside = [pixels[y : y + 256, x : x + 256].max() for y, x in origins.tolist()]
        far = FROM_ALL * pixels.max()
        lines = np.ones((len(origins), 32, 32), np.float32)
        return Seen((np.maximum(inside, far) / full_scale).astype(np.float32), lines)


def frame(y: int, x: int) -> LabelledFrame:
    """Black but for one white pixel."""
    levels = np.zeros((512, 512), np.uint8)
    levels[y, x] = 255
    return LabelledFrame("a", Grey(levels, 255.0), Polylines())


def test_a_window_is_seen_with_ever_less_around_it() -> None:
    views = score_views(SeesFar(), frame(10, 500), 256)
    last = 2  # of the first row: it holds the white pixel
    assert views.in_frame.tolist() == [0.5, 0.5, 1, *[0.5] * 6]
    assert views.cut_out.tolist() == [0, 0, 1, *[0] * 6]
    middle = [0, 3, 6], [1, 4, 7], [2, 5, 8]
    left, holding, right = (views.parted[places] for places in middle)
    assert left.tolist() == [0, 0, 0]
    assert np.isnan(holding).all()
    assert right.tolist() == [1, 0.5, 0.5]
    assert views.beside.tolist() == [True, False, True] * 3
    # All see lines everywhere: each learns of the one beside it that holds the pixel.
    assert views.with_neighbours[last - 1] == 1
    assert views.with_neighbours[last - 2] == 0.5


def test_a_sensor_of_one_tap_has_nothing_to_part() -> None:
    assert not score_views(SeesFar(), frame(0, 0), None).beside.any()


def test_marked_windows_are_counted_in_every_way() -> None:
    views = score_views(SeesFar(), frame(10, 500), 256)
    everywhere, beside = np.ones(9, np.bool_), views.beside
    whole = count_marked([views, views], [everywhere, everywhere], 0.4)
    assert (whole.windows, whole.in_frame, whole.cut_out, whole.parted) == (18, 18, 2, None)
    part = count_marked([views], [beside], 0.4)
    assert (part.windows, part.in_frame, part.cut_out, part.parted) == (6, 6, 1, 3)
    assert count_marked([views], [beside], 0.6).with_neighbours == 2  # one below learned of it


def test_windows_that_judge_nothing_are_left_out() -> None:
    labels = [
        WindowLabels(np.array([True, True, False]), np.array([True, False, False])),
        WindowLabels(np.array([True, False]), np.array([True, False])),
    ]
    found = window_figures(np.array([0.9, 0.99, 0.3, 0.2, 0.7]), joined(labels), 0.5)
    assert (found.windows, found.positive, found.negative, found.marked_negative) == (5, 2, 2, 1)
    assert (found.auc, found.precision, found.recall) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("scratched", [True, False], ids=["all scratched", "none scratched"])
def test_one_class_alone_has_no_area(scratched: bool) -> None:
    both = np.full(3, scratched)
    found = window_figures(np.array([0.9, 0.2, 0.3]), WindowLabels(both, both), 0.5)
    assert np.isnan(found.auc)
    assert np.isnan(found.recall) != scratched
    assert np.isnan(window_figures(np.zeros(3), WindowLabels(both, both), None).precision)


def test_views_hold_all_ways() -> None:
    same = np.zeros(2, np.float32)
    assert Views(same, same, same, np.array([np.nan, 0], np.float32)).beside.tolist() == [0, 1]
