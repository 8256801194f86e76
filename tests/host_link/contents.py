"""Contents of parcels, as small as they can be."""

import numpy as np

from darkscan.pipeline.host_link.messages import (
    FramesSettled,
    Progress,
    ScanBegan,
    ScanEnded,
    Shapes,
    Tile,
)

SCAN, OTHER_SCAN = "0" * 32, "1" * 32


def began() -> ScanBegan:
    return ScanBegan(
        element="E1",
        side="front",
        element_size_mm=(10.0, 10.0),
        region_mm=(0.0, 0.0, 10.0, 10.0),
        pitch_um=10.0,
        origin="replay",
        began="2026-01-31T12:00:00Z",
        recipe="default",
        recipe_hash="r",
        model="default",
        model_hash="m",
        window=256,
        stride=128,
        threshold=0.5,
        grow_threshold=0.3,
        frames=np.arange(4, dtype=np.int64),
        strips=np.zeros(4, np.int32),
        places_mm=np.zeros((4, 2), np.float64),
    )


def settled(number: int = 0, windows: int = 225) -> FramesSettled:
    return FramesSettled(
        frames=np.array([number], np.int64),
        outcomes=np.zeros(1, np.uint8),
        reasons=("",),
        places_mm=np.zeros((1, 2), np.float64),
        positives=np.zeros(1, np.int32),
        scores=np.zeros((1, windows), np.uint8),
        shapes=Shapes.none(),
        stamps=np.zeros((0, 6), np.int64),
    )


def ended() -> ScanEnded:
    return ScanEnded(
        outcome="complete", ended="2026-01-31T13:00:00Z", seconds=1.0, frames_not_pictured=0
    )


def tile(level: int = 0, x: int = 0, y: int = 0, *, revision: int = 1, size: int = 1000) -> Tile:
    return Tile(level=level, x=x, y=y, revision=revision, final=False, jpeg=bytes(size))


def progress(doing: str = "scanning") -> Progress:
    return Progress(at="2026-01-31T12:00:01Z", doing=doing)
