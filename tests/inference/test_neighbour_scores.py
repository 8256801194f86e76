"""Scores of windows, raised by those of the windows that overlap them."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.inference import Seen, frame_scores, scores_with_neighbours
from darkscan.pipeline.core.frame_results import ModelInfo

WINDOW, CELLS = 256, 32


def nothing(count: int) -> npt.NDArray[np.float32]:
    return np.zeros((count, CELLS, CELLS), np.float32)


def seen(scores: list[float], lines: npt.NDArray[np.float32]) -> Seen:
    return Seen(np.array(scores, np.float32), lines)


@pytest.mark.parametrize(
    ("step", "cell", "raised"),
    [
        ((0, 128), (5, 20), True),
        ((0, 128), (5, 10), False),
        ((128, 0), (16, 3), True),
        ((128, 0), (15, 3), False),
        ((128, 128), (16, 16), True),
        ((128, 128), (31, 15), False),
        ((-128, 0), (15, 3), True),
        ((-128, 0), (16, 3), False),
        ((0, 100), (5, 13), True),
        ((0, 100), (5, 12), False),
        ((0, 256), (5, 31), False),
    ],
    ids=[
        "right, in its half", "right, in the other's half", "below, first shared row",
        "below, last row of the other's", "corner", "beside the corner", "above", "not above",
        "an odd step, a whole cell", "an odd step, a cut cell", "side by side",
    ],
)  # fmt: skip
def test_a_window_is_raised_where_its_neighbours_line_runs_through_it(
    step: tuple[int, int], cell: tuple[int, int], raised: bool
) -> None:
    origins = np.array([(300, 300), (300 + step[0], 300 + step[1])], np.int32)
    lines = nothing(2)
    lines[0][cell] = 0.9
    scores = scores_with_neighbours(seen([0.8, 0.1], lines), origins, WINDOW)
    assert scores.tolist() == pytest.approx([0.8, 0.72 if raised else 0.1])


def test_the_surest_neighbour_counts_and_nobody_is_lowered() -> None:
    origins = np.array([(0, 0), (0, 128), (0, 256)], np.int32)
    lines = np.ones((3, CELLS, CELLS), np.float32)
    scores = scores_with_neighbours(seen([0.5, 0.2, 0.9], lines), origins, WINDOW)
    assert scores.tolist() == pytest.approx([0.5, 0.9, 0.9])


def test_what_is_passed_on_is_not_passed_on_again() -> None:
    origins = np.array([(0, 0), (0, 128), (0, 256), (0, 384)], np.int32)
    lines = np.ones((4, CELLS, CELLS), np.float32)
    scores = scores_with_neighbours(seen([0.9, 0.1, 0.1, 0.1], lines), origins, WINDOW)
    assert scores.tolist() == pytest.approx([0.9, 0.9, 0.1, 0.1])


def test_the_order_of_windows_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    origins = np.array([(y, x) for y in (0, 128, 200) for x in (0, 128, 256, 300)], np.int32)
    scores = rng.random(12, np.float32)
    lines = rng.random((12, CELLS, CELLS), np.float32)
    order = rng.permutation(12)
    expected = scores_with_neighbours(Seen(scores, lines), origins, WINDOW)[order]
    found = scores_with_neighbours(Seen(scores[order], lines[order]), origins[order], WINDOW)
    np.testing.assert_array_equal(found, expected)


def test_a_model_without_lines_keeps_its_scores() -> None:
    scores = np.array([0.9, 0.1], np.float32)
    origins = np.array([(0, 0), (0, 128)], np.int32)
    assert scores_with_neighbours(Seen(scores, None), origins, WINDOW) is scores


@pytest.mark.parametrize("dense", [False, True], ids=["a windowed model", "a dense model"])
def test_a_dense_model_is_not_told_what_it_has_seen(dense: bool) -> None:
    origins = np.array([[0, 0], [0, 128]], np.int32)
    lines = np.ones((2, 32, 32), np.float32)
    model = ModelInfo(
        name="", hash="", window=WINDOW, stride=128, threshold=0.5, grow_threshold=0.5, dense=dense
    )
    scores = frame_scores(seen([0.8, 0.1], lines), origins, model)
    assert scores.tolist() == pytest.approx([0.8, 0.1 if dense else 0.8])
