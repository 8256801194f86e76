"""The driver against producers that nobody here wrote."""

import signal
from collections.abc import Callable

import numpy as np
import pytest

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.errors import CameraError
from darkscan.drivers.rig import CameraSettings
from tests.camera.producers import tlsimu_settings, viky_settings

PATIENCE_S = 30.0


def test_a_frame_is_taken_when_the_software_triggers_and_holds_the_sensors_pixels() -> None:
    with Camera(tlsimu_settings(), "step") as camera:
        camera.arm()
        pixels = np.empty((256, 400), np.uint8)
        for number in range(3):
            camera.trigger()
            with camera.fetch(PATIENCE_S) as buffer:
                assert buffer is not None
                buffer.copy_into(pixels)
                assert (buffer.number, buffer.missed, buffer.rows) == (number, 0, 256)
            x, y = np.arange(400), np.arange(256)[:, None]
            np.testing.assert_array_equal(pixels, (x + y + number) & 255)
        assert camera.counts.delivered == 3


def test_rows_are_copied_from_the_middle_and_upside_down() -> None:
    with Camera(tlsimu_settings(), "step") as camera:
        camera.arm()
        camera.trigger()
        frame = np.zeros((10, 400), np.uint8)
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None
            buffer.copy_into(frame[3:7], slice(100, 104), reverse=True)
        assert frame[:, 0].tolist() == [0, 0, 0, 103, 102, 101, 100, 0, 0, 0]


def test_no_trigger_no_frame_and_no_error() -> None:
    with Camera(tlsimu_settings(), "step") as camera:
        camera.arm()
        for timeout_s in (0.0, 0.001, 0.06):
            with camera.fetch(timeout_s) as buffer:
                assert buffer is None
        camera.trigger()
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None


@pytest.mark.parametrize("settings", [viky_settings, tlsimu_settings], ids=["viky", "TLSimu"])
def test_frames_are_numbered_from_0_each_time_the_camera_is_armed(
    settings: Callable[[], CameraSettings],
) -> None:
    with Camera(settings(), "step") as camera:
        for _ in range(2):
            camera.arm()
            assert take(camera, 5) == [0, 1, 2, 3, 4]
            camera.disarm()
        assert camera.counts.delivered == 10
        assert camera.counts.missed == 0


def test_buffers_go_back_to_the_producer_even_when_their_reader_fails() -> None:
    with Camera(viky_settings(buffers=4), "step") as camera:
        camera.arm()
        for _ in range(12):
            with pytest.raises(OSError, match="full"), camera.fetch(PATIENCE_S) as buffer:
                fill_the_disk(buffer)
        assert camera.counts.delivered == 12


def test_a_camera_that_is_opened_anew_is_set_anew() -> None:
    with Camera(tlsimu_settings(width=512), "step") as camera:
        camera.arm()
        assert take(camera, 2) == [0, 1]
        camera.reopen()
        camera.arm()
        assert take(camera, 2) == [0, 1]
        assert camera.name == "EMVA_D TLSimuMono SN_InterfaceA_0"
        assert camera.counts.delivered == 4


def test_buffers_that_are_not_as_set_are_refused() -> None:
    # TLSimu lets itself be set to 12 bits, and goes on with 8.
    with Camera(tlsimu_settings(pixel_format="Mono12"), "step") as camera:
        camera.arm()
        camera.trigger()
        with pytest.raises(CameraError, match="0x01080001 instead of"), camera.fetch(PATIENCE_S):
            pass


def test_sigint_stays_with_the_process() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Camera(viky_settings(), "step"):
        assert signal.getsignal(signal.SIGINT) is before
    assert signal.getsignal(signal.SIGINT) is before


def fill_the_disk(_: object) -> None:
    raise OSError("full")


def take(camera: Camera, count: int) -> list[int]:
    """The numbers of the next frames."""
    numbers = []
    for _ in range(count):
        if "TriggerMode" not in camera.settings.names:
            camera.trigger()
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None
            numbers.append(buffer.number)
    return numbers
