"""Lines of frames become the scratches of a map: each place once, joined, in mm."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Defect, to_json
from darkscan.pipeline.core.frame_results import FrameResult, Traces
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.stages.merging import build_map
from tests.mapping.hand_made import (
    FRAME,
    PITCH_MM,
    STEP,
    frames_of,
    inspected,
    lines_of,
    lost,
    meta,
    result,
)
from tests.mapping.hand_made import scan_info as scan_of

Line = Sequence[tuple[float, float]]


def traced(frame: FrameMeta, *lines: Line, everywhere: bool = True, **measures: Any) -> FrameResult:
    """A frame all of whose windows are positive, with lines in its pixels."""
    traces = Traces(lines=lines_of(*lines, **measures))
    windows = result(frame, lambda *_: 0.9) if everywhere else result(frame)
    return windows.model_copy(update={"traces": traces})


def defects_of(*results: FrameResult) -> tuple[Defect, ...]:
    return build_map(inspected(results)).defects


def test_a_line_is_placed_measured_and_described() -> None:
    measures: dict[str, Any] = {"width": 2.5, "widest": 4.0, "width_error": 0.25, "brightness": 0.5}
    line = [(100, 100), (400, 500)]
    (scratch,) = defects_of(
        traced(meta(1, 1.0, 2.0), line, contrast=4.0, saturated=0.25, **measures)
    )
    assert (scratch.id, scratch.kind, scratch.probability) == ("D0001", "scratch", None)
    assert scratch.centreline == ((2.0, 3.0), (5.0, 7.0))
    assert scratch.length_mm == 5.0
    assert (scratch.width_um, scratch.width_max_um, scratch.width_uncertainty_um) == (25, 40, 2.5)
    assert (scratch.brightness_um, scratch.contrast, scratch.saturated) == (5.0, 4.0, 0.25)
    assert (scratch.frames, scratch.views, scratch.area) == ((1,), 1, "A0001")
    assert scratch.extent_mm == pytest.approx((5.0, 0.025), abs=2e-4)
    assert scratch.orientation_deg == pytest.approx(53.1, abs=0.1)
    assert scratch.centroid_mm == (3.5, 5.0)


def test_the_outline_is_the_line_widened_to_its_width() -> None:
    (scratch,) = defects_of(traced(meta(0, 0, 0), [(100, 500), (400, 500)], width=4.0))
    assert scratch.outline == ((1.0, 4.98), (4.0, 4.98), (4.0, 5.02), (1.0, 5.02))
    assert scratch.box_mm == (1.0, 4.98, 3.0, 0.04)


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
    (scratch,) = defects_of(*results)
    assert scratch.length_mm == pytest.approx(32.0 * np.hypot(1, 0.95), abs=0.05)
    assert (scratch.frames, scratch.views) == ((0, 1, 3), 4)
    assert len(scratch.centreline) == 2


@pytest.mark.parametrize("shift", [0.0, 2.5], ids=["placed exactly", "placed 2.5 px off"])
def test_what_two_frames_saw_alike_is_one_line(shift: float) -> None:
    frames = frames_of(2, 1)
    one = traced(frames[0], [(1000, 700), (2040, 700)])
    other = traced(frames[1], [(8, 700 + shift), (900, 700 + shift)])
    (scratch,) = defects_of(one, other)
    assert scratch.length_mm == pytest.approx((STEP + 900 - 1000) * PITCH_MM, abs=0.06)


def test_a_line_that_one_frame_alone_saw_in_the_overlap_is_kept() -> None:
    frames = frames_of(2, 1)
    (scratch,) = defects_of(traced(frames[0]), traced(frames[1], [(20, 300), (100, 300)]))
    assert scratch.length_mm == pytest.approx(0.8)


def test_lines_that_cross_or_run_side_by_side_in_an_overlap_stay_apart() -> None:
    frames = frames_of(2, 1)
    one = traced(frames[0], [(STEP + 20, 300), (STEP + 120, 400)])
    other = traced(frames[1], [(20, 400), (120, 300)], [(20, 420), (120, 520)])
    lengths = [scratch.length_mm for scratch in defects_of(one, other)]
    assert lengths == pytest.approx([1.4142] * 3, abs=0.03)


@pytest.mark.parametrize(
    ("second", "number"),
    [
        pytest.param([(520, 500), (800, 500)], 1, id="a gap of 20 pixels"),
        pytest.param([(800, 503), (515, 500)], 1, id="drawn the other way round"),
        pytest.param([(580, 500), (800, 500)], 1, id="a gap of 80 pixels, quite straight"),
        pytest.param([(620, 500), (800, 500)], 1, id="a gap of 120 pixels, quite straight"),
        pytest.param([(720, 500), (900, 500)], 2, id="a gap of 220 pixels"),
        pytest.param([(580, 530), (740, 650)], 2, id="a gap of 80 pixels and a turn"),
        pytest.param([(510, 500), (510, 800)], 2, id="a corner"),
        pytest.param([(520, 515), (800, 515)], 2, id="15 pixels aside"),
        pytest.param([(400, 508), (700, 508)], 2, id="side by side"),
    ],
)
def test_pieces_are_joined_where_they_point_at_each_other(second: Line, number: int) -> None:
    found = defects_of(traced(meta(0, 0, 0), [(200, 500), (500, 500)], second))
    assert len(found) == number
    if number == 1:
        assert found[0].length_mm == pytest.approx(6.0, abs=0.01)


def test_a_gap_is_not_bridged_where_so_many_ends_lie_that_one_would_fit_by_chance() -> None:
    """The same two pieces, alone and within a thicket of others."""
    pieces = [(200, 500), (500, 500)], [(560, 503), (800, 503)]
    rng = np.random.default_rng(4)
    starts = rng.uniform((380, 400), (680, 600), (400, 2)).round(2)
    turned = rng.uniform(0, np.pi, 400)
    across = np.stack([np.cos(turned), np.sin(turned)], axis=1) * 14
    thicket = np.stack([starts, (starts + across).round(2)], axis=1).tolist()
    (alone,) = defects_of(traced(meta(0, 0, 0), *pieces))
    assert alone.length_mm == pytest.approx(6.0, abs=0.01)
    among = defects_of(traced(meta(0, 0, 0), *pieces, *thicket))
    assert max(defect.length_mm for defect in among) == pytest.approx(3.0, abs=0.2)


def test_joined_pieces_are_as_wide_as_their_mean_and_as_the_widest() -> None:
    frames = frames_of(2, 1)
    one = traced(frames[0], [(1748, 700), (2048, 700)], width=2.0, widest=3.0, saturated=1.0)
    other = traced(frames[1], [(256, 700), (356, 700)], width=6.0, widest=9.0)
    (scratch,) = defects_of(one, other)
    assert scratch.width_um == pytest.approx(10 * (300 * 2 + 100 * 6) / 400, rel=0.02)
    assert scratch.width_max_um == 90.0
    assert scratch.saturated == pytest.approx(0.75, abs=0.01)
    assert scratch.frames == (0, 1)


def test_a_line_goes_on_beyond_its_area_and_needs_none() -> None:
    frame = meta(0, 0, 0)
    lines = traced(frame, [(100, 200), (1900, 200)], [(100, 1500), (160, 1500)], everywhere=False)
    windows = result(frame, [(128, 256), (128, 1024), (128, 1152)])
    document = build_map(inspected([windows.model_copy(update={"traces": lines.traces})]))
    assert [(d.length_mm, d.area) for d in document.defects] == [(18.0, "A0002"), (0.6, None)]
    assert [area.defects for area in document.areas] == [(), ("D0001",)]
    assert document.totals.areas_without_defect == 1


def test_a_remnant_is_no_scratch() -> None:
    assert not defects_of(traced(meta(0, 0, 0), [(100, 200), (108, 200)]))


def test_lines_beside_the_element_are_cut_at_its_edge() -> None:
    (scratch,) = defects_of(traced(meta(0, 30.0, 5.0), [(400, 100), (1500, 100)]))
    assert scratch.length_mm == pytest.approx(4.4, abs=0.02)
    assert scratch.touches_region_border


def test_a_scratch_that_runs_into_a_lost_frame_says_that_it_may_go_on() -> None:
    frames = frames_of(2, 1)
    scan = scan_of(element_size_mm=(38.4, 20.48), region_mm=(0.0, 0.0, 38.4, 20.48))
    seen = traced(frames[0], [(1000, 500), (2048, 500)], [(1000, 900), (1500, 900)])
    document = build_map(inspected([seen], [lost(frames[1])], scan=scan))
    assert [d.touches_not_inspected for d in document.defects] == [True, False]


def test_a_turned_and_mirrored_camera_shows_the_same_length() -> None:
    scan = scan_of(pixel_to_stage=PixelToStage.from_pitch(10.0, rotation_mrad=30.0, flip_x=True))
    frame = traced(meta(0, 30.0, 5.0), [(100, 100), (500, 400)])
    (scratch,) = build_map(inspected([frame], scan=scan)).defects
    assert scratch.length_mm == pytest.approx(5.0, abs=0.002)
    assert scratch.centreline[0] == pytest.approx((29.0304, 6.0295), abs=2e-3)


def test_the_order_of_frames_does_not_matter() -> None:
    frames = frames_of(2, 2)
    rng = np.random.default_rng(2)
    results = [
        traced(frame, *rng.uniform(0, FRAME, (6, 2, 2)).round(2).tolist()) for frame in frames
    ]
    maps = {to_json(build_map(inspected(order))) for order in permutations(results)}
    assert len(maps) == 1


def told(frame: FrameMeta, kinds: Sequence[float], *lines: Line, bent: float = 0.0) -> FrameResult:
    """A frame whose model tells kinds."""
    traces = Traces(lines=lines_of(*lines, kinds=kinds, bent=bent))
    return result(frame, lambda *_: 0.9).model_copy(update={"traces": traces})


def test_the_kind_of_a_line_is_what_the_model_sees_along_most_of_it() -> None:
    frames = frames_of(2, 1)
    one = told(frames[0], (0.9, 0.05, 0, 0), [(1748, 700), (2048, 700)])
    other = told(frames[1], (0.1, 0.8, 0, 0), [(256, 700), (356, 700)])
    (scratch,) = defects_of(one, other)
    assert scratch.kind == "scratch"
    assert scratch.probability == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize(
    ("kinds", "bent", "kind", "probability"),
    [
        ((0.1, 0.7, 0, 0), 0.0, "fibre", 0.7),
        ((0.1, 0.0, 0.8, 0.1), 1.0, "scratch", 0.1),
        ((0.0, 0.0, 0.9, 0.0), 1.0, "fibre", 0.0),
        ((np.nan,) * 4, 1.0, "fibre", None),
        ((np.nan,) * 4, 0.0, "scratch", None),
    ],
    ids=["told a fibre", "told a scratch", "told neither", "by its bends", "by its straightness"],
)
def test_a_line_is_a_scratch_or_a_fibre(
    kinds: Sequence[float], bent: float, kind: str, probability: float | None
) -> None:
    (found,) = defects_of(told(meta(0, 0, 0), kinds, [(100, 100), (300, 100)], bent=bent))
    assert (found.kind, found.probability) == (kind, probability)
