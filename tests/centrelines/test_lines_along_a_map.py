"""With the model's line maps only what they show is searched, and measured just as well."""

import time

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.pipeline.core.frame_results import Centrelines
from tests.centrelines import drawn
from tests.centrelines.drawn import (
    ORIGINS,
    SCRATCHES,
    SIDE,
    STRAIGHT,
    WINDOW,
    Points,
    arc,
    aside,
    frame,
    length,
    lines_of,
    measures_of,
    straight,
)

CELLS = 32
CELL = WINDOW // CELLS

ARC = arc(300.0, 1.2, (150.0, 150.0))

Maps = npt.NDArray[np.float32]


def maps_of(
    *truths: Points, seed: int = 0, origins: npt.NDArray[np.int32] = ORIGINS, sure: float = 0.9
) -> Maps:
    """Line maps as a model gives them: high where a line crosses a cell, and not quite even."""
    rng = np.random.default_rng(seed)
    maps = np.zeros((len(origins), CELLS, CELLS), np.float32)
    for own, (y, x) in zip(maps, origins.tolist(), strict=True):
        for truth in truths:
            steps = np.hypot(*np.diff(truth, axis=0).T)
            at = np.arange(0.0, steps.sum(), 0.5)
            along = np.concatenate([[0.0], np.cumsum(steps)])
            points = np.stack([np.interp(at, along, truth[:, axis]) for axis in (0, 1)], axis=1)
            columns, rows = np.floor((points - (x, y)) / CELL).astype(int).T
            inside = (columns >= 0) & (rows >= 0) & (columns < CELLS) & (rows < CELLS)
            np.add.at(own, (rows[inside], columns[inside]), 0.5 / CELL)
    maps = np.minimum(2.0 * maps, 1.0) * sure
    uneven: Maps = (maps * rng.uniform(0.8, 1.0, maps.shape)).astype(np.float32)
    return uneven


def find(pixels: np.ndarray, maps: Maps, origins: np.ndarray = ORIGINS) -> Centrelines:
    return drawn.find(pixels, origins, maps)


@pytest.mark.parametrize(
    ("truth", "amplitude"),
    [
        *SCRATCHES,
        pytest.param(arc(200.0, 1.5, (250.0, 250.0)), 8.0, id="a narrower arc"),
        pytest.param(straight((0.0, 200.0), (SIDE, 420.0)), 8.0, id="from border to border"),
        pytest.param(straight((300.0, 300.0), (360.0, 330.0)), 10.0, id="a short one"),
    ],
)
def test_a_scratch_on_the_map_is_one_line_of_its_length(truth: Points, amplitude: float) -> None:
    (line,) = lines_of(find(frame((truth, amplitude, 2.3)), maps_of(truth)))
    assert aside(line, truth) < 1.0
    assert length(line) == pytest.approx(length(truth), rel=0.02, abs=8)


