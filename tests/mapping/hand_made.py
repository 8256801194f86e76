"""Finished scans made by hand: which windows are scratched is chosen, not computed."""

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from darkscan.pipeline.core.arrays import Float32Array
from darkscan.pipeline.core.frame_results import (
    DEFECT_KINDS,
    KINDS,
    Centrelines,
    DefectKind,
    FrameResult,
    Inspected,
    LedgerSums,
    LineMeasures,
    ModelInfo,
    NotInspected,
    SpotMeasures,
    Spots,
    Stamp,
    Traces,
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

LINE = LineMeasures(
    width=2.5,
    width_error=0.2,
    widest=3.0,
    brightness=0.1,
    contrast=4.0,
    saturated=0.0,
    bent=0.0,
)
SPOT = SpotMeasures(brightness=5.0, contrast=20.0, saturated=0.0)

Points = Sequence[tuple[float, float]]
"""Places (x, y) in a frame's pixels."""

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
    lines: Centrelines | None = None,
    spots: Spots | None = None,
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
        meta=frame,
        origins=origins,
        scores=scores,
        thumbnail=thumbnail,
        traces=Traces(lines=lines or Centrelines.none(), spots=spots or Spots.none()),
        stamps=stamps,
    )


def lines_of(
    *lines: Points, kind: DefectKind | None = None, measures: LineMeasures = LINE
) -> Centrelines:
    """Lines through points of a frame; ``kind``: what the model is sure they are, if it tells."""
    return Centrelines(
        points=np.array([point for line in lines for point in line], np.float32).reshape(-1, 2),
        counts=np.array([len(line) for line in lines], np.int32),
        measures=np.tile(np.array(measures, np.float32), (len(lines), 1)),
        kinds=_kinds(len(lines), kind),
    )


def spots_of(
    *middles: tuple[float, float],
    radius: float = 5.0,
    kind: DefectKind = "dig",
    measures: SpotMeasures = SPOT,
) -> Spots:
    """Round spots of a radius (pixels) around places (x, y) of a frame, all of one kind."""
    angles = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
    circle = radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    places = np.array(middles, np.float64).reshape(-1, 1, 2)
    return Spots(
        points=(places + circle).reshape(-1, 2).astype(np.float32),
        counts=np.full(len(middles), len(circle), np.int32),
        measures=np.tile(np.array(measures, np.float32), (len(middles), 1)),
        kinds=_kinds(len(middles), kind),
    )


def _kinds(count: int, kind: DefectKind | None) -> Float32Array:
    """(count, 4) the probabilities of the kinds: 1 for one of them; NaN if none is told."""
    if kind is None:
        return np.full((count, KINDS), np.nan, np.float32)
    return np.tile(np.array([each == kind for each in DEFECT_KINDS], np.float32), (count, 1))


def inspected(
    results: Iterable[FrameResult],
    not_inspected: Iterable[NotInspected] = (),
    *,
    scan: ScanInfo | None = None,
    kinds: bool = False,
) -> Inspected:
    """A finished scan; ``kinds``: whether its model tells kinds of defects."""
    done, missing = tuple(results), tuple(not_inspected)
    ends = [item.kind for item in missing]
    return Inspected(
        scan=scan or scan_info(),
        recipe_name="default",
        recipe_hash="sha256:1",
        model=MODEL.model_copy(update={"kinds": kinds}),
        results=done,
        not_inspected=missing,
        sums=LedgerSums(
            captured=len(done) + len(missing),
            mapped=len(done),
            quarantined=ends.count("quarantined"),
            lost=ends.count("lost"),
            in_flight=0,
        ),
    )


def lost(frame: FrameMeta, reason: str = "lost: the camera never delivered it") -> NotInspected:
    return NotInspected(meta=frame, kind="lost", reason=reason)


def quarantined(frame: FrameMeta, reason: str = "failed twice: flat") -> NotInspected:
    return NotInspected(meta=frame, kind="quarantined", reason=reason)
