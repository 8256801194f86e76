"""How well scores tell scratch from background: the figures of a two-class test, in numpy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float64Array

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


def figures(scores: Scores, labels: Labels, threshold: float) -> Figures:
    """Precision, recall, F1 and false positive rate of ``scores >= threshold``.

    A ratio without a denominator is 0, but precision without any positive is 1.
    """
    scratched = np.asarray(labels, dtype=bool)
    called = scores >= threshold
    hits = int((called & scratched).sum())
    false_alarms = int(called.sum()) - hits
    scratches, backgrounds = int(scratched.sum()), int((~scratched).sum())
    return Figures(
        threshold=threshold,
        precision=hits / (hits + false_alarms) if hits + false_alarms else 1.0,
        recall=hits / scratches if scratches else 0.0,
        f1=2 * hits / (hits + false_alarms + scratches) if scratches or false_alarms else 0.0,
        false_positive_rate=false_alarms / backgrounds if backgrounds else 0.0,
    )


@dataclass(frozen=True, eq=False)
class Ranking:
    """Windows ordered by score, highest first; equal scores are one step of a curve."""

    order: npt.NDArray[np.int64]
    """(N,) the windows' numbers, by score."""
    starts: npt.NDArray[np.int64]
    """(steps,) where each step begins in ``order``."""
    labels: Float64Array
    """(N,) 1 for a scratch, else 0, by score."""
    scores: Scores
    """(steps,) the score of each step."""

    @classmethod
    def of(cls, scores: Scores, labels: Labels) -> "Ranking":
        """Ranks (N,) scores with their labels."""
        order = np.argsort(-scores, kind="stable")
        ranked = scores[order]
        begins = np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)]
        starts = np.flatnonzero(begins)
        scratched = np.asarray(labels, dtype=bool)[order]
        return cls(order, starts, scratched.astype(np.float64), ranked[starts])

    def counts(self, weights: Float64Array | None = None) -> tuple[Float64Array, Float64Array]:
        """Scratches and backgrounds at each step, (R, steps) each.

        ``weights`` (R, N) say how often each window counts in each of R draws; without them
        there is one draw, in which each counts once.
        """
        ranked = np.ones((1, len(self.order))) if weights is None else weights[:, self.order]
        positive = ranked * self.labels
        return (
            np.add.reduceat(positive, self.starts, axis=1),
            np.add.reduceat(ranked - positive, self.starts, axis=1),
        )

    def hits_and_calls(self) -> tuple[Float64Array, Float64Array]:
        """Scratches, and windows, at or above the score of each step: (steps,) each."""
        scratches, backgrounds = (side[0] for side in self.counts())
        return np.cumsum(scratches), np.cumsum(scratches + backgrounds)

    def area_under_curve(self, weights: Float64Array | None = None) -> Float64Array:
        """(R,) the chance that a scratch outscores a background window; ties count half.

        NaN where either class is absent.
        """
        scratches, backgrounds = self.counts(weights)
        total = backgrounds.sum(axis=1)
        beaten = total[:, None] - np.cumsum(backgrounds, axis=1) + backgrounds / 2
        return ratio((scratches * beaten).sum(axis=1), scratches.sum(axis=1) * total)

    def average_precision(self, weights: Float64Array | None = None) -> Float64Array:
        """(R,) the sum over steps of precision times the recall gained there."""
        scratches, backgrounds = self.counts(weights)
        hits = np.cumsum(scratches, axis=1)
        precision = ratio(hits, hits + np.cumsum(backgrounds, axis=1))
        gained = (scratches * np.nan_to_num(precision)).sum(axis=1)
        return ratio(gained, scratches.sum(axis=1))


def ratio(above: Float64Array, below: Float64Array) -> Float64Array:
    """``above / below``, NaN where nothing is below."""
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def area_under_curve(scores: Scores, labels: Labels) -> float:
    """The chance that a scratch outscores a background window; ties count half.

    NaN if either class is absent.
    """
    return float(Ranking.of(scores, labels).area_under_curve()[0])


def chance_area(scratches: float, backgrounds: float) -> float:
    """The area under the curve that scores without any knowledge exceed once in 40 times.

    Two standard deviations above one half: Mann and Whitney, "On a test of whether one of
    two random variables is stochastically larger than the other", 1947.
    """
    variance = (scratches + backgrounds + 1) / (12 * scratches * backgrounds)
    return 0.5 + 2 * float(np.sqrt(variance))


def cross_entropy(logits: Scores, labels: Labels) -> float:
    """The mean binary cross entropy of logits (N,), natural logarithm."""
    logits = np.asarray(logits, dtype=np.float64)
    return float((np.logaddexp(0, logits) - logits * labels).mean())


def precision_and_recall(scores: Scores, labels: Labels) -> tuple[Float64Array, Float64Array]:
    """Precision and recall (K,) at each of K different scores as threshold, highest first.

    Empty where there is no score; recall is NaN without a scratch.
    """
    hits, called = Ranking.of(scores, labels).hits_and_calls()
    scratches = hits[-1] if len(hits) and hits[-1] else np.nan
    return hits / called, hits / scratches


def threshold_for_precision(scores: Scores, labels: Labels, precision: float) -> float:
    """The lowest threshold whose precision is at least ``precision``.

    Infinity if no score reaches it.
    """
    ranking = Ranking.of(scores, labels)
    hits, called = ranking.hits_and_calls()
    good = np.flatnonzero(hits / called >= precision)
    return float(ranking.scores[good[-1]]) if len(good) else float("inf")


def threshold_for_f1(scores: Scores, labels: Labels) -> float:
    """The score at which F1 = 2 TP / (2 TP + FP + FN) is highest; of equals the highest."""
    ranking = Ranking.of(scores, labels)
    hits, called = ranking.hits_and_calls()
    return float(ranking.scores[int(np.argmax(2 * hits / (called + hits[-1])))])


def threshold_for_false_positives(scores: Scores, labels: Labels, rate: float) -> float:
    """The lowest threshold that at most ``rate`` of the backgrounds reach.

    The lowest score if there is no background, or if the rate allows them all.
    """
    backgrounds: npt.NDArray[Any] = np.sort(scores[~np.asarray(labels, dtype=bool)])[::-1]
    allowed = int(rate * len(backgrounds))
    if allowed >= len(backgrounds):
        return float(scores.min())
    return float(np.nextafter(backgrounds[allowed], np.inf))
