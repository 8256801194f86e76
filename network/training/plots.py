"""The course of a training and its latest precision and recall, as PNG (with matplotlib)."""

from darkscan.network.batches import Labels
from darkscan.network.pictures import png
from darkscan.network.training.checkpoint import Row
from darkscan.network.training.scoring import Logits
from darkscan.network.validation import precision_and_recall

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


def draw_precision_and_recall(logits: Logits, labels: Labels, row: Row) -> bytes:
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
