"""Scratches drawn by eye against the defect maps of their frames."""

import numpy as np
import pytest

from darkscan.network.evaluation.frame_figures import MapTotals
from darkscan.network.evaluation.lines_in_maps import MapFindings, find_in_map
from darkscan.network.evaluation.polylines import Polylines
from darkscan.pipeline.core.defect_map import Defect
from darkscan.pipeline.core.frame_results import DefectKind
from darkscan.simulation.element.tracks import Track
from tests.simulation.made_maps import Points, line, made_map, spot, square_area, straight

DRAWN = np.array([[60.0, 60.0], [160.0, 60.0]])


def held_against(drawn: Polylines, *listed: Defect) -> MapFindings:
    return find_in_map(drawn, made_map(listed))


@pytest.mark.parametrize(
    ("traced", "found"),
    [
        pytest.param(straight(60, 60, 160, 60), True, id="on it"),
        pytest.param(straight(60, 65, 160, 65), True, id="5 px beside"),
        pytest.param(straight(60, 67, 160, 67), False, id="7 px beside"),
        pytest.param(straight(20, 60, 112, 60), True, id="over half of it"),
        pytest.param(straight(20, 60, 100, 60), False, id="over less than half"),
        pytest.param(straight(110, 10, 110, 110), False, id="across it"),
    ],
)
@pytest.mark.parametrize("kind", ["scratch", "fibre"])
def test_a_scratch_is_found_if_half_of_it_lies_on_a_line(
    traced: Points, found: bool, kind: DefectKind
) -> None:
    clear = held_against(Polylines(clear=(DRAWN,)), line(traced, kind))
    faint = held_against(Polylines(faint=(DRAWN,)), line(traced, kind))
    assert (clear.clear.found.tolist(), clear.faint.found.tolist()) == ([found], [])
    assert (faint.clear.found.tolist(), faint.faint.found.tolist()) == ([], [found])
    assert clear.clear.once.tolist() == [found]


def test_two_lines_may_share_a_scratch_but_then_it_is_split() -> None:
    halves = line(straight(60, 60, 100, 62)), line(straight(119, 58, 162, 58))
    found = held_against(Polylines(clear=(DRAWN,)), *halves)
    assert found.clear.found.all()
    assert found.clear.split.all()
    assert not found.clear.once.any()
    assert len(found.centrelines) == 2
    assert found.clear.traced == pytest.approx(0.93, abs=0.02)  # 6 px beyond each end count


def test_two_lines_side_by_side_are_not_one() -> None:
    found = held_against(
        Polylines(clear=(DRAWN,)),
        line(straight(60, 58, 160, 58)),
        line(straight(60, 63, 160, 63)),
    )
    assert found.clear.split.all()
    assert not found.clear.once.any()


def test_one_line_along_two_scratches_merges_them() -> None:
    two = Polylines(clear=(DRAWN,), faint=(straight(200, 60, 250, 60),))
    assert held_against(two, line(straight(60, 60, 250, 60))).merged == 1
    assert held_against(two, line(straight(60, 60, 190, 60))).merged == 0
    touching = Polylines(clear=(DRAWN,), faint=(straight(162, 60, 250, 60),))
    assert held_against(touching, line(straight(60, 60, 250, 60))).merged == 0


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
def test_a_line_is_false_if_all_of_it_keeps_away(drawn: Polylines, false: bool) -> None:
    found = held_against(drawn, line(straight(200, 300, 300, 300)))
    assert found.false.tolist() == [false]
    assert found.lengths_px[0] == pytest.approx(100, abs=0.5)


def test_a_line_that_leaves_its_scratch_strays() -> None:
    found = held_against(Polylines(clear=(DRAWN,)), line(straight(60, 60, 260, 60)))
    assert not found.false.any()
    assert found.stray_px[0] == pytest.approx(100 - 8, abs=1)


def test_spots_and_areas_without_a_defect_are_counted() -> None:
    listed = made_map([spot(400, 400, 5), line(DRAWN)], [square_area(600, 600, 256)])
    found = find_in_map(Polylines(clear=(DRAWN,)), listed)
    assert (found.spots, len(found.centrelines), found.areas_without_defect) == (1, 1, 1)


def test_frames_add_up() -> None:
    drawn = Polylines(clear=(DRAWN,), faint=(straight(60, 160, 160, 160),))
    one = held_against(drawn, line(DRAWN), line(straight(300, 300, 400, 300)))
    other = held_against(
        drawn,
        line(straight(60, 60, 105, 60)),
        line(straight(112, 60, 160, 60)),
        line(straight(600, 600, 650, 600), "fibre"),
    )
    total = MapTotals.of([one, other])
    assert (total.frames, total.clear.count, total.faint.count) == (2, 2, 2)
    assert (total.clear.found, total.clear.once, total.clear.split) == (2, 1, 1)
    assert (total.faint.found, total.faint.once) == (0, 0)
    assert total.clear.length_px == pytest.approx(200)
    assert total.clear.traced_px == pytest.approx(200, abs=2)  # the gap of 7 px is within 6 px
    assert (total.scratches, total.false_scratches) == (4, 1)
    assert (total.fibres, total.false_fibres) == (1, 1)
    assert total.false_in_10_frames == 5
    assert total.length_px == pytest.approx(100 + 100 + 45 + 48, abs=1)
    assert total.stray_px == pytest.approx(100, abs=1)


def test_nothing_drawn_and_nothing_listed_gives_nothing() -> None:
    total = MapTotals.of([held_against(Polylines())])
    assert (total.clear.count, total.clear.length_px, total.scratches, total.merged) == (0, 0, 0, 0)


def test_distance_is_to_the_segment_and_not_to_its_line() -> None:
    segment = Track.of(np.array([[0.0, 0.0], [10.0, 0.0]]))
    points = Track.of(np.array([[5.0, 3.0], [14.0, 3.0]]), step=9.0)
    np.testing.assert_allclose(points.distance_to([segment]), [3])
    beyond = Track.of(np.array([[14.0, 2.0], [14.0, 4.0]]), step=2.0)
    np.testing.assert_allclose(beyond.distance_to([segment]), [5])
    assert np.isinf(points.distance_to([])).all()
