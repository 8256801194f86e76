"""The layout of a recording: the names, types and units inside the HDF5 file.

docs/reference/recordings.md describes the same for people who read recordings with other tools.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import LONGEST_NOTE, FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import check

FORMAT = "darkscan recording"
VERSION = 1

PIXELS = "/frames/pixels"
PLAN = "/plan"
SCAN = "/scan"

PIXELS_CRC = "pixels_crc32"
ROW_CRC = "row_crc32"

Values = npt.NDArray[Any]
"""A column: int64, float64 or, for text, bytes; a row for each frame."""

Table = dict[str, Values]
"""Columns by field."""

# Recordings are written for readers of HDF5 1.10 and later, the first with SWMR.
LIBVER = ("v110", "v110")

LONGEST_NOTE_BYTES = 4 * LONGEST_NOTE  # UTF-8 takes four bytes a character at most
TEXT = f"S{LONGEST_NOTE_BYTES}"

UNWRITTEN = -1
"""The value of an integer column where no frame was recorded; positions then are NaN."""

MOST_FRAMES = 1_000_000
"""Planned frames of a recording that is read: a metre squared in frames of a square millimetre."""

MOST_PIXELS = 1 << 30
"""Pixels of a frame that is read, as of an image."""

# The attributes of /scan whose names carry a unit that the field's name leaves out.
_RENAMED = {
    "pixel_to_stage": "pixel_to_stage_mm_per_px",
    "frame_shape": "frame_shape_px",
    "bit_depth": "bit_depth_bits",
}


@dataclass(frozen=True)
class Column:
    """A dataset with one row for each frame."""

    name: str
    dtype: str
    units: str
    meaning: str
    width: int = 1
    optional: bool = False
    """Recordings from before there was this column are read without it."""

    @property
    def field(self) -> str:
        """The last part of the name."""
        return self.name.rpartition("/")[2]

    @property
    def unwritten(self) -> float | bytes:
        """The value of a row that was not written."""
        if self.dtype == TEXT:
            return b""
        return np.nan if self.dtype == "f8" else UNWRITTEN

    def shape(self, rows: int) -> tuple[int, ...]:
        """The dataset's shape for that many rows."""
        return (rows,) if self.width == 1 else (rows, self.width)


PLAN_COLUMNS = (
    Column("/plan/id", "i8", "frame number", "planned frames, in scan order"),
    Column("/plan/strip", "i4", "strip number", "pass of the stage that is to take the frame"),
    Column("/plan/position_mm", "f8", "mm", "planned x, y, z of pixel corner (0, 0)", width=3),
)
FRAME_COLUMNS = (
    Column("/frames/strip", "i4", "strip number", "pass of the stage that took the frame"),
    Column("/frames/position_mm", "f8", "mm", "measured x, y, z of pixel corner (0, 0)", width=3),
    Column("/frames/exposure_ns", "i8", "ns", "start of exposure on the camera's clock"),
    Column("/frames/flags", "i4", "bits", "0 good, 1 lost, 2 incomplete, 4 unplaced, see docs"),
    Column(
        "/frames/uncertainty_um",
        "f8",
        "um",
        "of the measured x and y, one standard deviation",
        optional=True,
    ),
    Column("/frames/note", TEXT, "text", "why the frame is not usable", optional=True),
    Column(
        "/frames/pixels_offset",
        "i8",
        "bytes",
        "where the frame's pixels began in the file as it was recorded",
        optional=True,
    ),
    Column(f"/frames/{PIXELS_CRC}", "i8", "CRC-32", "of the frame's pixels", optional=True),
    Column(f"/frames/{ROW_CRC}", "i8", "CRC-32", "of the frame's row, see docs", optional=True),
    Column("/frames/id", "i8", "frame number", "frames in these rows; -1 where none was recorded"),
)
CHECKED_FIELDS = frozenset(column.field for column in FRAME_COLUMNS)
"""The columns that a recording with checksums has: all."""


def plan_row(meta: FrameMeta) -> dict[str, Any]:
    """A planned frame's values by field."""
    return {"id": meta.frame, "strip": meta.strip, "position_mm": meta.position_mm}


def frame_row(meta: FrameMeta) -> dict[str, Any]:
    """A frame's values by field, without its pixels' place and the checksums."""
    return {
        **plan_row(meta),
        "exposure_ns": meta.exposure_ns,
        "flags": meta.flags,
        "uncertainty_um": meta.uncertainty_um,
        "note": meta.note.encode(),
    }


def scan_attributes(info: ScanInfo) -> dict[str, Any]:
    """What is known of a scan as attributes of /scan, one for each field."""
    content: dict[str, Any] = info.model_dump()
    content["pixel_to_stage"] = info.pixel_to_stage.matrix
    return {_RENAMED.get(field, field): value for field, value in content.items()}


def scan_of(attributes: Mapping[str, Any], file: Path) -> ScanInfo:
    """The scan that attributes of /scan describe. Raises InputError naming the attribute."""
    content: dict[str, Any] = {}
    for field, description in ScanInfo.model_fields.items():
        name = _RENAMED.get(field, field)
        if name in attributes:
            value = attributes[name]
            content[field] = value.tolist() if hasattr(value, "tolist") else value
        elif description.is_required():
            raise InputError(f"attribute is missing from {SCAN}", file=file, field=name)
    content["pixel_to_stage"] = _read_matrix(content["pixel_to_stage"], file)
    info = check(content, ScanInfo, file=file)
    if info.pixel_to_stage.pixel_area_mm2 == 0:
        problem = "gives pixels no area"
        raise InputError(problem, file=file, field=_RENAMED["pixel_to_stage"])
    if info.frames_planned > MOST_FRAMES:
        problem = f"is {info.frames_planned}, more than {MOST_FRAMES} frames are not read"
        raise InputError(problem, file=file, field="frames_planned")
    height, width = info.frame_shape
    if height * width > MOST_PIXELS:
        problem = f"is {height}x{width}, frames of more than {MOST_PIXELS} pixels are not read"
        raise InputError(problem, file=file, field=_RENAMED["frame_shape"])
    return info


def _read_matrix(value: object, file: Path) -> dict[str, Any]:
    match value:
        case [[xx, xy], [yx, yy]]:
            return {"xx": xx, "xy": xy, "yx": yx, "yy": yy}
    problem = f"must be a 2x2 matrix, is {value!r:.60}"
    raise InputError(problem, file=file, field=_RENAMED["pixel_to_stage"])
