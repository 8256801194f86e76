"""What models and the line bank make of labelled frames, frame by frame and in figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from quick_bank import window_bank_scores

from darkscan.inference.scoring import ModelScorer
from darkscan.network.classical.marked_windows import WindowLabels
from darkscan.network.evaluation.beyond_windows import Views, score_views
from darkscan.network.evaluation.frame_figures import (
    MapTotals,
    Marked,
    WindowFigures,
    count_marked,
    joined,
    window_figures,
)
from darkscan.network.evaluation.labelled_frames import LabelledFrame
from darkscan.network.evaluation.lines_in_maps import DrawnFindings, MapFindings, find_in_map
from darkscan.pipeline.core.arrays import Float64Array, Mask
from darkscan.runs.in_process import LoneFrame, examining, inspect_traced


@dataclass(frozen=True, eq=False)
class FrameSet:
    """Frames, raw or flat-fielded, and the labels of their windows."""

    treatment: str
    frames: Sequence[LabelledFrame]
    labels: Sequence[WindowLabels]


@dataclass(frozen=True, eq=False)
class ByModel:
    """What a model makes of each frame of a set."""

    model: str
    of: FrameSet
    threshold: float
    views: Sequence[Views]
    found: Sequence[MapFindings]

    def windows(self) -> tuple[WindowFigures, WindowFigures]:
        """Figures with and without what windows learn of their neighbours."""
        labels = joined(self.of.labels)
        ways = ([v.with_neighbours for v in self.views], [v.in_frame for v in self.views])
        with_, without = (window_figures(np.concatenate(w), labels, self.threshold) for w in ways)
        return with_, without

    def maps(self) -> MapTotals:
        """Scratches found and false ones in the maps of all frames."""
        return MapTotals.of(self.found)

    def beyond(self) -> dict[str, Marked]:
        """Negative windows marked, all of them and those beside the step."""
        negative = [~labels.touched for labels in self.of.labels]
        beside = [some & view.beside for some, view in zip(negative, self.views, strict=True)]
        return {
            "all": count_marked(self.views, negative, self.threshold),
            "beside the step": count_marked(self.views, beside, self.threshold),
        }

    def missed(self) -> list[str]:
        """The drawn lines that the maps lack: frame, kind and ends."""
        return self._drawn(lambda found: ~found.found)

    def in_parts(self) -> list[str]:
        """The drawn lines that the maps show, but not as exactly one line."""
        return self._drawn(lambda found: found.found & (found.split | ~found.once))

    def _drawn(self, which: Callable[[DrawnFindings], Mask]) -> list[str]:
        return [
            f"{frame.name} {kind} {_ends(line)}"
            for frame, found in zip(self.of.frames, self.found, strict=True)
            for kind in ("clear", "faint")
            for line, chosen in zip(
                getattr(frame.lines, kind), which(getattr(found, kind)), strict=True
            )
            if chosen
        ]


class ByBank(NamedTuple):
    """The line bank's scores of each frame's windows."""

    of: FrameSet
    scores: Sequence[Float64Array]

    def windows(self) -> WindowFigures:
        """How well it ranks them."""
        return window_figures(np.concatenate(self.scores), joined(self.of.labels), None)


@dataclass(frozen=True, eq=False)
class Results:
    """All that was measured."""

    models: Sequence[ByModel]
    banks: Sequence[ByBank]


def by_model(
    name: str, scorer: ModelScorer, of: FrameSet, step: int | None, advance: Callable[[], None]
) -> ByModel:
    """Scores the windows of each frame in every way, and maps it; see ``score_views``."""
    views, found = [], []
    for frame in of.frames:
        views.append(score_views(scorer, frame, step))
        source = LoneFrame(*frame.grey, frame.name)
        defect_map = inspect_traced(source, examining(scorer), scorer.info, lambda _: None)
        found.append(find_in_map(frame.lines, defect_map))
        advance()
    return ByModel(name, of, scorer.info.threshold, views, found)


def by_bank(of: FrameSet, advance: Callable[[], None]) -> ByBank:
    """Has the line bank score each window alone."""
    scores = []
    for frame in of.frames:
        scores.append(window_bank_scores(frame.grey, frame.origins))
        advance()
    return ByBank(of, scores)


def _ends(line: Float64Array) -> str:
    """The pixels at which a line begins and ends."""
    (x, y), (far_x, far_y) = (line[[0, -1]] - 0.5).round().astype(int).tolist()
    return f"from ({x}, {y}) to ({far_x}, {far_y})"
