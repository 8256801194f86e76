"""Scratches drawn by eye against the defect maps of their frames."""

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.evaluation.lines_in_maps import MapFindings, distance_to, find_in_map
from darkscan.network.evaluation.polylines import Polylines
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import Centrelines, ModelInfo
from darkscan.runs.in_process import LoneFrame, inspect_traced

MODEL = ModelInfo(name="oracle", hash="", window=256, stride=128, threshold=0.5, grow_threshold=0.5)
DRAWN = np.array([[60.0, 60.0], [160.0, 60.0]])


def line(x: float, y: float, far_x: float, far_y: float) -> npt.NDArray[np.float64]:
    return np.linspace((x, y), (far_x, far_y), 100)


def held_against(
    drawn: Polylines, *traced: npt.NDArray[np.float64], first_windows: int = 9
) -> MapFindings:
    """The findings where merging was given these centre lines, all windows or some positive."""

    def examine(
        pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float
    ) -> tuple[npt.NDArray[np.float32], Centrelines]:
        scores = (np.arange(len(origins)) < first_windows).astype(np.float32)
        if not traced:
            return scores, Centrelines.none()
        ones = np.ones(len(traced), np.float32)
        counts = np.array([len(each) for each in traced], np.int32)
        points = np.concatenate(traced).astype(np.float32)
        return scores, Centrelines(points=points, counts=counts, widths=ones, contrasts=ones)

    source = LoneFrame(np.full((512, 512), 40, np.uint8), 255, "frame")
    return find_in_map(drawn, inspect_traced(source, examine, MODEL, lambda _: None))


@pytest.mark.parametrize(
    ("traced", "found"),
    [
        pytest.param(line(60, 60, 160, 60), True, id="on it"),
        pytest.param(line(60, 65, 160, 65), True, id="5 px beside"),
        pytest.param(line(60, 67, 160, 67), False, id="7 px beside"),
        pytest.param(line(20, 60, 112, 60), True, id="over half of it"),
        pytest.param(line(20, 60, 100, 60), False, id="over less than half"),
        pytest.param(line(110, 10, 110, 110), False, id="across it"),
    ],
)
def test_a_scratch_is_found_if_half_of_it_lies_on_a_centre_line(
    traced: npt.NDArray[np.float64], found: bool
) -> None:
    clear = held_against(Polylines(clear=(DRAWN,)), traced)
    faint = held_against(Polylines(faint=(DRAWN,)), traced)
    assert (clear.clear.tolist(), clear.faint.tolist()) == ([found], [])
    assert (faint.clear.tolist(), faint.faint.tolist()) == ([], [found])


def test_two_centre_lines_may_share_a_scratch() -> None:
    found = held_against(Polylines(clear=(DRAWN,)), line(60, 60, 95, 62), line(126, 58, 162, 58))
    assert found.clear.all()
    assert len(found.centrelines) == 2


@pytest.mark.parametrize(
    ("drawn", "false"),
    [
        pytest.param(Polylines(), True, id="nothing drawn"),
        pytest.param(Polylines(clear=(DRAWN,)), True, id="far from all"),
        pytest.param(Polylines(unsure=(np.array([[200.0, 300], [200, 320]]),)), False, id="unsure"),
        pytest.param(Polylines(faint=(np.array([[295.0, 307], [330, 307]]),)), False, id="at 7 px"),
        pytest.param(Polylines(faint=(np.array([[200.0, 309], [230, 309]]),)), True, id="at 9 px"),
    ],
)
def test_a_defect_is_false_if_all_its_lines_keep_away(drawn: Polylines, false: bool) -> None:
    found = held_against(drawn, line(200, 300, 300, 300))
    assert found.false.tolist() == [false]
    assert found.false_defects == int(false)
    assert found.lengths_px[0] == pytest.approx(100, abs=0.5)


def test_a_false_line_beside_a_true_one_makes_no_false_defect() -> None:
    found = held_against(Polylines(clear=(DRAWN,)), line(60, 60, 160, 60), line(200, 300, 300, 300))
    assert found.false.sum() == 1
    assert found.false_defects == 0


def test_a_line_that_leaves_its_scratch_strays() -> None:
    found = held_against(Polylines(clear=(DRAWN,)), line(60, 60, 260, 60))
    assert not found.false.any()
    assert found.stray_px[0] == pytest.approx(100 - 8, abs=1)


def test_defects_without_a_line_are_counted_by_themselves() -> None:
    found = held_against(Polylines(clear=(DRAWN,)))
    assert (found.without_line, found.false_defects) == (1, 0)
    assert not found.clear.any()
    assert held_against(Polylines(), first_windows=0).without_line == 0


def test_distance_is_to_the_segment_and_not_to_its_line() -> None:
    points = np.array([[5.0, 3.0], [14.0, 3.0], [0.0, 0.0]])
    segment = np.array([[0.0, 0.0], [10.0, 0.0]])
    np.testing.assert_allclose(distance_to(points, [segment]), [3, 5, 0])
    assert np.isinf(distance_to(points, [])).all()
