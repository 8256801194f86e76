"""An evaluation in words, tables and figures: Markdown, plain text, PNG."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from darkscan.network.evaluation._breakdown import SNR_EDGES, band_names
from darkscan.network.evaluation._evaluation import Evaluation, OperatingPoint
from darkscan.network.evaluation._intervals import RESAMPLES, Share
from darkscan.network.evaluation.windows import DataSet
from darkscan.network.pictures import png

if TYPE_CHECKING:
    from matplotlib.figure import Figure
_FEW_IMAGES = 10
_SPLITS = ("train", "validation", "test")
_SIZE_IN = (6.4, 4.8)
_DPI = 130


@dataclass(frozen=True)
class DataSummary:
    """The data set that was evaluated on."""

    file: str
    hash: str
    counts: Mapping[str, tuple[int, int]]
    """Scratch and background windows of each split."""

    @classmethod
    def of(cls, data: DataSet, file: str) -> "DataSummary":
        """Counts the windows of every split that there is."""
        counts = {}
        for name in _SPLITS:
            if name in data.splits:
                labels = data.split(name).labels
                scratches = int((labels > 0).sum())
                counts[name] = (scratches, len(labels) - scratches)
        return cls(file, data.hash, counts)

    def __str__(self) -> str:
        counts = "; ".join(
            f"{name} {scratches} scratch + {backgrounds} background"
            for name, (scratches, backgrounds) in self.counts.items()
        )
        return f"{self.file} ({self.hash}): {counts} windows"


def markdown(
    evaluations: Sequence[Evaluation],
    data: DataSummary,
    pictures: Sequence[str],
    sections: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """The whole report. ``pictures`` are file names beside it.

    ``sections``: lines that end the section of a detector, by its name.
    """
    lines = ["# Evaluation", "", f"Data: {data}.", "", *conditions(evaluations), ""]
    lines += table(
        ("detector", "precision", "recall", "F1", "AUC", "average precision", "threshold"),
        ((e.name, *_point(e.headline), e.area_under_curve, e.average_precision,
          f"{e.headline.threshold:.4f}") for e in evaluations),
    )  # fmt: skip
    lines += [line for name in pictures for line in ("", f"![{name}]({name})")]
    for evaluation in evaluations:
        lines += ["", f"## {evaluation.name}", "", *_about(evaluation.about)]
        lines += table(
            ("threshold chosen for", "threshold", "precision", "recall", "F1", "false positives"),
            ((p.rule, f"{p.threshold:.4f}", *_point(p), p.false_positive_rate)
             for p in (evaluation.headline, *evaluation.others)),
        )  # fmt: skip
        for title, shares in (
            ("recall by kind of scratch", evaluation.by_kind),
            ("recall by contrast to noise", evaluation.by_cnr),
            ("recall by visible length, px", evaluation.by_length_px),
            ("recall by matched-filter signal-to-noise, all windows", evaluation.by_snr),
            ("false alarms by distractor", evaluation.false_alarms),
        ):
            lines += ["", *share_table(title, shares)]
        if sections and evaluation.name in sections:
            lines += ["", *sections[evaluation.name]]
    return "\n".join(lines) + "\n"


def conditions(evaluations: Sequence[Evaluation]) -> list[str]:
    """The conditions of all figures of a report: split, threshold, limit, intervals."""
    first = evaluations[0]
    chosen_on = first.headline.chosen_on
    source = "" if chosen_on is None else f", chosen on {chosen_on}"
    lines = [f"Split: {first.split}. Threshold: {first.headline.rule}{source}."]
    if first.split == chosen_on:
        lines.append("The threshold was chosen on the same windows: the figures flatter.")
    counts = first.counts
    if counts.off_grid:
        on_grid = counts.scratches + counts.backgrounds + counts.left_out
        lines.append(
            f"{on_the_grid(on_grid, on_grid + counts.off_grid)}; the figures are of these."
        )
    if first.snr_limit is not None:
        unknown = (
            f"; where it is unknown, {counts.unknown_snr}, they stay in"
            if counts.unknown_snr
            else ""
        )
        lines.append(
            f"Left out by the stated limit: {counts.left_out} scratched windows of a "
            f"matched-filter signal-to-noise under {first.snr_limit:g}{unknown}. "
            f"They count neither as missed nor as background. Found all the same, by each "
            f"detector: {', '.join(str(e.counts.left_out_found) for e in evaluations)}."
        )
    lines.append(
        f"In the figures: {counts.scratches} scratched and {counts.backgrounds} background "
        f"windows. Intervals: 95 %, {RESAMPLES} resamples by {first.resampled_by} "
        f"({first.units} of them); of shares in the breakdowns, and where all windows or none "
        f"are right, Wilson's."
    )
    if first.resampled_by == "source image" and first.units < _FEW_IMAGES:
        lines.append("So few images say little: other images may lie outside these intervals.")
    return lines


def on_the_grid(some: int, count: int) -> str:
    """How many windows of a split can be scored in their images."""
    return f"{some} of {count} windows lie on the grid of an inspection"


def compact(evaluations: Sequence[Evaluation]) -> str:
    """The headline of each detector, aligned for a terminal."""
    rows: list[tuple[str, ...]] = [("detector", "precision", "recall", "F1", "AUC", "threshold")]
    rows += [
        (e.name, *map(str, _point(e.headline)), str(e.area_under_curve),
         f"{e.headline.threshold:.4f}") for e in evaluations
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    return lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]


def share_table(title: str, shares: Iterable[Share], of: str = "windows") -> list[str]:
    """A Markdown table of shares with their intervals, ``of`` windows or other things."""
    rows = ((share.name, f"{share.hits} of {share.count}", share.estimate) for share in shares)
    return table((title, of, "share [95 %]"), rows)


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


def _point(point: OperatingPoint) -> tuple[object, object, object]:
    return point.precision, point.recall, point.f1


def _about(about: Mapping[str, Any]) -> list[str]:
    known = [f"{name.replace('_', ' ')} {value}" for name, value in about.items() if value]
    return [", ".join(known) + ".", ""] if known else []


def _figure() -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=_SIZE_IN, dpi=_DPI, layout="constrained")
