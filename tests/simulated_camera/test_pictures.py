"""What a picture holds."""

import numpy as np
import pytest

from darkscan.drivers.rig import BIT_DEPTHS
from darkscan.simulation.rig._shared import Canvas
from tests.simulated_camera.cameras import (
    AREA,
    LINE,
    Bench,
    area_look,
    line_look,
    numbered_canvas,
)

SIDE = 256
FORMATS = [pytest.param(name, depth, id=name) for name, depth in BIT_DEPTHS.items()]


def triggered(bench: Bench) -> np.ndarray:
    camera = bench.open(AREA).set(TriggerMode="On", TriggerSource="Software")
    with camera.acquiring():
        camera.trigger()
        return camera.fetch().pixels


@pytest.mark.parametrize("serial", [AREA, LINE], ids=["area", "line"])
@pytest.mark.parametrize(("pixel_format", "depth"), FORMATS)
def test_without_a_rig_a_known_pattern_is_shown(
    bench: Bench, serial: str, pixel_format: str, depth: int
) -> None:
    camera = bench.open(serial).set(PixelFormat=pixel_format, Width=520, Height=300)
    rows, columns = np.mgrid[:300, :520]
    with camera.acquiring():
        for shot in camera.fetch_all(3):
            expected = (rows + columns + shot.number) % 2**depth
            np.testing.assert_array_equal(shot.pixels, expected)


@pytest.mark.parametrize(("pixel_format", "depth"), FORMATS)
def test_light_becomes_grey_levels_of_every_depth(
    bench: Bench, pixel_format: str, depth: int
) -> None:
    canvas = np.arange(SIDE * SIDE, dtype=np.uint16).reshape(SIDE, SIDE)  # every light there is
    bench.rig(area_look(SIDE), canvas)
    camera = bench.open(AREA).set(PixelFormat=pixel_format, AcquisitionFrameRate=100)
    with camera.acquiring():
        shot = camera.fetch()
    exact = canvas.astype(float) * 2.0 ** (depth - 16)
    expected = np.minimum(np.floor(exact + 0.5), 2**depth - 1)
    np.testing.assert_array_equal(shot.pixels, expected)


@pytest.mark.parametrize(
    ("x_mm", "y_mm"),
    [
        pytest.param(0.0, 0.0, id="at the corner"),
        pytest.param(1.234, 0.571, id="rounded to whole pixels"),
        pytest.param(-1.0, -0.5, id="beyond the top left"),
        pytest.param(4.0, 3.0, id="beyond the bottom right"),
        pytest.param(90.0, -90.0, id="nowhere near"),
    ],
)
def test_a_frame_is_a_crop_of_the_canvas_for_the_axes_place(
    bench: Bench, x_mm: float, y_mm: float
) -> None:
    canvas = numbered_canvas(500, 600)
    rig = bench.rig(area_look(SIDE), canvas)
    rig.move(1, (x_mm, y_mm, 0.0))
    column, row = round(x_mm * 100), round(y_mm * 100)
    expected = np.zeros((SIDE, SIDE))
    for y in range(max(0, -row), min(SIDE, 500 - row)):
        for x in range(max(0, -column), min(SIDE, 600 - column)):
            expected[y, x] = canvas[row + y, column + x] >> 8
    np.testing.assert_array_equal(triggered(bench), expected)


def test_a_part_of_the_sensor_sees_its_part(bench: Bench) -> None:
    canvas = numbered_canvas(300, 300)
    gains = np.linspace(0.5, 1.0, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
    bench.rig(area_look(SIDE, gains=gains), canvas)
    camera = bench.open(AREA).set(Width=100, Height=60, OffsetX=40, OffsetY=30)
    with camera.acquiring():
        shot = camera.fetch()
    seen = (canvas[:SIDE, :SIDE] / 256 * gains)[30:90, 40:140]
    assert shot.pixels.shape == (60, 100)
    assert np.abs(shot.pixels - seen).max() <= 0.51


def test_gains_dim_the_light_and_hot_pixels_glow_in_the_dark(bench: Bench) -> None:
    gains = np.full((SIDE, SIDE), 0.5, np.float32)
    hot = np.zeros((SIDE, SIDE), np.float32)
    hot[7, 11] = 30.0
    rig = bench.rig(area_look(SIDE, gains=gains, hot=hot), np.full((SIDE, SIDE), 100 * 256, "u2"))
    camera = bench.open(AREA).set(TriggerMode="On", TriggerSource="Software")
    lit = np.full((SIDE, SIDE), 50)
    lit[7, 11] = 80
    dark = hot.astype(int)
    with camera.acquiring():
        for light, expected in ((True, lit), (False, dark), (True, lit)):
            rig.light = light
            camera.trigger()
            np.testing.assert_array_equal(camera.fetch().pixels, expected)


@pytest.mark.parametrize(
    ("level", "sigma"),
    [
        pytest.param(5.0, 1.5, id="dark: the floor"),
        pytest.param(100.0, np.sqrt(0.15 * 100 - 0.45), id="bright: grows with the light"),
    ],
)
@pytest.mark.parametrize("kind", ["area", "line"])
def test_noise_is_that_of_the_sensor_and_new_each_time(
    bench: Bench, kind: str, level: float, sigma: float
) -> None:
    tile = np.random.default_rng(1).standard_normal((200, 200), dtype=np.float32)
    noise = {"noise": tile, "noise_gain": 0.15, "noise_offset": -0.45, "noise_floor": 1.5}
    canvas: Canvas = np.full((400, 400), level * 256, np.uint16)
    if kind == "area":
        bench.rig(area_look(SIDE, **noise), canvas)
        camera = bench.open(AREA).set(AcquisitionFrameRate=100)
    else:
        bench.rig(line_look(SIDE, **noise), canvas)
        camera = bench.open(LINE).set(TriggerMode="Off", Height=SIDE, AcquisitionLineRate=50_000)
    camera.set(PixelFormat="Mono12")
    with camera.acquiring():
        first, second = (shot.pixels / 16.0 for shot in camera.fetch_all(2))
    with camera.acquiring():
        again = camera.fetch().pixels / 16.0
    assert first.mean() == pytest.approx(level, abs=0.1)
    assert first.std() == pytest.approx(sigma, rel=0.05)
    for other in (second, again):
        assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.1
    assert abs(np.corrcoef(first[0], first[1])[0, 1]) < 0.3
