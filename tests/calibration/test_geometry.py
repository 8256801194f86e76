"""The geometry is found from a target with a grid of dots, whatever else is on it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darkscan.drivers.calibration import (
    DotGrid,
    GeometryCalibration,
    describe_geometry,
    measure_geometry,
)
from darkscan.drivers.recording import Recording
from darkscan.drivers.rig import Geometry, Rig, drawn_geometry
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError
from tests.calibration.scenes import (
    SPACING_MM,
    make_rig,
    record,
    stops,
    true_geometry,
)
from tests.calibration.targets import record_target

TAKEN, LAST = date(2026, 5, 4), date(2026, 8, 2)

RIGS = {
    "area camera": make_rig(),
    "line camera": make_rig("line"),
    "12 bits, everything flipped": make_rig(
        camera={"pixel_format": "Mono12"},
        geometry={"flip_x": True, "stage_flip_x": True, "stage_flip_y": True},
    ),
}


def measured(
    path: Path, rig: Rig, spacing_mm: float = SPACING_MM, first_mm: float | None = None
) -> GeometryCalibration:
    first = spacing_mm / 2 if first_mm is None else first_mm
    with Recording(path) as scan:
        grid = DotGrid(spacing_mm, (first, first))
        return measure_geometry(scan, rig, grid, taken=TAKEN, valid_until=LAST)


def largest_error_um(found: Geometry, truth: Geometry, rig: Rig) -> float:
    """Over all corners of all frames of a scan of the whole element."""
    height, width = rig.frame_shape
    corners = [(0, 0), (width, 0), (0, height), (width, height)]
    places: list[list[Float64Array]] = [
        [
            geometry.pixel_to_stage.place(
                corners, geometry.stage_to_element.element_at(stage).tolist()
            )
            for stage in stops(rig).reshape(-1, 2)
        ]
        for geometry in (found, truth)
    ]
    off = np.array(places[0]) - np.array(places[1])
    return float(np.linalg.norm(off, axis=-1).max() * 1000)


@pytest.fixture(scope="module")
def area_scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rig = make_rig()
    return record_target(tmp_path_factory.mktemp("area") / "t.h5", rig, true_geometry(rig))


@pytest.mark.slow
@pytest.mark.parametrize("rig", RIGS.values(), ids=RIGS)
def test_places_are_right_over_the_whole_element(rig: Rig, tmp_path: Path) -> None:
    truth = true_geometry(rig)
    found = measured(record_target(tmp_path / "t.h5", rig, truth), rig)
    drawn = drawn_geometry(rig)
    assert largest_error_um(drawn, truth, rig) > 100
    assert largest_error_um(found.geometry(), truth, rig) < 5
    assert found.quality.rms_um < 3
    assert found.quality.dots > 250
    assert found.quality.frames >= 20


def test_what_was_found_is_said_in_words(area_scan: Path) -> None:
    pixels, camera, x_axis, y_axis, dots, _ = describe_geometry(measured(area_scan, make_rig()))
    assert pixels.startswith(("pixels   10.10", "pixels   10.09"))
    assert abs(float(camera.split()[3]) - 1.0) < 0.15
    assert "turned" in x_axis
    assert abs(float(y_axis.split("leans by ")[1].split()[0]) - 0.2) < 0.15
    assert "24 frames" in dots


@pytest.mark.slow
def test_large_errors_of_the_drawing_are_followed_dot_by_dot(tmp_path: Path) -> None:
    """Over a frame 3 % and 20 mrad add up to a good part of the spacing."""
    rig = make_rig()
    truth = true_geometry(rig, turned_mrad=20.0, pitch_error=0.03, skew_mrad=3.0)
    found = measured(record_target(tmp_path / "t.h5", rig, truth), rig)
    assert largest_error_um(found.geometry(), truth, rig) < 5


def test_the_same_scan_gives_the_same_geometry(area_scan: Path) -> None:
    assert measured(area_scan, make_rig()) == measured(area_scan, make_rig())


@pytest.mark.parametrize("spacing_mm", [0.5, 0.9, 1.1, 2.0])
def test_a_wrong_spacing_is_noticed(area_scan: Path, spacing_mm: float) -> None:
    with pytest.raises(InputError, match="is the spacing right"):
        measured(area_scan, make_rig(), spacing_mm)


def test_a_grid_half_a_spacing_off_is_refused(area_scan: Path) -> None:
    with pytest.raises(InputError, match=r"which dot is which is not certain"):
        measured(area_scan, make_rig(), first_mm=SPACING_MM)


@pytest.mark.parametrize(
    ("choose", "problem"),
    [
        pytest.param(lambda all_: all_[:1], "within 0.00 mm along y", id="one strip"),
        pytest.param(lambda all_: all_[:, :1], "within 0.00 mm along x", id="one frame a strip"),
        pytest.param(
            lambda all_: np.array([[all_[i, i]] for i in range(len(all_))]),
            "lie on a line",
            id="frames along a diagonal",
        ),
        pytest.param(lambda all_: all_[:1, :1], "within 0.00 mm along x", id="one frame"),
    ],
)
def test_too_few_places_are_refused(
    choose: Callable[[Float64Array], Float64Array], problem: str, tmp_path: Path
) -> None:
    rig = make_rig()
    path = record_target(
        tmp_path / "t.h5",
        rig,
        true_geometry(rig),
        places_mm=choose(stops(rig)),
        readback_um=0.0,
    )
    with pytest.raises(InputError, match=problem):
        measured(path, rig)


def test_an_element_without_dots_is_refused(tmp_path: Path) -> None:
    rig = make_rig()
    places = stops(rig)[:2, :2]
    noise = np.random.default_rng(0).normal(12, 1.4, (4, *rig.frame_shape))
    frames: list[Any] = list(noise.clip(0).astype(np.uint8))
    path = record(tmp_path / "t.h5", rig, places, frames)
    with pytest.raises(InputError, match=r"shows (no|\d) dots"):
        measured(path, rig)


@pytest.mark.parametrize(
    ("rig", "changes", "problem"),
    [
        pytest.param(make_rig(), {"rig": "other"}, "rig 'other'", id="other rig"),
        pytest.param(
            make_rig(), {"calibration": "g sha256:12345678"}, "not with", id="calibrated before"
        ),
        pytest.param(make_rig(geometry={"pitch_um": 11.0}), {}, "geometry", id="other pitch"),
        pytest.param(make_rig(geometry={"flip_x": True}), {}, "geometry", id="other orientation"),
        pytest.param(make_rig(camera={"width": 1024}), {}, "512x512", id="other frames"),
    ],
)
def test_scans_of_another_rig_are_refused(
    rig: Rig, changes: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    frames: list[Any] = [np.zeros((512, 512), np.uint8)]
    path = record(tmp_path / "t.h5", make_rig(), stops(make_rig())[:1, :1], frames, **changes)
    with pytest.raises(InputError, match=problem) as caught:
        measured(path, rig)
    assert str(path) in str(caught.value)
