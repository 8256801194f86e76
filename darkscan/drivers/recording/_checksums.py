"""The checksums of a recording: CRC-32 as of zlib, PNG and ISO 3309, known to every language.

They tell what changed by itself from what was recorded: a broken disk or copy, a write that
never reached the disk, a careless edit. They are no signature: who wants to forge a recording
can compute them too.
"""

import struct
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from imagecodecs import deflate_crc32

from darkscan.drivers.recording._layout import PIXELS_CRC, Table
from darkscan.pipeline.core.arrays import Pixels

SCAN_CRC, PLAN_CRC = "crc32", "plan_crc32"
"""The attributes of /scan that hold the checksums of all its others, and of /plan."""

_ROW = struct.Struct("<qq3dqqdqq")
_NUMBERS = ("exposure_ns", "flags", "uncertainty_um", "pixels_offset", PIXELS_CRC)


def crc32(data: bytes | npt.NDArray[Any], before: int = 0) -> int:
    """The checksum of some bytes; ``before``: the checksum of what stands before them."""
    return int(deflate_crc32(cast("bytes", data), before))  # it takes any buffer


def pixels_checksum(pixels: Pixels, before: int = 0) -> int:
    """The checksum of pixels row by row, little-endian; ``before``: of the rows before them."""
    return crc32(np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<")), before)


def scan_checksum(attributes: Mapping[str, Any]) -> int:
    """The checksum of the attributes of /scan but its own, in the alphabetical order of their names.

    Each is its name in UTF-8 and a zero byte, then its value: text as UTF-8 and a zero byte,
    numbers as float64, little-endian.
    """
    checksum = 0
    for name in sorted(set(attributes) - {SCAN_CRC}):
        value = attributes[name]
        if isinstance(value, str | bytes):
            text = value if isinstance(value, bytes) else value.encode(errors="surrogateescape")
            content = text + b"\0"
        else:
            content = np.asarray(value, "<f8").tobytes()
        checksum = crc32(name.encode() + b"\0" + content, checksum)
    return checksum


def plan_checksum(table: Table) -> int:
    """The checksum of /plan: of id, strip (int64) and position_mm (float64), little-endian."""
    checksum = 0
    for field, kind in (("id", "<i8"), ("strip", "<i8"), ("position_mm", "<f8")):
        checksum = crc32(np.ascontiguousarray(table[field], kind), checksum)
    return checksum


def row_checksum(row: Mapping[str, Any]) -> int:
    """The checksum of a frame's row in all columns of /frames but the checksum's own.

    Of id, strip, position_mm, exposure_ns, flags, uncertainty_um, pixels_offset and
    pixels_crc32, eight bytes each, little-endian: integers as int64, others as float64; then
    of the note's bytes.
    """
    numbers = (row[field] for field in _NUMBERS)
    head = _ROW.pack(row["id"], row["strip"], *row["position_mm"], *numbers)
    return crc32(head + row["note"])


def row_of(table: Table, row: int) -> dict[str, Any]:
    """A row of a table as ``row_checksum`` takes it."""
    return {field: values[row].tolist() for field, values in table.items()}
