"""Inspects scans in this process: the defect map of any source of frames, without stages."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
import numpy.typing as npt

from darkscan.centrelines import Windows, trace_frame
from darkscan.inference.neighbour_scores import frame_scores
from darkscan.inference.scoring import ModelScorer
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.defect_map import DefectMap
from darkscan.pipeline.core.frame_results import (
    FrameResult,
    Inspected,
    LedgerSums,
    ModelInfo,
    Traces,
)
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, FrameSource, ScanInfo
from darkscan.pipeline.core.thumbnail import make_thumbnail, thumbnail_scale
from darkscan.stages.merging import build_map

_PICTURE_PX = 256
_BATCH = 64
_PITCH_UM = 10.0

Origins = npt.NDArray[np.int32]
Scores = npt.NDArray[np.float32]

ScoreFrame = Callable[[Pixels, Origins, float], Scores]
"""Scores (N,) of a frame's windows at origins (N, 2), y and x, for a camera's full scale."""

ExamineFrame = Callable[[Pixels, Origins, float], tuple[Scores, Traces]]
"""As ``ScoreFrame``, with what is traced in the frame."""

ScoreWindows = Callable[[Pixels, float], Scores]
"""Scores (n,) of windows (n, side, side) for a camera's full scale."""


def inspect_traced(
    source: FrameSource, examine: ExamineFrame, model: ModelInfo, show: Callable[[int], None]
) -> DefectMap:
    """The defect map of a scan whose frames ``examine`` scores and searches for lines and spots.

    Merging's own code makes the map, from scores and traces as classification gives them where
    ``examine`` is ``examining`` a model file. ``show`` is told how many frames are done.
    """
    scan = source.info
    scale = thumbnail_scale(scan, _PICTURE_PX)
    origins = model.origins(scan.frame_shape)
    pixels: Pixels = np.empty(scan.frame_shape, scan.dtype)
    results = []
    for index, meta in enumerate(source.frames):
        source.read_into(index, pixels)
        scores, traces = examine(pixels, origins, scan.full_scale)
        results.append(
            FrameResult(
                meta=meta,
                origins=origins,
                scores=scores,
                thumbnail=make_thumbnail(pixels, scale),
                traces=traces,
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


def examining(scorer: ModelScorer, model: ModelInfo | None = None) -> ExamineFrame:
    """A model file's scores of a frame's windows and what is traced, as a worker finds them.

    ``model``: thresholds other than the file's own.
    """
    info = model or scorer.info

    def examine(pixels: Pixels, origins: Origins, full_scale: float) -> tuple[Scores, Traces]:
        seen = scorer.alone(pixels, origins, full_scale)
        scores = frame_scores(seen, origins, info)
        positive = scores >= info.grow_threshold
        windows = Windows(origins, info.window, positive, seen.lines, seen.kinds)
        return scores, trace_frame(pixels, full_scale, windows)

    return examine


def tracing(score: ScoreFrame, model: ModelInfo) -> ExamineFrame:
    """Scores of a frame's windows, and the lines that their pixels alone show.

    For what has scores only: no line map says where a line runs, and nothing tells kinds
    of defects apart but the shapes of lines.
    """

    def examine(pixels: Pixels, origins: Origins, full_scale: float) -> tuple[Scores, Traces]:
        scores = score(pixels, origins, full_scale)
        windows = Windows(origins, model.window, scores >= model.grow_threshold)
        return scores, trace_frame(pixels, full_scale, windows)

    return examine


class LoneFrame:
    """One frame (H, W) in memory as the scan of an element of its size, a FrameSource.

    Its first pixel's outer corner is the element's origin; a pixel is 10 um.
    """

    def __init__(self, pixels: Pixels, full_scale: float, name: str) -> None:
        height, width = pixels.shape
        size_mm = (width * _PITCH_UM / 1000, height * _PITCH_UM / 1000)
        self._pixels = pixels
        self.info = ScanInfo(
            element=name,
            element_size_mm=size_mm,
            region_mm=(0.0, 0.0, *size_mm),
            pitch_um=_PITCH_UM,
            pixel_to_stage=PixelToStage.from_pitch(_PITCH_UM),
            frame_shape=(height, width),
            pixel_type="uint8" if pixels.dtype == np.uint8 else "uint16",
            bit_depth=round(full_scale).bit_length(),
            frames_planned=1,
        )
        self.frames: Sequence[FrameMeta] = [
            FrameMeta(frame=0, strip=0, position_mm=(0.0, 0.0, 0.0), exposure_ns=0)
        ]

    def read_into(self, index: int, out: Pixels) -> None:
        """Writes the frame's pixels into ``out`` (H, W)."""
        del index
        out[...] = self._pixels

    def close(self) -> None:
        """Nothing is held open."""


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
