"""Arrays as a web page draws them: columns, packed one after the other.

The packed form is 4 bytes with the little-endian length of a JSON header, the header padded
with spaces so that the data begins at a multiple of 8 bytes, then the arrays one after the
other, each padded to a multiple of 8. The header lists them:
``{"revision": 3, "columns": [{"name": "x_mm", "dtype": "float32", "length": 7}], ...}``.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from darkscan.pipeline.core.arrays import Float32Array

Int32Array = npt.NDArray[np.int32]
UInt8Array = npt.NDArray[np.uint8]
UInt16Array = npt.NDArray[np.uint16]

NOT_YET = 255
"""The outcome of a frame that is neither inspected nor given up."""

NO_AREA = -1

_ALIGN = 8
_LENGTH_BYTES = 4
_DTYPES = frozenset({"float32", "int32", "uint8", "uint16"})


class FrameColumns(NamedTuple):
    """N frames of a scan, by number; as far as they changed after the revision asked for."""

    revision: int
    """To be given as ``after`` when asking for what is new."""
    reasons: tuple[str, ...]
    """Why frames were not inspected; the first is empty."""
    number: Int32Array
    x_mm: Float32Array
    """Of pixel corner (0, 0): measured, or as planned while the frame is not settled."""
    y_mm: Float32Array
    strip: Int32Array
    """-1: not planned."""
    outcome: UInt8Array
    """A place in ``messages.OUTCOMES``, or NOT_YET."""
    reason: UInt16Array
    """A place in ``reasons``."""
    positives: Int32Array
    """Windows over the threshold."""

    def packed(self) -> bytes:
        """The packed form, with ``reasons`` in its header."""
        return pack(
            self.revision, dict(zip(self._fields[2:], self[2:], strict=True)), reasons=self.reasons
        )


class ShapeColumns(NamedTuple):
    """L lines and spots as traced frame by frame, with P points in all."""

    revision: int
    points: Float32Array
    """(2 P) x and y in turn, mm."""
    counts: Int32Array
    """(L) how many points each has."""
    frame: Int32Array
    kind: UInt8Array
    """A place in DEFECT_KINDS."""
    width_um: Float32Array
    contrast: Float32Array

    def packed(self) -> bytes:
        """The packed form."""
        return pack(self.revision, dict(zip(self._fields[1:], self[1:], strict=True)))


class DefectColumns(NamedTuple):
    """The L defects of a scan's map, in the map's order, packed as the map arrived."""

    packed: bytes
    """The packed form: columns number int32 (D0001: 1), kind uint8 (a place in DEFECT_KINDS),
    probability (NaN: unknown), length_mm, width_um, contrast, x_mm, y_mm (centroid) float32,
    box (4 L: x, y, width, height) float32, points (2 P: centre lines of lines, outlines of
    spots) float32, counts int32, area int32 (A0001: 1; -1: beside all areas). The header has
    ``sha256``, the map's."""

    @property
    def sha256(self) -> str:
        """Of the map's bytes."""
        header, _ = unpack(self.packed)
        return str(header["sha256"])

    @property
    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """The columns by name; read-only."""
        return unpack(self.packed)[1]


def pack(revision: int, columns: Mapping[str, npt.NDArray[Any]], **header: Any) -> bytes:
    """The packed form of one-dimensional columns; ``header`` is further JSON for its header."""
    described = []
    for name, column in columns.items():
        if str(column.dtype) not in _DTYPES or column.ndim != 1:
            raise ValueError(f"{name}: a column is not {column.dtype} of {column.ndim} dimensions")
        described.append({"name": name, "dtype": str(column.dtype), "length": len(column)})
    content = {"revision": revision, "columns": described, **header}
    text = json.dumps(content, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH_BYTES + len(text)) % _ALIGN)
    parts = [len(text).to_bytes(_LENGTH_BYTES, "little"), text]
    for column in columns.values():
        data = np.ascontiguousarray(column, column.dtype.newbyteorder("<")).tobytes()
        parts += [data, bytes(-len(data) % _ALIGN)]
    return b"".join(parts)


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Header and columns, by name and read-only, of a packed form that we made."""
    start = _LENGTH_BYTES + int.from_bytes(packed[:_LENGTH_BYTES], "little")
    header: dict[str, Any] = json.loads(packed[_LENGTH_BYTES:start])
    columns = {}
    for column in header["columns"]:
        dtype = np.dtype(column["dtype"]).newbyteorder("<")
        columns[column["name"]] = np.frombuffer(packed, dtype, column["length"], start)
        size = dtype.itemsize * column["length"]
        start += size + -size % _ALIGN
    return header, columns
