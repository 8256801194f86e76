"""How well scores tell scratch from background: figures of a two-class test, in numpy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.floating]
Labels = npt.NDArray[np.integer | np.floating | np.bool_]  # 1 scratch, 0 background


@dataclass(frozen=True)
class Figures:
    """The paper's figures at one threshold: positive is a score at or above it."""

    threshold: float
    precision: float
    recall: float
    f1: float
    false_positive_rate: float


def area_under_curve(scores: Scores, labels: Labels) -> float:
    """The chance that a scratch outscores a background window; ties count half.

    NaN if either class is absent.
    """
    positive = np.asarray(labels, dtype=bool)
    scratches, backgrounds = scores[positive], np.sort(scores[~positive])
    if not len(scratches) or not len(backgrounds):
        return float("nan")
    below = np.searchsorted(backgrounds, scratches, side="left")
    not_above = np.searchsorted(backgrounds, scratches, side="right")
    return float((below + not_above).mean() / (2 * len(backgrounds)))


def cross_entropy(logits: Scores, labels: Labels) -> float:
    """The mean binary cross entropy of logits (N,), natural logarithm."""
    logits = np.asarray(logits, dtype=np.float64)
    return float((np.logaddexp(0, logits) - logits * labels).mean())


def precision_and_recall(
    scores: Scores, labels: Labels
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Precision and recall (K,) at each of K different scores as threshold, highest first.

    Empty where there is no score; recall is NaN without a scratch.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], np.asarray(labels, dtype=bool)[order]
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)[: len(ranked)]
    hits = np.cumsum(truth)
    precision = hits / np.arange(1, len(truth) + 1)
    scratches = hits[-1] if len(hits) and hits[-1] else np.nan
    return precision[last_of_ties], (hits / scratches)[last_of_ties]


def figures(scores: Scores, labels: Labels, threshold: float) -> Figures:
    """Precision, recall, F1 and false positive rate of ``scores >= threshold``.

    A ratio without a denominator is 0, but precision without any positive is 1.
    """
    truth = np.asarray(labels, dtype=bool)
    called = scores >= threshold
    hits = int((called & truth).sum())
    false_alarms = int(called.sum()) - hits
    scratches, backgrounds = int(truth.sum()), int((~truth).sum())
    return Figures(
        threshold=threshold,
        precision=hits / (hits + false_alarms) if hits + false_alarms else 1.0,
        recall=hits / scratches if scratches else 0.0,
        f1=2 * hits / (hits + false_alarms + scratches) if scratches or false_alarms else 0.0,
        false_positive_rate=false_alarms / backgrounds if backgrounds else 0.0,
    )


def threshold_for_precision(scores: Scores, labels: Labels, precision: float) -> float:
    """The lowest threshold whose precision is at least ``precision``.

    Infinity if no score reaches it.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, truth = scores[order], np.asarray(labels, dtype=bool)[order]
    reached = np.cumsum(truth) / np.arange(1, len(truth) + 1)
    last_of_ties = np.append(ranked[1:] != ranked[:-1], True)
    good = np.flatnonzero(last_of_ties & (reached >= precision))
    return float(ranked[good[-1]]) if len(good) else float("inf")


def threshold_for_false_positives(scores: Scores, labels: Labels, rate: float) -> float:
    """The lowest threshold that at most ``rate`` of the backgrounds reach.

    The lowest score if there is no background, or if the rate allows them all.
    """
    backgrounds = np.sort(scores[~np.asarray(labels, dtype=bool)])[::-1]
    allowed = int(rate * len(backgrounds))
    if allowed >= len(backgrounds):
        return float(scores.min())
    return float(np.nextafter(backgrounds[allowed], np.inf))
