import numpy as np
import pytest

from darkscan.network.classical import methods
from darkscan.network.classical._otsu import longest_component_px
from tests.classical.scenes import ORIGIN, noise, with_line


def _marks(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    marks = np.zeros((100, 100), dtype=np.bool_)
    for top, left, height, width in boxes:
        marks[top : top + height, left : left + width] = True
    return marks


@pytest.mark.parametrize(
    ("marks", "length"),
    [
        pytest.param(_marks(), 0.0, id="nothing"),
        pytest.param(_marks((10, 10, 1, 60)), 60.0, id="a thin line"),
        pytest.param(_marks((10, 10, 60, 3)), 60.0, id="a broad upright line"),
        pytest.param(_marks((10, 10, 40, 40)), 0.0, id="a square is not elongated"),
        pytest.param(_marks((10, 10, 1, 20), (50, 10, 1, 50)), 50.0, id="the longer of two"),
        pytest.param(np.eye(100, dtype=np.bool_), 140.0, id="corners connect a diagonal"),
    ],
)
def test_the_longest_elongated_component_counts(marks: np.ndarray, length: float) -> None:
    assert longest_component_px(marks) == pytest.approx(length, rel=0.02)


def test_a_bright_scratch_is_marked_and_scored_by_its_length() -> None:
    otsu = methods()["otsu"]
    frame = with_line(noise(), (40, 50), (200, 50), amplitude=80.0)
    assert otsu.mark(frame)[50, 40:200].mean() > 0.95
    assert float(otsu.window_scores(frame, ORIGIN)[0]) == pytest.approx(160, abs=8)


@pytest.mark.parametrize("level", [0, 9, 255])
def test_a_frame_of_one_level_has_no_marks(level: int) -> None:
    assert not methods()["otsu"].mark(np.full((256, 256), level, np.uint8)).any()
