"""The driver with the simulated line camera, up to whole frames."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.drivers.camera.camera import Camera
from darkscan.drivers.camera.lines import Assembled, LineAssembler
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.units import FrameId
from tests.camera.simulated import (
    AREA,
    LINES,
    PATIENCE_S,
    Bench,
    bench,
    grey_levels,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("simulated_camera")

WIDTH = AREA[1]
HEIGHT, STEP = 256, 96
"""Rows of a frame, and from frame to frame: most lines belong to two or three frames."""

FRAMES = [(FrameId(n), 20 + n * STEP) for n in range(4)]
END = FRAMES[-1][1] + HEIGHT
BLOCKS = -(-END // LINES)
"""That a sweep from row 0 needs for all frames: a block is delivered when it is full."""


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with bench(tmp_path, monkeypatch, "line") as it:
        yield it


class Frames:
    """Frames of a strip in the making, by the rows of the canvas."""

    def __init__(self) -> None:
        self.pixels: dict[FrameId, npt.NDArray[np.uint8]] = {}
        self.done: dict[int, Assembled] = {}
        self._assembler = LineAssembler(FRAMES, HEIGHT, self._lease)

    def take(self, camera: Camera, first_row: int, blocks: int) -> None:
        """Fetches blocks whose encoder was zeroed on a row, until so many were taken."""
        number = -1
        while number < blocks - 1:
            with camera.fetch(PATIENCE_S) as buffer:
                if buffer is None:
                    continue
                number = buffer.number
                assert buffer.encoder is not None
                self._note(self._assembler.add(buffer, buffer.encoder + first_row))
        self._note(self._assembler.finish())

    def assert_right(self, frames: Sequence[int]) -> None:
        """These are whole and show the canvas; no other is."""
        assert sorted(n for n, done in self.done.items() if done.pixels_ready) == list(frames)
        for n in frames:
            frame, first = FRAMES[n]
            expected = grey_levels()[first : first + HEIGHT, :WIDTH]
            np.testing.assert_array_equal(self.pixels[frame], expected)

    def _lease(self, frame: FrameId) -> Pixels:
        self.pixels[frame] = np.zeros((HEIGHT, WIDTH), np.uint8)
        return self.pixels[frame]

    def _note(self, done: list[Assembled]) -> None:
        self.done |= {assembled.frame: assembled for assembled in done}


@pytest.mark.parametrize("falling", [False, True], ids=["forth", "back"])
def test_a_sweep_becomes_whole_frames_of_what_lies_there(*, falling: bool, line: Bench) -> None:
    start, end = (END, -LINES) if falling else (0, END + LINES)
    frames = Frames()
    with Camera(line.settings, "line", encoder=True) as camera:
        line.stand_at(column=0, row=start)
        camera.arm(-1 if falling else 1)
        line.sweep(start, end)
        frames.take(camera, start, BLOCKS)
        assert camera.counts.missed == 0
    frames.assert_right([0, 1, 2, 3])


def test_forth_and_back_with_one_camera(line: Bench) -> None:
    with Camera(line.settings, "line", encoder=True) as camera:
        for direction, (start, end) in ((1, (0, END + LINES)), (-1, (END, -LINES))):
            frames = Frames()
            line.stand_at(column=0, row=start)
            camera.arm(direction)
            line.sweep(start, end)
            frames.take(camera, start, BLOCKS)
            camera.disarm()
            frames.assert_right([0, 1, 2, 3])


def test_movement_against_the_direction_takes_no_lines(line: Bench) -> None:
    with Camera(line.settings, "line", encoder=True) as camera:
        line.stand_at(column=0, row=300)
        camera.arm(+1)
        line.sweep(300, 100)
        with camera.fetch(0.2) as buffer:
            assert buffer is None


def test_a_divider_takes_each_so_manieth_row(line: Bench) -> None:
    with Camera(line.settings, "line", encoder=True, encoder_divider=3) as camera:
        line.stand_at(column=0, row=0)
        camera.arm()
        line.sweep(0, 3 * LINES + 1)
        pixels = np.empty((LINES, WIDTH), np.uint8)
        with camera.fetch(PATIENCE_S) as buffer:
            assert buffer is not None
            assert buffer.encoder is not None
            assert buffer.encoder.tolist() == list(range(3, 3 * LINES + 1, 3))
            buffer.copy_into(pixels)
    np.testing.assert_array_equal(pixels, grey_levels()[3 : 3 * LINES + 1 : 3, :WIDTH])


def test_blocks_are_stamped_with_the_time_of_their_first_line(line: Bench) -> None:
    with Camera(line.settings, "line", encoder=True) as camera:
        line.stand_at(column=0, row=0)
        camera.arm()
        line.sweep(0, 4 * LINES, seconds=0.4)
        stamps = []
        for _ in range(4):
            with camera.fetch(PATIENCE_S) as buffer:
                assert buffer is not None
                stamps.append(buffer.timestamp_ns)
    assert np.diff(stamps) == pytest.approx(0.1e9, rel=0.01)


@pytest.mark.parametrize("fault", ["dropped", "incomplete"])
def test_a_lost_block_costs_the_frames_on_it_and_no_other_is_out_of_place(
    fault: str, line: Bench
) -> None:
    frames = Frames()
    with Camera(line.settings, "line", encoder=True) as camera:
        line.stand_at(column=0, row=0)
        camera.arm()
        if fault == "dropped":
            line.shared.faults.drop(1)
        else:
            line.shared.faults.incomplete(1)
        line.sweep(0, END + LINES)
        frames.take(camera, 0, BLOCKS)
        assert camera.counts.missed == 1
        assert camera.counts.incomplete == (fault == "incomplete")
    # Rows 1 to 64 are gone: the first frame begins on row 20, the second on row 116.
    frames.assert_right([1, 2, 3])
    assert frames.done[0].missing_rows == 64 - 19


def test_rows_that_the_encoder_skips_are_missing_and_the_others_in_place(line: Bench) -> None:
    frames = Frames()
    with Camera(line.settings, "line", encoder=True) as camera:
        line.stand_at(column=0, row=0)
        camera.arm()
        line.sweep(0, 90)
        wait_until(lambda: line.shared.counters.lines == 90)
        line.shared.faults.skip(40)
        line.sweep(90, END + LINES)
        frames.take(camera, 0, BLOCKS)
        assert camera.counts.missed == 0
    # The jump from row 90 to 131 is inside the second block.
    frames.assert_right([2, 3])
    assert frames.done[0].missing_rows == 40
    assert frames.done[1].missing_rows == 131 - 116
