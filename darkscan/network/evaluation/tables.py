"""The paper's Tables I, II and III: its figures, and ours beside them.

X. Tao, D. Zhang, A. K. Singh, M. Prasad, C.-T. Lin and D. Xu, "Weak Scratch Detection of
Optical Components Using Attention Fusion Network".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from darkscan.network.evaluation._evaluation import Evaluation, plain
from darkscan.network.evaluation.report import DataSummary, conditions, table
from darkscan.pipeline.core.errors import InputError

TableNumber = Literal[2, 3]


@dataclass(frozen=True)
class PaperRow:
    """A row of a table: the model as the paper names it, and as darkscan does."""

    model: str
    network: str
    precision: float
    recall: float
    f1: float


TITLES: dict[TableNumber, str] = {
    2: "Table II: comparative experiment on the test data set",
    3: "Table III: ablation experiments on the test data set",
}

TABLES: dict[TableNumber, tuple[PaperRow, ...]] = {
    2: (
        PaperRow("Attention-56", "attention-56", 0.8621, 0.5285, 0.6552),
        PaperRow("Attention-92", "attention-92", 0.9821, 0.5106, 0.6719),
        PaperRow("Xception + pretraining", "xception", 0.9952, 0.5557, 0.7132),
        PaperRow("InceptionV3 + pretraining", "inception-v3", 0.9573, 0.7440, 0.8373),
        PaperRow("Our proposed method", "afn", 0.9901, 0.7958, 0.8824),
    ),
    3: (
        PaperRow("ResNet18", "resnet18", 0.9943, 0.6936, 0.8172),
        PaperRow("ResNet18+CA", "resnet18+ca", 0.9962, 0.6950, 0.8187),
        PaperRow("ResNet18+CA+BA", "resnet18+ca+ba", 0.9927, 0.7202, 0.8347),
        PaperRow("ResNet18+CA+SA", "resnet18+ca+sa", 0.9881, 0.7692, 0.8650),
        PaperRow("Our proposed method (ResNet18+CA+SA+BA)", "afn", 0.9901, 0.7958, 0.8824),
    ),
}

WINDOWS = {  # Table I: scratch and background windows of each split
    "train": (16800, 14120),
    "validation": (582, 414),
    "test": (754, 707),
}
SAMPLES = 40 * (16800 + 14120)
"""The paper's budget: 40 passes over its training windows, batches of 32, width 1."""


OURS = "darkscan"
"""The network past the paper: a row of its own below the paper's."""

_HEADINGS = (
    "model", "paper P", "paper R", "paper F1", "P", "R", "F1", "AUC", "budget", "seed"
)  # fmt: skip
_NOT_TRAINED = "not trained"


@dataclass(frozen=True)
class Row:
    """A row of the paper, or ours past it, with what was trained for it."""

    model: str
    network: str
    paper: PaperRow | None
    evaluations: tuple[Evaluation, ...]


def require_row(number: TableNumber, network: str) -> None:
    """Raises InputError unless the network stands in a row of the table, or is ours."""
    known = [row.network for row in TABLES[number]] + [OURS]
    if network not in known:
        problem = f"{network!r} is no row of table {number}: {', '.join(known)}"
        raise InputError(problem, field="--checkpoint")


def lay_out(number: TableNumber, evaluations: Sequence[Evaluation]) -> tuple[Row, ...]:
    """The paper's rows in its order, then ours past it if there is one.

    Several evaluations of one network, of different seeds, share a row. Evaluations
    belong to rows by ``about["network"]``. Raises InputError for a network that is in
    no row.
    """
    by_network: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        network = str(evaluation.about.get("network", ""))
        require_row(number, network)
        by_network.setdefault(network, []).append(evaluation)
    rows = [
        Row(paper.model, paper.network, paper, tuple(by_network.get(paper.network, ())))
        for paper in TABLES[number]
    ]
    if OURS in by_network:
        rows.append(Row("darkscan (past the paper)", OURS, None, tuple(by_network[OURS])))
    return tuple(rows)


