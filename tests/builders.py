"""Small pieces that many tests need."""

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.frame_results import FrameResult
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, PixelType, ScanInfo


def scan_info(
    frame_shape: tuple[int, int] = (512, 512),
    frames: int = 4,
    pixel_type: PixelType = "uint8",
    size_mm: tuple[float, float] = (10.0, 10.0),
) -> ScanInfo:
    return ScanInfo(
        element="test plate",
        element_size_mm=size_mm,
        region_mm=(0.0, 0.0, *size_mm),
        pitch_um=10.0,
        pixel_to_stage=PixelToStage.from_pitch(10.0),
        frame_shape=frame_shape,
        pixel_type=pixel_type,
        bit_depth=8 if pixel_type == "uint8" else 12,
        frames_planned=frames,
    )


def frame_meta(frame: int, x_mm: float = 0.0, y_mm: float = 0.0, flags: int = 0) -> FrameMeta:
    return FrameMeta(
        frame=frame,
        strip=0,
        position_mm=(x_mm, y_mm, 0.0),
        exposure_ns=frame * 1_000_000,
        flags=flags,
    )


def frame_result(frame: int, scores: npt.NDArray[np.float32] | None = None) -> FrameResult:
    return FrameResult(
        meta=frame_meta(frame),
        origins=np.array([[0, 0], [0, 128]], np.int32),
        scores=np.array([0.1, 0.9], np.float32) if scores is None else scores,
        thumbnail=np.zeros((2, 2), np.uint8),
    )
