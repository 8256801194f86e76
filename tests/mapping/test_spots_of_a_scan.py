"""Digs and grains of frames become spots of a map: each once, however many frames show it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from darkscan.pipeline.core.defect_map import Defect, DefectMap
from darkscan.pipeline.core.frame_results import FrameResult, Traces
from darkscan.pipeline.core.scan import FrameMeta
from darkscan.stages.merging import build_map
from tests.mapping.hand_made import (
    STEP,
    frames_of,
    inspected,
    lines_of,
    meta,
    result,
    spots_of,
)

Corners = Sequence[tuple[float, float]]


def square(x: float, y: float, side: float) -> Corners:
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def seen(frame: FrameMeta, *contours: Corners, **measures: Any) -> FrameResult:
    """A frame without positive windows and with spots."""
    traces = Traces(spots=spots_of(*contours, **measures))
    return result(frame).model_copy(update={"traces": traces})


def map_of(*results: FrameResult) -> DefectMap:
    whole = inspected(results)
    return build_map(
        whole.model_copy(update={"model": whole.model.model_copy(update={"kinds": True})})
    )


def only_defect(*results: FrameResult) -> Defect:
    (defect,) = map_of(*results).defects
    return defect


def test_a_spot_is_placed_measured_and_described() -> None:
    corners = [(100, 200), (112, 200), (112, 208), (100, 208)]
    dig = only_defect(seen(meta(3, 1.0, 2.0), corners, brightness=20.0, saturated=0.5))
    assert (dig.id, dig.kind, dig.probability) == ("D0001", "dig", 0.9)
    assert dig.outline == ((2.0, 4.0), (2.12, 4.0), (2.12, 4.08), (2.0, 4.08))
    assert (dig.length_mm, dig.width_um) == (0.12, 80.0)
    assert (dig.brightness_um2, dig.brightness_um) == (2000.0, None)
    assert (dig.contrast, dig.saturated, dig.frames) == (20.0, 0.5, (3,))
    assert (dig.centreline, dig.width_max_um, dig.area) == ((), None, None)
    assert dig.centroid_mm == (2.06, 4.04)
    assert not dig.is_line


def test_what_two_frames_show_is_one_spot_and_the_whole_of_it_counts() -> None:
    """The first frame's border cuts the spot."""
    frames = frames_of(2, 1)
    cut = [(2040, 700), (2048, 700), (2048, 720), (2040, 720)]
    one = seen(frames[0], cut)
    other = seen(frames[1], square(2040 - STEP, 700, 20))
    dig = only_defect(one, other)
    assert dig.box_mm == pytest.approx((20.4, 7.0, 0.2, 0.2))
    assert dig.frames == (0, 1)


def test_spots_of_one_frame_are_distinct_however_near() -> None:
    near = square(300, 300, 9), square(310, 300, 9)
    assert len(map_of(seen(meta(0, 0, 0), *near)).defects) == 2


def test_spots_beside_the_element_are_not_listed() -> None:
    assert not map_of(seen(meta(0, 30.0, 0), square(1000, 100, 20))).defects


def test_totals_count_by_kind_and_say_what_was_left_out() -> None:
    grain = spots_of(square(100, 100, 10), kinds=(0, 0, 0, 0.7))
    more = Traces(
        lines=lines_of([(200, 200), (500, 200)], [(900, 900), (900, 1000)]),
        spots=grain.model_copy(update={"left_out": 3}),
    )
    frame = result(meta(0, 0, 0)).model_copy(update={"traces": more})
    totals = map_of(frame).totals
    assert (totals.scratch.count, totals.scratch.length_mm, totals.scratch.longest_mm) == (2, 4, 3)
    assert (totals.dust.count, totals.dust.length_mm) == (1, 0.1)
    assert (totals.dig.count, totals.dig.longest_mm, totals.fibre.count) == (0, 0.0, 0)
    assert totals.not_listed == 3


def test_the_worst_concentration_is_where_most_scratch_lies_in_ten_millimetres() -> None:
    alone = [(100.0, 100.0), (900.0, 100.0)]
    crowd = [[(1500.0, y), (1900.0, y)] for y in (1500.0, 1600.0, 1700.0)]
    totals = map_of(traced(alone, *crowd)).totals
    worst = totals.worst_concentration
    assert worst is not None
    assert worst.length_mm == pytest.approx(12.0, abs=0.01)
    x, y, width, height = worst.box_mm
    assert (width, height) == (10.0, 10.0)
    assert x <= 15.0
    assert x + width >= 19.0
    assert y <= 15.0
    assert y + height >= 17.0


def traced(*lines: Corners) -> FrameResult:
    return result(meta(0, 0, 0)).model_copy(update={"traces": Traces(lines=lines_of(*lines))})


def test_without_scratches_nothing_concentrates() -> None:
    assert map_of(seen(meta(0, 0, 0), square(5, 5, 20))).totals.worst_concentration is None


def test_the_model_says_which_kinds_the_map_lists() -> None:
    assert map_of().model.kinds == ("scratch", "fibre", "dig", "dust")
    assert build_map(inspected([])).model.kinds == ("scratch", "fibre")


def test_spots_of_many_frames_do_not_depend_on_their_order() -> None:
    rng = np.random.default_rng(6)
    frames = frames_of(2, 1)
    results = [
        seen(frame, *(square(x, y, 12) for x, y in rng.integers(0, 2000, (30, 2)).tolist()))
        for frame in frames
    ]
    assert map_of(*results) == map_of(*reversed(results))
    assert len(map_of(*results).defects) > 40
