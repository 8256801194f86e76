"""The canvas: what the camera sees, where it truly lies."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from darkscan.drivers.planning import plan_scan
from darkscan.drivers.rig import Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float32Array, Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.recipe import Inspection
from darkscan.simulation.element.render import Scene
from darkscan.simulation.rig import _canvas as canvas_module
from darkscan.simulation.rig import true_geometry, truth_of
from darkscan.simulation.rig._canvas import LEVELS, CanvasLayout, render_canvas
from darkscan.simulation.rig._shared import Canvas
from tests.simulated_rig.dots import dots_in
from tests.simulated_rig.rigs import DOTS, WRONG, area_rig, line_rig

GEOMETRIES = {
    "as drawn": area_rig(simulation=DOTS),
    "turned, too large and askew": area_rig(simulation=DOTS | WRONG),
    "flipped": area_rig(geometry={"flip_x": True, "flip_y": True}, simulation=DOTS),
    "transposed, stage flipped": area_rig(
        geometry={"transposed": True, "stage_flip_x": True}, simulation=DOTS
    ),
    "everything at once": area_rig(
        geometry={"rotation_mrad": 40.0, "flip_y": True, "transposed": True, "stage_flip_y": True},
        simulation=DOTS | WRONG,
    ),
    "line scan": line_rig(simulation=DOTS),
    "line scan along y, wrong": line_rig(
        geometry={"transposed": False}, scan={"axis": "y"}, simulation=DOTS | WRONG
    ),
    "line scan backwards, wrong": line_rig(
        geometry={"stage_flip_x": True, "flip_y": True}, simulation=DOTS | WRONG
    ),
}


def in_silence(_done: int, _total: int) -> None:
    pass


def rendered(rig: Rig) -> tuple[CanvasLayout, Canvas]:
    layout = CanvasLayout.of(rig)
    return layout, render_canvas(rig, layout, in_silence)


def frame_at(rig: Rig, stage_mm: tuple[float, float]) -> tuple[Canvas, Float64Array]:
    """A frame as the camera takes it, and where its pixel corner (0, 0) came to lie, px."""
    layout, canvas = rendered(rig)
    exact = layout.from_stage @ (*stage_mm, 1.0)
    column, row = np.rint(exact).astype(int)
    rows, columns = rig.frame_shape
    frame = canvas[row : row + rows, column : column + columns]
    assert frame.shape == (rows, columns)
    return frame, np.array([column, row]) - exact


@pytest.mark.parametrize("rig", GEOMETRIES.values(), ids=GEOMETRIES)
def test_dots_are_seen_where_the_true_geometry_places_them(rig: Rig) -> None:
    geometry = true_geometry(rig)
    stage = geometry.stage_to_element.stage_for((3.4, 2.7))  # a frame reaches any way from there
    frame, rounding = frame_at(rig, tuple(stage.tolist()))

    centres = dots_in(frame / LEVELS)
    places = geometry.pixel_to_stage.place(centres + rounding, (3.4, 2.7))

    assert len(centres) >= 4
    nearest = np.floor(places) + 0.5  # dots 1 mm apart, the first at (0.5, 0.5)
    np.testing.assert_allclose(places, nearest, atol=0.0005)


def test_all_dots_lie_on_the_target() -> None:
    rig = area_rig(simulation=DOTS | {"dot_spacing_mm": 1.25})
    layout, canvas = rendered(rig)

    dots = dots_in(canvas / LEVELS) + layout.first

    # Of the 9 x 7 mm seven by five dots are whole, and none is drawn in part.
    assert len(dots) == 35
    np.testing.assert_allclose(dots.min(axis=0), 62.5, atol=0.05)
    np.testing.assert_allclose(dots.max(axis=0), (812.5, 562.5), atol=0.05)


@pytest.mark.parametrize(
    ("flips", "seen"),
    [
        ({}, lambda scene: scene),
        ({"flip_x": True}, lambda scene: scene[:, ::-1]),
        ({"flip_y": True, "transposed": True}, lambda scene: scene[::-1].T),
    ],
    ids=["upright", "flipped", "transposed"],
)
def test_pixels_of_the_true_pitch_are_the_elements_own(
    flips: dict[str, bool],
    seen: Callable[[Float32Array], Float32Array],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(canvas_module, "_TILE_PX", 400)
    rig = area_rig(geometry=flips)
    truth = truth_of(rig)
    assert truth is not None
    layout, canvas = rendered(rig)

    corners = np.array([layout.first, np.add(layout.first, layout.shape[::-1])])
    corners = corners @ (layout.true.pixel_to_stage.matrix.T * 100)
    x0, y0 = np.rint(corners.min(axis=0)).astype(int).tolist()
    x1, y1 = np.rint(corners.max(axis=0)).astype(int).tolist()
    scene = Scene(truth).render(x0, y0, y1 - y0, x1 - x0)

    np.testing.assert_allclose(canvas / LEVELS, seen(scene), atol=0.01)


def test_a_weak_scratch_keeps_its_contrast_when_the_camera_is_turned() -> None:
    turned = {"seed": 3, "camera_rotation_mrad": 12.0, "pitch_error": 0.004}
    rig = area_rig(simulation=turned)
    truth = truth_of(rig)
    assert truth is not None
    curved = next(trace for trace in truth.scratches if trace.kind == "curved")
    layout, canvas = rendered(rig)
    _, glow = rendered(area_rig(simulation=turned | {"preset": "blank"}))

    inverse = np.linalg.inv(layout.true.pixel_to_stage.matrix)
    points = (curved.vertices * 0.01) @ inverse.T - layout.first - 0.5
    light = cv2.remap(
        canvas.astype(np.float32) - glow.astype(np.float32),
        points.astype(np.float32)[None],
        np.empty(0, np.float32),
        cv2.INTER_LANCZOS4,
    )[0]
    light = np.asarray(light) / LEVELS

    # Dust may add to it, nothing takes from it.
    assert np.median(light / np.maximum(curved.amplitude, 0.5)) > 0.95


def test_tiles_leave_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = area_rig(simulation={"camera_rotation_mrad": 12.0})
    _, whole = rendered(rig)
    monkeypatch.setattr(canvas_module, "_TILE_PX", 333)
    _, tiled = rendered(rig)

    # The warp's places are rounded to a fraction of a pixel.
    difference = np.abs(whole.astype(int) - tiled.astype(int)) / LEVELS
    assert np.quantile(difference, 0.999) < 2.0
    assert difference.mean() < 0.05


@pytest.mark.parametrize("rig", GEOMETRIES.values(), ids=GEOMETRIES)
@pytest.mark.parametrize("calibrated", [False, True], ids=["planned as drawn", "calibrated"])
def test_no_frame_of_a_scan_reaches_beyond_the_canvas(rig: Rig, calibrated: bool) -> None:
    layout = CanvasLayout.of(rig)
    geometry = true_geometry(rig) if calibrated else drawn_geometry(rig)
    plan = plan_scan(rig, geometry, Inspection(), side="front", recipe_name="default")

    corners = np.array([(*frame.stage_mm[:2], 1.0) for frame in plan.frames]) @ layout.from_stage.T

    assert (corners > 1).all()
    assert (corners + rig.frame_shape[::-1] < np.array(layout.shape[::-1]) - 1).all()


def test_a_whole_optic_is_refused_with_figures_where_it_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = CanvasLayout.of(area_rig(element={"size_mm": [810.0, 460.0]}))
    monkeypatch.setattr(canvas_module, "_available_memory", lambda: 4e9)

    with pytest.raises(
        InputError, match=r"81370 x 46330 pixels takes 15\.1 GB of memory, where 4\.0"
    ):
        layout.require_room(tmp_path)


def test_a_region_makes_the_canvas_smaller() -> None:
    large = CanvasLayout.of(area_rig(element={"size_mm": [810.0, 460.0]}))
    small = CanvasLayout.of(
        area_rig(element={"size_mm": [810.0, 460.0], "region_mm": [400.0, 200.0, 9.0, 7.0]})
    )

    assert small.bytes < large.bytes / 1000
    assert small.shape == CanvasLayout.of(area_rig()).shape


def test_progress_is_told_from_nothing_to_everything() -> None:
    rig, told = area_rig(), []
    render_canvas(rig, CanvasLayout.of(rig), lambda done, total: told.append((done, total)))

    assert told[0][0] == 0
    assert told[-1][0] == told[-1][1]
