"""The flat field takes away what the camera adds, and nothing that the element shows."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from darkscan.drivers.calibration import FlatField, FlatQuality, describe_flat, measure_flat
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Rig
from darkscan.pipeline.core.errors import InputError
from tests.calibration.flats import Camera, make_camera, record_dark, record_light
from tests.calibration.scenes import make_rig, record, stops

RIGS = {
    "area camera, 8 bits": make_rig(),
    "area camera, 12 bits": make_rig(camera={"pixel_format": "Mono12"}),
    "line camera": make_rig("line"),
}


def measured(light: Path, dark: Path, rig: Rig) -> tuple[FlatField, FlatQuality]:
    with Recording(light) as lit, Recording(dark) as unlit:
        return measure_flat(lit, unlit, rig)


@pytest.fixture(scope="module", params=list(RIGS.values()), ids=list(RIGS))
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Rig, Camera, FlatField, FlatQuality]:
    rig: Rig = request.param
    folder = tmp_path_factory.mktemp("flat")
    camera = make_camera(rig, hot=5 if rig.camera.kind == "line" else 60)
    light = record_light(folder / "light.h5", rig, camera)
    return rig, camera, *measured(light, record_dark(folder / "dark.h5", rig, camera), rig)


def test_vignetting_is_gone(found: tuple[Rig, Camera, FlatField, FlatQuality]) -> None:
    _, camera, flat, quality = found
    left = flat.gain * camera.sensor.gain
    smooth = cv2.GaussianBlur(left / left.mean(), (0, 0), 8.0) - 1
    assert np.quantile(np.abs(smooth), 0.99) < 0.01
    assert quality.darkest < 0.85


def test_detail_is_corrected_as_far_as_it_was_measured(
    found: tuple[Rig, Camera, FlatField, FlatQuality],
) -> None:
    rig, camera, flat, quality = found
    good = np.ones(camera.shape, bool)
    good[tuple(np.array(list(camera.hot)).T)] = False
    left = flat.gain * camera.sensor.gain
    detail = (left / cv2.GaussianBlur(left, (0, 0), 8.0))[good].std()
    assert detail < 0.0097  # 0.01 without correction
    if rig.camera.kind == "line":
        assert quality.detail > 0.8
        assert detail < 0.004


def test_hot_pixels_are_found_and_none_is_invented(
    found: tuple[Rig, Camera, FlatField, FlatQuality],
) -> None:
    rig, camera, flat, quality = found
    assert {(y, x) for y, x in flat.bad.places.tolist()} == camera.hot
    assert (quality.bright, quality.dead) == (len(camera.hot), 0)
    kind = "columns" if rig.camera.kind == "line" else "pixels"
    masked = describe_flat(quality, line=rig.camera.kind == "line")[-1]
    assert masked == f"masked   {len(camera.hot)} bright and 0 dead {kind}"


def test_a_corrected_frame_is_even_and_keeps_its_level(
    found: tuple[Rig, Camera, FlatField, FlatQuality],
) -> None:
    rig, camera, flat, _ = found
    light = np.full(rig.frame_shape, 25, np.float32)
    frame = camera.sensor.see(light, np.random.default_rng(3), rig.camera.bit_depth)
    good = np.ones(rig.frame_shape, bool)
    for y, x in camera.hot:
        good[slice(None) if rig.camera.kind == "line" else y, x] = False
    before = frame.astype(float)
    flat.correct(frame)
    assert frame[good].mean() == pytest.approx(before[good].mean(), rel=0.01)
    parts = cv2.resize(frame.astype(np.float32), (16, 16), interpolation=cv2.INTER_AREA)
    grey = 2.0 ** (rig.camera.bit_depth - 8)
    assert np.ptp(parts) < 1.5 * grey < np.ptp(cv2.resize(before, (16, 16), interpolation=3))
    assert (np.abs(frame.astype(float) - frame.mean())[~good] < 12 * grey).mean() > 0.99


def test_dead_pixels_are_found(tmp_path: Path) -> None:
    rig = make_rig()
    camera = make_camera(rig, hot=0)
    assert not isinstance(camera.sensor.gain, float)
    camera.sensor.gain[[40, 300], [77, 12]] = 0.2
    light = record_light(tmp_path / "light.h5", rig, camera)
    flat, quality = measured(light, record_dark(tmp_path / "dark.h5", rig, camera), rig)
    assert flat.bad.places.tolist() == [[40, 77], [300, 12]]
    assert quality.dead == 2


def levels(level: float, count: int, rig: Rig | None = None) -> list[Any]:
    rig = rig or make_rig()
    rng = np.random.default_rng(0)
    return [
        rng.normal(level, 1.4, rig.frame_shape).clip(0, 255).round().astype(np.uint8)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    ("light", "dark", "strips", "problem"),
    [
        pytest.param(20, (5, 8), (1, 2), "2 usable frames, 8 are needed", id="few light frames"),
        pytest.param(20, (5, 2), (3, 3), "2 usable frames, 4 are needed", id="few dark frames"),
        pytest.param(20, (5, 8), (1, 8), "along y: the element must have", id="one strip"),
        pytest.param(20, (5, 8), (8, 1), "along x: the element must have", id="one column"),
        pytest.param(300, (5, 8), (3, 3), "saturated: expose less", id="saturated"),
        pytest.param(5, (20, 8), (3, 3), "exchanged", id="light and dark exchanged"),
        pytest.param(5, (5, 8), (3, 3), "light it more", id="no light"),
    ],
)
def test_scans_that_tell_too_little_are_refused(
    light: float,
    dark: tuple[float, int],
    strips: tuple[int, int],
    problem: str,
    tmp_path: Path,
) -> None:
    rig = make_rig()
    rows, columns = strips
    places = stops(rig, (60.0, 60.0))[:rows, :columns]
    lit = record(tmp_path / "light.h5", rig, places, levels(light, rows * columns))
    unlit = record(tmp_path / "dark.h5", rig, np.zeros((1, dark[1], 2)), levels(*dark))
    with pytest.raises(InputError, match=problem):
        measured(lit, unlit, rig)


@pytest.mark.parametrize(
    ("rig", "changes", "problem"),
    [
        pytest.param(make_rig(), {"rig": "other"}, "rig other", id="other rig"),
        pytest.param(make_rig(camera={"width": 1024}), {}, "frames of", id="other frames"),
        pytest.param(
            make_rig(camera={"pixel_format": "Mono12"}), {}, "pixels uint8", id="other pixels"
        ),
        pytest.param(
            make_rig(), {"calibration": "f sha256:12345678"}, "corrected already", id="corrected"
        ),
    ],
)
def test_scans_of_another_camera_are_refused(
    rig: Rig, changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    places = stops(make_rig())[:1, :1]
    path = record(tmp_path / "light.h5", make_rig(), places, levels(20, 1), **changes)
    with pytest.raises(InputError, match=problem):
        measured(path, path, rig)
