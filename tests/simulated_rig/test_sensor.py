"""The simulated sensor: a darkening lens, hot pixels, noise."""

import numpy as np
import pytest

from darkscan.drivers.rig import Rig
from darkscan.simulation.rig._canvas import CanvasLayout
from darkscan.simulation.rig._sensor import look_of
from darkscan.simulation.rig._shared import Look
from tests.simulated_rig.rigs import area_rig, line_rig


def look(rig: Rig) -> Look:
    return look_of(rig, CanvasLayout.of(rig))


def test_a_perfect_sensor_has_nothing_to_tell() -> None:
    perfect = look(area_rig(simulation={"noise": "none"}))

    assert perfect.gains is None
    assert perfect.hot is None
    assert perfect.noise is None


def test_the_lens_darkens_towards_the_corners() -> None:
    gains = look(area_rig(simulation={"vignetting": 0.3})).gains

    assert gains is not None
    assert gains.shape == (260, 300)
    assert gains[130, 150] == pytest.approx(1.0, abs=1e-4)
    assert gains[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(0.7)
    assert (np.diff(gains[0, 150:]) < 0).all()


def test_a_line_darkens_towards_its_ends() -> None:
    gains = look(line_rig(simulation={"vignetting": 0.3})).gains

    assert gains is not None
    assert gains.shape == (1, 400)
    assert gains[0, [0, -1]] == pytest.approx(0.7)
    assert gains.max() == pytest.approx(1.0, abs=1e-4)


def test_hot_pixels_are_as_many_as_asked_for_and_stay_where_they_are() -> None:
    hot = look(area_rig(simulation={"hot_pixels": 12})).hot
    again = look(area_rig(simulation={"hot_pixels": 12})).hot
    others = look(area_rig(simulation={"hot_pixels": 12, "seed": 2})).hot

    assert hot is not None
    assert others is not None
    assert np.count_nonzero(hot) == 12
    np.testing.assert_array_equal(hot, again)
    assert (hot != others).any()


def test_noise_is_that_of_the_measured_sensor_and_wraps_around() -> None:
    noise = look(area_rig()).noise
    assert noise is not None

    def correlation(pixels: int) -> float:
        return float((noise * np.roll(noise, pixels, axis=1)).mean())

    assert noise.mean() == pytest.approx(0.0, abs=0.01)
    assert noise.std() == pytest.approx(1.0)
    assert correlation(1) == pytest.approx(0.17, abs=0.01)
    assert correlation(2) == pytest.approx(0.10, abs=0.01)
    across_the_border = float((noise[:, 0] * noise[:, -1]).mean())
    assert across_the_border == pytest.approx(0.17, abs=0.12)


@pytest.mark.parametrize(
    ("rig", "axis", "step_mm"),
    [
        (line_rig(), 0, 0.001),
        (line_rig(motion={"encoder_axis_reversed": True}), 0, -0.001),
        (line_rig(geometry={"transposed": False}, scan={"axis": "y"}), 1, 0.001),
    ],
    ids=["along x", "counts fall", "along y"],
)
def test_the_encoder_counts_along_the_strip(rig: Rig, axis: int, step_mm: float) -> None:
    assert look(rig).encoder_axis == axis
    assert look(rig).encoder_step_mm == pytest.approx(step_mm)
