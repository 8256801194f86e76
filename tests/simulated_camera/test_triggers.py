"""When an area camera takes a frame."""

import time

import numpy as np
import pytest

from tests.simulated_camera.cameras import AREA, Bench, Camera, area_look, numbered_canvas

SIDE = 128
CANVAS = numbered_canvas(600, 800)


def open_triggered(bench: Bench, source: str) -> Camera:
    camera = bench.open(AREA).set(TriggerMode="On", TriggerSource=source)
    return camera.enable_chunks()


def crop(x_mm: float, y_mm: float) -> np.ndarray:
    row, column = round(y_mm * 100), round(x_mm * 100)
    return CANVAS[row : row + SIDE, column : column + SIDE] >> 8


def test_a_software_trigger_takes_a_frame_where_the_axes_rest(bench: Bench) -> None:
    rig = bench.rig(area_look(SIDE), CANVAS)
    camera = open_triggered(bench, "Software")
    with camera.acquiring():
        for number, place in enumerate([(0.0, 0.0, 0.0), (2.5, 1.0, 0.1), (1.5, 3.0, 0.2)]):
            rig.move(time.time_ns(), place)
            before = time.time_ns()
            camera.trigger()
            shot = camera.fetch()
            assert before <= shot.time_ns <= time.time_ns()
            assert shot.number == number
            np.testing.assert_array_equal(shot.pixels, crop(*place[:2]))


def test_a_burst_of_software_triggers_gives_a_frame_each(bench: Bench) -> None:
    camera = open_triggered(bench, "Software").set(Width=256, Height=64)
    with camera.acquiring(buffers=32):
        for _ in range(20):
            camera.trigger()
        assert [shot.number for shot in camera.fetch_all(20)] == list(range(20))


def test_the_compare_output_takes_frames_as_of_its_own_time_and_place(bench: Bench) -> None:
    rig = bench.rig(area_look(SIDE), CANVAS)
    camera = open_triggered(bench, "Line0")
    rig.move(1, (0.0, 0.0, 0.0))
    camera.nodes.EncoderReset.execute()
    places = [(0.5 + 0.25 * n, 1.0, 0.0) for n in range(10)]
    with camera.acquiring(buffers=16):
        for n, place in enumerate(places):
            rig.trigger(1_000_000 * n, place)
        shots = camera.fetch_all(10)
    for n, (shot, place) in enumerate(zip(shots, places, strict=True)):
        np.testing.assert_array_equal(shot.pixels, crop(*place[:2]))
        assert shot.time_ns == 1_000_000 * n
        assert shot.chunks == {
            "FrameID": n,
            "Timestamp": 1_000_000 * n,
            "EncoderValue": pytest.approx(500 + 250 * n, abs=1),
            "CounterValue": n + 1,
            "LineStatusAll": 1,
        }


def test_triggers_are_counted_as_ignored_while_nobody_acquires(bench: Bench) -> None:
    rig = bench.rig(area_look(SIDE), CANVAS)
    camera = open_triggered(bench, "Line0")
    rig.trigger(1, (0.0, 0.0, 0.0))
    rig.trigger(2, (0.0, 0.0, 0.0))
    assert rig.counters.triggers_ignored == 2
    with camera.acquiring():
        rig.trigger(3, (1.0, 1.0, 0.0))
        assert camera.fetch().time_ns == 3
    rig.trigger(4, (0.0, 0.0, 0.0))
    assert rig.counters.triggers_ignored == 3
    assert rig.counters.frames == 1


def test_a_software_trigger_that_nobody_waits_for_is_counted_too(bench: Bench) -> None:
    rig = bench.rig(area_look(SIDE), CANVAS)
    camera = open_triggered(bench, "Software")
    camera.trigger()
    assert rig.counters.triggers_ignored == 1
    with camera.acquiring():
        camera.trigger()
        assert camera.fetch().number == 0


def test_a_free_run_sees_where_the_axes_were_at_its_own_times(bench: Bench) -> None:
    rig = bench.rig(area_look(SIDE), CANVAS)
    start, seconds, mm = time.time_ns(), 60, 6.0  # a pixel is 0.1 s
    for n in range(seconds * 20 + 1):
        rig.move(start + n * 50_000_000, (mm * n / (seconds * 20), 0.0, 0.0))
    camera = bench.open(AREA).set(AcquisitionFrameRate=30.0)
    with camera.acquiring():
        shots = camera.fetch_all(12)
    for shot in shots:
        column = mm / seconds * (shot.time_ns - start) / 1e9 * 100
        assert any(
            (shot.pixels == crop(near / 100, 0.0)).all()
            for near in {round(column - 0.01), round(column + 0.01)}
        )


def test_more_triggers_than_the_ring_holds_are_not_made_up(bench: Bench) -> None:
    rig = bench.rig(area_look(SIDE), CANVAS)
    camera = open_triggered(bench, "Line0").set(Width=64, Height=8)
    count = 3000  # of 4096 that are kept
    with camera.acquiring(buffers=16):
        for n in range(count):
            rig.trigger(n, (0.0, 0.0, 0.0))
        times = [camera.fetch().time_ns for _ in range(10)]
    assert times == sorted(set(times))


def test_frames_are_numbered_anew_at_each_start(bench: Bench) -> None:
    camera = open_triggered(bench, "Software").set(Width=256, Height=64)
    for _ in range(3):
        with camera.acquiring():
            camera.trigger()
            camera.trigger()
            assert [shot.number for shot in camera.fetch_all(2)] == [0, 1]


def test_a_free_run_keeps_its_rate(bench: Bench) -> None:
    camera = bench.open(AREA).set(Width=256, Height=64, AcquisitionFrameRate=200.0)
    with camera.acquiring(buffers=32):
        shots = camera.fetch_all(40)
    # A machine that stalls may make it start its clock again; most steps are what they should be.
    steps = np.diff([shot.time_ns for shot in shots]) / np.diff([shot.number for shot in shots])
    assert np.median(steps) == pytest.approx(5e6, abs=2)


def test_the_clock_is_the_computers(bench: Bench) -> None:
    nodes = bench.open(AREA).nodes
    before = time.time_ns()
    nodes.TimestampLatch.execute()
    assert before <= nodes.TimestampLatchValue.value <= time.time_ns()
