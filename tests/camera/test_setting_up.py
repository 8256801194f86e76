"""Nodes are set under the camera's own names, in an order that works, and can be left alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from darkscan.drivers.camera.camera import Camera
from darkscan.pipeline.core.errors import InputError
from tests.camera.producers import WITHOUT_TRIGGER, viky_settings
from tests.camera.simulated import Bench, bench

pytestmark = pytest.mark.usefixtures("simulated_camera")


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench(tmp_path, monkeypatch, "line") as it:
        yield it


def value(camera: Camera, node: str) -> Any:
    """What the camera itself says."""
    return camera._nodes._map.get_node(node).get_value(ignore_cache=True)


def test_a_scan_by_encoder_sets_what_the_standard_asks_for(line: Bench) -> None:
    with Camera(line.settings, "line", encoder=True, encoder_divider=3) as camera:
        assert {
            node: value(camera, node)
            for node in ("Width", "Height", "PixelFormat", "ExposureTime", "AcquisitionMode")
        } == {
            "Width": 320,
            "Height": 64,
            "PixelFormat": "Mono8",
            "ExposureTime": 10.0,
            "AcquisitionMode": "Continuous",
        }
        assert value(camera, "TriggerSelector") == "LineStart"
        assert value(camera, "TriggerSource") == "Encoder0"
        assert value(camera, "TriggerMode") == "On"
        assert value(camera, "EncoderDivider") == 3
        assert value(camera, "EncoderOutputMode") == "PositionUp"
        camera.arm(-1)
        assert value(camera, "EncoderOutputMode") == "PositionDown"


def test_the_rig_files_nodes_have_the_last_word(line: Bench) -> None:
    nodes = {"Gain": 3.0, "TriggerMode": "Off", "AcquisitionLineRate": 1000.0}
    settings = line.settings.model_copy(update={"nodes": nodes})
    with Camera(settings, "line") as camera:
        assert value(camera, "Gain") == 3.0
        assert value(camera, "TriggerMode") == "Off"
        assert value(camera, "AcquisitionLineRate") == 1000.0


def test_a_user_set_is_loaded_before_anything_is_set(line: Bench) -> None:
    nodes = {"Gain": 3.0, "UserSetSelector": "Default", "UserSetLoad": True}
    settings = line.settings.model_copy(update={"nodes": nodes})
    with Camera(settings, "line") as camera:
        assert value(camera, "Gain") == 3.0
        assert value(camera, "ExposureTime") == 10.0


def test_a_name_that_is_mapped_is_set_under_the_cameras_own() -> None:
    # Vendors have exposure times in whole numbers as well.
    names = WITHOUT_TRIGGER | {"ExposureTime": "BouncingBallSize"}
    with Camera(viky_settings(names=names, exposure_us=30.0), "step") as camera:
        assert value(camera, "BouncingBallSize") == 30


def test_a_name_that_is_mapped_to_nothing_is_left_alone(line: Bench) -> None:
    before = {"nodes": {"ExposureTime": 25.0}, "names": {"ExposureTime": ""}}
    with Camera(line.settings.model_copy(update=before), "line") as camera:
        assert value(camera, "ExposureTime") == 25.0


def test_an_area_camera_cannot_scan_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench(tmp_path, monkeypatch, "area") as area:
        settings = area.settings.model_copy(update={"kind": "line"})
        with pytest.raises(InputError, match=r'camera\.kind: "Linescan" is no DeviceScanType'):
            Camera(settings, "line")


def test_a_trigger_input_that_the_camera_lacks(line: Bench) -> None:
    settings = line.settings.model_copy(update={"trigger_source": "Line9"})
    message = (
        r'^camera\.trigger_source: "Line9" is no TriggerSource of this camera; '
        r"it has Software, Line0, Encoder0$"
    )
    with pytest.raises(InputError, match=message):
        Camera(settings, "line")


def test_a_camera_that_is_unplugged_is_not_found(line: Bench) -> None:
    line.shared.faults.unplug()
    with pytest.raises(InputError, match=r"^camera\.producer: .* finds no camera$"):
        Camera(line.settings, "line")
