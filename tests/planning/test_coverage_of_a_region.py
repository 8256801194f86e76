"""Frames cover every point of the region, whatever the geometry."""

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkscan.drivers.planning import ScanPlan
from darkscan.drivers.rig import Geometry, Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.geometry import StageToElement
from darkscan.pipeline.core.recipe import Inspection
from tests.planning.rigs import Mode, axis_index, plan_of, rig_of

STRIDE, WINDOW = 128, 256


@st.composite
def rigs(draw: st.DrawFn) -> tuple[Rig, Geometry]:
    """A rig whose geometry is any that a calibration may find."""
    mode: Mode = draw(st.sampled_from(["step", "fly", "line"]))
    axis = draw(st.sampled_from(["x", "y"]))
    rows, columns = draw(st.integers(400, 1500)), draw(st.integers(400, 1500))
    pitch_mm = 0.01
    sizes = st.floats(0.2, 5.5).map(lambda frames: round(frames * 1000 * pitch_mm, 3))
    corners = st.floats(-1, 30).map(lambda mm: round(mm, 3))
    region = [draw(corners), draw(corners), draw(sizes), draw(sizes)]
    tables: dict[str, dict[str, Any]] = {
        "element": {
            "size_mm": [60.0, 60.0],
            "region_mm": region,
        },
        "geometry": {
            "rotation_mrad": draw(st.floats(-20, 20)),
            "flip_x": draw(st.booleans()),
            "flip_y": draw(st.booleans()),
            "stage_flip_x": draw(st.booleans()),
            "stage_flip_y": draw(st.booleans()),
            "transposed": axis == "x" if mode == "line" else draw(st.booleans()),
            "origin_mm": [draw(st.floats(-100, 100)), draw(st.floats(-100, 100))],
        },
        "camera": {"width": columns} | ({} if mode == "line" else {"height": rows}),
        "scan": {
            "axis": axis,
            "overlap_px": draw(st.integers(WINDOW - STRIDE, 250)),
            "margin_mm": draw(st.floats(0, 0.5)),
            "frame_height_px": rows,
        },
        "motion": {"encoder_step_um": 0.1},
    }
    rig = rig_of(mode, **tables)
    drawn = drawn_geometry(rig)
    scale, skew = draw(st.floats(0.99, 1.01)), draw(st.floats(-0.005, 0.005))
    stage = drawn.stage_to_element
    skewed = stage.matrix @ np.array([[1.0, skew], [0.0, scale]])
    return rig, Geometry(
        pixel_to_stage=drawn.pixel_to_stage.model_copy(
            update={"xx": drawn.pixel_to_stage.xx * scale, "yx": drawn.pixel_to_stage.yx * scale}
        ),
        stage_to_element=StageToElement(
            **dict(zip(["xx", "xy", "yx", "yy"], skewed.ravel().tolist(), strict=True)),
            x=stage.x,
            y=stage.y,
        ),
    )


@pytest.mark.slow
@settings(max_examples=150)
@given(rigs())
def test_every_point_of_the_region_lies_well_inside_a_frame(case: tuple[Rig, Geometry]) -> None:
    rig, geometry = case
    plan = plan_of(rig, geometry, Inspection(window=WINDOW, stride=STRIDE))
    assert rig.element.region_mm is not None
    x, y, width, height = rig.element.region_mm
    steps = np.linspace(0, 1, 41)
    points = np.stack(
        np.meshgrid(x + width * steps, y + height * steps, indexing="ij"), axis=-1
    ).reshape(-1, 2)
    matrix = plan.info.pixel_to_stage.matrix
    margin_px = rig.scan.margin_mm / float(np.linalg.norm(matrix, 2))
    assert (depths_px(plan, points) >= min((WINDOW - STRIDE) / 2, margin_px) - 1e-6).all()


def depths_px(plan: ScanPlan, points_mm: Float64Array) -> Float64Array:
    """How far inside a frame points (N, 2) lie, of all frames the furthest: (N,) pixels."""
    corners = np.array([frame.meta.position_mm[:2] for frame in plan.frames])
    away = points_mm[:, None] - corners
    pixels = away @ np.linalg.inv(plan.info.pixel_to_stage.matrix).T
    size = np.array(plan.info.frame_shape[::-1])
    depths: Float64Array = np.minimum(pixels, size - pixels).min(axis=-1).max(axis=-1)
    return depths


