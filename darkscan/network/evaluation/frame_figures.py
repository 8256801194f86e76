"""The figures of a detector on labelled frames: of its windows, its maps, and light from beyond."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.evaluation.beyond_windows import Views
from darkscan.network.evaluation.lines_in_maps import MapFindings
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
class MapTotals:
    """What the maps of frames show together; see ``MapFindings``."""

    frames: int
    clear_found: int
    clear: int
    faint_found: int
    faint: int
    false_defects: int
    false_centrelines: int
    centrelines: int
    stray_px: float
    """Length of all centre lines that lies away from everything drawn."""

    length_px: float
    defects_without_line: int

    @classmethod
    def of(cls, found: Sequence[MapFindings]) -> "MapTotals":
        """Adds up the findings in the maps of one frame each."""
        return cls(
            frames=len(found),
            clear_found=_sum(each.clear for each in found),
            clear=sum(len(each.clear) for each in found),
            faint_found=_sum(each.faint for each in found),
            faint=sum(len(each.faint) for each in found),
            false_defects=sum(each.false_defects for each in found),
            false_centrelines=_sum(each.false for each in found),
            centrelines=sum(len(each.false) for each in found),
            stray_px=float(sum(each.stray_px.sum() for each in found)),
            length_px=float(sum(each.lengths_px.sum() for each in found)),
            defects_without_line=sum(each.without_line for each in found),
        )

    @property
    def false_in_10_frames(self) -> float:
        """False defects in ten frames."""
        return 10 * self.false_defects / self.frames


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
