import numpy as np
import pytest

from darkscan.network.classical import Rules, methods
from darkscan.network.classical._weak_scratch import find_segments, groups, inliers, lines_among
from tests.classical.scenes import noise, with_line


def _point(centre: int, left: int, right: int, y: int = 3, x: int = 0) -> np.ndarray:
    levels = np.full((21, 21), 50, dtype=np.uint8)
    levels[10, 10], levels[10 - y, 10 - x], levels[10 + y, 10 + x] = centre, left, right
    for dy, dx in ((3, 0), (2, 2), (0, 3), (2, -2)):
        if (dy, dx) != (y, x):
            levels[10 + dy, 10 + dx] = levels[10 - dy, 10 - dx] = 255
    return levels


@pytest.mark.parametrize(
    ("rules", "levels", "candidate"),
    [
        pytest.param(Rules(), _point(40, 30, 30), True, id="a ridge"),
        pytest.param(Rules(), _point(40, 30, 30, 2, -2), True, id="a ridge along a diagonal"),
        pytest.param(Rules(), _point(30, 20, 20), False, id="rule 1, not above T1"),
        pytest.param(Rules(), _point(40, 35, 32), False, id="rule 2, one side too bright"),
        pytest.param(Rules(), _point(40, 30, 25), False, id="rule 3, sides differ by T3"),
        pytest.param(Rules(), _point(40, 30, 26), True, id="rule 3, sides differ by less"),
        pytest.param(Rules(bright_side=True), _point(60, 40, 38), False, id="rule 4, both dark"),
        pytest.param(Rules(bright_side=True), _point(60, 41, 38), True, id="rule 4, one bright"),
        pytest.param(Rules(t2=12), _point(40, 30, 30), False, id="a stricter T2"),
    ],
)
def test_each_rule_decides_as_written(rules: Rules, levels: np.ndarray, candidate: bool) -> None:
    assert rules.candidates(levels)[10, 10] == candidate


def test_an_adaptive_first_threshold_follows_the_background() -> None:
    frame = with_line(noise(level=8.0), (20, 128), (230, 128), amplitude=15.0)
    fixed, adaptive = Rules().candidates(frame), Rules(adaptive=True).candidates(frame)
    assert not fixed.any()
    assert adaptive[128, 20:230].mean() > 0.9
    again = Rules(adaptive=True).candidates(frame)
    np.testing.assert_array_equal(adaptive, again)


def _row(y: float, *starts: float, length: float = 20.0, angle: float = 0.0) -> np.ndarray:
    step = length * np.array([np.cos(angle), np.sin(angle)])
    return np.array([[x, y, x + step[0], y + step[1]] for x in starts])


@pytest.mark.parametrize(
    ("extra", "members"),
    [
        pytest.param(_row(2.0, 400.0), 6, id="2 px beside"),
        pytest.param(_row(5.0, 400.0), 5, id="5 px beside"),
        pytest.param(_row(0.0, 330.0, angle=np.radians(8)), 6, id="turned by 8 degrees"),
        pytest.param(_row(0.0, 330.0, angle=np.radians(15)), 5, id="turned by 15 degrees"),
        pytest.param(_row(0.0, 500.0), 6, id="behind a gap of 180 px"),
        pytest.param(_row(0.0, 540.0), 5, id="behind a gap of 220 px"),
        pytest.param(_row(0.0, 380.0)[:, [2, 3, 0, 1]], 6, id="drawn from its other end"),
    ],
)
def test_segments_are_grouped_along_the_longest(extra: np.ndarray, members: int) -> None:
    line = np.concatenate([_row(0.0, 0.0, length=60.0), _row(0.0, 100.0, 170.0, 240.0, 300.0)])
    (group,) = groups(np.concatenate([extra, line]))
    assert len(group) == members


def test_groups_of_fewer_than_ten_end_points_are_dropped() -> None:
    assert list(groups(_row(0.0, 0.0, 50.0, 100.0, 150.0))) == []


def test_ransac_keeps_the_line_and_leaves_what_is_off_it() -> None:
    rng = np.random.default_rng(3)
    along = np.linspace(0, 400, 30)
    line = np.stack([along, 0.3 * along + rng.normal(0, 0.5, 30)], axis=1)
    strays = np.stack([rng.uniform(0, 400, 12), rng.uniform(300, 500, 12)], axis=1)
    kept = inliers(np.concatenate([line, strays]), np.random.default_rng(0))
    assert kept[:30].all()
    assert not kept[30:].any()


def test_fewer_than_ten_points_on_a_line_are_none() -> None:
    points = np.random.default_rng(3).uniform(0, 500, (9, 2))
    assert not inliers(points, np.random.default_rng(0)).any()


def test_a_long_broken_line_is_found_and_joined_and_specks_are_not() -> None:
    candidates = np.random.default_rng(2).random((512, 768)) < 0.002
    for start in range(20, 700, 90):
        candidates[250:252, start : start + 60] = True
    lines = lines_among(candidates)
    assert lines[249:253, 60:640].any(axis=0).mean() > 0.8
    assert not lines[:240].any()
    assert not lines[262:].any()


def test_the_same_candidates_give_the_same_lines() -> None:
    frame = noise((512, 512))
    for y in (100, 103, 300):
        frame = with_line(frame, (10, y), (500, y + 40))
    candidates = Rules().candidates(frame)
    np.testing.assert_array_equal(lines_among(candidates), lines_among(candidates))


def test_no_candidates_give_no_segments() -> None:
    assert find_segments(np.zeros((256, 256), np.bool_)).shape == (0, 4)
    assert not methods()["rules"].mark(np.zeros((256, 256), np.uint8)).any()
