"""The light of a scene, measured back from its pixels."""

import numpy as np
import pytest

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.simulation.element._background import Background
from darkscan.simulation.element._dust import Dust
from darkscan.simulation.element._element import simulate_element
from darkscan.simulation.element.element_truth import Dig, ElementTruth, Trace
from darkscan.simulation.element.render import Scene, render
from darkscan.simulation.element.sensor import Noise, quantise
from darkscan.simulation.element.strokes import Strokes, add_line

LEVEL = 20.0
FLAT = Background(LEVEL, np.zeros(2), np.zeros(2), np.zeros((0, 4)), np.zeros((0, 5)))


def scene_of(*traces: Trace, digs: tuple[Dig, ...] = ()) -> Scene:
    truth = ElementTruth((400, 400), 1, "optic", 0.0, traces, digs)
    return Scene(truth, background=FLAT)


def straight_trace(angle: float, *, amplitude: float = 6.0, fwhm_px: float = 2.25) -> Trace:
    steps = np.linspace(-90, 90, 37)
    vertices = 130.3 + steps[:, None] * np.array([np.cos(angle), np.sin(angle)])
    return Trace(0, "straight", vertices, np.full(37, amplitude), fwhm_px)


def cross_section(image: Float32Array, angle: float, fwhm_px: float) -> tuple[float, float]:
    """Amplitude and FWHM of a Gaussian through (130.3, 130.3), from its moments."""
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]] + 0.5 - 130.3
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    near = (np.abs(along) < 60) & (np.abs(across) < 2 * fwhm_px)
    light = (image - LEVEL)[near]
    area = light.sum() / 120.0
    sigma = np.sqrt((light * across[near] ** 2).sum() / light.sum())
    return area / (sigma * np.sqrt(2 * np.pi)), sigma * 2.3548


@pytest.mark.parametrize("fwhm_px", [1.6, 2.25, 3.3, 12.0])
@pytest.mark.parametrize("degrees", [0, 17, 45, 90, 133])
def test_a_scratch_has_the_width_and_brightness_it_was_given(
    degrees: float, fwhm_px: float
) -> None:
    angle = np.radians(degrees)
    image = scene_of(straight_trace(angle, fwhm_px=fwhm_px)).render(0, 0, 260, 260)
    amplitude, fwhm = cross_section(image, angle, fwhm_px)
    assert amplitude == pytest.approx(6.0, rel=0.04)
    assert fwhm == pytest.approx(fwhm_px, rel=0.04)


def test_segments_of_one_trace_do_not_add_up_where_they_meet() -> None:
    image = scene_of(straight_trace(0.4)).render(0, 0, 260, 260)
    assert image.max() <= LEVEL + 6.0 + 1e-3


def test_crossing_traces_add_up() -> None:
    image = scene_of(straight_trace(0.0), straight_trace(np.pi / 2)).render(0, 0, 260, 260)
    assert image.max() > LEVEL + 10.0


def test_a_line_with_a_flat_top_is_as_bright_off_its_axis() -> None:
    image = np.zeros((100, 100), dtype=np.float32)
    strokes = Strokes.along(np.array([[0.0, 50.0], [100.0, 50.0]]), np.full(2, 10.0), 20.0)
    add_line(image, strokes, np.zeros_like(image), power=8.0)
    assert image[45, 50] == pytest.approx(10.0, rel=0.01)
    assert (image[:, 50] > 5.0).sum() == 20
    assert image[35, 50] < 0.1


@pytest.mark.parametrize(
    "corner", [(0, 0), (37, 111), (140, 90), (-20, -30)], ids=["same", "inside", "cut", "outside"]
)
def test_a_rectangle_shows_the_same_scene_as_the_whole(corner: tuple[int, int]) -> None:
    truth = simulate_element((700, 700), 4, "dirty")
    scene = Scene(truth)
    whole = scene.render(-40, -40, 800, 800)
    x, y = corner
    part = scene.render(x, y, 300, 260)
    expected = whole[y + 40 : y + 340, x + 40 : x + 300]
    assert np.abs(part - expected).max() < 1e-3


def test_dust_continues_across_its_tiles() -> None:
    dust = Dust(seed=3, per_10k_px=40.0)
    whole, right = np.zeros((600, 1100), np.float32), np.zeros((600, 600), np.float32)
    dust.add_to(whole, 0, 0)
    dust.add_to(right, 500, 0)
    assert np.abs(whole[:, 500:] - right).max() < 1e-3


def test_dust_has_the_measured_density_and_peaks() -> None:
    image = np.zeros((1024, 1024), dtype=np.float32)
    Dust(seed=5, per_10k_px=5.0, clumping=0.0).add_to(image, 0, 0)
    padded = np.pad(image, 1)
    neighbours = [
        padded[1 + dy : 1025 + dy, 1 + dx : 1025 + dx]
        for dy in (-1, 0, 1)
        for dx in (-1, 0, 1)
        if (dy, dx) != (0, 0)
    ]
    peaks = image[(image > 10) & (image > np.max(neighbours, axis=0))]
    assert len(peaks) / (1024**2 / 1e4) == pytest.approx(5.0, rel=0.15)
    assert 28 < np.median(peaks) < 50


def test_a_dig_lies_where_the_truth_says() -> None:
    dig = Dig(0, 60.5, 80.5, radius_px=3.0, amplitude=100.0, halo=0.1)
    image = scene_of(digs=(dig,)).render(0, 0, 150, 150)
    assert divmod(int(image.argmax()), 150) == (80, 60)
    assert image[80, 60] == pytest.approx(LEVEL + 110.0, rel=0.01)


@pytest.mark.parametrize(
    ("level", "sigma"), [(15.6, 1.37), (17.5, 1.46), (19.6, 1.58), (21.1, 1.68), (28.7, 1.91)]
)
def test_noise_grows_with_the_signal_as_measured(level: float, sigma: float) -> None:
    light = np.full((512, 512), level, dtype=np.float32)
    image = Noise().add(light, np.random.default_rng(1))
    assert image.std() == pytest.approx(sigma, rel=0.05)
    assert image.mean() == pytest.approx(level, abs=0.05)


@pytest.mark.parametrize("axis", [0, 1], ids=["down", "across"])
@pytest.mark.parametrize(("shift", "rho"), [(1, 0.17), (2, 0.10), (5, 0.0)])
def test_noise_is_correlated_as_measured(axis: int, shift: int, rho: float) -> None:
    light = np.full((512, 512), LEVEL, dtype=np.float32)
    noise = Noise().add(light, np.random.default_rng(2)) - light
    shifted = np.roll(noise, shift, axis=axis)
    assert np.corrcoef(noise.ravel(), shifted.ravel())[0, 1] == pytest.approx(rho, abs=0.015)


def test_sensor_noise_differs_between_two_looks_at_one_place() -> None:
    scene = scene_of(straight_trace(0.3))
    first, second = (render(scene, 0, 0, 200, 200, np.random.default_rng(n)) for n in (1, 2))
    assert np.std(first - second) == pytest.approx(np.sqrt(2) * 1.6, rel=0.05)


def test_grey_levels_are_cut_at_black_and_white() -> None:
    image = np.array([[-3.0, 0.4, 20.6, 300.0]], dtype=np.float32)
    assert quantise(image).tolist() == [[0, 0, 21, 255]]
    deep = quantise(image, 12)
    assert deep.dtype == np.uint16
    assert deep.tolist() == [[0, 6, 330, 4095]]
