"""Windows become areas: joined across frames, placed in millimetres, in a stable order."""

from collections.abc import Iterable
from itertools import permutations

import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Area, Ring, to_json
from darkscan.pipeline.core.frame_results import FrameResult
from darkscan.pipeline.core.geometry import PixelToStage, rectangle
from darkscan.pipeline.core.scan import ScanInfo
from darkscan.stages.merging import build_map
from tests.mapping.hand_made import (
    PITCH_MM,
    STEP,
    frames_of,
    inspected,
    lost,
    meta,
    result,
    scan_info,
)

CELL_MM = 0.16
WINDOW_MM = 2.56


def ring_area(ring: Ring) -> float:
    points = np.array(ring)
    x, y = points.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def only_area(results: Iterable[FrameResult], scan: ScanInfo | None = None) -> Area:
    (area,) = build_map(inspected(results, scan=scan)).areas
    return area


def test_one_window_is_a_square_of_its_size_at_its_place() -> None:
    area = only_area([result(frame, [(128, 256)]) for frame in frames_of(1, 1)])
    assert area.contour == (((2.56, 1.28), (5.12, 1.28), (5.12, 3.84), (2.56, 3.84)),)
    assert area.box_mm == (2.56, 1.28, 2.56, 2.56)
    assert area.area_mm2 == 6.5536
    assert (area.windows, area.frames, area.id) == (1, (0,), "A0001")


def test_a_scratch_across_four_frames_is_one_defect_with_the_union_of_its_windows() -> None:
    frames = frames_of(2, 2)
    # The windows along the main diagonal of the element, from frame 0 through the
    # corner that all four frames share, to frame 3.
    diagonal = {0: [(1536, 1536), (1664, 1664), (1792, 1792)], 3: [(0, 0), (128, 128)]}
    corner = {1: [(1792, 0)], 2: [(0, 1792)]}
    found = only_area([result(f, (diagonal | corner).get(f.frame, [])) for f in frames])
    assert found.frames == (0, 1, 2, 3)
    assert found.windows == 4  # places, however many frames show them
    starts = np.array([1536, 1664, 1792, 1920])
    # On the 128 px lattice: each window is two cells; frame 3's first is frame 0's last.
    union = np.zeros((40, 40), bool)
    for start in starts // 128:
        union[start : start + 2, start : start + 2] = True
    assert found.area_mm2 == pytest.approx(union.sum() * 1.28**2, abs=1e-9)
    a, b, c, d, e = (round(start * PITCH_MM, 4) for start in (*starts, 2048))
    f = 21.76
    staircase = [(a, a), (c, a), (c, b), (d, b), (d, c), (e, c), (e, d), (f, d), (f, f)]
    staircase += [(d, f), (d, e), (c, e), (c, d), (b, d), (b, c), (a, c)]
    assert found.contour == (tuple(staircase),)


def test_windows_that_touch_at_a_corner_are_one_defect_whose_ring_touches_itself() -> None:
    found = only_area([result(meta(0, 0, 0), [(0, 0), (256, 256)])])
    assert len(found.contour) == 1
    assert found.contour[0].count((WINDOW_MM, WINDOW_MM)) == 2
    assert ring_area(found.contour[0]) == pytest.approx(found.area_mm2)


def test_windows_a_stride_apart_stay_two_defects() -> None:
    areas = build_map(inspected([result(meta(0, 0, 0), [(0, 0), (0, 384)])])).areas
    assert [area.box_mm[0] for area in areas] == [0.0, 3.84]


def test_a_ring_of_windows_has_a_hole() -> None:
    around = [(y, x) for y in range(0, 641, 128) for x in range(0, 641, 128)]
    around = [(y, x) for y, x in around if y in {0, 640} or x in {0, 640}]
    found = only_area([result(meta(0, 0, 0), around)])
    outer, hole = found.contour
    assert outer == ((0.0, 0.0), (8.96, 0.0), (8.96, 8.96), (0.0, 8.96))
    assert hole == ((2.56, 2.56), (2.56, 6.4), (6.4, 6.4), (6.4, 2.56))
    assert ring_area(outer) > 0 > ring_area(hole)
    assert found.area_mm2 == pytest.approx(ring_area(outer) + ring_area(hole), abs=1e-3)


