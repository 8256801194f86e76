"""Lines taken by the encoder."""

import numpy as np
import pytest

from darkscan.simulation.rig._shared import SharedRig
from tests.simulated_camera.cameras import (
    LINE,
    TELLING_NS,
    Bench,
    Camera,
    drive,
    line_look,
    numbered_canvas,
    wait_until,
)

WIDTH, BLOCK = 256, 50
DIVIDER = 10  # a line each 0.01 mm, which is a canvas row
CANVAS = numbered_canvas(700, 300)


@pytest.fixture
def rig(bench: Bench) -> SharedRig:
    return bench.rig(line_look(WIDTH), CANVAS)


def open_by_encoder(bench: Bench, rig: SharedRig, start_mm: float, mode: str) -> Camera:
    """A camera that waits at a place, where its encoder was reset."""
    camera = bench.open(LINE).set(Height=BLOCK, TriggerMode="On", TriggerSource="Encoder0")
    camera.set(EncoderDivider=DIVIDER, EncoderOutputMode=mode).enable_chunks()
    rig.move(0, (start_mm, 0.0, 0.0))
    camera.nodes.EncoderReset.execute()
    return camera


def rows_of(counts: list[int], start_mm: float) -> np.ndarray:
    return np.rint((start_mm + np.array(counts) * 0.001) * 100).astype(int)


@pytest.mark.parametrize(
    ("mode", "end_mm", "sign"),
    [
        pytest.param("PositionUp", 5.0, 1, id="upwards"),
        pytest.param("PositionDown", 1.0, -1, id="downwards"),
        pytest.param("Motion", 1.0, -1, id="either way"),
        pytest.param("DirectionUp", 5.0, 1, id="direction up"),
    ],
)
def test_every_line_is_the_canvas_row_of_its_encoder_count(
    bench: Bench, rig: SharedRig, mode: str, end_mm: float, sign: int
) -> None:
    camera = open_by_encoder(bench, rig, 3.0, mode)
    counts: list[int] = []
    with camera.acquiring():
        drive(rig, 3.0, end_mm, start_ns=TELLING_NS, tellings=40)
        for block in range(4):  # 200 lines of 2 mm
            shot, block_counts, _ = camera.fetch_lines()
            assert shot.number == shot.chunks["FrameID"] == block
            assert shot.chunks["CounterValue"] == (block + 1) * BLOCK
            rows = rows_of(block_counts, 3.0)
            np.testing.assert_array_equal(shot.pixels, CANVAS[rows, :WIDTH] >> 8)
            counts += block_counts
    assert counts == [sign * DIVIDER * n for n in range(1, 201)]
    assert rig.counters.lines == 200


