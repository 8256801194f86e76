"""Inspects simulated elements in this process: scores, defect map, comparison's input."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from darkscan.inference.scoring import ModelScorer
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.frame_results import FrameResult, Inspected, LedgerSums, ModelInfo
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.recipe import Inspection
from darkscan.pipeline.core.scan import FrameSource
from darkscan.pipeline.core.thumbnail import make_thumbnail, thumbnail_scale

if TYPE_CHECKING:
    from darkscan.network.evaluation import Scorer
    from darkscan.pipeline.core.defect_map import DefectMap
    from darkscan.simulation.element import ElementTruth

FRAMES = (2, 2)
_FIRST_SEED = 700_001  # apart from the seeds that people and trainings use
_PRESET = "optic"
_PICTURE_PX = 256
_BATCH = 64


def inspect_elements(
    count: int, scorer: "Scorer", model: ModelInfo, show: Callable[[int, int], None]
) -> "list[tuple[ElementTruth, DefectMap]]":
    """The truths of ``count`` simulated elements, always the same ones, and their maps.

    ``show`` is told the frames that are done, and how many there are.
    """
    from darkscan.simulation.element import SimulatedScan, simulate_element, size_of_patch

    size, frames = size_of_patch(FRAMES), FRAMES[0] * FRAMES[1]
    pairs = []
    for number in range(count):
        truth = simulate_element(size, _FIRST_SEED + number, _PRESET)
        begun = number * frames

        def one_more(done: int, begun: int = begun) -> None:
            show(begun + done, count * frames)

        pairs.append((truth, inspect(SimulatedScan(truth), scorer, model, one_more)))
    return pairs


def inspect(
    source: FrameSource, scorer: "Scorer", model: ModelInfo, show: Callable[[int], None]
) -> "DefectMap":
    """The defect map of a scan whose windows ``scorer`` scores.

    The map is made as merging makes it, and a model file's scores are those that
    classification gives, with what neighbours saw; only the processes and the centre lines
    are left out. A checkpoint's windows stand alone.
    """
    from darkscan.stages.merging import build_map

    scan, inspection = source.info, Inspection()
    scale = thumbnail_scale(scan, _PICTURE_PX)
    origins = window_origins(scan.frame_shape, model.window, model.stride)
    pixels: Pixels = np.empty(scan.frame_shape, scan.dtype)
    results = []
    for index, meta in enumerate(source.frames):
        source.read_into(index, pixels)
        results.append(
            FrameResult(
                meta=meta,
                origins=origins,
                scores=_scores(scorer, pixels, origins, model.window, scan.full_scale),
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
            inspection=inspection,
            model=model,
            results=tuple(results),
            not_inspected=(),
            sums=LedgerSums(captured=count, mapped=count, quarantined=0, lost=0, in_flight=0),
        )
    )


def _scores(
    scorer: "Scorer",
    pixels: Pixels,
    origins: npt.NDArray[np.int32],
    window: int,
    full_scale: float,
) -> npt.NDArray[np.float32]:
    if isinstance(scorer, ModelScorer):
        return scorer.frame(pixels, origins, full_scale)
    windows = cast("Pixels", np.lib.stride_tricks.sliding_window_view(pixels, (window, window)))
    parts = [
        scorer(windows[some[:, 0], some[:, 1]], full_scale)
        for some in np.array_split(origins, -(-len(origins) // _BATCH))
    ]
    return np.concatenate(parts).astype(np.float32)
