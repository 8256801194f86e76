"""One detector on one split: its figures with intervals, its curves, and where it fails."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from darkscan.network.evaluation._breakdown import (
    CNR_EDGES,
    LENGTH_EDGES_PX,
    SNR_EDGES,
    false_alarms,
    recall_by_band,
    recall_by_kind,
)
from darkscan.network.evaluation._intervals import Bootstrap, Estimate, Share
from darkscan.network.evaluation._thresholds import OPERATING_POINTS, Rule
from darkscan.network.evaluation.windows import Scored
from darkscan.network.metrics import Ranking, ratio
from darkscan.pipeline.core.arrays import Float64Array
from darkscan.pipeline.core.errors import InputError

_CURVE_STEPS = 400


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, how it was chosen, and what it gives on the evaluated split."""

    rule: str
    chosen_on: str | None
    """The split on whose windows the rule was applied; None if it needs none."""

    threshold: float
    precision: Estimate
    recall: Estimate
    f1: Estimate
    false_positive_rate: Estimate


@dataclass(frozen=True)
class Counts:
    """The windows of the evaluated split."""

    scratches: int
    backgrounds: int
    left_out: int
    """Scratched windows under the signal-to-noise limit: in no figure but recall by it."""

    left_out_found: int
    """How many of these the detector found all the same. If there are many, the limit is too
    high."""

    unknown_snr: int
    """Scratched windows whose signal-to-noise nobody knows: they stay in."""

    off_grid: int
    """Windows that no inspection looks at, where windows are scored in their images: in no
    figure."""


@dataclass(frozen=True)
class Curve:
    """Precision over recall, highest threshold first."""

    threshold: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """The figures of one detector on one split."""

    name: str
    about: Mapping[str, Any]
    """Where it comes from: file, network, width, seed, budget..."""

    split: str
    counts: Counts
    snr_limit: float | None
    resampled_by: str
    units: int
    """How many images, or windows, were drawn anew."""

    headline: OperatingPoint
    others: tuple[OperatingPoint, ...]
    area_under_curve: Estimate
    average_precision: Estimate
    by_kind: tuple[Share, ...]
    by_cnr: tuple[Share, ...]
    by_length_px: tuple[Share, ...]
    by_snr: tuple[Share, ...]
    """Recall by signal-to-noise of all scratched windows, those under the limit included."""

    false_alarms: tuple[Share, ...]
    curve: Curve = field(repr=False)


@dataclass(frozen=True)
class Terms:
    """The terms on which all detectors of a report are measured."""

    rule: Rule
    """How the threshold is found."""

    split: str = "test"
    """The name of the split that is measured."""

    snr_limit: float | None = None
    """Scratched windows of less matched-filter signal-to-noise are left out: they count
    neither as missed nor as background."""


