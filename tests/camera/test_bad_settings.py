"""What cannot be opened or set is said in one line, with the rig file's field."""

from collections.abc import Callable
from pathlib import Path

import genicam
import pytest

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.rig import CameraSettings
from darkscan.pipeline.core.errors import InputError
from tests.camera.producers import WITHOUT_TRIGGER, tlsimu_settings, viky_settings

RIG_FILE = Path("rig.toml")


def refusal(settings: CameraSettings, **options: bool) -> str:
    """The one line."""
    with pytest.raises(InputError) as caught:
        Camera(settings, "step", file=RIG_FILE, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix("rig.toml: ")


def test_a_missing_producer(tmp_path: Path) -> None:
    missing = tmp_path / "none.cti"
    message = refusal(viky_settings(producer=str(missing)))
    assert message == f"camera.producer: no such file: {missing}"


def test_a_text_file_is_no_producer(tmp_path: Path) -> None:
    text = tmp_path / "text.cti"
    text.write_text("hello")
    assert refusal(viky_settings(producer=str(text))).startswith(
        f"camera.producer: {text} is no GenTL producer"
    )


def test_any_shared_library_is_no_producer() -> None:
    other = next(Path(genicam.__file__).parent.glob("libLog*.so"))
    message = refusal(viky_settings(producer=str(other)))
    assert message == f"camera.producer: {other} is no GenTL producer"


def test_several_cameras_and_no_serial_number_lists_them() -> None:
    message = refusal(viky_settings(serial=""))
    assert message.startswith("camera.serial: which of 3 cameras? Found: ")
    assert all(f"Viky {serial}" in message for serial in "012")


def test_a_serial_number_that_no_camera_has_lists_those_there_are() -> None:
    message = refusal(viky_settings(serial="17"))
    assert message.startswith('camera.serial: no camera has the serial number "17". Found: ')


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"nodes": {"BouncingBalSize": 3}},
            "camera.nodes.BouncingBalSize: this camera has no node BouncingBalSize; "
            "did you mean BouncingBallSize?",
            id="an unknown node",
        ),
        pytest.param(
            {"nodes": {"BouncingBallSize": 41}},
            "camera.nodes.BouncingBallSize: BouncingBallSize = 41 is not what this camera "
            "allows: 1 to 40",
            id="a value out of range",
        ),
        pytest.param(
            {"nodes": {"BouncingBallSize": 2.5}},
            "camera.nodes.BouncingBallSize: BouncingBallSize is a whole number, 2.5 is none",
            id="a fraction of a whole number",
        ),
        pytest.param(
            {"nodes": {"FancyBallOperation": False}},
            "camera.nodes.FancyBallOperation: FancyBallOperation is a command: set it to true, "
            "not false",
            id="a command that is not given",
        ),
        pytest.param(
            {"nodes": {"AspectRatio": 2.0}},
            "camera.nodes.AspectRatio: AspectRatio cannot be written on this camera as it is set",
            id="a node that is read only",
        ),
        pytest.param(
            {"width": 900},
            "camera.width: Width = 900 is not what this camera allows: 100 to 800",
            id="too wide",
        ),
        pytest.param(
            {"pixel_format": "Mono12"},
            'camera.pixel_format: "Mono12" is no PixelFormat of this camera; it has RGBa8, Mono8',
            id="a pixel format that is not offered",
        ),
        pytest.param(
            {"rate_hz": 500.0},
            "camera.rate_hz: 500 is more than this camera takes, 200 a second",
            id="a rate that it does not reach",
        ),
        pytest.param(
            {"pixel_format": "Mono10p", "width": 402},
            "camera.width: Mono10p needs a multiple of 4, not 402",
            id="rows that do not end with a byte",
        ),
        pytest.param(
            {"names": {}},
            "camera.exposure_us: this camera has no node ExposureTime",
            id="no exposure time",
        ),
        pytest.param(
            {"names": WITHOUT_TRIGGER | {"ExposureTime": "ExposureTimeAbs"}},
            "camera.exposure_us: this camera has no node ExposureTimeAbs",
            id="a mapped name that does not exist",
        ),
    ],
)
def test_what_a_camera_does_not_allow(changes: dict[str, object], message: str) -> None:
    assert refusal(viky_settings(**changes)) == message


def test_steps_that_a_value_does_not_meet() -> None:
    message = refusal(tlsimu_settings(width=1022))
    assert message == (
        "camera.width: Width = 1022 is not what this camera allows: 8 to 4096 in steps of 4"
    )


@pytest.mark.parametrize(
    ("settings", "offer"),
    [
        pytest.param(viky_settings, "it offers NrBounces, Scan3dData", id="other chunks"),
        pytest.param(tlsimu_settings, "it offers no chunks", id="no chunks"),
    ],
)
def test_encoder_counts_that_a_camera_does_not_tell(
    settings: Callable[[], CameraSettings], offer: str
) -> None:
    assert refusal(settings(), encoder=True) == (
        "motion.positions: this camera does not tell its encoder's counts: "
        f"no chunk EncoderValue; {offer}"
    )


def test_the_camera_is_free_again_after_a_refusal() -> None:
    refusal(viky_settings(width=900))
    Camera(viky_settings(), "step").close()