@pytest.mark.parametrize("dark_cells", [2, 4, 8])
def test_gaps_in_the_map_are_bridged(dark_cells: int) -> None:
    maps = maps_of(STRAIGHT)
    columns = (ORIGINS[:, 1, None] // CELL + np.arange(CELLS))[:, None, :]
    maps[np.broadcast_to((columns >= 45) & (columns < 45 + dark_cells), maps.shape)] = 0.0
    (line,) = lines_of(find(frame((STRAIGHT, 8.0, 2.3)), maps))
    assert length(line) == pytest.approx(length(STRAIGHT), rel=0.02)


@pytest.mark.parametrize("truth", [STRAIGHT, ARC], ids=["straight", "an arc"])
def test_place_width_and_contrast_are_those_without_a_map(truth: Points) -> None:
    pixels = frame((truth, 8.0, 3.0))
    with_map, without = find(pixels, maps_of(truth)), drawn.find(pixels)
    (seen,), (unaided,) = measures_of(with_map), measures_of(without)
    assert seen.width == pytest.approx(unaided.width, rel=0.05)
    assert seen.contrast == pytest.approx(unaided.contrast, rel=0.1)
    (one,), (other,) = lines_of(with_map), lines_of(without)
    assert length(one) == pytest.approx(length(other), abs=8)


def test_what_the_map_does_not_show_is_not_searched() -> None:
    other = straight((100.0, 650.0), (650.0, 700.0))
    pixels = frame((STRAIGHT, 8.0, 2.3), (other, 8.0, 2.3))
    (line,) = lines_of(find(pixels, maps_of(STRAIGHT)))
    assert aside(line, STRAIGHT) < 1.0
    assert not lines_of(find(pixels, np.zeros((len(ORIGINS), CELLS, CELLS), np.float32)))


def test_a_map_of_nothing_there_gives_no_line() -> None:
    assert not lines_of(find(frame(), maps_of(STRAIGHT)))


def test_neighbours_that_share_cells_stay_two() -> None:
    one, other = straight((100, 300), (650, 330)), straight((100, 312), (650, 342))
    pixels = frame((one, 8.0, 2.3), (other, 8.0, 2.3))
    found = lines_of(find(pixels, maps_of(one, other)))
    # The map shows one, the path along it jumps from line to line: it is cut there, and what is
    # lost between the pieces is left to merging, which joins them.
    assert sum(map(length, found)) == pytest.approx(length(one) + length(other), rel=0.25)
    for line in found:
        assert min(aside(line, one), aside(line, other)) < 3.0


def test_lines_that_cross_stay_two() -> None:
    one, other = straight((100, 100), (650, 640)), straight((120, 640), (660, 130))
    found = lines_of(find(frame((one, 7.0, 2.3), (other, 9.0, 2.3)), maps_of(one, other)))
    assert sum(map(length, found)) == pytest.approx(length(one) + length(other), rel=0.05)


def test_windows_that_do_not_lie_on_the_cells_are_followed_as_well() -> None:
    origins = ORIGINS + np.array([3, 5], np.int32)
    origins = origins[(origins + WINDOW <= SIDE).all(axis=1)]
    truth = straight((90.0, 120.0), (600.0, 500.0))
    (line,) = lines_of(find(frame((truth, 8.0, 2.3)), maps_of(truth, origins=origins), origins))
    assert aside(line, truth) < 1.0
    assert length(line) == pytest.approx(length(truth), rel=0.03)


@pytest.mark.parametrize("shape", [(257, 301), (256, 256)])
def test_a_map_of_lines_everywhere_in_an_even_frame_gives_none(shape: tuple[int, int]) -> None:
    origins = np.array([[0, 0], [1, 45]], np.int32)[: shape[0] - 255]
    maps = np.random.default_rng(0).random((len(origins), CELLS, CELLS), np.float32)
    assert not len(find(np.full(shape, 7, np.uint8), maps, origins).counts)


def test_the_same_windows_give_the_same_bytes_in_any_order() -> None:
    pixels, maps = frame((STRAIGHT, 6.0, 2.3), (ARC, 6.0, 2.3)), maps_of(STRAIGHT, ARC)
    one, other = find(pixels, maps), find(pixels, maps[::-1].copy(), ORIGINS[::-1].copy())
    assert one.model_dump() == other.model_dump()


def test_following_a_map_costs_a_fraction_of_searching_all() -> None:
    pixels, maps = frame((STRAIGHT, 6.0, 2.3)), maps_of(STRAIGHT)

    def spent(maps: Maps | None) -> float:
        times = []
        for _ in range(5):
            start = time.thread_time()
            drawn.find(pixels, maps=maps)
            times.append(time.thread_time() - start)
        return min(times)

    assert spent(maps) < 0.5 * spent(None)


@pytest.mark.parametrize("amplitude", [8.0, 12.0, 20.0, 40.0])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((3.0, 20.0), (3.0, 740.0)),
        ((20.0, 765.0), (740.0, 765.0)),
        ((-40.0, 300.0), (400.0, -60.0)),
        ((-40.0, 300.0), (300.0, -40.0)),
        ((-40.0, 500.0), (600.0, -24.0)),
        ((500.0, 800.0), (800.0, 500.0)),
    ],
    ids=[
        "beside the left border",
        "beside the lower one",
        "over two",
        "over two aslant",
        "over two far from the corner",
        "over a corner",
    ],
)
@pytest.mark.parametrize("follows_map", [True, False], ids=["with a map", "without"])
def test_a_centre_line_ends_with_the_frame(
    start: tuple[float, float], end: tuple[float, float], amplitude: float, *, follows_map: bool
) -> None:
    truth = straight(start, end)
    pixels = frame((truth, amplitude, 2.5))
    maps = maps_of(truth) if follows_map else None
    found = drawn.find(pixels, maps=maps)
    seen = truth[((truth >= 0) & (truth <= SIDE)).all(axis=1)]
    assert sum(map(length, lines_of(found))) == pytest.approx(length(seen), rel=0.05)
    assert found.points.min() >= 0
    assert found.points.max() <= SIDE
