"""Writes the file of a data set whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from darkscan.network.datasets._layout import (
    COLUMNS,
    FORMAT,
    MANIFEST,
    PIXELS,
    SOURCES,
    VERSION,
    content_hash,
    digest_of,
    sources_text,
)
from darkscan.network.datasets.rule import WINDOW_PX
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import StorageError
from darkscan.pipeline.core.files import atomically
from darkscan.pipeline.core.scan import PixelType

_COMPRESSION = 1  # gzip's fastest: noise gains nothing from more
_SPARE_BYTES = 16 << 20


@dataclass(frozen=True)
class SourceRow:
    """One image that windows come from."""

    name: str
    sha256: str
    split: str


@dataclass
class _Split:
    """The columns of one split until they are written, and the digest of its pixels."""

    pixels: h5py.Dataset
    columns: dict[str, list[npt.NDArray[Any]]]
    digest: Any = field(default_factory=hashlib.sha256)


class DatasetWriter:
    """A data set in the making; see ``new_dataset``."""

    def __init__(self, file: h5py.File, splits: Sequence[str], pixel_type: PixelType) -> None:
        self._file = file
        self._sources: list[SourceRow] = []
        self._splits = {name: self._create(name, pixel_type) for name in splits}

    def add(
        self,
        source: SourceRow,
        windows: Pixels,
        columns: Mapping[str, npt.NDArray[Any]],
    ) -> None:
        """Appends windows (n, 256, 256) of one source, with all columns but ``source``."""
        split = self._splits[source.split]
        first = len(split.pixels)
        split.pixels.resize(first + len(windows), axis=0)
        split.pixels[first:] = windows
        split.digest.update(windows.astype(split.pixels.dtype, copy=False).tobytes())
        row = np.full(len(windows), len(self._sources), np.int32)
        for name, values in {**columns, "source": row}.items():
            split.columns[name].append(values.astype(COLUMNS[name][0]))
        self._sources.append(source)

    def finish(self, manifest: Mapping[str, Any], full_scale: float) -> str:
        """Writes columns, sources and manifest; gives the hash of the data set."""
        digests = {}
        for name, split in self._splits.items():
            group = self._file[name]
            digests[f"{name}/{PIXELS}"] = split.digest.hexdigest()
            for column, parts in split.columns.items():
                kind, shape, meaning = COLUMNS[column]
                values = np.concatenate([np.empty((0, *shape), kind), *parts])
                dataset = group.create_dataset(
                    column, data=values, chunks=_chunk(values), compression=_compression(values)
                )
                dataset.attrs["meaning"] = meaning
                digests[f"{name}/{column}"] = digest_of(dataset)
        table = self._file.create_group(SOURCES)
        for column in ("name", "sha256", "split"):
            texts = [getattr(source, column) for source in self._sources]
            table.create_dataset(column, data=texts, dtype=h5py.string_dtype())
        text = json.dumps(manifest, sort_keys=True)
        found = content_hash(text, sources_text(table), digests)
        self._file.attrs.update(
            {
                "format": FORMAT,
                "format_version": VERSION,
                "full_scale": full_scale,
                MANIFEST: text,
                "hash": found,
            }
        )
        return found

    def _create(self, name: str, pixel_type: PixelType) -> _Split:
        shape = (WINDOW_PX, WINDOW_PX)
        pixels = self._file.create_group(name).create_dataset(
            PIXELS,
            (0, *shape),
            np.dtype(pixel_type).newbyteorder("<"),
            maxshape=(None, *shape),
            chunks=(1, *shape),
            compression="gzip",
            compression_opts=_COMPRESSION,
            shuffle=pixel_type == "uint16",
        )
        pixels.attrs["meaning"] = "windows as the camera gives them, grey levels"
        return _Split(pixels, {column: [] for column in COLUMNS})


@contextmanager
def new_dataset(
    path: Path, splits: Sequence[str], pixel_type: PixelType, windows: int
) -> Iterator[DatasetWriter]:
    """A writer of a file that appears at ``path`` when the block ends well, else not at all.

    Raises StorageError if it cannot be written or the disk is too small for ``windows``.
    """
    _require_room(path, windows * WINDOW_PX**2 * np.dtype(pixel_type).itemsize + _SPARE_BYTES)
    with atomically(path, replace=True) as part:
        try:
            with h5py.File(part, "w", libver="v110") as file:
                yield DatasetWriter(file, splits, pixel_type)
        except OSError as error:
            number = error.errno  # HDF5's own words for a failed write fill half a page
            raise StorageError(path, os.strerror(number) if number else str(error)) from error


def _require_room(path: Path, needed: int) -> None:
    """Raises StorageError for too small a disk: HDF5 does not survive a full one."""
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise StorageError(path, error) from error
    if free < needed:
        problem = f"needs up to {needed / 1e9:.2f} GB, {free / 1e9:.2f} GB are free"
        raise StorageError(path, problem)


def _chunk(values: npt.NDArray[Any]) -> tuple[int, ...] | None:
    return (min(64, len(values)), *values.shape[1:]) if values.ndim > 2 and len(values) else None  # noqa: PLR2004


def _compression(values: npt.NDArray[Any]) -> str | None:
    return "gzip" if _chunk(values) else None
