"""The layout of a recording: the names, types and units inside the HDF5 file.

docs/reference/recordings.md describes the same for people who read recordings with other tools.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import LONGEST_NOTE, FrameMeta, ScanInfo
from darkscan.pipeline.core.settings import check

FORMAT = "darkscan recording"
VERSION = 1

PIXELS = "/frames/pixels"
SCAN = "/scan"

# Recordings are written for readers of HDF5 1.10 and later, the first with SWMR.
LIBVER = ("v110", "v110")

TEXT = f"S{4 * LONGEST_NOTE}"  # UTF-8 takes four bytes a character at most

UNWRITTEN = -1
"""The value of an integer column where no frame was recorded; positions then are NaN."""

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

    def value(self, meta: FrameMeta) -> int | float | bytes | tuple[float, float, float]:
        """The value for a frame's row."""
        values: dict[str, int | float | bytes | tuple[float, float, float]] = {
            "id": meta.frame,
            "strip": meta.strip,
            "position_mm": meta.position_mm,
            "exposure_ns": meta.exposure_ns,
            "flags": meta.flags,
            "uncertainty_um": meta.uncertainty_um,
            "note": meta.note.encode(),
        }
        return values[self.field]


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
    Column("/frames/id", "i8", "frame number", "frames in these rows; -1 where none was recorded"),
)


def write_scan(group: h5py.Group, info: ScanInfo) -> None:
    """Writes what is known of a scan as attributes of ``group``, one for each field."""
    content: dict[str, Any] = info.model_dump()
    content["pixel_to_stage"] = info.pixel_to_stage.matrix
    for field, value in content.items():
        group.attrs[_RENAMED.get(field, field)] = value


def read_scan(group: h5py.Group, file: Path) -> ScanInfo:
    """Reads what ``write_scan`` wrote. Raises InputError naming the attribute."""
    content: dict[str, Any] = {}
    for field, description in ScanInfo.model_fields.items():
        name = _RENAMED.get(field, field)
        if name in group.attrs:
            value = group.attrs[name]
            content[field] = value.tolist() if hasattr(value, "tolist") else value
        elif description.is_required():
            raise InputError(f"attribute is missing from {SCAN}", file=file, field=name)
    content["pixel_to_stage"] = _read_matrix(content["pixel_to_stage"], file)
    info = check(content, ScanInfo, file=file)
    if info.pixel_to_stage.pixel_area_mm2 == 0:
        problem = "gives pixels no area"
        raise InputError(problem, file=file, field=_RENAMED["pixel_to_stage"])
    return info


def _read_matrix(value: object, file: Path) -> dict[str, Any]:
    match value:
        case [[xx, xy], [yx, yy]]:
            return {"xx": xx, "xy": xy, "yx": yx, "yy": yy}
    problem = f"must be a 2x2 matrix, is {value!r:.60}"
    raise InputError(problem, file=file, field=_RENAMED["pixel_to_stage"])
