"""What is true of a simulated rig, against what its rig file states."""

import numpy as np
import pytest

from darkscan.drivers.rig import Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from darkscan.simulation.rig import true_geometry, truth_of
from tests.simulated_rig.rigs import area_rig, line_rig

AT = (21.0, 12.5)


def place(rig: Rig, x_px: float, y_px: float, *, true: bool = True) -> Float64Array:
    geometry = true_geometry(rig) if true else drawn_geometry(rig)
    corner = geometry.stage_to_element.element_at(AT)
    return geometry.pixel_to_stage.place((x_px, y_px), corner.tolist())


@pytest.mark.parametrize(
    "rig", [area_rig(), line_rig(), area_rig(geometry={"flip_x": True, "stage_flip_y": True})]
)
def test_what_the_rig_file_says_is_true_unless_the_simulation_says_otherwise(rig: Rig) -> None:
    drawn, true = drawn_geometry(rig), true_geometry(rig)

    np.testing.assert_allclose(true.pixel_to_stage.matrix, drawn.pixel_to_stage.matrix, atol=1e-15)
    assert true.stage_to_element == drawn.stage_to_element


def test_the_camera_turns_and_its_pixels_grow_about_the_middle_of_a_frame() -> None:
    rig = area_rig(simulation={"camera_rotation_mrad": 5.0, "pitch_error": 0.01})

    middle, drawn = place(rig, 150, 130), place(rig, 150, 130, true=False)
    right = place(rig, 300, 130)

    np.testing.assert_allclose(middle, drawn, atol=1e-12)
    across = right - middle
    assert np.hypot(*across) == pytest.approx(1.01 * 1.5)
    assert np.arctan2(across[1], across[0]) == pytest.approx(0.005)


def test_the_y_axis_leans_towards_x_about_the_origin() -> None:
    rig = area_rig(simulation={"axis_skew_mrad": 2.0})
    true = true_geometry(rig).stage_to_element

    at_origin, up = true.element_at((20.0, 10.0)), true.element_at((20.0, 110.0))

    np.testing.assert_allclose(at_origin, (0.0, 0.0), atol=1e-12)
    np.testing.assert_allclose(up, (100 * np.sin(0.002), 100 * np.cos(0.002)), atol=1e-12)


def test_the_rows_of_a_line_scan_follow_the_axis_and_its_encoder() -> None:
    """Neither camera nor pitch have a say in it."""
    rig = line_rig(
        geometry={"transposed": False},
        scan={"axis": "y"},
        motion={"encoder_step_um": 0.99},
        simulation={"camera_rotation_mrad": 5.0, "pitch_error": 0.01, "axis_skew_mrad": 2.0},
    )

    matrix = true_geometry(rig).pixel_to_stage.matrix

    row = 0.0099 * np.array([np.sin(0.002), np.cos(0.002)])  # ten counts are nearest to 10 um
    column = 0.0101 * np.array([np.cos(0.005), np.sin(0.005)])
    np.testing.assert_allclose(matrix[:, 1], row, atol=1e-12)
    np.testing.assert_allclose(matrix[:, 0], column, atol=1e-12)


def test_an_element_is_as_large_as_the_rig_file_says() -> None:
    truth = truth_of(area_rig())

    assert truth is not None
    assert truth.size_px == (900, 700)
    assert truth.scratches


def test_a_target_has_no_scratches_to_speak_of() -> None:
    assert truth_of(area_rig(simulation={"preset": "dot-grid"})) is None
    assert truth_of(area_rig(simulation={"preset": "blank"})) is None


def test_an_unknown_preset_is_refused_with_all_that_are_known() -> None:
    with pytest.raises(InputError, match=r"simulation\.preset: .*'optik'.*optic.*dot-grid, blank"):
        truth_of(area_rig(simulation={"preset": "optik"}))
