"""Reads and checks the tables of a recording: what was planned, what is there."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from darkscan.drivers.recording._layout import (
    FRAME_COLUMNS,
    PIXELS,
    PLAN_COLUMNS,
    Column,
    Table,
    Values,
)
from darkscan.drivers.recording._storage import Storage
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo


def read_plan(storage: Storage, info: ScanInfo) -> Table:
    """The planned frames in scan order. Raises InputError naming the dataset."""
    planned = len(storage.dataset("/plan/id"))
    if planned != info.frames_planned:
        problem = f"is {info.frames_planned}, but /plan holds {planned} frames"
        raise InputError(problem, file=storage.path, field="frames_planned")
    table = _read(storage, PLAN_COLUMNS, planned, whole=True)
    check_rows(table, PLAN_COLUMNS, storage.path)
    return table


def read_frames(storage: Storage, info: ScanInfo) -> Table:
    """The rows of all frames, as they stand there. Raises InputError naming the dataset."""
    return _read(storage, FRAME_COLUMNS, info.frames_planned, whole=False)


def rows_written(table: Table, *, complete: bool) -> npt.NDArray[np.intp]:
    """The rows of a table without checksums that hold a frame.

    The last frame of an interrupted recording may be half there; it is left out.
    """
    rows = np.flatnonzero(table["id"] >= 0)
    if complete:
        return rows
    whole = np.ones(len(rows), dtype=bool)
    for values in table.values():
        whole &= _written(values[rows])
    return rows[whole]


def check_rows(table: Table, columns: Iterable[Column], path: Path) -> None:
    """Raises InputError if numbers are not finite or negative, or a frame stands there twice."""
    names = {column.field: column.name for column in columns}
    numbers = table["id"]
    for field, values in table.items():
        bad = np.flatnonzero(~_written(values))
        if len(bad):
            kind = "is not finite" if values.dtype.kind == "f" else "is negative"
            problem = f"frame {numbers[bad[0]]} (row {bad[0]}): {values[bad[0]]} {kind}"
            raise InputError(problem, file=path, field=names[field])
    distinct, counts = np.unique(numbers, return_counts=True)
    if len(distinct) < len(numbers):
        problem = f"frame {distinct[counts > 1][0]} stands there more than once"
        raise InputError(problem, file=path, field=names["id"])


def check_pixels(storage: Storage, info: ScanInfo) -> h5py.Dataset:
    """The dataset of pixels (rows, height, width), uint8 or uint16.

    Raises InputError if it is missing, or is not of the scan's frame size and type.
    """
    pixels = storage.dataset(PIXELS)
    kind = pixels.dtype.newbyteorder("=")
    problem = ""
    if kind != info.dtype:
        problem = f"holds pixels of {kind}, the scan is stated to be {info.pixel_type}"
    elif pixels.shape[1:] != info.frame_shape:
        height, width = info.frame_shape
        shape = "x".join(str(length) for length in pixels.shape)
        problem = f"has shape {shape}, not a row of frames {height} high and {width} wide"
    elif len(pixels) > info.frames_planned:
        problem = f"has {len(pixels)} rows, the scan has {info.frames_planned} frames"
    if problem:
        raise InputError(problem, file=storage.path, field=PIXELS)
    return pixels


def rows_in_file(pixels: h5py.Dataset, file_size: int) -> npt.NDArray[np.bool_]:
    """For each row, whether all its pixels were written and lie inside the file."""
    if pixels.chunks is None:
        return _contiguous_rows_in_file(pixels, file_size)
    deep = pixels.chunks[0]
    slabs = np.zeros(-(-len(pixels) // deep), dtype=np.int64)

    def count(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.byte_offset + chunk.size <= file_size:
            slabs[chunk.chunk_offset[0] // deep] += 1

    pixels.id.chunk_iter(count)
    across = zip(pixels.shape[1:], pixels.chunks[1:], strict=True)
    chunks_in_slab = int(np.prod([-(-length // chunk) for length, chunk in across]))
    return np.repeat(slabs == chunks_in_slab, deep)[: len(pixels)]


def _contiguous_rows_in_file(pixels: h5py.Dataset, file_size: int) -> npt.NDArray[np.bool_]:
    stored = pixels.id.get_storage_size() == pixels.nbytes
    # Without an offset they are stored within the file's own bookkeeping, or not at all.
    offset = pixels.id.get_offset() or 0
    row_bytes = pixels.nbytes // max(1, len(pixels))
    ends = offset + row_bytes * np.arange(1, len(pixels) + 1)
    return np.asarray((ends <= file_size) & stored)


def meta_of(table: Table, row: int, frame: int | None = None) -> FrameMeta:
    """The frame in a row of a table; ``frame``: its number, where the row does not have it yet."""
    x, y, z = table["position_mm"][row].tolist()
    return FrameMeta(
        frame=int(table["id"][row]) if frame is None else frame,
        strip=int(table["strip"][row]),
        position_mm=(x, y, z),
        exposure_ns=int(table["exposure_ns"][row]) if "exposure_ns" in table else 0,
        flags=int(table["flags"][row]) if "flags" in table else 0,
        uncertainty_um=float(table["uncertainty_um"][row]) if "uncertainty_um" in table else 0.0,
        note=table["note"][row].decode(errors="replace") if "note" in table else "",
    )


def is_written(table: Table, row: int) -> bool:
    """Whether no column of a row has the value that stands where nothing was written."""
    return all(bool(_written(values[row : row + 1])[0]) for values in table.values())


def _read(storage: Storage, columns: Iterable[Column], most: int, *, whole: bool) -> Table:
    table = {
        column.field: storage.column(column, most, whole=whole)
        for column in columns
        if not column.optional or storage.has(column.name)
    }
    rows = min(len(values) for values in table.values())
    return {field: values[:rows] for field, values in table.items()}


def _written(values: Values) -> npt.NDArray[np.bool_]:
    if values.dtype.kind == "S":
        return np.ones(len(values), dtype=bool)
    good = np.isfinite(values) if values.dtype.kind == "f" else values >= 0
    return np.asarray(good.reshape(len(good), -1).all(axis=1))
