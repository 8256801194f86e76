"""Light from beyond a window: its score in the whole frame against its score without the rest.

A dense model sees past a window's border by design. What it sees there must not make a window
positive that holds no part of a scratch, such as the step between two readout taps.
"""

from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from darkscan.inference.backend import Seen
from darkscan.inference.neighbour_scores import scores_with_neighbours
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.network.evaluation.labelled_frames import LabelledFrame
from darkscan.pipeline.core.arrays import Float32Array, Mask, Pixels


class AloneScorer(Protocol):
    """Whatever scores the windows of a frame, each without its neighbours' help."""

    def alone(self, pixels: Pixels, origins: npt.NDArray[np.int32], full_scale: float) -> Seen:
        """Scores and lines of windows (N, 2) of a frame (H, W)."""


@dataclass(frozen=True, eq=False)
class Views:
    """Scores (N,) of a frame's windows, seen with more or less around them.

    ``with_neighbours``: in the frame, raised by what overlapping windows saw, as in a scan.
    ``in_frame``: in the frame, without that. ``cut_out``: each window is an image of its own.
    ``parted``: in the part of the frame on its side of the step; NaN for windows that hold the
    step, and everywhere if there is none.
    """

    with_neighbours: Float32Array
    in_frame: Float32Array
    cut_out: Float32Array
    parted: Float32Array

    @property
    def beside(self) -> Mask:
        """(N,) whether a window lies on one side of the step."""
        return ~np.isnan(self.parted)


def score_views(scorer: AloneScorer, frame: LabelledFrame, step: int | None) -> Views:
    """Scores a frame's windows in every way.

    ``step``: the column from which on the sensor's second tap reads, None if it has one tap.
    """
    levels, full_scale = frame.grey
    seen = scorer.alone(levels, frame.origins, full_scale)
    corner = np.zeros((1, 2), np.int32)
    cut = [
        scorer.alone(_part(levels, y, x, WINDOW_PX), corner, full_scale).scores
        for y, x in frame.origins.tolist()
    ]
    return Views(
        with_neighbours=scores_with_neighbours(seen, frame.origins, WINDOW_PX),
        in_frame=seen.scores,
        cut_out=np.concatenate(cut),
        parted=_parted(scorer, frame, step),
    )


def _parted(scorer: AloneScorer, frame: LabelledFrame, step: int | None) -> Float32Array:
    scores = np.full(len(frame.origins), np.nan, np.float32)
    if step is None:
        return scores
    levels, full_scale = frame.grey
    left = frame.origins[:, 1]
    for first, last, own in (
        (0, step, left + WINDOW_PX <= step),
        (step, levels.shape[1], left >= step),
    ):
        if own.any():
            part = cast("Pixels", np.ascontiguousarray(levels[:, first:last]))
            origins = frame.origins[own] - np.array([0, first], np.int32)
            scores[own] = scorer.alone(part, origins, full_scale).scores
    return scores


def _part(levels: Pixels, y: int, x: int, side: int) -> Pixels:
    return cast("Pixels", np.ascontiguousarray(levels[y : y + side, x : x + side]))
