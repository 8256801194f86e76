import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkscan.network.evaluation._thresholds import Rule, parse_rule
from darkscan.network.metrics import figures, threshold_for_f1
from darkscan.pipeline.core.errors import InputError
from tests.evaluation.fakes import scored


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 1)), min_size=1, max_size=30))
def test_no_other_threshold_gives_a_higher_f1(rows: list[tuple[int, int]]) -> None:
    scores, labels = [score / 6 for score, _ in rows], [1, *(label for _, label in rows[1:])]
    windows = scored(scores, labels)
    threshold = threshold_for_f1(windows.scores, windows.labels)
    reached = figures(windows.scores, windows.labels, threshold).f1
    others = [figures(windows.scores, windows.labels, float(t)).f1 for t in np.unique(scores)]
    assert reached == pytest.approx(max(others))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("max-f1", Rule("max-f1")),
        ("precision=0.98", Rule("precision", 0.98)),
        ("fpr=2e-3", Rule("fpr", 0.002)),
        ("0.5", Rule("fixed", 0.5)),
        ("model", Rule("model", 0.97)),
    ],
)
def test_rules_as_they_are_typed(text: str, rule: Rule) -> None:
    assert parse_rule(text, 0.97) == rule


@pytest.mark.parametrize("text", ["", "f1", "precision=2", "fpr=-1", "1.5", "1e", "precision="])
def test_refuses_what_is_no_rule(text: str) -> None:
    with pytest.raises(InputError, match="--threshold"):
        parse_rule(text, None)


def test_a_checkpoint_has_no_threshold_of_its_own() -> None:
    with pytest.raises(InputError, match="of their own"):
        parse_rule("model", None)


def test_rules_keep_what_they_promise_on_validation() -> None:
    windows = scored([0.9, 0.8, 0.7, 0.6, 0.5, 0.4], [1, 1, 0, 1, 0, 0])
    assert Rule("precision", 1.0).choose(windows) == 0.8
    assert Rule("precision", 0.75).choose(windows) == 0.6
    assert 0.7 < Rule("fpr", 0.0).choose(windows) <= 0.8
    assert Rule("fixed", 0.3).choose(windows) == 0.3