@settings(max_examples=50)
@given(rigs())
def test_frames_are_where_the_axes_put_them(case: tuple[Rig, Geometry]) -> None:
    rig, geometry = case
    plan = plan_of(rig, geometry)
    for frame in plan.frames:
        place = geometry.stage_to_element.element_at(frame.stage_mm[:2])
        assert np.allclose(place, frame.meta.position_mm[:2], atol=1e-9)
    assert [frame.meta.frame for frame in plan.frames] == list(range(len(plan.frames)))
    assert plan.info.frames_planned == len(plan.frames)


@settings(max_examples=50)
@given(rigs())
def test_neighbours_continue_the_window_grid(case: tuple[Rig, Geometry]) -> None:
    rig, geometry = case
    plan = plan_of(rig, geometry, Inspection(window=WINDOW, stride=STRIDE))
    to_pixels = np.linalg.inv(plan.info.pixel_to_stage.matrix)
    places = np.array([frame.meta.position_mm[:2] for frame in plan.frames]) @ to_pixels.T
    strips: dict[int, list[int]] = defaultdict(list)
    for frame in plan.frames:
        strips[frame.meta.strip].append(frame.meta.frame)
    for frames in strips.values():
        for step in np.diff(places[sorted(frames)], axis=0):
            run = int(np.abs(step).argmax())
            assert np.isclose(step[run] / STRIDE, round(step[run] / STRIDE), atol=1e-6)
            # The other axis stands still, and the camera may be turned against this one.
            free = 0.0 if rig.scan.mode in {"step", "line"} else 0.05 * abs(step[run])
            assert abs(step[1 - run]) <= free + 1e-6
    overlaps = np.array(plan.overlap_px)
    assert (overlaps >= WINDOW - STRIDE).all()
    assert overlaps[1] >= rig.scan.overlap_px
    for first, second in pairwise(strips.values()):
        step = np.diff(places[[first[0], second[-1]]], axis=0)[0] / STRIDE
        assert np.allclose(step, np.rint(step), atol=1e-6)


@settings(max_examples=50)
@given(rigs())
def test_strips_are_taken_forth_and_back_at_even_steps(case: tuple[Rig, Geometry]) -> None:
    rig, geometry = case
    plan = plan_of(rig, geometry)
    strips: dict[int, list[Float64Array]] = defaultdict(list)
    for frame in plan.frames:
        strips[frame.meta.strip].append(np.array(frame.stage_mm[:2]))
    assert list(strips) == list(range(plan.strips))
    axis = axis_index(rig.scan.axis)
    signs = []
    for places in strips.values():
        steps = np.diff(places, axis=0)
        assert np.allclose(np.abs(steps[:, axis]), plan.frame_step_mm, rtol=0.01)
        signs += np.unique(np.sign(steps[:, axis])).tolist()
        if rig.scan.mode != "step":
            assert np.allclose(np.abs(steps[:, axis]), plan.frame_step_mm, atol=1e-9)
            assert not steps[:, 1 - axis].any()
    assert all(first == -second for first, second in pairwise(signs))


@pytest.mark.parametrize("mode", ["step", "fly", "line"])
def test_a_region_that_fits_one_frame_takes_one(mode: Mode) -> None:
    plan = plan_of(rig_of(mode, element={"size_mm": [10.0, 10.0]}, scan={"margin_mm": 0.1}))
    assert len(plan.frames) == 1


def test_the_scan_begins_at_the_top_left_and_reaches_out_evenly() -> None:
    plan = plan_of(rig_of(geometry={"stage_flip_x": True, "flip_y": True}))
    corners = np.array([frame.meta.position_mm[:2] for frame in plan.frames])
    centres = corners + plan.info.pixel_to_stage.matrix @ np.array([512, 512])
    assert np.allclose(centres[0], centres.min(axis=0))
    assert np.allclose(centres.max(axis=0) + centres.min(axis=0), [60.0, 40.0])


def test_a_turned_camera_needs_one_more_strip_where_frames_just_fitted() -> None:
    # On the fly the frames of a strip lie one beside the other like slipped cards.
    size = {"size_mm": [60.0, 10.2]}
    straight = plan_of(rig_of("fly", element=size, scan={"margin_mm": 0.0}))
    turned_rig = rig_of(
        "fly", element=size, scan={"margin_mm": 0.0}, geometry={"rotation_mrad": 10.0}
    )
    turned = plan_of(turned_rig)
    assert (straight.strips, turned.strips) == (1, 2)
    edge = np.stack([np.linspace(0, 60, 500), np.full(500, 10.2)], axis=-1)
    assert (depths_px(turned, edge) >= 0).all()
    assert (depths_px(turned, edge - [0, 10.2]) >= 0).all()
