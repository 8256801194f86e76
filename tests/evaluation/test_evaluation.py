import json

import numpy as np
import pytest

from darkscan.network.evaluation import Rule, Terms, evaluate, plain, score_split
from darkscan.network.evaluation._breakdown import false_alarms, recall_by_band, recall_by_kind
from darkscan.network.evaluation.report import (
    DataSummary,
    markdown,
    precision_recall,
    recall_over_snr,
)
from darkscan.pipeline.core.errors import InputError
from tests.evaluation.fakes import FakeData, FakeWindows, by_grey_level, drawn, scored


def test_the_threshold_is_chosen_on_validation_and_not_on_test() -> None:
    validation = scored([0.9, 0.6, 0.5, 0.1], [1, 1, 0, 0])
    # On the test windows 0.35 would give F1 1, on validation 0.6 does.
    test = scored([0.9, 0.4, 0.3, 0.1], [1, 1, 0, 0])
    result = evaluate("x", test, validation, Terms(Rule("max-f1")))
    assert result.headline.threshold == 0.6
    assert result.headline.recall.value == 0.5
    assert result.headline.precision.value == 1.0
    assert result.headline.f1.value == pytest.approx(2 / 3)


def test_scratches_under_the_limit_are_neither_missed_nor_background() -> None:
    test = scored(
        [0.9, 0.8, 0.1, 0.9, 0.7, 0.2],
        [1, 1, 1, 1, 0, 0],
        snr=[10, np.nan, 2, 3, np.nan, np.nan],
    )
    whole = evaluate("x", test, None, Terms(Rule("fixed", 0.5)))
    limited = evaluate("x", test, None, Terms(Rule("fixed", 0.5), snr_limit=5.0))
    assert (whole.counts.scratches, whole.counts.left_out) == (4, 0)
    assert (limited.counts.scratches, limited.counts.backgrounds) == (2, 2)
    assert (limited.counts.left_out, limited.counts.left_out_found) == (2, 1)
    assert limited.counts.unknown_snr == 1
    assert whole.headline.recall.value == 0.75
    assert limited.headline.recall.value == 1.0
    assert limited.headline.precision.value == pytest.approx(2 / 3)
    # The curve over signal-to-noise still shows what was left out.
    assert [(s.name, s.hits, s.count) for s in limited.by_snr] == [
        ("< 5", 1, 2),
        ("8-12", 1, 1),
        ("unknown", 1, 1),
    ]


def test_the_limit_holds_for_validation_too() -> None:
    # The hopeless scratch at 0.1 would pull the threshold of highest F1 down to it.
    validation = scored([0.9, 0.1, 0.05], [1, 1, 0], snr=[9, 1, np.nan])
    test = scored([0.9, 0.5], [1, 0], snr=[9, np.nan])
    with_limit = evaluate("x", test, validation, Terms(Rule("max-f1"), snr_limit=4.0))
    assert with_limit.headline.threshold == 0.9
    assert evaluate("x", test, validation, Terms(Rule("max-f1"))).headline.threshold == 0.1


def test_intervals_hold_their_value() -> None:
    data = FakeData(test=drawn(1), validation=drawn(2))
    test, validation = (score_split(data, name, by_grey_level) for name in data.splits)
    result = evaluate("x", test, validation, Terms(Rule("max-f1")))
    assert result.resampled_by == "source image"
    assert result.units == 8
    for point in (result.headline, *result.others):
        for name in ("precision", "recall", "f1", "false_positive_rate"):
            estimate = getattr(point, name)
            assert estimate.low <= estimate.value <= estimate.high
    area = result.area_under_curve
    assert 0.8 < area.low < area.value < area.high < 1
    assert [point.rule for point in result.others] == [
        "precision >= 0.98",
        "false positive rate <= 0.002",
    ]


def test_no_false_alarm_among_few_windows_is_no_certainty() -> None:
    test = scored([0.9] * 20 + [0.1] * 20, [1] * 20 + [0] * 20)
    point = evaluate("x", test, None, Terms(Rule("fixed", 0.5))).headline
    assert (point.precision.value, point.recall.value) == (1.0, 1.0)
    assert point.precision.low == pytest.approx(0.839, abs=1e-3)
    assert point.false_positive_rate.high == pytest.approx(0.161, abs=1e-3)


