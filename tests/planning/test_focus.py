"""The z axis follows the element's plane, as far as one axis in motion can."""

import numpy as np
import pytest

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.transport.messages import Axis
from tests.planning.rigs import Mode, plan_of, rig_of

# z = 2 + 0.0005 x - 0.001 y
TILTED = {"points_mm": [[10.0, 10.0, 1.995], [50.0, 10.0, 2.015], [10.0, 30.0, 1.975]]}


def test_each_frame_of_a_step_scan_is_focused_on_its_middle() -> None:
    plan = plan_of(rig_of(focus=TILTED, geometry={"flip_x": True, "stage_flip_y": True}))
    assert plan.focused
    middle_mm = plan.info.pixel_to_stage.matrix @ np.array([512, 512])
    for frame in plan.frames:
        x, y = np.array(frame.meta.position_mm[:2]) + middle_mm
        assert frame.stage_mm[2] == pytest.approx(2 + 0.0005 * x - 0.001 * y)
        assert frame.meta.position_mm[2] == frame.stage_mm[2]


@pytest.mark.parametrize("mode", ["fly", "line"])
def test_each_strip_in_motion_is_focused_on_its_middle(mode: Mode) -> None:
    plan = plan_of(rig_of(mode, focus=TILTED))
    matrix = plan.info.pixel_to_stage.matrix
    for strip in range(plan.strips):
        frames = [frame for frame in plan.frames if frame.meta.strip == strip]
        corners = np.array([frame.meta.position_mm[:2] for frame in frames])
        x, y = corners.mean(axis=0) + matrix @ np.array([512, 512])
        (z,) = {frame.stage_mm[2] for frame in frames}
        assert z == pytest.approx(2 + 0.0005 * x - 0.001 * y)


def test_without_a_plane_the_z_axis_is_left_alone() -> None:
    assert not plan_of(rig_of()).focused


# 60 mm along x at 4 mrad: 240 um, half of it to either side of a strip's middle.
STEEP = {"points_mm": [[0.0, 0.0, 0.0], [50.0, 0.0, 0.2], [0.0, 40.0, 0.004]]}


def test_a_strip_that_leaves_the_focus_is_refused_with_the_figures_and_the_better_axis() -> None:
    problem = r'4 and 0.1 mrad .* 1[2-5]\d um within a strip along x, .* 100 um.*scan.axis = "y"'
    with pytest.raises(InputError, match=problem) as error:
        plan_of(rig_of("fly", focus=STEEP))
    assert error.value.field == "focus.depth_um"


@pytest.mark.parametrize(
    ("mode", "axis"), [("step", "x"), ("fly", "y")], ids=["frame by frame", "along the other axis"]
)
def test_the_same_plane_can_be_scanned_otherwise(mode: Mode, axis: Axis) -> None:
    assert plan_of(rig_of(mode, focus=STEEP, scan={"axis": axis})).focused


def test_the_other_axis_is_not_recommended_where_it_is_worse() -> None:
    steep_in_y = {"points_mm": [[0.0, 0.0, 0.0], [60.0, 0.0, 0.25], [0.0, 40.0, 0.5]]}
    with pytest.raises(InputError, match="within a strip along x") as error:
        plan_of(rig_of("fly", focus=steep_in_y))
    assert "scan.axis" not in str(error.value)


def test_a_plane_too_steep_for_a_single_frame_is_refused() -> None:
    steep = {"points_mm": [[0.0, 0.0, 0.0], [50.0, 0.0, 2.0], [0.0, 40.0, 0.0]]}
    with pytest.raises(InputError, match="205 um within a frame, more than 100 um"):
        plan_of(rig_of(focus=steep))


@pytest.mark.parametrize(
    "points",
    [
        [[0.0, 0.0, 1.0], [10.0, 10.0, 2.0], [30.0, 30.0, 3.0]],
        [[0.0, 0.0, 1.0], [10.0, 10.0, 2.0], [10.0, 10.0, 3.0]],
        [[5.0, 5.0, 1.0], [5.0, 5.0, 1.0], [5.0, 5.0, 1.0]],
    ],
    ids=["on a line", "two at the same place", "all at the same place"],
)
def test_three_points_that_make_no_plane(points: list[list[float]]) -> None:
    with pytest.raises(InputError, match="lie on a line") as error:
        plan_of(rig_of(focus={"points_mm": points}))
    assert error.value.field == "focus.points_mm"


def test_a_plane_needs_a_z_axis() -> None:
    with pytest.raises(InputError, match="to follow the focus plane") as error:
        plan_of(rig_of(focus=TILTED, motion={"z": None}))
    assert error.value.field == "motion.z"
