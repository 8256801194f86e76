"""The figures of an evaluation, as PNG: precision over recall, recall over signal-to-noise."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from darkscan.network.evaluation.breakdown import SNR_EDGES, band_names
from darkscan.network.evaluation.evaluation import Evaluation
from darkscan.network.pictures import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIZE_IN = (6.4, 4.8)
_DPI = 130


def precision_recall(evaluations: Sequence[Evaluation]) -> bytes:
    """The curves of all detectors, and where each one's threshold puts it."""
    figure = _figure()
    axes = figure.add_subplot(xlabel="recall", ylabel="precision", xlim=(0, 1.01))
    lowest = 1.0
    for evaluation in evaluations:
        curve, point = evaluation.curve, evaluation.headline
        label = f"{evaluation.name} (AP {evaluation.average_precision.value:.3f})"
        (line,) = axes.plot(curve.recall, curve.precision, label=label)
        axes.plot([point.recall.value], [point.precision.value], "o", color=line.get_color())
        lowest = min(lowest, *curve.precision)
    axes.set_ylim(max(0.0, lowest - 0.05), 1.01)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")
    return png(figure)


def recall_over_snr(evaluations: Sequence[Evaluation]) -> bytes | None:
    """Recall by band of matched-filter signal-to-noise; None where it is nowhere known."""
    names = band_names(SNR_EDGES)
    figure = _figure()
    axes = figure.add_subplot(
        xlabel="matched-filter signal-to-noise of the true trace within the window",
        ylabel="recall",
        ylim=(-0.02, 1.02),
    )
    known = False
    for evaluation in evaluations:
        shares = [share for share in evaluation.by_snr if share.name in names]
        if not shares:
            continue
        known = True
        recall = [share.estimate for share in shares]
        axes.errorbar(
            [names.index(share.name) for share in shares],
            [estimate.value for estimate in recall],
            yerr=(
                [max(0.0, estimate.value - estimate.low) for estimate in recall],
                [max(0.0, estimate.high - estimate.value) for estimate in recall],
            ),
            marker="o",
            capsize=3,
            label=evaluation.name,
        )
    if not known:
        return None
    limit = evaluations[0].snr_limit
    if limit is not None:
        # Bands are drawn at equal steps: the limit stands within its own.
        edges = (0.0, *SNR_EDGES)
        band = sum(edge <= limit for edge in SNR_EDGES)
        high = SNR_EDGES[band] if band < len(SNR_EDGES) else 2 * limit
        place = band - 0.5 + (limit - edges[band]) / (high - edges[band])
        axes.axvline(place, color="grey", linestyle="--", label=f"limit {limit:g}")
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return png(figure)


def _figure() -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
