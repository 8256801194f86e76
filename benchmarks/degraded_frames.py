"""Labelled frames, degraded as a whole and scored as a scan does it, beside the line bank."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from degraded_windows import ENOUGH
from quick_bank import window_bank_scores

from darkscan.inference.scoring import ModelScorer
from darkscan.network.evaluation import degradations as physics
from darkscan.network.evaluation.conditions import FRAME_PITCHES, Condition
from darkscan.network.evaluation.frame_figures import joined, window_figures
from darkscan.network.evaluation.labelled_frames import LabelledFrame, read_frames, without_lines
from darkscan.network.metrics import area_under_curve
from darkscan.pipeline.core.errors import InputError

FRAME_HEADER = "| condition | AUC | line bank | recall | FPR | AUC of frames | false frames |"


@dataclass(frozen=True, eq=False)
class FrameSubject:
    """Frames, and the same with their lines taken out."""

    name: str
    frames: Sequence[LabelledFrame]
    blank: Sequence[LabelledFrame]

    @classmethod
    def of(cls, folder: Path) -> "FrameSubject":
        """Reads the frames. Raises InputError, also if they are too small to be reduced."""
        frames = read_frames(folder)
        for frame in frames:
            try:
                _resampled(frame, min(FRAME_PITCHES)).origins  # noqa: B018
            except InputError as error:
                raise InputError(error.problem, file=folder / frame.name) from error
        return cls(f"frames of {folder.name}", frames, without_lines(frames))


class FrameRow(NamedTuple):
    """One condition; NaN where a class is missing."""

    source: str
    condition: str
    positive: int
    negative: int
    model_auc: float
    bank_auc: float
    recall: float
    false_positive_rate: float
    frames: int
    frames_auc: float
    false_frames: float

    @property
    def counts(self) -> str:
        """How many windows there are of which kind, in a sentence."""
        return (
            f"As they are: {self.positive} windows with a scratch, {self.negative} without one, of "
            f"{self.frames} frames. False frames: of these without their lines, the share that has "
            "a window marked; AUC of frames: their highest window against that of the others."
        )

    def below_bank(self) -> bool:
        """Whether the bank's AUC is the higher one."""
        return self.model_auc < self.bank_auc

    def below_enough(self) -> bool:
        """Whether the AUC of windows, or of frames, is below 0.95."""
        return self.model_auc < ENOUGH or self.frames_auc < ENOUGH

    @property
    def line(self) -> str:
        """Of a Markdown table; bold where the model falls short."""
        bold = "**" * (self.below_bank() or self.below_enough())
        areas = [_shown(area, 4) for area in (self.model_auc, self.bank_auc)]
        shares = [_shown(share, 3) for share in (self.recall, self.false_positive_rate)]
        of_frames = [_shown(self.frames_auc, 4), _shown(self.false_frames, 2)]
        cells = [f"{bold}{self.condition}{bold}", *areas, *shares, *of_frames]
        return f"| {' | '.join(cells)} |"


def measure_frames(
    subject: FrameSubject, condition: Condition, model: ModelScorer, seed: int
) -> FrameRow:
    """Scores all windows of the frames, changed, and the highest one of those without lines."""
    rng = np.random.default_rng(seed)
    threshold = model.info.threshold
    labels, by_model, by_bank = [], [], []
    for frame in (_changed(frame, condition, rng) for frame in subject.frames):
        levels, full_scale = frame.grey
        labels.append(frame.lines.labels(frame.origins))
        by_model.append(model.frame(levels, frame.origins, full_scale))
        by_bank.append(window_bank_scores(frame.grey, frame.origins))
    highest = [float(scores.max()) for scores in by_model]
    for frame in (_changed(frame, condition, rng) for frame in subject.blank):
        levels, full_scale = frame.grey
        highest.append(float(model.frame(levels, frame.origins, full_scale).max()))
    found = window_figures(np.concatenate(by_model), joined(labels), threshold)
    beside = window_figures(np.concatenate(by_bank), joined(labels), None)
    negative, count = found.negative, len(subject.frames)
    return FrameRow(
        source=subject.name,
        condition=condition.name,
        positive=found.positive,
        negative=negative,
        model_auc=found.auc,
        bank_auc=beside.auc,
        recall=found.recall,
        false_positive_rate=found.marked_negative / negative if negative else float("nan"),
        frames=count,
        frames_auc=area_under_curve(np.array(highest), np.arange(2 * count) < count),
        false_frames=float((np.array(highest[count:]) >= threshold).mean()),
    )


def _changed(frame: LabelledFrame, condition: Condition, rng: np.random.Generator) -> LabelledFrame:
    scaled = _resampled(frame, condition.pitch)
    return replace(scaled, grey=condition.change(scaled.grey, rng))


def _resampled(frame: LabelledFrame, pitch: float) -> LabelledFrame:
    if pitch == 1:
        return frame
    return replace(
        frame, grey=physics.resampled(frame.grey, pitch), lines=frame.lines.scaled(pitch)
    )


def _shown(figure: float, decimals: int) -> str:
    return "-" if np.isnan(figure) else f"{figure:.{decimals}f}"
