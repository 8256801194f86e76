"""The counts of all lines, from a handful of readings."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.drivers.camera.buffers import encoder_lines


class Reader:
    """Gives a line's count and notes that it was asked."""

    def __init__(self, counts: npt.NDArray[np.int64]) -> None:
        self.counts = counts
        self.readings = 0

    def __call__(self, line: int) -> int:
        self.readings += 1
        return int(self.counts[line])


def skipping(at: list[int], by: int, *, step: int, rows: int = 512) -> npt.NDArray[np.int64]:
    """Counts of lines, ``by`` more between a line of ``at`` and the one before."""
    steps = np.full(rows, step)
    steps[at] += by
    return np.cumsum(steps) + 1_000


@pytest.mark.parametrize("step", [1, 20, -20], ids=["each count", "each 20th", "backwards"])
def test_an_even_block_takes_two_readings(step: int) -> None:
    reader = Reader(skipping([], 0, step=step))
    np.testing.assert_array_equal(encoder_lines(reader, 512, step), reader.counts)
    assert reader.readings == 2


@pytest.mark.parametrize("at", [[1], [255], [256], [511], [3, 400]], ids=str)
@pytest.mark.parametrize("by", [1, 7, 1_000_000])
@pytest.mark.parametrize("step", [2, -2], ids=["up", "down"])
def test_lines_around_a_jump_are_right_after_few_readings(
    at: list[int], by: int, step: int
) -> None:
    reader = Reader(skipping(at, by if step > 0 else -by, step=step))
    np.testing.assert_array_equal(encoder_lines(reader, 512, step), reader.counts)
    assert reader.readings <= 2 + 2 * 9 * len(at)


def test_a_count_of_jitter_costs_no_readings_and_less_than_half_a_line() -> None:
    counts = skipping([], 0, step=20)
    counts += np.random.default_rng(0).integers(-4, 5, len(counts))
    reader = Reader(counts)
    off = encoder_lines(reader, 512, 20) - counts
    assert reader.readings == 2
    assert np.abs(off).max() < 10


def test_an_encoder_that_stands_still_takes_two_readings() -> None:
    reader = Reader(np.full(512, 17))
    np.testing.assert_array_equal(encoder_lines(reader, 512, 1), reader.counts)
    assert reader.readings == 2


def test_lines_are_all_read_where_no_step_is_known() -> None:
    reader = Reader(np.random.default_rng(0).integers(0, 100, 50))
    np.testing.assert_array_equal(encoder_lines(reader, 50, None), reader.counts)


def test_a_block_of_one_line() -> None:
    assert encoder_lines(Reader(np.array([42])), 1, 3).tolist() == [42]


@given(jumps=st.lists(st.integers(0, 5), min_size=1, max_size=60), step=st.sampled_from([1, -1]))
def test_any_jumps_are_found(jumps: list[int], step: int) -> None:
    counts = np.cumsum(np.array(jumps) + 1) * step
    np.testing.assert_array_equal(encoder_lines(Reader(counts), len(counts), step), counts)