def evaluate(
    name: str,
    test: Scored,
    validation: Scored | None,
    terms: Terms,
    *,
    about: Mapping[str, Any] | None = None,
    off_grid: int = 0,
) -> Evaluation:
    """Chooses the threshold on ``validation`` and measures it on ``test``.

    ``name`` and ``about`` describe the detector. ``off_grid`` windows of the split are not
    in ``test``; the evaluation only mentions them. Raises InputError if no scratch is left,
    or the rule cannot be met.
    """
    rule, split, snr_limit = terms.rule, terms.split, terms.snr_limit
    outside = test.below(snr_limit)
    seen = test.of(~outside)
    if not seen.labels.any():
        problem = f"no scratched window of {split} reaches {snr_limit:g}"
        raise InputError(problem, field="--snr-limit")
    usable = None if validation is None else validation.of(~validation.below(snr_limit))
    if usable is not None and not usable.labels.any():
        problem = f"no scratched window of validation reaches {snr_limit:g}"
        raise InputError(problem, field="--snr-limit")
    rules = (rule, *(other for other in OPERATING_POINTS if other != rule))
    chosen = {r: r.choose(usable) for r in rules if usable is not None} or {rule: rule.level}
    if rule.needs_validation and not math.isfinite(chosen[rule]):
        raise InputError(f"no threshold on validation gives {rule}", field="--threshold")
    bootstrap = Bootstrap(seen.source)
    ranking = Ranking.of(seen.scores, seen.labels)
    areas = bootstrap.estimates(
        lambda weights: {
            "area_under_curve": ranking.area_under_curve(weights),
            "average_precision": ranking.average_precision(weights),
        }
    )
    headline, *others = (
        _operating_point(r, seen, threshold, bootstrap)
        for r, threshold in chosen.items()
        if math.isfinite(threshold)
    )
    at = headline.threshold
    return Evaluation(
        name=name,
        about=dict(about or {}),
        split=split,
        counts=Counts(
            scratches=int(seen.labels.sum()),
            backgrounds=int((~seen.labels).sum()),
            left_out=int(outside.sum()),
            left_out_found=int((test.scores[outside] >= at).sum()),
            unknown_snr=int((seen.labels & np.isnan(seen.snr)).sum()),
            off_grid=off_grid,
        ),
        snr_limit=snr_limit,
        resampled_by=bootstrap.by,
        units=bootstrap.units,
        headline=headline,
        others=tuple(others),
        by_kind=recall_by_kind(seen, at),
        by_cnr=recall_by_band(seen, at, seen.cnr, CNR_EDGES),
        by_length_px=recall_by_band(seen, at, seen.length_px, LENGTH_EDGES_PX),
        by_snr=recall_by_band(test, at, test.snr, SNR_EDGES),
        false_alarms=false_alarms(seen, at),
        curve=_curve(ranking),
        **areas,
    )


def _operating_point(
    rule: Rule, scored: Scored, threshold: float, bootstrap: Bootstrap
) -> OperatingPoint:
    called, labels = scored.scores >= threshold, scored.labels
    outcomes = np.stack(
        [called & labels, called & ~labels, ~called & labels, ~called & ~labels], axis=1
    )

    def figures(weights: Float64Array) -> dict[str, Float64Array]:
        hits, false, missed, clean = (weights @ outcomes.astype(np.float64)).T
        # As network.metrics has it: without any positive, precision is 1.
        precision = ratio(hits, hits + false)
        precision[(hits + false) == 0] = 1.0
        return {
            "precision": precision,
            "recall": ratio(hits, hits + missed),
            "f1": ratio(2 * hits, 2 * hits + false + missed),
            "false_positive_rate": ratio(false, false + clean),
        }

    found = bootstrap.estimates(figures)
    hits, false, missed, clean = outcomes.sum(axis=0).tolist()
    for name, part, whole in (
        ("precision", hits, hits + false),
        ("recall", hits, hits + missed),
        ("false_positive_rate", false, false + clean),
    ):
        if whole and part in {0, whole}:
            # All draws of equal outcomes are equal: the bootstrap would claim to be certain.
            found[name] = Share(name, part, whole).estimate
    return OperatingPoint(
        rule=str(rule),
        chosen_on="validation" if rule.needs_validation else None,
        threshold=threshold,
        **found,
    )


def _curve(ranking: Ranking) -> Curve:
    hits, called = ranking.hits_and_calls()
    precision, recall = hits / called, hits / hits[-1]
    # Steps are kept evenly by recall: the file of a large split would else be too long.
    wanted = np.searchsorted(recall, np.linspace(0, 1, _CURVE_STEPS))
    kept = np.unique(np.append(np.minimum(wanted, len(recall) - 1), len(recall) - 1))
    return Curve(
        tuple(ranking.scores[kept].tolist()),
        tuple(precision[kept].tolist()),
        tuple(recall[kept].tolist()),
    )


def plain(value: Any) -> Any:
    """Nested records in JSON's types; NaN and infinity become null.

    A Share becomes its name, hits, count and the share with its interval.
    """
    if isinstance(value, Share):
        return {**vars(value), "share": plain(value.estimate)}
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
