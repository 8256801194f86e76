"""How far the frames of a scan overlap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.scan import FrameMeta, ScanInfo


@dataclass(frozen=True)
class FrameOverlap:
    """The least overlap between neighbours, pixels; below zero it is a gap.

    None where there is no pair of neighbours.
    """

    within_strips_px: float | None
    between_strips_px: float | None


def frame_overlap(info: ScanInfo, frames: Sequence[FrameMeta]) -> FrameOverlap:
    """Measures by the frames' places how far neighbours overlap.

    Neighbours within a strip are frames that follow each other in ``frames``;
    neighbouring strips are compared where they lie on the average.
    """
    to_pixels = np.linalg.inv(info.pixel_to_stage.matrix)
    places = np.array([meta.position_mm[:2] for meta in frames]) @ to_pixels.T
    strips = np.array([meta.strip for meta in frames])
    steps = np.diff(places, axis=0)[np.diff(strips) == 0]
    means = np.array([places[strips == strip].mean(axis=0) for strip in np.unique(strips)])
    along = _main_axis(steps) if len(steps) else 1 - _main_axis(np.diff(means, axis=0))
    across = 1 - along
    size = info.frame_shape[::-1]
    return FrameOverlap(
        within_strips_px=_least(size[along], steps[:, along]),
        between_strips_px=_least(size[across], np.diff(means[:, across])),
    )


def _main_axis(steps: npt.NDArray[np.float64]) -> int:
    return int(np.abs(steps).sum(axis=0).argmax())


def _least(size: int, steps: npt.NDArray[np.float64]) -> float | None:
    return float(size - np.abs(steps).max()) if len(steps) else None
