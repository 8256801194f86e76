"""Finished scans made by hand: which windows are scratched is chosen, not computed."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from darkscan.pipeline.core.frame_results import (
    KINDS,
    Centrelines,
    FrameResult,
    Inspected,
    LedgerSums,
    LineMeasures,
    ModelInfo,
    NotInspected,
    SpotMeasures,
    Spots,
    Stamp,
)
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.grid import window_origins
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

PITCH_MM = 0.01
FRAME = 2048
STEP = 1792  # a frame less the 128 pixels of overlap, on the window grid
MODEL = ModelInfo(
    name="hand", hash="sha256:0", window=256, stride=128, threshold=0.5, grow_threshold=0.5
)

Scratched = Callable[[int, int, int], float | None]
"""(frame, y, x) of a window's first pixel -> its score, None for background."""


def scan_info(**changes: object) -> ScanInfo:
    """Four frames of 2048 pixels at 10 um, two by two, that cover 38.4 x 38.4 mm exactly."""
    fields: dict[str, object] = {
        "element": "window 7",
        "side": "front",
        "element_size_mm": (38.4, 38.4),
        "region_mm": (0.0, 0.0, 38.4, 38.4),
        "pitch_um": 10.0,
        "pixel_to_stage": PixelToStage.from_pitch(10.0),
        "frame_shape": (FRAME, FRAME),
        "pixel_type": "uint8",
        "bit_depth": 8,
        "frames_planned": 4,
        "rig": "bench",
        "calibration": "grid 3",
    }
    return ScanInfo.model_validate(fields | changes)


def meta(frame: int, x_mm: float, y_mm: float, flags: int = 0) -> FrameMeta:
    return FrameMeta(
        frame=frame, strip=0, position_mm=(x_mm, y_mm, 0.0), exposure_ns=0, flags=flags
    )


def frames_of(columns: int, rows: int, step_px: int = STEP) -> list[FrameMeta]:
    return [
        meta(row * columns + column, column * step_px * PITCH_MM, row * step_px * PITCH_MM)
        for row in range(rows)
        for column in range(columns)
    ]


def result(
    frame: FrameMeta,
    scratched: Collection[tuple[int, int]] | Scratched = (),
    *,
    scan: ScanInfo | None = None,
    stamps: tuple[Stamp, ...] = (),
) -> FrameResult:
    """A frame whose windows at ``scratched`` (y, x) have score 0.9, all others 0.1."""
    shape = (scan or scan_info()).frame_shape
    origins = window_origins(shape, 256, 128)
    scores = np.full(len(origins), 0.1, np.float32)
    for k, (y, x) in enumerate(origins.tolist()):
        if callable(scratched):
            score = scratched(frame.frame, y, x)
            scores[k] = scores[k] if score is None else score
        elif (y, x) in scratched:
            scores[k] = 0.9
    thumbnail = np.full((32, 32), 20 + frame.frame, np.uint8)
    return FrameResult(
        meta=frame, origins=origins, scores=scores, thumbnail=thumbnail, stamps=stamps
    )


def lines_of(
    *lines: Sequence[tuple[float, float]],
    kinds: Sequence[float] = (np.nan,) * KINDS,
    **measures: float,
) -> Centrelines:
    """Lines of a frame through points (x, y) in its pixels, all with the same measures."""
    usual = LineMeasures(
        width=2.5, width_error=0.1, widest=2.5, brightness=0.1, contrast=4.0, saturated=0, bent=0
    )
    return Centrelines(**_shapes(lines, kinds, usual._replace(**measures)))


def spots_of(
    *contours: Sequence[tuple[float, float]],
    kinds: Sequence[float] = (0.0, 0.0, 0.9, 0.0),
    **measures: float,
) -> Spots:
    """Spots of a frame with corners (x, y) in its pixels, all with the same measures."""
    usual = SpotMeasures(brightness=10.0, contrast=20.0, saturated=0.0)
    return Spots(**_shapes(contours, kinds, usual._replace(**measures)))


def _shapes(
    parts: Sequence[Sequence[tuple[float, float]]],
    kinds: Sequence[float],
    measures: LineMeasures | SpotMeasures,
) -> dict[str, Any]:
    """The fields of lines or spots that are all of the same kinds and measures."""
    count = len(parts)
    return {
        "points": np.array([point for part in parts for point in part], np.float32).reshape(-1, 2),
        "counts": np.array([len(part) for part in parts], np.int32),
        "measures": np.array([measures] * count, np.float32).reshape(count, len(measures)),
        "kinds": np.array([kinds] * count, np.float32).reshape(count, KINDS),
    }


def inspected(
    results: Iterable[FrameResult],
    not_inspected: Iterable[NotInspected] = (),
    *,
    scan: ScanInfo | None = None,
) -> Inspected:
    done, missing = tuple(results), tuple(not_inspected)
    kinds = [item.kind for item in missing]
    return Inspected(
        scan=scan or scan_info(),
        recipe_name="default",
        recipe_hash="sha256:1",
        model=MODEL,
        results=done,
        not_inspected=missing,
        sums=LedgerSums(
            captured=len(done) + len(missing),
            mapped=len(done),
            quarantined=kinds.count("quarantined"),
            lost=kinds.count("lost"),
            in_flight=0,
        ),
    )


def lost(frame: FrameMeta, reason: str = "lost: the camera never delivered it") -> NotInspected:
    return NotInspected(meta=frame, kind="lost", reason=reason)


def quarantined(frame: FrameMeta, reason: str = "failed twice: flat") -> NotInspected:
    return NotInspected(meta=frame, kind="quarantined", reason=reason)
