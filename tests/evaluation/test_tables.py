import json
from typing import Any

import pytest

from darkscan.network.evaluation import Evaluation, Rule, Terms, evaluate
from darkscan.network.evaluation.report import DataSummary
from darkscan.network.evaluation.tables import (
    TABLES,
    TableNumber,
    lay_out,
    order,
    to_json,
    to_markdown,
)
from darkscan.pipeline.core.errors import InputError
from tests.evaluation.fakes import scored

DATA = DataSummary("data.h5", "sha256:f4ce", {"test": (2, 2)})


def evaluated(network: str, found: int, seed: int = 1, **changes: Any) -> Evaluation:
    """An evaluation that finds ``found`` of four scratches."""
    test = scored([0.9] * found + [0.1] * (8 - found), [1] * 4 + [0] * 4)
    about = {
        "network": network, "seed": seed, "steps": 1000, "batch": 32, "samples": 32000,
        "width": 0.25, "parameters": 790_000, "training_data": "sha256:0b",
    }  # fmt: skip
    return evaluate(network, test, None, Terms(Rule("fixed", 0.5)), about=about | changes)


@pytest.mark.parametrize("number", [2, 3])
def test_the_papers_f1_follows_from_its_precision_and_recall(number: TableNumber) -> None:
    for row in TABLES[number]:
        f1 = 2 * row.precision * row.recall / (row.precision + row.recall)
        assert row.f1 == pytest.approx(f1, abs=2e-4)


def test_rows_stand_as_in_the_paper_and_ours_below() -> None:
    rows = lay_out(3, [evaluated("darkscan", 4), evaluated("afn", 3), evaluated("afn", 2, seed=2)])
    assert [row.model for row in rows] == [
        "ResNet18",
        "ResNet18+CA",
        "ResNet18+CA+BA",
        "ResNet18+CA+SA",
        "Our proposed method (ResNet18+CA+SA+BA)",
        "darkscan (past the paper)",
    ]
    assert [len(row.evaluations) for row in rows] == [0, 0, 0, 0, 2, 1]


def test_the_table_says_what_was_trained_and_what_was_not() -> None:
    rows = lay_out(2, [evaluated("attention-56", 3), evaluated("afn", 4, seed=7)])
    text = to_markdown(2, rows, DATA)
    lines = {line.split(" | ")[0].strip("| "): line for line in text.splitlines() if "|" in line}
    assert lines["Attention-56"].startswith("| Attention-56 | 0.8621 | 0.5285 | 0.6552 | 1.0000 [")
    assert "1000 x 32, width 0.25, 0.79 M | 1 |" in lines["Attention-56"]
    assert lines["Our proposed method"].endswith("| 7 |")
    assert "not trained" in lines["Xception + pretraining"]
    assert len({line.count("|") for line in lines.values()}) == 1
    assert "data.h5 (sha256:f4ce): test 2 scratch + 2 background" in text
    content = json.loads(json.dumps(to_json(2, rows, DATA), allow_nan=False))
    assert [row["trained"] for row in content["rows"]] == [True, False, False, False, True]
    assert content["rows"][0]["paper"]["recall"] == 0.5285


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"steps": 700, "steps_planned": 1000}, ""),
        ({"width": 0.5}, "widths, and so their costs, differ"),
        ({"steps": 2000}, "do NOT share one budget"),
        ({"training_data": "sha256:77"}, "do NOT share one budget"),
    ],
    ids=["alike", "its best step", "another width", "longer", "other windows"],
)
def test_rows_that_are_not_alike_are_told(changes: dict[str, Any], said: str) -> None:
    rows = lay_out(3, [evaluated("afn", 3), evaluated("resnet18", 3, **changes)])
    text = to_markdown(3, rows, DATA)
    phrases = ("widths, and so their costs, differ", "do NOT share one budget")
    assert [phrase for phrase in phrases if phrase in text] == [said] * bool(said)


def test_an_order_other_than_the_papers_is_told() -> None:
    paper = lay_out(3, [evaluated("resnet18", 2), evaluated("afn", 4)])
    assert "in the paper's order" in order(paper)
    turned = lay_out(3, [evaluated("resnet18", 4), evaluated("afn", 2)])
    assert "ResNet18 over Our proposed method" in order(turned)
    assert "Too few" in order(lay_out(3, [evaluated("afn", 2)]))


def test_refuses_a_network_of_no_row() -> None:
    with pytest.raises(InputError, match="'xception' is no row of table 3"):
        lay_out(3, [evaluated("xception", 2)])
