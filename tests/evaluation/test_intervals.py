import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.network.evaluation._intervals import Bootstrap, Share
from darkscan.network.metrics import Ranking, area_under_curve

LABELLED = st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=2)


@given(LABELLED)
def test_areas_of_weighted_windows_are_those_of_repeated_ones(
    rows: list[tuple[int, bool, int]],
) -> None:
    scores = np.array([row[0] for row in rows], np.float64)
    labels = np.array([row[1] for row in rows])
    times = np.array([row[2] for row in rows])
    ranking = Ranking.of(scores, labels)
    weights = times[None].astype(np.float64)
    repeated, truth = np.repeat(scores, times), np.repeat(labels, times)

    expected = area_under_curve(repeated, truth) if len(repeated) else np.nan
    np.testing.assert_allclose(ranking.area_under_curve(weights)[0], expected)
    np.testing.assert_allclose(
        ranking.average_precision(weights)[0], slow_average_precision(repeated, truth)
    )


def slow_average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    if not labels.any():
        return float("nan")
    total, before = 0.0, 0.0
    for threshold in np.unique(scores)[::-1]:
        called = scores >= threshold
        recall = (called & labels).sum() / labels.sum()
        total += (recall - before) * (called & labels).sum() / called.sum()
        before = recall
    return float(total)


def test_windows_of_one_image_are_drawn_together() -> None:
    # Each image is wholly found or wholly missed: it counts as one observation, not as 50.
    found = np.repeat(np.arange(20) % 2, 50).astype(np.float64)
    images = np.repeat([f"plate-{i}" for i in range(20)], 50)

    def width(source: np.ndarray) -> float:
        bootstrap = Bootstrap(source)
        estimate = bootstrap.estimates(lambda w: {"share": (w @ found) / w.sum(axis=1)})["share"]
        assert estimate.value == 0.5
        assert estimate.low < 0.5 < estimate.high
        return estimate.high - estimate.low

    # 2 * 1.96 * sqrt(0.25 / n), n being 20 images or 1000 windows
    assert width(images) == pytest.approx(0.44, abs=0.05)
    assert width(np.full(1000, "")) == pytest.approx(0.062, abs=0.01)


@pytest.mark.parametrize(
    ("source", "units", "by"),
    [
        pytest.param(["a", "a", "b"], 2, "source image", id="two images"),
        pytest.param(["a", "a", "b", "", ""], 4, "source image", id="some of unknown image"),
        pytest.param(["a", "a", "a"], 3, "window", id="all of one image"),
        pytest.param(["", "", ""], 3, "window", id="images unknown"),
    ],
)
def test_what_is_drawn(source: list[str], units: int, by: str) -> None:
    bootstrap = Bootstrap(np.array(source))
    assert (bootstrap.units, bootstrap.by) == (units, by)


def test_the_same_windows_give_the_same_interval_and_another_seed_another() -> None:
    values = np.random.default_rng(1).random(40)

    def interval(seed: int) -> tuple[float, float]:
        estimates = Bootstrap(np.full(40, ""), seed=seed).estimates(
            lambda w: {"mean": (w @ values) / w.sum(axis=1)}
        )
        return estimates["mean"].low, estimates["mean"].high

    assert interval(1) == interval(1)
    assert interval(1) != interval(2)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (29, 29, 0.8830, 1),
    ],
)
def test_wilson_intervals_are_those_of_the_literature(
    hits: int, count: int, low: float, high: float
) -> None:
    estimate = Share("", hits, count).estimate
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=1e-4)


def test_a_share_of_nothing_is_no_number() -> None:
    assert np.isnan(Share("", 0, 0).estimate.value)
