"""The driver with the simulated area camera: triggers, pixels, and everything that gets lost."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.errors import CameraGone
from darkscan.drivers.camera.unpacking import LAYOUTS
from darkscan.drivers.rig import BIT_DEPTHS, PixelFormat
from tests.camera.simulated import AREA, PATIENCE_S, Bench, bench, grey_levels, wait_until

pytestmark = pytest.mark.usefixtures("simulated_camera")

HEIGHT, WIDTH = AREA


@pytest.fixture
def area(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench(tmp_path, monkeypatch, "area", buffers=4) as it:
        yield it


@pytest.mark.parametrize("pixel_format", LAYOUTS)
def test_a_step_and_stare_frame_shows_what_lies_there(
    pixel_format: PixelFormat, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    depth = BIT_DEPTHS[pixel_format]
    pixels = np.empty(AREA, np.uint8 if depth == 8 else np.uint16)
    with (
        bench(tmp_path, monkeypatch, "area", pixel_format=pixel_format) as area,
        Camera(area.settings, "step") as camera,
    ):
        area.stand_at(column=30, row=50)
        camera.arm()
        camera.trigger()
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None
            buffer.copy_into(pixels)
    expected = grey_levels(depth)[50 : 50 + HEIGHT, 30 : 30 + WIDTH]
    np.testing.assert_array_equal(pixels, expected)


def test_frames_on_the_fly_carry_their_triggers_time_counter_and_place(area: Bench) -> None:
    with Camera(area.settings, "fly", encoder=True) as camera:
        camera.arm()
        times = [area.trigger_at(column=0, row=10 * n) for n in range(1, 4)]
        for n, time_ns in enumerate(times):
            with camera.fetch(PATIENCE_S) as buffer:
                assert buffer is not None
                assert buffer.number == n
                assert buffer.timestamp_ns == time_ns
                assert buffer.counter == n + 1
                assert buffer.encoder is not None
                assert set(buffer.encoder) == {10 * (n + 1)}


def test_dropped_frames_are_missed_just_before_the_next(area: Bench) -> None:
    with Camera(area.settings, "fly") as camera:
        camera.arm()
        area.shared.faults.drop(2)
        trigger(area, 3)
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None
            assert (buffer.number, buffer.missed, buffer.incomplete) == (2, 2, 0)
        assert camera.counts.missed == 2


def test_incomplete_frames_are_missed_and_told_apart(area: Bench) -> None:
    with Camera(area.settings, "fly") as camera:
        camera.arm()
        area.shared.faults.incomplete(1)
        trigger(area, 1)
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is None
        assert camera.counts.incomplete == 1
        area.shared.faults.drop(1)
        trigger(area, 2)
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None
            assert (buffer.number, buffer.missed, buffer.incomplete) == (2, 2, 1)


def test_frames_that_found_no_buffer_are_counted_and_missed(area: Bench) -> None:
    with Camera(area.settings, "fly") as camera:
        camera.arm()
        trigger(area, 4 + 3)
        wait_until(partial(has_taken, area, 7))
        assert [fetched(camera) for _ in range(4)] == [(n, 0) for n in range(4)]
        trigger(area, 1)
        assert fetched(camera) == (7, 3)
        assert camera.counts.underruns == 3
        assert camera.counts.missed == 3


def test_underruns_add_up_over_several_strips(area: Bench) -> None:
    with Camera(area.settings, "fly") as camera:
        for strip in range(1, 3):
            camera.arm()
            trigger(area, 4 + 1)
            wait_until(partial(has_taken, area, 5 * strip))
            assert [fetched(camera)[0] for _ in range(4)] == [0, 1, 2, 3]
            camera.disarm()
            assert camera.counts.underruns == strip


def test_a_camera_that_has_nothing_to_send_is_not_gone(area: Bench) -> None:
    with Camera(area.settings, "fly") as camera:
        camera.arm()
        with camera.fetch(1.3) as buffer:
            assert buffer is None


@pytest.mark.parametrize("doing", ["fetching", "triggering", "arming"])
def test_an_unplugged_camera_is_gone_until_it_is_plugged_in_and_opened(
    doing: str, area: Bench
) -> None:
    with Camera(area.settings, "step") as camera:
        camera.arm()
        camera.trigger()
        assert fetched(camera) == (0, 0)
        if doing == "arming":
            camera.disarm()
        area.shared.faults.unplug()
        with pytest.raises(CameraGone):
            attempt(camera, doing)
        with pytest.raises(CameraGone):
            camera.reopen()
        area.shared.faults.plug()
        camera.reopen()
        camera.arm()
        camera.trigger()
        assert fetched(camera) == (0, 0)
        assert camera.counts.delivered == 2


def test_a_camera_that_was_closed_is_gone(area: Bench) -> None:
    camera = Camera(area.settings, "step")
    camera.close()
    camera.close()
    with pytest.raises(CameraGone):
        camera.arm()


def attempt(camera: Camera, doing: str) -> None:
    match doing:
        case "fetching":
            with camera.fetch(PATIENCE_S):
                pass
        case "triggering":
            camera.trigger()
        case _:
            camera.arm()


def has_taken(area: Bench, frames: int) -> bool:
    return area.shared.counters.frames == frames


def trigger(area: Bench, times: int) -> None:
    for _ in range(times):
        area.trigger_at(column=0, row=0)


def fetched(camera: Camera) -> tuple[int, int]:
    """Number and gap of the next frame."""
    with camera.fetch(PATIENCE_S) as buffer:
        assert buffer is not None
        return buffer.number, buffer.missed
