"""Blocks of lines become whole frames, whatever comes late, twice, upside down or not at all."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.drivers.camera.lines import Assembled, LineAssembler
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.units import FrameId

HEIGHT, WIDTH, OVERLAP = 10, 4, 3
STEP = HEIGHT - OVERLAP


class Lines:
    """A block whose lines hold the number of the strip's row they lie on."""

    def __init__(self, rows: Sequence[int], timestamp_ns: int = 7) -> None:
        self.rows = np.array(rows, np.int64)
        self.timestamp_ns = timestamp_ns
        self._pixels = np.repeat(self.rows[:, None], WIDTH, axis=1).astype(np.uint16)

    def copy_into(self, out: Pixels, rows: slice, *, reverse: bool) -> None:
        lines = self._pixels[rows]
        assert out.shape == lines.shape
        out[:] = lines[::-1] if reverse else lines


class Strip:
    """Frames of a strip, as many slots as needed, and what became of them."""

    def __init__(self, frames: int, *, slots: int = 100, wanted: Sequence[int] = ()) -> None:
        self.first_rows = {FrameId(n): n * STEP for n in wanted or range(frames)}
        self.pixels: dict[FrameId, npt.NDArray[np.uint16]] = {}
        self.done: dict[FrameId, Assembled] = {}
        self._slots = slots
        self._assembler = LineAssembler(list(self.first_rows.items()), HEIGHT, self._lease)

    def add(self, rows: Sequence[int], timestamp_ns: int = 7) -> list[int]:
        """The frames that are done with this block."""
        block = Lines(rows, timestamp_ns)
        return self._note(self._assembler.add(block, block.rows))

    def finish(self) -> list[int]:
        return self._note(self._assembler.finish())

    def holds_its_rows(self, frame: int) -> bool:
        first = self.first_rows[FrameId(frame)]
        expected = np.repeat(np.arange(first, first + HEIGHT)[:, None], WIDTH, axis=1)
        return np.array_equal(self.pixels[FrameId(frame)], expected)

    def _lease(self, frame: FrameId) -> Pixels | None:
        assert frame not in self.pixels
        if self._slots == 0:
            return None
        self._slots -= 1
        self.pixels[frame] = np.zeros((HEIGHT, WIDTH), np.uint16)
        return self.pixels[frame]

    def _note(self, done: list[Assembled]) -> list[int]:
        for assembled in done:
            assert assembled.frame not in self.done, "a frame is done once"
            self.done[assembled.frame] = assembled
        return [assembled.frame for assembled in done]


@pytest.mark.parametrize("block", [1, 3, 10, 16, 100], ids=lambda n: f"blocks of {n}")
@pytest.mark.parametrize("falling", [False, True], ids=["forth", "back"])
def test_frames_are_whole_however_blocks_lie(block: int, *, falling: bool) -> None:
    strip = Strip(frames=4)
    rows = list(range(-5, 4 * STEP + OVERLAP + 5))
    if falling:
        rows.reverse()
    for first in range(0, len(rows), block):
        strip.add(rows[first : first + block])
    assert list(strip.done) == ([3, 2, 1, 0] if falling else [0, 1, 2, 3])
    assert all(assembled.pixels_ready for assembled in strip.done.values())
    assert all(strip.holds_its_rows(frame) for frame in range(4))
    assert strip.finish() == []


def test_a_frame_is_given_as_soon_as_its_last_row_is_there() -> None:
    strip = Strip(frames=2)
    assert strip.add(range(9)) == []
    assert strip.add([9]) == [0]
    assert strip.add(range(10, 17)) == [1]


def test_a_shared_row_is_written_to_both_frames() -> None:
    strip = Strip(frames=2)
    strip.add(range(HEIGHT))
    assert strip.pixels[FrameId(0)][STEP:].tolist() == strip.pixels[FrameId(1)][:OVERLAP].tolist()


def test_rows_of_no_wanted_frame_are_ignored() -> None:
    strip = Strip(frames=3, wanted=[1])
    strip.add(range(3 * HEIGHT))
    assert list(strip.pixels) == [1]
    assert strip.holds_its_rows(1)


@pytest.mark.parametrize("falling", [False, True], ids=["forth", "back"])
def test_a_lost_block_costs_the_frames_that_it_touched(*, falling: bool) -> None:
    strip = Strip(frames=4)
    before, after = list(range(12)), list(range(15, 4 * STEP + OVERLAP))
    if falling:
        before, after = after[::-1], before[::-1]
    strip.add(before)
    strip.add(after)
    lost = {frame: done.missing_rows for frame, done in strip.done.items() if not done.pixels_ready}
    assert lost == {1: 3, 2: 1}
    assert strip.holds_its_rows(0)
    assert strip.holds_its_rows(3)


def test_lines_skipped_inside_a_block_are_missing_where_they_were() -> None:
    strip = Strip(frames=2)
    done = strip.add([0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])
    assert done == [0, 1]
    assert strip.done[FrameId(0)].missing_rows == 1
    assert strip.holds_its_rows(1)


def test_a_frame_of_which_nothing_came_takes_no_room() -> None:
    strip = Strip(frames=3)
    strip.add([0])
    assert strip.add([40, 41]) == [0, 1, 2]
    assert list(strip.pixels) == [0]
    assert strip.done[FrameId(1)] == Assembled(FrameId(1), False, HEIGHT, False, 0)


def test_a_row_that_comes_twice_counts_once() -> None:
    strip = Strip(frames=1)
    assert strip.add([0, 1, 1, 2, 3, 3, 4, 5, 6]) == []
    assert strip.add([6, 7, 8]) == []
    assert strip.add([9]) == [0]
    assert strip.done[FrameId(0)].missing_rows == 0
    assert strip.holds_its_rows(0)


def test_a_frame_without_room_is_given_up_at_once_and_the_next_is_not() -> None:
    strip = Strip(frames=3, slots=1)
    assert strip.add(range(8)) == [1]
    assert strip.done[FrameId(1)] == Assembled(FrameId(1), False, HEIGHT, True, 7)
    assert strip.add(range(8, 12)) == [0]
    assert strip.holds_its_rows(0)


def test_the_time_stamp_is_that_of_the_block_with_its_first_line() -> None:
    strip = Strip(frames=2)
    strip.add(range(5), timestamp_ns=100)
    strip.add(range(5, 20), timestamp_ns=200)
    assert [done.first_line_ns for done in strip.done.values()] == [100, 200]


def test_what_is_under_way_at_the_end_is_given_as_missing() -> None:
    strip = Strip(frames=2)
    strip.add(range(8))
    assert strip.finish() == [0, 1]
    assert [done.missing_rows for done in strip.done.values()] == [2, 9]


def test_a_block_without_rows_changes_nothing() -> None:
    strip = Strip(frames=1)
    assert strip.add([]) == []
    assert strip.finish() == [0]


@given(data=st.data(), falling=st.booleans())
def test_every_row_that_came_is_in_every_frame_that_has_it(
    data: st.DataObject, *, falling: bool
) -> None:
    total = 4 * STEP + OVERLAP
    lost = data.draw(st.sets(st.integers(0, total - 1), max_size=6))
    rows = [row for row in range(total) if row not in lost]
    if falling:
        rows.reverse()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(rows) - 1), max_size=5)))
    strip = Strip(frames=4)
    for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        strip.add(rows[first:last])
    strip.finish()
    for frame, first in strip.first_rows.items():
        missing = lost & set(range(first, first + HEIGHT))
        assert strip.done[frame].missing_rows == len(missing)
        assert strip.done[frame].pixels_ready == (not missing)
        assert missing or strip.holds_its_rows(frame)
