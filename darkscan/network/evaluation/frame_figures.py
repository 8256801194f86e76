"""The figures of a detector on labelled frames: of its windows, its maps, and light from beyond."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.evaluation.beyond_windows import Views
from darkscan.network.evaluation.lines_in_maps import DrawnFindings, MapFindings
from darkscan.network.metrics import area_under_curve, figures
from darkscan.pipeline.core.arrays import Mask


@dataclass(frozen=True)
class WindowFigures:
    """How well scores tell windows with a scratch from those without; NaN if a class is absent.

    Precision and recall are at the detector's own threshold, NaN if it has none.
    """

    windows: int
    positive: int
    negative: int
    marked_negative: int
    auc: float
    precision: float
    recall: float


def window_figures(
    scores: npt.NDArray[np.floating], labels: WindowLabels, threshold: float | None
) -> WindowFigures:
    """The figures of windows with ``scores`` (N,); those that judge nothing are left out."""
    judged = labels.decided
    scores, truth = scores[judged], labels.visible[judged]
    precision = recall = float("nan")
    marked_negative = 0
    if threshold is not None:
        at = figures(scores, truth, threshold)
        marked_negative = int((scores[~truth] >= threshold).sum())
        precision = at.precision
        recall = at.recall if truth.any() else recall
    return WindowFigures(
        windows=len(judged),
        positive=int(truth.sum()),
        negative=int((~truth).sum()),
        marked_negative=marked_negative,
        auc=area_under_curve(scores, truth),
        precision=precision,
        recall=recall,
    )


@dataclass(frozen=True)
class DrawnTotals:
    """How many of the lines drawn on frames their maps show; see ``DrawnFindings``."""

    count: int
    found: int
    once: int
    """By exactly one line of the map."""
    split: int
    length_px: float
    traced_px: float
    """Length of them along which lines of the maps lie."""

    @classmethod
    def of(cls, found: Sequence[DrawnFindings]) -> Self:
        """Adds up the findings in the maps of one frame each."""
        return cls(
            count=sum(len(each.traced) for each in found),
            found=_sum(each.found for each in found),
            once=_sum(each.once for each in found),
            split=_sum(each.split for each in found),
            length_px=float(sum(each.lengths_px.sum() for each in found)),
            traced_px=float(sum(each.lengths_px @ each.traced for each in found)),
        )


@dataclass(frozen=True)
class MapTotals:
    """What the maps of frames show together; see ``MapFindings``."""

    frames: int
    clear: DrawnTotals
    faint: DrawnTotals
    merged: int
    scratches: int
    false_scratches: int
    fibres: int
    false_fibres: int
    """Away from all that is drawn: hairs are not drawn."""
    stray_px: float
    """Length of the maps' scratches that lies away from everything drawn."""
    length_px: float
    """Length of the maps' scratches."""
    spots: int
    areas_without_defect: int

    @classmethod
    def of(cls, found: Sequence[MapFindings]) -> Self:
        """Adds up the findings in the maps of one frame each."""
        return cls(
            frames=len(found),
            clear=DrawnTotals.of([each.clear for each in found]),
            faint=DrawnTotals.of([each.faint for each in found]),
            merged=sum(each.merged for each in found),
            scratches=_sum(~each.fibres for each in found),
            false_scratches=_sum(each.false & ~each.fibres for each in found),
            fibres=_sum(each.fibres for each in found),
            false_fibres=_sum(each.false & each.fibres for each in found),
            stray_px=float(sum(each.stray_px[~each.fibres].sum() for each in found)),
            length_px=float(sum(each.lengths_px[~each.fibres].sum() for each in found)),
            spots=sum(each.spots for each in found),
            areas_without_defect=sum(each.areas_without_defect for each in found),
        )

    @property
    def false_in_10_frames(self) -> float:
        """False scratches in ten frames."""
        return 10 * self.false_scratches / self.frames


@dataclass(frozen=True)
class Marked:
    """How many windows are marked, seen with more or less around them; see ``Views``."""

    windows: int
    with_neighbours: int
    in_frame: int
    cut_out: int
    parted: int | None
    """None where windows hold the step."""


def count_marked(views: Sequence[Views], chosen: Sequence[Mask], threshold: float) -> Marked:
    """Counts among the ``chosen`` (N,) windows of each frame those of ``threshold`` or more."""
    marked = {
        name: np.concatenate(
            [getattr(v, name)[some] for v, some in zip(views, chosen, strict=True)]
        )
        for name in ("with_neighbours", "in_frame", "cut_out", "parted")
    }
    counts = {name: int((scores >= threshold).sum()) for name, scores in marked.items()}
    parted = None if np.isnan(marked["parted"]).any() else counts["parted"]
    return Marked(
        windows=len(marked["in_frame"]),
        with_neighbours=counts["with_neighbours"],
        in_frame=counts["in_frame"],
        cut_out=counts["cut_out"],
        parted=parted,
    )


def joined(labels: Sequence[WindowLabels]) -> WindowLabels:
    """The labels of the windows of all frames, frame by frame."""
    return WindowLabels(
        np.concatenate([each.touched for each in labels]),
        np.concatenate([each.visible for each in labels]),
    )


def _sum(masks: Iterable[Mask]) -> int:
    return sum(int(mask.sum()) for mask in masks)
