"""What a training tells of itself: the log, two plots, and a line at every validation."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

from darkscan.network.batches import Labels
from darkscan.network.training.checkpoint import Row
from darkscan.network.training.plots import draw_log, draw_precision_and_recall
from darkscan.network.training.scoring import Logits
from darkscan.pipeline.storage import write_atomically, write_together

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
        self, history: list[Row], labels: Labels, logits: Logits, seconds_left: float
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
