"""Inspects scans in this process: the defect map of any source of frames, without stages."""

from collections.abc import Callable
from typing import cast

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.frame_results import FrameResult, Inspected, LedgerSums, ModelInfo
from darkscan.pipeline.core.scan import FrameSource
from darkscan.pipeline.core.thumbnail import make_thumbnail, thumbnail_scale
from darkscan.simulation.element import (
    ElementTruth,
    SimulatedScan,
    simulate_element,
    size_of_patch,
)
from darkscan.stages.merging import build_map

FRAMES = (2, 2)
"""Columns and rows of frames that a simulated element takes."""

_FIRST_SEED = 700_001  # apart from the seeds that people and trainings use
_PRESET = "optic"
_PICTURE_PX = 256
_BATCH = 64

Origins = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]

ScoreFrame = Callable[[Pixels, Origins, float], Scores]
"""Scores (N,) of a frame's windows at origins (N, 2), y and x, for a camera's full scale."""

ScoreWindows = Callable[[Pixels, float], Scores]
"""Scores (n,) of windows (n, side, side) for a camera's full scale."""


def inspect_elements(
    count: int, score: ScoreFrame, model: ModelInfo, show: Callable[[int, int], None]
) -> list[tuple[ElementTruth, DefectMap]]:
    """The truths of ``count`` simulated elements, always the same ones, and their maps.

    ``show`` is told how many frames are done, and how many there are.
    """
    size, frames = size_of_patch(FRAMES), FRAMES[0] * FRAMES[1]
    pairs = []
    for number in range(count):
        truth = simulate_element(size, _FIRST_SEED + number, _PRESET)
        begun = number * frames

        def one_more(done: int, begun: int = begun) -> None:
            show(begun + done, count * frames)

        pairs.append((truth, inspect(SimulatedScan(truth), score, model, one_more)))
    return pairs


def inspect(
    source: FrameSource, score: ScoreFrame, model: ModelInfo, show: Callable[[int], None]
) -> DefectMap:
    """The defect map of a scan whose windows ``score`` scores.

    Merging's own code makes the map, from scores as classification gives them where ``score``
    is a model file's. Centre lines are left out. ``show`` is told how many frames are done.
    """
    scan = source.info
    scale = thumbnail_scale(scan, _PICTURE_PX)
    origins = model.origins(scan.frame_shape)
    pixels: Pixels = np.empty(scan.frame_shape, scan.dtype)
    results = []
    for index, meta in enumerate(source.frames):
        source.read_into(index, pixels)
        results.append(
            FrameResult(
                meta=meta,
                origins=origins,
                scores=score(pixels, origins, scan.full_scale),
                thumbnail=make_thumbnail(pixels, scale),
            )
        )
        show(index + 1)
    count = len(results)
    return build_map(
        Inspected(
            scan=scan,
            recipe_name="evaluation",
            recipe_hash="",
            model=model,
            results=tuple(results),
            not_inspected=(),
            sums=LedgerSums(captured=count, mapped=count, quarantined=0, lost=0, in_flight=0),
        )
    )


def by_windows(score: ScoreWindows, window: int, batch: int = _BATCH) -> ScoreFrame:
    """Scores frames with what scores single windows of side ``window``, ``batch`` at a time."""

    def score_frame(pixels: Pixels, origins: Origins, full_scale: float) -> Scores:
        side = (window, window)
        windows = cast("Pixels", np.lib.stride_tricks.sliding_window_view(pixels, side))
        parts = [
            score(windows[some[:, 0], some[:, 1]], full_scale)
            for some in np.array_split(origins, -(-len(origins) // batch))
        ]
        return np.concatenate(parts).astype(np.float32)

    return score_frame
