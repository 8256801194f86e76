"""Writes recordings frame by frame, readable at any moment, whatever stops the writer."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from darkscan.drivers.recording._holders import NO_LOCKS
from darkscan.drivers.recording._layout import (
    FORMAT,
    FRAME_COLUMNS,
    LIBVER,
    PIXELS,
    PLAN_COLUMNS,
    SCAN,
    UNWRITTEN,
    VERSION,
    Column,
    write_scan,
)
from darkscan.drivers.recording.superblock import read_superblock
from darkscan.pipeline.core.arrays import Pixels
from darkscan.pipeline.core.errors import InputError, StorageError
from darkscan.pipeline.core.scan import FrameFlag, FrameMeta, ScanInfo

_BOOKKEEPING_BYTES = 1 << 20
_ROW_BYTES = 128  # a frame's row in all columns and in the index of the pixels
_MOST_BITS_OF_A_FLAG = 31


class RecordingWriter:
    """A recording in the making.

    Every frame is on its way to the disk when ``write`` returns: a writer that is
    killed loses at most the frame it was writing. Closing marks the recording
    complete; leaving a ``with`` block by an exception closes it without the mark.

    The file is made at once and never replaces another. Raises InputError if it
    exists, StorageError if it cannot be written, ValueError if the plan does not
    hold ``info.frames_planned`` frames of distinct numbers.
    """

    def __init__(self, path: Path, info: ScanInfo, plan: Sequence[FrameMeta]) -> None:
        self.path = path
        self.info = info
        self._rows = {meta.frame: row for row, meta in enumerate(plan)}
        if not len(self._rows) == len(plan) == info.frames_planned:
            raise ValueError(f"a plan of {info.frames_planned} distinct frames is needed")
        self._written: set[int] = set()
        try:
            self._claims = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError as error:
            raise InputError("exists already", file=path) from error
        except OSError as error:
            raise StorageError(path, error) from error
        try:
            self._file = h5py.File(path, "w", libver=LIBVER, rdcc_nbytes=0)
        except (OSError, RuntimeError) as error:
            os.close(self._claims)
            path.unlink(missing_ok=True)
            raise _storage_error(path, error) from error
        self._open = True
        try:
            self._claim(len(plan) * _ROW_BYTES)
            self._lay_out(plan)
        except (OSError, RuntimeError) as error:
            self.abandon()
            path.unlink(missing_ok=True)
            raise _storage_error(path, error) from error

    def write(self, meta: FrameMeta, pixels: Pixels | None) -> None:
        """Records a frame with its pixels (height, width), or a lost one without (None).

        A frame that is taken again replaces what was written of it. Raises InputError if the
        pixels are not of the scan's size and type, StorageError if there is no room, ValueError
        if the frame is not planned, or comes with pixels though it is flagged lost (or the
        other way round).
        """
        row = self._row(meta, pixels)
        try:
            self._claim(0 if pixels is None else self.info.frame_bytes)
            if meta.frame in self._written:  # until it is whole again, it is not there
                self._columns[-1][row] = UNWRITTEN
            if pixels is not None:
                # Straight to the file: it is there before any column says so.
                self._pixels.write_direct_chunk((row, 0, 0), np.ascontiguousarray(pixels))
            for column, dataset in zip(FRAME_COLUMNS, self._columns, strict=True):
                dataset[row] = column.value(meta)
            self._file.flush()
        except (OSError, RuntimeError) as error:
            raise _storage_error(self.path, error) from error
        self._written.add(meta.frame)

    def close(self) -> None:
        """Marks the recording complete and closes it. Raises StorageError."""
        if not self._open:
            return
        try:
            self._file.attrs.modify("complete", np.uint8(1))
            self._finish()
        except (OSError, RuntimeError) as error:
            self.abandon()
            raise _storage_error(self.path, error) from error

    def abandon(self) -> None:
        """Closes it without the mark of completeness, unless it is closed; never raises."""
        if self._open:
            with contextlib.suppress(OSError, RuntimeError):
                self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def _lay_out(self, plan: Sequence[FrameMeta]) -> None:
        height, width = self.info.frame_shape
        self._file.attrs["format"] = FORMAT
        self._file.attrs["format_version"] = VERSION
        self._file.attrs["complete"] = np.uint8(0)
        write_scan(self._file.create_group(SCAN), self.info)
        for column in PLAN_COLUMNS:
            self._create(column, len(plan))[...] = [column.value(meta) for meta in plan]
        self._columns = [self._create(column, len(plan)) for column in FRAME_COLUMNS]
        pixels = self._file.create_dataset(
            PIXELS, (len(plan), height, width), self.info.dtype, chunks=(1, height, width)
        )
        pixels.attrs["units"] = "grey level"
        pixels.attrs["meaning"] = "frames; the rows whose /frames/id is -1 were not recorded"
        self._pixels = pixels.id
        self._file.swmr_mode = True

    def _create(self, column: Column, rows: int) -> h5py.Dataset:
        dataset = self._file.create_dataset(
            column.name, column.shape(rows), column.dtype, fillvalue=column.unwritten
        )
        dataset.attrs["units"] = column.units
        dataset.attrs["meaning"] = column.meaning
        return dataset

    def _claim(self, wanted: int) -> None:
        """Takes room on the disk before HDF5 writes, as it does not survive failed writes.

        The extra room keeps what closing still has to write.
        """
        end = self._file.id.get_filesize()
        os.posix_fallocate(self._claims, end, wanted + _BOOKKEEPING_BYTES)

    def _row(self, meta: FrameMeta, pixels: Pixels | None) -> int:
        if meta.frame not in self._rows:
            raise ValueError(f"frame {meta.frame} is not planned")
        if bool(meta.flags & FrameFlag.LOST) != (pixels is None):
            raise ValueError(f"frame {meta.frame}: lost frames have no pixels, all others have")
        if meta.flags >> _MOST_BITS_OF_A_FLAG:
            raise ValueError(f"frame {meta.frame}: unknown flags {meta.flags:#x}")
        if pixels is not None and (
            pixels.shape != self.info.frame_shape or pixels.dtype != self.info.dtype
        ):
            raise InputError(
                f"is {_say(pixels.shape)} pixels of {pixels.dtype}, but the scan's frames are "
                f"{_say(self.info.frame_shape)} of {self.info.pixel_type}",
                file=self.path,
                field=f"frame {meta.frame}",
            )
        return self._rows[meta.frame]

    def _finish(self) -> None:
        try:
            self._file.close()
            os.ftruncate(self._claims, read_superblock(self.path).stated_size)
        finally:
            os.close(self._claims)
            self._open = False


def _say(shape: tuple[int, ...]) -> str:
    return "x".join(str(length) for length in reversed(shape))


def _storage_error(path: Path, error: OSError | RuntimeError) -> StorageError:
    # HDF5's own words for a failed write fill half a page.
    number = getattr(error, "errno", None)
    if number in NO_LOCKS:
        reason = f"files cannot be locked there ({os.strerror(number)})"
        return StorageError(path, f"{reason}: record to a local disk")
    return StorageError(path, os.strerror(number) if number else str(error).split("\n")[0])