def test_recall_by_kind_and_contrast_and_false_alarms_by_distractor() -> None:
    windows = scored(
        [0.9, 0.2, 0.9, 0.9, 0.8, 0.1, 0.2],
        [1, 1, 1, 1, 0, 0, 0],
        kind=["swirl", "swirl", "straight", "", "hair", "hair", "dust"],
        cnr=[2.0, 1.9, 30.0, np.nan, np.nan, np.nan, np.nan],
    )
    by_kind = {s.name: (s.hits, s.count) for s in recall_by_kind(windows, 0.5)}
    assert by_kind == {"unknown": (1, 1), "straight": (1, 1), "swirl": (1, 2)}
    by_cnr = {
        s.name: (s.hits, s.count) for s in recall_by_band(windows, 0.5, windows.cnr, (2.0, 12.0))
    }
    assert by_cnr == {"< 2": (0, 1), "2-12": (1, 1), ">= 12": (1, 1), "unknown": (1, 1)}
    alarms = [(s.name, s.hits, s.count) for s in false_alarms(windows, 0.5)]
    assert alarms == [("hair", 1, 2), ("dust", 0, 1)]


def test_the_report_and_its_figures_are_whole() -> None:
    data = FakeData(test=drawn(1), validation=drawn(2))
    test, validation = (score_split(data, name, by_grey_level) for name in data.splits)
    results = [
        evaluate(name, test, validation, Terms(Rule("max-f1"), snr_limit=4.0))
        for name in ("one", "two")
    ]
    text = json.dumps(plain(results), allow_nan=False)
    assert json.loads(text)[0]["headline"]["recall"]["value"] > 0.5
    pictures = (precision_recall(results), recall_over_snr(results))
    assert all(picture is not None and picture.startswith(b"\x89PNG") for picture in pictures)
    report = markdown(results, DataSummary.of(data, "data.h5"), ["precision-recall.png"])
    assert "sha256:f4ce" in report
    assert "under 4" in report
    assert "8 of them" in report
    assert "So few images" in report
    assert "| curved |" in report


def test_without_known_signal_to_noise_there_is_no_curve_over_it() -> None:
    assert (
        recall_over_snr([evaluate("x", scored([1, 0], [1, 0]), None, Terms(Rule("fixed", 0.5)))])
        is None
    )


@pytest.mark.parametrize(
    ("windows", "problem"),
    [
        pytest.param(FakeWindows([0.1, 0.2], [0, 0]), "no scratch windows", id="no scratch"),
        pytest.param(FakeWindows([0.1, 0.2], [1, 1]), "no background windows", id="no background"),
        pytest.param(FakeWindows([], []), "no scratch windows", id="empty"),
    ],
)
def test_refuses_a_split_without_both_classes(windows: FakeWindows, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        score_split(FakeData(test=windows), "test", by_grey_level)


def test_refuses_a_split_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no such split"):
        score_split(FakeData(), "test", by_grey_level)


def test_refuses_scores_that_are_no_numbers() -> None:
    data = FakeData(test=drawn(1, 4))
    with pytest.raises(InputError, match="gives 4 of 4 windows a score that is no number"):
        score_split(data, "test", lambda windows, _: np.full(len(windows), np.nan))


def test_refuses_a_limit_that_leaves_nothing() -> None:
    test = scored([0.9, 0.1], [1, 0], snr=[3, np.nan])
    with pytest.raises(InputError, match="no scratched window of test reaches 5"):
        evaluate("x", test, None, Terms(Rule("fixed", 0.5), snr_limit=5.0))


def test_refuses_a_precision_that_validation_never_reaches() -> None:
    validation = scored([0.9, 0.5], [0, 1])
    with pytest.raises(InputError, match=r"no threshold on validation gives precision >= 0\.9"):
        evaluate("x", validation, validation, Terms(Rule("precision", 0.9)))
