"""The true simulated rig, which its rig file may describe otherwise."""

import math

from darkscan.drivers.planning.plan import AXES
from darkscan.drivers.planning.view import View
from darkscan.drivers.rig import Geometry, Rig, SimulationSettings, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.geometry import PixelToStage, StageToElement
from darkscan.pipeline.core.settings import updated
from darkscan.simulation.element import ElementTruth, simulate_element
from darkscan.simulation.rig._target import TARGETS


def simulation_of(rig: Rig) -> SimulationSettings:
    """The rig's [simulation] table. Raises InputError if it has none."""
    if rig.simulation is None:
        raise InputError("the rig is none of the simulated ones", field="simulation")
    return rig.simulation


def element_size_px(rig: Rig) -> tuple[int, int]:
    """Width and height of the element in pixels of the stated pitch."""
    width, height = (round(side * 1000.0 / rig.geometry.pitch_um) for side in rig.element.size_mm)
    return width, height


def truth_of(rig: Rig) -> ElementTruth | None:
    """The element that is simulated, in pixels of the stated pitch; None for a target.

    The same rig gives the same truth. Raises InputError for an unknown preset.
    """
    simulation = simulation_of(rig)
    if simulation.preset in TARGETS:
        return None
    try:
        return simulate_element(element_size_px(rig), simulation.seed, simulation.preset)
    except InputError as error:
        problem = f"{error.problem}, {', '.join(TARGETS)}"
        raise InputError(problem, field="simulation.preset") from error


def sensor_shape(rig: Rig) -> tuple[int, int]:
    """Rows and columns of the sensor; a line camera has one row."""
    return (1 if rig.scan.mode == "line" else rig.camera.height), rig.camera.width


def true_geometry(rig: Rig) -> Geometry:
    """The geometry that a calibration has to find.

    The camera is turned, and its pixels are larger, about the middle of the frame (or of
    the line): pixel corner (0, 0) moves. The y axis leans about the place where the axes
    stand at ``geometry.origin_mm``. Raises InputError.
    """
    simulation = simulation_of(rig)
    drawn = drawn_geometry(rig)
    turned = updated(
        rig.geometry,
        rotation_mrad=rig.geometry.rotation_mrad + simulation.camera_rotation_mrad,
        pitch_um=rig.geometry.pitch_um * (1.0 + simulation.pitch_error),
    ).pixel_to_stage()
    stage = _leaning(drawn.stage_to_element, simulation.axis_skew_mrad, rig.geometry.origin_mm)
    view = View.of(rig, drawn)
    before, after = view.pixel_to_stage.matrix, turned.matrix
    if rig.scan.mode == "line":  # rows follow each other as the axis moves, however it lies
        after[:, 1] = stage.matrix[:, AXES[rig.scan.axis]] * view.line_step_mm
    rows, columns = sensor_shape(rig)
    x, y = ((before - after) @ (columns / 2.0, rows / 2.0)).tolist()
    return Geometry(
        pixel_to_stage=_pixel_to_stage(after),
        stage_to_element=updated(stage, x=stage.x + x, y=stage.y + y),
        name="true",
    )


def _leaning(
    stage: StageToElement, skew_mrad: float, about_mm: tuple[float, float]
) -> StageToElement:
    """The y axis leans towards x; nothing changes where the axes stand ``about_mm``."""
    cos, sin = math.cos(skew_mrad / 1000.0), math.sin(skew_mrad / 1000.0)
    matrix = stage.matrix @ [[1.0, sin], [0.0, cos]]
    x, y = (stage.element_at(about_mm) - matrix @ about_mm).tolist()
    (xx, xy), (yx, yy) = matrix.tolist()
    return StageToElement(xx=xx, xy=xy, yx=yx, yy=yy, x=x, y=y)


def _pixel_to_stage(matrix: Float64Array) -> PixelToStage:
    (xx, xy), (yx, yy) = matrix.tolist()
    return PixelToStage(xx=xx, xy=xy, yx=yx, yy=yy)