def to_markdown(number: TableNumber, rows: Sequence[Row], data: DataSummary) -> str:
    """The table, what it was measured on, and where its order differs from the paper's."""
    trained = [evaluation for row in rows for evaluation in row.evaluations]
    lines = [f"# {TITLES[number]}", "", f"Data: {data}.", "", *conditions(trained), ""]
    lines += table(_HEADINGS, (line for row in rows for line in _lines(row)))
    lines += [
        "",
        (
            "P, R, F1: precision, recall and F1 [95 % interval]. Budget: training windows seen "
            f"(steps x batch), width, parameters. The paper's budget is {SAMPLES} windows at "
            "width 1, on its own real images: its figures and ours are not of the same data. "
            "None of ours starts from weights pre-trained on other images."
        ),
        "",
        *_trained_on(trained),
        order(rows),
    ]
    return "\n".join(lines) + "\n"


def to_json(number: TableNumber, rows: Sequence[Row], data: DataSummary) -> dict[str, Any]:
    """The same for programs; a row's evaluations without their curves."""
    content: dict[str, Any] = plain(
        {"table": number, "title": TITLES[number], "data": data, "rows": rows}
    )
    for row in content["rows"]:
        row["trained"] = bool(row["evaluations"])
        for evaluation in row["evaluations"]:
            del evaluation["curve"]
    return content


def order(rows: Sequence[Row]) -> str:
    """Which pairs of the paper's rows come out the other way round by F1, in a sentence."""
    known = [
        (row.paper, sum(e.headline.f1.value for e in row.evaluations) / len(row.evaluations))
        for row in rows
        if row.paper is not None and row.evaluations
    ]
    pairs = list(combinations(known, 2))
    turned = [
        f"{one.model} over {other.model}" if ours > others else f"{other.model} over {one.model}"
        for (one, ours), (other, others) in pairs
        if (one.f1 - other.f1) * (ours - others) < 0
    ]
    if not pairs:
        return "Too few rows are trained to compare their order with the paper's."
    if not turned:
        return "By F1 the trained rows stand in the paper's order."
    return f"By F1, other than in the paper: {'; '.join(turned)}."


def _lines(row: Row) -> list[tuple[str, ...]]:
    paper = row.paper
    printed = ("-",) * 3
    if paper is not None:
        printed = tuple(f"{value:.4f}" for value in (paper.precision, paper.recall, paper.f1))  # type: ignore[assignment]
    if not row.evaluations:
        return [(row.model, *printed, _NOT_TRAINED, *("",) * 5)]
    return [
        (
            row.model,
            *printed,
            *map(str, (e.headline.precision, e.headline.recall, e.headline.f1)),
            str(e.area_under_curve),
            _budget(e),
            str(e.about.get("seed", "?")),
        )
        for e in row.evaluations
    ]


def _budget(evaluation: Evaluation) -> str:
    about = evaluation.about
    steps, batch = about.get("steps", "?"), about.get("batch", "?")
    width, parameters = about.get("width", "?"), about.get("parameters")
    count = "?" if parameters is None else f"{parameters / 1e6:.2f} M"
    planned = about.get("steps_planned", steps)
    of_planned = "" if steps == planned else f" (step {steps} of {planned})"
    return f"{steps} x {batch}{of_planned}, width {width}, {count}"


def _windows_seen(about: Mapping[str, object]) -> tuple[object, object]:
    return about.get("steps_planned", about.get("steps")), about.get("batch")


def _trained_on(evaluations: Sequence[Evaluation]) -> list[str]:
    hashes = sorted({str(e.about.get("training_data", "unknown")) for e in evaluations})
    # Where the best step of a training is measured, its whole budget was spent.
    budgets = {_windows_seen(e.about) for e in evaluations}
    widths = {e.about.get("width") for e in evaluations}
    lines = [f"Trained on data of hash {', '.join(hashes)}."]
    if len(hashes) > 1 or len(budgets) > 1:
        lines.append("The rows do NOT share one budget and one set of data: see each row.")
    elif len(widths) > 1:
        lines.append("Every row saw as many windows; their widths, and so their costs, differ.")
    return [*lines, ""]
