"""Kinds and directions of cells, held against what was drawn."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from darkscan.network.augmentation import ORIENTATIONS, turned, turned_directions
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.simulation.element import _clutter, _sensor_faults, _surroundings
from darkscan.simulation.element.kinds import CELL_PX, Kind, KindMap, crossed_cells
from darkscan.simulation.element.looks import Look, draw_look
from darkscan.simulation.element.strokes import Strokes, add_spots

SIDE = 256


def look_of(rng: np.random.Generator) -> Look:
    return draw_look(rng, 1.0, "optic")


def ray(degrees: float, length: float = 150.0) -> Float64Array:
    """A polyline (31, 2) through a point off the middle, from left to right."""
    angle = np.radians(degrees)
    steps = np.linspace(-length / 2, length / 2, 31)[:, None]
    return np.asarray([121.3, 133.9] + steps * np.array([np.cos(angle), np.sin(angle)]))


def cells_of(pixels: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The cells in which any of these pixels (H, W) lies."""
    count = SIDE // CELL_PX
    return np.asarray(pixels.reshape(count, CELL_PX, count, CELL_PX).any(axis=(1, 3)))


def shift_of(found: npt.NDArray[np.generic], degrees: float) -> npt.NDArray[np.float64]:
    """How far directions lie from one, in degrees, either way round."""
    away = (found.astype(np.float64) - degrees) % 180.0
    return np.minimum(away, 180.0 - away)


