"""Reads the pixels of a recording's frames and holds them against their checksums."""

import os
import weakref
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from darkscan.drivers.recording._checksums import pixels_checksum
from darkscan.drivers.recording._layout import PIXELS_CRC, Table
from darkscan.drivers.recording._tables import rows_in_file
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.scan import ScanInfo

_BAND_BYTES = 1 << 20


class PixelReader:
    """The pixels of a recording, row by row of its tables.

    Where a frame's pixels lie stands twice: in HDF5's own index, and in a column. A power cut
    can leave the index torn; what the column points at is believed if the checksum is right.
    """

    def __init__(self, dataset: h5py.Dataset, path: Path, info: ScanInfo, table: Table) -> None:
        """``table``: of the frames; its checksums and places are used if it has them."""
        self._dataset = dataset
        self._path = path
        self._bytes = info.frame_bytes
        self._checksums = table.get(PIXELS_CRC)
        self._offsets = table.get("pixels_offset") if info.dtype == dataset.dtype else None
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        # As HDF5's own files: who forgets to close one gets it closed when it is gone.
        self._let_go = weakref.finalize(self, os.close, self._descriptor)
        self._size = os.fstat(self._descriptor).st_size
        try:
            self._indexed = rows_in_file(dataset, self._size)
        except (OSError, RuntimeError):
            if self._offsets is None:
                self._let_go()
                raise
            self._indexed = np.zeros(len(dataset), dtype=bool)

    def has(self, row: int) -> bool:
        """Whether all pixels of a row lie in the file."""
        return self._has_indexed(row) or self._has_placed(row)

    def read_into(self, row: int, out: Pixels) -> bool:
        """Writes the pixels of a row (height, width) into ``out``; whether they are right.

        Without checksums they are taken for right. Raises OSError or RuntimeError if they
        cannot be read.
        """
        self._look_at_size()
        if self._has_indexed(row):
            try:
                if self._is_right(row, self._read_indexed(row, out)):
                    return True
            except (OSError, RuntimeError):
                if not self._has_placed(row):
                    raise
        return self._has_placed(row) and self._is_right(row, self._read_placed(row, out))

    def read_rows(self, row: int, top: int, out: Pixels) -> None:
        """Writes some of a row's lines, from ``top`` on, into ``out``, unchecked.

        Raises OSError or RuntimeError if they cannot be read.
        """
        self._look_at_size()
        if not self._has_indexed(row):
            raise OSError(self.why_not(row))
        selection = (slice(row, row + 1), slice(top, top + len(out)))
        self._dataset.read_direct(out[None], source_sel=selection)

    def why_not(self, row: int) -> str:
        """What is wrong with pixels that ``read_into`` did not find right."""
        if self.has(row):
            return "its pixels do not match their checksum"
        return "its pixels are not in the file"

    def status(self) -> os.stat_result:
        """The file that is read, whatever has its name by now."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """Lets go of the file; not of the data set."""
        self._let_go()

    def _has_indexed(self, row: int) -> bool:
        return row < len(self._indexed) and bool(self._indexed[row])

    def _has_placed(self, row: int) -> bool:
        if self._offsets is None or self._checksums is None:
            return False
        return 0 < int(self._offsets[row]) <= self._size - self._bytes

    def _look_at_size(self) -> None:
        # HDF5 reads zeros past the end of a file, without a word: that would be clean glass.
        size = os.fstat(self._descriptor).st_size
        if size < self._size:
            self._indexed &= rows_in_file(self._dataset, size)
        self._size = size

    def _is_right(self, row: int, checksum: int | None) -> bool:
        return self._checksums is None or checksum == self._checksums[row]

    def _read_indexed(self, row: int, out: Pixels) -> int | None:
        """Reads by HDF5; the checksum of what came if there is one to compare it with."""
        rows = len(out)
        if not out.flags.c_contiguous:
            # HDF5 reads into contiguous memory; a band stays in the processor's cache.
            rows = max(1, _BAND_BYTES // (out.shape[1] * out.itemsize))
            band: Pixels = np.empty((min(rows, len(out)), out.shape[1]), out.dtype)
        checksum = 0
        for top in range(0, len(out), rows):
            part = out if out.flags.c_contiguous else band[: len(out) - top]
            selection = (slice(row, row + 1), slice(top, top + len(part)))
            self._dataset.read_direct(part[None], source_sel=selection)
            if self._checksums is not None:
                checksum = pixels_checksum(part, checksum)
            if part is not out:
                out[top : top + rows] = part
        return checksum

    def _read_placed(self, row: int, out: Pixels) -> int | None:
        """Reads where the column says that the pixels were recorded."""
        assert self._offsets is not None, "it was looked at before"
        there = os.pread(self._descriptor, self._bytes, int(self._offsets[row]))
        if len(there) < self._bytes:
            return None
        pixels: Any = np.frombuffer(there, out.dtype).reshape(out.shape)
        out[...] = pixels
        return pixels_checksum(pixels)
