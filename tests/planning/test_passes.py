"""The movements along strips: triggers, run-up, blocks of lines, re-scans."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from darkscan.drivers.planning import Pass, ScanPlan, check_limits, passes
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.units import FiniteMm, FrameId
from tests.planning.rigs import Mode, along, axis_index, every_frame, plan_of, rig_of

GEOMETRIES: dict[str, dict[str, Any]] = {
    "as drawn": {},
    "stage runs backwards": {"stage_flip_x": True, "stage_flip_y": True},
    "frame flipped": {"flip_x": True, "flip_y": True},
    "camera turned": {"rotation_mrad": 5.0},
}


def rig_and_plan(mode: Mode, geometry: dict[str, Any]) -> tuple[Rig, ScanPlan]:
    rig = rig_of(mode, geometry=geometry)
    return rig, plan_of(rig)


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
@pytest.mark.parametrize("mode", ["step", "fly", "line"])
def test_a_whole_scan_takes_every_frame_in_the_order_of_numbers(
    mode: Mode, geometry: dict[str, Any]
) -> None:
    rig, plan = rig_and_plan(mode, geometry)
    parts = passes(plan, rig, every_frame(plan))
    assert [frame for part in parts for frame in part.frames] == list(range(len(plan.frames)))
    assert [part.strip for part in parts] == list(range(plan.strips))
    for part in parts:
        places = [along(plan, frame) for frame in part.frames]
        assert (np.diff(places) * part.direction > 0).all()
    assert all(a.direction == -b.direction for a, b in pairwise(parts))


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_each_trigger_is_where_its_frame_is(geometry: dict[str, Any]) -> None:
    rig, plan = rig_and_plan("fly", geometry)
    parts = passes(plan, rig, every_frame(plan)) + passes(plan, rig, {FrameId(2), FrameId(9)})
    assert {part.direction for part in parts} == {1, -1}
    for part in parts:
        assert part.compare is not None
        assert part.compare.count == len(part.trigger_frames)
        for number, frame in enumerate(part.trigger_frames):
            trigger = part.compare.first_mm + number * part.compare.step_mm
            assert trigger == pytest.approx(along(plan, frame), abs=1e-9)


@pytest.mark.parametrize("mode", ["fly", "line"])
def test_the_axis_settles_at_its_velocity_before_the_first_and_after_the_last_frame(
    mode: Mode,
) -> None:
    rig, plan = rig_and_plan(mode, {})
    motion = rig.motion
    needed = plan.velocity_mm_s**2 / (2 * motion.acceleration_mm_s2)
    needed += motion.settle_s * plan.velocity_mm_s
    assert plan.run_up_mm == pytest.approx(needed)
    for part in passes(plan, rig, every_frame(plan)):
        start, end = part.start_mm[axis_index(plan.axis)], part.end_mm
        low, high = footprint(plan, part)
        before, after = (low - min(start, end)), (max(start, end) - high)
        assert min(before, after) >= needed - abs(plan.line_step_mm) - 1e-9


def footprint(plan: ScanPlan, part: Pass) -> tuple[float, float]:
    """The lowest and the highest place of the axis at which a pass takes something."""
    places = [along(plan, frame) for frame in part.frames]
    ends = [place + (plan.rows - 1) * plan.line_step_mm for place in places]
    return min(places + ends), max(places + ends)


@pytest.mark.parametrize("height", [1, 128, 1000, 4096], ids="blocks of {} lines".format)
@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_lines_lie_on_the_planned_rows_and_the_last_block_is_filled(
    geometry: dict[str, Any], height: int
) -> None:
    rig = rig_of("line", geometry=geometry, camera={"height": height})
    plan = plan_of(rig)
    step = plan.line_step_mm
    todo = every_frame(plan)
    for part in [*passes(plan, rig, todo), *passes(plan, rig, {FrameId(1), FrameId(8)})]:
        start = part.start_mm[axis_index(plan.axis)]
        delivered = math.floor(abs(part.end_mm - start) / abs(step) + 1e-6) // height * height
        first_row = (start - along(plan, part.frames[0])) / step
        rows = first_row + np.arange(delivered) * part.direction * np.sign(step)
        assert np.allclose(rows, np.rint(rows), atol=1e-6)
        wanted = {
            round((along(plan, frame) - along(plan, part.frames[0])) / step) + row
            for frame in part.frames
            for row in (0, plan.rows - 1)
        }
        assert wanted <= {round(row) for row in rows}


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_rows_ascend_alike_in_every_strip(geometry: dict[str, Any]) -> None:
    _, plan = rig_and_plan("line", geometry)
    for frame in plan.frames:
        same_strip = [other for other in plan.frames if other.meta.strip == frame.meta.strip]
        for other in same_strip:
            rows = (along(plan, other.meta.frame) - along(plan, frame.meta.frame)) / (
                plan.line_step_mm
            )
            assert rows == pytest.approx(other.strip_row - frame.strip_row, abs=1e-6)
        assert min(other.strip_row for other in same_strip) == 0


def test_the_encoder_makes_the_lines_and_the_lines_the_rows_of_a_frame() -> None:
    rig = rig_of(
        "line",
        geometry={"rotation_mrad": 1.0, "stage_flip_x": True},
        motion={"encoder_step_um": 0.9},
    )
    plan = plan_of(rig)
    assert plan.encoder_divider == 11  # 9.9 um of 10
    assert plan.line_step_mm == pytest.approx(-0.0099)
    matrix = plan.info.pixel_to_stage
    # The stage runs along x, however the camera is turned.
    assert matrix.xy == pytest.approx(0.0099)
    assert matrix.yy == pytest.approx(0.0, abs=1e-12)
    assert matrix.yx == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("mode", ["step", "fly", "line"])
def test_a_rescan_goes_forth_and_back_from_the_first_to_the_last_lost_frame(mode: Mode) -> None:
    rig, plan = rig_and_plan(mode, {})
    strips = [[f.meta.frame for f in plan.frames if f.meta.strip == s] for s in range(4)]
    # Strips 1 and 3 were both taken backwards.
    todo = {strips[1][1], strips[1][4], strips[3][2]}
    first, second = passes(plan, rig, todo)
    assert (first.strip, second.strip) == (1, 3)
    assert first.direction == -second.direction
    assert set(first.frames) == {strips[1][1], strips[1][4]}
    assert second.frames == (strips[3][2],)
    if mode == "fly":
        assert first.trigger_frames == tuple(strips[1][1:5][:: 1 if first.direction < 0 else -1])
        assert second.trigger_frames == second.frames


def test_nothing_to_do_is_no_pass() -> None:
    rig, plan = rig_and_plan("fly", {})
    assert passes(plan, rig, set()) == []


def test_a_frame_of_another_plan_is_refused() -> None:
    rig, plan = rig_and_plan("fly", {})
    with pytest.raises(KeyError, match="1000"):
        passes(plan, rig, {FrameId(1000)})


@pytest.mark.parametrize("mode", ["step", "fly", "line"])
def test_a_pass_tells_how_far_it_reaches(mode: Mode) -> None:
    rig = rig_of(mode, focus={"points_mm": [[0.0, 0.0, 1.0], [60.0, 0.0, 1.03], [0.0, 40.0, 1.1]]})
    plan = plan_of(rig)
    for part in passes(plan, rig, every_frame(plan)):
        places = np.array([plan.frames[frame].stage_mm for frame in part.frames])
        low, high = np.array(part.reach_mm)
        assert (low <= places.min(axis=0)).all()
        assert (places.max(axis=0) <= high).all()
        axis = axis_index(plan.axis)
        assert low[axis] == pytest.approx(min(part.start_mm[axis], part.end_mm))
        assert high[axis] == pytest.approx(max(part.start_mm[axis], part.end_mm))


def mm(*values: float) -> tuple[FiniteMm, FiniteMm, FiniteMm]:
    x, y, z = map(FiniteMm, values)
    return x, y, z


def test_overscan_beyond_the_soft_limits_is_refused_with_the_figures() -> None:
    rig, plan = rig_and_plan("fly", {})
    parts = passes(plan, rig, every_frame(plan))
    low, high = (np.array([part.reach_mm[end] for part in parts]) for end in (0, 1))
    fits = mm(*low.min(axis=0)), mm(*high.max(axis=0))
    check_limits(parts, *fits)
    tight = mm(fits[1][0] - 0.5, fits[1][1], fits[1][2])
    with pytest.raises(
        InputError, match=rf"to {fits[1][0]:.3f} mm.* to {tight[0]:.3f} mm"
    ) as error:
        check_limits(parts, fits[0], tight)
    assert error.value.field == "motion.x"


@pytest.mark.parametrize(
    ("low", "high"),
    [((-500.0, -500.0, 3.0), (500.0, 500.0, 4.0)), ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))],
    ids=["z is not moved without a focus plane", "equal limits are none"],
)
def test_limits_that_do_not_bind(
    low: tuple[float, float, float], high: tuple[float, float, float]
) -> None:
    rig, plan = rig_and_plan("step", {})
    check_limits(passes(plan, rig, every_frame(plan)), mm(*low), mm(*high))
