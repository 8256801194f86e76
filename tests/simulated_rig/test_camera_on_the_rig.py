"""What the camera of a simulated rig delivers lies where the true geometry places it."""

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.planning.view import View
from darkscan.drivers.rig import Rig, drawn_geometry
from darkscan.simulation.rig import SimulatedRig, true_geometry
from tests.simulated_rig.dots import dots_in
from tests.simulated_rig.rigs import DOTS, NEEDS_COMPILER, WRONG, area_rig, line_rig

pytestmark = [pytest.mark.slow, NEEDS_COMPILER]
QUIET = DOTS | WRONG | {"noise": "none"}
LINES = {"width": 384, "height": 64}
ROWS = 256
AT_MM = (3.4, 2.7)
ROUNDING_UM = 6.0
"""The camera takes a whole number of the canvas's pixels: half of one, and some."""


def off_dots_um(rig: Rig, pixels: npt.NDArray[np.uint8], corner_mm: tuple[float, float]) -> float:
    """How far the dots of a frame are from where they are on the target, at most."""
    dots = dots_in(pixels)
    assert len(dots) >= 4
    places = true_geometry(rig).pixel_to_stage.place(dots, corner_mm)
    return float(np.abs(places - np.floor(places) - 0.5).max() * 1000.0)


def test_a_frame_of_an_area_camera(folder: Path) -> None:
    rig = area_rig(simulation=QUIET)
    x, y = true_geometry(rig).stage_to_element.stage_for(AT_MM).tolist()

    with SimulatedRig(rig, folder) as simulated:
        camera = Camera(rig.camera, "step")
        simulated.shared.move(time.time_ns(), (x, y, 0.0))
        camera.arm()
        camera.trigger()
        with camera.fetch(10.0) as buffer:
            assert buffer is not None
            pixels = np.empty((buffer.rows, rig.camera.width), np.uint8)
            buffer.copy_into(pixels)
        camera.close()

    assert off_dots_um(rig, pixels, AT_MM) < ROUNDING_UM


@pytest.mark.parametrize(
    "rig",
    [
        line_rig(camera=LINES, simulation=QUIET),
        line_rig(camera=LINES, geometry={"stage_flip_x": True, "flip_y": True}, simulation=QUIET),
        line_rig(
            camera=LINES,
            geometry={"stage_flip_x": True},
            motion={"encoder_axis_reversed": True},
            simulation=QUIET,
        ),
    ],
    ids=["counting up", "counting down", "axis down, counting up"],
)
def test_lines_of_a_line_camera(rig: Rig, folder: Path) -> None:
    stage_to_element = true_geometry(rig).stage_to_element
    x, y = stage_to_element.stage_for(AT_MM).tolist()
    view = View.of(rig, drawn_geometry(rig))
    step = view.line_step_mm
    counts_up = (step > 0) != rig.motion.encoder_axis_reversed

    with SimulatedRig(rig, folder) as simulated:
        camera = Camera(rig.camera, "line", encoder=True, encoder_divider=view.divider)
        start_ns = time.time_ns()
        simulated.shared.move(start_ns, (x, y, 0.0))
        camera.arm(1 if counts_up else -1)
        for telling in range(1, 61):
            moment = max(time.time_ns(), start_ns + telling * 10_000_000)
            simulated.shared.move(moment, (x + 5 * telling * step, y, 0.0))
        pixels = np.empty((ROWS, rig.camera.width), np.uint8)
        counts: list[int] = []
        while len(counts) < ROWS:
            with camera.fetch(10.0) as buffer:
                assert buffer is not None
                assert buffer.encoder is not None
                buffer.copy_into(pixels[len(counts) : len(counts) + buffer.rows])
                counts += buffer.encoder.tolist()
        camera.close()

    travelled = abs(counts[0]) / view.divider * step
    corner = stage_to_element.element_at((x + travelled, y)).tolist()
    assert np.abs(np.diff(counts)).max() == view.divider
    assert off_dots_um(rig, pixels, tuple(corner)) < ROUNDING_UM
