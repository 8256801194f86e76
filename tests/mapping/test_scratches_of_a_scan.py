"""Centre lines of frames become the scratches of a map: each place once, joined, in mm."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Defect, to_json
from darkscan.pipeline.core.frame_results import Centrelines, FrameResult
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.stages.merging import build_map
from tests.mapping.hand_made import FRAME, PITCH_MM, STEP, frames_of, inspected, meta, result
from tests.mapping.hand_made import scan_info as scan_of

Line = Sequence[tuple[float, float]]


def traced(
    frame: FrameMeta, *lines: Line, width: float = 2.5, everywhere: bool = True
) -> FrameResult:
    """A frame all of whose windows are positive, with lines in its pixels."""
    points = np.array([point for line in lines for point in line], np.float32).reshape(-1, 2)
    centrelines = Centrelines(
        points=points,
        counts=np.array([len(line) for line in lines], np.int32),
        widths=np.full(len(lines), width, np.float32),
        contrasts=np.full(len(lines), 4.0, np.float32),
    )
    windows = result(frame, lambda *_: 0.9) if everywhere else result(frame)
    return windows.model_copy(update={"centrelines": centrelines})


def only_defect(*results: FrameResult) -> Defect:
    (defect,) = build_map(inspected(results)).defects
    return defect


def test_a_line_is_placed_measured_and_described() -> None:
    defect = only_defect(traced(meta(1, 1.0, 2.0), [(100, 100), (400, 500)]))
    (scratch,) = defect.scratches
    assert scratch.centreline == ((2.0, 3.0), (5.0, 7.0))
    assert scratch.length_mm == defect.length_mm == 5.0
    assert (scratch.width_um, scratch.contrast, scratch.frames) == (25.0, 4.0, (1,))


def test_a_scratch_across_four_frames_is_one_and_counted_once() -> None:
    """Each frame traces what it sees of it; the overlaps are seen by two."""
    results = []
    for frame in frames_of(2, 2):
        x, y = (round(mm / PITCH_MM) for mm in frame.position_mm[:2])
        along = np.arange(300.0, 3500.0)
        seen = [
            (t - x, 0.95 * t - y) for t in along if 0 <= t - x < FRAME and 0 <= 0.95 * t - y < FRAME
        ]
        results.append(traced(frame, *([seen[::50] + seen[-1:]] if seen else [])))
    defect = only_defect(*results)
    (scratch,) = defect.scratches
    assert scratch.length_mm == pytest.approx(32.0 * np.hypot(1, 0.95), abs=0.05)
    assert scratch.frames == (0, 1, 3)
    assert len(scratch.centreline) == 2


@pytest.mark.parametrize("shift", [0.0, 2.5], ids=["placed exactly", "placed 2.5 px off"])
def test_what_two_frames_saw_alike_is_one_line(shift: float) -> None:
    frames = frames_of(2, 1)
    one = traced(frames[0], [(1000, 700), (2040, 700)])
    other = traced(frames[1], [(8, 700 + shift), (900, 700 + shift)])
    defect = only_defect(one, other)
    (scratch,) = defect.scratches
    assert scratch.length_mm == pytest.approx((STEP + 900 - 1000) * PITCH_MM, abs=0.06)


def test_a_line_that_one_frame_alone_saw_in_the_overlap_is_kept() -> None:
    frames = frames_of(2, 1)
    defect = only_defect(traced(frames[0]), traced(frames[1], [(20, 300), (100, 300)]))
    assert defect.length_mm == pytest.approx(0.8)


def test_lines_that_cross_or_run_side_by_side_in_an_overlap_stay_apart() -> None:
    frames = frames_of(2, 1)
    one = traced(frames[0], [(STEP + 20, 300), (STEP + 120, 400)])
    other = traced(frames[1], [(20, 400), (120, 300)], [(20, 420), (120, 520)])
    lengths = [scratch.length_mm for scratch in only_defect(one, other).scratches]
    assert lengths == pytest.approx([1.4142] * 3, abs=0.03)


@pytest.mark.parametrize(
    ("second", "number"),
    [
        pytest.param([(520, 500), (800, 500)], 1, id="a gap of 20 pixels"),
        pytest.param([(800, 503), (515, 500)], 1, id="drawn the other way round"),
        pytest.param([(560, 500), (800, 500)], 2, id="a gap of 60 pixels"),
        pytest.param([(510, 500), (510, 800)], 2, id="a corner"),
        pytest.param([(520, 515), (800, 515)], 2, id="15 pixels aside"),
        pytest.param([(400, 508), (700, 508)], 2, id="side by side"),
    ],
)
def test_pieces_are_joined_where_they_point_at_each_other(second: Line, number: int) -> None:
    defect = only_defect(traced(meta(0, 0, 0), [(200, 500), (500, 500)], second))
    assert len(defect.scratches) == number
    if number == 1:
        assert defect.length_mm == pytest.approx(6.0, abs=0.01)


def test_a_line_is_cut_where_its_defect_ends() -> None:
    frame = meta(0, 0, 0)
    lines = traced(frame, [(100, 200), (1900, 200)], everywhere=False)
    windows = result(frame, [(128, 256), (128, 1024)])
    defects = build_map(inspected([windows.model_copy(update={"centrelines": lines.centrelines})]))
    assert [defect.length_mm for defect in defects.defects] == pytest.approx([2.56, 2.56], abs=0.02)
    assert defects.scratch_length_mm == pytest.approx(5.12, abs=0.04)


def test_a_line_without_a_defect_is_not_in_the_map() -> None:
    lonely = traced(meta(0, 0, 0), [(100, 200), (1900, 200)], everywhere=False)
    assert not build_map(inspected([lonely])).defects


def test_a_remnant_is_no_scratch() -> None:
    assert not only_defect(traced(meta(0, 0, 0), [(100, 200), (108, 200)])).scratches


def test_a_turned_and_mirrored_camera_shows_the_same_length() -> None:
    scan = scan_of(pixel_to_stage=PixelToStage.from_pitch(10.0, rotation_mrad=30.0, flip_x=True))
    frame = traced(meta(0, 30.0, 5.0), [(100, 100), (500, 400)])
    (defect,) = build_map(inspected([frame], scan=scan)).defects
    assert defect.length_mm == pytest.approx(5.0, abs=0.002)
    (scratch,) = defect.scratches
    assert scratch.centreline[0] == pytest.approx((29.0304, 6.0295), abs=2e-3)


def test_the_order_of_frames_does_not_matter() -> None:
    frames = frames_of(2, 2)
    rng = np.random.default_rng(2)
    results = [
        traced(frame, *rng.uniform(0, FRAME, (6, 2, 2)).round(2).tolist()) for frame in frames
    ]
    maps = {to_json(build_map(inspected(order))) for order in permutations(results)}
    assert len(maps) == 1