def test_time_stamps_lie_between_the_tellings(bench: Bench, rig: SharedRig) -> None:
    camera = open_by_encoder(bench, rig, 0.0, "PositionUp")
    rig.move(TELLING_NS, (0.0, 0.0, 0.0))
    with camera.acquiring():
        # 0.1 mm in a telling's time: ten lines, half a millisecond apart.
        drive(rig, 0.0, 0.5, start_ns=TELLING_NS, tellings=5)
        shot, _, times = camera.fetch_lines()
    expected = TELLING_NS + TELLING_NS // 10 * np.arange(1, BLOCK + 1)
    assert np.abs(np.array(times) - expected).max() <= 2
    assert shot.time_ns == times[0]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        pytest.param("PositionUp", [*range(1, 101)], id="up once"),
        pytest.param("DirectionUp", [*range(1, 61), *range(31, 101)], id="each time it goes up"),
        pytest.param(
            "Motion", [*range(1, 61), *range(60, 30, -1), *range(31, 101)], id="all edges"
        ),
        pytest.param("DirectionDown", [*range(60, 30, -1)], id="the way back alone"),
        pytest.param("Off", [], id="none"),
    ],
)
def test_a_reversal_counts_as_the_output_mode_says(
    bench: Bench, rig: SharedRig, mode: str, expected: list[int]
) -> None:
    camera = open_by_encoder(bench, rig, 0.0, mode).set(Height=10)
    with camera.acquiring(buffers=32):
        end = drive(rig, 0.0, 0.605, start_ns=TELLING_NS, tellings=10)
        end = drive(rig, 0.605, 0.305, start_ns=end + TELLING_NS, tellings=10)
        drive(rig, 0.305, 1.005, start_ns=end + TELLING_NS, tellings=10)
        counts = [count for _ in range(len(expected) // 10) for count in camera.fetch_lines()[1]]
        if not expected:
            assert camera.acquirer.try_fetch(timeout=0.2) is None
    assert counts == [DIVIDER * n for n in expected[: len(counts)]]
    assert rig.counters.lines == len(expected)


def test_counts_that_are_skipped_have_no_line_and_the_rest_stays_true(
    bench: Bench, rig: SharedRig
) -> None:
    camera = open_by_encoder(bench, rig, 0.0, "PositionUp")
    with camera.acquiring():
        end = drive(rig, 0.0, 0.205, start_ns=TELLING_NS, tellings=5)
        wait_until(lambda: rig.counters.lines == 20)  # so far nothing is skipped
        rig.faults.skip(13 * DIVIDER)
        drive(rig, 0.205, 0.7, start_ns=end + TELLING_NS, tellings=5)
        shot, counts, _ = camera.fetch_lines()
    lines = [count // DIVIDER for count in counts]
    assert lines == [*range(1, 21), *range(34, 64)]
    np.testing.assert_array_equal(shot.pixels, CANVAS[rows_of(counts, 0.0), :WIDTH] >> 8)


def test_the_reset_makes_here_zero(bench: Bench, rig: SharedRig) -> None:
    camera = open_by_encoder(bench, rig, 2.0, "PositionUp")
    assert camera.nodes.EncoderValue.value == 0
    rig.move(1, (2.5, 0.0, 0.0))
    assert camera.nodes.EncoderValue.value == pytest.approx(500, abs=1)
    camera.nodes.EncoderReset.execute()
    assert camera.nodes.EncoderValue.value == 0


def test_a_reset_on_the_way_counts_from_there(bench: Bench, rig: SharedRig) -> None:
    camera = open_by_encoder(bench, rig, 0.0, "PositionUp")
    with camera.acquiring():
        end = drive(rig, 0.0, 0.505, start_ns=TELLING_NS, tellings=5)
        before = camera.fetch_lines()[1]
        camera.nodes.EncoderReset.execute()
        drive(rig, 0.505, 1.01, start_ns=end + TELLING_NS, tellings=5)
        after = camera.fetch_lines()[1]
    assert before == after == [DIVIDER * n for n in range(1, BLOCK + 1)]


def test_an_unfinished_block_is_not_delivered(bench: Bench, rig: SharedRig) -> None:
    camera = open_by_encoder(bench, rig, 0.0, "PositionUp")
    for _ in range(2):
        with camera.acquiring():
            drive(rig, 0.0, 0.755, start_ns=TELLING_NS, tellings=5)
            shot, counts, _ = camera.fetch_lines()
            assert shot.number == 0
            assert counts[0] == DIVIDER
        rig.move(1, (0.0, 0.0, 0.0))
        camera.nodes.EncoderReset.execute()


def test_a_free_run_reaches_60_000_lines_a_second(bench: Bench) -> None:
    camera = bench.open(LINE).set(Width=8192, Height=512, TriggerMode="Off")
    camera.set(AcquisitionLineRate=60_000.0).enable_chunks()
    with camera.acquiring(buffers=64):
        shot, _, times = camera.fetch_lines()
    assert np.median(np.diff(times)) == pytest.approx(1e9 / 60_000, abs=1)
    first = 1 + shot.number
    np.testing.assert_array_equal(shot.pixels[1], np.arange(first, first + 8192) & 255)