@pytest.mark.parametrize(
    ("flip_x", "flip_y"),
    [(False, False), (True, False), (False, True), (True, True)],
    ids=["upright", "mirrored in x", "mirrored in y", "turned by half"],
)
@pytest.mark.parametrize("rotation_mrad", [0.0, 1.0, 30.0], ids=lambda r: f"{r:g} mrad")
def test_turned_and_flipped_frames_put_a_defect_at_the_right_place(
    rotation_mrad: float, flip_x: bool, flip_y: bool
) -> None:
    linear = PixelToStage.from_pitch(
        10.0, rotation_mrad=rotation_mrad, flip_x=flip_x, flip_y=flip_y
    )
    scan = scan_info(pixel_to_stage=linear)
    frame = meta(0, 19.2 + 10.24 * (1 if flip_x else -1), 19.2 + 10.24 * (1 if flip_y else -1))
    found = only_area([result(frame, [(1024, 512)])], scan=scan)
    true = linear.place(rectangle(512, 1024, 256, 256), frame.position_mm)
    x, y, width, height = found.box_mm
    assert (x, y) == pytest.approx(true.min(axis=0), abs=CELL_MM)
    assert (x + width, y + height) == pytest.approx(true.max(axis=0), abs=CELL_MM)
    assert found.area_mm2 == pytest.approx(WINDOW_MM**2, rel=0.03)


def test_a_camera_turned_by_a_quarter_is_exact() -> None:
    quarter = PixelToStage(xx=0.0, xy=-0.01, yx=0.01, yy=0.0)
    scan = scan_info(pixel_to_stage=quarter)
    found = only_area([result(meta(0, 20.48, 0.0), [(0, 256)])], scan=scan)
    assert found.box_mm == (17.92, 2.56, 2.56, 2.56)


def test_skewed_axes_shift_a_window_along() -> None:
    skewed = PixelToStage(xx=0.01, xy=0.001, yx=0.0, yy=0.01)
    found = only_area(
        [result(meta(0, 0.0, 0.0), [(1024, 0)])], scan=scan_info(pixel_to_stage=skewed)
    )
    assert found.box_mm[0] == pytest.approx(1.024, abs=CELL_MM)
    assert found.box_mm[2] == pytest.approx(WINDOW_MM + 0.256, abs=2 * CELL_MM)


def test_a_measured_position_off_the_lattice_moves_a_defect_along() -> None:
    found = only_area([result(meta(0, 3.333, 7.777), [(0, 0)])])
    assert found.box_mm[:2] == pytest.approx((3.333, 7.777), abs=CELL_MM / 2)


def test_positions_a_micrometre_off_leave_the_windows_on_their_lattice() -> None:
    frames = [meta(0, 0.0012, -0.0007), meta(1, STEP * PITCH_MM - 0.0011, 0.0009)]
    found = only_area([result(frames[0], [(0, 1792)]), result(frames[1], [(0, 0)])])
    assert found.box_mm == (17.92, 0.0, 2.56, 2.56)
    assert found.windows == 1


def test_windows_beyond_the_element_are_clipped_or_left_out() -> None:
    frame = meta(0, 38.4 - 1.28, 10.24)
    found = only_area([result(frame, [(0, 0), (0, 512)])])
    assert found.box_mm == (37.12, 10.24, 1.28, 2.56)
    assert found.windows == 1


