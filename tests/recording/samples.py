"""A small scan to record: 2 strips of 3 frames."""

import contextlib
from pathlib import Path

import h5py
import numpy as np

from darkscan.drivers.recording import RecordingWriter
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.geometry import PixelToStage
from darkscan.pipeline.core.scan import FrameMeta, PixelType, ScanInfo

FRAME_SHAPE = (300, 400)
OFF_PLAN_MM = 0.003


def small_scan(pixel_type: PixelType = "uint8", frames: int = 6) -> ScanInfo:
    return ScanInfo(
        element="optic 7",
        element_size_mm=(12.0, 6.0),
        region_mm=(0.0, 0.0, 12.0, 6.0),
        pitch_um=10.0,
        pixel_to_stage=PixelToStage.from_pitch(10.0, rotation_mrad=2.0),
        frame_shape=FRAME_SHAPE,
        pixel_type=pixel_type,
        bit_depth=8 if pixel_type == "uint8" else 12,
        frames_planned=frames,
        rig="bench",
        recipe="default",
        source="a test",
    )


def small_plan(frames: int = 6) -> list[FrameMeta]:
    return [
        FrameMeta(
            frame=number,
            strip=number // 3,
            position_mm=(number % 3 * 2.72, number // 3 * 1.72, 0.5),
            exposure_ns=0,
        )
        for number in range(frames)
    ]


def measured(plan: FrameMeta) -> FrameMeta:
    """A planned frame as the stage really took it."""
    x, y, z = plan.position_mm
    return plan.model_copy(
        update={
            "position_mm": (x + OFF_PLAN_MM, y, z),
            "exposure_ns": 1_000_000_000 + plan.frame * 16_000_000,
        }
    )


def picture(number: int, pixel_type: PixelType = "uint8") -> Pixels:
    """The pixels of a frame, no two frames alike."""
    top = 255 if pixel_type == "uint8" else 4095
    noise = np.random.default_rng(number).integers(0, top, FRAME_SHAPE, endpoint=True)
    return noise.astype(pixel_type)


def record_all(path: Path, pixel_type: PixelType = "uint8") -> Path:
    with RecordingWriter(path, small_scan(pixel_type), small_plan()) as writer:
        for meta in small_plan():
            writer.write(measured(meta), picture(meta.frame, pixel_type))
    return path


def without_checksums(path: Path) -> Path:
    """Makes of a recording one of before there were checksums."""
    with h5py.File(path, "r+") as file:
        for column in ("pixels_crc32", "row_crc32", "pixels_offset"):
            del file[f"frames/{column}"]
        for attribute in ("crc32", "plan_crc32"):
            del file["scan"].attrs[attribute]
    return path


def record_first_then_fail(path: Path) -> Path:
    """Records frame 0; then the writer leaves by an exception."""
    with (
        contextlib.suppress(KeyboardInterrupt),
        RecordingWriter(path, small_scan(), small_plan()) as writer,
    ):
        writer.write(small_plan()[0], picture(0))
        raise KeyboardInterrupt
    return path
