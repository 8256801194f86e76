"""The record of a training: its log, two plots, and a line at every validation."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from darkscan.network.metrics import precision_and_recall
from darkscan.network.pictures import png
from darkscan.network.training._checkpoint import Row
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.files import write_atomically, write_together
from darkscan.pipeline.core.units import duration

_TOLD = ("loss", "validation_loss", "auc", "recall", "precision")
_INCHES = (6.4, 4.8)
_DOTS_PER_INCH = 100
_LOWEST_PRECISION = 0.5


def _ignore_step(_step: int, _loss: float) -> None:
    pass


@dataclass(frozen=True)
class Reporting:
    """How a training tells what it does."""

    line: Callable[[str], None] = print
    """Gets a line at each validation."""
    step: Callable[[int, float], None] = _ignore_step
    """Gets the number of each step, counted from 1, and its loss."""
    plots: bool = True
    """Whether plots are drawn beside the log."""


class Journal:
    """Keeps ``log.csv``, ``log.png`` and ``pr.png`` of a training's folder up to date."""

    def __init__(self, directory: Path, reporting: Reporting, *, steps: int) -> None:
        self._directory = directory
        self._report = reporting.line
        self._plots = reporting.plots
        self._steps = steps

    def write(
        self, history: list[Row], labels: Float32Array, logits: Float32Array, seconds_left: float
    ) -> None:
        """Files and tells a validation, the last row of ``history``.

        ``labels`` and ``logits`` (N,) are those of the validation windows. Raises
        StorageError if a file cannot be written.
        """
        row = history[-1]
        told = "  ".join(f"{name.replace('_', ' ')} {row[name]:.4g}" for name in _TOLD)
        left = f"{duration(seconds_left)} left"
        self._report(f"step {row['step']}/{self._steps}  {told}  {left}")
        write_atomically(self._directory / "log.csv", _csv(history))
        if not self._plots:
            return
        try:
            files = {
                "log.png": draw_log(history),
                "pr.png": draw_precision_and_recall(logits, labels, row),
            }
        except ModuleNotFoundError as error:
            self._plots = False
            self._report(f"no plots: they need {error.name}: pip install {error.name}")
            return
        write_together(self._directory, files)


def draw_log(history: list[Row]) -> bytes:
    """A PNG by step: losses above, AUC, recall and F1 below. Raises ModuleNotFoundError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    losses, found = figure.subplots(2, sharex=True)
    for axes, names in (
        (losses, ("loss", "validation_loss")),
        (found, ("auc", "recall", "f1")),
    ):
        for name in names:
            rows = [row for row in history if name in row]
            steps = [row["step"] for row in rows]
            axes.plot(steps, [row[name] for row in rows], ".-", label=name.replace("_", " "))
        axes.grid(alpha=0.3)
        axes.legend()
    losses.set_ylabel("cross entropy")
    losses.set_yscale("log")
    found.set_ylabel("on validation windows")
    found.set_xlabel("step")
    return png(figure)


def draw_precision_and_recall(logits: Float32Array, labels: Float32Array, row: Row) -> bytes:
    """A PNG of the curve over all thresholds, with the chosen one. Raises ModuleNotFoundError."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    precision, recall = precision_and_recall(logits, labels)
    axes.step(recall, precision, where="post")
    axes.plot(row["recall"], row["precision"], "o", label=f"logit {row['threshold']:.2f}")
    axes.set(
        xlabel="recall",
        ylabel="precision",
        xlim=(0, 1.01),
        ylim=(min(_LOWEST_PRECISION, float(precision.min())), 1.01),
        title=f"step {row['step']:.0f}: AUC {row['auc']:.4f}",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return png(figure)


def _csv(history: list[Row]) -> bytes:
    # Rows of an older checkpoint may lack a column.
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue().encode()
