"""The comparison in figures: a row for each frame and method, as CSV and Markdown."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from darkscan.network.classical._method import Scores
from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.datasets.rule import RIM_PX, VISIBLE_PX
from darkscan.network.metrics import area_under_curve, figures
from darkscan.pipeline.core.arrays import Mask

POOLED = "all frames"

_CSV_FIGURES = ("windows", "scratched", "auc", "precision", "recall", "f1")


@dataclass(frozen=True)
class Scored:
    """A method's scores of the windows of a frame, and the true labels of these."""

    frame: str
    method: str
    threshold: float
    scores: Scores
    labels: WindowLabels


@dataclass(frozen=True)
class RuleFigures:
    """Figures by one rule for scratched windows; NaN where a class is missing."""

    windows: int
    scratched: int
    auc: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Row:
    """A method on a frame, by both rules of WindowLabels."""

    frame: str
    method: str
    threshold: float
    touched: RuleFigures
    visible: RuleFigures


def rows(scored: Sequence[Scored]) -> list[Row]:
    """A row for each entry, and behind them each method's for all its frames together."""
    found = [_row(entry) for entry in scored]
    methods = dict.fromkeys(entry.method for entry in scored)
    if len(scored) > len(methods):  # files of one name in two folders are two frames
        found += [_row(_pooled([e for e in scored if e.method == method])) for method in methods]
    return found


def to_csv(table: Sequence[Row]) -> str:
    """The table as CSV: figures by the rule of any mask pixel, then by that of training."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    rules = [f"{rule}_{name}" for rule in ("touched", "visible") for name in _CSV_FIGURES]
    writer.writerow(["frame", "method", "threshold", *rules])
    for row in table:
        values = [
            getattr(rule, name) for rule in (row.touched, row.visible) for name in _CSV_FIGURES
        ]
        cells = [f"{value:.6g}" if isinstance(value, float) else value for value in values]
        writer.writerow([row.frame, row.method, f"{row.threshold:.6g}", *cells])
    return text.getvalue()


def to_markdown(table: Sequence[Row]) -> str:
    """The table as Markdown, with what its columns mean."""
    figures = ("scratched", "AUC", "precision", "recall", "F1")
    visible = f"{VISIBLE_PX:g} px"
    columns = ["frame", "method", "threshold", *figures, *(f"{f}, {visible}" for f in figures)]
    lines = [
        "Figures of 256x256 windows at stride 128. A window is scratched if the mask has any",
        f"pixel in it; in the columns marked {visible}, if the mask extends over that or more of",
        f"the window less its rim of {RIM_PX:g} px, and windows between the two are not counted.",
        "",
        f"| {' | '.join(columns)} |",
        "|---|---|" + "---:|" * 11,
    ]
    for row in table:
        cells = [_cells(rule) for rule in (row.touched, row.visible)]
        lines.append(
            f"| {_plain(row.frame)} | {_plain(row.method)} | {row.threshold:.4g} "
            f"| {cells[0]} | {cells[1]} |"
        )
    return "\n".join(lines) + "\n"


def _row(entry: Scored) -> Row:
    labels, decided = entry.labels, entry.labels.decided
    return Row(
        frame=entry.frame,
        method=entry.method,
        threshold=entry.threshold,
        touched=_figures(entry.scores, labels.touched, entry.threshold),
        visible=_figures(entry.scores[decided], labels.visible[decided], entry.threshold),
    )


def _figures(scores: Scores, labels: Mask, threshold: float) -> RuleFigures:
    at = figures(scores, labels, threshold)
    scratched = int(labels.sum())
    return RuleFigures(
        windows=len(labels),
        scratched=scratched,
        auc=area_under_curve(scores, labels),
        precision=at.precision if (scores >= threshold).any() else float("nan"),
        recall=at.recall if scratched else float("nan"),
        f1=at.f1 if scratched else float("nan"),
    )


def _pooled(entries: Sequence[Scored]) -> Scored:
    return Scored(
        frame=POOLED,
        method=entries[0].method,
        threshold=entries[0].threshold,
        scores=np.concatenate([entry.scores for entry in entries]),
        labels=WindowLabels(
            touched=np.concatenate([entry.labels.touched for entry in entries]),
            visible=np.concatenate([entry.labels.visible for entry in entries]),
        ),
    )


def _cells(rule: RuleFigures) -> str:
    values = (rule.auc, rule.precision, rule.recall, rule.f1)
    shares = ["-" if np.isnan(value) else f"{value:.3f}" for value in values]
    return " | ".join([f"{rule.scratched} of {rule.windows}", *shares])


def _plain(text: str) -> str:
    return text.replace("|", "\\|")
