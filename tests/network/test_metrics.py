import math

import numpy as np
import pytest

from darkscan.network.metrics import (
    area_under_curve,
    chance_area,
    cross_entropy,
    figures,
    precision_and_recall,
    threshold_for_false_positives,
    threshold_for_precision,
)

SCORES = np.array([0.9, 0.8, 0.8, 0.6, 0.4, 0.2])
LABELS = np.array([1, 1, 0, 1, 0, 0])


def test_area_under_curve_is_the_share_of_pairs_in_order() -> None:
    pairs = [
        1.0 if s > b else 0.5 if s == b else 0.0
        for s in SCORES[LABELS == 1]
        for b in SCORES[LABELS == 0]
    ]
    assert area_under_curve(SCORES, LABELS) == pytest.approx(np.mean(pairs))


def test_scores_without_knowledge_seldom_pass_the_area_of_chance() -> None:
    rng = np.random.default_rng(5)
    labels = np.repeat([0, 1], [40, 24])
    areas = [area_under_curve(rng.random(64), labels) for _ in range(1000)]
    assert 0.01 < np.mean(np.array(areas) > chance_area(24, 40)) < 0.04


def test_area_under_curve_needs_both_classes() -> None:
    assert math.isnan(area_under_curve(SCORES, np.zeros(6, int)))


@pytest.mark.parametrize(
    ("threshold", "precision", "recall", "f1", "false_positive_rate"),
    [
        (0.9, 1.0, 1 / 3, 0.5, 0.0),
        (0.8, 2 / 3, 2 / 3, 2 / 3, 1 / 3),
        (0.0, 0.5, 1.0, 2 / 3, 1.0),
        (2.0, 1.0, 0.0, 0.0, 0.0),
    ],
    ids=["the best score only", "a tie of both classes", "everything", "nothing"],
)
def test_figures_count_scores_at_or_above_the_threshold(
    threshold: float, precision: float, recall: float, f1: float, false_positive_rate: float
) -> None:
    found = figures(SCORES, LABELS, threshold)
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(f1)
    assert found.false_positive_rate == pytest.approx(false_positive_rate)


@pytest.mark.parametrize(
    ("precision", "threshold"),
    [(1.0, 0.9), (0.75, 0.6), (0.5, 0.2)],
    ids=["perfect", "past a false one", "everything"],
)
def test_threshold_for_precision_is_the_lowest_that_reaches_it(
    precision: float, threshold: float
) -> None:
    assert threshold_for_precision(SCORES, LABELS, precision) == threshold


def test_threshold_for_precision_is_infinite_if_out_of_reach() -> None:
    assert threshold_for_precision(-SCORES, LABELS, 0.9) == math.inf


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.5, 1.0])
def test_threshold_for_false_positives_keeps_the_rate(rate: float) -> None:
    rng = np.random.default_rng(4)
    scores, labels = rng.random(1000), rng.integers(0, 2, 1000)
    threshold = threshold_for_false_positives(scores, labels, rate)
    assert figures(scores, labels, threshold).false_positive_rate <= rate
    backgrounds = scores[labels == 0]
    lower = backgrounds[backgrounds < threshold].max(initial=-1)
    if lower >= 0:
        assert figures(scores, labels, lower).false_positive_rate > rate


def test_cross_entropy_is_its_definition_and_survives_certainty() -> None:
    logits, labels = np.array([0.3, -2.0, 1.0]), np.array([1, 0, 0])
    scores = 1 / (1 + np.exp(-logits))
    expected = -np.mean(labels * np.log(scores) + (1 - labels) * np.log(1 - scores))
    assert cross_entropy(logits, labels) == pytest.approx(expected)
    assert cross_entropy(np.array([-800.0, 800.0]), np.array([1, 1])) == pytest.approx(400)


def test_the_curve_passes_through_the_figures_of_every_threshold() -> None:
    precision, recall = precision_and_recall(SCORES, LABELS)
    expected = [figures(SCORES, LABELS, one) for one in sorted(set(SCORES), reverse=True)]
    assert precision == pytest.approx([one.precision for one in expected])
    assert recall == pytest.approx([one.recall for one in expected])


def test_the_curve_of_no_scores_is_empty() -> None:
    assert [len(one) for one in precision_and_recall(np.zeros(0), np.zeros(0, int))] == [0, 0]