def test_scores_of_a_defect_are_those_of_its_windows_over_the_threshold() -> None:
    scores = {(0, 0): 0.75, (0, 128): 0.5, (0, 256): 0.4999}
    found = only_area([result(meta(0, 0, 0), lambda _, y, x: scores.get((y, x)))])
    assert found.windows == 2
    assert found.score_max == 0.75
    assert found.score_mean == 0.625


def test_defects_are_numbered_from_the_top_then_from_the_left() -> None:
    windows = [(512, 0), (0, 1024), (0, 0), (1024, 512)]
    areas = build_map(inspected([result(meta(0, 0, 0), windows)])).areas
    corners = [(d.box_mm[1], d.box_mm[0]) for d in areas]
    assert corners == sorted(corners)
    assert [d.id for d in areas] == ["A0001", "A0002", "A0003", "A0004"]


def test_a_defect_at_a_border_or_beside_a_lost_frame_says_that_it_may_go_on() -> None:
    frames = frames_of(2, 1)
    scan = scan_info(element_size_mm=(38.4, 20.48), region_mm=(0.0, 0.0, 38.4, 20.48))
    windows = [(0, 0), (640, 640), (640, 1792)]
    document = build_map(inspected([result(frames[0], windows)], [lost(frames[1])], scan=scan))
    said = [(d.touches_region_border, d.touches_not_inspected) for d in document.areas]
    assert said == [(True, False), (False, False), (False, True)]


def test_the_order_in_which_frames_came_does_not_matter() -> None:
    def scratched(frame: int, y: int, x: int) -> float | None:
        value = (frame * 71 + y * 13 + x * 7) % 97 / 97
        return value if value > 0.8 else None

    frames = frames_of(2, 2)
    ordered = [result(frame, scratched) for frame in frames[:3]]
    whole = to_json(build_map(inspected(ordered, [lost(frames[3]), lost(meta(4, 3, 3))])))
    for shuffled in permutations(ordered):
        missing = [lost(meta(4, 3, 3)), lost(frames[3])]
        assert to_json(build_map(inspected(shuffled, missing))) == whole


LOW, HIGH = 0.6, 0.9


def grown(windows: dict[tuple[int, int], float]) -> tuple[Area, ...]:
    """The areas of one frame whose windows at (y, x) have these scores; thresholds .8, .5."""
    (frame,) = frames_of(1, 1)
    scan = inspected([result(frame, lambda _, y, x: windows.get((y, x)))])
    thresholds = {"threshold": 0.8, "grow_threshold": 0.5}
    model = scan.model.model_copy(update=thresholds)
    return build_map(scan.model_copy(update={"model": model})).areas


def test_a_low_score_continues_a_scratch_it_overlaps() -> None:
    (area,) = grown({(0, 0): HIGH, (128, 128): LOW})
    assert area.windows == 2
    assert area.box_mm == (0.0, 0.0, 3.84, 3.84)
    assert area.score_max == 0.9


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param({(0, 0): LOW, (128, 128): LOW}, [], id="low scores alone are nothing"),
        pytest.param({(0, 0): HIGH, (0, 256): LOW}, [1], id="touching is not overlapping"),
        pytest.param(
            {(0, 0): HIGH, (0, 128): LOW, (0, 384): LOW}, [2], id="a low score recruits no other"
        ),
        pytest.param(
            {(0, 0): HIGH, (0, 128): LOW, (0, 256): HIGH}, [3], id="a low score joins two"
        ),
        pytest.param({(0, 0): HIGH, (128, 128): 0.4}, [1], id="too low to continue"),
    ],
)
def test_growth_is_one_step_from_a_certain_window(
    windows: dict[tuple[int, int], float], expected: list[int]
) -> None:
    assert [area.windows for area in grown(windows)] == expected


def test_a_place_that_several_frames_show_counts_once() -> None:
    frames = [meta(number, 0.0, 0.0) for number in range(3)]
    area = only_area([result(frame, [(0, 0), (0, 128)]) for frame in frames])
    assert (area.windows, area.frames) == (2, (0, 1, 2))