@pytest.mark.parametrize("degrees", [0, 30, 45, 88, 90, 135, 179])
def test_a_scratchs_cells_are_those_it_crosses_and_all_know_where_it_runs(degrees: float) -> None:
    kinds = KindMap(SIDE)
    vertices = ray(degrees)
    kinds.line(Kind.SCRATCH, vertices)
    crossed = kinds.kinds == Kind.SCRATCH
    points = np.concatenate([np.linspace(a, b, 50) for a, b in pairwise(vertices)])
    columns, rows = (points // CELL_PX).astype(int).T
    assert crossed[rows, columns].mean() > 0.98  # but for corners that it cuts by less than 1 px
    middles = np.argwhere(crossed) * CELL_PX + CELL_PX / 2
    away = np.hypot(*(middles[:, None, ::-1] - points).transpose(2, 0, 1)).min(axis=1)
    assert away.max() <= CELL_PX / np.sqrt(2) + 1.0
    assert shift_of(kinds.directions[crossed], degrees).max() <= 1.0
    assert not kinds.directions[~crossed].any()


def test_a_curved_scratch_turns_from_cell_to_cell() -> None:
    angle = np.radians(np.linspace(180, 270, 60))
    vertices = np.stack([200 + 150 * np.cos(angle), 200 + 150 * np.sin(angle)], axis=1)
    kinds = KindMap(SIDE)
    kinds.line(Kind.SCRATCH, vertices)
    for row, column in np.argwhere(kinds.kinds == Kind.SCRATCH):
        x, y = CELL_PX * (column + 0.5) - 200, CELL_PX * (row + 0.5) - 200
        tangent = np.degrees(np.arctan2(y, x)) + 90.0
        assert shift_of(kinds.directions[row, column], tangent) < 6.0


def test_a_hair_a_dig_and_dust_have_cells_of_their_kinds_and_no_direction() -> None:
    rng = np.random.default_rng(2)
    look = look_of(rng)
    for _ in range(5):
        kinds = KindMap(SIDE)
        hair = _clutter.draw_hair(rng, look)
        kinds.line(Kind.FIBRE, np.concatenate([hair.start, hair.end[-1:]]))
        middles = (hair.start + hair.end) / 2
        middles = middles[((middles > 0) & (middles < SIDE)).all(axis=1)]
        columns, rows = (middles // CELL_PX).astype(int).T
        assert (kinds.kinds[rows, columns] == Kind.FIBRE).mean() > 0.9
        assert not kinds.directions.any()


def test_a_digs_brightest_pixel_lies_in_a_cell_of_its_kind() -> None:
    rng = np.random.default_rng(3)
    look = look_of(rng)
    for _ in range(20):
        kinds, light = KindMap(SIDE), np.zeros((SIDE, SIDE), np.float32)
        add_spots(light, _clutter._dig(rng, look, kinds))
        row, column = np.unravel_index(int(light.argmax()), light.shape)
        assert kinds.kinds[row // CELL_PX, column // CELL_PX] == Kind.DIG
        assert cells_of(light > 0.9 * light.max())[kinds.kinds == Kind.NOTHING].sum() <= 1


def test_dust_is_marked_where_it_can_be_seen() -> None:
    look = look_of(np.random.default_rng(4))
    centres = np.array([[12.0, 20.0], [100.0, 60.0], [-3.0, 50.0]])
    specks = Strokes.spots(centres, look.sigma * np.array([30.0, 1.0, 30.0]), np.ones(3))
    kinds = KindMap(SIDE)
    _clutter._mark(kinds, Kind.DUST, specks, look)
    assert np.argwhere(kinds.kinds == Kind.DUST).tolist() == [[2, 1]]  # bright, and inside


def test_a_ghost_is_marked_where_it_brightens_the_image() -> None:
    rng = np.random.default_rng(5)
    look = look_of(rng)
    shares = []
    for _ in range(20):
        kinds, light = KindMap(SIDE), np.zeros((SIDE, SIDE), np.float32)
        _surroundings._add_ghost(light, look, kinds, rng)
        marked, lit = kinds.kinds == Kind.GLOW, cells_of(light > 0.5 * light.max())
        assert (marked & lit).any()
        shares.append((marked & lit).sum() / marked.sum())
    assert np.mean(shares) > 0.85


def test_a_tap_step_is_marked_along_its_whole_line() -> None:
    rng = np.random.default_rng(6)
    look = look_of(rng)
    for _ in range(10):
        kinds, light = KindMap(SIDE), np.full((SIDE, SIDE), 20.0, np.float32)
        _sensor_faults._add_tap_steps(light, look, kinds, rng)
        marked = kinds.kinds == Kind.FAULT
        steps = [np.diff(light, axis=axis) != 0 for axis in (0, 1)]
        upright = bool(steps[1].any())
        places = np.flatnonzero(steps[1][0] if upright else steps[0][:, 0]) + 1
        expected = np.zeros(SIDE // CELL_PX, bool)
        expected[places // CELL_PX] = True
        assert np.array_equal(marked.any(axis=0 if upright else 1), expected)
        assert marked.all(axis=0 if upright else 1).sum() == expected.sum()


def test_of_several_things_in_a_cell_the_one_that_matters_most_counts() -> None:
    kinds = KindMap(SIDE)
    kinds.line(Kind.SCRATCH, ray(0.0))
    kinds.disc(Kind.GLOW, (121.3, 133.9), 20.0)
    kinds.spots(Kind.DUST, np.array([[121.3, 133.9]]))
    assert kinds.kinds[16, 15] == Kind.SCRATCH
    assert kinds.kinds[15, 15] == Kind.GLOW
    kinds.spots(Kind.DUST, np.array([[121.3, 125.0]]))
    assert kinds.kinds[15, 15] == Kind.DUST


def turned_points(points: Float64Array, turn: int) -> Float64Array:
    """Where points (N, 2) lie once their image is turned, as ``turned`` does it."""
    x, y = points.T
    if turn >= ORIENTATIONS // 2:
        x, y = y, x
    for _ in range(turn % 4):
        x, y = y, SIDE - x
    return np.stack([x, y], axis=1)


@pytest.mark.parametrize("turn", range(ORIENTATIONS))
@pytest.mark.parametrize("degrees", [12, 64, 101, 155])
def test_kinds_and_directions_turn_with_the_picture(degrees: float, turn: int) -> None:
    drawn, again = KindMap(SIDE), KindMap(SIDE)
    drawn.line(Kind.SCRATCH, ray(degrees))
    again.line(Kind.SCRATCH, turned_points(ray(degrees), turn))
    kinds = turned(drawn.kinds, turn).astype(int)
    both = (kinds == Kind.SCRATCH) & (again.kinds == Kind.SCRATCH)
    # A line through the corner of a cell may be drawn a pixel beside it.
    assert both.sum() >= max((kinds > 0).sum(), (again.kinds > 0).sum()) - 3
    found = turned_directions(drawn.directions, turn)
    assert found.dtype == drawn.directions.dtype
    assert shift_of(found[both].astype(int) - again.directions[both], 0.0).max() <= 2.0


def test_a_line_outside_crosses_no_cell() -> None:
    kinds = KindMap(SIDE)
    kinds.line(Kind.SCRATCH, ray(20.0) + 1000.0)
    assert not kinds.kinds.any()
    assert not crossed_cells([], SIDE).any()
