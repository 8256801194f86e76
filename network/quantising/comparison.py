"""What eight bits cost: a model's figures before and after, on windows it never saw."""

from dataclasses import dataclass

from darkscan.network.quantising.scoring import open_model, score_windows
from darkscan.network.quantising.windows import StatedWindows, Tick, silent
from darkscan.network.validation import (
    Figures,
    Scores,
    area_under_curve,
    figures,
    threshold_for_false_positives,
)


@dataclass(frozen=True)
class Side:
    """A model on the windows."""

    area_under_curve: float
    kept: Figures
    """At the threshold that the model file states."""
    rechosen: Figures
    """At the lowest threshold with no more false positives than the float model's kept one."""


@dataclass(frozen=True)
class Comparison:
    """A model in float and in eight bits, on the same windows."""

    before: Side
    after: Side
    agreement: float
    """The share of windows on the same side of the kept threshold."""

    @property
    def loss(self) -> float:
        """How much F1 falls at the kept threshold; below 0 if it rises."""
        return self.before.kept.f1 - self.after.kept.f1

    def table(self) -> str:
        """The figures as a Markdown table."""
        lines = [
            "| model | threshold | | AUC | precision | recall | F1 | false positive rate |",
            "|---" * 8 + "|",
        ]
        for choice in ("kept", "rechosen"):
            for name, side in (("float", self.before), ("int8", self.after)):
                f: Figures = getattr(side, choice)
                lines.append(
                    f"| {name} | {choice} | {f.threshold:.4f} | {side.area_under_curve:.4f} "
                    f"| {f.precision:.4f} | {f.recall:.4f} | {f.f1:.4f} "
                    f"| {f.false_positive_rate:.4f} |"
                )
        return "\n".join(lines)


def compare(
    before: bytes,
    after: bytes,
    test: StatedWindows,
    threshold: float,
    *,
    tick: Tick = silent,
    dense: bool = False,
) -> Comparison:
    """Compares two models' contents at a threshold of the score, and at re-chosen ones."""
    judging, scale = test.judging, test.full_scale
    first, second = (
        score_windows(open_model(content), test.windows, scale, tick=tick, dense=dense)[judging]
        for content in (before, after)
    )
    rate = figures(first, test.labels[judging], threshold).false_positive_rate
    return Comparison(
        before=_side(first, test, threshold, rate),
        after=_side(second, test, threshold, rate),
        agreement=float(((first >= threshold) == (second >= threshold)).mean()),
    )


def _side(scores: Scores, test: StatedWindows, threshold: float, rate: float) -> Side:
    labels = test.labels[test.judging]
    rechosen = threshold_for_false_positives(scores, labels, rate)
    return Side(
        area_under_curve=area_under_curve(scores, labels),
        kept=figures(scores, labels, threshold),
        rechosen=figures(scores, labels, rechosen),
    )
