"""Reads and checks the columns of a recording: what was planned, what is there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from darkscan.drivers.recording._layout import FRAME_COLUMNS, PIXELS, PLAN_COLUMNS, TEXT, Column
from darkscan.pipeline.core.errors import InputError
from darkscan.pipeline.core.scan import FrameMeta, ScanInfo

Values = npt.NDArray[Any]
"""int64, float64 or, for text, bytes."""

Table = dict[str, Values]


def read_plan(file: h5py.File, path: Path, info: ScanInfo) -> list[FrameMeta]:
    """The planned frames in scan order. Raises InputError naming the dataset."""
    table = _read(file, path, PLAN_COLUMNS)
    planned = len(table["id"])
    if planned != info.frames_planned:
        problem = f"is {info.frames_planned}, but /plan holds {planned} frames"
        raise InputError(problem, file=path, field="frames_planned")
    _check_rows(table, PLAN_COLUMNS, path)
    return [_meta(table, row) for row in range(planned)]


def read_frames(
    file: h5py.File, path: Path, *, complete: bool
) -> tuple[list[FrameMeta], npt.NDArray[np.int64]]:
    """The recorded frames and their rows in the datasets.

    The last frame of an interrupted recording may be half there; it is left out. Raises
    InputError naming the dataset.
    """
    table = _read(file, path, FRAME_COLUMNS)
    rows = np.flatnonzero(table["id"] >= 0)
    if not complete:
        whole = np.ones(len(rows), dtype=bool)
        for column in FRAME_COLUMNS:
            if column.field in table:
                whole &= _written(table[column.field][rows])
        rows = rows[whole]
    table = {field: values[rows] for field, values in table.items()}
    _check_rows(table, FRAME_COLUMNS, path)
    return [_meta(table, row) for row in range(len(rows))], rows


def check_pixels(file: h5py.File, path: Path, info: ScanInfo) -> h5py.Dataset:
    """The dataset of pixels (rows, height, width), uint8 or uint16.

    Raises InputError if it is missing, or is not of the scan's frame size and type.
    """
    pixels = _dataset(file, path, PIXELS)
    kind = pixels.dtype.newbyteorder("=")
    if kind != info.dtype:
        problem = f"holds pixels of {kind}, the scan is stated to be {info.pixel_type}"
        raise InputError(problem, file=path, field=PIXELS)
    if pixels.shape[1:] != info.frame_shape:
        height, width = info.frame_shape
        shape = "x".join(str(length) for length in pixels.shape)
        problem = f"has shape {shape}, not a row of frames {height} high and {width} wide"
        raise InputError(problem, file=path, field=PIXELS)
    return pixels


def rows_in_file(pixels: h5py.Dataset, file_size: int) -> npt.NDArray[np.bool_]:
    """For each row, whether all its pixels were written and lie inside the file."""
    if pixels.chunks is None:
        return np.ones(len(pixels), dtype=bool)
    deep = pixels.chunks[0]
    slabs = np.zeros(-(-len(pixels) // deep), dtype=np.int64)

    def count(chunk: h5py.h5d.StoreInfo) -> None:
        if chunk.byte_offset + chunk.size <= file_size:
            slabs[chunk.chunk_offset[0] // deep] += 1

    pixels.id.chunk_iter(count)
    across = zip(pixels.shape[1:], pixels.chunks[1:], strict=True)
    chunks_in_slab = int(np.prod([-(-length // chunk) for length, chunk in across]))
    return np.repeat(slabs == chunks_in_slab, deep)[: len(pixels)]


def _read(file: h5py.File, path: Path, columns: Iterable[Column]) -> Table:
    table = {
        column.field: _read_column(file, path, column)
        for column in columns
        if not column.optional or column.name in file
    }
    rows = min(len(values) for values in table.values())
    return {field: values[:rows] for field, values in table.items()}


def _read_column(file: h5py.File, path: Path, column: Column) -> Values:
    dataset = _dataset(file, path, column.name)
    wanted = {"f8": "f", TEXT: "S"}.get(column.dtype, "iu")
    if dataset.dtype.kind not in wanted:
        problem = f"holds {dataset.dtype}, wanted is {np.dtype(column.dtype)}"
        raise InputError(problem, file=path, field=column.name)
    if dataset.ndim == 0 or dataset.shape != column.shape(len(dataset)):
        problem = f"has shape {dataset.shape}, wanted is {column.shape(0)} with a row a frame"
        raise InputError(problem, file=path, field=column.name)
    if wanted == "S":
        return np.asarray(dataset[()])
    values: Values = dataset.astype(np.float64 if wanted == "f" else np.int64)[()]
    return values


def _dataset(file: h5py.File, path: Path, name: str) -> h5py.Dataset:
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        raise InputError("dataset is missing", file=path, field=name)
    return dataset


def _written(values: Values) -> npt.NDArray[np.bool_]:
    if values.dtype.kind == "S":
        return np.ones(len(values), dtype=bool)
    good = np.isfinite(values) if values.dtype.kind == "f" else values >= 0
    return np.asarray(good.reshape(len(good), -1).all(axis=1))


def _check_rows(table: Table, columns: Iterable[Column], path: Path) -> None:
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


def _meta(table: Table, row: int) -> FrameMeta:
    x, y, z = table["position_mm"][row].tolist()
    return FrameMeta(
        frame=int(table["id"][row]),
        strip=int(table["strip"][row]),
        position_mm=(x, y, z),
        exposure_ns=int(table["exposure_ns"][row]) if "exposure_ns" in table else 0,
        flags=int(table["flags"][row]) if "flags" in table else 0,
        uncertainty_um=float(table["uncertainty_um"][row]) if "uncertainty_um" in table else 0.0,
        note=table["note"][row].decode(errors="replace") if "note" in table else "",
    )
