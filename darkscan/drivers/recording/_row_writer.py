"""Writes single values into the columns of a recording, many times a second."""

from typing import Any

import h5py
import numpy as np


class RowWriter:
    """One column of an open recording.

    HDF5's own calls: h5py's indexing takes ten times as long, for ten columns a frame.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._id = dataset.id
        self._dtype = dataset.dtype
        self._shape = (1, *dataset.shape[1:])
        self._rest = (0,) * (len(self._shape) - 1)
        self._in_file = dataset.id.get_space()
        self._in_memory = h5py.h5s.create_simple(self._shape)

    def __setitem__(self, row: int, value: Any) -> None:
        """Writes the value of a row. Raises OSError or RuntimeError."""
        values = np.array(value, self._dtype).reshape(self._shape)
        self._in_file.select_hyperslab((row, *self._rest), self._shape)
        self._id.write(self._in_memory, self._in_file, values)
