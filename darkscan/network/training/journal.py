"""What a training tells of itself: the log, two plots, and a line at every validation."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from darkscan.network.figures import png
from darkscan.network.training.checkpoint import Row
from darkscan.network.validation import precision_and_recall
from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.files import write_atomically, write_together

_INCHES = (6.4, 4.8)
_DOTS_PER_INCH = 100
_LOWEST_PRECISION = 0.5


def draw_log(history: list[Row]) -> bytes:
    """Losses above, AUC, recall and F1 below, by step. Raises ModuleNotFoundError."""
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
    """The curve over all thresholds, with the chosen one. Raises ModuleNotFoundError."""
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


_TOLD = ("loss", "validation_loss", "auc", "recall", "precision")


class Journal:
    """Keeps ``log.csv``, ``log.png`` and ``pr.png`` of a training's folder up to date."""

    def __init__(
        self, directory: Path, report: Callable[[str], None], *, steps: int, plots: bool
    ) -> None:
        self._directory = directory
        self._report = report
        self._steps = steps
        self._plots = plots

    def write(
        self, history: list[Row], labels: Float32Array, logits: Float32Array, seconds_left: float
    ) -> None:
        """Files and tells a validation, the last row of ``history``.

        Raises StorageError if a file cannot be written.
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


def duration(seconds: float) -> str:
    """Like 1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _csv(history: list[Row]) -> bytes:
    # Rows of an older checkpoint may lack a column.
    columns = list(dict.fromkeys(name for row in history for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue().encode()
