"""Opens what a recording holds: in the file itself, and no larger than the file can hold.

HDF5 files can say that their values lie in any other file of this computer, and state sizes
that nothing stands behind. Such files are refused by the name of what is wrong in them, before
anything is read.
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from darkscan.drivers.recording._layout import LONGEST_NOTE_BYTES, Column, Values
from darkscan.pipeline.core.errors import InputError

_MOST_ATTRIBUTES = 256
_ATTRIBUTE_BYTES = 4096
_CHUNK_BYTES = 1 << 20
_PACKED = 1100
"""Bytes that a byte of a compressed data set can become: deflate's limit is 1032."""


class Storage:
    """The groups and data sets of an open HDF5 file."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self.file = file
        self.path = path

    def has(self, name: str) -> bool:
        """Whether there is anything of that name, of whatever kind."""
        return name in self.file

    def attributes(self, name: str) -> dict[str, Any]:
        """All attributes of a group. Raises InputError if it is missing, or they are too large."""
        group = self._own(name)
        if not isinstance(group, h5py.Group):
            raise self._refusal("group is missing", name)
        if len(group.attrs) > _MOST_ATTRIBUTES:
            raise self._refusal(f"has {len(group.attrs)} attributes", name)
        for attribute in group.attrs:
            opened = group.attrs.get_id(attribute)
            if opened.get_storage_size() > _ATTRIBUTE_BYTES:
                problem = f"attribute takes {opened.get_storage_size()} bytes"
                raise self._refusal(problem, f"{name}: {attribute}")
        return dict(group.attrs)

    def dataset(self, name: str) -> h5py.Dataset:
        """A data set whose values lie in this file. Raises InputError."""
        found = self._own(name)
        if not isinstance(found, h5py.Dataset):
            raise self._refusal("dataset is missing", name)
        if found.is_virtual:
            raise self._refusal("is a virtual data set, its values lie in other files", name)
        if found.external is not None:
            raise self._refusal("keeps its values in another file", name)
        if found.chunks is not None:
            chunk_bytes = int(np.prod(found.chunks, dtype=float)) * found.dtype.itemsize
            if chunk_bytes > max(found.nbytes, _CHUNK_BYTES):
                raise self._refusal(f"has chunks of {chunk_bytes} bytes", name)
        return found

    def column(self, column: Column, most: int, *, whole: bool) -> Values:
        """The values of a column of up to ``most`` rows: int64, float64 or bytes.

        ``whole``: all of them must have been written. Raises InputError if the column is
        missing, or of another type or shape.
        """
        dataset = self.dataset(column.name)
        if dataset.dtype.kind not in _KINDS.get(column.dtype[0], "iu"):
            problem = f"holds {dataset.dtype}, wanted is {np.dtype(column.dtype)}"
            raise self._refusal(problem, column.name)
        if dataset.ndim == 0 or dataset.shape != column.shape(len(dataset)):
            problem = f"has shape {dataset.shape}, wanted is {column.shape(0)} with a row a frame"
            raise self._refusal(problem, column.name)
        if len(dataset) > most:
            problem = f"has {len(dataset)} rows, the scan has {most} frames"
            raise self._refusal(problem, column.name)
        if dataset.dtype.itemsize > LONGEST_NOTE_BYTES:
            raise self._refusal(f"has rows of {dataset.dtype.itemsize} bytes", column.name)
        stored = dataset.id.get_storage_size()
        if whole and dataset.nbytes > stored * (1 if dataset.compression is None else _PACKED):
            problem = f"is stated to have {len(dataset)} rows, but {stored} bytes are stored"
            raise self._refusal(problem, column.name)
        if dataset.dtype.kind == "S":
            return np.asarray(dataset[()])
        values: Values = dataset.astype(np.float64 if column.dtype == "f8" else np.int64)[()]
        return values

    def _own(self, name: str) -> Any:
        """What stands under a name, if it is reached without links; None if nothing does."""
        if name == "/":
            return self.file[name]
        reached = ""
        for part in name.strip("/").split("/"):
            reached += f"/{part}"
            link = self.file.get(reached, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                target = f"{getattr(link, 'filename', '')} {link.path}".strip()
                raise self._refusal(f"is a link to {target!s:.200}", reached)
        return self.file.get(name)

    def _refusal(self, problem: str, name: str) -> InputError:
        return InputError(problem, file=self.path, field=name)


_KINDS = {"f": "f", "S": "S"}
