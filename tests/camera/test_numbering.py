"""Frame numbers without gaps, with gaps, and around the wrap."""

import pytest

from darkscan.drivers.camera.buffers import Numbering

GIGE_VISION_1 = 65535


def numbered(ids: list[int], first: int, wraps_at: int) -> list[tuple[int, int]]:
    numbering = Numbering(first, wraps_at)
    return [(number, missed) for number, missed in map(numbering.add, ids)]


@pytest.mark.parametrize(
    ("ids", "first", "wraps_at", "expected"),
    [
        pytest.param([0, 1, 2], 0, 0, [(0, 0), (1, 0), (2, 0)], id="from 0"),
        pytest.param([1, 2, 3], 1, 0, [(0, 0), (1, 0), (2, 0)], id="from 1"),
        pytest.param([0, 3, 4], 0, 0, [(0, 0), (3, 2), (4, 0)], id="two missing"),
        pytest.param([2, 3], 0, 0, [(2, 2), (3, 0)], id="the first two missing"),
        pytest.param([3, 1, 2, 3, 1], 3, 3, [(n, 0) for n in range(5)], id="wraps to 1"),
        pytest.param([2, 2], 2, 3, [(0, 0), (3, 2)], id="two missing around the wrap"),
        pytest.param([3, 2], 3, 3, [(0, 0), (2, 1)], id="one missing just after the wrap"),
        pytest.param([5, 6, 0, 1], 5, 0, [(0, 0), (1, 0), (2, 0), (3, 0)], id="goes back"),
    ],
)
def test_numbers_and_gaps(
    ids: list[int], first: int, wraps_at: int, expected: list[tuple[int, int]]
) -> None:
    assert numbered(ids, first, wraps_at) == expected


def test_a_long_scan_over_gige_vision_counts_every_frame_once() -> None:
    ids = [n % GIGE_VISION_1 + 1 for n in range(200_000)]
    lost = {65534, 65535, 131_072}
    came = [(n, frame_id) for n, frame_id in enumerate(ids) if n not in lost]
    numbers = numbered([frame_id for _, frame_id in came], 1, GIGE_VISION_1)
    assert [number for number, _ in numbers] == [n for n, _ in came]
    assert sum(missed for _, missed in numbers) == len(lost)


@pytest.mark.parametrize(
    ("first_ids", "expected"),
    [
        pytest.param([0, 0, 0], [0, 0, 0], id="counts from 0 each time"),
        pytest.param([0, 10, 20], [0, 0, 0], id="counts on"),
        pytest.param([0, 13, 23], [0, 0, 0], id="counts on, frames not fetched"),
        pytest.param([0, 2, 0], [0, 2, 0], id="two missing at the start"),
        pytest.param([0, 0, 12], [0, 0, 12], id="more missing at the start than came before"),
    ],
)
def test_the_first_number_of_each_acquisition(first_ids: list[int], expected: list[int]) -> None:
    numbering = Numbering(0, 0)
    first_numbers = []
    for first_id in first_ids:
        numbering.begin()
        numbers = [numbering.add(first_id + n) for n in range(10)]
        first_numbers.append(numbers[0].number)
        assert numbers[0].missed == numbers[0].number
        assert [number.missed for number in numbers[1:]] == [0] * 9
    assert first_numbers == expected
